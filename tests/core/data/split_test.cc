#include "core/data/split.h"

#include <algorithm>
#include <numeric>

#include "core/base/rng.h"
#include "core/data/dataset.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace trainyard {
namespace {

using testing::IsEmpty;
using testing::SizeIs;

// Each row in exactly one part, each part ascending.
void ExpectPartition(const RowSplit& split, int64_t rows) {
  std::vector<int64_t> all;
  for (const auto* part : {&split.train, &split.validation, &split.test}) {
    EXPECT_TRUE(std::is_sorted(part->begin(), part->end()));
    all.insert(all.end(), part->begin(), part->end());
  }
  std::sort(all.begin(), all.end());
  std::vector<int64_t> expected(rows);
  std::iota(expected.begin(), expected.end(), int64_t{0});
  EXPECT_EQ(all, expected);
}

TEST(SplitTest, IsAPartitionWithExactCounts) {
  Rng rng(11, RngStream::kAnalysis);
  for (int round = 0; round < 300; ++round) {
    const auto rows = static_cast<int64_t>(rng.Below(200));
    const SplitConfig config{.validation_fraction = rng.Uniform() / 2,
                             .test_fraction = rng.Uniform() / 2};
    const RowSplit split = SplitRows(rows, config, {}, rng.Next64());
    ExpectPartition(split, rows);
    const auto size = static_cast<double>(rows);
    EXPECT_NEAR(static_cast<double>(split.test.size()), size * config.test_fraction, 0.5 + 1e-9);
    EXPECT_NEAR(static_cast<double>(split.validation.size()), size * config.validation_fraction,
                0.5 + 1e-9);
  }
}

TEST(SplitTest, StratifiedPartsAreAsLargeAndKeepProportions) {
  Rng rng(12, RngStream::kAnalysis);
  for (int round = 0; round < 300; ++round) {
    const auto rows = static_cast<int64_t>(1 + rng.Below(300));
    SplitConfig config{.validation_fraction = rng.Uniform() / 2,
                       .test_fraction = rng.Uniform() / 2};
    config.stratify = true;
    const uint64_t class_count = 1 + rng.Below(6);
    std::vector<int32_t> classes;
    std::vector<int64_t> class_rows(class_count, 0);
    for (int64_t r = 0; r < rows; ++r) {
      classes.push_back(static_cast<int32_t>(rng.Below(class_count)));
      ++class_rows[classes.back()];
    }
    const RowSplit split = SplitRows(rows, config, classes, 5);
    ExpectPartition(split, rows);
    const SplitCounts total = CountSplit(rows, config);
    EXPECT_THAT(split.test, SizeIs(total.test));
    EXPECT_THAT(split.validation, SizeIs(total.validation));
    for (uint64_t c = 0; c < class_count; ++c) {
      const auto in_test = std::count_if(split.test.begin(), split.test.end(), [&](int64_t r) {
        return classes[r] == static_cast<int32_t>(c);
      });
      EXPECT_NEAR(static_cast<double>(in_test),
                  static_cast<double>(class_rows[c]) * config.test_fraction, 1 + 1e-9);
    }
  }
}

TEST(SplitTest, IsPureInSeedAndRow) {
  const SplitConfig config;
  EXPECT_EQ(SplitRows(500, config, {}, 7).test, SplitRows(500, config, {}, 7).test);
  EXPECT_NE(SplitRows(500, config, {}, 7).test, SplitRows(500, config, {}, 8).test);
}

TEST(SplitTest, ZeroFractionsGiveEmptyParts) {
  const RowSplit split = SplitRows(10, {.validation_fraction = 0, .test_fraction = 0}, {}, 1);
  EXPECT_THAT(split.train, SizeIs(10));
  EXPECT_THAT(split.validation, IsEmpty());
  EXPECT_THAT(split.test, IsEmpty());
}

// Persisted by promise P2: a resumed or repeated job must meet the same rows.
TEST(SplitTest, TheSplitOfASeedNeverChanges) {
  const RowSplit split = SplitRows(20, {.validation_fraction = 0.2, .test_fraction = 0.2}, {}, 7);
  EXPECT_THAT(split.test, testing::ElementsAre(1, 4, 5, 10));
  EXPECT_THAT(split.validation, testing::ElementsAre(3, 8, 11, 16));
}

TEST(SplitTest, LargestRemaindersComeFirst) {
  const std::vector<int64_t> class_rows = {10, 11, 13};
  const SplitConfig config{.validation_fraction = 0, .test_fraction = 0.25, .stratify = true};
  const std::vector<SplitCounts> counts = CountStratifiedSplit(class_rows, config);
  // 34 rows: 8.5 rounds to 9. Quotas 2.5, 2.75, 3.25: floors 2, 2, 3 leave two, for 0.75 and 0.5.
  EXPECT_EQ(counts[0].test, 3);
  EXPECT_EQ(counts[1].test, 3);
  EXPECT_EQ(counts[2].test, 3);
}

}  // namespace
}  // namespace trainyard
