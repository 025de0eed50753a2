// onnx_cases FOLDER: writes models with random weights as FOLDER/NAME.onnx, and beside each
// FOLDER/NAME.json with input rows and what the predictor here says of them. run.mjs and
// check_model.py read them.
#include <fstream>
#include <iostream>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "core/base/rng.h"
#include "core/base/status_macros.h"
#include "core/data/number.h"
#include "core/model/export.h"
#include "core/model/predictor.h"
#include "tests/support/data_builders.h"

namespace trainyard {
namespace {

constexpr int64_t kFeatures = 5;
constexpr int64_t kRows = 100;

struct Case {
  std::string name;
  Bundle bundle;
};

constexpr Task kTasks[] = {Task::kBinary, Task::kMulticlass, Task::kRegression, Task::kMultilabel};

Bundle RandomOf(Task task, const std::vector<int64_t>& hidden, Activation activation) {
  const int64_t classes = task == Task::kBinary ? 2 : 4;
  Bundle bundle = RandomBundle(task, kFeatures, hidden, activation, classes, 2);
  if (!bundle.classes.empty()) bundle.classes[0] = "naïve \"quoted\", €";
  return bundle;
}

// One per task and activation, by the activation's number.
void AddActivations(std::vector<Case>* cases) {
  for (const Task task : kTasks) {
    for (auto number = static_cast<uint8_t>(Activation::kIdentity);
         number <= static_cast<uint8_t>(kActivationLast); ++number) {
      cases->push_back({absl::StrCat(TaskWord(task), "_activation", int{number}),
                        RandomOf(task, {16, 7}, Activation{number})});
    }
  }
}

void AddNormalisations(std::vector<Case>* cases) {
  for (const Task task : kTasks) {
    for (const Normalization kind : {Normalization::kBatch, Normalization::kLayer}) {
      Bundle bundle = RandomOf(task, {16, 16}, Activation::kGelu);
      Normalise(kind, 3, &bundle.weights[0]);
      Normalise(kind, 4, &bundle.weights[1]);
      bundle.weights[1].residual = true;
      bundle.weights[0].biases.clear();
      bundle.weights[2].biases.clear();
      cases->push_back(
          {absl::StrCat(TaskWord(task), kind == Normalization::kBatch ? "_batch" : "_layer"),
           std::move(bundle)});
    }
  }
}

// Whose losses decide what the outputs stand for.
void AddLosses(std::vector<Case>* cases) {
  Bundle poisson = RandomOf(Task::kRegression, {8}, Activation::kTanh);
  poisson.loss.kind = LossKind::kPoisson;
  cases->push_back({"regression_poisson", std::move(poisson)});
  for (const Task task : {Task::kBinary, Task::kMulticlass}) {
    Bundle hinge = RandomOf(task, {8}, Activation::kTanh);
    hinge.loss.kind = LossKind::kHinge;
    cases->push_back({absl::StrCat(TaskWord(task), "_hinge"), std::move(hinge)});
  }
}

std::vector<Case> AllCases() {
  std::vector<Case> cases;
  for (const Task task : kTasks) {
    cases.push_back(
        {absl::StrCat(TaskWord(task), "_linear"), RandomOf(task, {}, Activation::kRelu)});
  }
  AddActivations(&cases);
  AddNormalisations(&cases);
  AddLosses(&cases);
  return cases;
}

// Values that float32 holds exactly: the input of an ONNX model is float32.
std::vector<double> InputRows() {
  Rng rng(5, RngStream::kAnalysis);
  std::vector<double> values;
  for (int64_t i = 0; i < kRows * kFeatures; ++i) {
    values.push_back(
        static_cast<float>(10.0 * static_cast<double>(i % kFeatures) + 3 * rng.Normal()));
  }
  return values;
}

std::string JsonNumbers(const std::vector<double>& numbers) {
  std::string out = "[";
  for (const double number : numbers)
    absl::StrAppend(&out, out.size() > 1 ? "," : "", NumberText(number));
  return out + "]";
}

// What the model's outputs should be, row by row.
struct Outputs {
  std::vector<std::string> label;  // [rows]
  std::vector<double> labels;      // [rows, labels] of 0 and 1
  std::vector<double> probabilities;
  std::vector<double> value;
};

Outputs OutputsOf(const Bundle& bundle, const std::vector<Prediction>& predictions) {
  Outputs outputs;
  for (const Prediction& p : predictions) {
    if (bundle.task == Task::kRegression) {
      outputs.value.push_back(p.value);
    } else if (bundle.task == Task::kMultilabel) {
      std::vector<double> labels(bundle.classes.size());
      for (const int32_t label : LikelyLabels(p)) labels[label] = 1;
      outputs.labels.insert(outputs.labels.end(), labels.begin(), labels.end());
    } else {
      outputs.label.push_back(bundle.classes[p.class_index]);
    }
    outputs.probabilities.insert(outputs.probabilities.end(), p.probabilities.begin(),
                                 p.probabilities.end());
  }
  return outputs;
}

absl::Status WriteCase(const Case& c, const std::string& folder) {
  const std::vector<double> rows = InputRows();
  TY_ASSIGN_OR_RETURN(const std::unique_ptr<Predictor> predictor, Predictor::Create(c.bundle));
  TY_ASSIGN_OR_RETURN(const std::vector<Prediction> predictions, predictor->Predict(rows));
  TY_ASSIGN_OR_RETURN(const std::string onnx, ExportOnnx(c.bundle));
  const Outputs outputs = OutputsOf(c.bundle, predictions);
  std::ofstream(absl::StrCat(folder, "/", c.name, ".onnx"), std::ios::binary) << onnx;
  std::ofstream json(absl::StrCat(folder, "/", c.name, ".json"));
  json << "{\"rows\":" << kRows << ",\"features\":" << kFeatures
       << ",\"input\":" << JsonNumbers(rows) << ",\"label\":" << JsonTexts(outputs.label)
       << ",\"labels\":" << JsonNumbers(outputs.labels)
       << ",\"probabilities\":" << JsonNumbers(outputs.probabilities)
       << ",\"value\":" << JsonNumbers(outputs.value) << "}\n";
  return json.good() ? absl::OkStatus()
                     : absl::InternalError(absl::StrCat("cannot write to ", folder));
}

}  // namespace
}  // namespace trainyard

int main(int argc, char** argv) {
  if (argc != 2) {
    std::cerr << "usage: onnx_cases FOLDER\n";
    return 2;
  }
  for (const trainyard::Case& c : trainyard::AllCases()) {
    const absl::Status status = trainyard::WriteCase(c, argv[1]);
    if (status.ok()) continue;
    std::cerr << c.name << ": " << status << "\n";
    return 1;
  }
  return 0;
}
