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

std::vector<Case> AllCases() {
  std::vector<Case> cases;
  const std::vector<std::pair<std::string, Activation>> activations = {
      {"identity", Activation::kIdentity},
      {"relu", Activation::kRelu},
      {"sigmoid", Activation::kSigmoid},
      {"tanh", Activation::kTanh}};
  for (const Task task : {Task::kBinary, Task::kMulticlass, Task::kRegression}) {
    const int64_t classes = task == Task::kBinary ? 2 : 4;
    const std::string word(TaskWord(task));
    cases.push_back({absl::StrCat(word, "_linear"),
                     RandomBundle(task, kFeatures, {}, Activation::kRelu, classes, 1)});
    for (const auto& [name, activation] : activations) {
      Bundle bundle = RandomBundle(task, kFeatures, {16, 7}, activation, classes, 2);
      if (!bundle.classes.empty()) bundle.classes[0] = "naïve \"quoted\", €";
      cases.push_back({absl::StrCat(word, "_", name), std::move(bundle)});
    }
  }
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

absl::Status WriteCase(const Case& c, const std::string& folder) {
  const std::vector<double> rows = InputRows();
  TY_ASSIGN_OR_RETURN(const std::unique_ptr<Predictor> predictor, Predictor::Create(c.bundle));
  TY_ASSIGN_OR_RETURN(const std::vector<Prediction> predictions, predictor->Predict(rows));
  TY_ASSIGN_OR_RETURN(const std::string onnx, ExportOnnx(c.bundle));
  std::vector<std::string> labels;
  std::vector<double> probabilities;
  std::vector<double> values;
  for (const Prediction& p : predictions) {
    if (c.bundle.task == Task::kRegression) {
      values.push_back(p.value);
    } else {
      labels.push_back(c.bundle.classes[p.class_index]);
      probabilities.insert(probabilities.end(), p.probabilities.begin(), p.probabilities.end());
    }
  }
  std::ofstream(absl::StrCat(folder, "/", c.name, ".onnx"), std::ios::binary) << onnx;
  std::ofstream json(absl::StrCat(folder, "/", c.name, ".json"));
  json << "{\"rows\":" << kRows << ",\"features\":" << kFeatures
       << ",\"input\":" << JsonNumbers(rows) << ",\"label\":" << JsonTexts(labels)
       << ",\"probabilities\":" << JsonNumbers(probabilities)
       << ",\"value\":" << JsonNumbers(values) << "}\n";
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
