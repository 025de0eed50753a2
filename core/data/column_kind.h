// What a column is for a model (ColumnKind), found from its name and its statistics, or given by
// the user. No cells are looked at. The rules, in this order; n is the number of cells that are not
// missing, d that of different values among them:
//
//   constant          no cell, or none missing and d = 1.
//   boolean           d = 2 and the two are 0 and 1, or -1 and 1, or in any case: yes no, y n, true
//   false, t f, on off. identifier        d = n of 20 or more, integers or text, and the name looks
//   like one (LooksLikeIdentifier);
//                     integers, none missing, a permutation of 0, 1, … or of 1, 2, … in 200 rows or
//                     more; text, d > 0.95 n of 50 or more, no value of which has a space in it.
//   free text         text: d > 1 000, or d > n/2 of 200 or more.
//   category          text.
//   integer category  integers, d at most 20, in 200 rows or more.
//   numeric           all other numbers. That all are different does not make an identifier:
//   measurements are so.
//
// Thread-safety: pure functions.
#ifndef TRAINYARD_CORE_DATA_COLUMN_KIND_H_
#define TRAINYARD_CORE_DATA_COLUMN_KIND_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "core/data/table.h"

namespace trainyard {

// REQUIRES: name, type, statistics and categories are there.
ColumnKind InferKind(const Column& column, int64_t rows);

// "id", "uuid", "guid", "key", "index", "idx", "row", "rowid", "row number", "rownames", "record",
// "unnamed: 0", "case id", "customer_id", "PassengerId", …: in any case, however its words are put
// together. Not "paid", not "consumer price index".
bool LooksLikeIdentifier(absl::string_view name);

// trainyard.v1.ColumnOverride: by name, or by index when that is not negative.
struct ColumnOverride {
  std::string name;
  int64_t index = -1;
  ColumnKind kind = ColumnKind::kUnspecified;
};

// The columns as overrides see them.
struct ColumnTypeOf {
  absl::string_view name;
  ColumnType type = ColumnType::kNumeric;
};

// The kind given to each column, kUnspecified where none is. CATEGORY of numbers leaves them of
// numeric type. Errors: INVALID_ARGUMENT/INVALID_REQUEST with every fault at `column_overrides[i]`:
// a column that is not there (with the one probably meant), one named twice, no kind, NUMERIC or
// INTEGER_CATEGORY for text, FREE_TEXT for numbers (a CSV column is text by then; see ingest.h).
absl::StatusOr<std::vector<ColumnKind>> ResolveOverrides(
    const std::vector<ColumnTypeOf>& columns, const std::vector<ColumnOverride>& overrides);

// "an identifier", "free text", …: what follows "it is" in a message. "" for kUnspecified.
absl::string_view KindName(ColumnKind kind);

}  // namespace trainyard

#endif  // TRAINYARD_CORE_DATA_COLUMN_KIND_H_
