// Preprocessor::Fit: what the training rows say of each column.
#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"
#include "core/base/check.h"
#include "core/base/error_info.h"
#include "core/base/status_macros.h"
#include "core/data/number.h"
#include "core/data/preprocessor.h"

namespace trainyard {
namespace {

// x' = (x - offset) · scale; scale 0 for a constant feature.
struct Line {
  double offset = 0;
  double scale = 0;
};

// Extended precision: neither the sum of ten million values nor the square of a large one loses
// what matters. `at(i)` is value i of `count`.
template <typename At>
long double MeanOf(int64_t count, const At& at) {
  long double sum = 0;
  for (int64_t i = 0; i < count; ++i) sum += at(i);
  return sum / static_cast<long double>(count);
}

double InverseOf(long double divisor) {
  const auto inverse = static_cast<double>(1 / divisor);
  return std::isfinite(inverse) ? inverse : 0;
}

template <typename At>
double InverseDeviation(int64_t count, long double mean, const At& at) {
  long double squares = 0;
  for (int64_t i = 0; i < count; ++i) squares += (at(i) - mean) * (at(i) - mean);
  return InverseOf(std::sqrt(squares / static_cast<long double>(count)));
}

// As numpy.quantile; reorders `values`. REQUIRES: not empty.
double QuantileOf(double probability, std::vector<double>* values) {
  const double position = probability * static_cast<double>(values->size() - 1);
  const auto below = static_cast<size_t>(position);
  const auto nth = values->begin() + static_cast<int64_t>(below);
  std::nth_element(values->begin(), nth, values->end());
  const double low = *nth;
  if (nth + 1 == values->end()) return low;
  const double high = *std::min_element(nth + 1, values->end());
  const double part = position - static_cast<double>(below);
  return part < 0.5 ? low + (high - low) * part : high - (high - low) * (1 - part);
}

template <typename At>
Line RobustLine(int64_t count, double inverse_deviation, const At& at) {
  std::vector<double> values(static_cast<size_t>(count));
  for (int64_t i = 0; i < count; ++i) values[static_cast<size_t>(i)] = at(i);
  const double low = QuantileOf(0.25, &values);
  const double median = QuantileOf(0.5, &values);
  const double high = QuantileOf(0.75, &values);
  const double inverse = InverseOf(static_cast<long double>(high) - low);
  return {median, low == high || inverse == 0 ? inverse_deviation : inverse};
}

template <typename At>
Line LineOf(Scaling scaling, int64_t count, const At& at) {
  if (scaling == Scaling::kNone) return {0, 1};
  if (count == 0) return {};
  double min = at(0);
  double max = min;
  for (int64_t i = 1; i < count; ++i) {
    min = std::min(min, at(i));
    max = std::max(max, at(i));
  }
  // Compared exactly: the rounding of a mean would give a constant feature a tiny deviation, and a
  // huge factor.
  if (min == max) return {min, 0};
  if (scaling == Scaling::kMinMax) return {min, InverseOf(static_cast<long double>(max) - min)};
  const long double mean = MeanOf(count, at);
  const double inverse_deviation = InverseDeviation(count, mean, at);
  if (scaling == Scaling::kRobust) return RobustLine(count, inverse_deviation, at);
  return {static_cast<double>(mean), inverse_deviation};
}

absl::Status SpecError(const Column& column, absl::string_view where, absl::string_view what,
                       absl::string_view hint) {
  return MakeError(absl::StatusCode::kInvalidArgument,
                   absl::StrCat(where, "column \"", column.name, "\": ", what),
                   {.reason = ErrorReason::kInvalidSpec, .hint = std::string(hint)});
}

// A column's cells in the training rows.
class TrainingCells {
 public:
  TrainingCells(const Column& column, std::span<const int64_t> rows)
      : column_(column), rows_(rows) {}

  bool IsMissing(int64_t i) const {
    const int64_t row = rows_[static_cast<size_t>(i)];
    return column_.type == ColumnType::kText ? column_.codes[row] < 0
                                             : std::isnan(column_.numbers[row]);
  }
  int64_t count() const { return static_cast<int64_t>(rows_.size()); }
  int64_t FirstMissing() const {
    int64_t i = 0;
    while (i < count() && !IsMissing(i)) ++i;
    return i;
  }
  double number(int64_t i) const { return column_.numbers[rows_[static_cast<size_t>(i)]]; }
  int32_t code(int64_t i) const { return column_.codes[rows_[static_cast<size_t>(i)]]; }
  int64_t row(int64_t i) const { return rows_[static_cast<size_t>(i)]; }
  const Column& column() const { return column_; }

