// ProtoWriter writes protobuf's wire format (varints, length-delimited fields and floats), which is
// all that ONNX takes.
//
//   ProtoWriter node;  node.Text(4, "Gemm");
//   ProtoWriter graph;  graph.Message(1, node);  std::string bytes = std::move(graph).Take();
//
// Thread-safety: none; a value.
#ifndef TRAINYARD_CORE_MODEL_PROTO_WRITER_H_
#define TRAINYARD_CORE_MODEL_PROTO_WRITER_H_

#include <cstdint>
#include <string>
#include <utility>

#include "absl/strings/string_view.h"

namespace trainyard {

class ProtoWriter {
 public:
  // int32, int64, enum and bool fields.
  void Int(uint32_t field, int64_t value);
  void Float(uint32_t field, float value);
  // string and bytes fields.
  void Text(uint32_t field, absl::string_view value);
  void Message(uint32_t field, const ProtoWriter& message) { Text(field, message.bytes_); }

  const std::string& bytes() const { return bytes_; }
  std::string Take() && { return std::move(bytes_); }

 private:
  void Varint(uint64_t value);

  std::string bytes_;
};

}  // namespace trainyard

#endif  // TRAINYARD_CORE_MODEL_PROTO_WRITER_H_
