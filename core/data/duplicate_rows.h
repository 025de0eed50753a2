// FindDuplicateRows looks for validation rows whose features are, cell by cell, those of a training
// row, and for test rows whose features are those of a training or validation row. Such rows
// measure what the network remembers, not what it learned. Rows are found by a hash and then
// compared; of rows with one hash only the first is compared with.
//
// A few are chance where values are coarse (iris has three such pairs in 150 rows): nothing is said
// below 1 % of a part's rows, nor of fewer than five rows that are less than a tenth of them.
//
// Thread-safety: pure.
#ifndef TRAINYARD_CORE_DATA_DUPLICATE_ROWS_H_
#define TRAINYARD_CORE_DATA_DUPLICATE_ROWS_H_

#include <string>
#include <vector>

#include "core/data/data_warnings.h"

namespace trainyard {

// One message for each of validation and test that has them, with the first examples.
std::vector<std::string> FindDuplicateRows(const DataToDiagnose& data);

}  // namespace trainyard

#endif  // TRAINYARD_CORE_DATA_DUPLICATE_ROWS_H_
