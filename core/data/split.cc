#include "core/data/split.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <tuple>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "core/base/check.h"
#include "core/base/error_info.h"
#include "core/base/hash.h"
#include "core/base/rng.h"
#include "core/base/status_macros.h"
#include "core/data/dataset.h"
#include "core/data/number.h"

namespace trainyard {
namespace {

// Of a row that is for the test, among the numbers of folds.
constexpr int32_t kTestFold = -1;

uint64_t SplitKey(uint64_t seed, uint64_t substream) {
  return Rng(seed, RngStream::kSplit, substream).Next64();
}

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

// Rows that a fold gets when `rows` are dealt out, the first of them to fold `first`.
int64_t FoldShare(int64_t rows, int64_t first, int64_t fold, int64_t fold_count) {
  const int64_t distance = (fold - first % fold_count + fold_count) % fold_count;
  return rows / fold_count + (distance < rows % fold_count ? 1 : 0);
}

using Keyed = std::pair<uint64_t, int64_t>;  // ties by row

std::vector<Keyed> KeyRows(std::span<const int64_t> rows, uint64_t seed) {
  std::vector<Keyed> keyed;
  keyed.reserve(rows.size());
  for (const int64_t row : rows)
    keyed.emplace_back(SplitKey(seed, static_cast<uint64_t>(row)), row);
  return keyed;
}

// Marks the rows of one class (or all rows): those first in the order of Philox(seed, row) are
// test, the next validation.
void Assign(std::span<const int64_t> rows, const SplitCounts& counts, uint64_t seed,
            std::vector<PartId>* parts) {
  std::vector<Keyed> keyed = KeyRows(rows, seed);
  const auto test_end = keyed.begin() + counts.test;
  const auto validation_end = test_end + counts.validation;
  std::nth_element(keyed.begin(), test_end, keyed.end());
  std::nth_element(test_end, validation_end, keyed.end());
  for (auto it = keyed.begin(); it != validation_end; ++it) {
    (*parts)[it->second] = it < test_end ? PartId::kTest : PartId::kValidation;
  }
}

// Deals out the rows of one class (or all rows): the first `test` in their order are test, the
// rest go to the folds in turn. `dealt` counts those over all classes.
void Deal(std::span<const int64_t> rows, int64_t test, int64_t fold_count, uint64_t seed,
          int64_t* dealt, std::vector<int32_t>* folds) {
  std::vector<Keyed> keyed = KeyRows(rows, seed);
  std::sort(keyed.begin(), keyed.end());
  for (size_t i = 0; i < keyed.size(); ++i) {
    const bool is_test = static_cast<int64_t>(i) < test;
    (*folds)[keyed[i].second] = is_test ? kTestFold : static_cast<int32_t>((*dealt)++ % fold_count);
  }
}

PartId PartOfFold(int32_t fold, int64_t validating) {
  if (fold == kTestFold) return PartId::kTest;
  return fold == validating ? PartId::kValidation : PartId::kTrain;
}

// The rows of each class; all in one when the split is not stratified.
std::vector<std::vector<int64_t>> RowsByClass(int64_t rows, const SplitConfig& config,
                                              std::span<const int32_t> classes) {
  std::vector<std::vector<int64_t>> by_class(1);
  for (int64_t row = 0; row < rows; ++row) {
    const auto c = config.stratify ? static_cast<size_t>(classes[row]) : size_t{0};
    if (c >= by_class.size()) by_class.resize(c + 1);
    by_class[c].push_back(row);
  }
  return by_class;
}

RowSplit SplitOfParts(std::span<const PartId> parts) {
  RowSplit split;
  for (size_t row = 0; row < parts.size(); ++row) {
    std::vector<int64_t>& part = parts[row] == PartId::kTrain        ? split.train
                                 : parts[row] == PartId::kValidation ? split.validation
                                                                     : split.test;
    part.push_back(static_cast<int64_t>(row));
  }
  return split;
}

absl::Status SplitError(absl::string_view field, std::string description) {
  return MakeViolationsError(ErrorReason::kInvalidSpec,
                             {{absl::StrCat("split.", field), std::move(description)}});
}

absl::Status MissingCell(absl::string_view field, const Column& column, int64_t row) {
  return SplitError(field, absl::StrCat("row ", row, ", column \"", column.name,
                                        "\": the cell is missing; fill it or remove the row"));
}

absl::StatusOr<const Column*> FindColumn(const Table& table, absl::string_view field,
                                         absl::string_view name) {
  const Column* column = table.FindColumn(name);
  if (column == nullptr) return SplitError(field, absl::StrCat("no column \"", name, "\""));
  return column;
}

bool IsMissing(const Column& column, int64_t row) {
  return column.type == ColumnType::kText ? column.codes[row] == Column::kMissingCode
                                          : std::isnan(column.numbers[row]);
}

struct Groups {
  std::vector<int32_t> of_row;     // [rows] index into names
  std::vector<std::string> names;  // in order of appearance
};

// -0 and 0 print alike and are one group.
int32_t NumberGroup(double number, absl::flat_hash_map<double, int32_t>* index, Groups* groups) {
  const double value = number == 0 ? 0 : number;
  const auto [it, is_new] = index->try_emplace(value, static_cast<int32_t>(groups->names.size()));
  if (is_new) groups->names.push_back(NumberText(value));
  return it->second;
}

// A table's categories may be more than its rows have.
int32_t TextGroup(const Column& column, int32_t code, std::vector<int32_t>* index, Groups* groups) {
  int32_t& group = (*index)[code];
  if (group >= 0) return group;
  group = static_cast<int32_t>(groups->names.size());
  groups->names.push_back(column.categories[code]);
  return group;
}

absl::StatusOr<Groups> GroupsOf(const Column& column, int64_t rows) {
  Groups groups;
  groups.of_row.reserve(rows);
  std::vector<int32_t> by_code(column.categories.size(), -1);
  absl::flat_hash_map<double, int32_t> by_number;
  for (int64_t row = 0; row < rows; ++row) {
    if (IsMissing(column, row)) return MissingCell("group_column", column, row);
    groups.of_row.push_back(column.type == ColumnType::kText
                                ? TextGroup(column, column.codes[row], &by_code, &groups)
                                : NumberGroup(column.numbers[row], &by_number, &groups));
  }
  return groups;
}

// The groups' indices in the order in which they are given out.
std::vector<int32_t> OrderGroups(const Groups& groups, uint64_t seed) {
  std::vector<std::tuple<uint64_t, absl::string_view, int32_t>> keyed;
  for (const std::string& name : groups.names) {
    keyed.emplace_back(SplitKey(seed, StableHash(name)), name, static_cast<int32_t>(keyed.size()));
  }
  std::sort(keyed.begin(), keyed.end());
  std::vector<int32_t> order;
  for (const auto& [key, name, index] : keyed) order.push_back(index);
  return order;
}

// `rank` is a group's place in the order.
PartId PartOfGroup(int64_t rank, const SplitCounts& counts, const SplitConfig& config,
                   int64_t fold) {
  if (rank < counts.test) return PartId::kTest;
  if (config.fold_count > 0) {
    return PartOfFold(static_cast<int32_t>((rank - counts.test) % config.fold_count), fold);
  }
  return rank < counts.test + counts.validation ? PartId::kValidation : PartId::kTrain;
}

absl::StatusOr<RowSplit> SplitByGroup(const Table& table, const SplitConfig& config, uint64_t seed,
                                      int64_t fold) {
  TY_ASSIGN_OR_RETURN(const Column* column, FindColumn(table, "group_column", config.group_column));
  TY_ASSIGN_OR_RETURN(const Groups groups, GroupsOf(*column, table.rows));
  const auto group_count = static_cast<int64_t>(groups.names.size());
  if (group_count < GroupsNeeded(config)) {
    return SplitError("group_column",
                      absl::StrCat("column \"", column->name, "\" has ", group_count,
                                   " groups, too few for ", GroupsNeeded(config), " parts"));
  }
  const SplitCounts counts = CountGroupSplit(group_count, config, fold);
  const std::vector<int32_t> order = OrderGroups(groups, seed);
  std::vector<PartId> part_of_group(order.size());
  for (size_t rank = 0; rank < order.size(); ++rank) {
    part_of_group[order[rank]] = PartOfGroup(static_cast<int64_t>(rank), counts, config, fold);
  }
  std::vector<PartId> parts(table.rows);
  for (int64_t row = 0; row < table.rows; ++row) parts[row] = part_of_group[groups.of_row[row]];
  return SplitOfParts(parts);
}

absl::StatusOr<RowSplit> SplitByTime(const Table& table, const SplitConfig& config) {
  TY_ASSIGN_OR_RETURN(const Column* column, FindColumn(table, "time_column", config.time_column));
  for (int64_t row = 0; row < table.rows; ++row) {
    if (IsMissing(*column, row)) return MissingCell("time_column", *column, row);
  }
  std::vector<int64_t> order(table.rows);
  std::iota(order.begin(), order.end(), int64_t{0});
  // Categories are sorted bytewise, so that codes are in the order of their text.
  const bool is_text = column->type == ColumnType::kText;
  std::stable_sort(order.begin(), order.end(), [&](int64_t a, int64_t b) {
    return is_text ? column->codes[a] < column->codes[b] : column->numbers[a] < column->numbers[b];
  });
  const SplitCounts counts = CountSplit(table.rows, config);
  std::vector<PartId> parts(table.rows, PartId::kTrain);
  for (int64_t i = counts.train; i < table.rows; ++i) {
    parts[order[i]] = i < counts.train + counts.validation ? PartId::kValidation : PartId::kTest;
  }
  return SplitOfParts(parts);
}

absl::StatusOr<RowSplit> SplitByPart(const Table& table, const SplitConfig& config) {
  constexpr absl::string_view kField = "part_column";
  TY_ASSIGN_OR_RETURN(const Column* column, FindColumn(table, kField, config.part_column));
  if (column->type != ColumnType::kText) {
    return SplitError(kField, absl::StrCat("column \"", column->name, "\" is numbers"));
  }
  std::vector<std::optional<PartId>> part_of_code;
  for (const std::string& word : column->categories) part_of_code.push_back(ParsePartId(word));
  std::vector<PartId> parts(table.rows);
  for (int64_t row = 0; row < table.rows; ++row) {
    if (IsMissing(*column, row)) return MissingCell(kField, *column, row);
    const int32_t code = column->codes[row];
    if (!part_of_code[code].has_value()) {
      return SplitError(kField, absl::StrCat("row ", row, ", column \"", column->name,
                                             "\": cannot read \"", column->categories[code],
                                             "\" as train, validation (val, valid) or test"));
    }
    parts[row] = *part_of_code[code];
  }
  RowSplit split = SplitOfParts(parts);
  if (!split.train.empty()) return split;
  return SplitError(kField, absl::StrCat("column \"", column->name, "\" has no row for \"train\""));
}

// What a part column's listed values sum up to; all rows where it is not to be had.
SplitCounts CountPartColumn(const Schema& schema, absl::string_view name) {
  SplitCounts counts{.train = schema.rows};
  for (const ColumnInfo& column : schema.columns) {
    if (column.name != name) continue;
    for (size_t i = 0; i < column.value_counts.size(); ++i) {
      const PartId part = ParsePartId(column.values[i]).value_or(PartId::kTrain);
      if (part == PartId::kValidation) counts.validation += column.value_counts[i];
      if (part == PartId::kTest) counts.test += column.value_counts[i];
    }
  }
  counts.train -= counts.validation + counts.test;
  return counts;
}

}  // namespace

SplitCounts CountSplit(int64_t rows, const SplitConfig& config, int64_t fold) {
  const auto share = [rows](const std::optional<double>& fraction) {
    return std::llround(static_cast<double>(rows) * fraction.value_or(0));
  };
  SplitCounts counts;
  counts.test = std::min<int64_t>(share(config.test_fraction), rows);
  const int64_t left = rows - counts.test;
  counts.validation = config.fold_count > 0
                          ? FoldShare(left, 0, fold, config.fold_count)
                          : std::min<int64_t>(share(config.validation_fraction), left);
  counts.train = left - counts.validation;
  return counts;
}

std::vector<SplitCounts> CountStratifiedSplit(std::span<const int64_t> class_rows,
                                              const SplitConfig& config, int64_t fold) {
  const int64_t rows = std::accumulate(class_rows.begin(), class_rows.end(), int64_t{0});
  const SplitCounts total = CountSplit(rows, config);
  const std::vector<int64_t> test =
      Apportion(total.test, config.test_fraction.value_or(0), class_rows, class_rows);
  std::vector<int64_t> left(class_rows.begin(), class_rows.end());
  for (size_t c = 0; c < left.size(); ++c) left[c] -= test[c];
  std::vector<int64_t> validation;
  if (config.fold_count == 0) {
    validation =
        Apportion(total.validation, config.validation_fraction.value_or(0), class_rows, left);
  }
  int64_t dealt = 0;
  for (size_t c = 0; config.fold_count > 0 && c < left.size(); ++c) {
    validation.push_back(FoldShare(left[c], dealt, fold, config.fold_count));
    dealt += left[c];
  }
  std::vector<SplitCounts> counts(class_rows.size());
  for (size_t c = 0; c < counts.size(); ++c)
    counts[c] = {left[c] - validation[c], validation[c], test[c]};
  return counts;
}

SplitCounts CountGroupSplit(int64_t groups, const SplitConfig& config, int64_t fold) {
  SplitCounts counts = CountSplit(groups, config, fold);
  const int64_t test_min = config.test_fraction.value_or(0) > 0 ? 1 : 0;
  if (config.fold_count > 0) {
    counts.test = std::clamp(counts.test, test_min, groups - config.fold_count);
    counts.validation = FoldShare(groups - counts.test, 0, fold, config.fold_count);
  } else {
    const int64_t validation_min = config.validation_fraction.value_or(0) > 0 ? 1 : 0;
    counts.test = std::clamp(counts.test, test_min, groups - validation_min - 1);
    counts.validation = std::clamp(counts.validation, validation_min, groups - counts.test - 1);
  }
  counts.train = groups - counts.test - counts.validation;
  return counts;
}

int64_t GroupsNeeded(const SplitConfig& config) {
  const int64_t test = config.test_fraction.value_or(0) > 0 ? 1 : 0;
  if (config.fold_count > 0) return config.fold_count + test;
  return 1 + test + (config.validation_fraction.value_or(0) > 0 ? 1 : 0);
}

SplitCounts CountSplit(const Schema& schema, const SplitConfig& config, int64_t fold) {
  if (!config.part_column.empty()) return CountPartColumn(schema, config.part_column);
  return CountSplit(schema.rows, config, fold);
}

bool HasValidation(const Schema& schema, const SplitConfig& config) {
  if (config.fold_count > 0) return true;
  if (!config.part_column.empty()) return CountSplit(schema, config).validation > 0;
  return config.validation_fraction.value_or(0) > 0;
}

bool IsClassTooSmall(const SplitCounts& counts, const SplitConfig& config) {
  if (counts.test == 0 && config.test_fraction.value_or(0) > 0) return true;
  // A fold gets none when there are fewer rows than folds, whichever fold validates here.
  if (config.fold_count > 0) return counts.train + counts.validation < config.fold_count;
  return counts.train == 0 ||
         (counts.validation == 0 && config.validation_fraction.value_or(0) > 0);
}

std::string DescribeTooSmallClass(absl::string_view name, int64_t rows) {
  return absl::StrCat("class \"", name, "\" has ", rows, rows == 1 ? " row" : " rows",
                      ", too few for one in each part; set stratify to false, raise the fractions, "
                      "lower fold_count, or add rows of it");
}

std::optional<PartId> ParsePartId(absl::string_view word) {
  const std::string lower = absl::AsciiStrToLower(word);
  if (lower == "train") return PartId::kTrain;
  if (lower == "test") return PartId::kTest;
  if (lower == "validation" || lower == "val" || lower == "valid") return PartId::kValidation;
  return std::nullopt;
}

RowSplit SplitRows(int64_t rows, const SplitConfig& config, std::span<const int32_t> classes,
                   uint64_t seed, int64_t fold) {
  const std::vector<std::vector<int64_t>> by_class = RowsByClass(rows, config, classes);
  std::vector<int64_t> class_rows;
  for (const auto& members : by_class) class_rows.push_back(static_cast<int64_t>(members.size()));
  std::vector<SplitCounts> counts = {CountSplit(rows, config, fold)};
  if (config.stratify) counts = CountStratifiedSplit(class_rows, config, fold);

  std::vector<PartId> parts(rows, PartId::kTrain);
  if (config.fold_count == 0) {
    for (size_t c = 0; c < by_class.size(); ++c) Assign(by_class[c], counts[c], seed, &parts);
    return SplitOfParts(parts);
  }
  std::vector<int32_t> folds(rows);
  int64_t dealt = 0;
  for (size_t c = 0; c < by_class.size(); ++c) {
    Deal(by_class[c], counts[c].test, config.fold_count, seed, &dealt, &folds);
  }
  for (int64_t row = 0; row < rows; ++row) parts[row] = PartOfFold(folds[row], fold);
  return SplitOfParts(parts);
}

absl::StatusOr<RowSplit> SplitTable(const Table& table, const SplitConfig& config,
                                    std::span<const int32_t> classes, uint64_t seed, int64_t fold) {
  if (!config.group_column.empty()) return SplitByGroup(table, config, seed, fold);
  if (!config.time_column.empty()) return SplitByTime(table, config);
  if (!config.part_column.empty()) return SplitByPart(table, config);
  return SplitRows(table.rows, config, classes, seed, fold);
}

}  // namespace trainyard
