#include "core/data/feature_options.h"

#include <cmath>

namespace trainyard {

int64_t ColumnTransform::width() const {
  const int64_t indicator = missing_indicator ? 1 : 0;
  switch (encoding) {
    case Encoding::kOneHot:
      return static_cast<int64_t>(categories.size()) + (other_bucket ? 1 : 0) + indicator;
    case Encoding::kHashing:
      return buckets + indicator;
    case Encoding::kOrdinal:
      return 1;
    case Encoding::kNumber:
    case Encoding::kUnspecified:
      return 1 + indicator;
  }
  return 1;
}

bool operator==(const ColumnTransform& a, const ColumnTransform& b) {
  const bool same_fill = a.fill == b.fill || (std::isnan(a.fill) && std::isnan(b.fill));
  return same_fill && a.encoding == b.encoding && a.offset == b.offset && a.scale == b.scale &&
         a.missing_indicator == b.missing_indicator && a.categories == b.categories &&
         a.numeric_categories == b.numeric_categories && a.other_bucket == b.other_bucket &&
         a.buckets == b.buckets && a.unseen == b.unseen;
}

}  // namespace trainyard
