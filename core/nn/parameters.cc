#include "core/nn/parameters.h"

#include "absl/strings/str_cat.h"

namespace trainyard {
namespace {

constexpr int64_t kFloatsPerCacheLine = 16;

int64_t RoundUp(int64_t count) {
  return (count + kFloatsPerCacheLine - 1) / kFloatsPerCacheLine * kFloatsPerCacheLine;
}

const char* NameOf(TensorKind kind) {
  switch (kind) {
    case TensorKind::kWeights:
      return "weights";
    case TensorKind::kBiases:
      return "biases";
    case TensorKind::kGains:
      return "gains";
    case TensorKind::kShifts:
      break;
  }
  return "shifts";
}

bool Has(const LayerConfig& layer, TensorKind kind) {
  if (kind == TensorKind::kWeights) return true;
  if (kind == TensorKind::kBiases) return layer.bias;
  return Normalizes(layer);
}

}  // namespace

ParameterTensors LayOut(const MlpConfig& config) {
  const auto layer_count = static_cast<int64_t>(config.layers.size()) + 1;
  ParameterTensors tensors;
  int64_t end = 0;
  for (const TensorKind kind :
       {TensorKind::kWeights, TensorKind::kBiases, TensorKind::kGains, TensorKind::kShifts}) {
    for (int64_t i = 0; i < layer_count; ++i) {
      const LayerConfig layer = LayerOf(config, i);
      if (!Has(layer, kind)) continue;
      const bool hidden = i + 1 < layer_count;
      tensors.push_back({.name = absl::StrCat(hidden ? absl::StrCat("layers[", i, "] ") : "output ",
                                              NameOf(kind)),
                         .kind = kind,
                         .layer = i,
                         .hidden = hidden,
                         .begin = end,
                         .rows = kind == TensorKind::kWeights ? InputsOf(config, i) : 1,
                         .cols = layer.units});
      end = RoundUp(end + tensors.back().size());
    }
  }
  return tensors;
}

int64_t ArenaSizeOf(const ParameterTensors& tensors) {
  if (tensors.empty()) return 0;
  return RoundUp(tensors.back().begin + tensors.back().size());
}

int64_t WeightCountOf(const ParameterTensors& tensors) {
  for (const ParameterTensor& tensor : tensors) {
    if (tensor.kind != TensorKind::kWeights) return tensor.begin;
  }
  return ArenaSizeOf(tensors);
}

}  // namespace trainyard
