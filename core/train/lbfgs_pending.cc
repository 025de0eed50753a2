// Stands in for core/optim/lbfgs.cc until that is there.
#include "core/optim/lbfgs.h"

namespace trainyard {

class Lbfgs::Impl {};
Lbfgs::Lbfgs(const OptimizerConfig& /*config*/, const ParameterTensors& /*tensors*/) {}
Lbfgs::~Lbfgs() = default;
absl::StatusOr<Lbfgs::Outcome> Lbfgs::Step(double /*learning_rate*/, const Evaluate& /*evaluate*/,
                                           std::span<float> /*parameters*/) {
  return absl::UnimplementedError("L-BFGS is not there yet");
}

}  // namespace trainyard
