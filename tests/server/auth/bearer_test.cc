#include "server/auth/bearer.h"

#include <set>

#include "absl/strings/str_cat.h"
#include "server/auth/secret.h"
#include "tests/support/status_matchers.h"

namespace trainyard {
namespace {

const std::string kSecret(64, 'a');
const std::string kToken = "ty_abcdefghijk1_" + kSecret;

TEST(BearerTest, WhatIsMadeIsRead) {
  std::set<std::string> secrets;
  for (int i = 0; i < 100; ++i) {
    const Bearer made = NewBearer();
    const std::optional<Bearer> read = ParseAuthorization("Bearer " + BearerText(made));
    ASSERT_TRUE(read.has_value()) << BearerText(made);
    EXPECT_EQ(read->id, made.id);
    EXPECT_EQ(read->secret, made.secret);
    EXPECT_EQ(made.secret.size(), 64u);
    secrets.insert(made.secret);
  }
  EXPECT_EQ(secrets.size(), 100u);
}

TEST(BearerTest, TheSchemeIsOfAnyCaseAndSpacesFollowIt) {
  for (const char* scheme : {"Bearer ", "bearer ", "BEARER ", "Bearer    "}) {
    EXPECT_TRUE(ParseAuthorization(scheme + kToken).has_value()) << scheme;
  }
}

TEST(BearerTest, AnythingElseIsNoToken) {
  for (const std::string& value :
       {std::string(), std::string("Bearer"), std::string("Bearer "), kToken, "Basic " + kToken,
        "Bearer" + kToken, "Bearer\t" + kToken, "Bearer " + kToken + " ", "Bearer " + kToken + "a",
        "Bearer " + kToken.substr(1), "Bearer TY_abcdefghijk1_" + kSecret,
        "Bearer ty_ABCDEFGHIJK1_" + kSecret, "Bearer ty_abcdefghijk1-" + kSecret,
        "Bearer ty_abcdefghijk1_" + std::string(64, 'g'),
        "Bearer ty_abcdefghijk1_" + std::string(64, 'A'),
        "Bearer ty_abcdefghijk1_" + std::string(64, '\0')}) {
    EXPECT_FALSE(ParseAuthorization(value).has_value()) << value;
  }
}

TEST(SecretTest, EveryDifferenceIsSeen) {
  EXPECT_TRUE(SameSecret(kSecret, std::string(64, 'a')));
  EXPECT_TRUE(SameSecret("", ""));
  EXPECT_FALSE(SameSecret(kSecret, ""));
  EXPECT_FALSE(SameSecret(kSecret, kSecret + "a"));
  for (size_t i = 0; i < kSecret.size(); ++i) {
    std::string other = kSecret;
    other[i] = 'b';
    EXPECT_FALSE(SameSecret(kSecret, other)) << i;
  }
}

}  // namespace
}  // namespace trainyard
