// OnnxGraph builds an ONNX GraphProto node by node. It knows the wire format, not what a model is:
// export_onnx.cc decides which nodes there are. Field numbers are those of onnx/onnx.proto3.
//
//   OnnxGraph graph("name");
//   graph.AddInput("x", OnnxType::kFloat, {-1, 4});
//   graph.AddNode("Relu", {"x"}, {}, "y");
//   graph.AddOutput("y", OnnxType::kFloat, {-1, 4});
//   ProtoWriter bytes = std::move(graph).Take();
//
// Thread-safety: none; a value.
#ifndef TRAINYARD_CORE_MODEL_ONNX_GRAPH_H_
#define TRAINYARD_CORE_MODEL_ONNX_GRAPH_H_

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "absl/strings/string_view.h"
#include "core/model/proto_writer.h"

namespace trainyard {

// TensorProto.DataType.
enum class OnnxType : int64_t { kFloat = 1, kInt64 = 7, kString = 8, kDouble = 11 };

struct OnnxAttribute {
  absl::string_view name;
  std::variant<int64_t, float, std::vector<int64_t>> value;  // integers ≥ 0
};

class OnnxGraph {
 public:
  explicit OnnxGraph(absl::string_view name) { graph_.Text(2, name); }

  // A negative dimension is the batch size N, which the caller of the model chooses.
  void AddInput(absl::string_view name, OnnxType type, const std::vector<int64_t>& dimensions);
  void AddOutput(absl::string_view name, OnnxType type, const std::vector<int64_t>& dimensions);

  // Returns the name of the node's output: `output`, or when that is empty one of its own.
  std::string AddNode(absl::string_view op, const std::vector<std::string>& inputs,
                      const std::vector<OnnxAttribute>& attributes = {}, std::string output = "");

  // Constants; each returns its name. `dimensions` of the numbers given, row-major.
  std::string AddFloats(std::string name, const std::vector<int64_t>& dimensions,
                        const std::vector<float>& numbers);
  std::string AddDoubles(std::string name, const std::vector<double>& numbers);
  std::string AddStrings(std::string name, const std::vector<std::string>& strings);
  std::string AddScalar(float number);

  ProtoWriter Take() && { return std::move(graph_); }

 private:
  void AddRaw(absl::string_view name, OnnxType type, const std::vector<int64_t>& dimensions,
              absl::string_view raw_bytes);

  ProtoWriter graph_;  // fields of a message may come in any order
  int64_t name_count_ = 0;
};

}  // namespace trainyard

#endif  // TRAINYARD_CORE_MODEL_ONNX_GRAPH_H_
