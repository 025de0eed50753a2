// SHA-256 (OpenSSL) of bytes given in pieces: what an upload tells the server to expect.
// server/base has the server's own; the client links nothing of it.
//
//   Digest digest;
//   digest.Update(chunk);
//   request.set_expected_digest(digest.Finish());
//
// Thread-safety: none; one digest per stream of bytes.
#ifndef TRAINYARD_CLIENT_DIGEST_H_
#define TRAINYARD_CLIENT_DIGEST_H_

#include <string>

#include "absl/strings/string_view.h"

typedef struct evp_md_ctx_st EVP_MD_CTX;

namespace trainyard {

class Digest {
 public:
  Digest();
  ~Digest();
  Digest(const Digest&) = delete;
  Digest& operator=(const Digest&) = delete;
  void Update(absl::string_view bytes);
  // `sha256:` and 64 lower-case hex digits; ends the digest.
  std::string Finish();

 private:
  EVP_MD_CTX* const context_;
};

}  // namespace trainyard

#endif  // TRAINYARD_CLIENT_DIGEST_H_
