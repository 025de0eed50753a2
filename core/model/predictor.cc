#include "core/model/predictor.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "core/base/check.h"
#include "core/base/error_info.h"
#include "core/base/status_macros.h"
#include "core/data/dataset.h"
#include "core/data/feature_builder.h"
#include "core/nn/loss.h"
#include "core/nn/mlp.h"
#include "core/tensor/kernels.h"

namespace trainyard {
namespace {

// Rows computed at once, always: a last batch is filled up. So a row's digits do not depend on how
// many others it came with. 64 rows keep a single row cheap and are enough for the kernels' full
// speed.
constexpr int64_t kBatchRows = 64;
// Networks kept between calls; more calls than this at once build theirs anew.
constexpr size_t kIdleNetworksMax = 4;

// Lends networks with the bundle's weights: an Mlp owns its buffers and serves one call at a time.
class NetworkPool {
 public:
  explicit NetworkPool(const MlpWeights& weights)
      : weights_(weights), kernels_(CreateFastKernels()) {}

  absl::StatusOr<std::unique_ptr<Mlp>> Take() {
    {
      absl::MutexLock lock(&mutex_);
      if (!idle_.empty()) {
        std::unique_ptr<Mlp> network = std::move(idle_.back());
        idle_.pop_back();
        return network;
      }
    }
    TY_ASSIGN_OR_RETURN(std::unique_ptr<Mlp> network,
                        Mlp::Create(ConfigOf(weights_), *kernels_, {.forward = {kBatchRows}}));
    TY_RETURN_IF_ERROR(network->LoadWeights(weights_));
    return network;
  }

  void Give(std::unique_ptr<Mlp> network) {
    absl::MutexLock lock(&mutex_);
    if (idle_.size() < kIdleNetworksMax) idle_.push_back(std::move(network));
  }

 private:
  // Constant after construction.
  const MlpWeights& weights_;
  const std::unique_ptr<Kernels> kernels_;

  absl::Mutex mutex_;
  std::vector<std::unique_ptr<Mlp>> idle_ ABSL_GUARDED_BY(mutex_);
};

class BundlePredictor : public Predictor {
 public:
  explicit BundlePredictor(Bundle bundle)
      : bundle_(std::move(bundle)), networks_(bundle_.weights) {}

  const Bundle& bundle() const override { return bundle_; }
  absl::StatusOr<std::vector<Prediction>> Predict(std::span<const double> values) const override;
  absl::StatusOr<EvalResult> Evaluate(const Table& table) const override;
  absl::StatusOr<RowErrors> EvaluateRows(const Table& table) const override;
  absl::StatusOr<Matrix> HiddenOutputs(std::span<const double> values,
                                       int64_t layer) const override;

  // Builds a first network, so that what cannot be built is found at once.
  absl::Status Prepare() {
    SetKernelThreads(1);
    TY_ASSIGN_OR_RETURN(std::unique_ptr<Mlp> network, networks_.Take());
    networks_.Give(std::move(network));
    return absl::OkStatus();
  }

 private:
  int64_t column_count() const { return bundle_.preprocessor.column_count(); }
  int64_t feature_count() const { return bundle_.preprocessor.feature_count(); }
  int64_t output_count() const { return bundle_.weights.back().out; }

  // The error of a raw row whose features are not all finite.
  absl::Status RowFault(int64_t row, std::span<const double> raw) const;
  // Preprocesses `rows` rows of `values` into the first rows of `x`.
  absl::Status Scale(std::span<const double> values, int64_t first_row, int64_t rows,
                     Matrix* x) const;
  // Runs the network over all rows of `values`, batch by batch. `done(network, first_row, rows)`
  // takes what it says of each.
  template <typename Done>
  absl::Status Run(std::span<const double> values, const Done& done) const;
  // What of a table its rows are evaluated by.
  struct TableColumns {
    std::vector<const Column*> features;
    EncodedTargets targets;
  };
  absl::StatusOr<TableColumns> FindColumns(const Table& table) const;
  // The targets as losses and meters take them. Lifetime: `encoded` must outlive them.
  LossTargets TargetsOf(const EncodedTargets& encoded) const;
  // Runs the network over all rows of a table, batch by batch. `done(logits, first_row, rows)`
  // takes what it says of each.
  template <typename Done>
  absl::Status RunTable(const Table& table, const std::vector<const Column*>& features,
                        const Done& done) const;
  Prediction PredictionOf(const float* logits) const;
  // Values in EncodedTargets of a row.
  int64_t values_per_row() const { return bundle_.task == Task::kMultilabel ? output_count() : 1; }

