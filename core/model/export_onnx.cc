// ONNX models, message by message. Field numbers are those of onnx/onnx.proto3.
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/base/error_info.h"
#include "core/model/export.h"
#include "core/model/proto_writer.h"

namespace trainyard {
namespace {

constexpr int64_t kIrVersion = 8;
constexpr int64_t kOpsetVersion = 13;

// TensorProto.DataType.
enum DataType : int64_t { kFloat = 1, kInt64 = 7, kString = 8, kDouble = 11 };
// AttributeProto.AttributeType.
constexpr int64_t kAttributeInt = 2;

template <typename Number>
absl::string_view RawBytes(const std::vector<Number>& numbers) {
  return {reinterpret_cast<const char*>(numbers.data()), numbers.size() * sizeof(Number)};
}

// One dimension; negative is the batch size N, which the caller of the model chooses.
ProtoWriter Dimension(int64_t size) {
  ProtoWriter dimension;
  if (size < 0) {
    dimension.Text(2, "N");
  } else {
    dimension.Int(1, size);
  }
  return dimension;
}

ProtoWriter ValueInfo(absl::string_view name, DataType type,
                      const std::vector<int64_t>& dimensions) {
  ProtoWriter shape;
  for (const int64_t size : dimensions) shape.Message(1, Dimension(size));
  ProtoWriter tensor;
  tensor.Int(1, type);
  tensor.Message(2, shape);
  ProtoWriter type_proto;
  type_proto.Message(1, tensor);
  ProtoWriter value;
  value.Text(1, name);
  value.Message(2, type_proto);
  return value;
}

// Builds a graph that is one chain: each Add… appends to it and moves `current_`, the name of its
// end.
class GraphBuilder {
 public:
  ProtoWriter Build(const Bundle& bundle) {
    const auto features = static_cast<int64_t>(bundle.feature_columns.size());
    graph_.Message(11, ValueInfo("features", kFloat, {-1, features}));
    AddPreprocessing(bundle.preprocessor);
    for (size_t i = 0; i < bundle.weights.size(); ++i) {
      const bool is_last = i + 1 == bundle.weights.size();
      const bool is_value = is_last && bundle.task == Task::kRegression;
      AddLayer(bundle.weights[i], absl::StrCat("layer", i), is_value ? "value" : "");
    }
    if (bundle.task == Task::kRegression) {
      graph_.Message(12, ValueInfo("value", kFloat, {-1, 1}));
    } else {
      AddClassOutputs(bundle);
    }
    graph_.Text(2, "trainyard");
    return std::move(graph_);
  }

 private:
  struct IntAttribute {
    absl::string_view name;
    int64_t value;
  };

  // Fields of a GraphProto may come in any order.
  void AddNode(absl::string_view op, const std::vector<std::string>& inputs,
               const std::string& output, const std::vector<IntAttribute>& attributes = {}) {
    ProtoWriter node;
    for (const std::string& input : inputs) node.Text(1, input);
    node.Text(2, output);
    node.Text(3, output);
    node.Text(4, op);
    for (const IntAttribute& attribute : attributes) {
      ProtoWriter message;
      message.Text(1, attribute.name);
      message.Int(3, attribute.value);
      message.Int(20, kAttributeInt);
      node.Message(5, message);
    }
    graph_.Message(1, node);
    current_ = output;
  }

  void AddTensor(const std::string& name, DataType type, const std::vector<int64_t>& dimensions,
                 absl::string_view raw_bytes) {
    ProtoWriter tensor;
    for (const int64_t size : dimensions) tensor.Int(1, size);
    tensor.Int(2, type);
    tensor.Text(8, name);
    tensor.Text(9, raw_bytes);
    graph_.Message(5, tensor);
  }

  void AddPreprocessing(const Preprocessor& preprocessor) {
    const int64_t features = preprocessor.feature_count();
    AddTensor("offsets", kDouble, {features}, RawBytes(preprocessor.offsets()));
    AddTensor("scales", kDouble, {features}, RawBytes(preprocessor.scales()));
    AddNode("Cast", {"features"}, "raw", {{"to", kDouble}});
    AddNode("Sub", {current_, "offsets"}, "centred");
    AddNode("Mul", {current_, "scales"}, "scaled_double");
    AddNode("Cast", {current_}, "scaled", {{"to", kFloat}});
  }

  // `output`, when not empty, is what the layer's end is called.
  void AddLayer(const LayerWeights& layer, const std::string& name, const std::string& output) {
    const std::string weights = absl::StrCat(name, "_weights");
    const std::string biases = absl::StrCat(name, "_biases");
    AddTensor(weights, kFloat, {layer.in, layer.out}, RawBytes(layer.weights));
    AddTensor(biases, kFloat, {layer.out}, RawBytes(layer.biases));
    AddNode("Gemm", {current_, weights, biases},
            output.empty() ? absl::StrCat(name, "_affine") : output);
    if (layer.activation == Activation::kIdentity) return;
    const absl::string_view op = layer.activation == Activation::kRelu      ? "Relu"
                                 : layer.activation == Activation::kSigmoid ? "Sigmoid"
                                                                            : "Tanh";
    AddNode(op, {current_}, absl::StrCat(name, "_output"));
  }

  void AddClassOutputs(const Bundle& bundle) {
    const std::string logits = current_;
    if (bundle.task == Task::kBinary) {
      // {-z, z} decides by the sign of the logit, as prediction here does; comparing rounded
      // probabilities would not.
      AddNode("Neg", {logits}, "negative_logit");
      const std::string negative = current_;
      AddNode("Sigmoid", {logits}, "positive_probability");
      AddNode("Sigmoid", {negative}, "negative_probability");
      AddNode("Concat", {"negative_probability", "positive_probability"}, "probabilities",
              {{"axis", 1}});
      AddNode("Concat", {negative, logits}, "scores", {{"axis", 1}});
    } else {
      AddNode("Softmax", {logits}, "probabilities", {{"axis", 1}});
      current_ = logits;
    }
    AddNode("ArgMax", {current_}, "class_index", {{"axis", 1}, {"keepdims", 0}});
    AddClassNames(bundle.classes);
    AddNode("Gather", {"classes", "class_index"}, "label", {{"axis", 0}});
    graph_.Message(12, ValueInfo("label", kString, {-1}));
    graph_.Message(
        12, ValueInfo("probabilities", kFloat, {-1, static_cast<int64_t>(bundle.classes.size())}));
  }

  void AddClassNames(const std::vector<std::string>& classes) {
    ProtoWriter tensor;
    tensor.Int(1, static_cast<int64_t>(classes.size()));
    tensor.Int(2, kString);
    for (const std::string& name : classes) tensor.Text(6, name);
    tensor.Text(8, "classes");
    graph_.Message(5, tensor);
  }

  ProtoWriter graph_;
  std::string current_ = "features";
};

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
  model.Message(7, GraphBuilder().Build(bundle));
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
