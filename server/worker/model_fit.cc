#include "server/worker/model_fit.h"

#include <algorithm>
#include <span>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "core/base/error_info.h"
#include "core/base/status_macros.h"

namespace trainyard {
namespace {

bool SameShape(const LayerWeights& a, const LayerWeights& b) {
  return a.in == b.in && a.out == b.out && a.activation == b.activation && a.alpha == b.alpha &&
         a.biases.size() == b.biases.size() && a.normalization == b.normalization &&
         a.residual == b.residual;
}

std::string ShapeOf(const LayerWeights& layer) { return absl::StrCat(layer.in, " × ", layer.out); }

bool SameScaling(const Preprocessor& a, const Preprocessor& b) {
  return a.offsets() == b.offsets() && a.scales() == b.scales();
}

// Where a layer keeps what it adds to every row: subtracted from a running mean it is the same as
// added to a bias.
struct Constants {
  std::vector<float>* values = nullptr;  // [out]; null when there is no such place
  double sign = 1;
};

Constants ConstantsOf(LayerWeights* layer) {
  if (!layer->biases.empty()) return {.values = &layer->biases};
  if (layer->normalization != Normalization::kBatch) return {};
  return {.values = &layer->running_means, .sign = -1};
}

// One feature's row of weights [out], for z = (x - to.offset)·to.scale instead of
// x' = (x - from.offset)·from.scale. What that adds to every row goes to `sums` [out].
void RescaleFeature(const Preprocessor& from, const Preprocessor& to, size_t feature,
                    std::span<float> weights, std::vector<double>* sums) {
  const double factor = from.scales()[feature];
  const double shift = (to.offsets()[feature] - from.offsets()[feature]) * factor;
  // A feature that is constant in `from` is 0 there whatever it is here.
  const double ratio = factor == 0 ? 0 : factor / to.scales()[feature];
  for (size_t unit = 0; unit < weights.size(); ++unit) {
    (*sums)[unit] += weights[unit] * shift;
    weights[unit] = static_cast<float>(weights[unit] * ratio);
  }
}

absl::Status CannotRescale(const std::string& name, const std::string& why) {
  return MakeViolationsError(
      ErrorReason::kInvalidSpec,
      {{name, absl::StrCat("was trained with features scaled otherwise, and ", why,
                           ": compare models of the same dataset, seed, split and scaling")}});
}

}  // namespace

absl::Status CheckModel(const std::string& name, const Bundle& bundle, const TrainConfig& config,
                        const Dataset& dataset) {
  std::vector<FieldViolation> violations;
  const auto add = [&](const std::string& why) { violations.push_back({name, why}); };
  if (bundle.feature_columns != dataset.config.feature_columns) {
    add("its feature columns, or their order, are not the dataset's");
  }
  if (bundle.classes != dataset.classes) add("its classes are not the dataset's");
  const MlpWeights expected =
      ZeroWeights(MlpConfigOf(config, dataset.feature_count(), dataset.output_count()));
  if (bundle.weights.size() != expected.size()) {
    add(absl::StrCat("it has ", bundle.weights.size(), " layers, the spec ", expected.size()));
  }
  for (size_t i = 0; i < std::min(expected.size(), bundle.weights.size()); ++i) {
    if (SameShape(bundle.weights[i], expected[i])) continue;
    add(absl::StrCat("its layer ", i, " (", ShapeOf(bundle.weights[i]), ") is not the spec's (",
                     ShapeOf(expected[i]), "), or differs in activation, bias or normalization"));
  }
  if (violations.empty()) return absl::OkStatus();
  return MakeViolationsError(ErrorReason::kInvalidSpec, std::move(violations));
}

absl::Status Rescale(const std::string& name, const Preprocessor& to, Bundle* bundle) {
  const Preprocessor& from = bundle->preprocessor;
  if (SameScaling(from, to)) return absl::OkStatus();
  LayerWeights& first = bundle->weights.front();
  if (first.residual) return CannotRescale(name, "its first layer passes them on (residual)");
  const auto out = static_cast<size_t>(first.out);
  std::vector<double> sums(out, 0.0);
  for (size_t i = 0; i < bundle->feature_columns.size(); ++i) {
    if (to.scales()[i] == 0 && from.scales()[i] != 0) {
      return CannotRescale(name, absl::StrCat("\"", bundle->feature_columns[i],
                                              "\" is constant in this one's training rows"));
    }
    RescaleFeature(from, to, i, std::span(first.weights).subspan(i * out, out), &sums);
  }
  const Constants constants = ConstantsOf(&first);
  const bool moves = std::any_of(sums.begin(), sums.end(), [](double sum) { return sum != 0; });
  if (constants.values == nullptr && moves) {
    return CannotRescale(name, "its first layer has no biases to take up the difference");
  }
  for (size_t unit = 0; moves && unit < out; ++unit) {
    float& value = (*constants.values)[unit];
    value = static_cast<float>(value + constants.sign * sums[unit]);
  }
  bundle->preprocessor = to;
  return absl::OkStatus();
}

}  // namespace trainyard
