#include "core/model/onnx_model.h"

#include <cstring>
#include <type_traits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/base/error_info.h"
#include "core/base/status_macros.h"
#include "core/model/proto_reader.h"

namespace trainyard {
namespace {

constexpr absl::string_view kStandardDomain = "ai.onnx";  // the empty domain's other name

absl::StatusOr<OnnxType> TypeOf(int64_t number, absl::string_view of) {
  for (const OnnxType type : {OnnxType::kFloat, OnnxType::kInt64, OnnxType::kString,
                              OnnxType::kBool, OnnxType::kDouble}) {
    if (number == static_cast<int64_t>(type)) return type;
  }
  return OnnxFault(
      absl::StrCat("\"", of, "\" has elements of type ", number, ", which is not read here"));
}

// One entry of a map of strings to strings: fields 1 and 2.
absl::Status ReadEntry(absl::string_view bytes, absl::string_view* key, absl::string_view* value) {
  ProtoReader reader(bytes);
  while (reader.Next()) {
    if (reader.field() == 1) *key = reader.text();
    if (reader.field() == 2) *value = reader.text();
  }
  return reader.status();
}

absl::Status ReadOpset(absl::string_view bytes, OnnxModel* model) {
  ProtoReader reader(bytes);
  absl::string_view domain;
  int64_t version = 0;
  while (reader.Next()) {
    if (reader.field() == 1) domain = reader.text();
    if (reader.field() == 2) version = reader.integer();
  }
  model->opsets[domain == kStandardDomain ? "" : domain] = version;
  return reader.status();
}

absl::Status ReadAttribute(absl::string_view bytes, OnnxNode* node) {
  ProtoReader reader(bytes);
  absl::string_view name;
  OnnxAttributeValue value;
  while (reader.Next()) {
    if (reader.field() == 1) name = reader.text();
    if (reader.field() == 2) value.number = reader.number();
    if (reader.field() == 3) value.integer = reader.integer();
    if (reader.field() == 7) reader.AppendFloats(&value.floats);
    if (reader.field() == 8) reader.AppendIntegers(&value.integers);
    if (reader.field() == 9) value.texts.push_back(reader.text());
  }
  node->attributes[name] = std::move(value);
  return reader.status();
}

absl::Status ReadNode(absl::string_view bytes, OnnxModel* model) {
  ProtoReader reader(bytes);
  OnnxNode node;
  while (reader.Next()) {
    if (reader.field() == 1) node.inputs.push_back(reader.text());
    if (reader.field() == 2) node.outputs.push_back(reader.text());
    if (reader.field() == 4) node.op = reader.text();
    if (reader.field() == 5) TY_RETURN_IF_ERROR(ReadAttribute(reader.text(), &node));
    if (reader.field() == 7) node.domain = reader.text();
  }
  if (node.domain == kStandardDomain) node.domain = "";
  model->nodes.push_back(std::move(node));
  return reader.status();
}

// A TensorProto as it stands in the file.
struct RawTensor {
  absl::string_view name;
  int64_t type = 0;
  std::vector<int64_t> shape;
  absl::string_view raw;
  std::vector<absl::string_view> texts;
};

template <typename Number>
absl::StatusOr<OnnxTensor> NumbersOf(const RawTensor& raw) {
  const auto count = static_cast<int64_t>(raw.raw.size() / sizeof(Number));
  if (ElementCount(raw.shape, count) != count || raw.raw.size() % sizeof(Number) != 0) {
    return OnnxFault(absl::StrCat("constant \"", raw.name, "\" has ", raw.raw.size(),
                                  " bytes, which is not what its shape takes"));
  }
  std::vector<Number> numbers(count);
  if (count > 0) std::memcpy(numbers.data(), raw.raw.data(), raw.raw.size());
  if constexpr (std::is_same_v<Number, uint8_t>) {
    for (uint8_t& truth : numbers) truth = truth != 0 ? 1 : 0;
  }
  return OnnxTensor{raw.shape, std::move(numbers)};
}

absl::StatusOr<OnnxTensor> TextsOf(RawTensor raw) {
  const auto count = static_cast<int64_t>(raw.texts.size());
  if (ElementCount(raw.shape, count) != count) {
    return OnnxFault(absl::StrCat("constant \"", raw.name, "\" has ", count,
                                  " strings, which is not what its shape takes"));
  }
  return OnnxTensor{std::move(raw.shape), std::move(raw.texts)};
}

absl::StatusOr<OnnxTensor> TensorOf(RawTensor raw) {
  TY_ASSIGN_OR_RETURN(const OnnxType type, TypeOf(raw.type, raw.name));
  switch (type) {
    case OnnxType::kFloat:
      return NumbersOf<float>(raw);
    case OnnxType::kDouble:
      return NumbersOf<double>(raw);
    case OnnxType::kInt64:
      return NumbersOf<int64_t>(raw);
    case OnnxType::kBool:
      return NumbersOf<uint8_t>(raw);
    case OnnxType::kString:
      return TextsOf(std::move(raw));
  }
  return OnnxFault("a constant has no type");
}

absl::Status ReadConstant(absl::string_view bytes, OnnxModel* model) {
  ProtoReader reader(bytes);
  RawTensor raw;
  while (reader.Next()) {
    if (reader.field() == 1) reader.AppendIntegers(&raw.shape);
    if (reader.field() == 2) raw.type = reader.integer();
    if (reader.field() == 6) raw.texts.push_back(reader.text());
    if (reader.field() == 8) raw.name = reader.text();
    if (reader.field() == 9) raw.raw = reader.text();
  }
  TY_RETURN_IF_ERROR(reader.status());
  const absl::string_view name = raw.name;
  TY_ASSIGN_OR_RETURN(OnnxTensor tensor, TensorOf(std::move(raw)));
  if (!model->constants.emplace(name, std::move(tensor)).second) {
    return OnnxFault(absl::StrCat("there are two constants \"", name, "\""));
  }
  return absl::OkStatus();
}

// TensorShapeProto: dimensions, each a number or a name.
absl::Status ReadShape(absl::string_view bytes, std::vector<int64_t>* shape) {
  ProtoReader reader(bytes);
  while (reader.Next()) {
    if (reader.field() != 1) continue;
    ProtoReader dimension(reader.text());
    int64_t size = -1;
    while (dimension.Next()) {
      if (dimension.field() == 1) size = dimension.integer();
    }
    TY_RETURN_IF_ERROR(dimension.status());
    shape->push_back(size);
  }
  return reader.status();
}

// TypeProto.Tensor.
absl::Status ReadTensorType(absl::string_view bytes, OnnxValueInfo* value) {
  ProtoReader reader(bytes);
  int64_t type = 0;
  while (reader.Next()) {
    if (reader.field() == 1) type = reader.integer();
    if (reader.field() == 2) TY_RETURN_IF_ERROR(ReadShape(reader.text(), &value->shape));
  }
  TY_RETURN_IF_ERROR(reader.status());
  TY_ASSIGN_OR_RETURN(value->type, TypeOf(type, value->name));
  return absl::OkStatus();
}

absl::Status ReadValueInfo(absl::string_view bytes, std::vector<OnnxValueInfo>* values) {
  ProtoReader reader(bytes);
  OnnxValueInfo value;
  absl::string_view type;
  while (reader.Next()) {
    if (reader.field() == 1) value.name = reader.text();
    if (reader.field() == 2) type = reader.text();
  }
  TY_RETURN_IF_ERROR(reader.status());
  ProtoReader kinds(type);
  while (kinds.Next()) {
    if (kinds.field() == 1) TY_RETURN_IF_ERROR(ReadTensorType(kinds.text(), &value));
  }
  values->push_back(std::move(value));
  return kinds.status();
}

absl::Status ReadGraph(absl::string_view bytes, OnnxModel* model) {
  ProtoReader reader(bytes);
  while (reader.Next()) {
    if (reader.field() == 1) TY_RETURN_IF_ERROR(ReadNode(reader.text(), model));
    if (reader.field() == 5) TY_RETURN_IF_ERROR(ReadConstant(reader.text(), model));
    if (reader.field() == 11) TY_RETURN_IF_ERROR(ReadValueInfo(reader.text(), &model->inputs));
    if (reader.field() == 12) TY_RETURN_IF_ERROR(ReadValueInfo(reader.text(), &model->outputs));
  }
  return reader.status();
}

}  // namespace

absl::Status OnnxFault(absl::string_view what) {
  return MakeError(absl::StatusCode::kDataLoss, absl::StrCat("the ONNX file is not right: ", what),
                   {.reason = ErrorReason::kDataLoss, .hint = "export the model again"});
}

int64_t ElementCount(const std::vector<int64_t>& shape, int64_t max) {
  int64_t count = 1;
  for (const int64_t size : shape) {
    if (size <= 0 || count > max / size) return -1;
    count *= size;
  }
  return count > max ? -1 : count;
}

OnnxType OnnxTensor::type() const {
  constexpr OnnxType kTypes[] = {OnnxType::kFloat, OnnxType::kDouble, OnnxType::kInt64,
                                 OnnxType::kBool, OnnxType::kString};
  return kTypes[values.index()];
}

int64_t OnnxTensor::element_count() const {
  return std::visit([](const auto& numbers) { return static_cast<int64_t>(numbers.size()); },
                    values);
}

const OnnxAttributeValue* OnnxNode::Find(absl::string_view name) const {
  const auto it = attributes.find(name);
  return it == attributes.end() ? nullptr : &it->second;
}

int64_t OnnxNode::IntegerOr(absl::string_view name, int64_t otherwise) const {
  const OnnxAttributeValue* const value = Find(name);
  return value == nullptr ? otherwise : value->integer;
}

float OnnxNode::NumberOr(absl::string_view name, float otherwise) const {
  const OnnxAttributeValue* const value = Find(name);
  return value == nullptr ? otherwise : value->number;
}

absl::StatusOr<OnnxModel> ParseOnnx(absl::string_view bytes) {
  OnnxModel model;
  bool has_graph = false;
  ProtoReader reader(bytes);
  while (reader.Next()) {
    if (reader.field() == 1) model.ir_version = reader.integer();
    if (reader.field() == 8) TY_RETURN_IF_ERROR(ReadOpset(reader.text(), &model));
    if (reader.field() == 7) {
      TY_RETURN_IF_ERROR(ReadGraph(reader.text(), &model));
      has_graph = true;
    }
    if (reader.field() != 14) continue;
    absl::string_view key;
    absl::string_view value;
    TY_RETURN_IF_ERROR(ReadEntry(reader.text(), &key, &value));
    model.metadata[key] = value;
  }
  TY_RETURN_IF_ERROR(reader.status());
  if (!has_graph) return OnnxFault("it has no graph");
  return model;
}

}  // namespace trainyard
