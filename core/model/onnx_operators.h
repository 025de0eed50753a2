// The ONNX operators that Trainyard's files use, as the ONNX specification (opset 13, ai.onnx.ml 2)
// defines them, in float32 where it says float. Written a second time, apart from core/tensor and
// core/nn: they are what an exported file is compared with the native predictor by.
//
//   const OnnxOperator* op = FindOnnxOperator(node);                  // once per node
//   TY_ASSIGN_OR_RETURN(OnnxTensor y, op->run(node, {&x, &weights}, &budget));
//
// Inputs are what they are declared to be: batches are rank 2, reductions along axis 1; what else
// the specification has is refused. Thread-safety: pure functions.
// Errors: DATA_LOSS: shapes, types or attributes that do not fit the operator, or are not handled
// here; RESOURCE_EXHAUSTED: over the budget.
#ifndef TRAINYARD_CORE_MODEL_ONNX_OPERATORS_H_
#define TRAINYARD_CORE_MODEL_ONNX_OPERATORS_H_

#include <cstdint>
#include <span>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "core/model/onnx_model.h"

namespace trainyard {

// What running a model may cost, so that no file takes more.
struct OnnxBudget {
  int64_t elements_max = int64_t{1} << 28;  // of one tensor
  int64_t work = int64_t{1} << 40;          // elements written plus multiplications, left

  // Takes what a tensor of `elements` costs, each after `work_each` steps.
  absl::Status Spend(int64_t elements, int64_t work_each = 1);
};

using OnnxInputs = std::span<const OnnxTensor* const>;

struct OnnxOperator {
  absl::string_view op;
  absl::string_view domain;
  size_t inputs_min = 0;
  size_t inputs_max = 0;
  absl::StatusOr<OnnxTensor> (*run)(const OnnxNode& node, OnnxInputs inputs, OnnxBudget* budget);
};

// nullptr for one that is not known, or that has the wrong number of inputs or outputs.
const OnnxOperator* FindOnnxOperator(const OnnxNode& node);

// The numbers 1 and 2 of what FindOnnxOperator looks through: element by element, and the others.
std::span<const OnnxOperator> OnnxElementwiseOperators();
std::span<const OnnxOperator> OnnxShapedOperators();

}  // namespace trainyard

#endif  // TRAINYARD_CORE_MODEL_ONNX_OPERATORS_H_
