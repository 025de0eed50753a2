#include "core/data/preprocessor.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "core/base/check.h"
#include "core/base/hash.h"
#include "core/data/number.h"

namespace trainyard {
namespace {

constexpr double kMissing = std::numeric_limits<double>::quiet_NaN();
constexpr double kNotANumber = std::numeric_limits<double>::infinity();

// Finds a category's index.
struct CategoryIndex {
  absl::flat_hash_map<absl::string_view, int32_t> of_text;
  absl::flat_hash_map<double, int32_t> of_number;  // numeric categories
};

CategoryIndex IndexOf(const ColumnTransform& transform) {
  CategoryIndex index;
  for (size_t i = 0; i < transform.categories.size(); ++i) {
    const std::string& category = transform.categories[i];
    const auto position = static_cast<int32_t>(i);
    index.of_text.emplace(category, position);
    const std::optional<double> number = ParseNumber(category);
    if (transform.numeric_categories && number.has_value())
      index.of_number.emplace(*number, position);
  }
  return index;
}

template <typename Map, typename Key>
double Find(const Map& map, const Key& key) {
  const auto it = map.find(key);
  return it == map.end() ? Preprocessor::kUnseen : it->second;
}

double BucketOf(absl::string_view text, int64_t buckets) {
  return static_cast<double>(CategoryHash(text) % static_cast<uint64_t>(buckets));
}

float Scaled(const ColumnTransform& transform, double x) {
  return static_cast<float>((x - transform.offset) * transform.scale);
}

constexpr char kMissingFault[] = "is missing, and the model takes no missing cells of this column";
constexpr char kUnseenFault[] = "is none of the model's categories";
constexpr char kRangeFault[] = "is beyond the range of float32";

constexpr float kRefused = std::numeric_limits<float>::quiet_NaN();

void ApplyNumber(const ColumnTransform& transform, double raw, float* out) {
  const bool missing = std::isnan(raw);
  out[0] = Scaled(transform, missing ? transform.fill : raw);
  if (transform.missing_indicator) out[1] = missing ? 1.0f : 0.0f;
}

void ApplyOrdinal(const ColumnTransform& transform, double raw, float* out) {
  if (raw >= 0) {
    out[0] = Scaled(transform, raw);
  } else {
    const bool refused = raw < 0 && transform.unseen == UnseenCategory::kRefuse;
    out[0] = refused ? kRefused : 0.0f;
  }
}

void ApplyOneHot(const ColumnTransform& transform, double raw, float* out) {
  std::fill_n(out, transform.width(), 0.0f);
  const size_t categories = transform.categories.size();
  if (raw >= 0) {
    if (raw < static_cast<double>(categories)) out[static_cast<size_t>(raw)] = 1;
    return;
  }
  if (std::isnan(raw) && transform.missing_indicator) {
    out[categories + (transform.other_bucket ? 1 : 0)] = 1;
  } else if (transform.unseen == UnseenCategory::kRefuse) {
    out[0] = kRefused;
  } else if (transform.unseen == UnseenCategory::kOther && transform.other_bucket) {
    out[categories] = 1;
  }
}

void ApplyHashing(const ColumnTransform& transform, double raw, float* out) {
  std::fill_n(out, transform.width(), 0.0f);
  if (raw >= 0 && raw < static_cast<double>(transform.buckets)) out[static_cast<size_t>(raw)] = 1;
  if (std::isnan(raw) && transform.missing_indicator) out[transform.buckets] = 1;
}

void ApplyColumn(const ColumnTransform& transform, double raw, float* out) {
  switch (transform.encoding) {
    case Encoding::kNumber:
    case Encoding::kUnspecified:
      return ApplyNumber(transform, raw, out);
    case Encoding::kOrdinal:
      return ApplyOrdinal(transform, raw, out);
    case Encoding::kOneHot:
      return ApplyOneHot(transform, raw, out);
    case Encoding::kHashing:
      return ApplyHashing(transform, raw, out);
  }
}

std::vector<ColumnTransform> NumbersOnly(const std::vector<double>& offsets,
                                         const std::vector<double>& scales) {
  TY_CHECK(offsets.size() == scales.size());
  std::vector<ColumnTransform> transforms(offsets.size());
  for (size_t i = 0; i < offsets.size(); ++i) {
    transforms[i].offset = offsets[i];
    transforms[i].scale = scales[i];
  }
  return transforms;
}

void AppendNames(const ColumnTransform& transform, const std::string& column,
                 std::vector<std::string>* names) {
  const bool is_number =
      transform.encoding != Encoding::kOneHot && transform.encoding != Encoding::kHashing;
  if (is_number) {
    names->push_back(column);
    if (transform.width() > 1) names->push_back(absl::StrCat(column, " is missing"));
    return;
  }
  if (transform.encoding == Encoding::kOneHot) {
    for (const std::string& category : transform.categories)
      names->push_back(absl::StrCat(column, "=", category));
    if (transform.other_bucket) names->push_back(absl::StrCat(column, "=(other)"));
  }
  const int64_t buckets = transform.encoding == Encoding::kHashing ? transform.buckets : 0;
  for (int64_t i = 0; i < buckets; ++i) names->push_back(absl::StrCat(column, "#", i));
  if (transform.missing_indicator) names->push_back(absl::StrCat(column, "=(missing)"));
}

}  // namespace

struct Preprocessor::State {
  std::vector<ColumnTransform> transforms;
  std::vector<std::string> missing_markers;
  // What follows is derived from them.
  std::vector<CategoryIndex> indices;          // [columns]
  std::vector<int64_t> first_features;         // [columns + 1]
  bool plain = true;                           // numbers without indicators: a column is a feature
  std::vector<double> offsets, scales, fills;  // [columns]
  absl::flat_hash_set<absl::string_view> markers;

