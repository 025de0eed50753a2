// A table of the user as messages of the contract: CSV whose header names their fields.
//
//   v1::Roster roster;
//   TY_RETURN_IF_ERROR(ReadCsvRows(text, {.required = {"user", "role"}},
//                                  [&] { return roster.add_enrolments(); }));
//
// A column is called by the name of a field, or by that of a field of one of its messages when no
// other has that name (`email` for external.email); the case of letters does not matter. Cells are
// read by the rules of spec files (proto_text.h), without blanks around them; an empty cell sets
// nothing, that of a repeated field is a list with spaces between. Delimiter and quote are found
// out (core/data/csv_dialect.h), a byte order mark is skipped.
//
// Thread-safety: pure functions.
#ifndef TRAINYARD_CLIENT_PROTO_CSV_H_
#define TRAINYARD_CLIENT_PROTO_CSV_H_

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "google/protobuf/message.h"

namespace trainyard {

inline constexpr int64_t kCsvTextBytesMax = int64_t{16} << 20;
// Faults listed of one table; the last entry says that there are more.
inline constexpr size_t kCsvFaultsMax = 100;

struct CsvRowOptions {
  std::vector<std::string> required;  // fields that every row must give
  // A column with numbers of up to two decimals for a field in hundredths, e.g. "points" for
  // "hundredths"; without a name there is none.
  std::string decimal_column, decimal_field;
};

// Calls `add` for every row but the header, and fills what it returns. Errors: a usage error
// (INVALID_REQUEST) with every fault and its line: an unknown or repeated column, a required one or
// cell that is missing, too many cells in a row, a cell that cannot be read; text that is no CSV.
// Then some rows may have been added. REQUIRES: `add` always returns messages of one type.
absl::Status ReadCsvRows(absl::string_view text, const CsvRowOptions& options,
                         const std::function<google::protobuf::Message*()>& add);

// Names of the columns, in lower case.
absl::StatusOr<std::vector<std::string>> ReadCsvHeader(absl::string_view text);

// "7.5" → 750, "-0.05" → -5: at most two decimals, a point between, at most 12 digits before it;
// nullopt for anything else.
std::optional<int64_t> ParseHundredths(absl::string_view text);

}  // namespace trainyard

#endif  // TRAINYARD_CLIENT_PROTO_CSV_H_
