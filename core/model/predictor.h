// Predictor runs a bundle on raw rows: the same preprocessing and kernels as training.
//
//   TY_ASSIGN_OR_RETURN(std::unique_ptr<Predictor> predictor,
//   Predictor::Create(std::move(bundle))); TY_ASSIGN_OR_RETURN(std::vector<Prediction> p,
//   predictor->Predict(values));
//
// Thread-safety: const methods may run concurrently (each call has its own buffers).
// Ownership: owns the bundle.
#ifndef TRAINYARD_CORE_MODEL_PREDICTOR_H_
#define TRAINYARD_CORE_MODEL_PREDICTOR_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "core/data/csv_reader.h"
#include "core/data/table.h"
#include "core/model/bundle.h"
#include "core/nn/meter.h"

namespace trainyard {

struct Prediction {
  int32_t class_index = -1;  // binary, multiclass: most probable; index into bundle().classes
  std::vector<double>
      probabilities;  // classification: [classes], sums to 1; multi-label: [labels], each by itself
  double value = 0;   // regression, unit of the target
};

// What a model gets wrong, row by row, in the order of the table's rows.
struct RowErrors {
  Task task = Task::kUnspecified;
  // Classification: 0 for a row that is right, 1 for one that is wrong (multi-label: in any label).
  // Regression: y - f(x), in the target's unit; NaN or infinite where f(x) is.
  std::vector<double> errors;
  // Regression: y, in the target's unit. Else empty.
  std::vector<double> targets;
};

// Sum of the squared distances of the targets from their mean: what r2 compares with.
double TargetSquareSum(const RowErrors& rows);

// Multi-label: indices of the labels whose probability is above a half, ascending.
std::vector<int32_t> LikelyLabels(const Prediction& prediction);

class Predictor {
 public:
  static absl::StatusOr<std::unique_ptr<Predictor>> Create(Bundle bundle);
  virtual ~Predictor() = default;

  virtual const Bundle& bundle() const = 0;

  // `values` is [rows, feature columns] row-major, raw: numbers in the table's units, NaN where
  // missing; categories as Preprocessor::RawOf has them.
  // Errors: INVALID_ARGUMENT/INVALID_REQUEST for a size that is no multiple of the columns, a value
  // that is infinite or beyond float32 after scaling, a missing one or an unseen category that the
  // model refuses (row and column named).
  virtual absl::StatusOr<std::vector<Prediction>> Predict(std::span<const double> values) const = 0;

  // Outputs of hidden layer `layer` (1 for the first): [rows, units]. `values` as in Predict.
  // REQUIRES: the layer exists.
  virtual absl::StatusOr<Matrix> HiddenOutputs(std::span<const double> values,
                                               int64_t layer) const = 0;

  // Loss and every metric of the task, as Trainer's last evaluation, on all rows of a table with
  // the bundle's feature and target columns. Errors: INVALID_ARGUMENT/INVALID_REQUEST: every
  // missing or unsuitable column; a class the model does not know; a cell that it refuses.
  virtual absl::StatusOr<EvalResult> Evaluate(const Table& table) const = 0;

  // What Evaluate's accuracy (multi-label: exact_match), rmse, mae and r2 are means of. Every row
  // counts the same: weights are ignored, and the weight column is not looked at. Errors: as
  // Evaluate, but for those of the weight column.
  virtual absl::StatusOr<RowErrors> EvaluateRows(const Table& table) const = 0;
};

// Predicts a CSV stream as it comes: append bytes, take finished output records. Used by
// ModelService.PredictTable. Output: a header `prediction[,probability_{class}…]`, then one record
// per row; RFC 4180 quoting. Multi-label: `prediction` is the labels above a half, joined by ';'.
// With `hidden_layer`: `h0,h1,…` instead, the outputs of that hidden layer.
// Feature columns are found by name, in any order, others are ignored; without a header the fields
// are the feature columns in the model's order. Cells are read as in training: text as categories,
// the missing markers of training as missing (those of the options, when they are not the default
// ones).
//
//   TablePredictor t(predictor, csv);
//   t.Append(bytes);                                     // or t.Finish()
//   do { TY_ASSIGN_OR_RETURN(out, t.Take()); … } while (!out.empty());
//
// What the options leave to be detected is found from the first MiB, before which nothing comes
// out; see csv_dialect.h. The answer has the file's delimiter, and points in its numbers.
// Thread-safety: none. Lifetime: `predictor` must outlive it. Memory: bounded by what was
// appended and not taken, one record, and one piece.
class TablePredictor {
 public:
  // `hidden_layer`: 1 for the first; 0: predictions. REQUIRES: 0 to the number of hidden layers.
  TablePredictor(const Predictor& predictor, const CsvOptions& options, int64_t hidden_layer = 0);
  ~TablePredictor();

  void Append(absl::string_view bytes);
  void Finish();  // the input is over
  // The next piece of the answer: whole records, 1 MiB and at most one batch of rows more. Empty
  // when there is none before more bytes come, or at all after Finish.
  // Errors: INVALID_ARGUMENT/INVALID_REQUEST (missing feature columns, all at once; options out of
  // range), DATASET_REJECTED (a bad cell, with line and column; rows before it were given out by
  // earlier calls). Every later call gives the same error.
  absl::StatusOr<std::string> Take();
  int64_t rows_done() const;  // that were taken
  // Columns of the file that the model does not have, in file order; empty before the header has
  // been read.
  const std::vector<std::string>& ignored_columns() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace trainyard

#endif  // TRAINYARD_CORE_MODEL_PREDICTOR_H_
