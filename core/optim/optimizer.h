// Optimizers move parameters along gradients over flat arenas: SGD with momentum (PyTorch's form),
// Adam (Kingma and Ba 2014, bias correction, ε outside the root, as PyTorch).
//
//   Optimizer optimizer(resolved, mlp->parameters().size(), mlp->weight_count());
//   optimizer.Step(lr, mlp->gradients(), mlp->parameters());
//
// SGD:  v = μv + g;  θ -= αv.
// Adam: m = β1·m + (1-β1)·g;  s = β2·s + (1-β2)·g²;  θ -= α/(1-β1ᵗ) · m / (√s/√(1-β2ᵗ) + ε).
// With weight decay λ, g is the gradient + λθ for weights; biases are not decayed.
#ifndef TRAINYARD_CORE_OPTIM_OPTIMIZER_H_
#define TRAINYARD_CORE_OPTIM_OPTIMIZER_H_

#include <cstdint>
#include <optional>
#include <span>

#include "core/tensor/matrix.h"

namespace trainyard {

// Numbers equal trainyard.v1.OptimizerSpec.Kind.
enum class OptimizerKind : uint8_t { kUnspecified = 0, kSgd = 1, kAdam = 2 };

// A field that is absent takes the default of its kind; one that does not belong to the kind is a
// fault.
struct OptimizerConfig {
  OptimizerKind kind = OptimizerKind::kUnspecified;  // kUnspecified: Adam
  std::optional<double> learning_rate;               // > 0; default 0.001 Adam, 0.01 SGD
  std::optional<double> momentum;                    // SGD, [0, 1), default 0
  std::optional<double> beta1;                       // Adam, [0, 1), default 0.9
  std::optional<double> beta2;                       // Adam, [0, 1), default 0.999
  std::optional<double> epsilon;                     // Adam, (0, 1], default 1e-8
  double weight_decay = 0;  // λ ≥ 0, added as λθ to gradients of weights, not of biases
};

// `config` with the kind and every absent field of that kind set; nothing is checked.
OptimizerConfig WithDefaults(const OptimizerConfig& config);

// Thread-safety: none. Ownership: owns its state (v, or m and s), not the arenas.
class Optimizer {
 public:
  // `parameter_count` is the size of the arenas, of which the first `weight_count` are decayed.
  // REQUIRES: `config` came out of WithDefaults and is in range.
  Optimizer(const OptimizerConfig& config, int64_t parameter_count, int64_t weight_count);

  // One update. REQUIRES: both spans [parameter_count].
  void Step(double learning_rate, std::span<const float> gradients, std::span<float> parameters);

 private:
  void StepRange(double learning_rate, double weight_decay, int64_t begin, int64_t end,
                 const float* gradients, float* parameters);

  // Constant after construction.
  const OptimizerConfig config_;
  const int64_t parameter_count_;
  const int64_t weight_count_;

  int64_t steps_done_ = 0;
  AlignedFloats first_moment_;   // SGD with momentum: v; Adam: m; else null
  AlignedFloats second_moment_;  // Adam: s; else null
};

}  // namespace trainyard

#endif  // TRAINYARD_CORE_OPTIM_OPTIMIZER_H_
