#include "core/base/rng.h"

#include <array>
#include <cmath>
#include <set>
#include <vector>

#include "gtest/gtest.h"

namespace trainyard {
namespace {

using Block = std::array<uint32_t, 4>;

// Random123's kat_vectors, philox4x32 with 10 rounds.
TEST(RngTest, PhiloxAgreesWithItsAuthors) {
  EXPECT_EQ(Philox({0, 0, 0, 0}, {0, 0}), (Block{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  const uint32_t ones = 0xffffffff;
  EXPECT_EQ(Philox({ones, ones, ones, ones}, {ones, ones}),
            (Block{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  EXPECT_EQ(Philox({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}),
            (Block{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

TEST(RngTest, TheSameArgumentsGiveTheSameNumbers) {
  Rng a(7, RngStream::kShuffle, 3);
  Rng b(7, RngStream::kShuffle, 3);
  for (int i = 0; i < 100; ++i) EXPECT_EQ(a.Next64(), b.Next64());
}

// A promise to whoever repeats a run: however many blocks are drawn at once, these are the numbers.
TEST(RngTest, TheNumbersAreTheBlocksWordsInOrder) {
  const uint64_t seed = 0x123456789abcdef0;
  const uint64_t substream = 0xfedcba9876543210;
  Rng rng(seed, RngStream::kShuffle, substream);
  for (uint32_t block = 0; block < 100; ++block) {
    const Block r =
        Philox({block, 0, 0x76543210, 0xfedcba98}, {0x9abcdef0, 0x12345678 ^ 3 * 0x85EBCA6Bu});
    EXPECT_EQ(rng.Next64(), uint64_t{r[1]} << 32 | r[0]) << block;
    EXPECT_EQ(rng.Next64(), uint64_t{r[3]} << 32 | r[2]) << block;
  }
}

TEST(RngTest, FillPhiloxCrossesTheCountersHalves) {
  const PhiloxKey key{1, 2};
  const uint64_t first_group = (uint64_t{1} << 29) - 1;  // its successor starts at block 2^32
  std::array<uint32_t, 2 * kPhiloxGroupWords> words;
  FillPhilox(key, 3, first_group, 2, words.data());
  EXPECT_EQ(words[7], Philox({0xffffffff, 0, 3, 0}, key)[0]);
  EXPECT_EQ(words[32], Philox({0, 1, 3, 0}, key)[0]);
  EXPECT_EQ(words[32 + 8 * 3 + 5], Philox({5, 1, 3, 0}, key)[3]);
}

TEST(RngTest, SeedStreamAndSubstreamEachMatter) {
  std::set<uint64_t> first;
  first.insert(Rng(7, RngStream::kShuffle, 3).Next64());
  first.insert(Rng(8, RngStream::kShuffle, 3).Next64());
  first.insert(Rng(uint64_t{7} << 32, RngStream::kShuffle, 3).Next64());
  first.insert(Rng(7, RngStream::kInit, 3).Next64());
  first.insert(Rng(7, RngStream::kShuffle, 4).Next64());
  first.insert(Rng(7, RngStream::kShuffle, uint64_t{3} << 32).Next64());
  EXPECT_EQ(first.size(), 6u);
}

TEST(RngTest, BelowIsUniform) {
  constexpr int kDraws = 70'000;
  std::array<int, 7> counts{};
  Rng rng(1, RngStream::kAnalysis);
  for (int i = 0; i < kDraws; ++i) {
    const uint64_t k = rng.Below(counts.size());
    ASSERT_LT(k, counts.size());
    ++counts[k];
  }
  double chi_square = 0;
  for (const int count : counts) chi_square += std::pow(count - 10'000.0, 2) / 10'000.0;
  EXPECT_LT(chi_square, 22.5);  // 6 degrees of freedom, p = 0.001
}

TEST(RngTest, BelowReachesBothEndsOfAHugeRange) {
  Rng rng(1, RngStream::kAnalysis);
  const uint64_t n = (uint64_t{1} << 63) + 1;
  bool low = false;
  bool high = false;
  for (int i = 0; i < 100; ++i) {
    const uint64_t k = rng.Below(n);
    ASSERT_LT(k, n);
    low |= k < n / 4;
    high |= k > n / 4 * 3;
  }
  EXPECT_TRUE(low);
  EXPECT_TRUE(high);
}

TEST(RngTest, UniformStaysInItsRangeWithTheRightMean) {
  Rng rng(2, RngStream::kAnalysis);
  double sum = 0;
  for (int i = 0; i < 10'000; ++i) {
    const double u = rng.Uniform();
    ASSERT_GE(u, 0);
    ASSERT_LT(u, 1);
    sum += u;
  }
  EXPECT_NEAR(sum / 10'000, 0.5, 4 / std::sqrt(12.0 * 10'000));
}

TEST(RngTest, NormalHasTheMomentsOfANormal) {
  constexpr int kDraws = 100'000;
  Rng rng(3, RngStream::kAnalysis);
  double sum = 0, squares = 0, fourths = 0;
  for (int i = 0; i < kDraws; ++i) {
    const double z = rng.Normal();
    sum += z;
    squares += z * z;
    fourths += z * z * z * z;
  }
  EXPECT_NEAR(sum / kDraws, 0, 4 / std::sqrt(kDraws));
  EXPECT_NEAR(squares / kDraws, 1, 4 * std::sqrt(2.0 / kDraws));
  EXPECT_NEAR(fourths / kDraws, 3, 4 * std::sqrt(96.0 / kDraws));
}

}  // namespace
}  // namespace trainyard
