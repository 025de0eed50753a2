#include "core/data/preprocessor.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <string>
#include <utility>

#include "core/base/rng.h"
#include "tests/support/status_matchers.h"

namespace trainyard {
namespace {

using testing::ElementsAre;

Column NumericColumn(std::vector<double> numbers) {
  Column column;
  column.numbers = std::move(numbers);
  return column;
}

Preprocessor FitOne(const Column& column, const std::vector<int64_t>& rows) {
  const std::vector<const Column*> columns = {&column};
  return Preprocessor::Fit(columns, rows, Scaling::kStandardize);
}

TEST(PreprocessorTest, StandardizedTrainingRowsHaveMeanZeroAndDeviationOne) {
  Rng rng(4, RngStream::kAnalysis);
  std::vector<double> numbers;
  for (int i = 0; i < 1000; ++i) numbers.push_back(1e6 + 3 * rng.Normal());
  std::vector<int64_t> rows(1000);
  std::iota(rows.begin(), rows.end(), int64_t{0});
  const Preprocessor p = FitOne(NumericColumn(numbers), rows);
  double sum = 0;
  double squares = 0;
  for (const double x : numbers) {
    float scaled = 0;
    p.Apply({&x, 1}, {&scaled, 1});
    sum += scaled;
    squares += double{scaled} * scaled;
  }
  EXPECT_NEAR(sum / 1000, 0, 1e-6);
  EXPECT_NEAR(squares / 1000, 1, 1e-6);
}

TEST(PreprocessorTest, AConstantFeatureBecomesZero) {
  const Preprocessor p = FitOne(NumericColumn({0.1, 0.1, 0.1}), {0, 1, 2});
  EXPECT_EQ(p.scales()[0], 0);
  const double raw = 12345;
  float scaled = 1;
  p.Apply({&raw, 1}, {&scaled, 1});
  EXPECT_EQ(scaled, 0);
}

TEST(PreprocessorTest, RowsThatAreNotFittedChangeNothing) {
  const Preprocessor before = FitOne(NumericColumn({1, 2, 3, 100}), {0, 1, 2});
  const Preprocessor after = FitOne(NumericColumn({1, 2, 3, -1e9}), {0, 1, 2});
  EXPECT_EQ(before.offsets(), after.offsets());
  EXPECT_EQ(before.scales(), after.scales());
}

TEST(PreprocessorTest, HugeValuesDoNotOverflow) {
  const Preprocessor p = FitOne(NumericColumn({1e300, -1e300}), {0, 1});
  EXPECT_EQ(p.offsets()[0], 0);
  EXPECT_DOUBLE_EQ(p.scales()[0], 1e-300);
}

TEST(PreprocessorTest, NoScalingLeavesValues) {
  const Column column = NumericColumn({5, 7});
  const std::vector<const Column*> columns = {&column};
  const std::vector<int64_t> rows = {0, 1};
  const Preprocessor p = Preprocessor::Fit(columns, rows, Scaling::kNone);
  EXPECT_THAT(p.offsets(), ElementsAre(0));
  EXPECT_THAT(p.scales(), ElementsAre(1));
}

Column TextColumn(std::vector<std::string> categories, std::vector<int32_t> codes) {
  Column column{.name = "city", .type = ColumnType::kText};
  column.categories = std::move(categories);
  column.codes = std::move(codes);
  return column;
}

absl::StatusOr<Preprocessor> FitAll(const Column& column, const FeatureOptions& options) {
  const std::vector<const Column*> columns = {&column};
  std::vector<int64_t> rows(std::max(column.numbers.size(), column.codes.size()));
  std::iota(rows.begin(), rows.end(), int64_t{0});
  return Preprocessor::Fit(columns, rows, std::vector<FeatureOptions>{options});
}

std::vector<float> Features(const Preprocessor& p, double raw) {
  std::vector<float> features(static_cast<size_t>(p.feature_count()));
  p.Apply({&raw, 1}, features);
  return features;
}

constexpr double kNan = Column::kMissingNumber;

TEST(PreprocessorTest, AColumnThatIsMissingInAllTrainingRowsIsZero) {
  const FeatureOptions options{.scaling = Scaling::kStandardize,
                               .imputation = Imputation::kMean,
                               .missing_indicator = true,
                               .encoding = Encoding::kNumber};
  ASSERT_OK_AND_ASSIGN(const Preprocessor p, FitAll(NumericColumn({kNan, kNan}), options));
  EXPECT_THAT(Features(p, kNan), ElementsAre(0, 1));
  EXPECT_THAT(Features(p, 17), ElementsAre(0, 0));
}

TEST(PreprocessorTest, AMissingCellThatIsRefusedIsNamed) {
  Column column = NumericColumn({1, kNan});
  column.name = "age";
  const FeatureOptions options{.scaling = Scaling::kStandardize,
                               .imputation = Imputation::kRefuse,
                               .encoding = Encoding::kNumber};
  const absl::StatusOr<Preprocessor> p = FitAll(column, options);
  EXPECT_THAT(p.status(), StatusIs(absl::StatusCode::kInvalidArgument,
                                   testing::HasSubstr("row 1, column \"age\"")));
  EXPECT_THAT(p.status(), HasReason(ErrorReason::kInvalidSpec));
}

// Ten of eleven cells are 5: both quartiles are, and only the deviation tells the eleventh.
TEST(PreprocessorTest, RobustFallsBackToTheDeviation) {
  std::vector<double> numbers(10, 5.0);
  numbers.push_back(16);
  const FeatureOptions options{.scaling = Scaling::kRobust,
                               .imputation = Imputation::kRefuse,
                               .encoding = Encoding::kNumber};
  ASSERT_OK_AND_ASSIGN(const Preprocessor p, FitAll(NumericColumn(numbers), options));
  EXPECT_EQ(p.offsets()[0], 5);
  EXPECT_NEAR(p.scales()[0], 1 / std::sqrt(10.0), 1e-15);  // variance 11²·(1/11)·(10/11) = 10
}

TEST(PreprocessorTest, TiesAtTheCapGoToTheFirstByValue) {
  const Column column = TextColumn({"a", "b", "c", "d"}, {3, 2, 1, 0, 3});
  FeatureOptions options{.encoding = Encoding::kOneHot, .categories_max = 2};
  ASSERT_OK_AND_ASSIGN(const Preprocessor p, FitAll(column, options));
  EXPECT_THAT(p.transforms()[0].categories, ElementsAre("a", "d"));
  EXPECT_TRUE(p.transforms()[0].other_bucket);
  EXPECT_EQ(p.transforms()[0].unseen, UnseenCategory::kOther);
  options.unseen = UnseenCategory::kZeros;
  ASSERT_OK_AND_ASSIGN(const Preprocessor zeros, FitAll(column, options));
  EXPECT_THAT(Features(zeros, zeros.RawOf(0, "b")), ElementsAre(0, 0));
  options.unseen = UnseenCategory::kRefuse;
  EXPECT_THAT(FitAll(column, options).status(), HasReason(ErrorReason::kInvalidSpec));
}

TEST(PreprocessorTest, EachPolicyForUnseenAndMissingCategories) {
  const Column whole = TextColumn({"a", "b"}, {0, 1, 0});
  const Column holes = TextColumn({"a", "b"}, {0, 1, -1});
  const auto fit = [](const Column& column, UnseenCategory unseen) {
    return *FitAll(column, {.encoding = Encoding::kOneHot, .unseen = unseen});
  };
  const Preprocessor other = fit(whole, UnseenCategory::kOther);
  EXPECT_THAT(Features(other, other.RawOf(0, "z")), ElementsAre(0, 0, 1));
  EXPECT_THAT(Features(other, kNan), ElementsAre(0, 0, 1));
  EXPECT_THAT(Features(fit(holes, UnseenCategory::kOther), kNan), ElementsAre(0, 0, 0, 1));
  EXPECT_THAT(Features(fit(whole, UnseenCategory::kZeros), kNan), ElementsAre(0, 0));
  const Preprocessor refuse = fit(whole, UnseenCategory::kRefuse);
  EXPECT_TRUE(std::isnan(Features(refuse, refuse.RawOf(0, "z"))[0]));
  EXPECT_EQ(refuse.FaultOf(0, refuse.RawOf(0, "z")), "is none of the model's categories");
  EXPECT_THAT(refuse.FaultOf(0, kNan), testing::HasSubstr("is missing"));
  EXPECT_EQ(refuse.FaultOf(0, refuse.RawOf(0, "b")), "");
  EXPECT_EQ(fit(holes, UnseenCategory::kRefuse).FaultOf(0, kNan), "");
}

TEST(PreprocessorTest, CellsBecomeRawValues) {
  const Preprocessor p(
      {{},
       {.encoding = Encoding::kOneHot, .categories = {"a", "1"}},
       {.encoding = Encoding::kOrdinal, .categories = {"1", "2.5"}, .numeric_categories = true},
       {.encoding = Encoding::kHashing, .numeric_categories = true, .buckets = 32},
       {.encoding = Encoding::kHashing, .buckets = 32}},
      {"?", "NA"});
  EXPECT_EQ(p.RawOf(0, "1.50"), 1.5);
  EXPECT_EQ(p.RawOf(0, "1,50", ','), 1.5);
  EXPECT_EQ(p.RawOf(0, "one"), INFINITY);
  EXPECT_EQ(p.FaultOf(0, INFINITY), "is not a finite number");
  EXPECT_TRUE(std::isnan(p.RawOf(0, "NA")));
  EXPECT_TRUE(std::isnan(p.RawOf(1, "")));
  EXPECT_EQ(p.RawOf(1, "1"), 1);
  EXPECT_EQ(p.RawOf(1, "1.0"), Preprocessor::kUnseen);  // text is compared as text
  EXPECT_EQ(p.RawOfText(1, "NA"), Preprocessor::kUnseen);
  EXPECT_EQ(p.RawOfNumber(1, 1), 1);
  EXPECT_EQ(p.RawOf(2, "2.50"), 1);
  EXPECT_EQ(p.RawOf(2, "x"), Preprocessor::kUnseen);
  EXPECT_EQ(p.RawOfNumber(2, 1), 0);
  EXPECT_EQ(p.RawOf(3, "12.50"), 18);  // as "12.5"
  EXPECT_EQ(p.RawOfNumber(3, 12.5), 18);
  EXPECT_EQ(p.RawOf(4, "Private"), 9);
}

// Computed from the words in the header, by a script that shares no code. Models depend on them.
TEST(PreprocessorTest, TheHashIsTheSameForEver) {
  EXPECT_EQ(CategoryHash(""), 0xefd01f60ba992926u);
  EXPECT_EQ(CategoryHash("a"), 0x82a2a958a9bece5bu);
  EXPECT_EQ(CategoryHash("Private"), 0x6bd604d8e3d5a029u);
  EXPECT_EQ(CategoryHash("Méxiço"), 0x3a3352272932e522u);
}

TEST(PreprocessorTest, FeaturesHaveNamesAndKnowTheirColumn) {
  const Preprocessor p({{.fill = 1, .missing_indicator = true},
                        {.encoding = Encoding::kOneHot,
                         .missing_indicator = true,
                         .categories = {"a"},
                         .other_bucket = true},
                        {.encoding = Encoding::kHashing, .buckets = 2}});
  EXPECT_THAT(p.FeatureNames({"age", "city", "word"}),
              ElementsAre("age", "age is missing", "city=a", "city=(other)", "city=(missing)",
                          "word#0", "word#1"));
  const int64_t columns[] = {0, 0, 1, 1, 1, 2, 2};
  for (int64_t i = 0; i < 7; ++i) EXPECT_EQ(p.column_of(i), columns[i]) << i;
  EXPECT_EQ(p.first_feature(2), 5);
}

}  // namespace
}  // namespace trainyard
