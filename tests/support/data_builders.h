// Small valid tables and models, for tests of core/data and core/model.
#ifndef TRAINYARD_TESTS_SUPPORT_DATA_BUILDERS_H_
#define TRAINYARD_TESTS_SUPPORT_DATA_BUILDERS_H_

#include <fstream>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "core/base/check.h"
#include "core/base/rng.h"
#include "core/data/column_stats.h"
#include "core/data/ingest.h"
#include "core/model/bundle.h"

namespace trainyard {

inline std::string ReadFileForTest(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  TY_CHECK(file.good());
  std::stringstream bytes;
  bytes << file.rdbuf();
  return bytes.str();
}

// The table of a CSV text that is known to be good.
inline Table TableOf(const std::string& csv) {
  StringSource source(csv);
  absl::StatusOr<IngestResult> result = IngestTable(source, {});
  TY_CHECK(result.ok());
  return std::move(result->table);
}

// The table in tests/golden/table_v1.bin, and but for one column that in table_v2.bin.
inline Table SmallTable() {
  return TableOf("size,weight,kind\n1,0.5,b\n2,,a\n-3.25,1e20,\n4,7,\"b\"\n");
}

// Weights drawn from `seed`; `sizes` are features, hidden units, outputs.
inline MlpWeights RandomWeights(const std::vector<int64_t>& sizes, Activation activation,
                                uint64_t seed) {
  MlpWeights weights;
  Rng rng(seed, RngStream::kInit);
  for (size_t i = 0; i + 1 < sizes.size(); ++i) {
    LayerWeights layer{.in = sizes[i], .out = sizes[i + 1]};
    layer.activation = i + 2 == sizes.size() ? Activation::kIdentity : activation;
    layer.alpha = DefaultAlpha(layer.activation);
    for (int64_t k = 0; k < layer.in * layer.out; ++k) {
      layer.weights.push_back(static_cast<float>(rng.Normal()));
    }
    for (int64_t k = 0; k < layer.out; ++k) {
      layer.biases.push_back(static_cast<float>(rng.Normal()));
    }
    weights.push_back(std::move(layer));
  }
  return weights;
}

// A model of the task with random weights: features "f0", "f1", …, means and deviations that
// differ.
inline Bundle RandomBundle(Task task, int64_t features, const std::vector<int64_t>& hidden,
                           Activation activation, int64_t classes, uint64_t seed) {
  Bundle bundle;
  bundle.task = task;
  bundle.loss.kind = LossOf(task);
  if (task != Task::kMultilabel) bundle.target_column = "target";
  std::vector<double> offsets;
  std::vector<double> scales;
  for (int64_t i = 0; i < features; ++i) {
    bundle.feature_columns.push_back("f" + std::to_string(i));
    offsets.push_back(10.0 * static_cast<double>(i) - 1.0 / 3.0);
    scales.push_back(1.0 / (1.0 + static_cast<double>(i)));
  }
  for (int64_t i = 0; task != Task::kRegression && i < classes; ++i) {
    bundle.classes.push_back("class " + std::to_string(i));
  }
  bundle.preprocessor = Preprocessor(std::move(offsets), std::move(scales));
  std::vector<int64_t> sizes = {features};
  sizes.insert(sizes.end(), hidden.begin(), hidden.end());
  const bool several = task == Task::kMulticlass || task == Task::kMultilabel;
  sizes.push_back(several ? classes : 1);
  bundle.weights = RandomWeights(sizes, activation, seed);
  bundle.provenance = {{"dataset_digest", "sha256:00"}, {"seed", std::to_string(seed)}};
  return bundle;
}

// The model in tests/golden/bundle_v1.bin: numbers that are exact, so that no compiler changes
// them.
inline Bundle SmallBundle() {
  Bundle bundle;
  bundle.task = Task::kBinary;
  bundle.loss.kind = LossKind::kBinaryCrossEntropy;
  bundle.target_column = "kind";
  bundle.feature_columns = {"size", "weight"};
  bundle.classes = {"a", "b"};
  bundle.preprocessor = Preprocessor({1.5, -2.0}, {0.25, 0.0});
  bundle.weights = {{2, 3, Activation::kTanh, {0.5f, -1, 2, 0.125f, 3, -0.75f}, {0, 1, -1}},
                    {3, 1, Activation::kIdentity, {1, -0.5f, 0.25f}, {0.0625f}}};
  bundle.provenance = {{"dataset_digest", "sha256:ab"}, {"seed", "7"}};
  return bundle;
}

// Gives a layer the numbers that a normalisation needs, drawn from `seed`.
inline void Normalise(Normalization kind, uint64_t seed, LayerWeights* layer) {
  Rng rng(seed, RngStream::kInit);
  const auto draw = [&](double mean, double deviation) {
    std::vector<float> numbers;
    for (int64_t i = 0; i < layer->out; ++i) {
      numbers.push_back(static_cast<float>(mean + deviation * rng.Normal()));
    }
    return numbers;
  };
  layer->normalization = kind;
  layer->gains = draw(1, 0.3);
  layer->shifts = draw(0, 0.5);
  if (kind != Normalization::kBatch) return;
  layer->running_means = draw(0, 0.5);
  layer->running_variances = draw(4, 0.5);
}

// The model in tests/golden/bundle_v2.bin: everything that version 2 can say, in exact numbers.
inline Bundle RichBundle() {
  Bundle bundle = SmallBundle();
  bundle.task = Task::kMulticlass;
  bundle.classes = {"a", "b", "c"};
  bundle.weight_column = "count";
  bundle.loss = {.kind = LossKind::kSoftmaxCrossEntropy,
                 .label_smoothing = 0.125,
                 .class_weights = {1, 0.5f, 2}};
  bundle.weights = {{.in = 2,
                     .out = 3,
                     .activation = Activation::kElu,
                     .weights = {0.5f, -1, 2, 0.125f, 3, -0.75f},
                     .alpha = 0.5f,
                     .normalization = Normalization::kBatch,
                     .gains = {1, 2, -1},
                     .shifts = {0, 0.5f, -0.25f},
                     .running_means = {0.25f, -1, 3},
                     .running_variances = {1, 0.0625f, 4}},
                    {.in = 3,
                     .out = 3,
                     .activation = Activation::kGelu,
                     .weights = {1, 0, -1, 2, 0.5f, 0, 0.25f, -2, 1},
                     .biases = {0.5f, 0, -0.5f},
                     .normalization = Normalization::kLayer,
                     .gains = {1, 0.5f, 2},
                     .shifts = {0.125f, 0, -1},
                     .residual = true},
                    {.in = 3,
                     .out = 3,
                     .activation = Activation::kIdentity,
                     .weights = {1, -0.5f, 0.25f, 2, 1, 0, -1, 0.5f, 3}}};
  return bundle;
}

// The model in tests/golden/bundle_v3.bin: everything that version 3 can say beyond version 2, in
// exact numbers. 10 features: size and whether it is missing, city (2, other, missing), code, word
// (2 buckets, missing).
inline Bundle ColumnsBundle() {
  Bundle bundle;
  bundle.task = Task::kRegression;
  bundle.loss = {.kind = LossKind::kHuber, .delta = 2.5, .target_offset = -3, .target_scale = 0.25};
  bundle.target_column = "price";
  bundle.feature_columns = {"size", "city", "code", "word"};
  bundle.preprocessor =
      Preprocessor({{.offset = 1.5, .scale = 0.25, .fill = 2, .missing_indicator = true},
                    {.encoding = Encoding::kOneHot,
                     .missing_indicator = true,
                     .categories = {"Oslo", "Zürich"},
                     .other_bucket = true,
                     .unseen = UnseenCategory::kOther},
                    {.encoding = Encoding::kOrdinal,
                     .offset = 0.5,
                     .scale = 2,
                     .categories = {"-1.5", "3", "20"},
                     .numeric_categories = true,
                     .unseen = UnseenCategory::kRefuse},
                    {.encoding = Encoding::kHashing, .missing_indicator = true, .buckets = 2}},
                   {"?", "n/a"});
  bundle.weights = {
      {10, 1, Activation::kIdentity, {1, 2, -4, 0.5f, 3, -2, 0.25f, 8, -8, 0.125f}, {0.0625f}}};
  bundle.provenance = {{"dataset_digest", "sha256:ab"}, {"seed", "7"}};
  return bundle;
}

}  // namespace trainyard

#endif  // TRAINYARD_TESTS_SUPPORT_DATA_BUILDERS_H_
