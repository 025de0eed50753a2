#include "client/digest.h"

#include <openssl/evp.h>

#include <array>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "core/base/check.h"

namespace trainyard {

Digest::Digest() : context_(EVP_MD_CTX_new()) {
  TY_CHECK(context_ != nullptr);
  TY_CHECK(EVP_DigestInit_ex(context_, EVP_sha256(), nullptr) == 1);
}

Digest::~Digest() { EVP_MD_CTX_free(context_); }

void Digest::Update(absl::string_view bytes) {
  TY_CHECK(EVP_DigestUpdate(context_, bytes.data(), bytes.size()) == 1);
}

std::string Digest::Finish() {
  std::array<unsigned char, EVP_MAX_MD_SIZE> bytes = {};
  unsigned int size = 0;
  TY_CHECK(EVP_DigestFinal_ex(context_, bytes.data(), &size) == 1);
  const absl::string_view view(reinterpret_cast<const char*>(bytes.data()), size);
  return absl::StrCat("sha256:", absl::BytesToHexString(view));
}

}  // namespace trainyard
