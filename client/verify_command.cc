#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "client/command.h"
#include "client/local_file.h"
#include "client/render.h"
#include "core/base/error_info.h"
#include "core/base/status_macros.h"
#include "server/wire/canonical_json.h"
#include "server/wire/receipt.h"
#include "server/wire/signature.h"

namespace trainyard {
namespace {

// Of a file with a public key: 64 digits and what editors put around them.
constexpr int64_t kKeyFileBytesMax = 4096;

struct VerifyOptions {
  std::string path;
  std::string public_key;
  std::string public_key_path;
};

absl::StatusOr<std::string> CheckKey(absl::string_view text, absl::string_view from) {
  const absl::string_view key = absl::StripAsciiWhitespace(text);
  if (IsPublicKey(key)) return std::string(key);
  return UsageError(absl::StrCat(from, ": \"", Printable(key.substr(0, 80)), "\" is no public key"),
                    {.reason = ErrorReason::kInvalidRequest,
                     .hint = "give the 64 hex digits of public_key that GetSigningKey answers"});
}

// From a flag or a file; without both, what the server says.
absl::StatusOr<std::string> PublicKeyOf(Session& session, const VerifyOptions& options) {
  if (!options.public_key.empty()) return CheckKey(options.public_key, "--public-key");
  if (!options.public_key_path.empty()) {
    TY_ASSIGN_OR_RETURN(const std::string text,
                        ReadWhole(options.public_key_path, kKeyFileBytesMax));
    return CheckKey(text, options.public_key_path);
  }
  TY_ASSIGN_OR_RETURN(
      const v1::SigningKey key,
      session.remote.Call(session.remote.submissions(), &v1::SubmissionService::Stub::GetSigningKey,
                          v1::GetSigningKeyRequest()));
  return CheckKey(key.public_key(), "the server's answer");
}

std::string PointsText(const ReceiptFields& fields) {
  if (!fields.result.has_value()) return "withheld until they are released";
  const ReceiptResult& result = *fields.result;
  return absl::StrCat(result.points, " of ", result.max_points, " (",
                      absl::AsciiStrToLower(result.metric), " ", FormatNumber(result.score),
                      result.sealed ? ", sealed data)" : ", public data)");
}

std::string EngineText(const ReceiptEngine& engine) {
  return absl::StrCat(engine.build, ", oneDNN ", engine.onednn_version, " ", engine.isa, ", ",
                      engine.threads, " threads, ", engine.cpu_family,
                      engine.deterministic ? ", deterministic" : "");
}

std::string DescribeReceipt(const Receipt& receipt) {
  const ReceiptFields& fields = receipt.fields;
  std::vector<std::pair<std::string, std::string>> lines = {
      {"receipt", fields.id},
      {"copy", receipt.copy == ReceiptCopy::kStaff ? "staff" : "student"},
      {"student", fields.student},
      {"submission", fields.submission},
      {"assignment version", absl::StrCat(fields.assignment_version)},
      {"accepted", TimeText(fields.accepted_at)},
      {"graded", TimeText(fields.graded_at)},
      {"points", PointsText(fields)}};
  if (fields.public_score.has_value()) {
    lines.push_back({"public score", FormatNumber(*fields.public_score)});
  }
  lines.push_back({"spec", fields.spec_digest});
  lines.push_back(
      {"policy", absl::StrCat("version ", fields.policy_version, ", ", fields.policy_digest)});
  lines.push_back({"engine", EngineText(fields.engine)});
  lines.push_back({"seeds", absl::StrCat(fields.runs.size())});
  lines.push_back({"signed with key", receipt.key_id});
  return absl::StrCat("the signature holds\n", KeyValueLines(lines));
}

ExitOr RunVerify(Session& session, const VerifyOptions& options) {
  TY_ASSIGN_OR_RETURN(const std::string document, ReadWhole(options.path, kJsonBytesMax));
  TY_ASSIGN_OR_RETURN(const std::string public_key, PublicKeyOf(session, options));
  const absl::StatusOr<Receipt> receipt = VerifyReceipt(document, public_key);
  if (receipt.ok()) {
    session.screen.Print(session.screen.json() ? absl::StrCat(document, "\n")
                                               : DescribeReceipt(*receipt));
    return ExitCode::kOk;
  }
  const absl::Status named = Annotate(receipt.status(), options.path);
  // What cannot be read says nothing; a signature that does not hold says no.
  if (absl::IsInvalidArgument(named)) return AsUsageError(named);
  session.screen.ShowError(named);
  return ExitCode::kRefused;
}

}  // namespace

void AddVerifyCommand(CLI::App* app, Command* chosen) {
  auto options = std::make_shared<VerifyOptions>();
  CLI::App* const command =
      AddCommand(app, "verify", "Check the signature of a receipt, and show what it says", options,
                 &RunVerify, chosen);
  command->add_option("RECEIPT", options->path, "File with the receipt")->required();
  CLI::Option* const key = command->add_option(
      "--public-key", options->public_key,
      "Key to check with, 64 hex digits (default: asks the server for its own)");
  key->type_name("HEX");
  command
      ->add_option("--public-key-file", options->public_key_path,
                   "File with the key; nothing is asked of a server then")
      ->type_name("FILE")
      ->excludes(key);
}

}  // namespace trainyard
