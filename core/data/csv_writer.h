// Fields of a CSV file that we write: quoted by RFC 4180 where they must be.
//
// Thread-safety: pure functions.
#ifndef TRAINYARD_CORE_DATA_CSV_WRITER_H_
#define TRAINYARD_CORE_DATA_CSV_WRITER_H_

#include <string>

#include "absl/strings/string_view.h"

namespace trainyard {

// Appends `field` as it is, or in double quotes when it has a quote, a line break or `delimiter` in
// it.
void AppendCsvField(absl::string_view field, char delimiter, std::string* out);

}  // namespace trainyard

#endif  // TRAINYARD_CORE_DATA_CSV_WRITER_H_
