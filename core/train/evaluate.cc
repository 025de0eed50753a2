#include "core/train/evaluate.h"

#include <algorithm>

#include "core/base/status_macros.h"

namespace trainyard {
namespace {

// Enough for full speed of the matrix products, small enough for the activations to stay in the
// cache.
constexpr int64_t kEvalBatchRows = 512;

}  // namespace

std::vector<int64_t> EvalBatchSizes(int64_t rows) {
  std::vector<int64_t> sizes;
  if (rows >= kEvalBatchRows) sizes.push_back(kEvalBatchRows);
  if (rows % kEvalBatchRows > 0) sizes.push_back(rows % kEvalBatchRows);
  return sizes;
}

LossTargets TargetsOf(const Part& part) {
  return {.values = part.targets.empty() ? nullptr : part.targets.data(),
          .classes = part.classes.empty() ? nullptr : part.classes.data(),
          .weights = part.weights.empty() ? nullptr : part.weights.data()};
}

absl::StatusOr<EvalResult> Evaluate(const MeterConfig& config, const Part& part, Mlp& mlp) {
  EvalMeter meter(config);
  const LossTargets targets = TargetsOf(part);
  for (int64_t begin = 0; begin < part.rows(); begin += kEvalBatchRows) {
    const int64_t rows = std::min(kEvalBatchRows, part.rows() - begin);
    TY_RETURN_IF_ERROR(mlp.Forward(part.features.row(begin).data(), rows));
    meter.Add(mlp.logits(), targets.From(begin, config.outputs), rows);
  }
  return meter.Result();
}

}  // namespace trainyard
