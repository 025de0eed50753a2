// Evaluate measures a network on a part of a dataset: loss and metrics over all rows, in order, in
// evaluation mode.
//
//   Mlp::Create(config, kernels, {.forward = EvalBatchSizes(part.rows())});
//   TY_ASSIGN_OR_RETURN(EvalResult result, Evaluate(meter, part, mlp));
//
// Thread-safety: none; it uses the network's buffers.
#ifndef TRAINYARD_CORE_TRAIN_EVALUATE_H_
#define TRAINYARD_CORE_TRAIN_EVALUATE_H_

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "core/data/dataset.h"
#include "core/nn/loss.h"
#include "core/nn/meter.h"
#include "core/nn/mlp.h"

namespace trainyard {

// The batch sizes that Evaluate will use for so many rows; empty for 0.
std::vector<int64_t> EvalBatchSizes(int64_t rows);

// Targets and weights of all rows of a part. Lifetime: the part's.
LossTargets TargetsOf(const Part& part);

// REQUIRES: `mlp` was created with EvalBatchSizes(part.rows()) among its forward sizes.
// Errors: those of Mlp::Forward. A non-finite loss is a result, not an error.
absl::StatusOr<EvalResult> Evaluate(const MeterConfig& meter, const Part& part, Mlp& mlp);

}  // namespace trainyard

#endif  // TRAINYARD_CORE_TRAIN_EVALUATE_H_
