#include "core/analysis/linear_collapse.h"

#include <algorithm>
#include <cmath>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/analysis/loss_evaluator.h"
#include "core/base/status_macros.h"

namespace trainyard {
namespace {

// y = x·weights + biases, row-major [in, out], in double.
struct AffineMap {
  int64_t in = 0;
  int64_t out = 0;
  std::vector<double> weights;
  std::vector<double> biases;
};

// Batch normalisation by running values, per unit: z·scale + shift. {1, 0} without.
std::pair<double, double> UnitAffine(const LayerWeights& layer, int64_t unit) {
  if (layer.normalization != Normalization::kBatch) return {1, 0};
  const auto u = static_cast<size_t>(unit);
  const double scale =
      layer.gains[u] / std::sqrt(double{layer.running_variances[u]} + kNormalizationEpsilon);
  return {scale, layer.shifts[u] - layer.running_means[u] * scale};
}

AffineMap MapOf(const LayerWeights& layer) {
  AffineMap map{.in = layer.in,
                .out = layer.out,
                .weights = {layer.weights.begin(), layer.weights.end()},
                .biases = std::vector<double>(static_cast<size_t>(layer.out))};
  for (int64_t unit = 0; unit < layer.out; ++unit) {
    const auto [scale, shift] = UnitAffine(layer, unit);
    const double bias = layer.biases.empty() ? 0 : layer.biases[static_cast<size_t>(unit)];
    map.biases[static_cast<size_t>(unit)] = bias * scale + shift;
    for (int64_t i = 0; i < layer.in; ++i)
      map.weights[static_cast<size_t>(i * layer.out + unit)] *= scale;
    if (layer.residual) map.weights[static_cast<size_t>(unit * layer.out + unit)] += 1;
  }
  return map;
}

// The map of `first`, then `second`.
AffineMap Compose(const AffineMap& first, const AffineMap& second) {
  AffineMap map{.in = first.in,
                .out = second.out,
                .weights = std::vector<double>(static_cast<size_t>(first.in * second.out)),
                .biases = second.biases};
  const auto add_row = [&second](const double* row, double* sums) {
    for (int64_t k = 0; k < second.in; ++k) {
      const double* w = second.weights.data() + k * second.out;
      for (int64_t o = 0; o < second.out; ++o) sums[o] += row[k] * w[o];
    }
  };
  for (int64_t i = 0; i < first.in; ++i) {
    add_row(first.weights.data() + i * first.out, map.weights.data() + i * second.out);
  }
  add_row(first.biases.data(), map.biases.data());
  return map;
}

std::string NonlinearReason(const MlpWeights& weights) {
  for (size_t i = 0; i < weights.size(); ++i) {
    if (weights[i].activation != Activation::kIdentity) {
      return absl::StrCat("layers[", i, "] is not linear: its activation is ",
                          ActivationWord(weights[i].activation));
    }
    if (weights[i].normalization == Normalization::kLayer) {
      return absl::StrCat(
          "layers[", i,
          "] is not linear: layer normalization divides each row by its own deviation");
    }
  }
  return "";
}

// Largest |logits − (x·W' + b')| over `rows` rows.
double LargestDifference(const AffineMap& map, const float* x, const float* logits, int64_t rows) {
  double largest = 0;
  std::vector<double> expected;
  for (int64_t r = 0; r < rows; ++r, x += map.in, logits += map.out) {
    expected = map.biases;
    for (int64_t i = 0; i < map.in; ++i) {
      for (int64_t o = 0; o < map.out; ++o) expected[o] += x[i] * map.weights[i * map.out + o];
    }
    for (int64_t o = 0; o < map.out; ++o) {
      const double difference = std::fabs(expected[o] - logits[o]);
      if (!(difference <= largest)) largest = difference;  // NaN stays
    }
  }
  return largest;
}

absl::Status Compare(const AnalysisInput& input, const AffineMap& map, LossEvaluator* evaluator,
                     double* difference_max) {
  const AnalysisRows& rows = evaluator->rows();
  for (int64_t begin = 0; begin < rows.count; begin += evaluator->batch_rows()) {
    TY_RETURN_IF_ERROR(CheckNotStopped(input));
    const int64_t count = std::min(evaluator->batch_rows(), rows.count - begin);
    const float* x = rows.part->features.row(begin).data();
    TY_RETURN_IF_ERROR(evaluator->mlp().Forward(x, count));
    const double difference = LargestDifference(map, x, evaluator->mlp().logits(), count);
    if (!(difference <= *difference_max)) *difference_max = difference;
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<LinearCollapseResult> CollapseLinear(const AnalysisInput& input) {
  TY_ASSIGN_OR_RETURN(const std::unique_ptr<LossEvaluator> evaluator,
                      LossEvaluator::Create(input, LossEvaluator::Mode::kForward));
  LinearCollapseResult result{.reason = NonlinearReason(input.weights),
                              .parameter_count = ParameterCount(ConfigOf(input.weights)),
                              .row_count = evaluator->rows().count};
  result.linear = result.reason.empty();
  if (!result.linear) return result;

  const auto layers = static_cast<int64_t>(input.weights.size());
  AffineMap map = MapOf(input.weights.front());
  for (int64_t i = 1; i < layers; ++i) {
    TY_RETURN_IF_ERROR(CheckNotStopped(input));
    map = Compose(map, MapOf(input.weights[static_cast<size_t>(i)]));
    input.Report(i, layers);
  }
  TY_RETURN_IF_ERROR(Compare(input, map, evaluator.get(), &result.difference_max));
  input.Report(layers, layers);
  result.collapsed_parameter_count = static_cast<int64_t>(map.weights.size() + map.biases.size());
  result.weights = std::move(map.weights);
  result.biases = std::move(map.biases);
  return result;
}

}  // namespace trainyard
