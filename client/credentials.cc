#include "client/credentials.h"

#include <algorithm>
#include <fstream>
#include <iterator>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "client/exit_code.h"
#include "core/base/error_info.h"
#include "core/base/status_macros.h"

namespace trainyard {
namespace {

// `bytes` stay as they are without a path.
absl::Status ReadFile(const char* flag, const std::string& path, std::string* bytes) {
  if (path.empty()) return absl::OkStatus();
  std::ifstream file(path, std::ios::binary);
  bytes->assign(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
  if (!bytes->empty()) return absl::OkStatus();
  return UsageError(absl::StrCat(flag, ": cannot read ", path, ", or it is empty"),
                    {.hint = "look whether it is there, and may be read"});
}

absl::Status CheckTokenForm(absl::string_view token) {
  const bool is_word = std::all_of(token.begin(), token.end(), [](char c) {
    return absl::ascii_isgraph(static_cast<unsigned char>(c));
  });
  if (is_word) return absl::OkStatus();
  return UsageError(
      "the token has characters that no token has",
      {.hint = "give the line that `trainyard token create` printed, and nothing else"});
}

absl::Status CheckMayBeSent(const Credentials& credentials, bool insecure,
                            const std::string& server) {
  if (credentials.token.empty() || credentials.tls || insecure || IsLocalServer(server)) {
    return absl::OkStatus();
  }
  return UsageError(
      absl::StrCat("the token would go to ", server,
                   " as plain text, for everybody on the way to read"),
      {.hint =
           "use --tls (with --tls-ca for a certificate of your own authority), or --insecure if "
           "the network is trusted",
       .in_force = absl::StrCat("--server ", server)});
}

}  // namespace

bool IsLocalServer(absl::string_view server) {
  if (absl::StartsWith(server, "unix:")) return true;
  const absl::string_view host = server.substr(0, server.rfind(':'));
  // A name may begin with 127. as well.
  const bool is_number = host.find_first_not_of("0123456789.") == absl::string_view::npos;
  return host == "localhost" || host == "[::1]" || (is_number && absl::StartsWith(host, "127."));
}

absl::StatusOr<Credentials> ReadCredentials(const CredentialFlags& flags,
                                            absl::string_view environment_token,
                                            const std::string& server) {
  Credentials credentials;
  credentials.token = std::string(environment_token);
  TY_RETURN_IF_ERROR(ReadFile("--token-file", flags.token_file, &credentials.token));
  if (!flags.token.empty()) credentials.token = flags.token;
  absl::StripAsciiWhitespace(&credentials.token);
  TY_RETURN_IF_ERROR(CheckTokenForm(credentials.token));
  TY_RETURN_IF_ERROR(ReadFile("--tls-ca", flags.ca_file, &credentials.ca));
  TY_RETURN_IF_ERROR(ReadFile("--tls-cert", flags.certificate_file, &credentials.certificate));
  TY_RETURN_IF_ERROR(ReadFile("--tls-key", flags.key_file, &credentials.key));
  if (credentials.certificate.empty() != credentials.key.empty()) {
    return UsageError("--tls-cert and --tls-key go together", {.hint = "give both, or none"});
  }
  credentials.tls = flags.tls || !credentials.ca.empty() || !credentials.key.empty();
  TY_RETURN_IF_ERROR(CheckMayBeSent(credentials, flags.insecure, server));
  return credentials;
}

}  // namespace trainyard
