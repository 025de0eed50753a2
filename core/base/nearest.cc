#include "core/base/nearest.h"

#include <algorithm>
#include <numeric>

namespace trainyard {
namespace {

// Longer words are not compared: no name (limits::kColumnNameBytesMax included) is longer, and the
// cost is the product of the lengths.
constexpr size_t kWordBytesMax = 256;

// No nearer than the difference in length, so most candidates cost nothing.
size_t LengthDifference(absl::string_view a, absl::string_view b) {
  return a.size() > b.size() ? a.size() - b.size() : b.size() - a.size();
}

}  // namespace

size_t EditDistance(absl::string_view a, absl::string_view b) {
  // row[j]: the distance between the bytes of `a` so far and the first j bytes of `b`.
  std::vector<size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), size_t{0});
  for (size_t i = 0; i < a.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i + 1;
    for (size_t j = 0; j < b.size(); ++j) {
      const size_t replaced = diagonal + (a[i] == b[j] ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({replaced, row[j] + 1, diagonal + 1});
    }
  }
  return row[b.size()];
}

std::string Nearest(absl::string_view word, const std::vector<std::string>& candidates) {
  std::string best;
  size_t best_distance = 0;
  if (word.size() > kWordBytesMax) return best;
  for (const std::string& candidate : candidates) {
    const size_t allowed = std::max<size_t>(2, candidate.size() / 3);
    if (candidate.size() > kWordBytesMax || LengthDifference(word, candidate) > allowed) continue;
    const size_t distance = EditDistance(word, candidate);
    if (distance <= allowed && (best.empty() || distance < best_distance)) {
      best = candidate;
      best_distance = distance;
    }
  }
  return best;
}

}  // namespace trainyard
