#include "core/nn/mlp_config.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "core/base/check.h"

namespace trainyard {
namespace {

// Calls visit(in, layer) for every layer, input to output.
template <typename Visit>
void ForEachLayer(const MlpConfig& config, Visit visit) {
  const auto layer_count = static_cast<int64_t>(config.layers.size()) + 1;
  for (int64_t i = 0; i < layer_count; ++i) visit(InputsOf(config, i), LayerOf(config, i));
}

LayerWeights ZeroLayer(int64_t in, const LayerConfig& layer) {
  const auto units = static_cast<size_t>(layer.units);
  LayerWeights weights{.in = in,
                       .out = layer.units,
                       .activation = layer.activation,
                       .weights = std::vector<float>(static_cast<size_t>(in * layer.units)),
                       .biases = std::vector<float>(layer.bias ? units : 0),
                       .alpha = AlphaOf(layer),
                       .residual = layer.residual};
  if (!Normalizes(layer)) return weights;
  weights.normalization = layer.normalization;
  weights.gains.assign(units, 1);
  weights.shifts.assign(units, 0);
  if (layer.normalization != Normalization::kBatch) return weights;
  weights.running_means.assign(units, 0);
  weights.running_variances.assign(units, 1);
  return weights;
}

LayerConfig LayerConfigOf(const LayerWeights& weights) {
  LayerConfig layer{.units = weights.out,
                    .activation = weights.activation,
                    .bias = !weights.biases.empty(),
                    .normalization = weights.normalization,
                    .residual = weights.residual};
  if (HasAlpha(weights.activation)) layer.alpha = weights.alpha;
  return layer;
}

bool SameLayer(const LayerConfig& a, const LayerConfig& b) {
  const bool same_normalization =
      Normalizes(a) ? a.normalization == b.normalization : !Normalizes(b);
  return a.units == b.units && a.activation == b.activation && AlphaOf(a) == AlphaOf(b) &&
         a.bias == b.bias && same_normalization && a.residual == b.residual;
}

// Whether every array is as long as a layer of that shape needs it.
bool HasWholeArrays(const LayerWeights& weights, const LayerConfig& layer) {
  const auto units = static_cast<size_t>(layer.units);
  const size_t normalized = Normalizes(layer) ? units : 0;
  const size_t running = layer.normalization == Normalization::kBatch ? units : 0;
  return weights.weights.size() == static_cast<size_t>(weights.in) * units &&
         weights.biases.size() == (layer.bias ? units : 0) && weights.gains.size() == normalized &&
         weights.shifts.size() == normalized && weights.running_means.size() == running &&
         weights.running_variances.size() == running;
}

// E.g. "4 x 2 with biases, activation 5 (alpha 0.1), normalization 2, residual".
std::string Describe(int64_t in, const LayerConfig& layer) {
  std::string text = absl::StrCat(in, " x ", layer.units, layer.bias ? " with" : " without",
                                  " biases, activation ", static_cast<int>(layer.activation));
  if (HasAlpha(layer.activation)) absl::StrAppend(&text, " (alpha ", AlphaOf(layer), ")");
  if (Normalizes(layer)) {
    absl::StrAppend(&text, ", normalization ", static_cast<int>(layer.normalization));
  }
  if (layer.residual) absl::StrAppend(&text, ", residual");
  return text;
}

absl::Status CheckLayer(size_t number, int64_t in, const LayerConfig& layer,
                        const LayerWeights& weights) {
  const LayerConfig actual = LayerConfigOf(weights);
  if (weights.in != in || !SameLayer(actual, layer)) {
    return absl::InvalidArgumentError(absl::StrCat("weights of layer ", number, " are ",
                                                   Describe(weights.in, actual),
                                                   "; the network's are ", Describe(in, layer)));
  }
  if (HasWholeArrays(weights, layer)) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("weights of layer ", number,
                                                 " have arrays that are not as long as ",
                                                 Describe(in, layer), " needs them"));
}

void TransferLayer(LayerWeights* layer, StateArchive* archive) {
  archive->Value(&layer->in);
  archive->Value(&layer->out);
  archive->Value(&layer->activation, kActivationLast);
  archive->Value(&layer->alpha);
  archive->Value(&layer->normalization, Normalization::kLayer);
  archive->Value(&layer->residual);
  for (std::vector<float>* numbers :
       {&layer->weights, &layer->biases, &layer->gains, &layer->shifts, &layer->running_means,
        &layer->running_variances}) {
    archive->Values(numbers);
  }
  // Their product is asked for next, and must not overflow.
  const auto size = static_cast<int64_t>(layer->weights.size());
  if (layer->in < 1 || layer->out < 1 || layer->in > size || layer->out > size) archive->Fail();
}

}  // namespace

