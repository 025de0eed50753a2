#include "core/data/split.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/base/check.h"
#include "core/base/rng.h"
#include "core/data/dataset.h"

namespace trainyard {
namespace {

enum class PartId : uint8_t { kTrain, kValidation, kTest };

// Shares `total` among the classes in proportion to class_rows * fraction: each gets its quota
// rounded down, what is left goes to the largest remainders (ties to the lower class), and no class
// gets more than `available`.
std::vector<int64_t> Apportion(int64_t total, double fraction, std::span<const int64_t> class_rows,
                               std::span<const int64_t> available) {
  const size_t classes = class_rows.size();
  std::vector<int64_t> shares(classes);
  std::vector<double> remainders(classes);
  for (size_t c = 0; c < classes; ++c) {
    const double quota = static_cast<double>(class_rows[c]) * fraction;
    shares[c] = std::min(static_cast<int64_t>(quota), available[c]);
    remainders[c] = quota - static_cast<double>(shares[c]);
  }
  std::vector<size_t> order(classes);
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return remainders[a] > remainders[b]; });
  int64_t left = total - std::accumulate(shares.begin(), shares.end(), int64_t{0});
  while (left > 0) {
    const int64_t before = left;
    for (const size_t c : order) {
      if (left == 0 || shares[c] == available[c]) continue;
      ++shares[c];
      --left;
    }
    TY_CHECK(left < before);
  }
  return shares;
}

// Marks the rows of one class (or all rows): those first in the order of Philox(seed, row) are
// test, the next validation.
void Assign(std::vector<int64_t> rows, const SplitCounts& counts, uint64_t seed,
            std::vector<PartId>* parts) {
  std::vector<std::pair<uint64_t, int64_t>> keyed;  // ties by row
  keyed.reserve(rows.size());
  for (const int64_t row : rows) {
    keyed.emplace_back(Rng(seed, RngStream::kSplit, static_cast<uint64_t>(row)).Next64(), row);
  }
  const auto test_end = keyed.begin() + counts.test;
  const auto validation_end = test_end + counts.validation;
  std::nth_element(keyed.begin(), test_end, keyed.end());
  std::nth_element(test_end, validation_end, keyed.end());
  for (auto it = keyed.begin(); it != validation_end; ++it) {
    (*parts)[it->second] = it < test_end ? PartId::kTest : PartId::kValidation;
  }
}

std::vector<std::vector<int64_t>> RowsByClass(std::span<const int32_t> classes) {
  std::vector<std::vector<int64_t>> rows;
  for (size_t row = 0; row < classes.size(); ++row) {
    const auto c = static_cast<size_t>(classes[row]);
    if (c >= rows.size()) rows.resize(c + 1);
    rows[c].push_back(static_cast<int64_t>(row));
  }
  return rows;
}

}  // namespace

SplitCounts CountSplit(int64_t rows, const SplitConfig& config) {
  const auto share = [rows](double fraction) {
    return std::llround(static_cast<double>(rows) * fraction);
  };
  SplitCounts counts;
  counts.test = std::min<int64_t>(share(config.test_fraction), rows);
  counts.validation = std::min<int64_t>(share(config.validation_fraction), rows - counts.test);
  counts.train = rows - counts.test - counts.validation;
  return counts;
}

std::vector<SplitCounts> CountStratifiedSplit(std::span<const int64_t> class_rows,
                                              const SplitConfig& config) {
  const int64_t rows = std::accumulate(class_rows.begin(), class_rows.end(), int64_t{0});
  const SplitCounts total = CountSplit(rows, config);
  const std::vector<int64_t> test =
      Apportion(total.test, config.test_fraction, class_rows, class_rows);
  std::vector<int64_t> left(class_rows.begin(), class_rows.end());
  for (size_t c = 0; c < left.size(); ++c) left[c] -= test[c];
  const std::vector<int64_t> validation =
      Apportion(total.validation, config.validation_fraction, class_rows, left);
  std::vector<SplitCounts> counts(class_rows.size());
  for (size_t c = 0; c < counts.size(); ++c)
    counts[c] = {left[c] - validation[c], validation[c], test[c]};
  return counts;
}

bool IsClassTooSmall(const SplitCounts& counts, const SplitConfig& config) {
  return counts.train == 0 || (counts.validation == 0 && config.validation_fraction > 0) ||
         (counts.test == 0 && config.test_fraction > 0);
}

std::string DescribeTooSmallClass(absl::string_view name, int64_t rows) {
  return absl::StrCat("class \"", name, "\" has ", rows, rows == 1 ? " row" : " rows",
                      ", too few for one in each part; set stratify to false, raise the fractions, "
                      "or add rows of it");
}

RowSplit SplitRows(int64_t rows, const SplitConfig& config, std::span<const int32_t> classes,
                   uint64_t seed) {
  std::vector<PartId> parts(rows, PartId::kTrain);
  if (config.stratify) {
    std::vector<std::vector<int64_t>> by_class = RowsByClass(classes);
    std::vector<int64_t> class_rows;
    for (const auto& members : by_class) class_rows.push_back(static_cast<int64_t>(members.size()));
    const std::vector<SplitCounts> counts = CountStratifiedSplit(class_rows, config);
    for (size_t c = 0; c < by_class.size(); ++c)
      Assign(std::move(by_class[c]), counts[c], seed, &parts);
  } else {
    std::vector<int64_t> all(rows);
    std::iota(all.begin(), all.end(), int64_t{0});
    Assign(std::move(all), CountSplit(rows, config), seed, &parts);
  }
  RowSplit split;
  for (int64_t row = 0; row < rows; ++row) {
    std::vector<int64_t>& part = parts[row] == PartId::kTrain        ? split.train
                                 : parts[row] == PartId::kValidation ? split.validation
                                                                     : split.test;
    part.push_back(row);
  }
  return split;
}

}  // namespace trainyard
