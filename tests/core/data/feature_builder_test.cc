#include "core/data/feature_builder.h"

#include <filesystem>
#include <numeric>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "core/base/rng.h"
#include "core/data/dataset.h"
#include "core/data/number.h"
#include "tests/support/data_builders.h"
#include "tests/support/status_matchers.h"

namespace trainyard {
namespace {

using testing::AllOf;
using testing::HasSubstr;

// 50 rows: a number, a number with holes, text with holes, and numbers that are names.
Table MixedTable() {
  Rng rng(3, RngStream::kAnalysis);
  const char* const cities[] = {"Rome", "Oslo", "", "Lima", "Bern"};
  std::string csv = "x,gaps,city,code\n";
  for (int i = 0; i < 50; ++i) {
    absl::StrAppend(&csv, rng.Normal(), ",", i % 7 == 0 ? "" : absl::StrCat(i), ",",
                    cities[rng.Below(5)], ",", rng.Below(4), "\n");
  }
  return TableOf(csv);
}

std::vector<const Column*> ColumnsOf(const Table& table) {
  std::vector<const Column*> columns;
  for (const Column& column : table.columns) columns.push_back(&column);
  return columns;
}

std::vector<int64_t> Rows(int64_t count) {
  std::vector<int64_t> rows(count);
  std::iota(rows.begin(), rows.end(), int64_t{0});
  return rows;
}

std::vector<FeatureOptions> MixedOptions(Encoding city, Encoding code) {
  return {{.scaling = Scaling::kStandardize,
           .imputation = Imputation::kRefuse,
           .encoding = Encoding::kNumber},
          {.scaling = Scaling::kMinMax,
           .imputation = Imputation::kMedian,
           .missing_indicator = true,
           .encoding = Encoding::kNumber},
          {.scaling = Scaling::kStandardize, .encoding = city},
          {.scaling = Scaling::kNone, .encoding = code}};
}

// What a file's cells become one by one is what the table's columns become.
TEST(FeatureBuilderTest, IsRawOfAndApplyOfEveryRow) {
  const Table table = MixedTable();
  const std::vector<const Column*> columns = ColumnsOf(table);
  const std::vector<Encoding> encodings = {Encoding::kOneHot, Encoding::kOrdinal,
                                           Encoding::kHashing};
  for (const Encoding city : encodings) {
    for (const Encoding code : encodings) {
      ASSERT_OK_AND_ASSIGN(const Preprocessor p,
                           Preprocessor::Fit(columns, Rows(30), MixedOptions(city, code)));
      const std::vector<int64_t> rows = {49, 0, 7, 7, 31, 2, 3, 4, 5, 6, 8};
      ASSERT_OK_AND_ASSIGN(const Matrix features, BuildFeatures(columns, rows, p));
      ASSERT_EQ(features.cols(), p.feature_count());
      std::vector<float> expected(static_cast<size_t>(p.feature_count()));
      for (size_t r = 0; r < rows.size(); ++r) {
        std::vector<double> raw;
        for (int64_t c = 0; c < 4; ++c) raw.push_back(p.RawOf(c, table.CellText(rows[r], c)));
        p.Apply(raw, expected);
        const auto row = features.row(static_cast<int64_t>(r));
        EXPECT_TRUE(std::equal(row.begin(), row.end(), expected.begin(), expected.end()));
      }
    }
  }
}

TEST(FeatureBuilderTest, WhatIsRefusedIsNamedWithItsCell) {
  const Table train = TableOf("city,x\nRome,1\nOslo,2\n");
  const Table other = TableOf("city,x\nRome,1\nLima,2\n,3\nRome,\nRome,1e300\n");
  FeatureOptions city{.encoding = Encoding::kOneHot, .unseen = UnseenCategory::kRefuse};
  FeatureOptions number{
      .scaling = Scaling::kNone, .imputation = Imputation::kRefuse, .encoding = Encoding::kNumber};
  ASSERT_OK_AND_ASSIGN(
      const Preprocessor p,
      Preprocessor::Fit(ColumnsOf(train), Rows(2), std::vector<FeatureOptions>{city, number}));
  const FeatureBuilder builder(ColumnsOf(other), p);
  const auto error = [&](int64_t row) {
    return std::string(builder.Build(std::vector<int64_t>{0, row}).status().message());
  };
  EXPECT_EQ(error(0), "");
  EXPECT_THAT(error(1), AllOf(HasSubstr("row 1, column \"city\""), HasSubstr("\"Lima\" is none")));
  EXPECT_THAT(error(2), AllOf(HasSubstr("row 2, column \"city\""), HasSubstr("is missing")));
  EXPECT_THAT(error(3), AllOf(HasSubstr("row 3, column \"x\""), HasSubstr("is missing")));
  EXPECT_THAT(error(4), AllOf(HasSubstr("row 4, column \"x\""), HasSubstr("range of float32")));
}

TEST(FeatureBuilderTest, LargeFeaturesAreTheSameInAFile) {
  const Table table = MixedTable();
  const std::vector<const Column*> columns = ColumnsOf(table);
  ASSERT_OK_AND_ASSIGN(
      const Preprocessor p,
      Preprocessor::Fit(columns, Rows(50), MixedOptions(Encoding::kOneHot, Encoding::kOrdinal)));
  const FeatureBuilder builder(columns, p);
  ASSERT_OK_AND_ASSIGN(const Matrix in_memory, builder.Build(Rows(50)));
  const std::string path = absl::StrCat(testing::TempDir(), "/features");
  // Not a word is said of a file that cannot be written: there is memory.
  for (const std::string& spill_path : {path, std::string("/nowhere/features")}) {
    ASSERT_OK_AND_ASSIGN(const Matrix features, builder.Build(Rows(50), {.spill_path = spill_path,
                                                                         .memory_bytes_max = 0}));
    EXPECT_EQ(features.is_view(), spill_path == path);
    EXPECT_FALSE(std::filesystem::exists(spill_path));
    ASSERT_EQ(features.rows(), 50);
    ASSERT_EQ(features.cols(), in_memory.cols());
    EXPECT_TRUE(std::equal(features.data(), features.data() + features.size(), in_memory.data()));
  }
  const Table bad = TableOf("x,gaps,city,code\n1e300,1,Rome,2\n");
  EXPECT_THAT(FeatureBuilder(ColumnsOf(bad), p)
                  .Build(Rows(1), {.spill_path = path, .memory_bytes_max = 0})
                  .status(),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("row 0, column \"x\"")));
}

TEST(FeatureBuilderTest, TextWhereTheModelHasANumberIsAFault) {
  const Table table = TableOf("x\none\ntwo\n");
  EXPECT_THAT(BuildFeatures(ColumnsOf(table), Rows(2),
                            Preprocessor(std::vector<double>{0}, std::vector<double>{1}))
                  .status(),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       HasSubstr("row 0, column \"x\": the value \"one\" is not a finite")));
}

}  // namespace
}  // namespace trainyard