  const Bundle bundle_;
  mutable NetworkPool networks_;  // locks inside
};

absl::Status CellFault(int64_t row, int64_t column, absl::string_view name,
                       absl::string_view what) {
  return MakeViolationsError(ErrorReason::kInvalidRequest,
                             {{absl::StrCat("rows[", row, "].values[", column, "]"),
                               absl::StrCat("the value of \"", name, "\" ", what)}});
}

absl::Status BundlePredictor::RowFault(int64_t row, std::span<const double> raw) const {
  int64_t column = 0;
  while (bundle_.preprocessor.FaultOf(column, raw[column]).empty()) ++column;
  return CellFault(row, column, bundle_.feature_columns[column],
                   bundle_.preprocessor.FaultOf(column, raw[column]));
}

absl::Status BundlePredictor::Scale(std::span<const double> values, int64_t first_row, int64_t rows,
                                    Matrix* x) const {
  const int64_t width = column_count();
  for (int64_t r = 0; r < rows; ++r) {
    const std::span<const double> raw = values.subspan((first_row + r) * width, width);
    const std::span<float> features = x->row(r);
    bundle_.preprocessor.Apply(raw, features);
    const bool finite =
        std::all_of(features.begin(), features.end(), [](float f) { return std::isfinite(f); });
    if (!finite) return RowFault(first_row + r, raw);
  }
  return absl::OkStatus();
}

template <typename Done>
absl::Status BundlePredictor::Run(std::span<const double> values, const Done& done) const {
  const int64_t width = column_count();
  const auto size = static_cast<int64_t>(values.size());
  if (size % width != 0) {
    return MakeViolationsError(
        ErrorReason::kInvalidRequest,
        {{"rows", absl::StrCat(size, " values are no multiple of the model's ", width,
                               " feature columns; give one per column, in the model's order")}});
  }
  const int64_t row_count = size / width;
  // On the calling thread alone: servers run many calls at once.
  SetKernelThreads(1);
  TY_ASSIGN_OR_RETURN(std::unique_ptr<Mlp> network, networks_.Take());
  Matrix x(kBatchRows, feature_count());  // [batch, features]
  for (int64_t begin = 0; begin < row_count; begin += kBatchRows) {
    const int64_t rows = std::min(kBatchRows, row_count - begin);
    TY_RETURN_IF_ERROR(Scale(values, begin, rows, &x));
    TY_RETURN_IF_ERROR(network->Forward(x.data(), kBatchRows));
    done(*network, begin, rows);
  }
  networks_.Give(std::move(network));
  return absl::OkStatus();
}

Prediction BundlePredictor::PredictionOf(const float* logits) const {
  const auto classes = static_cast<int64_t>(bundle_.classes.size());
  Prediction prediction;
  prediction.probabilities.resize(classes);
  if (bundle_.task == Task::kRegression) {
    prediction.value = ValueOf(bundle_.loss, logits[0]);
  } else if (bundle_.task == Task::kMultilabel) {
    LabelProbabilities(logits, classes, prediction.probabilities.data());
  } else {
    prediction.class_index = PredictedClass(logits, output_count());
    Probabilities(logits, output_count(), prediction.probabilities.data());
  }
  return prediction;
}

absl::StatusOr<std::vector<Prediction>> BundlePredictor::Predict(
    std::span<const double> values) const {
  const int64_t outputs = output_count();
  std::vector<Prediction> predictions;
  predictions.reserve(values.size() / column_count());
  TY_RETURN_IF_ERROR(Run(values, [&](const Mlp& network, int64_t /*first_row*/, int64_t rows) {
    for (int64_t r = 0; r < rows; ++r) {
      predictions.push_back(PredictionOf(network.logits() + r * outputs));
    }
  }));
  return predictions;
}

absl::StatusOr<Matrix> BundlePredictor::HiddenOutputs(std::span<const double> values,
                                                      int64_t layer) const {
  TY_CHECK(layer >= 1);
  TY_CHECK(layer < static_cast<int64_t>(bundle_.weights.size()));
  const int64_t units = bundle_.weights[layer - 1].out;
  Matrix outputs(static_cast<int64_t>(values.size()) / column_count(), units);
  TY_RETURN_IF_ERROR(Run(values, [&](const Mlp& network, int64_t first_row, int64_t rows) {
    std::copy_n(network.hidden_outputs(layer - 1), rows * units, outputs.row(first_row).data());
  }));
  return outputs;
}

// What keeps the column from being the feature of `transform`; empty: nothing.
std::string ColumnFault(const Column* column, const ColumnTransform& transform) {
  if (column == nullptr) return "is missing, and the model has it as a feature";
  if (transform.encoding != Encoding::kNumber) return "";
  if (column->type == ColumnType::kText) return "is text, and the model has it as a number";
  if (column->stats.missing_count == 0 || !std::isnan(transform.fill)) return "";
  return absl::StrCat("has ", column->stats.missing_count,
                      " missing cells, and the model takes none; fill them or remove the rows");
}

absl::StatusOr<std::vector<const Column*>> FindFeatures(const Table& table, const Bundle& bundle,
                                                        std::vector<FieldViolation>* violations) {
  std::vector<const Column*> columns;
  for (size_t i = 0; i < bundle.feature_columns.size(); ++i) {
    const std::string& name = bundle.feature_columns[i];
    const Column* column = table.FindColumn(name);
    std::string fault = ColumnFault(column, bundle.preprocessor.transforms()[i]);
    if (!fault.empty())
      violations->push_back({absl::StrCat("column \"", name, "\""), std::move(fault)});
    columns.push_back(column);
  }
  if (violations->empty()) return columns;
  return MakeViolationsError(ErrorReason::kInvalidRequest, std::move(*violations));
}

// The columns that the bundle's outputs are compared with: its target, or its labels.
std::vector<const Column*> FindTargets(const Table& table, const Bundle& bundle,
                                       std::vector<FieldViolation>* violations) {
  const bool labels = bundle.task == Task::kMultilabel;
  std::vector<const Column*> targets;
  for (const std::string& name :
       labels ? bundle.classes : std::vector<std::string>{bundle.target_column}) {
    targets.push_back(table.FindColumn(name));
    if (targets.back() != nullptr) continue;
    violations->push_back(
        {absl::StrCat("column \"", name, "\""),
         absl::StrCat("is missing, and the model has it as ", labels ? "a label" : "its target")});
  }
  return targets;
}

absl::StatusOr<EncodedTargets> Encode(const std::vector<const Column*>& targets,
                                      const Bundle& bundle) {
  if (bundle.task == Task::kMultilabel) return EncodeLabels(targets);
  return EncodeTargets(*targets[0], bundle.task, bundle.classes,
                       {bundle.loss.target_offset, bundle.loss.target_scale});
}

// How much each row counts; empty: all the same.
absl::StatusOr<std::vector<float>> RowWeights(const Table& table, const Bundle& bundle) {
  const Column* column =
      bundle.weight_column.empty() ? nullptr : table.FindColumn(bundle.weight_column);
  if (column == nullptr) return std::vector<float>();
  return EncodeWeights(*column);
}

absl::StatusOr<BundlePredictor::TableColumns> BundlePredictor::FindColumns(
    const Table& table) const {
  std::vector<FieldViolation> violations;
  const std::vector<const Column*> targets = FindTargets(table, bundle_, &violations);
  TableColumns columns;
  TY_ASSIGN_OR_RETURN(columns.features, FindFeatures(table, bundle_, &violations));
  TY_ASSIGN_OR_RETURN(columns.targets, Encode(targets, bundle_));
  return columns;
}

LossTargets BundlePredictor::TargetsOf(const EncodedTargets& encoded) const {
  LossTargets targets;
  if (bundle_.task == Task::kMulticlass) {
    targets.classes = encoded.classes.data();
  } else {
    targets.values = encoded.numbers.data();
  }
  return targets;
}

template <typename Done>
absl::Status BundlePredictor::RunTable(const Table& table,
                                       const std::vector<const Column*>& features,
                                       const Done& done) const {
  SetKernelThreads(1);
  TY_ASSIGN_OR_RETURN(std::unique_ptr<Mlp> network, networks_.Take());
  const FeatureBuilder builder(features, bundle_.preprocessor);
  Matrix x(kBatchRows, feature_count());  // [batch, features]; rows past the last stay as they were
  std::vector<int64_t> rows(kBatchRows);
  for (int64_t begin = 0; begin < table.rows; begin += kBatchRows) {
    rows.resize(std::min(kBatchRows, table.rows - begin));
    std::iota(rows.begin(), rows.end(), begin);
    TY_ASSIGN_OR_RETURN(const Matrix batch, builder.Build(rows));
    std::copy_n(batch.data(), batch.size(), x.data());
    TY_RETURN_IF_ERROR(network->Forward(x.data(), kBatchRows));
    done(network->logits(), begin, batch.rows());
  }
  networks_.Give(std::move(network));
  return absl::OkStatus();
}

absl::StatusOr<EvalResult> BundlePredictor::Evaluate(const Table& table) const {
  TY_ASSIGN_OR_RETURN(const TableColumns columns, FindColumns(table));
  TY_ASSIGN_OR_RETURN(const std::vector<float> weights, RowWeights(table, bundle_));
  LossTargets targets = TargetsOf(columns.targets);
  if (!weights.empty()) targets.weights = weights.data();
  EvalMeter meter(
      {.loss = bundle_.loss, .task = bundle_.task, .outputs = output_count(), .all = true});
  TY_RETURN_IF_ERROR(
      RunTable(table, columns.features, [&](const float* logits, int64_t first_row, int64_t rows) {
        meter.Add(logits, targets.From(first_row, values_per_row()), rows);
      }));
  return meter.Result();
}

// 1 where any label is predicted otherwise than it is.
double LabelsError(const float* logits, const float* labels, int64_t outputs) {
  for (int64_t j = 0; j < outputs; ++j) {
    if ((labels[j] > 0.5f) != (logits[j] > 0)) return 1;
  }
  return 0;
}

double ClassError(const float* logits, int32_t actual, int64_t outputs) {
  return PredictedClass(logits, outputs) == actual ? 0 : 1;
}

// Of one row: its target is the first of `targets`.
void AddRow(const Bundle& bundle, const float* logits, const LossTargets& targets,
            RowErrors* rows) {
  const int64_t outputs = bundle.weights.back().out;
  switch (bundle.task) {
    case Task::kRegression: {
      const LossConfig& loss = bundle.loss;
      const double target = targets.values[0] * loss.target_scale + loss.target_offset;
      rows->targets.push_back(target);
      rows->errors.push_back(target - ValueOf(loss, logits[0]));
      return;
    }
    case Task::kMultilabel:
      rows->errors.push_back(LabelsError(logits, targets.values, outputs));
      return;
    case Task::kMulticlass:
      rows->errors.push_back(ClassError(logits, targets.classes[0], outputs));
      return;
    default:
      rows->errors.push_back(ClassError(logits, targets.values[0] > 0.5f ? 1 : 0, outputs));
  }
}

absl::StatusOr<RowErrors> BundlePredictor::EvaluateRows(const Table& table) const {
  TY_ASSIGN_OR_RETURN(const TableColumns columns, FindColumns(table));
  const LossTargets targets = TargetsOf(columns.targets);
  RowErrors errors{.task = bundle_.task};
  errors.errors.reserve(table.rows);
  TY_RETURN_IF_ERROR(
      RunTable(table, columns.features, [&](const float* logits, int64_t first_row, int64_t rows) {
        for (int64_t r = 0; r < rows; ++r) {
          AddRow(bundle_, logits + r * output_count(),
                 targets.From(first_row + r, values_per_row()), &errors);
        }
      }));
  return errors;
}

}  // namespace

std::vector<int32_t> LikelyLabels(const Prediction& prediction) {
  std::vector<int32_t> labels;
  for (size_t i = 0; i < prediction.probabilities.size(); ++i) {
    if (prediction.probabilities[i] > 0.5) labels.push_back(static_cast<int32_t>(i));
  }
  return labels;
}

double TargetSquareSum(const RowErrors& rows) {
  double mean = 0;
  double sum = 0;
  double count = 0;
  // Welford's update: it does not cancel when the mean is large.
  for (const double target : rows.targets) {
    const double distance = target - mean;
    mean += distance / ++count;
    sum += distance * (target - mean);
  }
  return sum;
}

absl::StatusOr<std::unique_ptr<Predictor>> Predictor::Create(Bundle bundle) {
  TY_RETURN_IF_ERROR(CheckBundle(bundle));
  auto predictor = std::make_unique<BundlePredictor>(std::move(bundle));
  TY_RETURN_IF_ERROR(predictor->Prepare());
  return predictor;
}

}  // namespace trainyard