 private:
  const Column& column_;
  const std::span<const int64_t> rows_;
};

// What stands in for missing cells. REQUIRES: some cell is there, or the imputation is kConstant.
double FillOf(const TrainingCells& cells, const FeatureOptions& options) {
  if (options.imputation == Imputation::kConstant) return options.fill_value.value_or(0);
  std::vector<double> present;
  for (int64_t i = 0; i < cells.count(); ++i) {
    if (!cells.IsMissing(i)) present.push_back(cells.number(i));
  }
  if (options.imputation == Imputation::kMedian) return QuantileOf(0.5, &present);
  return static_cast<double>(
      MeanOf(static_cast<int64_t>(present.size()), [&](int64_t i) { return present[i]; }));
}

bool AllMissing(const TrainingCells& cells) {
  for (int64_t i = 0; i < cells.count(); ++i) {
    if (!cells.IsMissing(i)) return false;
  }
  return cells.count() > 0;
}

absl::StatusOr<ColumnTransform> FitNumber(const TrainingCells& cells,
                                          const FeatureOptions& options) {
  ColumnTransform transform{.encoding = Encoding::kNumber,
                            .missing_indicator = options.missing_indicator.value_or(false)};
  const auto set_line = [&](const auto& at) {
    const Line line = LineOf(options.scaling, cells.count(), at);
    transform.offset = line.offset;
    transform.scale = line.scale;
  };
  const int64_t missing = cells.FirstMissing();
  if (options.imputation == Imputation::kRefuse) {
    if (missing < cells.count()) {
      return SpecError(cells.column(), absl::StrCat("row ", cells.row(missing), ", "),
                       "the cell is missing, and imputation is refuse",
                       "choose mean, median or constant, or remove the row");
    }
    set_line([&](int64_t i) { return cells.number(i); });
    return transform;
  }
  if (AllMissing(cells) && options.imputation != Imputation::kConstant) {
    transform.fill = 0;
    transform.scale = 0;
    return transform;
  }
  transform.fill = FillOf(cells, options);
  set_line([&](int64_t i) { return cells.IsMissing(i) ? transform.fill : cells.number(i); });
  return transform;
}

struct CategoryCount {
  std::string name;
  int64_t rows = 0;
};

// The categories of the training rows: text sorted bytewise, numbers by value.
std::vector<CategoryCount> CountCategories(const TrainingCells& cells) {
  std::vector<CategoryCount> counts;
  if (cells.column().type == ColumnType::kText) {
    std::vector<int64_t> rows(cells.column().categories.size());
    for (int64_t i = 0; i < cells.count(); ++i) {
      if (cells.code(i) >= 0) ++rows[static_cast<size_t>(cells.code(i))];
    }
    for (size_t code = 0; code < rows.size(); ++code) {
      if (rows[code] > 0) counts.push_back({cells.column().categories[code], rows[code]});
    }
    return counts;
  }
  absl::flat_hash_map<double, int64_t> rows;
  for (int64_t i = 0; i < cells.count(); ++i) {
    if (!cells.IsMissing(i)) ++rows[cells.number(i)];
  }
  std::vector<std::pair<double, int64_t>> sorted(rows.begin(), rows.end());
  std::sort(sorted.begin(), sorted.end());
  for (const auto& [number, count] : sorted) counts.push_back({NumberText(number), count});
  return counts;
}

// The `max` categories of the most rows, ties by value, in the order of `counts`.
std::vector<std::string> MostFrequent(const std::vector<CategoryCount>& counts, size_t max) {
  std::vector<size_t> order(counts.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return counts[a].rows > counts[b].rows; });
  order.resize(std::min(order.size(), max));
  std::sort(order.begin(), order.end());
  std::vector<std::string> names;
  for (const size_t i : order) names.push_back(counts[i].name);
  return names;
}

absl::Status FitOneHot(const TrainingCells& cells, const FeatureOptions& options,
                       ColumnTransform* transform) {
  transform->missing_indicator = cells.FirstMissing() < cells.count();
  bool over_cap = false;
  if (!options.categories.empty()) {
    transform->categories = options.categories;
  } else {
    const std::vector<CategoryCount> counts = CountCategories(cells);
    const auto max =
        static_cast<size_t>(options.categories_max.value_or(FeatureOptions::kCategoriesMaxDefault));
    over_cap = counts.size() > max;
    transform->categories = MostFrequent(counts, max);
  }
  if (over_cap && options.unseen == UnseenCategory::kRefuse) {
    return SpecError(cells.column(), "",
                     absl::StrCat("the training rows have more than ", transform->categories.size(),
                                  " categories, and unseen ones are refused"),
                     "raise categories_max, or let unseen be other or zeros");
  }
  transform->unseen = options.unseen;
  if (options.unseen == UnseenCategory::kUnspecified) {
    transform->unseen = over_cap ? UnseenCategory::kOther : UnseenCategory::kZeros;
  }
  // No column is without a feature.
  const bool empty = transform->categories.empty() && !transform->missing_indicator;
  transform->other_bucket = transform->unseen == UnseenCategory::kOther || empty;
  return absl::OkStatus();
}

void FitOrdinal(const TrainingCells& cells, const FeatureOptions& options,
                ColumnTransform* transform) {
  transform->categories = options.categories;
  if (transform->categories.empty()) {
    for (CategoryCount& count : CountCategories(cells))
      transform->categories.push_back(std::move(count.name));
  }
  transform->unseen =
      options.unseen == UnseenCategory::kUnspecified ? UnseenCategory::kZeros : options.unseen;
  const Preprocessor unscaled({*transform});
  std::vector<double> raw_of_code;
  for (const std::string& category : cells.column().categories)
    raw_of_code.push_back(unscaled.RawOfText(0, category));
  std::vector<double> indices;
  for (int64_t i = 0; i < cells.count(); ++i) {
    if (cells.IsMissing(i)) continue;
    const double raw = cells.column().type == ColumnType::kText
                           ? raw_of_code[static_cast<size_t>(cells.code(i))]
                           : unscaled.RawOfNumber(0, cells.number(i));
    if (raw >= 0) indices.push_back(raw);
  }
  const Line line = LineOf(options.scaling, static_cast<int64_t>(indices.size()),
                           [&](int64_t i) { return indices[static_cast<size_t>(i)]; });
  transform->offset = line.offset;
  transform->scale = line.scale;
}

absl::StatusOr<ColumnTransform> FitColumn(const TrainingCells& cells,
                                          const FeatureOptions& options) {
  if (options.encoding == Encoding::kNumber) {
    if (cells.column().type == ColumnType::kNumeric) return FitNumber(cells, options);
    return SpecError(cells.column(), "", "it is text, and its encoding is number",
                     "choose one_hot, ordinal or hashing");
  }
  ColumnTransform transform{.encoding = options.encoding,
                            .numeric_categories = cells.column().type == ColumnType::kNumeric};
  switch (options.encoding) {
    case Encoding::kOneHot:
      TY_RETURN_IF_ERROR(FitOneHot(cells, options, &transform));
      break;
    case Encoding::kOrdinal:
      FitOrdinal(cells, options, &transform);
      break;
    case Encoding::kHashing:
      transform.buckets = options.hash_buckets.value_or(FeatureOptions::kHashBucketsDefault);
      transform.missing_indicator = cells.FirstMissing() < cells.count();
      break;
    case Encoding::kNumber:
    case Encoding::kUnspecified:
      TY_CHECK(false);
  }
  return transform;
}

}  // namespace

absl::StatusOr<Preprocessor> Preprocessor::Fit(std::span<const Column* const> columns,
                                               std::span<const int64_t> rows,
                                               std::span<const FeatureOptions> options) {
  TY_CHECK(columns.size() == options.size());
  std::vector<ColumnTransform> transforms;
  for (size_t i = 0; i < columns.size(); ++i) {
    TY_ASSIGN_OR_RETURN(ColumnTransform transform,
                        FitColumn(TrainingCells(*columns[i], rows), options[i]));
    transforms.push_back(std::move(transform));
  }
  return Preprocessor(std::move(transforms));
}

Preprocessor Preprocessor::Fit(std::span<const Column* const> columns,
                               std::span<const int64_t> rows, Scaling scaling) {
  const std::vector<FeatureOptions> options(
      columns.size(),
      {.scaling = scaling, .imputation = Imputation::kRefuse, .encoding = Encoding::kNumber});
  absl::StatusOr<Preprocessor> preprocessor = Fit(columns, rows, options);
  TY_CHECK(preprocessor.ok());
  return *std::move(preprocessor);
}

}  // namespace trainyard
