#include "core/nn/init.h"

#include <cmath>

#include "core/base/rng.h"
#include "core/nn/orthogonal.h"

namespace trainyard {
namespace {

constexpr double kScaleDefault = 0.01;

// Of LECUN_UNIFORM: the weights of PyTorch's Linear, uniform in ±1 / sqrt(fan_in).
constexpr double kLinearGain = 0.57735026918962576;

InitConfig DefaultInit(Activation activation, double gain) {
  switch (activation) {
    case Activation::kSigmoid:
    case Activation::kTanh:
    case Activation::kHardSigmoid:
    case Activation::kHardTanh:
      return {.kind = InitKind::kXavierUniform, .gain = gain};
    case Activation::kSelu:
      return {.kind = InitKind::kLecunNormal, .gain = gain};
    default:
      return {.kind = InitKind::kLecunUniform, .gain = gain * kLinearGain};
  }
}

void DrawNormal(double standard_deviation, Rng* rng, std::vector<float>* weights) {
  for (float& w : *weights) w = static_cast<float>(standard_deviation * rng->Normal());
}

void DrawUniform(double bound, Rng* rng, std::vector<float>* weights) {
  for (float& w : *weights) w = static_cast<float>(bound * (2 * rng->Uniform() - 1));
}

// Orthonormal columns, or rows where they are fewer, times `gain`.
void DrawOrthogonal(double gain, Rng* rng, LayerWeights* layer) {
  const bool by_column = layer->out <= layer->in;
  const int64_t count = by_column ? layer->out : layer->in;
  const int64_t length = by_column ? layer->in : layer->out;
  std::vector<double> vectors(layer->weights.size());
  for (double& v : vectors) v = rng->Normal();
  Orthonormalize(count, length, vectors.data());
  for (int64_t i = 0; i < count; ++i) {
    for (int64_t j = 0; j < length; ++j) {
      const int64_t place = by_column ? j * layer->out + i : i * layer->out + j;
      layer->weights[static_cast<size_t>(place)] =
          static_cast<float>(gain * vectors[static_cast<size_t>(i * length + j)]);
    }
  }
}

void Draw(const InitConfig& init, Rng* rng, LayerWeights* layer) {
  const double fan_in = static_cast<double>(layer->in);
  const double fan_sum = fan_in + static_cast<double>(layer->out);
  const double gain = init.gain.value_or(1);
  std::vector<float>* const weights = &layer->weights;
  switch (init.kind) {
    case InitKind::kHeNormal:
      return DrawNormal(gain * std::sqrt(2 / fan_in), rng, weights);
    case InitKind::kHeUniform:
      return DrawUniform(gain * std::sqrt(6 / fan_in), rng, weights);
    case InitKind::kXavierNormal:
      return DrawNormal(gain * std::sqrt(2 / fan_sum), rng, weights);
    case InitKind::kXavierUniform:
      return DrawUniform(gain * std::sqrt(6 / fan_sum), rng, weights);
    case InitKind::kLecunNormal:
      return DrawNormal(gain * std::sqrt(1 / fan_in), rng, weights);
    case InitKind::kLecunUniform:
      return DrawUniform(gain * std::sqrt(3 / fan_in), rng, weights);
    case InitKind::kNormal:
      return DrawNormal(init.scale.value_or(kScaleDefault), rng, weights);
    case InitKind::kUniform:
      return DrawUniform(init.scale.value_or(kScaleDefault), rng, weights);
    case InitKind::kOrthogonal:
      return DrawOrthogonal(gain, rng, layer);
    case InitKind::kUnspecified:
      return Draw(DefaultInit(layer->activation, gain), rng, layer);
    case InitKind::kZeros:
      return;  // zeros already
  }
}

}  // namespace

MlpWeights InitialWeights(const MlpConfig& config, uint64_t seed) {
  MlpWeights weights = ZeroWeights(config);
  for (size_t i = 0; i < weights.size(); ++i) {
    Rng rng(seed, RngStream::kInit, i);
    Draw(config.init, &rng, &weights[i]);
  }
  return weights;
}

}  // namespace trainyard
