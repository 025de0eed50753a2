// LossEvaluator is f(θ): the mean loss of a network over fixed rows, and its gradient, at whatever
// stands in parameters(). What landscape, line and Hessian call again and again.
//
//   TY_ASSIGN_OR_RETURN(std::unique_ptr<LossEvaluator> evaluator, LossEvaluator::Create(input,
//   LossEvaluator::Mode::kForward)); evaluator->parameters()[0] += 0.1F; TY_ASSIGN_OR_RETURN(double
//   loss, evaluator->Loss());
//
// Loss() is in evaluation mode. LossAndGradient() is the same function and its gradient, but for
// batch normalisation, which it runs in training mode over batches of the spec's size; a last batch
// of one row, which no training would take, is left out then. Dropout is off in both. Of a scaled
// target the loss is in the unit of y and the gradient that of the scaled one (loss.h). One thread.
// Thread-safety: none. Sums are in double, in row order.
#ifndef TRAINYARD_CORE_ANALYSIS_LOSS_EVALUATOR_H_
#define TRAINYARD_CORE_ANALYSIS_LOSS_EVALUATOR_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "absl/status/statusor.h"
#include "core/analysis/analysis_input.h"
#include "core/nn/loss.h"
#include "core/nn/mlp.h"
#include "core/tensor/kernels.h"

namespace trainyard {

inline constexpr int64_t kAnalysisBatchRows = 512;

class LossEvaluator {
 public:
  enum class Mode { kForward, kGradient };

  // Lifetime: the dataset must outlive it. `batch_rows` are computed at a time, by default
  // kAnalysisBatchRows, or the spec's where batches matter. Errors: those of SelectRows and
  // Mlp::Create.
  static absl::StatusOr<std::unique_ptr<LossEvaluator>> Create(
      const AnalysisInput& input, Mode mode, std::optional<int64_t> batch_rows = {});

  // θ, to be changed at will: [arena].
  std::span<float> parameters() { return mlp_->parameters(); }
  Mlp& mlp() { return *mlp_; }
  const LossConfig& loss_config() const { return loss_; }
  const AnalysisRows& rows() const { return rows_; }
  int64_t batch_rows() const { return batch_rows_; }

  // Mean over the rows, weighted; may be infinite or NaN. Errors: those of Mlp::Forward.
  absl::StatusOr<double> Loss();

  // As Loss, and ∂L/∂θ in `gradient`: [arena]. REQUIRES: Mode::kGradient.
  absl::StatusOr<double> LossAndGradient(std::span<double> gradient);

 private:
  LossEvaluator(const AnalysisRows& rows, int64_t batch_rows, LossConfig loss,
                std::unique_ptr<Mlp> mlp);

  // Constant after construction.
  const AnalysisRows rows_;
  const int64_t batch_rows_;
  const LossConfig loss_;
  double weight_ = 0;  // Σ of the rows' weights

  const std::unique_ptr<Mlp> mlp_;
};

}  // namespace trainyard

#endif  // TRAINYARD_CORE_ANALYSIS_LOSS_EVALUATOR_H_
