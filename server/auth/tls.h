// The files of TLS, read and checked before anything listens: a wrong one is an error at start, not
// a failed handshake of each client.
//
// Thread-safety: a pure function, but for the files.
#ifndef TRAINYARD_SERVER_AUTH_TLS_H_
#define TRAINYARD_SERVER_AUTH_TLS_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace trainyard {

struct TlsPaths {
  std::string certificate;  // PEM: the server's, then those between it and a root
  std::string key;          // PEM, without passphrase
  std::string client_ca;    // PEM; empty: clients show no certificate
};

// Contents of the files, as gRPC takes them.
struct TlsFiles {
  std::string certificate, key, client_ca;
};

// Errors, all at once: INVALID_ARGUMENT/INVALID_REQUEST for a file that cannot be read, is no PEM
// of its kind, a certificate that is not valid at `now`, a key that is another certificate's.
absl::StatusOr<TlsFiles> LoadTls(const TlsPaths& paths, absl::Time now);

}  // namespace trainyard

#endif  // TRAINYARD_SERVER_AUTH_TLS_H_
