// Datasets and networks that analyses are tried on.
#ifndef TRAINYARD_TESTS_CORE_ANALYSIS_ANALYSIS_FIXTURES_H_
#define TRAINYARD_TESTS_CORE_ANALYSIS_ANALYSIS_FIXTURES_H_

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "core/analysis/analysis_input.h"
#include "core/nn/init.h"
#include "tests/support/synthetic_data.h"
#include "tests/support/train_configs.h"

namespace trainyard {

// Something to analyse, with everything that an AnalysisInput refers to.
struct AnalysisCase {
  TrainConfig config;
  Dataset dataset;
  MlpWeights weights;
  StopFlag stop;

  AnalysisInput input() const {
    return {.config = config, .dataset = dataset, .weights = weights, .progress = {}, .stop = stop};
  }
};

// A dataset of the given training rows; features "x0", "x1", …, not scaled. `x`: [rows, features].
inline Dataset HandMadeDataset(Task task, const std::vector<std::vector<float>>& x,
                               std::vector<float> targets) {
  Dataset dataset;
  const size_t features = x.front().size();
  dataset.config.task = task;
  if (task == Task::kBinary) dataset.classes = {"no", "yes"};
  for (size_t i = 0; i < features; ++i)
    dataset.config.feature_columns.push_back("x" + std::to_string(i));
  dataset.preprocessor =
      Preprocessor(std::vector<double>(features, 0), std::vector<double>(features, 1));
  dataset.train.features = Matrix(static_cast<int64_t>(x.size()), static_cast<int64_t>(features));
  for (size_t r = 0; r < x.size(); ++r) {
    std::copy(x[r].begin(), x[r].end(),
              dataset.train.features.row(static_cast<int64_t>(r)).begin());
  }
  dataset.train.targets = std::move(targets);
  return dataset;
}

// One affine layer.
inline LayerWeights AffineLayer(int64_t in, int64_t out, std::vector<float> weights,
                                std::vector<float> biases,
                                Activation activation = Activation::kIdentity) {
  LayerWeights layer{.in = in, .out = out, .activation = activation};
  layer.weights = std::move(weights);
  layer.biases = std::move(biases);
  layer.alpha = DefaultAlpha(activation);
  return layer;
}

// Sets up a case in place: it holds a StopFlag, which does not move.
inline void SetUpCase(Dataset dataset, MlpWeights weights, AnalysisCase* c) {
  c->config = ResolvedConfig(dataset.config.task);
  c->config.data.feature_columns = dataset.config.feature_columns;
  c->dataset = std::move(dataset);
  c->weights = std::move(weights);
}

}  // namespace trainyard

#endif  // TRAINYARD_TESTS_CORE_ANALYSIS_ANALYSIS_FIXTURES_H_
