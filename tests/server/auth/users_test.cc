#include "server/auth/users.h"

#include <filesystem>
#include <fstream>
#include <iterator>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "server/auth/bearer.h"
#include "server/storage/database.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_dir.h"

namespace trainyard {
namespace {

using testing::HasSubstr;

class UsersTest : public testing::Test {
 protected:
  void SetUp() override { Reopen(); }

  void Reopen() {
    users_.reset();
    database_.reset();
    ASSERT_OK_AND_ASSIGN(database_, Database::Open(directory_.path() + "/t.db"));
    ASSERT_OK_AND_ASSIGN(users_, Users::Open(database_.get()));
  }

  absl::StatusOr<v1::CreateUserResponse> Create(const std::string& id, v1::UserRole role,
                                                bool by_local = false) {
    v1::CreateUserRequest request;
    request.set_user_id(id);
    request.mutable_user()->set_role(role);
    return users_->Create(request, by_local);
  }

  absl::StatusOr<std::string> NewToken(const std::string& user, absl::Duration lifetime) {
    v1::CreateTokenRequest request;
    request.set_user(user);
    request.mutable_lifetime()->set_seconds(absl::ToInt64Seconds(lifetime));
    const auto response = users_->CreateToken(request);
    if (!response.ok()) return response.status();
    return response->bearer();
  }

  std::optional<Principal> Verify(const std::string& bearer, absl::Time now = absl::Now()) {
    const std::optional<Bearer> parsed = ParseAuthorization("Bearer " + bearer);
    return parsed.has_value() ? users_->Verify(*parsed, now) : std::nullopt;
  }

  absl::StatusOr<v1::User> Set(const std::string& name, const std::string& path, v1::UserRole role,
                               bool disabled) {
    v1::UpdateUserRequest request;
    request.mutable_user()->set_name(name);
    request.mutable_user()->set_role(role);
    request.mutable_user()->set_disabled(disabled);
    request.mutable_update_mask()->add_paths(path);
    return users_->Update(request);
  }

