#include "server/grading/near_duplicates.h"

#include <bit>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "core/base/error_info.h"
#include "core/base/hash.h"
#include "core/data/number.h"
#include "core/data/row_hash.h"

namespace trainyard {
namespace {

// Every bit of the result depends on every bit of `bits` (MurmurHash3's finaliser). Doubles of
// whole numbers differ in a few high bits only, and here no row is compared again after its hash.
uint64_t Mixed(uint64_t bits) {
  bits = (bits ^ (bits >> 33)) * 0xff51afd7ed558ccdu;
  bits = (bits ^ (bits >> 33)) * 0xc4ceb9fe1a85ec53u;
  return bits ^ (bits >> 33);
}

// The hashes that stand for the categories of a text column, by code.
std::vector<uint64_t> CategoryHashes(const Column& column) {
  std::vector<uint64_t> hashes;
  hashes.reserve(column.categories.size());
  for (const std::string& category : column.categories) hashes.push_back(StableHash(category));
  return hashes;
}

uint64_t TextBits(const Column& column, const std::vector<uint64_t>& hashes, int64_t row) {
  const int32_t code = column.codes[row];
  return code == Column::kMissingCode ? kMissingBits : hashes[code];
}

// A number where the other table has text: the text that it prints as.
uint64_t NumberTextBits(const Column& column, int64_t row) {
  const uint64_t bits = CellBits(column, row);
  return bits == kMissingBits ? bits : StableHash(NumberText(std::bit_cast<double>(bits)));
}

void AddColumn(const Column& column, bool as_text, std::vector<uint64_t>* hashes) {
  const auto rows = static_cast<int64_t>(hashes->size());
  if (column.type == ColumnType::kText) {
    const std::vector<uint64_t> categories = CategoryHashes(column);
    for (int64_t r = 0; r < rows; ++r) {
      AddToRowHash(Mixed(TextBits(column, categories, r)), &(*hashes)[r]);
    }
    return;
  }
  for (int64_t r = 0; r < rows; ++r) {
    const uint64_t bits = as_text ? NumberTextBits(column, r) : CellBits(column, r);
    AddToRowHash(Mixed(bits), &(*hashes)[r]);
  }
}

// Of the rows of `table`; numbers as text where `other` has text.
std::vector<uint64_t> RowHashes(const Table& table, const Table& other,
                                const std::vector<std::string>& columns) {
  std::vector<uint64_t> hashes(table.rows, 0);
  for (const std::string& name : columns) {
    const bool as_text = other.FindColumn(name)->type == ColumnType::kText;
    AddColumn(*table.FindColumn(name), as_text, &hashes);
  }
  return hashes;
}

}  // namespace

absl::StatusOr<CommonRows> FindCommonRows(const Table& uploaded, const Table& sealed,
                                          const std::vector<std::string>& feature_columns) {
  CommonRows common;
  for (const std::string& name : feature_columns) {
    const bool both = uploaded.FindColumn(name) != nullptr && sealed.FindColumn(name) != nullptr;
    if (both) common.columns.push_back(name);
  }
  if (common.columns.empty()) {
    return MakeViolationsError(
        ErrorReason::kInvalidRequest,
        {{"feature_columns", absl::StrCat("are \"", absl::StrJoin(feature_columns, "\", \""),
                                          "\", none of which both tables have; name some that "
                                          "they share")}});
  }
  const std::vector<uint64_t> theirs = RowHashes(uploaded, sealed, common.columns);
  const std::vector<uint64_t> ours = RowHashes(sealed, uploaded, common.columns);
  const absl::flat_hash_set<uint64_t> known(ours.begin(), ours.end());
  absl::flat_hash_set<uint64_t> met;
  for (const uint64_t hash : theirs) {
    if (!known.contains(hash)) continue;
    ++common.uploaded_rows;
    met.insert(hash);
  }
  common.sealed_rows = static_cast<int64_t>(met.size());
  return common;
}

}  // namespace trainyard
