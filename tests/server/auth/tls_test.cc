#include "server/auth/tls.h"

#include "absl/time/clock.h"
#include "tests/support/certificates.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_dir.h"

namespace trainyard {
namespace {

using testing::HasSubstr;

class TlsTest : public testing::Test {
 protected:
  void SetUp() override {
    authority_.Issue("server");
    authority_.Issue("other");
  }

  TlsPaths Paths() const {
    return {.certificate = authority_.Path("server.pem"),
            .key = authority_.Path("server.key"),
            .client_ca = authority_.certificate()};
  }

  TempDir directory_;
  TestAuthority authority_{directory_.path(), "ca"};
};

TEST_F(TlsTest, FilesThatFitAreRead) {
  ASSERT_OK_AND_ASSIGN(const TlsFiles files, LoadTls(Paths(), absl::Now()));
  EXPECT_EQ(files.certificate, FileText(authority_.Path("server.pem")));
  EXPECT_EQ(files.key, FileText(authority_.Path("server.key")));
  EXPECT_EQ(files.client_ca, FileText(authority_.certificate()));
}

TEST_F(TlsTest, EveryFileThatIsNotThereIsNamed) {
  const auto files =
      LoadTls({.certificate = "/no/c", .key = "/no/k", .client_ca = "/no/a"}, absl::Now());
  EXPECT_THAT(files, HasReason(ErrorReason::kInvalidRequest));
  EXPECT_THAT(ViolatedFields(files.status()),
              testing::ElementsAre("tls-cert", "tls-key", "tls-client-ca"));
}

TEST_F(TlsTest, TheKeyOfAnotherCertificateIsRefused) {
  TlsPaths paths = Paths();
  paths.key = authority_.Path("other.key");
  const auto files = LoadTls(paths, absl::Now());
  EXPECT_THAT(ViolatedFields(files.status()), testing::ElementsAre("tls-key"));
  EXPECT_THAT(files,
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("another certificate")));
}

TEST_F(TlsTest, FilesOfTheWrongKindAreRefused) {
  TlsPaths paths = Paths();
  std::swap(paths.certificate, paths.key);
  EXPECT_THAT(ViolatedFields(LoadTls(paths, absl::Now()).status()),
              testing::ElementsAre("tls-cert", "tls-key"));
}

TEST_F(TlsTest, AKeyWithAPassphraseIsRefusedWithoutAsking) {
  const std::string locked = authority_.Path("locked.key");
  ASSERT_EQ(std::system(("openssl ec -aes128 -passout pass:x -in " + Paths().key + " -out " +
                         locked + " >/dev/null 2>&1")
                            .c_str()),
            0);
  TlsPaths paths = Paths();
  paths.key = locked;
  EXPECT_THAT(LoadTls(paths, absl::Now()),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("passphrase")));
}

TEST_F(TlsTest, ACertificateIsGoodForItsTimeOnly) {
  const auto later = LoadTls(Paths(), absl::Now() + absl::Hours(24 * 3));
  EXPECT_THAT(later, StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("expired")));
  EXPECT_THAT(ViolatedFields(later.status()), testing::ElementsAre("tls-cert", "tls-client-ca"));
  EXPECT_THAT(LoadTls(Paths(), absl::Now() - absl::Hours(24)),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("not valid yet")));
}

}  // namespace
}  // namespace trainyard
