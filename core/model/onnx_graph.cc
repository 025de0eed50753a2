#include "core/model/onnx_graph.h"

#include <utility>

#include "absl/strings/str_cat.h"

namespace trainyard {
namespace {

// AttributeProto.AttributeType.
enum AttributeType : int64_t { kFloatAttribute = 1, kIntAttribute = 2, kIntsAttribute = 7 };

template <typename Number>
absl::string_view RawBytes(const std::vector<Number>& numbers) {
  return {reinterpret_cast<const char*>(numbers.data()), numbers.size() * sizeof(Number)};
}

ProtoWriter Dimension(int64_t size) {
  ProtoWriter dimension;
  if (size < 0) {
    dimension.Text(2, "N");
  } else {
    dimension.Int(1, size);
  }
  return dimension;
}

ProtoWriter ValueInfo(absl::string_view name, OnnxType type,
                      const std::vector<int64_t>& dimensions) {
  ProtoWriter shape;
  for (const int64_t size : dimensions) shape.Message(1, Dimension(size));
  ProtoWriter tensor;
  tensor.Int(1, static_cast<int64_t>(type));
  tensor.Message(2, shape);
  ProtoWriter type_proto;
  type_proto.Message(1, tensor);
  ProtoWriter value;
  value.Text(1, name);
  value.Message(2, type_proto);
  return value;
}

ProtoWriter AttributeProto(const OnnxAttribute& attribute) {
  ProtoWriter message;
  message.Text(1, attribute.name);
  if (const float* const number = std::get_if<float>(&attribute.value)) {
    message.Float(2, *number);
    message.Int(20, kFloatAttribute);
  } else if (const int64_t* const integer = std::get_if<int64_t>(&attribute.value)) {
    message.Int(3, *integer);
    message.Int(20, kIntAttribute);
  } else {
    for (const int64_t item : std::get<std::vector<int64_t>>(attribute.value)) message.Int(8, item);
    message.Int(20, kIntsAttribute);
  }
  return message;
}

}  // namespace

void OnnxGraph::AddInput(absl::string_view name, OnnxType type,
                         const std::vector<int64_t>& dimensions) {
  graph_.Message(11, ValueInfo(name, type, dimensions));
}

void OnnxGraph::AddOutput(absl::string_view name, OnnxType type,
                          const std::vector<int64_t>& dimensions) {
  graph_.Message(12, ValueInfo(name, type, dimensions));
}

std::string OnnxGraph::AddNode(absl::string_view op, const std::vector<std::string>& inputs,
                               const std::vector<OnnxAttribute>& attributes, std::string output) {
  if (output.empty()) output = absl::StrCat(op, "_", name_count_++);
  ProtoWriter node;
  for (const std::string& input : inputs) node.Text(1, input);
  node.Text(2, output);
  node.Text(3, output);
  node.Text(4, op);
  for (const OnnxAttribute& attribute : attributes) node.Message(5, AttributeProto(attribute));
  graph_.Message(1, node);
  return output;
}

std::string OnnxGraph::AddFloats(std::string name, const std::vector<int64_t>& dimensions,
                                 const std::vector<float>& numbers) {
  AddRaw(name, OnnxType::kFloat, dimensions, RawBytes(numbers));
  return name;
}

std::string OnnxGraph::AddDoubles(std::string name, const std::vector<double>& numbers) {
  AddRaw(name, OnnxType::kDouble, {static_cast<int64_t>(numbers.size())}, RawBytes(numbers));
  return name;
}

std::string OnnxGraph::AddStrings(std::string name, const std::vector<std::string>& strings) {
  ProtoWriter tensor;
  tensor.Int(1, static_cast<int64_t>(strings.size()));
  tensor.Int(2, static_cast<int64_t>(OnnxType::kString));
  for (const std::string& text : strings) tensor.Text(6, text);
  tensor.Text(8, name);
  graph_.Message(5, tensor);
  return name;
}

std::string OnnxGraph::AddScalar(float number) {
  return AddFloats(absl::StrCat("scalar_", name_count_++), {}, {number});
}

void OnnxGraph::AddRaw(absl::string_view name, OnnxType type,
                       const std::vector<int64_t>& dimensions, absl::string_view raw_bytes) {
  ProtoWriter tensor;
  for (const int64_t size : dimensions) tensor.Int(1, size);
  tensor.Int(2, static_cast<int64_t>(type));
  tensor.Text(8, name);
  tensor.Text(9, raw_bytes);
  graph_.Message(5, tensor);
}

}  // namespace trainyard
