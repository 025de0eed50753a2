// RowSink takes what the readers of number formats (NPY, NPZ, IDX, svmlight) find: names once, then blocks of rows.
// Implementation: TableWriter's, in ingest; a recording one in tests.
//
// Thread-safety: none.
#ifndef TRAINYARD_CORE_DATA_ROW_SINK_H_
#define TRAINYARD_CORE_DATA_ROW_SINK_H_

#include <span>
#include <string>
#include <vector>

#include "absl/status/status.h"

namespace trainyard {

class RowSink {
 public:
  virtual ~RowSink() = default;
  // Once, before any row. Names are different and not empty, at most limits::kDatasetColumnsMax of them.
  virtual absl::Status Begin(const std::vector<std::string>& names) = 0;
  // `values` is [rows, columns] row-major, finite or NaN for missing; any number of rows.
  virtual absl::Status AddRows(std::span<const double> values) = 0;
};

}  // namespace trainyard

#endif  // TRAINYARD_CORE_DATA_ROW_SINK_H_
