// Rows of an upload whose features are also in a sealed table: who trains on the test inputs has
// memorised the answers. For staff only; to tell a student would itself be an oracle of the sealed
// rows.
//
//   TY_ASSIGN_OR_RETURN(CommonRows common, FindCommonRows(uploaded, sealed, feature_columns));
//
// Rows count as equal when every compared cell does: numbers to the bit (-0 is 0), texts byte by
// byte, missing is equal to missing; a number that is text in the other table is compared as text.
// Rows that were changed a little are not found.
//
// Thread-safety: a pure function. Memory: 8 bytes for each different sealed row.
#ifndef TRAINYARD_SERVER_GRADING_NEAR_DUPLICATES_H_
#define TRAINYARD_SERVER_GRADING_NEAR_DUPLICATES_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "core/data/table.h"

namespace trainyard {

struct CommonRows {
  // Rows of the upload that are in the sealed table, each as often as it is. Rows are compared by
  // 64-bit hashes: of 10 million rows each, one too many has a chance of 5e-6.
  int64_t uploaded_rows = 0;
  // Different rows of the sealed table that are in the upload.
  int64_t sealed_rows = 0;
  // Of the given columns those that both tables have.
  std::vector<std::string> columns;
};

// Compares the rows by those of `feature_columns` that both tables have. Errors:
// INVALID_ARGUMENT/INVALID_REQUEST when they have none of them in common.
absl::StatusOr<CommonRows> FindCommonRows(const Table& uploaded, const Table& sealed,
                                          const std::vector<std::string>& feature_columns);

}  // namespace trainyard

#endif  // TRAINYARD_SERVER_GRADING_NEAR_DUPLICATES_H_
