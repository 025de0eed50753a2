#include <cmath>
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
  absl::StrAppend(out, ",\n\"loss\":{\"kind\":\"", LossWord(loss.kind), "\"");
  if (loss.kind == LossKind::kSoftmaxCrossEntropy) {
    absl::StrAppend(out, ",\"label_smoothing\":", NumberText(loss.label_smoothing));
  }
  if (loss.kind == LossKind::kHuber) absl::StrAppend(out, ",\"delta\":", NumberText(loss.delta));
  if (loss.kind == LossKind::kQuantile)
    absl::StrAppend(out, ",\"quantile\":", NumberText(loss.quantile));
  if (!IsClassification(loss.kind)) {
    absl::StrAppend(out, ",\"target_offset\":", NumberText(loss.target_offset),
                    ",\"target_scale\":", NumberText(loss.target_scale));
  }
  if (!loss.class_weights.empty()) AppendNumbers("class_weights", loss.class_weights, out);
  out->push_back('}');
}

absl::string_view EncodingWord(Encoding encoding) {
  constexpr absl::string_view kWords[] = {"unspecified", "number", "one_hot", "ordinal", "hashing"};
  static_assert(std::size(kWords) == static_cast<size_t>(Encoding::kHashing) + 1);
  return kWords[static_cast<size_t>(encoding)];
}

absl::string_view UnseenWord(UnseenCategory unseen) {
  constexpr absl::string_view kWords[] = {"unspecified", "other", "zeros", "refuse"};
  static_assert(std::size(kWords) == static_cast<size_t>(UnseenCategory::kRefuse) + 1);
  return kWords[static_cast<size_t>(unseen)];
}

void AppendTruth(absl::string_view key, bool truth, std::string* out) {
  absl::StrAppend(out, ",\"", key, "\":", truth ? "true" : "false");
}

void AppendScale(const ColumnTransform& transform, std::string* out) {
  absl::StrAppend(out, ",\"offset\":", NumberText(transform.offset),
                  ",\"scale\":", NumberText(transform.scale));
}

void AppendCategories(const ColumnTransform& transform, std::string* out) {
  absl::StrAppend(out, ",\"categories\":", JsonTexts(transform.categories));
  AppendTruth("numeric_categories", transform.numeric_categories, out);
  absl::StrAppend(out, ",\"unseen\":\"", UnseenWord(transform.unseen), "\"");
}

// What the encoding uses. `fill` is null where a missing cell is an error.
void AppendTransform(const ColumnTransform& transform, const std::string& column,
                     std::string* out) {
  absl::StrAppend(out, "\n{\"column\":", JsonText(column), ",\"encoding\":\"",
                  EncodingWord(transform.encoding), "\"");
  switch (transform.encoding) {
    case Encoding::kUnspecified:
    case Encoding::kNumber:
      AppendScale(transform, out);
      absl::StrAppend(
          out, ",\"fill\":", std::isnan(transform.fill) ? "null" : NumberText(transform.fill));
      break;
    case Encoding::kOneHot:
      AppendCategories(transform, out);
      AppendTruth("other_bucket", transform.other_bucket, out);
      break;
    case Encoding::kOrdinal:
      AppendCategories(transform, out);
      AppendScale(transform, out);
      break;
    case Encoding::kHashing:
      absl::StrAppend(out, ",\"buckets\":", transform.buckets);
      break;
  }
  if (transform.encoding != Encoding::kOrdinal) {
    AppendTruth("missing_indicator", transform.missing_indicator, out);
  }
  out->push_back('}');
}

void AppendPreprocessing(const Bundle& bundle, std::string* out) {
  absl::StrAppend(out, ",\n\"preprocessing\":{\"missing_markers\":",
                  JsonTexts(bundle.preprocessor.missing_markers()), ",\"columns\":[");
  for (size_t i = 0; i < bundle.feature_columns.size(); ++i) {
    if (i > 0) out->push_back(',');
    AppendTransform(bundle.preprocessor.transforms()[i], bundle.feature_columns[i], out);
  }
  out->append("]}");
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
  absl::StrAppend(out, "\n{\"in\":", layer.in, ",\"out\":", layer.out, ",\"activation\":\"",
                  ActivationWord(layer.activation), "\"");
  if (HasAlpha(layer.activation)) absl::StrAppend(out, ",\"alpha\":", NumberText(layer.alpha));
  absl::StrAppend(out, ",\"residual\":", layer.residual ? "true" : "false", ",\"weights\":[");
  for (int64_t row = 0; row < layer.in; ++row) {
    out->append(row > 0 ? ",\n" : "\n");
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

std::string ExportJson(const Bundle& bundle) {
  std::string out =
      absl::StrCat("{\"format\":\"trainyard-model\",\"version\":3,\n\"task\":\"",
                   TaskWord(bundle.task), "\",\n\"target_column\":", JsonText(bundle.target_column),
                   ",\n\"weight_column\":", JsonText(bundle.weight_column),
                   ",\n\"feature_columns\":", JsonTexts(bundle.feature_columns),
                   ",\n\"classes\":", JsonTexts(bundle.classes));
  AppendLoss(bundle.loss, &out);
  AppendPreprocessing(bundle, &out);
  out.append(",\n\"layers\":[");
  for (size_t i = 0; i < bundle.weights.size(); ++i) {
    if (i > 0) out.push_back(',');
    AppendLayer(bundle.weights[i], &out);
  }
  out.append("],\n\"provenance\":{");
  for (size_t i = 0; i < bundle.provenance.size(); ++i) {
    const auto& [key, value] = bundle.provenance[i];
    absl::StrAppend(&out, i > 0 ? ",\n" : "\n", JsonText(key), ":", JsonText(value));
  }
  out.append("}}\n");
  return out;
}

}  // namespace trainyard
