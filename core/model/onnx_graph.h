// OnnxGraph builds an ONNX GraphProto node by node. It knows the wire format, not what a model is:
// export_onnx.cc decides which nodes there are. Field numbers are those of onnx/onnx.proto3.
//
//   OnnxGraph graph("name", "");
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
#include "core/model/onnx_type.h"
#include "core/model/proto_writer.h"

namespace trainyard {

inline constexpr absl::string_view kOnnxMlDomain = "ai.onnx.ml";

struct OnnxAttribute {
  absl::string_view name;
  std::variant<int64_t, float, std::vector<int64_t>, std::vector<float>, std::vector<std::string>>
      value;
};

class OnnxGraph {
 public:
  // `prefix` begins all names but those of inputs and outputs, which then cannot be the same when
  // no name of an input begins with it.
  OnnxGraph(absl::string_view name, absl::string_view prefix) : prefix_(prefix) {
    graph_.Text(2, name);
  }

  // A negative dimension is the batch size N, which the caller of the model chooses.
  void AddInput(absl::string_view name, OnnxType type, const std::vector<int64_t>& dimensions);
  void AddOutput(absl::string_view name, OnnxType type, const std::vector<int64_t>& dimensions);

  // Returns the name of the node's output: `output`, or when that is empty one of its own.
  std::string AddNode(absl::string_view op, const std::vector<std::string>& inputs,
                      const std::vector<OnnxAttribute>& attributes = {}, std::string output = "",
                      absl::string_view domain = "");
  std::string AddCast(const std::string& x, OnnxType type, std::string output = "");

  // Constants; each returns its name. `dimensions` of the numbers given, row-major; else those of a
  // list.
  std::string AddFloats(absl::string_view name, const std::vector<int64_t>& dimensions,
                        const std::vector<float>& numbers);
  std::string AddDoubles(absl::string_view name, const std::vector<double>& numbers);
  std::string AddIntegers(absl::string_view name, const std::vector<int64_t>& integers);
  std::string AddStrings(absl::string_view name, const std::vector<std::string>& strings);
  std::string AddScalar(float number);

  ProtoWriter Take() && { return std::move(graph_); }

 private:
  std::string AddRaw(absl::string_view name, OnnxType type, const std::vector<int64_t>& dimensions,
                     absl::string_view raw_bytes);

  const std::string prefix_;
  ProtoWriter graph_;  // fields of a message may come in any order
  int64_t name_count_ = 0;
};

}  // namespace trainyard

#endif  // TRAINYARD_CORE_MODEL_ONNX_GRAPH_H_
