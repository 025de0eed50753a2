#include "core/model/predictor.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "core/base/error_info.h"
#include "core/base/status_macros.h"
#include "core/data/dataset.h"
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
  absl::StatusOr<Matrix> HiddenOutputs(std::span<const double> /*values*/, int64_t /*layer*/) const override {
    return absl::UnimplementedError("");
  }

  // Builds a first network, so that what cannot be built is found at once.
  absl::Status Prepare() {
    SetKernelThreads(1);
    TY_ASSIGN_OR_RETURN(std::unique_ptr<Mlp> network, networks_.Take());
    networks_.Give(std::move(network));
    return absl::OkStatus();
  }

 private:
  int64_t feature_count() const { return bundle_.preprocessor.feature_count(); }
  int64_t output_count() const { return bundle_.weights.back().out; }

  // Preprocesses `rows` rows of `values` into the first rows of `x`.
  absl::Status Scale(std::span<const double> values, int64_t first_row, int64_t rows,
                     Matrix* x) const;
  void AppendPredictions(const float* logits, int64_t rows,
                         std::vector<Prediction>* predictions) const;

  const Bundle bundle_;
  mutable NetworkPool networks_;  // locks inside
};

absl::Status CellFault(int64_t row, int64_t column, absl::string_view name,
                       absl::string_view what) {
  return MakeViolationsError(ErrorReason::kInvalidRequest,
                             {{absl::StrCat("rows[", row, "].values[", column, "]"),
                               absl::StrCat("the value of \"", name, "\" ", what)}});
}

absl::Status BundlePredictor::Scale(std::span<const double> values, int64_t first_row, int64_t rows,
                                    Matrix* x) const {
  const int64_t width = feature_count();
  for (int64_t r = 0; r < rows; ++r) {
    const std::span<const double> raw = values.subspan((first_row + r) * width, width);
    const std::span<float> scaled = x->row(r);
    bundle_.preprocessor.Apply(raw, scaled);
    for (int64_t c = 0; c < width; ++c) {
      const std::string& name = bundle_.feature_columns[c];
      if (!std::isfinite(raw[c])) return CellFault(first_row + r, c, name, "is not finite");
      if (!std::isfinite(scaled[c]))
        return CellFault(first_row + r, c, name, "is beyond the range of float32");
    }
  }
  return absl::OkStatus();
}

void BundlePredictor::AppendPredictions(const float* logits, int64_t rows,
                                        std::vector<Prediction>* predictions) const {
  const LossKind loss = LossOf(bundle_.task);
  const int64_t outputs = output_count();
  for (int64_t r = 0; r < rows; ++r) {
    Prediction& prediction = predictions->emplace_back();
    if (bundle_.task == Task::kRegression) {
      prediction.value = logits[r];
      continue;
    }
    prediction.class_index = PredictedClass(logits + r * outputs, outputs);
    prediction.probabilities.resize(bundle_.classes.size());
    Probabilities(loss, logits + r * outputs, static_cast<int64_t>(bundle_.classes.size()),
                  prediction.probabilities.data());
  }
}

absl::StatusOr<std::vector<Prediction>> BundlePredictor::Predict(
    std::span<const double> values) const {
  const int64_t width = feature_count();
  const auto size = static_cast<int64_t>(values.size());
  if (size % width != 0) {
    return MakeViolationsError(
        ErrorReason::kInvalidRequest,
        {{"rows", absl::StrCat(size, " values are no multiple of the model's ", width,
                               " features; give one value per feature, in its order")}});
  }
  const int64_t row_count = size / width;
  std::vector<Prediction> predictions;
  predictions.reserve(row_count);
  // On the calling thread alone: servers run many calls at once.
  SetKernelThreads(1);
  TY_ASSIGN_OR_RETURN(std::unique_ptr<Mlp> network, networks_.Take());
  Matrix x(kBatchRows, width);  // [batch, features]
  for (int64_t begin = 0; begin < row_count; begin += kBatchRows) {
    const int64_t rows = std::min(kBatchRows, row_count - begin);
    TY_RETURN_IF_ERROR(Scale(values, begin, rows, &x));
    TY_RETURN_IF_ERROR(network->Forward(x.data(), kBatchRows));
    AppendPredictions(network->logits(), rows, &predictions);
  }
  networks_.Give(std::move(network));
  return predictions;
}

absl::StatusOr<std::vector<const Column*>> FindFeatures(const Table& table, const Bundle& bundle,
                                                        std::vector<FieldViolation>* violations) {
  std::vector<const Column*> columns;
  for (const std::string& name : bundle.feature_columns) {
    const Column* column = table.FindColumn(name);
    std::string fault;
    if (column == nullptr) {
      fault = "is missing, and the model has it as a feature";
    } else if (column->type != ColumnType::kNumeric) {
      fault = "is text, and the model has it as a numeric feature";
    } else if (column->stats.missing_count > 0) {
      fault = absl::StrCat("has ", column->stats.missing_count,
                           " missing cells; fill them or remove the rows");
    }
    if (!fault.empty())
      violations->push_back({absl::StrCat("column \"", name, "\""), std::move(fault)});
    columns.push_back(column);
  }
  if (violations->empty()) return columns;
  return MakeViolationsError(ErrorReason::kInvalidRequest, std::move(*violations));
}

absl::StatusOr<EvalResult> BundlePredictor::Evaluate(const Table& table) const {
  std::vector<FieldViolation> violations;
  const Column* target = table.FindColumn(bundle_.target_column);
  if (target == nullptr) {
    violations.push_back({absl::StrCat("column \"", bundle_.target_column, "\""),
                          "is missing, and the model has it as its target"});
  }
  TY_ASSIGN_OR_RETURN(const std::vector<const Column*> columns,
                      FindFeatures(table, bundle_, &violations));
  TY_ASSIGN_OR_RETURN(const EncodedTargets encoded,
                      EncodeTargets(*target, bundle_.task, bundle_.classes));
  const LossTargets targets = bundle_.task == Task::kMulticlass
                                  ? LossTargets{.classes = encoded.classes.data()}
                                  : LossTargets{.values = encoded.numbers.data()};
  SetKernelThreads(1);
  TY_ASSIGN_OR_RETURN(std::unique_ptr<Mlp> network, networks_.Take());
  EvalMeter meter({.loss = {.kind = LossOf(bundle_.task)}, .task = bundle_.task, .outputs = output_count(), .all = true});
  Matrix x(kBatchRows, feature_count());  // [batch, features]; rows past the last stay as they were
  std::vector<int64_t> rows(kBatchRows);
  for (int64_t begin = 0; begin < table.rows; begin += kBatchRows) {
    rows.resize(std::min(kBatchRows, table.rows - begin));
    std::iota(rows.begin(), rows.end(), begin);
    TY_ASSIGN_OR_RETURN(const Matrix features, BuildFeatures(columns, rows, bundle_.preprocessor));
    std::copy_n(features.data(), features.size(), x.data());
    TY_RETURN_IF_ERROR(network->Forward(x.data(), kBatchRows));
    meter.Add(network->logits(), targets.From(begin), features.rows());
  }
  networks_.Give(std::move(network));
  return meter.Result();
}

}  // namespace

absl::StatusOr<std::unique_ptr<Predictor>> Predictor::Create(Bundle bundle) {
  TY_RETURN_IF_ERROR(CheckBundle(bundle));
  auto predictor = std::make_unique<BundlePredictor>(std::move(bundle));
  TY_RETURN_IF_ERROR(predictor->Prepare());
  return predictor;
}

}  // namespace trainyard
