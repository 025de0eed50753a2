#include "core/data/split.h"

#include <algorithm>
#include <map>
#include <numeric>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "core/base/rng.h"
#include "core/data/dataset.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/data_builders.h"
#include "tests/support/golden_blocks.h"
#include "tests/support/status_matchers.h"

namespace trainyard {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
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
    EXPECT_NEAR(static_cast<double>(split.test.size()), size * *config.test_fraction, 0.5 + 1e-9);
    EXPECT_NEAR(static_cast<double>(split.validation.size()), size * *config.validation_fraction,
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
                  static_cast<double>(class_rows[c]) * *config.test_fraction, 1 + 1e-9);
    }
  }
}

TEST(SplitTest, IsPureInSeedAndRow) {
  const SplitConfig config{.validation_fraction = 0.15, .test_fraction = 0.15};
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

// A letter for each row, as in splits.txt.
std::string Letters(const RowSplit& split, int64_t rows) {
  std::string letters(rows, '?');
  for (const int64_t row : split.train) letters[row] = 't';
  for (const int64_t row : split.validation) letters[row] = 'v';
  for (const int64_t row : split.test) letters[row] = 's';
  return letters;
}

// A column "g" of these texts and a column "x" of numbers.
Table GroupTable(const std::vector<std::string>& values) {
  std::string csv = "g,x\n";
  for (size_t i = 0; i < values.size(); ++i) absl::StrAppend(&csv, values[i], ",", i, "\n");
  return TableOf(csv);
}

// What a block of splits.txt asks for. Without a test fraction it is 0.
struct GoldenSplit {
  explicit GoldenSplit(const GoldenBlock& block)
      : kind(block.Text("kind")),
        parts(block.Text("parts")),
        classes(block.Numbers<int32_t>("classes")),
        seed(static_cast<uint64_t>(block.Number("seed"))) {
    config.test_fraction = block.Number("test");
    if (kind == "group" || kind == "random" || kind == "stratified") {
      config.validation_fraction = block.Number("validation");
    } else {
      config.fold_count = static_cast<int64_t>(block.Number("folds"));
    }
    config.stratify = !classes.empty();
    if (kind == "group" || kind == "group_folds") {
      config.group_column = std::string("g");
      table = GroupTable(block.Words("values"));
    }
    table.rows = static_cast<int64_t>(parts.size());
  }

  std::string LettersOf(int64_t fold) const {
    const auto split = SplitTable(table, config, classes, seed, fold);
    EXPECT_THAT(split, IsOk());
    return Letters(*split, table.rows);
  }

  std::string kind;
  std::string parts;
  std::vector<int32_t> classes;
  uint64_t seed;
  SplitConfig config;
  Table table;
};

// The rules of split.h, written a second time in Python (make_splits.py).
TEST(SplitTest, IsThatOfThePythonTwin) {
  std::set<std::string> kinds;
  for (const GoldenBlock& block : ReadGoldenBlocks("splits.txt")) {
    const GoldenSplit golden(block);
    SCOPED_TRACE(golden.kind);
    kinds.insert(golden.kind);
    if (golden.config.fold_count == 0) {
      EXPECT_EQ(golden.LettersOf(0), golden.parts);
    }
    for (int64_t fold = 0; fold < golden.config.fold_count; ++fold) {
      std::string expected = golden.parts;
      for (char& letter : expected) {
        if (letter != 's') letter = letter == static_cast<char>('0' + fold) ? 'v' : 't';
      }
      EXPECT_EQ(golden.LettersOf(fold), expected) << fold;
    }
  }
  EXPECT_THAT(kinds, SizeIs(6));
}

// Folds are at least as even as scikit-learn's StratifiedKFold makes them.
TEST(SplitTest, StratifiedFoldsAreAsEvenAsThoseOfScikitLearn) {
  int compared = 0;
  for (const GoldenBlock& block : ReadGoldenBlocks("splits.txt")) {
    const std::vector<int64_t> least = block.Numbers<int64_t>("sklearn_least");
    const std::vector<int64_t> most = block.Numbers<int64_t>("sklearn_most");
    if (least.empty()) continue;
    const GoldenSplit golden(block);
    for (int64_t fold = 0; fold < golden.config.fold_count; ++fold) {
      const RowSplit split =
          SplitRows(golden.table.rows, golden.config, golden.classes, golden.seed, fold);
      std::vector<int64_t> counts(least.size(), 0);
      for (const int64_t row : split.validation) ++counts[golden.classes[row]];
      for (size_t c = 0; c < counts.size(); ++c) {
        EXPECT_GE(counts[c], least[c]);
        EXPECT_LE(counts[c], most[c]);
      }
      ++compared;
    }
  }
  EXPECT_EQ(compared, 2 + 3 + 5 + 10);
}

TEST(SplitTest, EveryRowThatIsNotForTheTestValidatesInOneFold) {
  Rng rng(13, RngStream::kAnalysis);
  for (int round = 0; round < 100; ++round) {
    const auto rows = static_cast<int64_t>(100 + rng.Below(100));
    SplitConfig config{.test_fraction = rng.Uniform() / 2,
                       .stratify = rng.Below(2) == 1,
                       .fold_count = static_cast<int64_t>(2 + rng.Below(9))};
    std::vector<int32_t> classes;
    for (int64_t r = 0; r < rows; ++r) classes.push_back(static_cast<int32_t>(rng.Below(3)));
    std::vector<int64_t> validated;
    std::vector<int64_t> test;
    for (int64_t fold = 0; fold < config.fold_count; ++fold) {
      const RowSplit split = SplitRows(rows, config, classes, 5, fold);
      ExpectPartition(split, rows);
      const SplitCounts counts = CountSplit(rows, config, fold);
      EXPECT_THAT(split.validation, SizeIs(counts.validation));
      EXPECT_THAT(split.test, SizeIs(counts.test));
      EXPECT_TRUE(fold == 0 || split.test == test);
      test = split.test;
      validated.insert(validated.end(), split.validation.begin(), split.validation.end());
    }
    EXPECT_THAT(validated, SizeIs(rows - static_cast<int64_t>(test.size())));
    std::sort(validated.begin(), validated.end());
    EXPECT_EQ(std::adjacent_find(validated.begin(), validated.end()), validated.end());
  }
}

// The parts that rows of each value are in.
std::map<std::string, std::set<char>> PartsOfGroups(const std::vector<std::string>& values,
                                                    const std::string& letters) {
  std::map<std::string, std::set<char>> parts;
  for (size_t row = 0; row < values.size(); ++row) parts[values[row]].insert(letters[row]);
  return parts;
}

TEST(GroupSplitTest, GroupsAreNeverDividedAndNoPartIsEmpty) {
  Rng rng(14, RngStream::kAnalysis);
  for (int round = 0; round < 200; ++round) {
    const uint64_t group_count = 3 + rng.Below(12);
    std::vector<std::string> values;
    for (uint64_t g = 0; g < group_count; ++g) values.push_back(absl::StrCat("group ", g));
    for (int i = 0; i < 60; ++i) values.push_back(absl::StrCat("group ", rng.Below(group_count)));
    const SplitConfig config{.validation_fraction = 0.01 + rng.Uniform() * 0.48,
                             .test_fraction = 0.01 + rng.Uniform() * 0.48,
                             .group_column = "g"};
    ASSERT_OK_AND_ASSIGN(const RowSplit split,
                         SplitTable(GroupTable(values), config, {}, rng.Next64()));
    const auto rows = static_cast<int64_t>(values.size());
    ExpectPartition(split, rows);
    EXPECT_THAT(split.train, testing::Not(IsEmpty()));
    EXPECT_THAT(split.validation, testing::Not(IsEmpty()));
    EXPECT_THAT(split.test, testing::Not(IsEmpty()));
    for (const auto& [value, parts] : PartsOfGroups(values, Letters(split, rows))) {
      EXPECT_THAT(parts, SizeIs(1)) << value;
    }
  }
}

TEST(GroupSplitTest, FractionsAreOfGroups) {
  std::vector<std::string> values;
  for (int i = 0; i < 2000; ++i) values.push_back(absl::StrCat("g", i % 1000));
  const SplitConfig config{.validation_fraction = 0.1, .test_fraction = 0.25, .group_column = "g"};
  ASSERT_OK_AND_ASSIGN(const RowSplit split, SplitTable(GroupTable(values), config, {}, 1));
  EXPECT_THAT(split.test, SizeIs(500));
  EXPECT_THAT(split.validation, SizeIs(200));
}

// Where a group goes depends on its value only, and on which other values there are.
TEST(GroupSplitTest, OrderOfRowsAndOtherColumnsChangeNothing) {
  const std::vector<std::string> values = {"b", "a", "c", "a", "d", "b", "e", "c"};
  const SplitConfig config{.validation_fraction = 0.2, .test_fraction = 0.2, .group_column = "g"};
  Table table = GroupTable(values);
  ASSERT_OK_AND_ASSIGN(const RowSplit split, SplitTable(table, config, {}, 8));
  const auto parts = PartsOfGroups(values, Letters(split, 8));

  std::vector<std::string> sorted = values;
  std::sort(sorted.begin(), sorted.end());
  ASSERT_OK_AND_ASSIGN(const RowSplit of_sorted, SplitTable(GroupTable(sorted), config, {}, 8));
  EXPECT_EQ(PartsOfGroups(sorted, Letters(of_sorted, 8)), parts);

  std::swap(table.columns[0], table.columns[1]);
  table.columns[0].numbers = std::vector<double>(8, 3.5);
  ASSERT_OK_AND_ASSIGN(const RowSplit of_others, SplitTable(table, config, {}, 8));
  EXPECT_EQ(Letters(of_others, 8), Letters(split, 8));
}

TEST(GroupSplitTest, NumbersAreGroupsByTheirText) {
  const SplitConfig config{.validation_fraction = 0.3, .test_fraction = 0.3, .group_column = "g"};
  const Table numbers = GroupTable({"1", "2.50", "3", "2.5", "1.0", "4", "-0", "0"});
  const Table texts = GroupTable({"1", "2.5", "3", "2.5", "1", "4", "0", "0"});
  ASSERT_OK_AND_ASSIGN(const RowSplit of_numbers, SplitTable(numbers, config, {}, 2));
  ASSERT_OK_AND_ASSIGN(const RowSplit of_texts, SplitTable(texts, config, {}, 2));
  EXPECT_EQ(Letters(of_numbers, 8), Letters(of_texts, 8));
  EXPECT_EQ(PartsOfGroups({"1", "2", "3", "2", "1", "4", "0", "0"}, Letters(of_numbers, 8)).size(),
            5u);
}

TEST(GroupSplitTest, WhatCannotBeSplitIsNamed) {
  const SplitConfig config{.validation_fraction = 0.2, .test_fraction = 0.2, .group_column = "g"};
  EXPECT_THAT(
      SplitTable(GroupTable({"a", "b", "a"}), config, {}, 1),
      StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("has 2 groups, too few for 3")));
  EXPECT_THAT(SplitTable(GroupTable({"a", "b", "", "c"}), config, {}, 1),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       HasSubstr("row 2, column \"g\": the cell is missing")));
  SplitConfig gone = config;
  gone.group_column = "h";
  EXPECT_THAT(SplitTable(GroupTable({"a", "b", "c"}), gone, {}, 1),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("no column \"h\"")));
}

