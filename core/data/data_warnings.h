// DiagnoseData looks at a dataset that is ready for training for what spoils a model although
// nothing is wrong with the spec, and says of each what and where it is and what to do:
// - a feature that equals or nearly determines the target (target_leaks.h);
// - rows of one part whose features are those of a row of another (duplicate_rows.h);
// - a class or label with fewer than two rows in a part;
// - severe imbalance of the training rows: a class with less than 1 % of them (of more than ten
//   classes: less than a tenth of an even share) or over 100 times smaller than the largest, a
//   label that is almost always or almost never 1, a number that almost every row has; with how
//   often a constant answer would be right;
// - categories of validation or test rows that no training row has, in 1 % of them or more;
// - features that are constant in the training rows, though not in the table;
// - numbers that are learned from as they are and are far from the range networks learn well in: a
//   mean or standard deviation beyond 100, or deviations that differ by a factor over 1 000.
//
//   for (std::string& note : DiagnoseData({.table = table, .dataset = dataset, .split = split})) …
//
// Thread-safety: pure. Work: a few passes over the features at most, less in large tables: see
// limits::kLeakCellsMax and those beside it; a message says so where not all rows were looked at.
// Rows are 0-based and, of a separate test table, its own.
#ifndef TRAINYARD_CORE_DATA_DATA_WARNINGS_H_
#define TRAINYARD_CORE_DATA_DATA_WARNINGS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "core/data/dataset.h"
#include "core/data/split.h"
#include "core/data/table.h"

namespace trainyard {

struct DataToDiagnose {
  const Table& table;
  const Dataset& dataset;  // built of `table`, `split` and `test_table`
  const RowSplit& split;
  const Table* test_table = nullptr;  // whose rows are the test rows; or null
};

// At most limits::kDataWarningsMax messages, the gravest kinds first; the last one then says how
// many are left out.
std::vector<std::string> DiagnoseData(const DataToDiagnose& data);

// Words that the finders of single kinds share.

// 12.3 %
std::string PercentText(double share);
// `count` of the numbers below `size`, evenly spaced and ascending. REQUIRES: count ≤ size.
std::vector<int64_t> EvenlySpaced(int64_t count, int64_t size);
// The feature columns of a config, nullptr where `table` has none of that name.
std::vector<const Column*> FeatureColumns(const Table& table, const DataConfig& config);

}  // namespace trainyard

#endif  // TRAINYARD_CORE_DATA_DATA_WARNINGS_H_
