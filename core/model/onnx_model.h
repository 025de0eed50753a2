// OnnxModel is an ONNX file read back: nodes, constants, inputs, outputs, metadata. It knows the
// wire format as onnx/onnx.proto3 says it and nothing of how Trainyard writes such files, so that
// reading can find a fault of writing. It takes what Trainyard's files have: one graph without
// subgraphs, constants as raw_data or string_data.
//
//   TY_ASSIGN_OR_RETURN(const OnnxModel model, ParseOnnx(bytes));
//
// Thread-safety: a value. Lifetime: names and texts are views into `bytes`, which must outlive it.
// Memory: about bytes.size() for real files, at most about 100 times as much for hostile ones.
#ifndef TRAINYARD_CORE_MODEL_ONNX_MODEL_H_
#define TRAINYARD_CORE_MODEL_ONNX_MODEL_H_

#include <cstdint>
#include <variant>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "core/model/onnx_type.h"

namespace trainyard {

// Row-major. As many values as the shape says; a scalar has an empty shape and one value.
struct OnnxTensor {
  std::vector<int64_t> shape;
  // kBool: 0 or 1. kString: views, of the file or of what the caller gave.
  std::variant<std::vector<float>, std::vector<double>, std::vector<int64_t>, std::vector<uint8_t>,
               std::vector<absl::string_view>>
      values;

  OnnxType type() const;
  int64_t element_count() const;
};

struct OnnxValueInfo {
  absl::string_view name;
  OnnxType type = OnnxType::kFloat;
  std::vector<int64_t> shape;  // -1: a named dimension, which whoever runs the model chooses
};

// Only the part of the attribute's type is set.
struct OnnxAttributeValue {
  float number = 0;
  int64_t integer = 0;
  std::vector<float> floats;
  std::vector<int64_t> integers;
  std::vector<absl::string_view> texts;
};

struct OnnxNode {
  absl::string_view op;
  absl::string_view domain;
  std::vector<absl::string_view> inputs;
  std::vector<absl::string_view> outputs;
  absl::flat_hash_map<absl::string_view, OnnxAttributeValue> attributes;

  // nullptr when the node has none of that name.
  const OnnxAttributeValue* Find(absl::string_view name) const;
  int64_t IntegerOr(absl::string_view name, int64_t otherwise) const;
  float NumberOr(absl::string_view name, float otherwise) const;
};

struct OnnxModel {
  int64_t ir_version = 0;
  absl::flat_hash_map<absl::string_view, int64_t> opsets;  // by domain
  std::vector<OnnxNode> nodes;                             // in the order in which they run
  absl::flat_hash_map<absl::string_view, OnnxTensor> constants;
  std::vector<OnnxValueInfo> inputs;
  std::vector<OnnxValueInfo> outputs;
  absl::flat_hash_map<absl::string_view, absl::string_view> metadata;
};

// Errors: DATA_LOSS: no protobuf message, no ONNX model, a constant whose size is not its shape's,
// a type that OnnxType does not have. The message says which.
absl::StatusOr<OnnxModel> ParseOnnx(absl::string_view bytes);

// DATA_LOSS: what of an ONNX file is not as it should be.
absl::Status OnnxFault(absl::string_view what);

// The number of elements of a shape; -1 when there are more than `max`, or a dimension is not
// positive: no tensor of ours is empty.
int64_t ElementCount(const std::vector<int64_t>& shape, int64_t max);

}  // namespace trainyard

#endif  // TRAINYARD_CORE_MODEL_ONNX_MODEL_H_
