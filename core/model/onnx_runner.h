// OnnxRunner runs an ONNX file that Trainyard wrote, node by node, with the operators of
// onnx_operators.h. It is there to check files where no ONNX runtime is, not to be fast.
//
//   TY_ASSIGN_OR_RETURN(const OnnxModel model, ParseOnnx(bytes));
//   TY_ASSIGN_OR_RETURN(const OnnxRunner runner, OnnxRunner::Create(model));
//   OnnxBudget budget;
//   TY_ASSIGN_OR_RETURN(const std::vector<OnnxTensor> outputs, runner.Run(inputs, &budget));
//
// Thread-safety: const methods may run concurrently. Lifetime: `model` must outlive it; strings of
// the outputs are views of the file or of the inputs.
#ifndef TRAINYARD_CORE_MODEL_ONNX_RUNNER_H_
#define TRAINYARD_CORE_MODEL_ONNX_RUNNER_H_

#include <cstdint>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "core/model/onnx_model.h"
#include "core/model/onnx_operators.h"

namespace trainyard {

class OnnxRunner {
 public:
  // Errors: DATA_LOSS: another opset than 13 (ai.onnx.ml: 2), an operator that is not known, a name
  // that is used before it is there or given twice.
  static absl::StatusOr<OnnxRunner> Create(const OnnxModel& model);

  // `inputs` in the order of the model's, of its types and shapes; the outputs likewise. Tensors
  // between are let go after their last use.
  // Errors: DATA_LOSS: inputs or outputs that are not what the model declares, or as the operators;
  // RESOURCE_EXHAUSTED: over the budget.
  absl::StatusOr<std::vector<OnnxTensor>> Run(std::vector<OnnxTensor> inputs,
                                              OnnxBudget* budget) const;

 private:
  // A node with its names looked up. Values are numbered: inputs, then what nodes give, in order.
  struct Step {
    const OnnxNode* node = nullptr;
    const OnnxOperator* op = nullptr;
    std::vector<int64_t> inputs;  // a value; or -1 - index of a constant
    size_t output = 0;
    std::vector<size_t> done;  // values that no later step reads
  };
  // Where each name is, while the steps are put together.
  using Places = absl::flat_hash_map<absl::string_view, int64_t>;

  explicit OnnxRunner(const OnnxModel& model) : model_(&model) {}

  absl::Status AddPlaces(Places* places);
  absl::Status AddStep(const OnnxNode& node, Places* places);
  absl::Status FindOutputs(const Places& places);
  void FindLastUses();

  const OnnxModel* model_;
  std::vector<const OnnxTensor*> constants_;
  std::vector<Step> steps_;
  std::vector<size_t> outputs_;
  size_t value_count_ = 0;
};

}  // namespace trainyard

#endif  // TRAINYARD_CORE_MODEL_ONNX_RUNNER_H_
