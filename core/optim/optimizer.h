// Optimizers move parameters along gradients over flat arenas, θ' = θ − α·(something made of
// ∂L/∂θ). Formulas are those of trainyard.v1.OptimizerSpec.Kind; where PyTorch has the optimizer,
// its form.
//
//   Optimizer optimizer(resolved, mlp->tensors(), seed);
//   const double norm = optimizer.PrepareGradients(mlp->gradients());  // noise, clipping
//   if (!std::isfinite(norm)) ...                                      // diverged
//   optimizer.Step(lr, mlp->gradients(), mlp->parameters());           // rule, max norm, average
//
// The order of a step: gradient of the mean loss → noise → clip by value → clip by norm → +
// l1·sign(θ) + λθ (weights only) → rule → max norm → moving average. L-BFGS evaluates the loss
// several times a step and has its own class, lbfgs.h.
#ifndef TRAINYARD_CORE_OPTIM_OPTIMIZER_H_
#define TRAINYARD_CORE_OPTIM_OPTIMIZER_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "core/base/slices.h"
#include "core/nn/parameters.h"

namespace trainyard {

// Numbers equal trainyard.v1.OptimizerSpec.Kind.
enum class OptimizerKind : uint8_t {
  kUnspecified = 0,
  kSgd = 1,
  kAdam = 2,
  kAdagrad = 3,
  kAdadelta = 4,
  kRmsProp = 5,
  kAdamW = 6,
  kAmsGrad = 7,
  kNAdam = 8,
  kRAdam = 9,
  kLion = 10,
  kMuon = 11,
  kLbfgs = 12,
};

// A field that is absent takes the default of its kind; one that does not belong to the kind is a
// fault (optimizer_checks.h). Which field belongs where, ranges and defaults:
// trainyard.v1.OptimizerSpec.
struct OptimizerConfig {
  OptimizerKind kind = OptimizerKind::kUnspecified;  // kUnspecified: Adam
  std::optional<double> learning_rate;
  std::optional<double> momentum;
  std::optional<double> beta1;
  std::optional<double> beta2;
  std::optional<double> epsilon;
  std::optional<double> weight_decay;  // λ
  std::optional<bool> nesterov;
  std::optional<double> dampening;
  std::optional<double> rho;
  std::optional<bool> centered;
  std::optional<double> learning_rate_decay;
  std::optional<double> momentum_decay;
  std::optional<int64_t> history_size;
  std::optional<double> secondary_learning_rate;
  // Of every kind; absent: off.
  std::optional<double> l1;
  std::optional<double> max_norm;
  std::optional<double> clip_norm;
  std::optional<double> clip_value;
  std::optional<double> gradient_noise;
  std::optional<double> ema_decay;
};

// `config` with the kind and every absent field of that kind set; nothing is checked. Fields "of
// every kind" stay absent.
OptimizerConfig WithDefaults(const OptimizerConfig& config);

// How many arrays of the parameters' size it keeps between steps, the average included; those of
// L-BFGS, too. REQUIRES: `config` came out of WithDefaults.
int64_t StateArrayCount(const OptimizerConfig& config);

// Thread-safety: none. Ownership: owns its state, not the arenas. Nothing is allocated after
// construction.
class Optimizer {
 public:
  // `tensors` says what stands where in the arenas. `seed` draws the gradient noise.
  // REQUIRES: `config` came out of WithDefaults, is in range, and is not kLbfgs.
  Optimizer(const OptimizerConfig& config, const ParameterTensors& tensors, uint64_t seed);
  ~Optimizer();
  Optimizer(const Optimizer&) = delete;
  Optimizer& operator=(const Optimizer&) = delete;

  // Adds noise and clips, in place. Returns the Euclidean norm of the gradient as it came, in
  // double: not finite exactly when an element is not (then nothing is changed). Clipping by norm
  // may be left to the next Step. REQUIRES: [parameter_count].
  double PrepareGradients(std::span<float> gradients);

  // One update. Muon's and the decoupled decay's learning rates scale with `learning_rate` as the
  // schedule moves it. REQUIRES: both spans [parameter_count].
  // The rule's own loop is shared out over `slices` when there are any: the same bits.
  void Step(double learning_rate, std::span<const float> gradients, std::span<float> parameters,
            Slices* slices = nullptr);

  // The moving average of the parameters, [parameter_count]; empty without ema_decay. Before the
  // first step: nothing yet, zeros.
  std::span<const float> averaged_parameters() const;

  int64_t steps_done() const;

  // Everything that a later Step depends on, as named arrays: what a checkpoint stores besides the
  // parameters. The spans are the object's own memory: writing to them and set_steps_done restores
  // it.
  struct StateArray {
    const char* name;
    std::span<float> values;
  };
  std::vector<StateArray> state_arrays();
  void set_steps_done(int64_t steps_done);

 private:
  class Impl;
  const std::unique_ptr<Impl> impl_;
};

}  // namespace trainyard

#endif  // TRAINYARD_CORE_OPTIM_OPTIMIZER_H_
