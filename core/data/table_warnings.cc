#include "core/data/table_warnings.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "core/base/limits.h"
#include "core/data/number.h"
#include "core/data/row_hash.h"

namespace trainyard {
namespace {

using Code = TableWarning::Code;

constexpr double kMissingShareMax = 0.5;
constexpr double kExtremeDistance = 20;  // of the spread between the 5 % and the 95 % quantile
constexpr size_t kCategoriesComparedMax = 10'000;
constexpr uint64_t kHashSlices = 16;
// Indices into ColumnStats::quantiles.
constexpr size_t kFivePercent = 1, kMedian = 3, kNinetyFivePercent = 5;

class Finder {
 public:
  Finder(const Table& table, const OnColumnRead& on_read) : table_(table), on_read_(on_read) {}

  std::vector<TableWarning> Run() && {
    for (const Column& column : table_.columns) {
      LookAt(column);
      on_read_(column);
    }
    LookAtRows();
    return std::move(warnings_);
  }

 private:
  void Add(Code code, const std::string& column, std::string message) {
    if (warnings_.size() < static_cast<size_t>(limits::kTableWarningsMax)) {
      warnings_.push_back({code, column, std::move(message)});
    }
  }

  void LookAt(const Column& column) {
    LookAtKind(column);
    const auto missing = static_cast<double>(column.stats.missing_count);
    const double share = missing / static_cast<double>(std::max<int64_t>(table_.rows, 1));
    if (share > kMissingShareMax && column.kind != ColumnKind::kConstant) {
      Add(Code::kMostlyMissingColumn, column.name,
          absl::StrCat(std::round(share * 1000) / 10, " % of its cells are missing: what stands in for them will say more than the "
                       "cells do; leave it out, or ask for a missing_indicator"));
    }
    LookAtExtremes(column);
    LookAtCategories(column);
    LookForEqual(column);
  }

  void LookAtKind(const Column& column) {
    if (column.kind == ColumnKind::kConstant) {
      Add(Code::kConstantColumn, column.name,
          column.stats.missing_count == table_.rows
              ? "all its cells are missing: it teaches nothing"
              : "it is the same in every row: it teaches nothing");
    } else if (column.kind == ColumnKind::kIdentifier && !column.kind_given) {
      Add(Code::kIdentifierColumn, column.name,
          "it looks like a name or number of each row, which a network can only learn by heart: it is left out unless "
          "feature_columns name it");
    } else if (column.kind == ColumnKind::kFreeText && !column.kind_given) {
      Add(Code::kFreeTextColumn, column.name,
          absl::StrCat("it has ", column.stats.distinct_count,
                       " different texts, too many for categories: it is left out unless feature_columns name it, and is hashed "
                       "then"));
    }
  }

  void LookAtExtremes(const Column& column) {
    const std::vector<double>& quantiles = column.stats.quantiles;
    if (quantiles.size() != kQuantileProbabilities.size()) return;
    const double spread = quantiles[kNinetyFivePercent] - quantiles[kFivePercent];
    const double median = quantiles[kMedian];
    const double below = median - column.stats.min;
    const double above = column.stats.max - median;
    if (!(spread > 0) || std::max(below, above) <= kExtremeDistance * spread) return;
    const double extreme = above >= below ? column.stats.max : column.stats.min;
    Add(Code::kExtremeValues, column.name,
        absl::StrCat("it has ", NumberText(extreme), ", and 90 % of its cells are between ",
                     NumberText(quantiles[kFivePercent]), " and ",
                     NumberText(quantiles[kNinetyFivePercent]),
                     ": if that is a mistake or a code for \"missing\", mend the cells or name it in missing_markers; else scale the column "
                     "with robust"));
  }

  void LookAtCategories(const Column& column) {
    const bool compared = column.type == ColumnType::kText &&
                          column.kind != ColumnKind::kFreeText &&
                          column.kind != ColumnKind::kIdentifier &&
                          column.categories.size() <= kCategoriesComparedMax;
    if (!compared) return;
    absl::flat_hash_map<std::string, const std::string*> first_of;
    for (const std::string& category : column.categories) {
      std::string plain = absl::AsciiStrToLower(category);
      absl::RemoveExtraAsciiWhitespace(&plain);
      const auto [it, is_new] = first_of.emplace(std::move(plain), &category);
      if (is_new) continue;
      return Add(Code::kSimilarCategories, column.name,
                 absl::StrCat("\"", *it->second, "\" and \"", category,
                              "\" differ in case or spaces only and are two categories: spell them alike if they mean the same"));
    }
  }

