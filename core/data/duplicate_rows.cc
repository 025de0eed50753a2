#include "core/data/duplicate_rows.h"

#include <algorithm>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "core/base/limits.h"
#include "core/data/row_hash.h"

namespace trainyard {
namespace {

constexpr double kShareMin = 0.01;
constexpr double kShareOfFewMin = 0.1;
constexpr int64_t kRowsMin = 5;
constexpr size_t kExamplesMax = 3;

constexpr uint64_t kNoCategory = uint64_t{1} << 40;

// The feature columns of a table, cells as bits that are equal where cells are.
class FeatureCells {
 public:
  // Categories are those of `known`, which may be `columns` itself.
  FeatureCells(std::vector<const Column*> columns, const std::vector<const Column*>& known)
      : columns_(std::move(columns)) {
    codes_.resize(columns_.size());
    for (size_t c = 0; c < columns_.size(); ++c) {
      const bool recoded = columns_[c] != known[c] && columns_[c]->type == ColumnType::kText;
      if (recoded) codes_[c] = Recode(*columns_[c], *known[c]);
    }
  }

  size_t width() const { return columns_.size(); }

  uint64_t Bits(size_t c, int64_t row) const {
    const uint64_t bits = CellBits(*columns_[c], row);
    return codes_[c].empty() || bits == kMissingBits ? bits : codes_[c][bits];
  }

  // Column by column, in which cells are stored.
  std::vector<uint64_t> Hashes(const std::vector<int64_t>& rows) const {
    std::vector<uint64_t> hashes(rows.size(), 0);
    for (size_t c = 0; c < width(); ++c) {
      for (size_t i = 0; i < rows.size(); ++i) {
        AddToRowHash(Bits(c, rows[i]), &hashes[i]);
      }
    }
    return hashes;
  }

 private:
  static std::vector<uint64_t> Recode(const Column& column, const Column& known) {
    absl::flat_hash_map<absl::string_view, uint64_t> index;
    for (const std::string& category : known.categories) index.emplace(category, index.size());
    std::vector<uint64_t> codes;
    for (const std::string& category : column.categories) {
      const auto it = index.find(category);
      codes.push_back(it != index.end() ? it->second : kNoCategory + codes.size());
    }
    return codes;
  }

  std::vector<const Column*> columns_;
  std::vector<std::vector<uint64_t>> codes_;  // [columns]; empty where a code stands for itself
};

struct Place {
  const FeatureCells* cells;
  absl::string_view part;
  int64_t row;
};

bool SameFeatures(const Place& a, const Place& b) {
  for (size_t c = 0; c < a.cells->width(); ++c) {
    if (a.cells->Bits(c, a.row) != b.cells->Bits(c, b.row)) return false;
  }
  return true;
}

// One part, and what was found in it.
struct PartRows {
  const FeatureCells* cells;
  absl::string_view part;
  absl::string_view others;  // the parts it is compared with
  int64_t size = 0;
  std::vector<int64_t> rows;  // that are looked at
};

class DuplicateFinder {
 public:
  explicit DuplicateFinder(const DataToDiagnose& data) : data_(data) {}

  std::vector<std::string> Run() {
    const std::vector<const Column*> columns = FeatureColumns(data_.table, data_.dataset.config);
    std::vector<const Column*> test_columns = columns;
    if (data_.test_table != nullptr) {
      test_columns = FeatureColumns(*data_.test_table, data_.dataset.config);
    }
    if (!Comparable(columns, columns) || !Comparable(test_columns, columns)) return {};
    const FeatureCells cells(columns, columns);
    const FeatureCells test_cells(std::move(test_columns), columns);
    const RowSplit& split = data_.split;
    const std::vector<int64_t> test = TestRows();
    const size_t all = split.train.size() + split.validation.size() + test.size();
    ChooseShare(static_cast<int64_t>(all), static_cast<int64_t>(cells.width()));

    Remember(LookAt(cells, "training", "", split.train));
    const PartRows validation = LookAt(cells, "validation", "training", split.validation);
    Compare(validation);
    Remember(validation);
    Compare(LookAt(test_cells, "test", "training or validation", test));
    return std::move(messages_);
  }

