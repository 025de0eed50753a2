#include "server/base/ids.h"

#include <set>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace trainyard {
namespace {

using ::testing::MatchesRegex;

TEST(IdsTest, IdsAreResourceIdsThatDoNotRepeat) {
  std::set<std::string> ids;
  for (int i = 0; i < 10'000; ++i) {
    const std::string id = NewId();
    ASSERT_THAT(id, MatchesRegex("[a-z][a-z0-9]{11}"));
    ASSERT_TRUE(ids.insert(id).second) << id;
  }
}

TEST(IdsTest, EveryCharacterOfTheAlphabetIsUsed) {
  std::set<char> seen;
  for (int i = 0; i < 2'000; ++i) {
    for (const char c : NewId()) seen.insert(c);
  }
  EXPECT_EQ(seen.size(), 36u);
}

TEST(IdsTest, TokensAre32BytesOfHex) {
  EXPECT_THAT(NewToken(), MatchesRegex("[0-9a-f]{64}"));
  EXPECT_NE(NewToken(), NewToken());
}

// The examples of FIPS 180-2, appendix B.
TEST(Sha256Test, KnownDigests) {
  EXPECT_EQ(Sha256Digest(""),
            "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(Sha256Digest("abc"),
            "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST(Sha256Test, PiecesGiveTheDigestOfTheWhole) {
  Sha256 hash;
  hash.Update("a");
  hash.Update("");
  hash.Update("bc");
  EXPECT_EQ(hash.Digest(), Sha256Digest("abc"));
}

TEST(Sha256Test, OnlyDigestsAreDigests) {
  const std::string digest = Sha256Digest("x");
  EXPECT_TRUE(IsDigest(digest));
  EXPECT_FALSE(IsDigest(digest.substr(7)));
  EXPECT_FALSE(IsDigest(digest + "0"));
  EXPECT_FALSE(IsDigest("sha256:../../../../../../../../../../../../../../../../../etc/passwd000"));
  EXPECT_FALSE(IsDigest("sha256:" + std::string(64, 'A')));
  EXPECT_FALSE(IsDigest(""));
}

}  // namespace
}  // namespace trainyard