  State(std::vector<ColumnTransform> all, std::vector<std::string> missing)
      : transforms(std::move(all)), missing_markers(std::move(missing)) {
    first_features.push_back(0);
    for (const ColumnTransform& transform : transforms) {
      indices.push_back(IndexOf(transform));
      first_features.push_back(first_features.back() + transform.width());
      plain = plain && transform.encoding == Encoding::kNumber && !transform.missing_indicator;
      offsets.push_back(transform.offset);
      scales.push_back(transform.scale);
      fills.push_back(transform.fill);
    }
    markers.insert(missing_markers.begin(), missing_markers.end());
  }
  State(const State&) = delete;  // views into itself
  State& operator=(const State&) = delete;
};

uint64_t CategoryHash(absl::string_view category) { return StableHash(category); }

Preprocessor::Preprocessor() : Preprocessor(std::vector<ColumnTransform>()) {}

Preprocessor::Preprocessor(std::vector<ColumnTransform> transforms,
                           std::vector<std::string> missing_markers)
    : state_(std::make_shared<const State>(std::move(transforms), std::move(missing_markers))) {}

Preprocessor::Preprocessor(std::vector<double> offsets, std::vector<double> scales)
    : Preprocessor(NumbersOnly(offsets, scales)) {}

const std::vector<ColumnTransform>& Preprocessor::transforms() const { return state_->transforms; }

int64_t Preprocessor::column_count() const {
  return static_cast<int64_t>(state_->transforms.size());
}

int64_t Preprocessor::feature_count() const { return state_->first_features.back(); }

int64_t Preprocessor::first_feature(int64_t column) const {
  return state_->first_features[static_cast<size_t>(column)];
}

int64_t Preprocessor::column_of(int64_t feature) const {
  const std::vector<int64_t>& first = state_->first_features;
  return std::upper_bound(first.begin(), first.end(), feature) - first.begin() - 1;
}

std::vector<std::string> Preprocessor::FeatureNames(const std::vector<std::string>& columns) const {
  TY_CHECK(columns.size() == state_->transforms.size());
  std::vector<std::string> names;
  for (size_t i = 0; i < columns.size(); ++i) {
    AppendNames(state_->transforms[i], columns[i], &names);
  }
  return names;
}

const std::vector<std::string>& Preprocessor::missing_markers() const {
  return state_->missing_markers;
}

Preprocessor Preprocessor::WithMissingMarkers(std::vector<std::string> markers) const {
  return Preprocessor(state_->transforms, std::move(markers));
}

double Preprocessor::RawOf(int64_t column, absl::string_view cell, char decimal_mark) const {
  if (cell.empty() || state_->markers.contains(cell)) return kMissing;
  return RawOfText(column, cell, decimal_mark);
}

double Preprocessor::RawOfText(int64_t column, absl::string_view text, char decimal_mark) const {
  const ColumnTransform& transform = state_->transforms[static_cast<size_t>(column)];
  const CategoryIndex& index = state_->indices[static_cast<size_t>(column)];
  const bool is_number = transform.encoding == Encoding::kNumber;
  const std::optional<double> number = is_number || transform.numeric_categories
                                           ? ParseNumber(text, decimal_mark)
                                           : std::optional<double>();
  if (number.has_value()) return RawOfNumber(column, *number);
  if (is_number) return kNotANumber;
  if (transform.encoding == Encoding::kHashing) return BucketOf(text, transform.buckets);
  return Find(index.of_text, text);
}

double Preprocessor::RawOfNumber(int64_t column, double number) const {
  const ColumnTransform& transform = state_->transforms[static_cast<size_t>(column)];
  const CategoryIndex& index = state_->indices[static_cast<size_t>(column)];
  if (transform.encoding == Encoding::kNumber || std::isnan(number)) return number;
  if (transform.encoding == Encoding::kHashing)
    return BucketOf(NumberText(number), transform.buckets);
  if (transform.numeric_categories) return Find(index.of_number, number);
  return Find(index.of_text, absl::string_view(NumberText(number)));
}

void Preprocessor::Apply(std::span<const double> raw, std::span<float> features) const {
  const State& state = *state_;
  if (!state.plain) {
    for (size_t i = 0; i < raw.size(); ++i)
      ApplyColumn(state.transforms[i], raw[i], features.data() + state.first_features[i]);
    return;
  }
  const double* const offsets = state.offsets.data();
  const double* const scales = state.scales.data();
  const double* const fills = state.fills.data();
  for (size_t i = 0; i < raw.size(); ++i) {
    const double x = std::isnan(raw[i]) ? fills[i] : raw[i];
    features[i] = static_cast<float>((x - offsets[i]) * scales[i]);
  }
}

std::string Preprocessor::FaultOf(int64_t column, double raw) const {
  const ColumnTransform& transform = state_->transforms[static_cast<size_t>(column)];
  const bool refuses = transform.unseen == UnseenCategory::kRefuse;
  const bool missing = std::isnan(raw);
  switch (transform.encoding) {
    case Encoding::kHashing:
      return "";
    case Encoding::kOneHot:
      if (raw >= 0 || !refuses || (missing && transform.missing_indicator)) return "";
      return missing ? kMissingFault : kUnseenFault;
    case Encoding::kOrdinal:
      if (raw < 0 && refuses) return kUnseenFault;
      return raw >= 0 && !std::isfinite(Scaled(transform, raw)) ? kRangeFault : "";
    case Encoding::kNumber:
    case Encoding::kUnspecified:
      break;
  }
  if (std::isfinite(Scaled(transform, missing ? transform.fill : raw))) return "";
  if (missing && std::isnan(transform.fill)) return kMissingFault;
  return std::isinf(raw) ? "is not a finite number" : kRangeFault;
}

const std::vector<double>& Preprocessor::offsets() const { return state_->offsets; }
const std::vector<double>& Preprocessor::scales() const { return state_->scales; }

bool operator==(const Preprocessor& a, const Preprocessor& b) {
  return a.transforms() == b.transforms() && a.missing_markers() == b.missing_markers();
}

}  // namespace trainyard
