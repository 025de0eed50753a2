// A bundle as nodes of an ONNX graph. Opset 13 has no GELU, SiLU, hard swish or layer
// normalisation: they are composed of what it has.
#include <numbers>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "core/base/error_info.h"
#include "core/model/export.h"
#include "core/model/onnx_graph.h"

namespace trainyard {
namespace {

constexpr int64_t kIrVersion = 8;
constexpr int64_t kOpsetVersion = 13;

int64_t SizeOf(const std::vector<std::string>& names) { return static_cast<int64_t>(names.size()); }

// Returns the name of the scaled features, float32.
std::string AddPreprocessing(const Preprocessor& preprocessor, OnnxGraph* graph) {
  const auto cast = [graph](const std::string& x, OnnxType type) {
    return graph->AddNode("Cast", {x}, {{"to", static_cast<int64_t>(type)}});
  };
  const std::string offsets = graph->AddDoubles("offsets", preprocessor.offsets());
  const std::string scales = graph->AddDoubles("scales", preprocessor.scales());
  const std::string raw = cast("features", OnnxType::kDouble);
  const std::string centred = graph->AddNode("Sub", {raw, offsets});
  return cast(graph->AddNode("Mul", {centred, scales}), OnnxType::kFloat);
}

std::string AddBatchNormalization(const LayerWeights& layer, const std::string& name,
                                  const std::string& z, OnnxGraph* graph) {
  const std::vector<int64_t> shape = {layer.out};
  return graph->AddNode(
      "BatchNormalization",
      {z, graph->AddFloats(absl::StrCat(name, "_gains"), shape, layer.gains),
       graph->AddFloats(absl::StrCat(name, "_shifts"), shape, layer.shifts),
       graph->AddFloats(absl::StrCat(name, "_running_means"), shape, layer.running_means),
       graph->AddFloats(absl::StrCat(name, "_running_variances"), shape, layer.running_variances)},
      {{"epsilon", kNormalizationEpsilon}});
}

std::string AddLayerNormalization(const LayerWeights& layer, const std::string& name,
                                  const std::string& z, OnnxGraph* graph) {
  const std::vector<OnnxAttribute> over_units = {{"axes", std::vector<int64_t>{1}},
                                                 {"keepdims", int64_t{1}}};
  const std::string mean = graph->AddNode("ReduceMean", {z}, over_units);
  const std::string centred = graph->AddNode("Sub", {z, mean});
  const std::string squares = graph->AddNode("Mul", {centred, centred});
  const std::string variance = graph->AddNode("ReduceMean", {squares}, over_units);
  const std::string above_zero =
      graph->AddNode("Add", {variance, graph->AddScalar(kNormalizationEpsilon)});
  const std::string deviation = graph->AddNode("Sqrt", {above_zero});
  const std::string normal = graph->AddNode("Div", {centred, deviation});
  const std::string gains =
      graph->AddFloats(absl::StrCat(name, "_gains"), {layer.out}, layer.gains);
  const std::string shifts =
      graph->AddFloats(absl::StrCat(name, "_shifts"), {layer.out}, layer.shifts);
  return graph->AddNode("Add", {graph->AddNode("Mul", {normal, gains}), shifts});
}

std::string AddNormalization(const LayerWeights& layer, const std::string& name,
                             const std::string& z, OnnxGraph* graph) {
  switch (layer.normalization) {
    case Normalization::kBatch:
      return AddBatchNormalization(layer, name, z, graph);
    case Normalization::kLayer:
      return AddLayerNormalization(layer, name, z, graph);
    case Normalization::kUnspecified:
    case Normalization::kNone:
      return z;
  }
  return z;
}

// z/2 · (1 + `odd`): the common part of both GELUs.
std::string AddGelu(const std::string& z, const std::string& odd, OnnxGraph* graph) {
  const std::string half = graph->AddNode("Mul", {z, graph->AddScalar(0.5F)});
  return graph->AddNode("Mul", {half, graph->AddNode("Add", {odd, graph->AddScalar(1)})});
}

std::string AddExactGelu(const std::string& z, OnnxGraph* graph) {
  const float scale = 1 / std::numbers::sqrt2_v<float>;
  const std::string scaled = graph->AddNode("Mul", {z, graph->AddScalar(scale)});
  return AddGelu(z, graph->AddNode("Erf", {scaled}), graph);
}

// √(2/π) · (z + 0.044715 z³) inside the tanh.
std::string AddTanhGelu(const std::string& z, OnnxGraph* graph) {
  const float scale = std::numbers::sqrt2_v<float> * std::numbers::inv_sqrtpi_v<float>;
  const std::string square = graph->AddNode("Mul", {z, z});
  const std::string cubic = graph->AddNode("Mul", {square, graph->AddScalar(0.044715F)});
  const std::string factor = graph->AddNode("Add", {cubic, graph->AddScalar(1)});
  const std::string scaled = graph->AddNode("Mul", {z, graph->AddScalar(scale)});
  const std::string inner = graph->AddNode("Mul", {scaled, factor});
  return AddGelu(z, graph->AddNode("Tanh", {inner}), graph);
}

std::string AddHardSigmoid(const std::string& z, OnnxGraph* graph) {
  return graph->AddNode("HardSigmoid", {z}, {{"alpha", 1.0F / 6}, {"beta", 0.5F}});
}

std::string AddActivation(const LayerWeights& layer, const std::string& z, OnnxGraph* graph) {
  switch (layer.activation) {
    case Activation::kUnspecified:
    case Activation::kIdentity:
      return z;
    case Activation::kRelu:
      return graph->AddNode("Relu", {z});
    case Activation::kSigmoid:
      return graph->AddNode("Sigmoid", {z});
    case Activation::kTanh:
      return graph->AddNode("Tanh", {z});
    case Activation::kLeakyRelu:
      return graph->AddNode("LeakyRelu", {z}, {{"alpha", layer.alpha}});
    case Activation::kElu:
      return graph->AddNode("Elu", {z}, {{"alpha", layer.alpha}});
    case Activation::kSelu:  // ONNX's default constants are the paper's
      return graph->AddNode("Selu", {z});
    case Activation::kGelu:
      return AddExactGelu(z, graph);
    case Activation::kGeluTanh:
      return AddTanhGelu(z, graph);
    case Activation::kSilu:
      return graph->AddNode("Mul", {z, graph->AddNode("Sigmoid", {z})});
    case Activation::kSoftplus:
      return graph->AddNode("Softplus", {z});
    case Activation::kHardSigmoid:
      return AddHardSigmoid(z, graph);
    case Activation::kHardTanh:
      return graph->AddNode("Clip", {z, graph->AddScalar(-1), graph->AddScalar(1)});
    case Activation::kHardSwish:
      return graph->AddNode("Mul", {z, AddHardSigmoid(z, graph)});
  }
  return z;
}

std::string AddAffine(const LayerWeights& layer, const std::string& name, const std::string& x,
                      OnnxGraph* graph, const std::string& output) {
  std::vector<std::string> inputs = {
      x, graph->AddFloats(absl::StrCat(name, "_weights"), {layer.in, layer.out}, layer.weights)};
  if (!layer.biases.empty()) {
    inputs.push_back(graph->AddFloats(absl::StrCat(name, "_biases"), {layer.out}, layer.biases));
  }
  return graph->AddNode("Gemm", inputs, {}, output);
}

std::string AddHiddenLayer(const LayerWeights& layer, const std::string& name, const std::string& x,
                           OnnxGraph* graph) {
  const std::string affine = AddAffine(layer, name, x, graph, "");
  const std::string normalised = AddNormalization(layer, name, affine, graph);
  const std::string active = AddActivation(layer, normalised, graph);
  return layer.residual ? graph->AddNode("Add", {x, active}) : active;
}

// `scores`: [N, classes], of which the largest decides.
void AddLabel(const Bundle& bundle, const std::string& scores, OnnxGraph* graph) {
  const std::string index =
      graph->AddNode("ArgMax", {scores}, {{"axis", int64_t{1}}, {"keepdims", int64_t{0}}});
  const std::string classes = graph->AddStrings("classes", bundle.classes);
  graph->AddNode("Gather", {classes, index}, {{"axis", int64_t{0}}}, "label");
  graph->AddOutput("label", OnnxType::kString, {-1});
}

// {-z, z} decides by the sign of the logit, as prediction here does; comparing rounded
// probabilities would not.
void AddBinaryOutputs(const Bundle& bundle, const std::string& logit, OnnxGraph* graph) {
  const std::vector<OnnxAttribute> by_column = {{"axis", int64_t{1}}};
  const std::string negative = graph->AddNode("Neg", {logit});
  graph->AddNode("Concat",
                 {graph->AddNode("Sigmoid", {negative}), graph->AddNode("Sigmoid", {logit})},
                 by_column, "probabilities");
  AddLabel(bundle, graph->AddNode("Concat", {negative, logit}, by_column), graph);
}

void AddLabelOutputs(const std::string& logits, int64_t labels, OnnxGraph* graph) {
  graph->AddNode("Sigmoid", {logits}, {}, "probabilities");
  const std::string likely = graph->AddNode("Greater", {logits, graph->AddScalar(0)});
  graph->AddNode("Cast", {likely}, {{"to", static_cast<int64_t>(OnnxType::kInt64)}}, "labels");
  graph->AddOutput("labels", OnnxType::kInt64, {-1, labels});
}

// Everything after the last affine map, for tasks with probabilities.
void AddClassOutputs(const Bundle& bundle, const std::string& logits, OnnxGraph* graph) {
  if (bundle.task == Task::kBinary) {
    AddBinaryOutputs(bundle, logits, graph);
  } else if (bundle.task == Task::kMultilabel) {
    AddLabelOutputs(logits, SizeOf(bundle.classes), graph);
  } else {
    graph->AddNode("Softmax", {logits}, {{"axis", int64_t{1}}}, "probabilities");
    AddLabel(bundle, logits, graph);
  }
  graph->AddOutput("probabilities", OnnxType::kFloat, {-1, SizeOf(bundle.classes)});
}

ProtoWriter GraphOf(const Bundle& bundle) {
  OnnxGraph graph("trainyard");
  graph.AddInput("features", OnnxType::kFloat, {-1, SizeOf(bundle.feature_columns)});
  std::string x = AddPreprocessing(bundle.preprocessor, &graph);
  const size_t last = bundle.weights.size() - 1;
  for (size_t i = 0; i < last; ++i) {
    x = AddHiddenLayer(bundle.weights[i], absl::StrCat("layer", i), x, &graph);
  }
  const bool regression = bundle.task == Task::kRegression;
  const bool logarithm = bundle.loss.kind == LossKind::kPoisson;
  x = AddAffine(bundle.weights[last], absl::StrCat("layer", last), x, &graph,
                regression && !logarithm ? "value" : "");
  if (!regression) {
    AddClassOutputs(bundle, x, &graph);
    return std::move(graph).Take();
  }
  if (logarithm) graph.AddNode("Exp", {x}, {}, "value");
  graph.AddOutput("value", OnnxType::kFloat, {-1, 1});
  return std::move(graph).Take();
}

void AddMetadata(absl::string_view key, absl::string_view value, ProtoWriter* model) {
  ProtoWriter entry;
  entry.Text(1, key);
  entry.Text(2, value);
  model->Message(14, entry);
}

}  // namespace

absl::StatusOr<std::string> ExportOnnx(const Bundle& bundle, int64_t parameters_max) {
  if (bundle.parameter_count() > parameters_max) {
    return MakeError(absl::StatusCode::kResourceExhausted,
                     absl::StrCat("the model has ", bundle.parameter_count(),
                                  " parameters; an ONNX file takes ", parameters_max),
                     {.reason = ErrorReason::kTooLarge, .hint = "export it in the native format"});
  }
  ProtoWriter opset;
  opset.Text(1, "");
  opset.Int(2, kOpsetVersion);
  ProtoWriter model;
  model.Int(1, kIrVersion);
  model.Text(2, "trainyard");
  model.Message(8, opset);
  model.Message(7, GraphOf(bundle));
  AddMetadata("task", TaskWord(bundle.task), &model);
  AddMetadata("target_column", bundle.target_column, &model);
  AddMetadata("feature_columns", JsonTexts(bundle.feature_columns), &model);
  AddMetadata("classes", JsonTexts(bundle.classes), &model);
  for (const auto& [key, value] : bundle.provenance) {
    AddMetadata(absl::StrCat("provenance.", key), value, &model);
  }
  return std::move(model).Take();
}

}  // namespace trainyard
