#include "core/nn/init.h"

#include <cmath>

#include "core/base/rng.h"

namespace trainyard {
namespace {

InitKind Resolve(InitKind kind, Activation activation) {
  if (kind != InitKind::kUnspecified) return kind;
  return activation == Activation::kRelu ? InitKind::kHeNormal : InitKind::kXavierUniform;
}

void DrawNormal(double standard_deviation, Rng* rng, std::vector<float>* weights) {
  for (float& w : *weights) w = static_cast<float>(standard_deviation * rng->Normal());
}

void DrawUniform(double bound, Rng* rng, std::vector<float>* weights) {
  for (float& w : *weights) w = static_cast<float>(bound * (2 * rng->Uniform() - 1));
}

void Draw(InitKind kind, Rng* rng, LayerWeights* layer) {
  const double fan_in = static_cast<double>(layer->in);
  const double fan_sum = fan_in + static_cast<double>(layer->out);
  switch (Resolve(kind, layer->activation)) {
    case InitKind::kHeNormal:
      return DrawNormal(std::sqrt(2 / fan_in), rng, &layer->weights);
    case InitKind::kHeUniform:
      return DrawUniform(std::sqrt(6 / fan_in), rng, &layer->weights);
    case InitKind::kXavierNormal:
      return DrawNormal(std::sqrt(2 / fan_sum), rng, &layer->weights);
    case InitKind::kXavierUniform:
      return DrawUniform(std::sqrt(6 / fan_sum), rng, &layer->weights);
    case InitKind::kZeros:
    default:
      return;  // zeros already; Resolve leaves no kUnspecified
  }
}

}  // namespace

MlpWeights InitialWeights(const MlpConfig& config, uint64_t seed) {
  MlpWeights weights = ZeroWeights(config);
  for (size_t i = 0; i < weights.size(); ++i) {
    Rng rng(seed, RngStream::kInit, i);
    Draw(config.init.kind, &rng, &weights[i]);
  }
  return weights;
}

}  // namespace trainyard
