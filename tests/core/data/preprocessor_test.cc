#include "core/data/preprocessor.h"

#include <cmath>
#include <numeric>

#include "core/base/rng.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

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

}  // namespace
}  // namespace trainyard
