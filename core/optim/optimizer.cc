#include "core/optim/optimizer.h"

#include <cmath>

#include "core/base/check.h"
#include "core/tensor/matrix.h"
#include "core/tensor/multiversion.h"
#include "core/tensor/vector_ops.h"

namespace trainyard {
namespace {

struct AdamFactors {
  float step_size;   // α / (1 - β1ᵗ)
  float root_scale;  // 1 / √(1 - β2ᵗ)
  float beta1, beta2;
  float rest1, rest2;  // 1 - β, rounded once from double
  float epsilon;
  float weight_decay;
};

TY_MULTIVERSION void SgdUpdate(float lr, float weight_decay, int64_t count,
                               const float* __restrict g, float* __restrict p) {
  for (int64_t i = 0; i < count; ++i) p[i] -= lr * (g[i] + weight_decay * p[i]);
}

TY_MULTIVERSION void MomentumUpdate(float lr, float momentum, float weight_decay, int64_t count,
                                    const float* __restrict g, float* __restrict v,
                                    float* __restrict p) {
  for (int64_t i = 0; i < count; ++i) {
    v[i] = momentum * v[i] + (g[i] + weight_decay * p[i]);
    p[i] -= lr * v[i];
  }
}

TY_MULTIVERSION void AdamUpdate(const AdamFactors& factors, int64_t count,
                                const float* __restrict g, float* __restrict m, float* __restrict s,
                                float* __restrict p) {
  const AdamFactors f = factors;
  for (int64_t i = 0; i < count; ++i) {
    const float gradient = g[i] + f.weight_decay * p[i];
    m[i] = f.beta1 * m[i] + f.rest1 * gradient;
    s[i] = f.beta2 * s[i] + f.rest2 * gradient * gradient;
    p[i] -= f.step_size * m[i] / (std::sqrt(s[i]) * f.root_scale + f.epsilon);
  }
}

AdamFactors FactorsAt(const OptimizerConfig& config, double lr, double weight_decay,
                      int64_t steps) {
  const double t = static_cast<double>(steps);
  return {.step_size = static_cast<float>(lr / (1 - std::pow(*config.beta1, t))),
          .root_scale = static_cast<float>(1 / std::sqrt(1 - std::pow(*config.beta2, t))),
          .beta1 = static_cast<float>(*config.beta1),
          .beta2 = static_cast<float>(*config.beta2),
          .rest1 = static_cast<float>(1 - *config.beta1),
          .rest2 = static_cast<float>(1 - *config.beta2),
          .epsilon = static_cast<float>(*config.epsilon),
          .weight_decay = static_cast<float>(weight_decay)};
}

}  // namespace

class Optimizer::Impl {
 public:
  Impl(const OptimizerConfig& config, const ParameterTensors& tensors)
      : config_(config),
        parameter_count_(ArenaSizeOf(tensors)),
        weight_count_(WeightCountOf(tensors)) {
    const bool adam = config.kind == OptimizerKind::kAdam;
    if (adam || *config.momentum > 0) first_moment_ = AllocateFloats(parameter_count_);
    if (adam) second_moment_ = AllocateFloats(parameter_count_);
  }

  void Step(double learning_rate, std::span<const float> gradients, std::span<float> parameters) {
    ++steps_done_;
    StepRange(learning_rate, *config_.weight_decay, 0, weight_count_, gradients.data(),
              parameters.data());
    StepRange(learning_rate, /*weight_decay=*/0, weight_count_, parameter_count_, gradients.data(),
              parameters.data());
  }

  void StepRange(double learning_rate, double weight_decay, int64_t begin, int64_t end,
                 const float* gradients, float* parameters) {
    const float* g = gradients + begin;
    float* p = parameters + begin;
    const int64_t count = end - begin;
    if (config_.kind == OptimizerKind::kAdam) {
      return AdamUpdate(FactorsAt(config_, learning_rate, weight_decay, steps_done_), count, g,
                        first_moment_.get() + begin, second_moment_.get() + begin, p);
    }
    const float lr = static_cast<float>(learning_rate);
    const float decay = static_cast<float>(weight_decay);
    if (first_moment_ == nullptr) return SgdUpdate(lr, decay, count, g, p);
    MomentumUpdate(lr, static_cast<float>(*config_.momentum), decay, count, g,
                   first_moment_.get() + begin, p);
  }

  const OptimizerConfig config_;
  const int64_t parameter_count_;
  const int64_t weight_count_;
  int64_t steps_done_ = 0;
  AlignedFloats first_moment_;
  AlignedFloats second_moment_;
};

Optimizer::Optimizer(const OptimizerConfig& config, const ParameterTensors& tensors,
                     uint64_t /*seed*/)
    : impl_(std::make_unique<Impl>(config, tensors)) {}
Optimizer::~Optimizer() = default;

double Optimizer::PrepareGradients(std::span<float> gradients) {
  return std::sqrt(SumOfSquares(gradients.data(), static_cast<int64_t>(gradients.size())));
}

void Optimizer::Step(double learning_rate, std::span<const float> gradients,
                     std::span<float> parameters) {
  impl_->Step(learning_rate, gradients, parameters);
}

std::span<const float> Optimizer::averaged_parameters() const { return {}; }
int64_t Optimizer::steps_done() const { return impl_->steps_done_; }
std::vector<Optimizer::StateArray> Optimizer::state_arrays() { return {}; }
void Optimizer::set_steps_done(int64_t steps_done) { impl_->steps_done_ = steps_done; }

}  // namespace trainyard
