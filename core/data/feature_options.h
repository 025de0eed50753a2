// What a user asks to be done to feature columns and to the target, and what fitting makes of it. See
// trainyard.v1.FeatureSpec for each choice.
//
// Thread-safety: values.
#ifndef TRAINYARD_CORE_DATA_FEATURE_OPTIONS_H_
#define TRAINYARD_CORE_DATA_FEATURE_OPTIONS_H_

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <vector>

namespace trainyard {

// Numbers of these enums equal those of trainyard.v1 and are persisted in bundles.
enum class Scaling : uint8_t {
  kUnspecified = 0,
  kStandardize = 1,
  kNone = 2,
  kMinMax = 3,
  kRobust = 4,
};
enum class Imputation : uint8_t {
  kUnspecified = 0,
  kMean = 1,
  kMedian = 2,
  kConstant = 3,
  kRefuse = 4,
};
enum class Encoding : uint8_t {
  kUnspecified = 0,
  kNumber = 1,
  kOneHot = 2,
  kOrdinal = 3,
  kHashing = 4,
};
enum class UnseenCategory : uint8_t { kUnspecified = 0, kOther = 1, kZeros = 2, kRefuse = 3 };
enum class TargetScaling : uint8_t { kUnspecified = 0, kNone = 1, kStandardize = 2 };

// trainyard.v1.FeatureSpec.
struct FeatureOptions {
  static constexpr int64_t kCategoriesMaxDefault = 64;
  static constexpr int64_t kHashBucketsDefault = 32;

  std::string column;
  Scaling scaling = Scaling::kUnspecified;
  Imputation imputation = Imputation::kUnspecified;
  std::optional<double> fill_value;
  std::optional<bool> missing_indicator;
  Encoding encoding = Encoding::kUnspecified;
  std::optional<int64_t> categories_max;
  std::optional<int64_t> hash_buckets;
  UnseenCategory unseen = UnseenCategory::kUnspecified;
  std::vector<std::string> categories;
};

// What one raw column becomes, fitted: `width()` features, in the order in which they are listed at
// `encoding`.
struct ColumnTransform {
  // kNumber:  (x - offset) · scale, then with missing_indicator 1 where x is missing and 0 elsewhere
  // kOrdinal: (index of the category - offset) · scale; an unseen or missing category is 0
  // kOneHot:  one per category, then "other" if other_bucket, then "missing" if missing_indicator
  // kHashing: one per bucket, then "missing" if missing_indicator
  Encoding encoding = Encoding::kNumber;
  double offset = 0;
  double scale = 1;  // 0 for a column that is constant in the training rows
  // kNumber: stands in for a missing x, before scaling. NaN: a missing cell is an error.
  double fill = std::numeric_limits<double>::quiet_NaN();
  bool missing_indicator = false;
  // kOneHot, kOrdinal. Of a numeric column: as NumberText prints them.
  std::vector<std::string> categories;
  bool numeric_categories = false;  // the column holds numbers: cells are compared as NumberText
  bool other_bucket = false;        // kOneHot
  int64_t buckets = 0;              // kHashing
  UnseenCategory unseen = UnseenCategory::kZeros;  // never kUnspecified

  int64_t width() const;
  friend bool operator==(const ColumnTransform&, const ColumnTransform&);  // NaN equals NaN
};

}  // namespace trainyard

#endif  // TRAINYARD_CORE_DATA_FEATURE_OPTIONS_H_
