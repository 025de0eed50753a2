#include "server/grading/commitment.h"

#include <set>

#include "tests/support/status_matchers.h"

namespace trainyard {
namespace {

using testing::ElementsAre;

const std::string kSalt = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";

CommittedDataset Dataset(int64_t rows) {
  std::string digest = "sha256:";
  for (int i = 0; i < 32; ++i) digest += "ab";
  return {digest, rows};
}

// Python: hmac.new(bytes.fromhex(salt), f"trainyard-dataset-commitment-v1\n{digest}\n{rows}\n"
// .encode(), "sha256").hexdigest()
TEST(CommitmentTest, IsPythonsHmac) {
  EXPECT_EQ(*Commit(kSalt, Dataset(455)),
            "dea3b449c123b42994cf7e19fbdbda2df3b7bd46768293a6396f16cec432db1f");
  EXPECT_EQ(*Commit(kSalt, Dataset(0)),
            "20b0727e1e2ea0f2eb11dbaca454aacd2fe5afa5edb8c68b2980b364f2275827");
}

TEST(CommitmentTest, OnlyTheSameDatasetAndSaltVerify) {
  ASSERT_OK_AND_ASSIGN(const std::string commitment, Commit(kSalt, Dataset(455)));
  EXPECT_THAT(VerifyCommitment(commitment, kSalt, Dataset(455)), IsOk());
  EXPECT_THAT(VerifyCommitment(commitment, kSalt, Dataset(456)),
              HasReason(ErrorReason::kDigestMismatch));
  EXPECT_THAT(VerifyCommitment(commitment, NewSalt(), Dataset(455)),
              HasReason(ErrorReason::kDigestMismatch));
  CommittedDataset other = Dataset(455);
  other.digest.back() = 'c';
  EXPECT_THAT(VerifyCommitment(commitment, kSalt, other), HasReason(ErrorReason::kDigestMismatch));
  EXPECT_THAT(VerifyCommitment(commitment.substr(1), kSalt, Dataset(455)),
              HasReason(ErrorReason::kDigestMismatch));
  EXPECT_THAT(VerifyCommitment("", kSalt, Dataset(455)), HasReason(ErrorReason::kDigestMismatch));
}

TEST(CommitmentTest, SaltsAreFresh) {
  std::set<std::string> salts;
  for (int i = 0; i < 100; ++i) salts.insert(NewSalt());
  EXPECT_EQ(salts.size(), 100u);
  EXPECT_THAT(Commit(*salts.begin(), Dataset(1)), IsOk());
}

TEST(CommitmentTest, EveryFaultIsNamed) {
  EXPECT_THAT(ViolatedFields(Commit("xy", {"sha256:1", -1}).status()),
              ElementsAre("salt", "digest", "rows"));
  const std::string no_hex(64, 'g');
  EXPECT_THAT(ViolatedFields(VerifyCommitment("", no_hex, Dataset(1))), ElementsAre("salt"));
}

}  // namespace
}  // namespace trainyard