  TempDir directory_;
  std::unique_ptr<Database> database_;
  std::unique_ptr<Users> users_;
};

TEST_F(UsersTest, TheFirstUserIsAnAdminAndGetsTheOnlyTokenOfAnAnswer) {
  EXPECT_TRUE(users_->open());
  EXPECT_THAT(Create("ann", v1::USER_ROLE_STUDENT), HasReason(ErrorReason::kInvalidState));
  EXPECT_TRUE(users_->open());
  ASSERT_OK_AND_ASSIGN(const auto first, Create("ann", v1::USER_ROLE_ADMIN, /*by_local=*/true));
  EXPECT_FALSE(users_->open());
  const auto principal = Verify(first.bearer());
  ASSERT_TRUE(principal.has_value());
  EXPECT_EQ(principal->owner, "ann");
  EXPECT_TRUE(principal->admin());
  ASSERT_OK_AND_ASSIGN(const auto second, Create("bob", v1::USER_ROLE_STUDENT));
  EXPECT_EQ(second.bearer(), "");
}

TEST_F(UsersTest, HasIsOfIdsAlsoOfThoseWhoMayNotCall) {
  EXPECT_FALSE(users_->Has("ann"));
  ASSERT_THAT(Create("ann", v1::USER_ROLE_ADMIN, /*by_local=*/true), IsOk());
  v1::CreateUserRequest request;
  request.set_user_id("bob");
  request.mutable_user()->set_role(v1::USER_ROLE_STUDENT);
  request.mutable_user()->set_disabled(true);
  ASSERT_THAT(users_->Create(request, /*by_local=*/false), IsOk());
  EXPECT_TRUE(users_->Has("ann"));
  EXPECT_TRUE(users_->Has("bob"));
  EXPECT_FALSE(users_->Has("users/ann"));
}

TEST_F(UsersTest, WhoWasLocalCannotMakeASecondUser) {
  ASSERT_THAT(Create("ann", v1::USER_ROLE_ADMIN, /*by_local=*/true), IsOk());
  EXPECT_THAT(Create("eve", v1::USER_ROLE_ADMIN, /*by_local=*/true),
              HasReason(ErrorReason::kUnauthenticated));
}

TEST_F(UsersTest, FaultsOfAUserAreAllNamed) {
  v1::CreateUserRequest request;
  request.set_user_id("Ann");
  request.mutable_user()->set_display_name(std::string(201, 'x'));
  EXPECT_THAT(ViolatedFields(users_->Create(request, false).status()),
              testing::ElementsAre("user_id", "user.role", "user.display_name"));
  for (const char* id : {"", "-a", "a b", "local", "a/b", "ä"}) {
    EXPECT_THAT(Create(id, v1::USER_ROLE_ADMIN), HasReason(ErrorReason::kInvalidRequest)) << id;
  }
  EXPECT_THAT(Create(std::string(63, 'a'), v1::USER_ROLE_ADMIN), IsOk());
  EXPECT_THAT(Create(std::string(64, 'a'), v1::USER_ROLE_ADMIN),
              HasReason(ErrorReason::kInvalidRequest));
  EXPECT_THAT(Create(std::string(63, 'a'), v1::USER_ROLE_ADMIN),
              StatusIs(absl::StatusCode::kAlreadyExists, HasSubstr("exists")));
}

TEST_F(UsersTest, EverythingIsThereAfterAReopen) {
  ASSERT_OK_AND_ASSIGN(const auto first, Create("ann", v1::USER_ROLE_ADMIN));
  ASSERT_THAT(Create("bob", v1::USER_ROLE_VIEWER), IsOk());
  ASSERT_OK_AND_ASSIGN(const std::string bob, NewToken("users/bob", absl::Hours(1)));
  ASSERT_OK_AND_ASSIGN(const std::string gone, NewToken("users/bob", absl::Hours(1)));
  ASSERT_THAT(users_->RevokeToken("tokens/" + gone.substr(3, 12)), IsOk());
  Reopen();
  EXPECT_FALSE(users_->open());
  EXPECT_TRUE(Verify(first.bearer()).has_value());
  ASSERT_TRUE(Verify(bob).has_value());
  EXPECT_EQ(Verify(bob)->role, v1::USER_ROLE_VIEWER);
  EXPECT_FALSE(Verify(gone).has_value());
  ASSERT_OK_AND_ASSIGN(const auto list, users_->List({}));
  ASSERT_EQ(list.users_size(), 2);
  EXPECT_EQ(list.users(0).name(), "users/bob");
}

TEST_F(UsersTest, AWrongSecretOrIdIsNobody) {
  ASSERT_OK_AND_ASSIGN(const auto first, Create("ann", v1::USER_ROLE_ADMIN));
  std::string wrong = first.bearer();
  wrong.back() = wrong.back() == '0' ? '1' : '0';
  EXPECT_FALSE(Verify(wrong).has_value());
  wrong = first.bearer();
  wrong[3] = wrong[3] == 'a' ? 'b' : 'a';
  EXPECT_FALSE(Verify(wrong).has_value());
}

TEST_F(UsersTest, ATokenEndsAtItsTime) {
  ASSERT_THAT(Create("ann", v1::USER_ROLE_ADMIN), IsOk());
  const absl::Time before = absl::Now();
  ASSERT_OK_AND_ASSIGN(const std::string bearer, NewToken("users/ann", absl::Hours(1)));
  EXPECT_TRUE(Verify(bearer, before + absl::Minutes(59)).has_value());
  EXPECT_FALSE(Verify(bearer, absl::Now() + absl::Hours(1)).has_value());
}

TEST_F(UsersTest, LifetimesHaveBoundsAndADefault) {
  ASSERT_THAT(Create("ann", v1::USER_ROLE_ADMIN), IsOk());
  EXPECT_THAT(NewToken("users/ann", absl::Seconds(59)), HasReason(ErrorReason::kInvalidRequest));
  EXPECT_THAT(NewToken("users/ann", absl::Hours(24 * 400) + absl::Seconds(1)),
              HasReason(ErrorReason::kInvalidRequest));
  EXPECT_THAT(NewToken("users/ann", absl::Hours(24 * 400)), IsOk());
  v1::CreateTokenRequest request;
  request.set_user("users/ann");
  ASSERT_OK_AND_ASSIGN(const auto made, users_->CreateToken(request));
  EXPECT_EQ(made.token().expire_time().seconds() - made.token().create_time().seconds(),
            180 * 24 * 3600);
  request.mutable_token()->set_course("elsewhere/x");
  EXPECT_THAT(ViolatedFields(users_->CreateToken(request).status()),
              testing::ElementsAre("token.course"));
}

TEST_F(UsersTest, ChangesHoldForTheNextCall) {
  ASSERT_THAT(Create("ann", v1::USER_ROLE_ADMIN), IsOk());
  ASSERT_THAT(Create("bob", v1::USER_ROLE_STUDENT), IsOk());
  ASSERT_OK_AND_ASSIGN(const std::string bob, NewToken("users/bob", absl::Hours(1)));
  ASSERT_THAT(Set("users/bob", "role", v1::USER_ROLE_VIEWER, false), IsOk());
  EXPECT_EQ(Verify(bob)->role, v1::USER_ROLE_VIEWER);
  ASSERT_THAT(Set("users/bob", "disabled", v1::USER_ROLE_ADMIN, true), IsOk());
  EXPECT_FALSE(Verify(bob).has_value());
  ASSERT_THAT(Set("users/bob", "disabled", v1::USER_ROLE_ADMIN, false), IsOk());
  ASSERT_TRUE(Verify(bob).has_value());
  EXPECT_EQ(Verify(bob)->role, v1::USER_ROLE_VIEWER) << "the mask did not name the role";
  EXPECT_THAT(Set("users/bob", "name", v1::USER_ROLE_ADMIN, false),
              HasReason(ErrorReason::kInvalidRequest));
  EXPECT_THAT(Set("users/none", "role", v1::USER_ROLE_ADMIN, false),
              HasReason(ErrorReason::kNotFound));
}

TEST_F(UsersTest, TheLastEnabledAdminStaysOne) {
  ASSERT_THAT(Create("ann", v1::USER_ROLE_ADMIN), IsOk());
  EXPECT_THAT(Set("users/ann", "disabled", v1::USER_ROLE_ADMIN, true),
              HasReason(ErrorReason::kInvalidState));
  EXPECT_THAT(Set("users/ann", "role", v1::USER_ROLE_STUDENT, false),
              HasReason(ErrorReason::kInvalidState));
  ASSERT_THAT(Create("bob", v1::USER_ROLE_ADMIN), IsOk());
  ASSERT_THAT(Set("users/bob", "disabled", v1::USER_ROLE_ADMIN, true), IsOk());
  EXPECT_THAT(Set("users/ann", "role", v1::USER_ROLE_STUDENT, false),
              HasReason(ErrorReason::kInvalidState))
      << "a disabled administrator does not count";
  ASSERT_THAT(Set("users/bob", "disabled", v1::USER_ROLE_ADMIN, false), IsOk());
  EXPECT_THAT(Set("users/ann", "role", v1::USER_ROLE_STUDENT, false), IsOk());
}

TEST_F(UsersTest, TokensOfOneUserAreBounded) {
  ASSERT_THAT(Create("ann", v1::USER_ROLE_ADMIN), IsOk());
  ASSERT_THAT(Create("bob", v1::USER_ROLE_STUDENT), IsOk());
  for (size_t i = 0; i < Users::kTokensPerUserMax; ++i) {
    ASSERT_THAT(NewToken("users/bob", absl::Hours(1)), IsOk());
  }
  EXPECT_THAT(NewToken("users/bob", absl::Hours(1)), HasReason(ErrorReason::kTooLarge));
  EXPECT_THAT(NewToken("users/ann", absl::Hours(1)), IsOk());
  ASSERT_OK_AND_ASSIGN(const auto list, users_->ListTokens("users/bob"));
  ASSERT_EQ(static_cast<size_t>(list.tokens_size()), Users::kTokensPerUserMax);
  ASSERT_THAT(users_->RevokeToken(list.tokens(0).name()), IsOk());
  EXPECT_THAT(users_->RevokeToken(list.tokens(0).name()), HasReason(ErrorReason::kNotFound));
  EXPECT_THAT(NewToken("users/bob", absl::Hours(1)), IsOk());
}

TEST_F(UsersTest, TheSecretIsInNoFile) {
  ASSERT_OK_AND_ASSIGN(const auto first, Create("ann", v1::USER_ROLE_ADMIN));
  const std::string secret = first.bearer().substr(first.bearer().rfind('_') + 1);
  ASSERT_EQ(secret.size(), 64u);
  size_t bytes_seen = 0;
  for (const auto& entry : std::filesystem::directory_iterator(directory_.path())) {
    std::ifstream file(entry.path(), std::ios::binary);
    const std::string bytes{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
    bytes_seen += bytes.size();
    EXPECT_FALSE(absl::StrContains(bytes, secret)) << entry.path();
  }
  EXPECT_GT(bytes_seen, 0u);
}

v1::RepositoryIdentity Identity(int64_t repository) {
  v1::RepositoryIdentity identity;
  identity.set_repository_id(repository);
  identity.set_run_id("77");
  return identity;
}

TEST_F(UsersTest, ATokenForAJobIsItsUsersForTheCourseAndAnHour) {
  ASSERT_THAT(Create("root", v1::USER_ROLE_ADMIN, /*by_local=*/true), IsOk());
  ASSERT_THAT(Create("ann", v1::USER_ROLE_STUDENT), IsOk());
  ASSERT_OK_AND_ASSIGN(const auto made,
                       users_->CreateIdentityToken("users/ann", "courses/dl", Identity(42)));
  EXPECT_EQ(made.token().display_name(), "GitHub run 77");
  EXPECT_EQ(made.token().expire_time().seconds() - made.token().create_time().seconds(), 3'600);
  Reopen();
  const auto principal = Verify(made.bearer());
  ASSERT_TRUE(principal.has_value());
  EXPECT_EQ(principal->owner, "ann");
  EXPECT_EQ(principal->course, "courses/dl");
  ASSERT_TRUE(principal->identity.has_value());
  EXPECT_EQ(principal->identity->repository_id(), 42);
  EXPECT_FALSE(Verify(made.bearer(), absl::Now() + absl::Hours(1)).has_value());
}

TEST_F(UsersTest, TokensForJobsAndTokensOfTheUserDoNotMeet) {
  ASSERT_THAT(Create("root", v1::USER_ROLE_ADMIN, /*by_local=*/true), IsOk());
  ASSERT_THAT(Create("ann", v1::USER_ROLE_STUDENT), IsOk());
  std::vector<std::string> jobs, own;
  const size_t jobs_max = Users::kIdentityTokensPerUserMax;
  for (size_t i = 0; i < jobs_max + 3; ++i) {
    ASSERT_OK_AND_ASSIGN(const auto made,
                         users_->CreateIdentityToken("users/ann", "courses/dl", Identity(42)));
    jobs.push_back(made.bearer());
  }
  for (size_t i = 0; i < Users::kTokensPerUserMax; ++i) {
    ASSERT_OK_AND_ASSIGN(own.emplace_back(), NewToken("users/ann", absl::Hours(1)));
  }
  EXPECT_THAT(NewToken("users/ann", absl::Hours(1)), HasReason(ErrorReason::kTooLarge));
  ASSERT_OK_AND_ASSIGN(const auto last,
                       users_->CreateIdentityToken("users/ann", "courses/dl", Identity(42)));
  jobs.push_back(last.bearer());
  Reopen();
  for (const std::string& bearer : own) EXPECT_TRUE(Verify(bearer).has_value());
  // The oldest ones were dropped.
  for (size_t i = 0; i < jobs.size(); ++i) {
    EXPECT_EQ(Verify(jobs[i]).has_value(), i >= jobs.size() - jobs_max) << i;
  }
}

TEST_F(UsersTest, NoJobActsForADisabledUserOrAnAdmin) {
  ASSERT_OK_AND_ASSIGN(const auto root, Create("root", v1::USER_ROLE_ADMIN, /*by_local=*/true));
  ASSERT_THAT(Create("ann", v1::USER_ROLE_STUDENT), IsOk());
  EXPECT_THAT(users_->CreateIdentityToken("users/root", "courses/dl", Identity(42)),
              HasReason(ErrorReason::kInvalidState));
  EXPECT_THAT(users_->CreateIdentityToken("users/nobody", "courses/dl", Identity(42)),
              HasReason(ErrorReason::kNotFound));
  ASSERT_OK_AND_ASSIGN(const auto made,
                       users_->CreateIdentityToken("users/ann", "courses/dl", Identity(42)));
  ASSERT_THAT(Set("users/ann", "role", v1::USER_ROLE_ADMIN, false), IsOk());
  EXPECT_FALSE(Verify(made.bearer()).has_value());
  ASSERT_THAT(Set("users/ann", "role", v1::USER_ROLE_STUDENT, false), IsOk());
  EXPECT_TRUE(Verify(made.bearer()).has_value());
  ASSERT_THAT(Set("users/ann", "disabled", v1::USER_ROLE_STUDENT, true), IsOk());
  EXPECT_FALSE(Verify(made.bearer()).has_value());
  EXPECT_THAT(users_->CreateIdentityToken("users/ann", "courses/dl", Identity(42)),
              HasReason(ErrorReason::kInvalidState));
}

}  // namespace
}  // namespace trainyard
