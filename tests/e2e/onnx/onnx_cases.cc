// onnx_cases FOLDER: writes models with random weights as FOLDER/NAME.onnx and
// FOLDER/NAME.model.json, and beside them FOLDER/NAME.json with input rows and what the predictor
// here says of them. run.mjs, check_model.py and check_json.py read them.
#include <cmath>
#include <fstream>
#include <iostream>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "core/base/rng.h"
#include "core/base/status_macros.h"
#include "core/data/number.h"
#include "core/model/export.h"
#include "core/model/onnx_features.h"
#include "core/model/predictor.h"
#include "tests/support/column_cases.h"
#include "tests/support/data_builders.h"

namespace trainyard {
namespace {

constexpr int64_t kFeatures = 5;
constexpr int64_t kRows = 100;

// Values that float32 holds exactly: the input of an ONNX model is float32.
std::vector<std::vector<std::string>> NumberCells() {
  Rng rng(5, RngStream::kAnalysis);
  std::vector<std::vector<std::string>> cells(kRows);
  for (std::vector<std::string>& row : cells) {
    for (int64_t i = 0; i < kFeatures; ++i) {
      const double number = 10.0 * static_cast<double>(i) + 3 * rng.Normal();
      row.push_back(NumberText(static_cast<double>(static_cast<float>(number))));
    }
  }
  return cells;
}

constexpr Task kTasks[] = {Task::kBinary, Task::kMulticlass, Task::kRegression, Task::kMultilabel};

Bundle RandomOf(Task task, const std::vector<int64_t>& hidden, Activation activation) {
  const int64_t classes = task == Task::kBinary ? 2 : 4;
  Bundle bundle = RandomBundle(task, kFeatures, hidden, activation, classes, 2);
  if (!bundle.classes.empty()) bundle.classes[0] = "naïve \"quoted\", €";
  return bundle;
}

// One per task and activation, by the activation's number.
void AddActivations(std::vector<ModelCase>* cases) {
  for (const Task task : kTasks) {
    for (auto number = static_cast<uint8_t>(Activation::kIdentity);
         number <= static_cast<uint8_t>(kActivationLast); ++number) {
      cases->push_back({absl::StrCat(TaskWord(task), "_activation", int{number}),
                        RandomOf(task, {16, 7}, Activation{number})});
    }
  }
}

void AddNormalisations(std::vector<ModelCase>* cases) {
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
void AddLosses(std::vector<ModelCase>* cases) {
  Bundle poisson = RandomOf(Task::kRegression, {8}, Activation::kTanh);
  poisson.loss.kind = LossKind::kPoisson;
  cases->push_back({"regression_poisson", std::move(poisson)});
  for (const Task task : {Task::kBinary, Task::kMulticlass}) {
    Bundle hinge = RandomOf(task, {8}, Activation::kTanh);
    hinge.loss.kind = LossKind::kHinge;
    cases->push_back({absl::StrCat(TaskWord(task), "_hinge"), std::move(hinge)});
  }
}

std::vector<ModelCase> AllCases() {
  std::vector<ModelCase> cases;
  for (const Task task : kTasks) {
    cases.push_back(
        {absl::StrCat(TaskWord(task), "_linear"), RandomOf(task, {}, Activation::kRelu)});
  }
  AddActivations(&cases);
  AddNormalisations(&cases);
  AddLosses(&cases);
  for (ModelCase& c : cases) c.cells = NumberCells();
  for (ModelCase& c : ColumnCases()) cases.push_back(std::move(c));
  return cases;
}

// JSON has no NaN: null.
std::string JsonNumbers(const std::vector<double>& numbers) {
  std::string out = "[";
  for (const double number : numbers) {
    absl::StrAppend(&out, out.size() > 1 ? "," : "",
                    std::isfinite(number) ? NumberText(number) : "null");
  }
  return out + "]";
}

// What the model's outputs should be, row by row; NaN, "" and -1 for rows that are refused.
struct Outputs {
  std::vector<std::string> label;  // [rows]
  std::vector<double> labels;      // [rows, labels] of 0 and 1
  std::vector<double> probabilities;
  std::vector<double> value;
};

void AddRefused(const Bundle& bundle, Outputs* outputs) {
  const size_t classes = bundle.classes.size();
  if (bundle.task == Task::kRegression) {
    outputs->value.push_back(std::nan(""));
  } else if (bundle.task == Task::kMultilabel) {
    outputs->labels.resize(outputs->labels.size() + classes, -1);
  } else {
    outputs->label.emplace_back();
  }
  outputs->probabilities.resize(outputs->probabilities.size() + classes, std::nan(""));
}

void AddPrediction(const Bundle& bundle, const Prediction& p, Outputs* outputs) {
  if (bundle.task == Task::kRegression) {
    outputs->value.push_back(p.value);
  } else if (bundle.task == Task::kMultilabel) {
    std::vector<double> labels(bundle.classes.size());
    for (const int32_t label : LikelyLabels(p)) labels[label] = 1;
    outputs->labels.insert(outputs->labels.end(), labels.begin(), labels.end());
  } else {
    outputs->label.push_back(bundle.classes[p.class_index]);
  }
  outputs->probabilities.insert(outputs->probabilities.end(), p.probabilities.begin(),
                                p.probabilities.end());
}

Outputs OutputsOf(const Predictor& predictor, const std::vector<std::vector<std::string>>& cells) {
  const Bundle& bundle = predictor.bundle();
  Outputs outputs;
  for (const std::vector<std::string>& row : cells) {
    std::vector<double> raw;
    for (const std::string& cell : row) {
      raw.push_back(bundle.preprocessor.RawOf(static_cast<int64_t>(raw.size()), cell));
    }
    const absl::StatusOr<std::vector<Prediction>> predictions = predictor.Predict(raw);
    if (predictions.ok()) {
      AddPrediction(bundle, predictions->front(), &outputs);
    } else {
      AddRefused(bundle, &outputs);
    }
  }
  return outputs;
}

std::string JsonCells(const std::vector<std::vector<std::string>>& cells) {
  std::string out = "[";
  for (const std::vector<std::string>& row : cells) {
    absl::StrAppend(&out, out.size() > 1 ? ",\n" : "", JsonTexts(row));
  }
  return out + "]";
}

// `hashed`: JSON alone, which ONNX cannot have.
absl::Status WriteCase(const ModelCase& c, const std::string& folder) {
  TY_ASSIGN_OR_RETURN(const std::unique_ptr<Predictor> predictor, Predictor::Create(c.bundle));
  const Outputs outputs = OutputsOf(*predictor, c.cells);
  const std::string path = absl::StrCat(folder, "/", c.name);
  const absl::StatusOr<std::string> onnx = ExportOnnx(c.bundle);
  if (onnx.ok() == c.hashed) return absl::InternalError("only hashed columns are refused");
  if (onnx.ok()) std::ofstream(path + ".onnx", std::ios::binary) << *onnx;
  std::ofstream(path + ".model.json") << ExportJson(c.bundle);
  std::ofstream json(path + ".json");
  json << "{\"inputs\":" << JsonTexts(OnnxInputNames(c.bundle))
       << ",\n\"cells\":" << JsonCells(c.cells) << ",\n\"label\":" << JsonTexts(outputs.label)
       << ",\n\"labels\":" << JsonNumbers(outputs.labels)
       << ",\n\"probabilities\":" << JsonNumbers(outputs.probabilities)
       << ",\n\"value\":" << JsonNumbers(outputs.value) << "}\n";
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
  for (const trainyard::ModelCase& c : trainyard::AllCases()) {
    const absl::Status status = trainyard::WriteCase(c, argv[1]);
    if (status.ok()) continue;
    std::cerr << c.name << ": " << status << "\n";
    return 1;
  }
  return 0;
}
