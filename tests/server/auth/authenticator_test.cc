#include "server/auth/authenticator.h"

#include "server/storage/database.h"
#include "tests/support/status_matchers.h"

namespace trainyard {
namespace {

class AuthenticatorTest : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_OK_AND_ASSIGN(database_, Database::Open(":memory:"));
    ASSERT_OK_AND_ASSIGN(users_, Users::Open(database_.get()));
  }

  // The header of the first user's token.
  std::string AddFirst() {
    v1::CreateUserRequest request;
    request.set_user_id("ann");
    request.mutable_user()->set_role(v1::USER_ROLE_ADMIN);
    const auto response = users_->Create(request, true);
    EXPECT_THAT(response, IsOk());
    return response.ok() ? "Bearer " + response->bearer() : "";
  }

  std::unique_ptr<Database> database_;
  std::unique_ptr<Users> users_;
};

TEST_F(AuthenticatorTest, WithoutUsersEverybodyIsLocalWhateverTheHeader) {
  Authenticator authenticator({.calls_per_second = 1}, users_.get());
  for (int i = 0; i < 1'000; ++i) {
    ASSERT_OK_AND_ASSIGN(const Principal principal,
                         authenticator.Authenticate({"nonsense"}, "ipv4:127.0.0.1:1"));
    ASSERT_EQ(principal.owner, "local");
    ASSERT_TRUE(principal.admin());
    ASSERT_EQ(principal.token_id, "");
  }
}

TEST_F(AuthenticatorTest, EveryFaultHasOneAnswer) {
  Authenticator authenticator({}, users_.get());
  const std::string header = AddFirst();
  std::string wrong = header;
  wrong.back() = wrong.back() == '0' ? '1' : '0';
  const absl::Status none = authenticator.Authenticate({}, "ipv4:10.0.0.1:1").status();
  EXPECT_THAT(none, HasReason(ErrorReason::kUnauthenticated));
  EXPECT_EQ(none.code(), absl::StatusCode::kUnauthenticated);
  const std::vector<std::vector<absl::string_view>> faults = {
      {""}, {"nonsense"}, {wrong}, {header, header}, {"Basic YTpi"}};
  for (const auto& headers : faults) {
    EXPECT_EQ(authenticator.Authenticate(headers, "ipv4:10.0.0.1:2").status(), none);
  }
  EXPECT_THAT(authenticator.Authenticate({header}, "ipv4:10.0.0.1:3"), IsOk());
}

TEST_F(AuthenticatorTest, AUserWhoAsksTooOftenWaits) {
  Authenticator authenticator({.calls_per_second = 5}, users_.get());
  const std::string header = AddFirst();
  int taken = 0;
  while (taken < 1'000 && authenticator.Authenticate({header}, "ipv4:10.0.0.1:1").ok()) ++taken;
  EXPECT_GE(taken, 10);
  EXPECT_LT(taken, 20) << "ten at once, and five a second since";
  EXPECT_THAT(authenticator.Authenticate({header}, "ipv4:10.0.0.2:1"),
              HasReason(ErrorReason::kRateLimited));
}

TEST_F(AuthenticatorTest, ASlowRateLetsOneCallThrough) {
  Authenticator authenticator({.calls_per_second = 0.01}, users_.get());
  const std::string header = AddFirst();
  EXPECT_THAT(authenticator.Authenticate({header}, "ipv4:10.0.0.1:1"), IsOk());
  EXPECT_THAT(authenticator.Authenticate({header}, "ipv4:10.0.0.1:1"),
              HasReason(ErrorReason::kRateLimited));
}

TEST_F(AuthenticatorTest, FailuresOfAnAddressAreLimitedAndItsValidTokensAreNot) {
  Authenticator authenticator({}, users_.get());
  const std::string header = AddFirst();
  int failures = 0;
  while (failures < 1'000) {
    const std::string peer = "ipv4:10.0.0.1:" + std::to_string(failures);
    const absl::Status status = authenticator.Authenticate({}, peer).status();
    if (absl::IsResourceExhausted(status)) break;
    ++failures;
  }
  EXPECT_GE(failures, static_cast<int>(Authenticator::kFailuresAtOnce));
  EXPECT_LT(failures, static_cast<int>(Authenticator::kFailuresAtOnce) + 10);
  EXPECT_THAT(authenticator.Authenticate({header}, "ipv4:10.0.0.1:9"), IsOk());
  EXPECT_THAT(authenticator.Authenticate({}, "ipv4:10.0.0.2:9"),
              HasReason(ErrorReason::kUnauthenticated));
}

TEST_F(AuthenticatorTest, FailuresWithoutAuthorizationCountForTheSameAddress) {
  Authenticator authenticator({}, users_.get());
  AddFirst();
  int failures = 0;
  while (failures < 1'000 && authenticator.CountFailure("ipv4:10.0.0.1:7").ok()) ++failures;
  EXPECT_GE(failures, static_cast<int>(Authenticator::kFailuresAtOnce));
  EXPECT_LT(failures, static_cast<int>(Authenticator::kFailuresAtOnce) + 10);
  EXPECT_THAT(authenticator.Authenticate({}, "ipv4:10.0.0.1:9"),
              HasReason(ErrorReason::kRateLimited));
  EXPECT_THAT(authenticator.CountFailure("ipv4:10.0.0.2:7"), IsOk());
}

}  // namespace
}  // namespace trainyard
