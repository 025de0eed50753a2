// The flags that say how to read a file, for every command that takes one. What is not given is
// detected.
//
//   v1::FinalizeDatasetRequest request;
//   AddCsvFlags(command, request.mutable_csv());
//   AddTableFlags(command, &request);        // app.parse() fills it
//
// Thread-safety: none; the messages must remain live until the app has parsed.
#ifndef TRAINYARD_CLIENT_CSV_FLAGS_H_
#define TRAINYARD_CLIENT_CSV_FLAGS_H_

#include <string>

#include "CLI/CLI.hpp"
#include "absl/strings/string_view.h"
#include "trainyard/v1/dataset.pb.h"

namespace trainyard {

// How CSV is written: --delimiter, --header, --quote, --missing-marker and their kin.
void AddCsvFlags(CLI::App* command, v1::CsvOptions* csv);
// What only a dataset has: --format, --bad-rows-max, --column-kind, --npz-array.
void AddTableFlags(CLI::App* command, v1::FinalizeDatasetRequest* request);

// "quality=category", or "#3=category" by 0-based index, into `column`. Returns what is wrong;
// empty when all is well.
std::string ParseColumnKind(absl::string_view text, v1::ColumnOverride* column);

}  // namespace trainyard

#endif  // TRAINYARD_CLIENT_CSV_FLAGS_H_
