#include <cstdio>
#include <iterator>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "core/data/number.h"
#include "core/model/export.h"

namespace trainyard {
namespace {

// Words as in a spec file.
absl::string_view LossWord(LossKind kind) {
  constexpr absl::string_view kWords[] = {"unspecified",
                                          "binary_cross_entropy",
                                          "softmax_cross_entropy",
                                          "mean_squared_error",
                                          "mean_absolute_error",
                                          "huber",
                                          "quantile",
                                          "poisson",
                                          "hinge"};
  static_assert(std::size(kWords) == static_cast<size_t>(LossKind::kHinge) + 1);
  return kWords[static_cast<size_t>(kind)];
}

template <typename Number>
void AppendNumbers(const Number* numbers, size_t count, std::string* out) {
  out->push_back('[');
  for (size_t i = 0; i < count; ++i) {
    if (i > 0) out->push_back(',');
    out->append(NumberText(numbers[i]));
  }
  out->push_back(']');
}

template <typename Number>
void AppendNumbers(absl::string_view key, const std::vector<Number>& numbers, std::string* out) {
  absl::StrAppend(out, ",\"", key, "\":");
  AppendNumbers(numbers.data(), numbers.size(), out);
}

// Options that mean nothing for the kind are left out.
void AppendLoss(const LossConfig& loss, std::string* out) {
  absl::StrAppend(out, ",\"loss\":{\"kind\":\"", LossWord(loss.kind), "\"");
  if (loss.kind == LossKind::kSoftmaxCrossEntropy) {
    absl::StrAppend(out, ",\"label_smoothing\":", NumberText(loss.label_smoothing));
  }
  if (loss.kind == LossKind::kHuber) absl::StrAppend(out, ",\"delta\":", NumberText(loss.delta));
  if (loss.kind == LossKind::kQuantile)
    absl::StrAppend(out, ",\"quantile\":", NumberText(loss.quantile));
  if (!loss.class_weights.empty()) AppendNumbers("class_weights", loss.class_weights, out);
  out->push_back('}');
}

void AppendNormalization(const LayerWeights& layer, std::string* out) {
  if (layer.normalization == Normalization::kNone) return;
  const bool by_batch = layer.normalization == Normalization::kBatch;
  absl::StrAppend(out, ",\"normalization\":{\"kind\":\"", by_batch ? "batch" : "layer",
                  "\",\"epsilon\":", NumberText(kNormalizationEpsilon));
  AppendNumbers("gains", layer.gains, out);
  AppendNumbers("shifts", layer.shifts, out);
  if (by_batch) {
    AppendNumbers("running_means", layer.running_means, out);
    AppendNumbers("running_variances", layer.running_variances, out);
  }
  out->push_back('}');
}

void AppendLayer(const LayerWeights& layer, std::string* out) {
  absl::StrAppend(out, "{\"in\":", layer.in, ",\"out\":", layer.out, ",\"activation\":\"",
                  ActivationWord(layer.activation), "\"");
  if (HasAlpha(layer.activation)) absl::StrAppend(out, ",\"alpha\":", NumberText(layer.alpha));
  absl::StrAppend(out, ",\"residual\":", layer.residual ? "true" : "false", ",\"weights\":[");
  for (int64_t row = 0; row < layer.in; ++row) {
    if (row > 0) out->push_back(',');
    AppendNumbers(layer.weights.data() + row * layer.out, layer.out, out);
  }
  out->push_back(']');
  AppendNumbers("biases", layer.biases, out);
  AppendNormalization(layer, out);
  out->push_back('}');
}

}  // namespace

std::string JsonText(absl::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      out.push_back('\\');
      out.push_back(c);
    } else if (static_cast<unsigned char>(c) < 0x20) {
      char escape[8];
      std::snprintf(escape, sizeof escape, "\\u%04x", static_cast<unsigned>(c));
      out.append(escape);
    } else {
      out.push_back(c);
    }
  }
  out.push_back('"');
  return out;
}

std::string JsonTexts(const std::vector<std::string>& texts) {
  return absl::StrCat(
      "[",
      absl::StrJoin(texts, ",",
                    [](std::string* out, const std::string& text) { out->append(JsonText(text)); }),
      "]");
}

// Weights are lists of rows, one per input; `biases` is empty where there are none:
// y = [x +] activation(normalise(x·weights + biases)).
std::string ExportJson(const Bundle& bundle) {
  std::string out =
      absl::StrCat("{\"format\":\"trainyard-model\",\"version\":2,\"task\":\"",
                   TaskWord(bundle.task), "\",\"target_column\":", JsonText(bundle.target_column),
                   ",\"feature_columns\":", JsonTexts(bundle.feature_columns),
                   ",\"classes\":", JsonTexts(bundle.classes));
  AppendLoss(bundle.loss, &out);
  absl::StrAppend(&out, ",\"preprocessing\":{\"offsets\":");
  AppendNumbers(bundle.preprocessor.offsets().data(), bundle.preprocessor.offsets().size(), &out);
  absl::StrAppend(&out, ",\"scales\":");
  AppendNumbers(bundle.preprocessor.scales().data(), bundle.preprocessor.scales().size(), &out);
  absl::StrAppend(&out, "},\"layers\":[");
  for (size_t i = 0; i < bundle.weights.size(); ++i) {
    if (i > 0) out.push_back(',');
    AppendLayer(bundle.weights[i], &out);
  }
  absl::StrAppend(&out, "],\"provenance\":{");
  for (size_t i = 0; i < bundle.provenance.size(); ++i) {
    const auto& [key, value] = bundle.provenance[i];
    absl::StrAppend(&out, i > 0 ? "," : "", JsonText(key), ":", JsonText(value));
  }
  absl::StrAppend(&out, "}}\n");
  return out;
}

}  // namespace trainyard
