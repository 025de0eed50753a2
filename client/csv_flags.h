// The flags that say how to read a CSV file, for every command that takes one.
//
// Thread-safety: none; `*csv` must remain live until the app has parsed.
#ifndef TRAINYARD_CLIENT_CSV_FLAGS_H_
#define TRAINYARD_CLIENT_CSV_FLAGS_H_

#include "CLI/CLI.hpp"
#include "trainyard/v1/dataset.pb.h"

namespace trainyard {

// --delimiter and --header.
void AddCsvFlags(CLI::App* command, v1::CsvOptions* csv);
// --bad-rows-max, where rows may be dropped.
void AddBadRowsFlag(CLI::App* command, v1::CsvOptions* csv);

}  // namespace trainyard

#endif  // TRAINYARD_CLIENT_CSV_FLAGS_H_
