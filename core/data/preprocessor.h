// Preprocessor turns raw rows into what the network sees. It is fitted on training rows only, is
// stored inside the bundle, and the same code runs in training and prediction.
//
//   TY_ASSIGN_OR_RETURN(Preprocessor p, Preprocessor::Fit(columns, train_rows, options));
//   raw[i] = p.RawOf(i, "Private");  // [column_count] doubles, one per column
//   p.Apply(raw, features);          // → [feature_count] floats, width() of each transform
//
// A raw row has one double per column, by the column's encoding:
//   kNumber            the number; NaN: missing; infinity: text that is no number, never valid
//   kOneHot, kOrdinal  index into the categories; kUnseen: none of them; NaN: missing
//   kHashing           the bucket; NaN: missing
//
// Statistics are of the training rows. Means and deviations (divisor N) are accumulated in extended
// precision; quantiles are interpolated linearly between cells, as numpy's; the statistics of
// scaling are those of the cells after imputation, as in scikit-learn's
// Pipeline(SimpleImputer, StandardScaler). A feature that is constant in the training rows, or
// missing in all of them, is always 0. Missing cells of categories are a feature of their own where
// training rows have any; elsewhere one-hot treats them as an unseen category (kRefuse: an error),
// and hashing gives zeros.
//
// Thread-safety: immutable once made; copies share their memory. Units: raw numbers in the table's
// units, features without unit.
#ifndef TRAINYARD_CORE_DATA_PREPROCESSOR_H_
#define TRAINYARD_CORE_DATA_PREPROCESSOR_H_

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "core/data/feature_options.h"
#include "core/data/table.h"

namespace trainyard {

// What kHashing takes modulo the buckets: StableHash (core/base/hash.h). Models depend on it: do
// not change it.
uint64_t CategoryHash(absl::string_view category);

class Preprocessor {
 public:
  static constexpr double kUnseen = -1;

  Preprocessor();
  // As stored in a bundle, one transform per column.
  explicit Preprocessor(std::vector<ColumnTransform> transforms,
                        std::vector<std::string> missing_markers = {});
  // Numbers only. REQUIRES: both [columns]. scales are the factors: 1/σ, or 0 for a constant
  // feature.
  Preprocessor(std::vector<double> offsets, std::vector<double> scales);
  Preprocessor(const Preprocessor&) = default;
  Preprocessor& operator=(const Preprocessor&) = default;

  // `options`: what to do with each column, resolved (see ResolveDataConfig): no kUnspecified but
  // for `unseen` of kOrdinal and what the encoding does not use.
  // Errors: INVALID_ARGUMENT/INVALID_SPEC for a missing cell with Imputation::kRefuse (row and
  // column named), and for more categories than categories_max with UnseenCategory::kRefuse.
  static absl::StatusOr<Preprocessor> Fit(std::span<const Column* const> columns,
                                          std::span<const int64_t> rows,
                                          std::span<const FeatureOptions> options);
  // All columns as numbers. REQUIRES: they are numeric, without missing cells in `rows`.
  static Preprocessor Fit(std::span<const Column* const> columns, std::span<const int64_t> rows,
                          Scaling scaling);

  const std::vector<ColumnTransform>& transforms() const;  // [columns]
  int64_t column_count() const;
  int64_t feature_count() const;  // the sum of the transforms' widths
  // Index of the column's first feature; of column_count(): feature_count().
  int64_t first_feature(int64_t column) const;
  // The column that a feature comes of.
  int64_t column_of(int64_t feature) const;
  // [features] "age", "age is missing", "workclass=Private", "workclass=(other)",
  // "workclass=(missing)", "city#17" (a bucket). REQUIRES: [columns].
  std::vector<std::string> FeatureNames(const std::vector<std::string>& columns) const;

  // The cells of files that were missing besides empty ones.
  const std::vector<std::string>& missing_markers() const;
  Preprocessor WithMissingMarkers(std::vector<std::string> markers) const;

  // Raw value of a file's cell; empty cells and missing markers are missing. REQUIRES: trimmed.
  double RawOf(int64_t column, absl::string_view cell, char decimal_mark = '.') const;
  // Raw value of a table's cell, which is not missing (a marker is a category like any other), or
  // is NaN.
  double RawOfText(int64_t column, absl::string_view text, char decimal_mark = '.') const;
  double RawOfNumber(int64_t column, double number) const;

  // Features of a raw row. A value that is refused (missing or unseen) makes its column's first
  // feature NaN, infinite ones and those beyond float32 are not finite either: callers look, and
  // say by FaultOf what is wrong. REQUIRES: [columns] and [features].
  void Apply(std::span<const double> raw, std::span<float> features) const;

  // What is wrong with the raw value, e.g. "is missing, and …"; empty where Apply makes finite
  // features of it.
  std::string FaultOf(int64_t column, double raw) const;

  // Of each column's transform; 0 and 1 for one-hot and hashing.
  const std::vector<double>& offsets() const;  // [columns]
  const std::vector<double>& scales() const;   // [columns]

  friend bool operator==(const Preprocessor& a, const Preprocessor& b);

 private:
  struct State;

  std::shared_ptr<const State> state_;  // never null
};

}  // namespace trainyard

#endif  // TRAINYARD_CORE_DATA_PREPROCESSOR_H_