  // With a column before it that has the same statistics and cells.
  void LookForEqual(const Column& column) {
    if (column.kind == ColumnKind::kConstant) return;
    const auto [begin, end] = seen_.equal_range(KeyOf(column));
    for (auto it = begin; it != end; ++it) {
      if (!SameCells(*it->second, column)) continue;
      return Add(Code::kDuplicateColumn, column.name,
                 absl::StrCat("it is equal to \"", it->second->name,
                              "\" in every row: leave one of both out"));
    }
    seen_.emplace(KeyOf(column), &column);
  }

  static double KeyOf(const Column& column) {
    return column.type == ColumnType::kNumeric
               ? column.stats.mean
               : static_cast<double>(column.stats.distinct_count);
  }

  static bool SameCells(const Column& a, const Column& b) {
    if (a.type != b.type || a.stats.missing_count != b.stats.missing_count ||
        a.stats.distinct_count != b.stats.distinct_count)
      return false;
    if (a.type == ColumnType::kText) return a.categories == b.categories && a.codes == b.codes;
    const auto same = [](double x, double y) { return x == y || (std::isnan(x) && std::isnan(y)); };
    return std::equal(a.numbers.begin(), a.numbers.end(), b.numbers.begin(), b.numbers.end(), same);
  }

  std::vector<uint64_t> RowHashes() const {
    std::vector<uint64_t> hashes(table_.rows, 0);
    for (const Column& column : table_.columns) {
      for (int64_t row = 0; row < table_.rows; ++row) {
        AddToRowHash(CellBits(column, row), &hashes[row]);
      }
      on_read_(column);
    }
    return hashes;
  }

  struct RowPair {
    int32_t before = 0;  // rows are at most limits::kDatasetRowsMax
    int32_t row = 0;
  };

  // Each row whose hash a row before has, with the first of those. Slice by slice, so that the map
  // of a large table stays small.
  std::vector<RowPair> RowsOfOneHash() const {
    const std::vector<uint64_t> hashes = RowHashes();
    std::vector<RowPair> pairs;
    for (uint64_t slice = 0; slice < kHashSlices; ++slice) {
      absl::flat_hash_map<uint64_t, int32_t> first_of;
      for (int32_t row = 0; row < static_cast<int32_t>(hashes.size()); ++row) {
        if (hashes[row] % kHashSlices != slice) continue;
        const auto [it, is_new] = first_of.emplace(hashes[row], row);
        if (!is_new) pairs.push_back({it->second, row});
      }
    }
    return pairs;
  }

  void LookAtRows() {
    if (table_.columns.empty()) return;
    std::vector<RowPair> equal = RowsOfOneHash();
    for (const Column& column : table_.columns) {
      if (equal.empty()) return;
      std::erase_if(equal, [&column](const RowPair& pair) {
        return CellBits(column, pair.before) != CellBits(column, pair.row);
      });
      on_read_(column);
    }
    if (equal.empty()) return;
    const RowPair first =
        *std::min_element(equal.begin(), equal.end(),
                          [](const RowPair& a, const RowPair& b) { return a.row < b.row; });
    Add(Code::kDuplicateRows, "",
        absl::StrCat(equal.size(), equal.size() == 1 ? " row is" : " rows are",
                     " equal to a row before, first row ", first.row, " to row ", first.before,
                     " (from 0): a random split has copies on both sides; remove them, or split by "
                     "a group_column"));
  }

  const Table& table_;
  const OnColumnRead& on_read_;
  std::vector<TableWarning> warnings_;
  std::multimap<double, const Column*> seen_;
};

}  // namespace

std::vector<TableWarning> FindTableWarnings(const Table& table, const OnColumnRead& on_read) {
  return Finder(table, on_read).Run();
}

}  // namespace trainyard
