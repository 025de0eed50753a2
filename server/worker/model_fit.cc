#include "server/worker/model_fit.h"

#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "core/base/error_info.h"
#include "core/base/status_macros.h"

namespace trainyard {
namespace {

bool SameShape(const LayerWeights& a, const LayerWeights& b) {
  return a.in == b.in && a.out == b.out && a.activation == b.activation && a.alpha == b.alpha &&
         a.biases.size() == b.biases.size() && a.normalization == b.normalization &&
         a.residual == b.residual;
}

std::string ShapeOf(const LayerWeights& layer) { return absl::StrCat(layer.in, " × ", layer.out); }

void Scale(const Preprocessor& preprocessor, Part* part) {
  std::vector<double> raw(static_cast<size_t>(part->features.cols()));
  for (int64_t row = 0; row < part->rows(); ++row) {
    const std::span<float> cells = part->features.row(row);
    raw.assign(cells.begin(), cells.end());
    preprocessor.Apply(raw, cells);
  }
}

}  // namespace

absl::Status CheckModel(const std::string& name, const Bundle& bundle, const TrainConfig& config,
                        const Dataset& dataset) {
  std::vector<FieldViolation> violations;
  const auto add = [&](const std::string& why) { violations.push_back({name, why}); };
  if (bundle.feature_columns != dataset.config.feature_columns) {
    add("its feature columns, or their order, are not the dataset's");
  }
  if (bundle.classes != dataset.classes) add("its classes are not the dataset's");
  const MlpWeights expected =
      ZeroWeights(MlpConfigOf(config, dataset.feature_count(), dataset.output_count()));
  if (bundle.weights.size() != expected.size()) {
    add(absl::StrCat("it has ", bundle.weights.size(), " layers, the spec ", expected.size()));
  }
  for (size_t i = 0; i < std::min(expected.size(), bundle.weights.size()); ++i) {
    if (SameShape(bundle.weights[i], expected[i])) continue;
    add(absl::StrCat("its layer ", i, " (", ShapeOf(bundle.weights[i]), ") is not the spec's (",
                     ShapeOf(expected[i]), "), or differs in activation, bias or normalization"));
  }
  if (violations.empty()) return absl::OkStatus();
  return MakeViolationsError(ErrorReason::kInvalidSpec, std::move(violations));
}

absl::Status UsePreprocessor(const Preprocessor& preprocessor, const Table& table,
                             const TrainConfig& config, Dataset* dataset) {
  const Preprocessor& fitted = dataset->preprocessor;
  if (fitted.offsets() == preprocessor.offsets() && fitted.scales() == preprocessor.scales()) {
    return absl::OkStatus();
  }
  DataConfig unscaled = config.data;
  unscaled.scaling = Scaling::kNone;
  *dataset = Dataset();  // two of them at once would be twice the memory
  TY_ASSIGN_OR_RETURN(*dataset, BuildDataset(table, unscaled, config.seed));
  dataset->config.scaling = config.data.scaling;
  dataset->preprocessor = preprocessor;
  for (Part* part : {&dataset->train, &dataset->validation, &dataset->test}) {
    Scale(preprocessor, part);
  }
  return absl::OkStatus();
}

}  // namespace trainyard