 private:
  static bool Comparable(const std::vector<const Column*>& columns,
                         const std::vector<const Column*>& known) {
    for (size_t c = 0; c < columns.size(); ++c) {
      if (columns[c] == nullptr || known[c] == nullptr || columns[c]->type != known[c]->type) {
        return false;
      }
    }
    return !columns.empty();
  }

  std::vector<int64_t> TestRows() const {
    if (data_.test_table == nullptr) return data_.split.test;
    return EvenlySpaced(data_.test_table->rows, data_.test_table->rows);
  }

  void ChooseShare(int64_t rows, int64_t width) {
    const int64_t rows_max =
        std::min(limits::kDuplicateRowsMax, limits::kDuplicateCellsMax / width);
    if (rows <= rows_max) return;
    share_ = static_cast<double>(rows_max) / static_cast<double>(rows);
  }

  PartRows LookAt(const FeatureCells& cells, absl::string_view part, absl::string_view others,
                  const std::vector<int64_t>& rows) const {
    PartRows looked{
        .cells = &cells, .part = part, .others = others, .size = static_cast<int64_t>(rows.size())};
    const auto count = static_cast<int64_t>(share_ * static_cast<double>(rows.size()));
    for (const int64_t i : EvenlySpaced(count, looked.size)) looked.rows.push_back(rows[i]);
    return looked;
  }

  void Remember(const PartRows& part) {
    const std::vector<uint64_t> hashes = part.cells->Hashes(part.rows);
    for (size_t i = 0; i < hashes.size(); ++i) {
      first_of_hash_.try_emplace(hashes[i], Place{part.cells, part.part, part.rows[i]});
    }
  }

  void Compare(const PartRows& part) {
    const std::vector<uint64_t> hashes = part.cells->Hashes(part.rows);
    int64_t count = 0;
    std::vector<std::string> examples;
    for (size_t i = 0; i < hashes.size(); ++i) {
      const auto found = first_of_hash_.find(hashes[i]);
      const Place here{part.cells, part.part, part.rows[i]};
      if (found == first_of_hash_.end() || !SameFeatures(here, found->second)) continue;
      ++count;
      if (examples.size() == kExamplesMax) continue;
      examples.push_back(absl::StrCat("row ", here.row, " is row ", found->second.row, " (",
                                      found->second.part, ")"));
    }
    Judge(part, count, examples);
  }

  void Judge(const PartRows& part, int64_t count, const std::vector<std::string>& examples) {
    const auto looked_at = static_cast<int64_t>(part.rows.size());
    const double share = static_cast<double>(count) / static_cast<double>(looked_at);
    const bool few = count < kRowsMin && share < kShareOfFewMin;
    if (count == 0 || share < kShareMin || few) return;
    const std::string thinned =
        looked_at == part.size
            ? ""
            : absl::StrCat(" (of ", part.size, ", compared with as large a share of the others)");
    messages_.push_back(absl::StrCat(count, " of ", looked_at, " ", part.part, " rows", thinned,
                                     ", ", PercentText(share), ", have the features of a ",
                                     part.others, " row: ", absl::StrJoin(examples, ", "),
                                     count > static_cast<int64_t>(examples.size()) ? ", …" : "",
                                     "; they measure what is remembered, not what is learned: "
                                     "upload each row once, or keep rows "
                                     "that belong together in one part with split.group_column"));
  }

  const DataToDiagnose& data_;
  double share_ = 1;
  absl::flat_hash_map<uint64_t, Place> first_of_hash_;
  std::vector<std::string> messages_;
};

}  // namespace

std::vector<std::string> FindDuplicateRows(const DataToDiagnose& data) {
  return DuplicateFinder(data).Run();
}

}  // namespace trainyard
