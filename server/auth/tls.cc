#include "server/auth/tls.h"

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <fstream>
#include <iterator>
#include <memory>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "core/base/error_info.h"

namespace trainyard {
namespace {

using Violations = std::vector<FieldViolation>;
using Certificate = std::unique_ptr<X509, decltype(&X509_free)>;
using Key = std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)>;
using Memory = std::unique_ptr<BIO, decltype(&BIO_free)>;

// A chain of certificates has some kilobytes.
constexpr std::streamsize kFileBytesMax = std::streamsize{1} << 20;

std::string ReadFile(const char* flag, const std::string& path, Violations* violations) {
  std::ifstream file(path, std::ios::binary);
  std::string bytes(static_cast<size_t>(kFileBytesMax), '\0');
  file.read(bytes.data(), kFileBytesMax);
  bytes.resize(static_cast<size_t>(file.gcount()));
  if (!bytes.empty()) return bytes;
  violations->push_back({flag, absl::StrCat("cannot read ", path,
                                            "; look whether it is there, "
                                            "not empty, and may be read by this user")});
  return bytes;
}

Memory MemoryOf(const std::string& bytes) {
  return {BIO_new_mem_buf(bytes.data(), static_cast<int>(bytes.size())), &BIO_free};
}

Certificate ParseCertificate(const std::string& pem) {
  const Memory memory = MemoryOf(pem);
  return {PEM_read_bio_X509(memory.get(), nullptr, nullptr, nullptr), &X509_free};
}

// Nobody is there to be asked for a passphrase.
int NoPassphrase(char*, int, int, void*) { return -1; }

Key ParseKey(const std::string& pem) {
  const Memory memory = MemoryOf(pem);
  return {PEM_read_bio_PrivateKey(memory.get(), nullptr, &NoPassphrase, nullptr), &EVP_PKEY_free};
}

void CheckValidity(const char* flag, const std::string& path, const X509* certificate,
                   absl::Time now, Violations* violations) {
  time_t seconds = absl::ToTimeT(now);
  const bool begun = X509_cmp_time(X509_get0_notBefore(certificate), &seconds) < 0;
  const bool over = X509_cmp_time(X509_get0_notAfter(certificate), &seconds) < 0;
  if (begun && !over) return;
  violations->push_back(
      {flag, absl::StrCat("the certificate in ", path, over ? " has expired" : " is not valid yet",
                          "; get a new one, or look "
                          "at this machine's clock")});
}

// A null certificate after a fault.
Certificate CheckCertificate(const char* flag, const std::string& path, absl::Time now,
                             std::string* pem, Violations* violations) {
  *pem = ReadFile(flag, path, violations);
  Certificate certificate = ParseCertificate(*pem);
  if (certificate != nullptr) {
    CheckValidity(flag, path, certificate.get(), now, violations);
  } else if (!pem->empty()) {
    violations->push_back({flag, absl::StrCat(path, " has no PEM certificate at its beginning")});
  }
  return certificate;
}

void CheckKey(const TlsPaths& paths, X509* certificate, std::string* pem, Violations* violations) {
  *pem = ReadFile("tls-key", paths.key, violations);
  if (pem->empty()) return;
  const Key key = ParseKey(*pem);
  if (key == nullptr) {
    violations->push_back({"tls-key", absl::StrCat(paths.key,
                                                   " has no PEM private key, or one "
                                                   "with a passphrase; give one without")});
    return;
  }
  if (certificate == nullptr || X509_check_private_key(certificate, key.get()) == 1) return;
  violations->push_back({"tls-key", absl::StrCat(paths.key,
                                                 " is the key of another certificate "
                                                 "than ",
                                                 paths.certificate)});
}

}  // namespace

absl::StatusOr<TlsFiles> LoadTls(const TlsPaths& paths, absl::Time now) {
  TlsFiles files;
  Violations violations;
  const Certificate certificate =
      CheckCertificate("tls-cert", paths.certificate, now, &files.certificate, &violations);
  CheckKey(paths, certificate.get(), &files.key, &violations);
  if (!paths.client_ca.empty()) {
    CheckCertificate("tls-client-ca", paths.client_ca, now, &files.client_ca, &violations);
  }
  if (violations.empty()) return files;
  return MakeViolationsError(ErrorReason::kInvalidRequest, std::move(violations));
}

}  // namespace trainyard
