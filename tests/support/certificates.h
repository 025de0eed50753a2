// Certificates for tests, made by the program openssl: an authority, and keys that it signed.
//
//   TestAuthority authority(directory, "ca");
//   authority.Issue("server");        // {directory}/server.pem and server.key
//
// Thread-safety: none. Set-up that fails aborts the test (TY_CHECK).
#ifndef TRAINYARD_TESTS_SUPPORT_CERTIFICATES_H_
#define TRAINYARD_TESTS_SUPPORT_CERTIFICATES_H_

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <string>
#include <utility>

#include "core/base/check.h"

namespace trainyard {

class TestAuthority {
 public:
  TestAuthority(std::string directory, const std::string& name)
      : directory_(std::move(directory)),
        certificate_(Path(name + ".pem")),
        key_(Path(name + ".key")) {
    Run("req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=" +
        name + " -keyout " + key_ + " -out " + certificate_);
  }

  const std::string& certificate() const { return certificate_; }
  std::string Path(const std::string& file) const { return directory_ + "/" + file; }

  // {name}.pem and {name}.key, for localhost and 127.0.0.1.
  void Issue(const std::string& name) const {
    const std::string request = Path(name + ".csr"), extensions = Path(name + ".ext");
    std::ofstream(extensions) << "subjectAltName=DNS:localhost,IP:127.0.0.1\n";
    Run("req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN=" + name +
        " -keyout " + Path(name + ".key") + " -out " + request);
    Run("x509 -req -days 2 -in " + request + " -CA " + certificate_ + " -CAkey " + key_ +
        " -CAcreateserial -extfile " + extensions + " -out " + Path(name + ".pem"));
  }

 private:
  static void Run(const std::string& arguments) {
    TY_CHECK(std::system(("openssl " + arguments + " >/dev/null 2>&1").c_str()) == 0);
  }

  const std::string directory_;
  const std::string certificate_, key_;
};

inline std::string FileText(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

}  // namespace trainyard

#endif  // TRAINYARD_TESTS_SUPPORT_CERTIFICATES_H_
