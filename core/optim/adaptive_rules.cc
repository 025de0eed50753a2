// Adagrad, Adadelta and RMSProp: a step size for every parameter by the squares of its gradients.
#include <cmath>

#include "core/optim/update_rules.h"
#include "core/tensor/multiversion.h"

namespace trainyard {
namespace {

TY_MULTIVERSION void AdagradLoop(const UpdateFactors& factors, int64_t count,
                                 const UpdateArrays& arrays) {
  const UpdateFactors f = factors;
  const float* __restrict g = arrays.gradients;
  float* __restrict p = arrays.parameters;
  float* __restrict s = arrays.states[0];
  for (int64_t i = 0; i < count; ++i) {
    const float gradient = RegularizedGradient(f, g[i], p[i]);
    s[i] += gradient * gradient;
    p[i] -= f.step * gradient / (std::sqrt(s[i]) + f.epsilon);
  }
}

TY_MULTIVERSION void AdadeltaLoop(const UpdateFactors& factors, int64_t count,
                                  const UpdateArrays& arrays) {
  const UpdateFactors f = factors;
  const float* __restrict g = arrays.gradients;
  float* __restrict p = arrays.parameters;
  float* __restrict s = arrays.states[0];
  float* __restrict d = arrays.states[1];
  for (int64_t i = 0; i < count; ++i) {
    const float gradient = RegularizedGradient(f, g[i], p[i]);
    s[i] = f.keep2 * s[i] + f.rest2 * gradient * gradient;
    const float delta = std::sqrt(d[i] + f.epsilon) / std::sqrt(s[i] + f.epsilon) * gradient;
    d[i] = f.keep2 * d[i] + f.rest2 * delta * delta;
    p[i] -= f.step * delta;
  }
}

// What all forms of RMSProp begin with: gradient over the root of its mean square.
[[gnu::always_inline]] inline float Normalized(const UpdateFactors& f, float gradient, float* s) {
  *s = f.keep2 * *s + f.rest2 * gradient * gradient;
  return gradient / (std::sqrt(*s) + f.epsilon);
}

// As Normalized, by the variance. Rounding may make it negative.
[[gnu::always_inline]] inline float NormalizedCentered(const UpdateFactors& f, float gradient,
                                                       float* s, float* m) {
  *s = f.keep2 * *s + f.rest2 * gradient * gradient;
  *m = f.keep2 * *m + f.rest2 * gradient;
  const float variance = *s - *m * *m;
  return gradient / (std::sqrt(variance < 0 ? 0 : variance) + f.epsilon);
}

TY_MULTIVERSION void RmsPropLoop(const UpdateFactors& factors, int64_t count,
                                 const UpdateArrays& arrays) {
  const UpdateFactors f = factors;
  const float* __restrict g = arrays.gradients;
  float* __restrict p = arrays.parameters;
  float* __restrict s = arrays.states[0];
  for (int64_t i = 0; i < count; ++i) {
    p[i] -= f.step * Normalized(f, RegularizedGradient(f, g[i], p[i]), &s[i]);
  }
}

TY_MULTIVERSION void RmsPropMomentumLoop(const UpdateFactors& factors, int64_t count,
                                         const UpdateArrays& arrays) {
  const UpdateFactors f = factors;
  const float* __restrict g = arrays.gradients;
  float* __restrict p = arrays.parameters;
  float* __restrict s = arrays.states[0];
  float* __restrict v = arrays.states[1];
  for (int64_t i = 0; i < count; ++i) {
    const float update = Normalized(f, RegularizedGradient(f, g[i], p[i]), &s[i]);
    v[i] = f.keep1 * v[i] + update;
    p[i] -= f.step * v[i];
  }
}

TY_MULTIVERSION void RmsPropCenteredLoop(const UpdateFactors& factors, int64_t count,
                                         const UpdateArrays& arrays) {
  const UpdateFactors f = factors;
  const float* __restrict g = arrays.gradients;
  float* __restrict p = arrays.parameters;
  float* __restrict s = arrays.states[0];
  float* __restrict m = arrays.states[1];
  for (int64_t i = 0; i < count; ++i) {
    p[i] -= f.step * NormalizedCentered(f, RegularizedGradient(f, g[i], p[i]), &s[i], &m[i]);
  }
}

TY_MULTIVERSION void RmsPropCenteredMomentumLoop(const UpdateFactors& factors, int64_t count,
                                                 const UpdateArrays& arrays) {
  const UpdateFactors f = factors;
  const float* __restrict g = arrays.gradients;
  float* __restrict p = arrays.parameters;
  float* __restrict s = arrays.states[0];
  float* __restrict m = arrays.states[1];
  float* __restrict v = arrays.states[2];
  for (int64_t i = 0; i < count; ++i) {
    const float update = NormalizedCentered(f, RegularizedGradient(f, g[i], p[i]), &s[i], &m[i]);
    v[i] = f.keep1 * v[i] + update;
    p[i] -= f.step * v[i];
  }
}

void SetAdagradFactors(const OptimizerConfig& config, double learning_rate, int64_t step,
                       float* /*product*/, UpdateFactors* f) {
  const double slowed = 1 + static_cast<double>(step - 1) * *config.learning_rate_decay;
  f->step = static_cast<float>(learning_rate / slowed);
  f->epsilon = EpsilonOf(config);
}

void SetMeanSquareFactors(const OptimizerConfig& config, double learning_rate, int64_t /*step*/,
                          float* /*product*/, UpdateFactors* f) {
  f->step = static_cast<float>(learning_rate);
  f->keep1 = static_cast<float>(config.momentum.value_or(0));
  f->keep2 = static_cast<float>(*config.rho);
  f->rest2 = static_cast<float>(1 - *config.rho);
  f->epsilon = EpsilonOf(config);
}

UpdateRule RmsPropRule(const OptimizerConfig& config) {
  const bool momentum = *config.momentum > 0;
  UpdateRule rule{.set_factors = SetMeanSquareFactors};
  if (*config.centered) {
    rule.loop = momentum ? RmsPropCenteredMomentumLoop : RmsPropCenteredLoop;
    rule.states = {"mean_square", "mean", momentum ? "momentum" : nullptr};
  } else {
    rule.loop = momentum ? RmsPropMomentumLoop : RmsPropLoop;
    rule.states = {"mean_square", momentum ? "momentum" : nullptr};
  }
  return rule;
}

}  // namespace

UpdateRule AdaptiveRule(const OptimizerConfig& config) {
  if (config.kind == OptimizerKind::kRmsProp) return RmsPropRule(config);
  if (config.kind == OptimizerKind::kAdagrad) {
    return {.loop = AdagradLoop, .set_factors = SetAdagradFactors, .states = {"square_sum"}};
  }
  return {.loop = AdadeltaLoop,
          .set_factors = SetMeanSquareFactors,
          .states = {"mean_square", "mean_square_delta"}};
}

}  // namespace trainyard
