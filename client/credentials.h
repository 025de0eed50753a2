// What the command line says of token and TLS, read from the files it names and checked before
// anything is sent.
//
// Thread-safety: pure functions, but for the files and the environment.
#ifndef TRAINYARD_CLIENT_CREDENTIALS_H_
#define TRAINYARD_CLIENT_CREDENTIALS_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace trainyard {

// As given; empty: not given.
struct CredentialFlags {
  std::string token, token_file;
  bool tls = false;
  std::string ca_file, certificate_file, key_file;
  bool insecure = false;  // a token may go over plain text to another machine
};

// What a channel needs.
struct Credentials {
  std::string token;  // sent with every call; empty: none
  bool tls = false;
  std::string ca, certificate, key;  // PEM; empty: the system's authorities, no client certificate
};

// The token is that of --token, else of --token-file, else of `environment_token`. Any file of TLS
// asks for TLS. Usage errors: a file that cannot be read; a token that is no header; a certificate
// without key; a token for a server of another machine without TLS and without `insecure`.
absl::StatusOr<Credentials> ReadCredentials(const CredentialFlags& flags,
                                            absl::string_view environment_token,
                                            const std::string& server);

// Whether only this machine reaches `server`, as written: a loopback address, localhost or
// unix:path.
bool IsLocalServer(absl::string_view server);

}  // namespace trainyard

#endif  // TRAINYARD_CLIENT_CREDENTIALS_H_
