// FeatureBuilder makes network inputs of a table's rows: raw values, preprocessed. The categories
// of text columns are looked up once, not once a cell.
//
//   FeatureBuilder builder(columns, preprocessor);
//   TY_ASSIGN_OR_RETURN(Matrix features, builder.Build(rows));
//   // Large ones in a file:
//   TY_ASSIGN_OR_RETURN(features, builder.Build(rows, {.spill_path = path}));
//
// Thread-safety: const methods may run concurrently. Lifetime: columns and their cells must outlive
// it. Speed: a table of numbers is bound by memory.
#ifndef TRAINYARD_CORE_DATA_FEATURE_BUILDER_H_
#define TRAINYARD_CORE_DATA_FEATURE_BUILDER_H_

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/data/preprocessor.h"
#include "core/data/table.h"
#include "core/tensor/matrix.h"

namespace trainyard {

// Where features are kept.
struct FeatureMemory {
  // Of a file for large ones, which loses its name at once; empty: all in memory.
  std::string spill_path;
  int64_t memory_bytes_max = int64_t{256} << 20;  // of a matrix that is not large
};

class FeatureBuilder {
 public:
  // REQUIRES: one column per column of the preprocessor, in its order.
  FeatureBuilder(std::span<const Column* const> columns, const Preprocessor& preprocessor);

  // The features of `rows`: [rows, features]. Large ones are written to a file and mapped, so that
  // they are the system's to keep in memory or not; where that file cannot be written, they are in
  // memory. Errors: INVALID_ARGUMENT/INVALID_REQUEST naming row and column: a missing cell or an
  // unseen category that is refused, text where the model has a number, a number beyond the range
  // of float32 after scaling.
  absl::StatusOr<Matrix> Build(std::span<const int64_t> rows,
                               const FeatureMemory& memory = {}) const;

 private:
  // Those of `rows` to [rows, features] from `out` on.
  absl::Status Fill(std::span<const int64_t> rows, float* out) const;
  absl::StatusOr<Matrix> BuildSpilled(std::span<const int64_t> rows, const std::string& path) const;
  // Raw values of column `column` in `rows`, to every column_count()th element from `raw` on.
  void Gather(size_t column, std::span<const int64_t> rows, double* raw) const;
  // The error of a row whose features are not all finite.
  absl::Status RowError(int64_t row, std::span<const double> raw) const;

  std::vector<const Column*> columns_;
  Preprocessor preprocessor_;
  // [columns] of text columns: raw value of each category; empty for others.
  std::vector<std::vector<double>> raw_of_code_;
  std::vector<bool> is_plain_;  // [columns] numbers that are their raw values
};

// FeatureBuilder(columns, preprocessor).Build(rows, memory).
absl::StatusOr<Matrix> BuildFeatures(std::span<const Column* const> columns,
                                     std::span<const int64_t> rows,
                                     const Preprocessor& preprocessor,
                                     const FeatureMemory& memory = {});

}  // namespace trainyard

#endif  // TRAINYARD_CORE_DATA_FEATURE_BUILDER_H_
