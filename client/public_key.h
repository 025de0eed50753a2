// The key that receipts are checked with: one that the user gives, else what the server says is its
// own. Against the latter a receipt proves less: that the server agrees with itself.
//
//   PublicKeyOptions options;
//   AddPublicKeyFlags(command, &options);
//   TY_ASSIGN_OR_RETURN(const std::string given, GivenPublicKey(options));
//   TY_ASSIGN_OR_RETURN(const std::string key, PublicKeyOr(session, given));
//
// Thread-safety: none; used from the thread that runs the command.
// Errors: usage errors (exit_code.h) for what the user gave; those of GetSigningKey; INTERNAL when
// the server answers with no key.
#ifndef TRAINYARD_CLIENT_PUBLIC_KEY_H_
#define TRAINYARD_CLIENT_PUBLIC_KEY_H_

#include <array>
#include <string>

#include "absl/status/statusor.h"
#include "client/command.h"

namespace trainyard {

// As typed; at most one of them.
struct PublicKeyOptions {
  std::string text;
  std::string path;
};

// Adds --public-key and --public-key-file. `*options` must outlive the command.
std::array<CLI::Option*, 2> AddPublicKeyFlags(CLI::App* command, PublicKeyOptions* options);

// 64 hex digits; empty: none was given.
absl::StatusOr<std::string> GivenPublicKey(const PublicKeyOptions& options);
// `given`; if it is empty the server's, which costs a call.
absl::StatusOr<std::string> PublicKeyOr(Session& session, const std::string& given);

}  // namespace trainyard

#endif  // TRAINYARD_CLIENT_PUBLIC_KEY_H_
