#include "core/model/onnx_graph.h"

#include <utility>

#include "absl/strings/str_cat.h"

namespace trainyard {
namespace {

// AttributeProto.AttributeType.
enum AttributeType : int64_t {
  kFloatAttribute = 1,
  kIntAttribute = 2,
  kFloatsAttribute = 6,
  kIntsAttribute = 7,
  kStringsAttribute = 8
};

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

// The fields of AttributeProto for each type of value.
struct AttributeWriter {
  void operator()(int64_t integer) const {
    message->Int(3, integer);
    message->Int(20, kIntAttribute);
  }
  void operator()(float number) const {
    message->Float(2, number);
    message->Int(20, kFloatAttribute);
  }
  void operator()(const std::vector<int64_t>& integers) const {
    for (const int64_t integer : integers) message->Int(8, integer);
    message->Int(20, kIntsAttribute);
  }
  void operator()(const std::vector<float>& numbers) const {
    for (const float number : numbers) message->Float(7, number);
    message->Int(20, kFloatsAttribute);
  }
  void operator()(const std::vector<std::string>& texts) const {
    for (const std::string& text : texts) message->Text(9, text);
    message->Int(20, kStringsAttribute);
  }

  ProtoWriter* message;
};

ProtoWriter AttributeProto(const OnnxAttribute& attribute) {
  ProtoWriter message;
  message.Text(1, attribute.name);
  std::visit(AttributeWriter{&message}, attribute.value);
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
                               const std::vector<OnnxAttribute>& attributes, std::string output,
                               absl::string_view domain) {
  if (output.empty()) output = absl::StrCat(prefix_, op, "_", name_count_++);
  ProtoWriter node;
  for (const std::string& input : inputs) node.Text(1, input);
  node.Text(2, output);
  node.Text(3, output);
  node.Text(4, op);
  for (const OnnxAttribute& attribute : attributes) node.Message(5, AttributeProto(attribute));
  if (!domain.empty()) node.Text(7, domain);
  graph_.Message(1, node);
  return output;
}

std::string OnnxGraph::AddCast(const std::string& x, OnnxType type, std::string output) {
  return AddNode("Cast", {x}, {{"to", static_cast<int64_t>(type)}}, std::move(output));
}

std::string OnnxGraph::AddFloats(absl::string_view name, const std::vector<int64_t>& dimensions,
                                 const std::vector<float>& numbers) {
  return AddRaw(name, OnnxType::kFloat, dimensions, RawBytes(numbers));
}

std::string OnnxGraph::AddDoubles(absl::string_view name, const std::vector<double>& numbers) {
  return AddRaw(name, OnnxType::kDouble, {static_cast<int64_t>(numbers.size())}, RawBytes(numbers));
}

std::string OnnxGraph::AddIntegers(absl::string_view name, const std::vector<int64_t>& integers) {
  return AddRaw(name, OnnxType::kInt64, {static_cast<int64_t>(integers.size())},
                RawBytes(integers));
}

std::string OnnxGraph::AddStrings(absl::string_view name, const std::vector<std::string>& strings) {
  const std::string full_name = absl::StrCat(prefix_, name);
  ProtoWriter tensor;
  tensor.Int(1, static_cast<int64_t>(strings.size()));
  tensor.Int(2, static_cast<int64_t>(OnnxType::kString));
  for (const std::string& text : strings) tensor.Text(6, text);
  tensor.Text(8, full_name);
  graph_.Message(5, tensor);
  return full_name;
}

std::string OnnxGraph::AddScalar(float number) {
  return AddFloats(absl::StrCat("scalar_", name_count_++), {}, {number});
}

std::string OnnxGraph::AddRaw(absl::string_view name, OnnxType type,
                              const std::vector<int64_t>& dimensions, absl::string_view raw_bytes) {
  const std::string full_name = absl::StrCat(prefix_, name);
  ProtoWriter tensor;
  for (const int64_t size : dimensions) tensor.Int(1, size);
  tensor.Int(2, static_cast<int64_t>(type));
  tensor.Text(8, full_name);
  tensor.Text(9, raw_bytes);
  graph_.Message(5, tensor);
  return full_name;
}

}  // namespace trainyard
