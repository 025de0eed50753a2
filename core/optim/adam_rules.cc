// Adam and its family: a mean of gradients over the root of a mean of their squares.
#include <algorithm>
#include <cmath>
#include <limits>

#include "core/optim/update_rules.h"
#include "core/tensor/multiversion.h"

namespace trainyard {
namespace {

// ADAM, ADAMW and RADAM differ in their factors only.
TY_MULTIVERSION void AdamLoop(const UpdateFactors& factors, int64_t count,
                              const UpdateArrays& arrays) {
  const UpdateFactors f = factors;
  const float* __restrict g = arrays.gradients;
  float* __restrict p = arrays.parameters;
  float* __restrict m = arrays.states[0];
  float* __restrict s = arrays.states[1];
  for (int64_t i = 0; i < count; ++i) {
    const float gradient = RegularizedGradient(f, g[i], p[i]);
    m[i] = f.keep1 * m[i] + f.rest1 * gradient;
    s[i] = f.keep2 * s[i] + f.rest2 * gradient * gradient;
    p[i] = f.shrink * p[i] - f.step * m[i] / (std::sqrt(s[i]) * f.root_scale + f.epsilon);
  }
}

TY_MULTIVERSION void AmsGradLoop(const UpdateFactors& factors, int64_t count,
                                 const UpdateArrays& arrays) {
  const UpdateFactors f = factors;
  const float* __restrict g = arrays.gradients;
  float* __restrict p = arrays.parameters;
  float* __restrict m = arrays.states[0];
  float* __restrict s = arrays.states[1];
  float* __restrict largest = arrays.states[2];
  for (int64_t i = 0; i < count; ++i) {
    const float gradient = RegularizedGradient(f, g[i], p[i]);
    m[i] = f.keep1 * m[i] + f.rest1 * gradient;
    s[i] = f.keep2 * s[i] + f.rest2 * gradient * gradient;
    largest[i] = largest[i] < s[i] ? s[i] : largest[i];
    p[i] -= f.step * m[i] / (std::sqrt(largest[i]) * f.root_scale + f.epsilon);
  }
}

TY_MULTIVERSION void NAdamLoop(const UpdateFactors& factors, int64_t count,
                               const UpdateArrays& arrays) {
  const UpdateFactors f = factors;
  const float* __restrict g = arrays.gradients;
  float* __restrict p = arrays.parameters;
  float* __restrict m = arrays.states[0];
  float* __restrict s = arrays.states[1];
  for (int64_t i = 0; i < count; ++i) {
    const float gradient = RegularizedGradient(f, g[i], p[i]);
    m[i] = f.keep1 * m[i] + f.rest1 * gradient;
    s[i] = f.keep2 * s[i] + f.rest2 * gradient * gradient;
    const float move = f.gradient_step * gradient + f.step * m[i];
    p[i] -= move / (std::sqrt(s[i]) * f.root_scale + f.epsilon);
  }
}

// 1 - βᵗ, which brings an average that began at zero to the size of what it averages.
double Correction(double beta, int64_t step) {
  return 1 - std::pow(beta, static_cast<double>(step));
}

void SetAdamFactors(const OptimizerConfig& config, double learning_rate, int64_t step,
                    float* /*product*/, UpdateFactors* f) {
  f->step = static_cast<float>(learning_rate / Correction(*config.beta1, step));
  f->root_scale = static_cast<float>(1 / std::sqrt(Correction(*config.beta2, step)));
  f->keep1 = static_cast<float>(*config.beta1);
  f->rest1 = static_cast<float>(1 - *config.beta1);
  f->keep2 = static_cast<float>(*config.beta2);
  f->rest2 = static_cast<float>(1 - *config.beta2);
  f->epsilon = EpsilonOf(config);
}

// Dozat 2016, with the momentum of step t: μ_t = β1·(1 - 0.96^(t·decay)/2).
void SetNAdamFactors(const OptimizerConfig& config, double learning_rate, int64_t step,
                     float* product, UpdateFactors* f) {
  SetAdamFactors(config, learning_rate, step, product, f);
  const auto momentum_at = [&config](int64_t t) {
    const double exponent = static_cast<double>(t) * *config.momentum_decay;
    return *config.beta1 * (1 - 0.5 * std::pow(0.96, exponent));
  };
  const double now = momentum_at(step);
  const double next = momentum_at(step + 1);
  *product *= static_cast<float>(now);
  f->gradient_step = static_cast<float>(learning_rate * (1 - now) / (1 - *product));
  f->step = static_cast<float>(learning_rate * next / (1 - *product * next));
}

// Liu et al. 2019: while the variance of the second average is not tractable (ρ_t ≤ 5), the step is
// the mean alone. ε is inside the correction, as PyTorch's.
void SetRAdamFactors(const OptimizerConfig& config, double learning_rate, int64_t step,
                     float* product, UpdateFactors* f) {
  SetAdamFactors(config, learning_rate, step, product, f);
  const double beta2 = *config.beta2;
  const double correction2 = Correction(beta2, step);
  const double t = static_cast<double>(step);
  const double rho_max = 2 / (1 - beta2) - 1;
  const double rho = rho_max - 2 * t * std::pow(beta2, t) / correction2;
  if (!(rho > 5)) {
    f->root_scale = 0;
    f->epsilon = 1;
    return;
  }
  const double rectified = std::sqrt((rho - 4) * (rho - 2) * rho_max /
                                     ((rho_max - 4) * (rho_max - 2) * rho) * correction2);
  f->step = static_cast<float>(learning_rate * rectified / Correction(*config.beta1, step));
  f->root_scale = 1;
}

}  // namespace

float EpsilonOf(const OptimizerConfig& config) {
  return std::max(static_cast<float>(*config.epsilon), std::numeric_limits<float>::min());
}

UpdateRule AdamRule(const OptimizerConfig& config) {
  UpdateRule rule{
      .loop = AdamLoop, .set_factors = SetAdamFactors, .states = {"mean", "mean_square"}};
  if (config.kind == OptimizerKind::kAmsGrad) {
    rule.loop = AmsGradLoop;
    rule.states[2] = "largest_mean_square";
  }
  if (config.kind == OptimizerKind::kNAdam) {
    rule.loop = NAdamLoop;
    rule.set_factors = SetNAdamFactors;
  }
  if (config.kind == OptimizerKind::kRAdam) rule.set_factors = SetRAdamFactors;
  return rule;
}

}  // namespace trainyard
