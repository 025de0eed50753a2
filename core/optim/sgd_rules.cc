// SGD in its forms, and Lion: what moves by a momentum alone.
#include "core/optim/update_rules.h"
#include "core/tensor/multiversion.h"

namespace trainyard {
namespace {

TY_MULTIVERSION void SgdLoop(const UpdateFactors& factors, int64_t count,
                             const UpdateArrays& arrays) {
  const UpdateFactors f = factors;
  const float* __restrict g = arrays.gradients;
  float* __restrict p = arrays.parameters;
  for (int64_t i = 0; i < count; ++i) p[i] -= f.step * RegularizedGradient(f, g[i], p[i]);
}

TY_MULTIVERSION void MomentumLoop(const UpdateFactors& factors, int64_t count,
                                  const UpdateArrays& arrays) {
  const UpdateFactors f = factors;
  const float* __restrict g = arrays.gradients;
  float* __restrict p = arrays.parameters;
  float* __restrict v = arrays.states[0];
  for (int64_t i = 0; i < count; ++i) {
    v[i] = f.keep1 * v[i] + f.rest1 * RegularizedGradient(f, g[i], p[i]);
    p[i] -= f.step * v[i];
  }
}

TY_MULTIVERSION void NesterovLoop(const UpdateFactors& factors, int64_t count,
                                  const UpdateArrays& arrays) {
  const UpdateFactors f = factors;
  const float* __restrict g = arrays.gradients;
  float* __restrict p = arrays.parameters;
  float* __restrict v = arrays.states[0];
  for (int64_t i = 0; i < count; ++i) {
    const float gradient = RegularizedGradient(f, g[i], p[i]);
    v[i] = f.keep1 * v[i] + f.rest1 * gradient;
    p[i] -= f.step * (gradient + f.keep1 * v[i]);
  }
}

void SetSgdFactors(const OptimizerConfig& config, double learning_rate, int64_t step,
                   float* /*product*/, UpdateFactors* f) {
  f->step = static_cast<float>(learning_rate);
  f->keep1 = static_cast<float>(*config.momentum);
  // The first momentum is the gradient itself, as PyTorch's.
  f->rest1 = step == 1 ? 1 : static_cast<float>(1 - *config.dampening);
}

TY_MULTIVERSION void LionLoop(const UpdateFactors& factors, int64_t count,
                              const UpdateArrays& arrays) {
  const UpdateFactors f = factors;
  const float* __restrict g = arrays.gradients;
  float* __restrict p = arrays.parameters;
  float* __restrict m = arrays.states[0];
  for (int64_t i = 0; i < count; ++i) {
    const float gradient = RegularizedGradient(f, g[i], p[i]);
    const float mixed = f.keep1 * m[i] + f.rest1 * gradient;
    const float move = mixed > 0 ? f.step : (mixed < 0 ? -f.step : 0.0F);
    m[i] = f.keep2 * m[i] + f.rest2 * gradient;
    p[i] = f.shrink * p[i] - move;
  }
}

void SetLionFactors(const OptimizerConfig& config, double learning_rate, int64_t /*step*/,
                    float* /*product*/, UpdateFactors* f) {
  f->step = static_cast<float>(learning_rate);
  f->keep1 = static_cast<float>(*config.beta1);
  f->rest1 = static_cast<float>(1 - *config.beta1);
  f->keep2 = static_cast<float>(*config.beta2);
  f->rest2 = static_cast<float>(1 - *config.beta2);
}

}  // namespace

UpdateRule SgdRule(const OptimizerConfig& config) {
  if (!(*config.momentum > 0)) return {.loop = SgdLoop, .set_factors = SetSgdFactors};
  return {.loop = *config.nesterov ? NesterovLoop : MomentumLoop,
          .set_factors = SetSgdFactors,
          .states = {"momentum"}};
}

UpdateRule LionRule(const OptimizerConfig& /*config*/) {
  return {.loop = LionLoop, .set_factors = SetLionFactors, .states = {"mean"}};
}

}  // namespace trainyard
