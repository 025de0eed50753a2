#include "server/base/ids.h"

#include <openssl/evp.h>
#include <sys/random.h>

#include <algorithm>
#include <array>
#include <cstdint>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "core/base/check.h"

namespace trainyard {
namespace {

constexpr absl::string_view kDigestPrefix = "sha256:";
constexpr size_t kDigestHexDigits = 64;
constexpr size_t kIdCharacters = 12;
constexpr absl::string_view kIdAlphabet = "abcdefghijklmnopqrstuvwxyz0123456789";
constexpr uint8_t kLetters = 26;

template <size_t kSize>
std::array<uint8_t, kSize> RandomBytes() {
  static_assert(kSize <= 256, "getentropy gives at most 256 bytes");
  std::array<uint8_t, kSize> bytes;
  TY_CHECK(getentropy(bytes.data(), bytes.size()) == 0);
  return bytes;
}

// An unbiased character of the first `choices` of the alphabet, or 0 when `byte` is to be drawn
// again.
char CharacterOf(uint8_t byte, uint8_t choices) {
  const int unbiased_end = 256 / choices * choices;
  return byte < unbiased_end ? kIdAlphabet[byte % choices] : '\0';
}

}  // namespace

std::string NewId() {
  std::string id;
  while (true) {
    for (const uint8_t byte : RandomBytes<2 * kIdCharacters>()) {
      const uint8_t choices = id.empty() ? kLetters : static_cast<uint8_t>(kIdAlphabet.size());
      if (const char c = CharacterOf(byte, choices); c != '\0') id.push_back(c);
      if (id.size() == kIdCharacters) return id;
    }
  }
}

std::string NewToken() {
  const std::array<uint8_t, 32> bytes = RandomBytes<32>();
  return absl::BytesToHexString(
      absl::string_view(reinterpret_cast<const char*>(bytes.data()), bytes.size()));
}

struct Sha256::Rep {
  EVP_MD_CTX* context = EVP_MD_CTX_new();
  ~Rep() { EVP_MD_CTX_free(context); }
};

Sha256::Sha256() : rep_(std::make_unique<Rep>()) {
  TY_CHECK(rep_->context != nullptr);
  TY_CHECK(EVP_DigestInit_ex(rep_->context, EVP_sha256(), nullptr) == 1);
}

Sha256::~Sha256() = default;

void Sha256::Update(absl::string_view bytes) {
  TY_CHECK(EVP_DigestUpdate(rep_->context, bytes.data(), bytes.size()) == 1);
}

std::string Sha256::Digest() {
  std::array<unsigned char, EVP_MAX_MD_SIZE> bytes;
  unsigned int size = 0;
  TY_CHECK(EVP_DigestFinal_ex(rep_->context, bytes.data(), &size) == 1);
  return absl::StrCat(kDigestPrefix, absl::BytesToHexString(absl::string_view(
                                         reinterpret_cast<const char*>(bytes.data()), size)));
}

std::string Sha256Digest(absl::string_view bytes) {
  Sha256 hash;
  hash.Update(bytes);
  return hash.Digest();
}

bool IsDigest(absl::string_view digest) {
  if (!absl::StartsWith(digest, kDigestPrefix)) return false;
  const absl::string_view hex = digest.substr(kDigestPrefix.size());
  return hex.size() == kDigestHexDigits && std::all_of(hex.begin(), hex.end(), [](char c) {
           return absl::ascii_isdigit(static_cast<unsigned char>(c)) || (c >= 'a' && c <= 'f');
         });
}

}  // namespace trainyard