TEST(TimeSplitTest, TheLatestRowsAreTheTestTiesByRow) {
  const SplitConfig config{.validation_fraction = 0.25, .test_fraction = 0.25, .time_column = "t"};
  const Table numbers = TableOf("t\n5\n1e1\n2\n9\n2\n-3\n2\n9\n");
  ASSERT_OK_AND_ASSIGN(const RowSplit split, SplitTable(numbers, config, {}, 1));
  EXPECT_THAT(split.train, ElementsAre(2, 4, 5, 6));
  EXPECT_THAT(split.validation, ElementsAre(0, 3));  // of the two nines the first
  EXPECT_THAT(split.test, ElementsAre(1, 7));
  const Table texts = TableOf(
      "t\n2024-05-01\n2023-12-31T23:59\n2024-01-15\n2022-07-01\n2024-01-02\n2024-11-30\n"
      "2021-01-01\n2024-05-02\n");
  ASSERT_OK_AND_ASSIGN(const RowSplit of_texts, SplitTable(texts, config, {}, 99));
  EXPECT_THAT(of_texts.train, ElementsAre(1, 3, 4, 6));
  EXPECT_THAT(of_texts.validation, ElementsAre(0, 2));
  EXPECT_THAT(of_texts.test, ElementsAre(5, 7));
  EXPECT_THAT(SplitTable(TableOf("t,x\n1,1\n,2\n3,3\n"), config, {}, 1),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("row 1, column \"t\"")));
}

TEST(PartSplitTest, ReadsTheWordsAndNamesOthers) {
  const SplitConfig config{.part_column = "p"};
  ASSERT_OK_AND_ASSIGN(
      const RowSplit split,
      SplitTable(TableOf("p\ntrain\nTEST\nVal\nvalid\nTrain\nvalidation\n"), config, {}, 1));
  EXPECT_EQ(Letters(split, 6), "tsvvtv");
  EXPECT_THAT(SplitTable(TableOf("p\ntrain\ntset\n"), config, {}, 1),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       HasSubstr("row 1, column \"p\": cannot read \"tset\"")));
  EXPECT_THAT(SplitTable(TableOf("p\nval\ntest\n"), config, {}, 1),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("no row for \"train\"")));
  EXPECT_THAT(SplitTable(TableOf("p\n1\n2\n"), config, {}, 1),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("is numbers")));
}

}  // namespace
}  // namespace trainyard
