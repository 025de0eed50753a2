// Whether an exported ONNX file says what the native predictor says. The server has no ONNX
// runtime, so the file is read back and run by onnx_runner.h, which shares no code with the
// exporter nor with the network.
//
//   TY_ASSIGN_OR_RETURN(const std::string onnx, ExportOnnx(predictor->bundle()));
//   TY_ASSIGN_OR_RETURN(const OnnxComparison found, CompareOnnx(onnx, *predictor, table, 1'000));
//   TY_RETURN_IF_ERROR(CheckOnnxTolerance(found, kOnnxToleranceDefault));
//
// Thread-safety: pure functions.
#ifndef TRAINYARD_CORE_MODEL_ONNX_CHECK_H_
#define TRAINYARD_CORE_MODEL_ONNX_CHECK_H_

#include <cstdint>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "core/data/table.h"
#include "core/model/predictor.h"

namespace trainyard {

inline constexpr double kOnnxToleranceDefault = 1e-4;
// Multiplications of one comparison at most, a few seconds: a large model has fewer rows compared,
// but one at least.
inline constexpr int64_t kOnnxComparisonWorkMax = 4'000'000'000;

struct OnnxComparison {
  // max |file - native| / max(1, |native|) over rows and outputs. A label that differs counts by
  // how much less probable it is than the native one, so that ties do not matter. Infinity where
  // only one of both has a number, or a label that is no class; so too where the native predictor
  // refuses a row and the file does not answer NaN.
  double largest_difference = 0;
  int64_t rows_compared = 0;
  int64_t rows_refused = 0;      // of those, by both
  int64_t labels_differing = 0;  // ties included
};

// Runs the file on the first rows of a table that has the bundle's feature columns: `rows_max` of
// them, or fewer; see kOnnxComparisonWorkMax. The file gets each number as the float32 that its
// inputs are, the predictor gets it as it is: what is lost by that is part of the difference.
// Errors: INVALID_ARGUMENT/INVALID_REQUEST: no rows; every feature column that is missing.
// DATA_LOSS: a file that cannot be read or run. RESOURCE_EXHAUSTED: one too large to run.
absl::StatusOr<OnnxComparison> CompareOnnx(absl::string_view onnx_bytes, const Predictor& predictor,
                                           const Table& rows, int64_t rows_max);

// FAILED_PRECONDITION/INVALID_STATE when the difference is above the tolerance.
absl::Status CheckOnnxTolerance(const OnnxComparison& comparison, double tolerance);

// Rows to compare with where no real ones are at hand: numbers drawn around each column's offset,
// its categories, missing cells and, where they are not an error, unseen categories. The same seed
// gives the same rows. REQUIRES: rows ≥ 1.
Table RandomFeatureRows(const Bundle& bundle, int64_t rows, uint64_t seed);

}  // namespace trainyard

#endif  // TRAINYARD_CORE_MODEL_ONNX_CHECK_H_
