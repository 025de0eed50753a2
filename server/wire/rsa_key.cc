#include "server/wire/rsa_key.h"

#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#include "absl/strings/str_cat.h"
#include "core/base/check.h"
#include "core/base/error_info.h"
#include "core/base/status_macros.h"

namespace trainyard {

struct RsaKeyHandle {
  explicit RsaKeyHandle(EVP_PKEY* owned) : key(owned) {}
  ~RsaKeyHandle() { EVP_PKEY_free(key); }
  RsaKeyHandle(const RsaKeyHandle&) = delete;
  RsaKeyHandle& operator=(const RsaKeyHandle&) = delete;
  EVP_PKEY* const key;
};

namespace {

using Handle = std::shared_ptr<const RsaKeyHandle>;
using Number = std::unique_ptr<BIGNUM, decltype(&BN_free)>;
using Memory = std::unique_ptr<BIO, decltype(&BIO_free)>;
using DigestContext = std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)>;
using KeyContext = std::unique_ptr<EVP_PKEY_CTX, decltype(&EVP_PKEY_CTX_free)>;
using ParamBuilder = std::unique_ptr<OSSL_PARAM_BLD, decltype(&OSSL_PARAM_BLD_free)>;
using Params = std::unique_ptr<OSSL_PARAM, decltype(&OSSL_PARAM_free)>;

const unsigned char* Bytes(absl::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

absl::Status NoKey(absl::string_view what) {
  return MakeError(
      absl::StatusCode::kInvalidArgument, what,
      {.reason = ErrorReason::kInvalidRequest,
       .hint = "give an RSA key",
       .in_force = absl::StrCat(RsaPublicKey::kBitsMin, " to ", RsaPublicKey::kBitsMax, " bits")});
}

Number ToNumber(absl::string_view bytes) {
  Number number(BN_bin2bn(Bytes(bytes), static_cast<int>(bytes.size()), nullptr), &BN_free);
  TY_CHECK(number != nullptr);
  return number;
}

std::string ToBytes(const BIGNUM* number) {
  std::string bytes(static_cast<size_t>(BN_num_bytes(number)), '\0');
  BN_bn2bin(number, reinterpret_cast<unsigned char*>(bytes.data()));
  return bytes;
}

// A number of the key, e.g. its modulus.
std::string NumberOf(const EVP_PKEY* key, const char* name) {
  BIGNUM* number = nullptr;
  TY_CHECK(EVP_PKEY_get_bn_param(key, name, &number) == 1);
  const Number owned(number, &BN_free);
  return ToBytes(owned.get());
}

Handle MakePublicKey(const BIGNUM* modulus, const BIGNUM* exponent) {
  const ParamBuilder builder(OSSL_PARAM_BLD_new(), &OSSL_PARAM_BLD_free);
  TY_CHECK(OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_N, modulus) == 1);
  TY_CHECK(OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_E, exponent) == 1);
  const Params params(OSSL_PARAM_BLD_to_param(builder.get()), &OSSL_PARAM_free);
  const KeyContext context(EVP_PKEY_CTX_new_from_name(nullptr, "RSA", nullptr), &EVP_PKEY_CTX_free);
  TY_CHECK(EVP_PKEY_fromdata_init(context.get()) == 1);
  EVP_PKEY* key = nullptr;
  TY_CHECK(EVP_PKEY_fromdata(context.get(), &key, EVP_PKEY_PUBLIC_KEY, params.get()) == 1);
  return std::make_shared<RsaKeyHandle>(key);
}

std::string TextOf(BIO* memory) {
  char* text = nullptr;
  const long size = BIO_get_mem_data(memory, &text);
  return std::string(text, static_cast<size_t>(size));
}

// Nobody is there to be asked for a passphrase.
int NoPassphrase(char*, int, int, void*) { return -1; }

}  // namespace