bool Normalizes(const LayerConfig& layer) {
  return layer.normalization == Normalization::kBatch ||
         layer.normalization == Normalization::kLayer;
}

float AlphaOf(const LayerConfig& layer) {
  if (!HasAlpha(layer.activation)) return 0;
  return static_cast<float>(layer.alpha.value_or(DefaultAlpha(layer.activation)));
}

int64_t InputsOf(const MlpConfig& config, int64_t number) {
  return number == 0 ? config.features : config.layers[static_cast<size_t>(number) - 1].units;
}

LayerConfig LayerOf(const MlpConfig& config, int64_t number) {
  const auto i = static_cast<size_t>(number);
  if (i < config.layers.size()) return config.layers[i];
  return {.units = config.outputs, .activation = Activation::kIdentity, .bias = config.output_bias};
}

int64_t ParameterCount(const MlpConfig& config) {
  int64_t count = 0;
  ForEachLayer(config, [&](int64_t in, const LayerConfig& layer) {
    const int64_t per_unit = in + (layer.bias ? 1 : 0) + (Normalizes(layer) ? 2 : 0);
    count += per_unit * layer.units;
  });
  return count;
}

int64_t ForwardFlopsPerRow(const MlpConfig& config) {
  int64_t flops = 0;
  ForEachLayer(config,
               [&](int64_t in, const LayerConfig& layer) { flops += 2 * in * layer.units; });
  return flops;
}

int64_t TrainFlopsPerRow(const MlpConfig& config) {
  // Gradients of weights and of inputs are a product each; nobody asks for the gradient of the
  // first layer's input.
  const int64_t first =
      2 * config.features * (config.layers.empty() ? config.outputs : config.layers.front().units);
  return 3 * ForwardFlopsPerRow(config) - first;
}

MlpWeights ZeroWeights(const MlpConfig& config) {
  MlpWeights weights;
  ForEachLayer(config, [&](int64_t in, const LayerConfig& layer) {
    weights.push_back(ZeroLayer(in, layer));
  });
  return weights;
}

MlpConfig ConfigOf(const MlpWeights& weights) {
  TY_CHECK(!weights.empty());
  MlpConfig config{.features = weights.front().in,
                   .outputs = weights.back().out,
                   .output_bias = !weights.back().biases.empty()};
  for (size_t i = 0; i + 1 < weights.size(); ++i) {
    config.layers.push_back(LayerConfigOf(weights[i]));
  }
  return config;
}

absl::Status CheckShapes(const MlpConfig& expected, const MlpWeights& actual) {
  if (actual.size() != expected.layers.size() + 1) {
    return absl::InvalidArgumentError(absl::StrCat(
        "weights have ", actual.size(), " layers, the network has ", expected.layers.size() + 1));
  }
  size_t number = 0;
  absl::Status result;
  ForEachLayer(expected, [&](int64_t in, const LayerConfig& layer) {
    if (result.ok()) result = CheckLayer(number, in, layer, actual[number]);
    ++number;
  });
  return result;
}

void TransferState(MlpWeights* weights, StateArchive* archive) {
  archive->Resize(weights, sizeof(LayerWeights));
  for (LayerWeights& layer : *weights) TransferLayer(&layer, archive);
  if (!archive->loading() || !archive->ok() || weights->empty()) return;
  if (!CheckShapes(ConfigOf(*weights), *weights).ok()) archive->Fail();
}

}  // namespace trainyard
