// Datasets made up on the spot, without a table: for tests of training and for benchmarks.
//
//   Dataset dataset = SyntheticDataset({.rows = 1000, .features = 30, .task = Task::kBinary});
//
// Features are standard normal. A hidden random linear map gives each row a score per class; the
// class is the best score's, the number is the score: learnable, noise-free. A pure function of the
// options.
#ifndef TRAINYARD_TESTS_SUPPORT_SYNTHETIC_DATA_H_
#define TRAINYARD_TESTS_SUPPORT_SYNTHETIC_DATA_H_

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "core/base/rng.h"
#include "core/data/dataset.h"

namespace trainyard {

struct SyntheticOptions {
  int64_t rows = 100;
  int64_t validation_rows = 0;
  int64_t test_rows = 0;
  int64_t features = 4;
  Task task = Task::kBinary;
  int64_t classes = 2;  // multiclass only
  uint64_t seed = 1;
};

inline Part SyntheticPart(const SyntheticOptions& options, int64_t rows, uint64_t substream) {
  const int64_t scores_count = options.task == Task::kMulticlass ? options.classes : 1;
  Rng map_rng(options.seed, RngStream::kAnalysis, 0);
  std::vector<double> map(static_cast<size_t>(scores_count * options.features));
  for (double& w : map) w = map_rng.Normal();
  Rng rng(options.seed, RngStream::kAnalysis, substream);
  Part part{.features = Matrix(rows, options.features)};
  std::vector<double> scores(static_cast<size_t>(scores_count));
  for (int64_t r = 0; r < rows; ++r) {
    for (float& x : part.features.row(r)) x = static_cast<float>(rng.Normal());
    for (int64_t k = 0; k < scores_count; ++k) {
      scores[k] = 0;
      for (int64_t i = 0; i < options.features; ++i) {
        scores[k] += map[k * options.features + i] * part.features.row(r)[i];
      }
    }
    if (options.task == Task::kMulticlass) {
      const auto best = std::max_element(scores.begin(), scores.end());
      part.classes.push_back(static_cast<int32_t>(best - scores.begin()));
    } else {
      const bool binary = options.task == Task::kBinary;
      part.targets.push_back(binary ? (scores[0] > 0 ? 1.0f : 0.0f)
                                    : static_cast<float>(scores[0]));
    }
  }
  return part;
}

inline Dataset SyntheticDataset(const SyntheticOptions& options) {
  Dataset dataset;
  dataset.config.task = options.task;
  const int64_t classes = options.task == Task::kRegression ? 0
                          : options.task == Task::kBinary   ? 2
                                                            : options.classes;
  for (int64_t k = 0; k < classes; ++k) dataset.classes.push_back(std::to_string(k));
  dataset.train = SyntheticPart(options, options.rows, 1);
  dataset.validation = SyntheticPart(options, options.validation_rows, 2);
  dataset.test = SyntheticPart(options, options.test_rows, 3);
  return dataset;
}

}  // namespace trainyard

#endif  // TRAINYARD_TESTS_SUPPORT_SYNTHETIC_DATA_H_