absl::StatusOr<RsaPublicKey> RsaPublicKey::FromNumbers(absl::string_view modulus,
                                                       absl::string_view exponent) {
  const bool sized = !modulus.empty() && modulus.size() <= kBitsMax / 8 && !exponent.empty() &&
                     exponent.size() <= kExponentBytesMax;
  if (!sized) return NoKey("the numbers of the key have not the right size");
  if (modulus[0] == '\0' || exponent[0] == '\0') return NoKey("a number begins with a zero byte");
  const Number n = ToNumber(modulus);
  const Number e = ToNumber(exponent);
  const int bits = BN_num_bits(n.get());
  if (bits < kBitsMin) return NoKey(absl::StrCat("the key has ", bits, " bits"));
  const bool odd = BN_is_odd(n.get()) == 1 && BN_is_odd(e.get()) == 1;
  if (!odd || BN_is_one(e.get()) == 1) return NoKey("the numbers are none of an RSA key");
  return RsaPublicKey(MakePublicKey(n.get(), e.get()), std::string(modulus), std::string(exponent));
}

bool RsaPublicKey::Verify(absl::string_view bytes, absl::string_view signature) const {
  const DigestContext context(EVP_MD_CTX_new(), &EVP_MD_CTX_free);
  TY_CHECK(EVP_DigestVerifyInit(context.get(), nullptr, EVP_sha256(), nullptr, handle_->key) == 1);
  const bool valid = EVP_DigestVerify(context.get(), Bytes(signature), signature.size(),
                                      Bytes(bytes), bytes.size()) == 1;
  ERR_clear_error();  // a wrong signature leaves one, which gRPC's TLS would find
  return valid;
}

std::string RsaPublicKey::Pem() const {
  const Memory memory(BIO_new(BIO_s_mem()), &BIO_free);
  TY_CHECK(PEM_write_bio_PUBKEY(memory.get(), handle_->key) == 1);
  return TextOf(memory.get());
}

absl::StatusOr<RsaPrivateKey> RsaPrivateKey::FromHandle(Handle handle) {
  const std::string modulus = NumberOf(handle->key, OSSL_PKEY_PARAM_RSA_N);
  const std::string exponent = NumberOf(handle->key, OSSL_PKEY_PARAM_RSA_E);
  TY_ASSIGN_OR_RETURN(RsaPublicKey public_key, RsaPublicKey::FromNumbers(modulus, exponent));
  return RsaPrivateKey(std::move(handle), std::move(public_key));
}

RsaPrivateKey RsaPrivateKey::Generate() {
  EVP_PKEY* const key = EVP_RSA_gen(RsaPublicKey::kBitsMin);
  TY_CHECK(key != nullptr);
  absl::StatusOr<RsaPrivateKey> made = FromHandle(std::make_shared<RsaKeyHandle>(key));
  TY_CHECK(made.ok());
  return *std::move(made);
}

absl::StatusOr<RsaPrivateKey> RsaPrivateKey::FromPem(absl::string_view pem) {
  const Memory memory(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())), &BIO_free);
  EVP_PKEY* const key = PEM_read_bio_PrivateKey(memory.get(), nullptr, &NoPassphrase, nullptr);
  ERR_clear_error();
  if (key == nullptr) return NoKey("this is no PEM private key without a passphrase");
  Handle handle = std::make_shared<RsaKeyHandle>(key);
  if (EVP_PKEY_get_base_id(key) != EVP_PKEY_RSA) return NoKey("the key is of another kind");
  return FromHandle(std::move(handle));
}

std::string RsaPrivateKey::Pem() const {
  const Memory memory(BIO_new(BIO_s_secmem()), &BIO_free);
  TY_CHECK(PEM_write_bio_PrivateKey(memory.get(), handle_->key, nullptr, nullptr, 0, nullptr,
                                    nullptr) == 1);
  return TextOf(memory.get());
}

std::string RsaPrivateKey::Sign(absl::string_view bytes) const {
  const DigestContext context(EVP_MD_CTX_new(), &EVP_MD_CTX_free);
  TY_CHECK(EVP_DigestSignInit(context.get(), nullptr, EVP_sha256(), nullptr, handle_->key) == 1);
  size_t size = public_key_.modulus().size();
  std::string signature(size, '\0');
  TY_CHECK(EVP_DigestSign(context.get(), reinterpret_cast<unsigned char*>(signature.data()), &size,
                          Bytes(bytes), bytes.size()) == 1);
  return signature;
}

}  // namespace trainyard
