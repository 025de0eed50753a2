#include "server/worker/model_fit.h"

#include <algorithm>
#include <cmath>
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

// Why no weights of the column can say the same; empty: some can.
std::string DifferenceOf(const ColumnTransform& from, const ColumnTransform& to) {
  const bool numbers = from.encoding == Encoding::kNumber && to.encoding == Encoding::kNumber;
  if (!numbers) return from == to ? "" : "has other categories, or codes them otherwise";
  if (from.missing_indicator != to.missing_indicator) return "marks missing cells otherwise";
  if (to.scale == 0 && from.scale != 0) return "is constant in this one's training rows";
  // Where one of them takes no missing cells, nothing has to be said of them.
  const bool both_fill = !std::isnan(from.fill) && !std::isnan(to.fill);
  const bool fills_differ = both_fill && from.fill != to.fill && from.scale != 0;
  return fills_differ && !from.missing_indicator ? "has missing cells filled in with another number"
                                                 : "";
}

// The weights of a column's features, [width, out], for z = (x - to.offset)·to.scale instead of
// x' = (x - from.offset)·from.scale. What that adds to every row goes to `sums` [out].
void RescaleColumn(const ColumnTransform& from, const ColumnTransform& to, std::span<float> weights,
                   std::vector<double>* sums) {
  const size_t out = sums->size();
  const double shift = (to.offset - from.offset) * from.scale;
  // A feature that is constant in `from` is 0 there whatever it is here.
  const double ratio = from.scale == 0 ? 0 : from.scale / to.scale;
  const bool both_fill = !std::isnan(from.fill) && !std::isnan(to.fill);
  const double fill_shift = both_fill ? (from.fill - to.fill) * from.scale : 0;
  for (size_t unit = 0; unit < out; ++unit) {
    const float weight = weights[unit];
    (*sums)[unit] += weight * shift;
    weights[unit] = static_cast<float>(weight * ratio);
    if (!from.missing_indicator) continue;
    float& indicator = weights[out + unit];
    indicator = static_cast<float>(indicator + weight * fill_shift);
  }
}

absl::Status CannotRescale(const std::string& name, const std::string& why,
                           absl::string_view what = "features") {
  return MakeViolationsError(
      ErrorReason::kInvalidSpec,
      {{name, absl::StrCat("was trained with ", what, " scaled otherwise, and ", why,
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
  if (bundle.preprocessor.feature_count() != dataset.feature_count()) {
    add(absl::StrCat("its columns make ", bundle.preprocessor.feature_count(),
                     " features, the dataset's ", dataset.feature_count(),
                     ": their categories are others, or coded otherwise"));
  }
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
  if (from.transforms() == to.transforms()) return absl::OkStatus();
  LayerWeights& first = bundle->weights.front();
  if (first.residual) return CannotRescale(name, "its first layer passes them on (residual)");
  const auto out = static_cast<size_t>(first.out);
  std::vector<double> sums(out, 0.0);
  for (size_t i = 0; i < bundle->feature_columns.size(); ++i) {
    const ColumnTransform& before = from.transforms()[i];
    const ColumnTransform& after = to.transforms()[i];
    const std::string difference = DifferenceOf(before, after);
    if (!difference.empty()) {
      return CannotRescale(name, absl::StrCat("\"", bundle->feature_columns[i], "\" ", difference));
    }
    if (before.encoding != Encoding::kNumber) continue;
    const auto begin = static_cast<size_t>(from.first_feature(static_cast<int64_t>(i))) * out;
    const auto size = static_cast<size_t>(before.width()) * out;
    RescaleColumn(before, after, std::span(first.weights).subspan(begin, size), &sums);
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

absl::Status RescaleTarget(const std::string& name, const TargetUnit& to, Bundle* bundle) {
  LossConfig& loss = bundle->loss;
  const double ratio = loss.target_scale / to.scale;
  const double shift = (loss.target_offset - to.offset) / to.scale;
  if (ratio == 1 && shift == 0) return absl::OkStatus();
  LayerWeights& last = bundle->weights.back();
  if (last.biases.empty() && shift != 0) {
    return CannotRescale(name, "its output layer has no bias to take up the difference",
                         "a target");
  }
  for (float& weight : last.weights) weight = static_cast<float>(weight * ratio);
  for (float& bias : last.biases) bias = static_cast<float>(bias * ratio + shift);
  loss.target_offset = to.offset;
  loss.target_scale = to.scale;
  return absl::OkStatus();
}

}  // namespace trainyard
