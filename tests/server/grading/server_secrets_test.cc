#include "server/grading/server_secrets.h"

#include <algorithm>
#include <set>

#include "absl/strings/ascii.h"
#include "gtest/gtest.h"
#include "server/storage/database.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_dir.h"

namespace trainyard {
namespace {

TEST(ServerSecretsTest, AreMadeOnceAndKept) {
  TempDir directory;
  std::string first, other, key;
  {
    ASSERT_OK_AND_ASSIGN(const auto database, Database::Open(directory.path() + "/db"));
    ASSERT_OK_AND_ASSIGN(first, FindOrMakeSecret(database.get(), "seed-key"));
    ASSERT_OK_AND_ASSIGN(other, FindOrMakeSecret(database.get(), "pseudonym-key"));
    ASSERT_OK_AND_ASSIGN(const SigningKey signing, FindOrMakeSigningKey(database.get()));
    key = signing.public_key();
    EXPECT_EQ(*FindOrMakeSecret(database.get(), "seed-key"), first);
  }
  EXPECT_EQ(first.size(), 32u);
  EXPECT_NE(first, other);
  ASSERT_OK_AND_ASSIGN(const auto database, Database::Open(directory.path() + "/db"));
  EXPECT_EQ(*FindOrMakeSecret(database.get(), "seed-key"), first);
  EXPECT_EQ(FindOrMakeSigningKey(database.get())->public_key(), key);
  // Another server's are others.
  ASSERT_OK_AND_ASSIGN(const auto another, Database::Open(":memory:"));
  EXPECT_NE(*FindOrMakeSecret(another.get(), "seed-key"), first);
  EXPECT_NE(FindOrMakeSigningKey(another.get())->public_key(), key);
}

// python3: import hmac; hmac.new(b"secret", b"seed courses/c/assignments/a 0",
// "sha256").hexdigest()[:12]
TEST(ServerSecretsTest, SeedsAreThoseOfTheFormula) {
  const std::vector<uint64_t> seeds = SeedsOf("secret", "courses/c/assignments/a", 2);
  ASSERT_EQ(seeds.size(), 2u);
  EXPECT_EQ(seeds[0], 103971503675954u);
  EXPECT_EQ(seeds[1], 279158922173676u);
}

TEST(ServerSecretsTest, SeedsDifferByAllButTheStudentAndFitAJsonNumber) {
  std::set<uint64_t> all;
  size_t count = 0;
  for (const char* secret : {"s", "t"}) {
    for (const char* assignment : {"courses/c/assignments/a", "courses/c/assignments/b"}) {
      const std::vector<uint64_t> seeds = SeedsOf(secret, assignment, 15);
      EXPECT_EQ(seeds, SeedsOf(secret, assignment, 15));
      // More seeds do not change the first ones.
      EXPECT_EQ(SeedsOf(secret, assignment, 3),
                std::vector<uint64_t>(seeds.begin(), seeds.begin() + 3));
      all.insert(seeds.begin(), seeds.end());
      count += seeds.size();
    }
  }
  EXPECT_EQ(all.size(), count);
  EXPECT_LT(*all.rbegin(), uint64_t{1} << 48);
  EXPECT_GT(*all.rbegin(), uint64_t{1} << 46);
}

TEST(ServerSecretsTest, APseudonymIsOfOneStudentAtOneAssignment) {
  const std::string name = PseudonymOf("s", "courses/c/assignments/a", "ann");
  EXPECT_EQ(name, PseudonymOf("s", "courses/c/assignments/a", "ann"));
  EXPECT_NE(name, PseudonymOf("s", "courses/c/assignments/a", "bob"));
  EXPECT_NE(name, PseudonymOf("s", "courses/c/assignments/b", "ann"));
  EXPECT_NE(name, PseudonymOf("t", "courses/c/assignments/a", "ann"));
  EXPECT_EQ(name.size(), 8u);
  EXPECT_TRUE(std::all_of(name.begin(), name.end(), absl::ascii_isxdigit));
}

}  // namespace
}  // namespace trainyard
