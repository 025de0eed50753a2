// Preprocessor against scikit-learn's transformers; see tests/golden/make_preprocessing.py.
#include <algorithm>
#include <cmath>
#include <numeric>
#include <optional>
#include <string>
#include <vector>

#include "core/data/feature_builder.h"
#include "core/data/number.h"
#include "core/data/preprocessor.h"
#include "tests/support/golden_blocks.h"
#include "tests/support/status_matchers.h"

namespace trainyard {
namespace {

constexpr char kMissing[] = "?";

bool IsNumeric(const std::vector<std::string>& cells) {
  return std::all_of(cells.begin(), cells.end(), [](const std::string& cell) {
    return cell == kMissing || ParseNumber(cell).has_value();
  });
}

Column TextColumn(const std::vector<std::string>& cells) {
  Column column{.name = "x", .type = ColumnType::kText};
  std::vector<std::string>& categories = column.categories;
  std::copy_if(cells.begin(), cells.end(), std::back_inserter(categories),
               [](const std::string& cell) { return cell != kMissing; });
  std::sort(categories.begin(), categories.end());
  categories.erase(std::unique(categories.begin(), categories.end()), categories.end());
  std::vector<int32_t> codes;
  for (const std::string& cell : cells) {
    const auto it = std::lower_bound(categories.begin(), categories.end(), cell);
    codes.push_back(cell == kMissing ? Column::kMissingCode
                                     : static_cast<int32_t>(it - categories.begin()));
  }
  column.codes = std::move(codes);
  return column;
}

Column ColumnOf(const std::vector<std::string>& cells) {
  if (!IsNumeric(cells)) return TextColumn(cells);
  Column column{.name = "x"};
  std::vector<double> numbers;
  for (const std::string& cell : cells)
    numbers.push_back(ParseNumber(cell).value_or(Column::kMissingNumber));
  column.numbers = std::move(numbers);
  return column;
}

int64_t NumberOr(const GoldenBlock& block, const std::string& key, int64_t otherwise) {
  const std::vector<int64_t> numbers = block.Numbers<int64_t>(key);
  return numbers.empty() ? otherwise : numbers[0];
}

FeatureOptions OptionsOf(const GoldenBlock& block) {
  FeatureOptions options{
      .column = "x",
      .scaling = static_cast<Scaling>(NumberOr(block, "scaling", 0)),
      .imputation = static_cast<Imputation>(NumberOr(block, "imputation", 0)),
      .missing_indicator = NumberOr(block, "missing_indicator", 0) != 0,
      .encoding = static_cast<Encoding>(NumberOr(block, "encoding", 0)),
      .categories_max = NumberOr(block, "categories_max", 64),
      .unseen = static_cast<UnseenCategory>(NumberOr(block, "unseen", 0)),
  };
  const std::vector<double> fill = block.Numbers("fill_value");
  if (!fill.empty()) options.fill_value = fill[0];
  if (block.lines.contains("categories")) options.categories = block.Words("categories");
  return options;
}

TEST(PreprocessorGoldenTest, FeaturesAreThoseOfScikitLearn) {
  const std::vector<GoldenBlock> blocks = ReadGoldenBlocks("preprocessing.txt");
  ASSERT_GE(blocks.size(), 43u);
  for (const GoldenBlock& block : blocks) {
    SCOPED_TRACE(block.Text("case"));
    const Column column = ColumnOf(block.Words("cells"));
    const std::vector<const Column*> columns = {&column};
    std::vector<int64_t> train(static_cast<size_t>(NumberOr(block, "train", 0)));
    std::iota(train.begin(), train.end(), int64_t{0});
    const std::vector<FeatureOptions> options = {OptionsOf(block)};
    ASSERT_OK_AND_ASSIGN(const Preprocessor p, Preprocessor::Fit(columns, train, options));
    std::vector<int64_t> rows(std::max(column.numbers.size(), column.codes.size()));
    std::iota(rows.begin(), rows.end(), int64_t{0});
    ASSERT_OK_AND_ASSIGN(const Matrix features, BuildFeatures(columns, rows, p));
    const std::vector<double> expected = block.Numbers("features");
    ASSERT_EQ(static_cast<size_t>(features.size()), expected.size());
    for (size_t i = 0; i < expected.size(); ++i) {
      ASSERT_NEAR(features.data()[i], expected[i], 1e-6 * std::max(1.0, std::fabs(expected[i])))
          << "value " << i;
    }
  }
}

}  // namespace
}  // namespace trainyard
