#include "tests/support/column_cases.h"

#include <limits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/base/check.h"
#include "core/base/rng.h"
#include "core/data/number.h"
#include "tests/support/data_builders.h"

namespace trainyard {
namespace {

constexpr int64_t kRows = 200;

constexpr double kNoFill = std::numeric_limits<double>::quiet_NaN();

// A column: its name, what becomes of it, and cells to draw from. Cells beyond those are numbers.
struct ColumnCase {
  std::string name;
  ColumnTransform transform;
  std::vector<std::string> cells;
};

// `size`: of the numbers, which the scale makes about 1.
ColumnCase Number(std::string name, double size, double fill, bool indicator,
                  std::vector<std::string> cells) {
  return {std::move(name),
          {.offset = size * 1.1, .scale = 3 / size, .fill = fill, .missing_indicator = indicator},
          std::move(cells)};
}

ColumnCase OneHot(std::string name, std::vector<std::string> categories, UnseenCategory unseen,
                  bool missing, std::vector<std::string> cells) {
  return {std::move(name),
          {.encoding = Encoding::kOneHot,
           .missing_indicator = missing,
           .categories = std::move(categories),
           .other_bucket = unseen == UnseenCategory::kOther,
           .unseen = unseen},
          std::move(cells)};
}

ColumnCase Ordinal(std::string name, std::vector<std::string> categories, UnseenCategory unseen,
                   std::vector<std::string> cells) {
  return {std::move(name),
          {.encoding = Encoding::kOrdinal,
           .offset = 1.0 / 3,
           .scale = 1.7,
           .categories = std::move(categories),
           .unseen = unseen},
          std::move(cells)};
}

ColumnCase OfNumbers(ColumnCase column) {
  column.transform.numeric_categories = true;
  return column;
}

// Numbers, categories that are text, and rows with cells that are missing and never seen. Nothing
// is refused. As UCI's Adult.
std::vector<ColumnCase> AdultColumns() {
  const auto other = UnseenCategory::kOther;
  const auto zeros = UnseenCategory::kZeros;
  return {
      Number("age", 40, 38, false, {"17", "39", "90", "", "?", "52.5"}),
      OneHot("workclass", {"Federal-gov", "Private", "Self-emp-not-inc"}, other, true,
             {"Private", "Federal-gov", "Never-worked", "", "?", "Private "}),
      Number("fnlwgt", 500000, 178144, true, {"77516", "1484705", "NA", ""}),
      Ordinal("education", {"Preschool", "HS-grad", "Bachelors", "Doctorate"}, zeros,
              {"HS-grad", "Doctorate", "Bachelors", "Preschool", "Nursery", "?"}),
      OneHot("sex", {"Female", "Male"}, zeros, false, {"Female", "Male", "", "female"}),
      OneHot("native-country", {"Cuba", "Méxiço", "\"quoted\", €"}, zeros, true,
             {"Cuba", "Méxiço", "\"quoted\", €", "?", "Perú"}),
  };
}

// Numbers with codes and a refusal of each kind; names that an ONNX graph could trip over. As UCI's
// auto imports.
std::vector<ColumnCase> AutoColumns() {
  const auto other = UnseenCategory::kOther;
  const auto zeros = UnseenCategory::kZeros;
  const auto refuse = UnseenCategory::kRefuse;
  return {
      OfNumbers(OneHot("label", {"-2", "-1", "0", "0.1", "3"}, other, true,
                       {"-2", "-1", "0", "0.1", "3", "2", "", "-0", "3.0"})),
      Number("value", 40, kNoFill, false, {"1", "25", "66.5", "40", "31", "12", "18", "47", ""}),
      OfNumbers(Ordinal("probabilities", {"2", "4", "16777216", "1e+30"}, zeros,
                        {"2", "4", "16777216", "1e+30", "3", ""})),
      OneHot("trainyard.Cast_0", {"gas", "diesel"}, refuse, true,
             {"gas", "diesel", "gas", "diesel", "gas", "diesel", "gas", "?", "steam"}),
      Ordinal("labels", {"low", "high"}, refuse,
              {"low", "high", "low", "high", "low", "high", "low", "", "middle"}),
      OfNumbers(OneHot("features", {"7", "8"}, zeros, false, {"7", "8", "9", ""})),
      OfNumbers(OneHot("input.label", {"1", "2"}, refuse, false,
                       {"1", "2", "1", "2", "1", "2", "1", "2", "1", "5", ""})),
      OneHot("make", {"audi", "bmw"}, refuse, false, {"audi", "bmw", "audi", "bmw", "audi", ""}),
      OfNumbers(Ordinal("doors", {"2", "4"}, refuse, {"2", "4", "2", "4", "2", "4", "", "5"})),
  };
}

std::vector<ColumnCase> HashedColumns() {
  std::vector<ColumnCase> columns = AdultColumns();
  columns[1].transform = {.encoding = Encoding::kHashing, .missing_indicator = true, .buckets = 7};
  columns[4].transform = {.encoding = Encoding::kHashing, .buckets = 3};
  columns[4].cells.push_back("12.50");
  return columns;
}

// All numbers, with imputation; one column; text alone.
std::vector<ColumnCase> NumberColumns() {
  return {Number("a", 3, 0, true, {"1", "", "3"}), Number("b", 5, -1, true, {"5", "?", "-7.25"}),
          Number("c", 100, kNoFill, false, {"100", "0", "12"})};
}
std::vector<ColumnCase> TextColumn() {
  return {OneHot("word", {"no", "yes"}, UnseenCategory::kZeros, false, {"no", "yes", "", "x"})};
}

std::vector<std::vector<std::string>> DrawCells(const std::vector<ColumnCase>& columns) {
  Rng rng(11, RngStream::kAnalysis);
  std::vector<std::vector<std::string>> cells(kRows);
  for (std::vector<std::string>& row : cells) {
    for (const ColumnCase& column : columns) {
      row.push_back(column.cells[rng.Below(column.cells.size())]);
    }
  }
  return cells;
}

ModelCase CaseOf(const std::string& name, Task task, const std::vector<ColumnCase>& columns,
                 bool hashed = false) {
  std::vector<ColumnTransform> transforms;
  std::vector<std::string> names;
  for (const ColumnCase& column : columns) {
    transforms.push_back(column.transform);
    names.push_back(column.name);
  }
  const Preprocessor preprocessor(std::move(transforms), {"?", "NA"});
  Bundle bundle = RandomBundle(task, preprocessor.feature_count(), {16, 16}, Activation::kRelu,
                               task == Task::kBinary ? 2 : 4, 9);
  bundle.preprocessor = preprocessor;
  bundle.feature_columns = std::move(names);
  if (task == Task::kRegression) {
    bundle.loss.target_offset = 1999.75;
    bundle.loss.target_scale = 12.5;
  }
  return {absl::StrCat(TaskWord(task), "_", name), std::move(bundle), DrawCells(columns), hashed};
}

}  // namespace

std::vector<ModelCase> ColumnCases() {
  std::vector<ModelCase> cases;
  for (const Task task : {Task::kBinary, Task::kMulticlass, Task::kRegression, Task::kMultilabel}) {
    cases.push_back(CaseOf("adult", task, AdultColumns()));
    cases.push_back(CaseOf("auto", task, AutoColumns()));
    cases.push_back(CaseOf("hashed", task, HashedColumns(), true));
  }
  cases.push_back(CaseOf("numbers", Task::kRegression, NumberColumns()));
  cases.push_back(CaseOf("text", Task::kBinary, TextColumn()));
  // The first layer adds its input, so that the order of features matters there too.
  ModelCase residual = CaseOf("residual", Task::kMulticlass, AdultColumns());
  const auto width = residual.bundle.preprocessor.feature_count();
  residual.bundle.weights = RandomWeights({width, width, 4}, Activation::kGelu, 3);
  residual.bundle.weights[0].residual = true;
  cases.push_back(std::move(residual));
  return cases;
}

}  // namespace trainyard
