// A dataset as text for people: how it was read, a table of its columns, the classes of a target,
// all of one column. With -o json the messages themselves are printed instead (screen.h).
//
//   screen.Show(dataset, DescribeDataset(dataset, {.width = screen.table_width()}));
//
// Thread-safety: pure functions.
#ifndef TRAINYARD_CLIENT_DESCRIBE_DATASET_H_
#define TRAINYARD_CLIENT_DESCRIBE_DATASET_H_

#include <cstddef>
#include <string>

#include "client/render.h"
#include "trainyard/v1/dataset.pb.h"

namespace trainyard {

// Columns that are shown unless all are wanted; values of a category in the table of all columns;
// dropped rows.
inline constexpr int kColumnsShownMax = 50;
inline constexpr int kTopValuesShownMax = 3;
inline constexpr int kRejectsShownMax = 10;

struct DatasetView {
  size_t width = kWidthUnlimited;  // of a line; figures of the table are left out beyond it
  bool all = false;                // every column
};

// Several lines each, ending with a line end.
//
// What it is, how it was read, its columns, dropped rows and warnings.
std::string DescribeDataset(const v1::Dataset& dataset, const DatasetView& view = {});
// Everything known of one column. REQUIRES: `column` is one of `dataset`'s.
std::string DescribeColumn(const v1::Dataset& dataset, const v1::Column& column);
// How many rows each class of a target has; of a quantity, how it is spread. REQUIRES: `column` is
// one of `dataset`'s.
std::string DescribeClassBalance(const v1::Dataset& dataset, const v1::Column& column);

}  // namespace trainyard

#endif  // TRAINYARD_CLIENT_DESCRIBE_DATASET_H_
