#include "client/credentials.h"

#include <fstream>

#include "client/exit_code.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_dir.h"

namespace trainyard {
namespace {

using testing::HasSubstr;

constexpr char kHere[] = "127.0.0.1:7070";
constexpr char kElsewhere[] = "train.example.org:7070";

class CredentialsTest : public testing::Test {
 protected:
  std::string File(const std::string& name, const std::string& text) {
    const std::string path = directory_.path() + "/" + name;
    std::ofstream(path) << text;
    return path;
  }

  TempDir directory_;
};

TEST_F(CredentialsTest, TheFlagWinsOverTheFileAndTheFileOverTheEnvironment) {
  CredentialFlags flags;
  ASSERT_OK_AND_ASSIGN(const Credentials none, ReadCredentials(flags, "", kHere));
  EXPECT_EQ(none.token, "");
  EXPECT_FALSE(none.tls);
  ASSERT_OK_AND_ASSIGN(const Credentials environment, ReadCredentials(flags, "ty_e", kHere));
  EXPECT_EQ(environment.token, "ty_e");
  flags.token_file = File("token", "ty_f\n");
  ASSERT_OK_AND_ASSIGN(const Credentials file, ReadCredentials(flags, "ty_e", kHere));
  EXPECT_EQ(file.token, "ty_f");
  flags.token = "ty_t";
  ASSERT_OK_AND_ASSIGN(const Credentials flag, ReadCredentials(flags, "ty_e", kHere));
  EXPECT_EQ(flag.token, "ty_t");
}

TEST_F(CredentialsTest, AFileThatCannotBeReadIsAUsageErrorThatNamesIt) {
  for (const auto member : {&CredentialFlags::token_file, &CredentialFlags::ca_file,
                            &CredentialFlags::certificate_file, &CredentialFlags::key_file}) {
    CredentialFlags flags;
    flags.*member = directory_.path() + "/nothing";
    const auto credentials = ReadCredentials(flags, "", kHere);
    ASSERT_FALSE(credentials.ok());
    EXPECT_TRUE(IsUsageError(credentials.status()));
    EXPECT_THAT(std::string(credentials.status().message()), HasSubstr("/nothing"));
  }
}

TEST_F(CredentialsTest, ATokenHasNoSpacesAndTheErrorDoesNotShowIt) {
  CredentialFlags flags;
  flags.token_file = File("token", "note: this token\nty_secret\n");
  const auto credentials = ReadCredentials(flags, "", kHere);
  ASSERT_FALSE(credentials.ok());
  EXPECT_THAT(credentials.status().ToString(), testing::Not(HasSubstr("ty_secret")));
}

TEST_F(CredentialsTest, ATokenIsNotSentAsPlainTextToAnotherMachine) {
  CredentialFlags flags;
  flags.token = "ty_t";
  const auto refused = ReadCredentials(flags, "", kElsewhere);
  ASSERT_FALSE(refused.ok());
  EXPECT_TRUE(IsUsageError(refused.status()));
  EXPECT_THAT(GetErrorInfo(refused.status())->hint, HasSubstr("--tls"));
  EXPECT_FALSE(ReadCredentials({}, "ty_e", kElsewhere).ok());
  EXPECT_THAT(ReadCredentials({}, "", kElsewhere), IsOk())
      << "without a token nothing is given away";
  flags.tls = true;
  EXPECT_THAT(ReadCredentials(flags, "", kElsewhere), IsOk());
  flags.tls = false;
  flags.insecure = true;
  EXPECT_THAT(ReadCredentials(flags, "", kElsewhere), IsOk());
}

TEST_F(CredentialsTest, AnyFileOfTlsAsksForIt) {
  CredentialFlags flags;
  flags.ca_file = File("ca.pem", "CA");
  ASSERT_OK_AND_ASSIGN(const Credentials with_ca, ReadCredentials(flags, "", kHere));
  EXPECT_TRUE(with_ca.tls);
  EXPECT_EQ(with_ca.ca, "CA");
  flags.certificate_file = File("c.pem", "C");
  EXPECT_FALSE(ReadCredentials(flags, "", kHere).ok());
  flags.key_file = File("k.pem", "K");
  ASSERT_OK_AND_ASSIGN(const Credentials all, ReadCredentials(flags, "", kHere));
  EXPECT_EQ(all.certificate, "C");
  EXPECT_EQ(all.key, "K");
}

TEST(LocalServerTest, IsWhatOnlyThisMachineReaches) {
  for (const char* server :
       {"127.0.0.1:7070", "127.9.9.9:1", "localhost:7070", "[::1]:7070", "unix:/run/trainyard/s"}) {
    EXPECT_TRUE(IsLocalServer(server)) << server;
  }
  for (const char* server : {"10.0.0.1:7070", "localhost.example.org:7070", "127.example.org:7070",
                             "[::2]:7070", "", "train", "dns:///localhost:7070", "0.0.0.0:7070"}) {
    EXPECT_FALSE(IsLocalServer(server)) << server;
  }
}

}  // namespace
}  // namespace trainyard
