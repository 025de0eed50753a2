#include <cstdio>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "core/data/number.h"
#include "core/model/export.h"

namespace trainyard {
namespace {

absl::string_view ActivationName(Activation activation) {
  switch (activation) {
    case Activation::kRelu:
      return "relu";
    case Activation::kSigmoid:
      return "sigmoid";
    case Activation::kTanh:
      return "tanh";
    default:
      return "identity";
  }
  return "identity";
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

void AppendLayer(const LayerWeights& layer, std::string* out) {
  absl::StrAppend(out, "{\"in\":", layer.in, ",\"out\":", layer.out, ",\"activation\":\"",
                  ActivationName(layer.activation), "\",\"weights\":[");
  for (int64_t row = 0; row < layer.in; ++row) {
    if (row > 0) out->push_back(',');
    AppendNumbers(layer.weights.data() + row * layer.out, layer.out, out);
  }
  absl::StrAppend(out, "],\"biases\":");
  AppendNumbers(layer.biases.data(), layer.biases.size(), out);
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

// Weights are lists of rows, one per input: y = x·weights + biases.
std::string ExportJson(const Bundle& bundle) {
  std::string out =
      absl::StrCat("{\"format\":\"trainyard-model\",\"version\":1,\"task\":\"",
                   TaskWord(bundle.task), "\",\"target_column\":", JsonText(bundle.target_column),
                   ",\"feature_columns\":", JsonTexts(bundle.feature_columns),
                   ",\"classes\":", JsonTexts(bundle.classes), ",\"preprocessing\":{\"offsets\":");
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
