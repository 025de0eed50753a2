#include "server/auth/methods.h"

#include "tests/support/status_matchers.h"

namespace trainyard {
namespace {

using enum MethodKind;

Principal WithRole(v1::UserRole role) { return {.owner = "ann", .role = role}; }

TEST(MethodsTest, AnUnknownMethodIsTakenForAWrite) {
  EXPECT_FALSE(FindMethod("/trainyard.v1.JobService/Nonsense").has_value());
  EXPECT_EQ(MethodKindOf("/trainyard.v1.JobService/Nonsense"), kWrite);
}

TEST(MethodsTest, RolesAndTokensMayWhatTheTableSays) {
  struct Case {
    v1::UserRole role;
    bool read, write, token_write, admin_read, admin_write;
  };
  for (const Case& c : {Case{v1::USER_ROLE_ADMIN, true, true, true, true, true},
                        Case{v1::USER_ROLE_INSTRUCTOR, true, true, true, false, false},
                        Case{v1::USER_ROLE_GRADER, true, true, true, false, false},
                        Case{v1::USER_ROLE_STUDENT, true, true, true, false, false},
                        Case{v1::USER_ROLE_VIEWER, true, false, true, false, false}}) {
    SCOPED_TRACE(v1::UserRole_Name(c.role));
    const Principal principal = WithRole(c.role);
    EXPECT_EQ(CheckMethod(kRead, principal).ok(), c.read);
    EXPECT_EQ(CheckMethod(kWrite, principal).ok(), c.write);
    EXPECT_EQ(CheckMethod(kTokenWrite, principal).ok(), c.token_write);
    EXPECT_EQ(CheckMethod(kAdminRead, principal).ok(), c.admin_read);
    EXPECT_EQ(CheckMethod(kAdminWrite, principal).ok(), c.admin_write);
  }
}

TEST(MethodsTest, AReadOnlyTokenChangesNothingNotEvenAnAdmins) {
  Principal principal = WithRole(v1::USER_ROLE_ADMIN);
  principal.read_only = true;
  EXPECT_THAT(CheckMethod(kRead, principal), IsOk());
  EXPECT_THAT(CheckMethod(kAdminRead, principal), IsOk());
  for (const MethodKind kind : {kWrite, kTokenWrite, kAdminWrite}) {
    EXPECT_THAT(CheckMethod(kind, principal), HasReason(ErrorReason::kPermission));
  }
}

TEST(MethodsTest, APublicMethodAsksForNobodyAndIsAWrite) {
  EXPECT_EQ(FindMethod("/trainyard.v1.AuthService/ExchangeIdentityToken"), kPublic);
  EXPECT_TRUE(IsWrite(kPublic));
  EXPECT_THAT(CheckMethod(kPublic, Principal{}), IsOk());
}

TEST(MethodsTest, AScopedTokenManagesNeitherUsersNorTokens) {
  Principal principal = WithRole(v1::USER_ROLE_ADMIN);
  principal.course = "courses/dl";
  EXPECT_THAT(CheckMethod(kWrite, principal), IsOk());
  for (const MethodKind kind : {kTokenWrite, kAdminWrite}) {
    EXPECT_THAT(CheckMethod(kind, principal), HasReason(ErrorReason::kPermission));
  }
}

}  // namespace
}  // namespace trainyard
