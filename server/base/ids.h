// Ids and digests.
#ifndef TRAINYARD_SERVER_BASE_IDS_H_
#define TRAINYARD_SERVER_BASE_IDS_H_

#include <memory>
#include <string>

#include "absl/strings/string_view.h"

namespace trainyard {

// A new random id: 12 characters of [a-z0-9], from the system's entropy; starts with a letter.
// Never repeats in practice.
std::string NewId();
// 32 random bytes as hex, for secrets.
std::string NewToken();

// Incremental SHA-256 (OpenSSL). Digest() ends it.
class Sha256 {
 public:
  Sha256();
  ~Sha256();
  void Update(absl::string_view bytes);
  // `sha256:` and 64 lower-case hex digits.
  std::string Digest();

 private:
  struct Rep;
  std::unique_ptr<Rep> rep_;
};

std::string Sha256Digest(absl::string_view bytes);
// Whether `digest` has the form of a digest.
bool IsDigest(absl::string_view digest);

}  // namespace trainyard

#endif  // TRAINYARD_SERVER_BASE_IDS_H_
