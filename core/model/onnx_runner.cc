#include "core/model/onnx_runner.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/base/status_macros.h"

namespace trainyard {
namespace {

constexpr int64_t kOpset = 13;
constexpr int64_t kMachineLearningOpset = 2;

absl::Status CheckOpsets(const OnnxModel& model) {
  bool standard = false;
  for (const auto& [domain, version] : model.opsets) {
    const bool known = (domain.empty() && version == kOpset) ||
                       (domain == "ai.onnx.ml" && version == kMachineLearningOpset);
    if (!known) {
      return OnnxFault(absl::StrCat("opset ", version, " of \"", domain, "\" is not known here"));
    }
    standard = standard || domain.empty();
  }
  return standard ? absl::OkStatus() : OnnxFault("it names no opset");
}

absl::Status CheckValue(const OnnxValueInfo& declared, const OnnxTensor& value) {
  bool fits = declared.type == value.type() && declared.shape.size() == value.shape.size();
  for (size_t i = 0; fits && i < value.shape.size(); ++i) {
    fits = declared.shape[i] < 0 || declared.shape[i] == value.shape[i];
  }
  if (fits) return absl::OkStatus();
  return OnnxFault(
      absl::StrCat("\"", declared.name, "\" is declared with another type or shape than it has"));
}

}  // namespace

absl::StatusOr<OnnxRunner> OnnxRunner::Create(const OnnxModel& model) {
  TY_RETURN_IF_ERROR(CheckOpsets(model));
  OnnxRunner runner(model);
  Places places;
  TY_RETURN_IF_ERROR(runner.AddPlaces(&places));
  for (const OnnxNode& node : model.nodes) TY_RETURN_IF_ERROR(runner.AddStep(node, &places));
  TY_RETURN_IF_ERROR(runner.FindOutputs(places));
  runner.FindLastUses();
  return runner;
}

absl::Status OnnxRunner::AddPlaces(Places* places) {
  for (const auto& [name, tensor] : model_->constants) {
    places->emplace(name, -1 - static_cast<int64_t>(constants_.size()));
    constants_.push_back(&tensor);
  }
  for (const OnnxValueInfo& input : model_->inputs) {
    if (!places->emplace(input.name, value_count_++).second) {
      return OnnxFault(absl::StrCat("there are two values \"", input.name, "\""));
    }
  }
  return absl::OkStatus();
}

absl::Status OnnxRunner::AddStep(const OnnxNode& node, Places* places) {
  Step step{.node = &node, .op = FindOnnxOperator(node)};
  if (step.op == nullptr) {
    return OnnxFault(absl::StrCat("operator \"", node.op, "\" with ", node.inputs.size(),
                                  " inputs is not known here"));
  }
  for (const absl::string_view input : node.inputs) {
    const auto it = places->find(input);
    if (it == places->end()) {
      return OnnxFault(absl::StrCat("\"", input, "\" is used before it is there"));
    }
    step.inputs.push_back(it->second);
  }
  step.output = value_count_++;
  if (!places->emplace(node.outputs[0], step.output).second) {
    return OnnxFault(absl::StrCat("there are two values \"", node.outputs[0], "\""));
  }
  steps_.push_back(std::move(step));
  return absl::OkStatus();
}

absl::Status OnnxRunner::FindOutputs(const Places& places) {
  for (const OnnxValueInfo& output : model_->outputs) {
    const auto it = places.find(output.name);
    const bool computed =
        it != places.end() && it->second >= static_cast<int64_t>(model_->inputs.size());
    if (!computed) return OnnxFault(absl::StrCat("no node gives \"", output.name, "\""));
    outputs_.push_back(it->second);
  }
  std::vector<size_t> sorted = outputs_;
  std::sort(sorted.begin(), sorted.end());
  const bool twice = std::adjacent_find(sorted.begin(), sorted.end()) != sorted.end();
  return twice ? OnnxFault("an output is there twice") : absl::OkStatus();
}

void OnnxRunner::FindLastUses() {
  std::vector<bool> needed(value_count_);
  for (const size_t output : outputs_) needed[output] = true;
  for (size_t i = steps_.size(); i-- > 0;) {
    if (!needed[steps_[i].output]) steps_[i].done.push_back(steps_[i].output);
    for (const int64_t input : steps_[i].inputs) {
      if (input < 0 || needed[input]) continue;
      needed[input] = true;
      steps_[i].done.push_back(input);
    }
  }
}

absl::StatusOr<std::vector<OnnxTensor>> OnnxRunner::Run(std::vector<OnnxTensor> inputs,
                                                        OnnxBudget* budget) const {
  if (inputs.size() != model_->inputs.size()) return OnnxFault("it has other inputs");
  for (size_t i = 0; i < inputs.size(); ++i) {
    TY_RETURN_IF_ERROR(CheckValue(model_->inputs[i], inputs[i]));
  }
  std::vector<OnnxTensor> values = std::move(inputs);
  values.resize(value_count_);
  std::vector<const OnnxTensor*> arguments;
  for (const Step& step : steps_) {
    arguments.clear();
    for (const int64_t at : step.inputs) {
      arguments.push_back(at < 0 ? constants_[-1 - at] : &values[at]);
    }
    TY_ASSIGN_OR_RETURN(values[step.output], step.op->run(*step.node, arguments, budget));
    for (const size_t done : step.done) values[done] = {};
  }
  std::vector<OnnxTensor> outputs;
  for (size_t i = 0; i < outputs_.size(); ++i) {
    TY_RETURN_IF_ERROR(CheckValue(model_->outputs[i], values[outputs_[i]]));
    outputs.push_back(std::move(values[outputs_[i]]));
  }
  return outputs;
}

}  // namespace trainyard
