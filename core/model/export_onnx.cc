// A bundle as nodes of an ONNX graph. Opset 13 has no GELU, SiLU, hard swish or layer
// normalisation: they are composed of what it has.
#include <limits>
#include <numbers>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "core/base/error_info.h"
#include "core/base/status_macros.h"
#include "core/model/export.h"
#include "core/model/onnx_features.h"
#include "core/model/onnx_graph.h"

namespace trainyard {
namespace {

constexpr int64_t kIrVersion = 8;
constexpr int64_t kOpsetVersion = 13;
constexpr int64_t kMlOpsetVersion = 2;
// Of a protobuf message, the file.
constexpr size_t kFileBytesMax = 0x7FFFFFFF;

int64_t SizeOf(const std::vector<std::string>& names) { return static_cast<int64_t>(names.size()); }

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
                      OnnxGraph* graph) {
  std::vector<std::string> inputs = {
      x, graph->AddFloats(absl::StrCat(name, "_weights"), {layer.in, layer.out}, layer.weights)};
  if (!layer.biases.empty()) {
    inputs.push_back(graph->AddFloats(absl::StrCat(name, "_biases"), {layer.out}, layer.biases));
  }
  return graph->AddNode("Gemm", inputs);
}

std::string AddHiddenLayer(const LayerWeights& layer, const std::string& name, const std::string& x,
                           OnnxGraph* graph) {
  const std::string affine = AddAffine(layer, name, x, graph);
  const std::string normalised = AddNormalization(layer, name, affine, graph);
  const std::string active = AddActivation(layer, normalised, graph);
  return layer.residual ? graph->AddNode("Add", {x, active}) : active;
}

// Where rows have a feature that is not finite, which the server refuses; as [N, 1] and as [N]. Such
// rows are to have no answer, and NaN does not get through every activation by itself.
struct RefusedRows {
  std::string column;
  std::string list;
};

RefusedRows AddRefusedRows(const std::string& features, OnnxGraph* graph) {
  const std::string zeros = graph->AddNode("Mul", {features, graph->AddScalar(0)});
  const auto refused = [&](int64_t keep_dimension) {
    return graph->AddNode(
        "IsNaN",
        {graph->AddNode("ReduceMean", {zeros},
                        {{"axes", std::vector<int64_t>{1}}, {"keepdims", keep_dimension}})});
  };
  return {refused(1), refused(0)};
}

// Output `name`: x, but NaN for refused rows.
void AddNumberOutput(const RefusedRows& refused, const std::string& x, int64_t width,
                     const std::string& name, OnnxGraph* graph) {
  const std::string nan = graph->AddScalar(std::numeric_limits<float>::quiet_NaN());
  graph->AddNode("Where", {refused.column, nan, x}, {}, name);
  graph->AddOutput(name, OnnxType::kFloat, {-1, width});
}

// `scores`: [N, classes], of which the largest decides.
void AddLabel(const Bundle& bundle, const RefusedRows& refused, const std::string& scores,
              OnnxGraph* graph) {
  const std::string index =
      graph->AddNode("ArgMax", {scores}, {{"axis", int64_t{1}}, {"keepdims", int64_t{0}}});
  const std::string classes = graph->AddStrings("classes", bundle.classes);
  const std::string label = graph->AddNode("Gather", {classes, index}, {{"axis", int64_t{0}}});
  graph->AddNode("Where", {refused.list, graph->AddStrings("no_label", {""}), label}, {}, "label");
  graph->AddOutput("label", OnnxType::kString, {-1});
}

// {-z, z} decides by the sign of the logit, as prediction here does; comparing rounded
// probabilities would not. Returns the probabilities.
std::string AddBinaryOutputs(const Bundle& bundle, const RefusedRows& refused,
                             const std::string& logit, OnnxGraph* graph) {
  const std::vector<OnnxAttribute> by_column = {{"axis", int64_t{1}}};
  const std::string negative = graph->AddNode("Neg", {logit});
  AddLabel(bundle, refused, graph->AddNode("Concat", {negative, logit}, by_column), graph);
  return graph->AddNode("Concat",
                        {graph->AddNode("Sigmoid", {negative}), graph->AddNode("Sigmoid", {logit})},
                        by_column);
}

std::string AddLabelOutputs(const Bundle& bundle, const RefusedRows& refused,
                            const std::string& logits, OnnxGraph* graph) {
  const std::string likely = graph->AddNode("Greater", {logits, graph->AddScalar(0)});
  const std::string none = graph->AddIntegers("no_labels", {-1});
  graph->AddNode("Where", {refused.column, none, graph->AddCast(likely, OnnxType::kInt64)}, {},
                 "labels");
  graph->AddOutput("labels", OnnxType::kInt64, {-1, SizeOf(bundle.classes)});
  return graph->AddNode("Sigmoid", {logits});
}

std::string AddClassOutputs(const Bundle& bundle, const RefusedRows& refused,
                            const std::string& logits, OnnxGraph* graph) {
  if (bundle.task == Task::kBinary) return AddBinaryOutputs(bundle, refused, logits, graph);
  if (bundle.task == Task::kMultilabel) return AddLabelOutputs(bundle, refused, logits, graph);
  AddLabel(bundle, refused, logits, graph);
  return graph->AddNode("Softmax", {logits}, {{"axis", int64_t{1}}});
}

// The network's output in the unit of the target.
std::string AddValue(const LossConfig& loss, const std::string& z, OnnxGraph* graph) {
  if (loss.kind == LossKind::kPoisson) return graph->AddNode("Exp", {z});
  if (loss.target_offset == 0 && loss.target_scale == 1) return z;
  const std::string scale = graph->AddDoubles("target_scale", {loss.target_scale});
  const std::string offset = graph->AddDoubles("target_offset", {loss.target_offset});
  const std::string scaled = graph->AddNode("Mul", {graph->AddCast(z, OnnxType::kDouble), scale});
  return graph->AddCast(graph->AddNode("Add", {scaled, offset}), OnnxType::kFloat);
}

ProtoWriter GraphOf(const Bundle& bundle) {
  OnnxGraph graph("trainyard", OnnxPrefix(bundle));
  std::string x = AddOnnxFeatures(bundle, &graph);
  const RefusedRows refused = AddRefusedRows(x, &graph);
  const size_t last = bundle.weights.size() - 1;
  for (size_t i = 0; i < last; ++i) {
    x = AddHiddenLayer(bundle.weights[i], absl::StrCat("layer", i), x, &graph);
  }
  x = AddAffine(bundle.weights[last], absl::StrCat("layer", last), x, &graph);
  if (bundle.task == Task::kRegression) {
    AddNumberOutput(refused, AddValue(bundle.loss, x, &graph), 1, "value", &graph);
  } else {
    x = AddClassOutputs(bundle, refused, x, &graph);
    AddNumberOutput(refused, x, SizeOf(bundle.classes), "probabilities", &graph);
  }
  return std::move(graph).Take();
}

void AddOpset(absl::string_view domain, int64_t version, ProtoWriter* model) {
  ProtoWriter opset;
  opset.Text(1, domain);
  opset.Int(2, version);
  model->Message(8, opset);
}

absl::Status TooLarge(absl::string_view what) {
  return MakeError(absl::StatusCode::kResourceExhausted, what,
                   {.reason = ErrorReason::kTooLarge, .hint = "export it in the native format"});
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
    return TooLarge(absl::StrCat("the model has ", bundle.parameter_count(),
                                 " parameters; an ONNX file takes ", parameters_max));
  }
  TY_RETURN_IF_ERROR(CheckOnnxFeatures(bundle));
  ProtoWriter model;
  model.Int(1, kIrVersion);
  model.Text(2, "trainyard");
  AddOpset("", kOpsetVersion, &model);
  if (NeedsOnnxMl(bundle)) AddOpset(kOnnxMlDomain, kMlOpsetVersion, &model);
  model.Message(7, GraphOf(bundle));
  AddMetadata("task", TaskWord(bundle.task), &model);
  AddMetadata("target_column", bundle.target_column, &model);
  AddMetadata("feature_columns", JsonTexts(bundle.feature_columns), &model);
  AddMetadata("inputs", JsonTexts(OnnxInputNames(bundle)), &model);
  AddMetadata("classes", JsonTexts(bundle.classes), &model);
  for (const auto& [key, value] : bundle.provenance) {
    AddMetadata(absl::StrCat("provenance.", key), value, &model);
  }
  if (model.bytes().size() > kFileBytesMax) {
    return TooLarge("with its categories the model takes more than an ONNX file can have, 2 GiB");
  }
  return std::move(model).Take();
}

}  // namespace trainyard
