#include "core/analysis/loss_evaluator.h"

#include <algorithm>
#include <utility>

#include "core/base/status_macros.h"

namespace trainyard {
namespace {

bool HasBatchNormalization(const MlpConfig& config) {
  return std::any_of(config.layers.begin(), config.layers.end(), [](const LayerConfig& layer) {
    return layer.normalization == Normalization::kBatch;
  });
}

BatchSizes SizesFor(int64_t rows, int64_t batch_rows, LossEvaluator::Mode mode) {
  std::vector<int64_t> sizes;
  if (rows >= batch_rows) sizes.push_back(batch_rows);
  if (rows % batch_rows > 0) sizes.push_back(rows % batch_rows);
  if (mode == LossEvaluator::Mode::kForward) return {.forward = std::move(sizes)};
  return {.train = std::move(sizes)};
}

}  // namespace

absl::StatusOr<std::unique_ptr<LossEvaluator>> LossEvaluator::Create(
    const AnalysisInput& input, Mode mode, std::optional<int64_t> batch_rows) {
  TY_ASSIGN_OR_RETURN(AnalysisRows rows, SelectRows(input));
  const MlpConfig shape = ConfigOf(input.weights);
  const bool in_batches = mode == Mode::kGradient && HasBatchNormalization(shape);
  const int64_t size =
      batch_rows.value_or(in_batches ? input.config.batch_size : kAnalysisBatchRows);
  if (in_batches && rows.count % size == 1 && rows.count > 1) --rows.count;
  SetKernelThreads(1);
  TY_ASSIGN_OR_RETURN(std::unique_ptr<Mlp> mlp,
                      Mlp::Create(shape, *CreateFastKernels(), SizesFor(rows.count, size, mode)));
  TY_RETURN_IF_ERROR(mlp->LoadWeights(input.weights));
  return std::unique_ptr<LossEvaluator>(
      new LossEvaluator(rows, size, LossConfigOf(input.config, input.dataset), std::move(mlp)));
}

LossEvaluator::LossEvaluator(const AnalysisRows& rows, int64_t batch_rows, LossConfig loss,
                             std::unique_ptr<Mlp> mlp)
    : rows_(rows), batch_rows_(batch_rows), loss_(std::move(loss)), mlp_(std::move(mlp)) {
  const int64_t outputs = mlp_->config().outputs;
  weight_ = BatchWeight(loss_, TargetsOf(*rows_.part, 0, outputs), rows_.count, outputs);
}

absl::StatusOr<double> LossEvaluator::Loss() {
  const int64_t outputs = mlp_->config().outputs;
  double sum = 0;
  for (int64_t begin = 0; begin < rows_.count; begin += batch_rows_) {
    const int64_t rows = std::min(batch_rows_, rows_.count - begin);
    TY_RETURN_IF_ERROR(mlp_->Forward(rows_.part->features.row(begin).data(), rows));
    sum += LossSum(loss_, mlp_->logits(), TargetsOf(*rows_.part, begin, outputs), rows, outputs);
  }
  return weight_ > 0 ? sum / weight_ : 0;
}

absl::StatusOr<double> LossEvaluator::LossAndGradient(std::span<double> gradient) {
  const int64_t outputs = mlp_->config().outputs;
  const bool training = HasBatchNormalization(mlp_->config());
  std::fill(gradient.begin(), gradient.end(), 0.0);
  double loss = 0;
  for (int64_t begin = 0; begin < rows_.count; begin += batch_rows_) {
    const int64_t rows = std::min(batch_rows_, rows_.count - begin);
    const float* x = rows_.part->features.row(begin).data();
    TY_RETURN_IF_ERROR(training ? mlp_->ForwardTrain(x, rows, {}) : mlp_->Forward(x, rows));
    loss +=
        trainyard::LossAndGradient(loss_, mlp_->logits(), TargetsOf(*rows_.part, begin, outputs),
                                   rows, outputs, weight_, mlp_->logit_gradients());
    TY_RETURN_IF_ERROR(mlp_->Backward(x, rows));
    const std::span<const float> part = mlp_->gradients();
    for (size_t i = 0; i < part.size(); ++i) gradient[i] += part[i];
  }
  return loss;
}

}  // namespace trainyard
