// What the first record of a CSV file says: whether it names the columns, and the names. Ingest and
// prediction use the same rules.
//
// Thread-safety: pure functions.
#ifndef TRAINYARD_CORE_DATA_CSV_HEADER_H_
#define TRAINYARD_CORE_DATA_CSV_HEADER_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "core/data/csv_reader.h"

namespace trainyard {

// True when `first` names the columns: options.header says so, or it looks like it (no cell is a
// number, and all are different and not empty). csv_dialect.h looks at the other records, too.
bool HasHeader(const CsvRecord& first, const CsvOptions& options);

// The trimmed names of `first`, in order.
// Errors: INVALID_ARGUMENT/DATASET_REJECTED with one violation per faulty name (empty, twice, not
// UTF-8), RESOURCE_EXHAUSTED/TOO_LARGE beyond limits::kColumnNameBytesMax.
absl::StatusOr<std::vector<std::string>> HeaderNames(const CsvRecord& first,
                                                     const CsvOptions& options);

// "c0", "c1", …: the names of a file without header.
std::vector<std::string> DefaultNames(size_t count);

}  // namespace trainyard

#endif  // TRAINYARD_CORE_DATA_CSV_HEADER_H_
