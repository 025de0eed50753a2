// The rules by which an optimizer moves a flat array: one loop over the arena each, and the numbers
// that loop needs at a step. Formulas: trainyard.v1.OptimizerSpec.Kind. Internal to optim.
//
// Thread-safety: pure functions. A gradient, a parameter and a state of zero stay zero: the gaps
// between tensors rely on it.
#ifndef TRAINYARD_CORE_OPTIM_UPDATE_RULES_H_
#define TRAINYARD_CORE_OPTIM_UPDATE_RULES_H_

#include <array>
#include <cstdint>

#include "core/optim/optimizer.h"

namespace trainyard {

// Rounded once from double. A rule sets and reads those that it has.
struct UpdateFactors {
  // Of all rules: the gradient it sees is scale·g + decay·θ + l1·sign(θ).
  float scale = 1;
  float decay = 0;
  float l1 = 0;
  float shrink = 1;  // of θ before the step: decoupled decay
  float step = 0;    // α and what corrects it
  float gradient_step = 0;
  float keep1 = 0, rest1 = 0;  // of the first average: momentum or β1, and the share of the new
  float keep2 = 0, rest2 = 0;  // of the second: β2 or ρ
  float root_scale = 1;        // of the root of the second
  float epsilon = 0;
};

// Where a range of the arenas begins. states: as Rule::states names them.
inline constexpr size_t kRuleStatesMax = 3;
struct UpdateArrays {
  const float* gradients = nullptr;
  float* parameters = nullptr;
  std::array<float*, kRuleStatesMax> states = {};
};

struct UpdateRule {
  void (*loop)(const UpdateFactors& factors, int64_t count, const UpdateArrays& arrays) = nullptr;
  // Sets all but scale, decay, l1 and shrink. `step` counts from 1. `product`: what NADAM
  // multiplies up over its steps, 1 before the first.
  void (*set_factors)(const OptimizerConfig& config, double learning_rate, int64_t step,
                      float* product, UpdateFactors* factors) = nullptr;
  std::array<const char*, kRuleStatesMax> states = {};  // names; null after the last
};

// REQUIRES: `config` came out of WithDefaults and is of the family.
UpdateRule SgdRule(const OptimizerConfig& config);
UpdateRule AdaptiveRule(const OptimizerConfig& config);  // Adagrad, Adadelta, RMSProp
UpdateRule AdamRule(const OptimizerConfig& config);      // ADAM to RADAM, and MUON's second rule
UpdateRule LionRule(const OptimizerConfig& config);

// ε as a float that is not 0: 0 / (0 + ε) must stay 0.
float EpsilonOf(const OptimizerConfig& config);

// The gradient that a rule sees.
[[gnu::always_inline]] inline float RegularizedGradient(const UpdateFactors& f, float gradient,
                                                        float parameter) {
  const float sign = parameter > 0 ? f.l1 : (parameter < 0 ? -f.l1 : 0.0F);
  return f.scale * gradient + (f.decay * parameter + sign);
}

}  // namespace trainyard

#endif  // TRAINYARD_CORE_OPTIM_UPDATE_RULES_H_
