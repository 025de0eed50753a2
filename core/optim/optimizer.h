// Optimizers move parameters along gradients over flat arenas: SGD with momentum (PyTorch's form), Adam (Kingma and Ba
// 2014, bias correction, ε outside the root).
//
// [SEAM written first by the lead; the engine owner completes class Optimizer below and keeps these structs.]
#ifndef TRAINYARD_CORE_OPTIM_OPTIMIZER_H_
#define TRAINYARD_CORE_OPTIM_OPTIMIZER_H_

#include <cstdint>
#include <optional>

namespace trainyard {

// Numbers equal trainyard.v1.OptimizerSpec.Kind.
enum class OptimizerKind : uint8_t { kUnspecified = 0, kSgd = 1, kAdam = 2 };

// A field that is absent takes the default of its kind; one that does not belong to the kind is a fault.
struct OptimizerConfig {
  OptimizerKind kind = OptimizerKind::kUnspecified;  // kUnspecified: Adam
  std::optional<double> learning_rate;               // > 0; default 0.001 Adam, 0.01 SGD
  std::optional<double> momentum;                    // SGD, [0, 1), default 0
  std::optional<double> beta1;                       // Adam, [0, 1), default 0.9
  std::optional<double> beta2;                       // Adam, [0, 1), default 0.999
  std::optional<double> epsilon;                     // Adam, (0, 1], default 1e-8
  double weight_decay = 0;                           // λ ≥ 0, added as λθ to gradients of weights, not of biases
};

}  // namespace trainyard

#endif  // TRAINYARD_CORE_OPTIM_OPTIMIZER_H_
