// Lbfgs minimises a smooth function of all parameters by limited-memory BFGS with a strong-Wolfe
// line search (Nocedal and Wright 2006, algorithms 7.4, 7.5, 3.5 and 3.6; PyTorch's LBFGS with
// line_search_fn="strong_wolfe" and max_iter=1 a step). For full batches: the function must not
// change between calls.
//
//   Lbfgs lbfgs(resolved, tensors);
//   TY_ASSIGN_OR_RETURN(Lbfgs::Outcome outcome, lbfgs.Step(lr, evaluate, parameters));
//
// Weight decay and l1 are part of the function it minimises: it adds them to what `evaluate`
// answers. Thread-safety: none. Memory: 2·history_size + 4 arrays of parameters.
#ifndef TRAINYARD_CORE_OPTIM_LBFGS_H_
#define TRAINYARD_CORE_OPTIM_LBFGS_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <span>

#include "absl/status/statusor.h"
#include "core/base/state_archive.h"
#include "core/nn/parameters.h"
#include "core/optim/optimizer.h"

namespace trainyard {

// Evaluations of a step: one, and those of its line search.
inline constexpr int kLbfgsEvaluationsMax = 26;

class Lbfgs {
 public:
  // Computes loss and gradients at the parameters as they stand in the arena given to Step. The
  // loss may be non-finite: the line search then tries a shorter step.
  struct Evaluation {
    double loss = 0;
    std::span<const float> gradients;  // valid until the next call
  };
  using Evaluate = std::function<absl::StatusOr<Evaluation>()>;

  struct Outcome {
    double loss = 0;           // before the step, as `evaluate` answered it
    double gradient_norm = 0;  // before the step, weight decay and l1 included
    int64_t evaluations = 0;
    bool moved = false;  // false: no descent is possible any more; the parameters are as they were
  };

  // REQUIRES: `config` came out of WithDefaults with kLbfgs.
  Lbfgs(const OptimizerConfig& config, const ParameterTensors& tensors);
  ~Lbfgs();

  // One iteration; with a learning rate of 0 only an evaluation. Errors: those of `evaluate`. A
  // loss or gradient that is not finite at the start is in the Outcome, moved false.
  absl::StatusOr<Outcome> Step(double learning_rate, const Evaluate& evaluate,
                               std::span<float> parameters);

  // Everything that a later Step depends on besides the parameters.
  void TransferState(StateArchive* archive);

 private:
  class Impl;
  const std::unique_ptr<Impl> impl_;
};

}  // namespace trainyard

#endif  // TRAINYARD_CORE_OPTIM_LBFGS_H_
