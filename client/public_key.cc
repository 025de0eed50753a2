#include "client/public_key.h"

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "client/local_file.h"
#include "client/render.h"
#include "core/base/error_info.h"
#include "core/base/status_macros.h"
#include "server/wire/signature.h"

namespace trainyard {
namespace {

// Of a file with a public key: 64 digits and what editors put around them.
constexpr int64_t kKeyFileBytesMax = 4096;

absl::StatusOr<std::string> CheckKey(absl::string_view text, absl::string_view from) {
  const absl::string_view key = absl::StripAsciiWhitespace(text);
  if (IsPublicKey(key)) return std::string(key);
  return UsageError(absl::StrCat(from, ": \"", Printable(key.substr(0, 80)), "\" is no public key"),
                    {.reason = ErrorReason::kInvalidRequest,
                     .hint = "give the 64 hex digits of public_key that GetSigningKey answers"});
}

}  // namespace

std::array<CLI::Option*, 2> AddPublicKeyFlags(CLI::App* command, PublicKeyOptions* options) {
  CLI::Option* const text = command->add_option(
      "--public-key", options->text,
      "Key to check the receipt with, 64 hex digits (default: asks the server for its own)");
  CLI::Option* const path =
      command->add_option("--public-key-file", options->path,
                          "File with the key; the server is not asked for one then");
  text->type_name("HEX");
  path->type_name("FILE")->excludes(text);
  return {text, path};
}

absl::StatusOr<std::string> GivenPublicKey(const PublicKeyOptions& options) {
  if (!options.text.empty()) return CheckKey(options.text, "--public-key");
  if (options.path.empty()) return std::string();
  TY_ASSIGN_OR_RETURN(const std::string text, ReadWhole(options.path, kKeyFileBytesMax));
  return CheckKey(text, options.path);
}

absl::StatusOr<std::string> PublicKeyOr(Session& session, const std::string& given) {
  if (!given.empty()) return given;
  TY_ASSIGN_OR_RETURN(
      const v1::SigningKey key,
      session.remote.Call(session.remote.submissions(), &v1::SubmissionService::Stub::GetSigningKey,
                          v1::GetSigningKeyRequest()));
  if (IsPublicKey(key.public_key())) return key.public_key();
  return MakeError(absl::StatusCode::kInternal,
                   absl::StrCat("the server's answer \"", Printable(key.public_key().substr(0, 80)),
                                "\" is no public key"),
                   {.reason = ErrorReason::kInternal,
                    .hint = "give the key with --public-key, or tell those who run the server"});
}

}  // namespace trainyard
