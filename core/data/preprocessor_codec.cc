#include "core/data/preprocessor_codec.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"
#include "core/base/limits.h"
#include "core/data/number.h"

namespace trainyard {
namespace {

constexpr uint8_t kMissingIndicator = 1;
constexpr uint8_t kNumericCategories = 2;
constexpr uint8_t kOtherBucket = 4;
constexpr uint8_t kAllFlags = kMissingIndicator | kNumericCategories | kOtherBucket;
// The least bytes that a transform takes.
constexpr size_t kTransformBytesMin = 1 + 3 * 8 + 1 + 4 + 1 + 4;

void WriteTransform(const ColumnTransform& transform, ByteWriter* w) {
  const int flags = (transform.missing_indicator ? kMissingIndicator : 0) |
                    (transform.numeric_categories ? kNumericCategories : 0) |
                    (transform.other_bucket ? kOtherBucket : 0);
  w->U8(static_cast<uint8_t>(transform.encoding));
  w->F64(transform.offset);
  w->F64(transform.scale);
  w->F64(transform.fill);
  w->U8(static_cast<uint8_t>(flags));
  w->U32(static_cast<uint32_t>(transform.buckets));
  w->U8(static_cast<uint8_t>(transform.unseen));
  WriteStrings(transform.categories, w);
}

bool ReadTransform(ByteReader* r, ColumnTransform* transform) {
  uint8_t encoding = 0;
  uint8_t flags = 0;
  uint32_t buckets = 0;
  uint8_t unseen = 0;
  const bool read = r->U8(&encoding) && r->F64(&transform->offset) && r->F64(&transform->scale) &&
                    r->F64(&transform->fill) && r->U8(&flags) && r->U32(&buckets) &&
                    r->U8(&unseen) &&
                    ReadStrings(r, limits::kFieldBytesMax, &transform->categories);
  transform->encoding = static_cast<Encoding>(encoding);
  transform->missing_indicator = (flags & kMissingIndicator) != 0;
  transform->numeric_categories = (flags & kNumericCategories) != 0;
  transform->other_bucket = (flags & kOtherBucket) != 0;
  transform->buckets = buckets;
  transform->unseen = static_cast<UnseenCategory>(unseen);
  return read && flags <= kAllFlags;
}

bool IsUnscaled(const ColumnTransform& t) { return t.offset == 0 && t.scale == 1; }

bool IsNumber(const ColumnTransform& t) {
  return t.categories.empty() && t.buckets == 0 && !t.other_bucket && !t.numeric_categories &&
         !std::isinf(t.fill);
}

// Whether a numeric column's category is printed as its cells are when they are compared.
bool IsNumberText(const std::string& category) {
  const std::optional<double> number = ParseNumber(category);
  return number.has_value() && NumberText(*number) == category;
}

bool CategoriesFit(const ColumnTransform& t, int64_t max) {
  const bool printed =
      !t.numeric_categories || std::all_of(t.categories.begin(), t.categories.end(), IsNumberText);
  return printed && AllDifferent(t.categories) && t.buckets == 0 && std::isnan(t.fill) &&
         static_cast<int64_t>(t.categories.size()) <= max;
}

bool IsOneHot(const ColumnTransform& t) {
  const bool other_fits = t.unseen != UnseenCategory::kOther || t.other_bucket;
  return CategoriesFit(t, limits::kOneHotCategoriesMax) && other_fits && t.width() >= 1 &&
         IsUnscaled(t);
}

bool IsOrdinal(const ColumnTransform& t) {
  return CategoriesFit(t, limits::kOrdinalCategoriesMax) && !t.other_bucket &&
         !t.missing_indicator && t.unseen != UnseenCategory::kOther;
}

bool IsHashing(const ColumnTransform& t) {
  return t.categories.empty() && t.buckets >= limits::kHashBucketsMin &&
         t.buckets <= limits::kHashBucketsMax && std::isnan(t.fill) && !t.other_bucket &&
         IsUnscaled(t);
}

bool IsValid(const ColumnTransform& t) {
  const bool known_unseen =
      t.unseen >= UnseenCategory::kOther && t.unseen <= UnseenCategory::kRefuse;
  if (!known_unseen || !std::isfinite(t.offset) || !std::isfinite(t.scale)) return false;
  switch (t.encoding) {
    case Encoding::kNumber:
      return IsNumber(t);
    case Encoding::kOneHot:
      return IsOneHot(t);
    case Encoding::kOrdinal:
      return IsOrdinal(t);
    case Encoding::kHashing:
      return IsHashing(t);
    case Encoding::kUnspecified:
      return false;
  }
  return false;
}

bool AreValid(const std::vector<ColumnTransform>& transforms) {
  int64_t features = 0;
  for (const ColumnTransform& transform : transforms) {
    if (!IsValid(transform)) return false;
    features += transform.width();
    if (features > limits::kFeaturesMax) return false;
  }
  return true;
}

bool AreMarkers(const std::vector<std::string>& markers) {
  return static_cast<int64_t>(markers.size()) <= limits::kMissingMarkersMax;
}

}  // namespace

void WritePreprocessor(const Preprocessor& preprocessor, ByteWriter* w) {
  w->U32(static_cast<uint32_t>(preprocessor.transforms().size()));
  for (const ColumnTransform& transform : preprocessor.transforms()) WriteTransform(transform, w);
  WriteStrings(preprocessor.missing_markers(), w);
}

bool ReadPreprocessor(ByteReader* r, Preprocessor* preprocessor) {
  uint32_t count = 0;
  if (!r->U32(&count) || count > limits::kDatasetColumnsMax ||
      count > r->remaining() / kTransformBytesMin)
    return false;
  std::vector<ColumnTransform> transforms(count);
  std::vector<std::string> markers;
  const bool read = std::all_of(transforms.begin(), transforms.end(),
                                [&](ColumnTransform& t) { return ReadTransform(r, &t); }) &&
                    ReadStrings(r, limits::kFieldBytesMax, &markers);
  if (!read || !AreValid(transforms) || !AreMarkers(markers)) return false;
  *preprocessor = Preprocessor(std::move(transforms), std::move(markers));
  return true;
}

bool IsValidPreprocessor(const Preprocessor& preprocessor) {
  return AreValid(preprocessor.transforms()) && AreMarkers(preprocessor.missing_markers());
}

}  // namespace trainyard
