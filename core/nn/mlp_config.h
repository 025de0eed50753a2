// What a network looks like (MlpConfig) and what it is worth (MlpWeights): plain values, of which
// Mlp is made, bundles are written and models exported.
//
//   const MlpConfig config{.features = 30, .layers = {{.units = 64}}, .outputs = 1};
//   MlpWeights weights = ZeroWeights(config);      // weights[0].weights is [30, 64]
//
// Thread-safety: values and pure functions.
#ifndef TRAINYARD_CORE_NN_MLP_CONFIG_H_
#define TRAINYARD_CORE_NN_MLP_CONFIG_H_

#include <cstdint>
#include <optional>
#include <vector>

#include "absl/status/status.h"
#include "core/base/state_archive.h"
#include "core/tensor/activation.h"
#include "core/tensor/kernels.h"

namespace trainyard {

// Numbers equal trainyard.v1.Init.
enum class InitKind : uint8_t {
  kUnspecified = 0,
  kHeNormal = 1,
  kHeUniform = 2,
  kXavierNormal = 3,
  kXavierUniform = 4,
  kZeros = 5,
  kNormal = 6,
  kUniform = 7,
  kLecunNormal = 8,
  kLecunUniform = 9,
  kOrthogonal = 10,
};

// Numbers equal trainyard.v1.Normalization and are persisted in bundles: do not change existing
// values.
enum class Normalization : uint8_t { kUnspecified = 0, kNone = 1, kBatch = 2, kLayer = 3 };

struct InitConfig {
  InitKind kind = InitKind::kUnspecified;
  // Factor on deviation or bound, or on kOrthogonal's unit vectors; default 1; not for kZeros,
  // kNormal and kUniform.
  std::optional<double> gain;
  std::optional<double> scale;  // kNormal: deviation, kUniform: bound; default 0.01
};

// One hidden layer.
struct LayerConfig {
  int64_t units = 0;
  Activation activation = Activation::kRelu;
  std::optional<double> alpha;  // where HasAlpha; default DefaultAlpha
  bool bias = true;
  Normalization normalization = Normalization::kNone;
  double dropout = 0;     // ratio of outputs zeroed in training, [0, 1)
  bool residual = false;  // adds the layer's input; its width must be `units`
};

// Whether the layer has gains and shifts.
bool Normalizes(const LayerConfig& layer);

// The alpha that its activation is computed with; 0 where it has none.
float AlphaOf(const LayerConfig& layer);

struct MlpConfig {
  int64_t features = 0;
  std::vector<LayerConfig> layers;  // hidden
  int64_t outputs = 0;
  InitConfig init;
  double input_dropout = 0;  // ratio of features zeroed in training, [0, 1)
  bool output_bias = true;
  Precision precision = Precision::kFp32;
};

// Layer `number`, 0-based, and how many inputs it has. The output layer is the last; it is
// described as a hidden one with the identity.
LayerConfig LayerOf(const MlpConfig& config, int64_t number);
int64_t InputsOf(const MlpConfig& config, int64_t number);

// Number of parameters: weights, biases, gains and shifts. REQUIRES: sizes within limits.h (the
// result then fits).
int64_t ParameterCount(const MlpConfig& config);

// Floating-point operations of the matrix products of one row, a multiplication and an addition
// counted as two: forward alone, or forward and backward.
int64_t ForwardFlopsPerRow(const MlpConfig& config);
int64_t TrainFlopsPerRow(const MlpConfig& config);

// One layer as prediction needs it: what a bundle stores. Dropout leaves no trace.
struct LayerWeights {
  int64_t in = 0;
  int64_t out = 0;
  Activation activation = Activation::kIdentity;  // kIdentity for the output layer
  std::vector<float> weights;                     // [in, out], row-major: y = x·weights + biases
  std::vector<float> biases;                      // [out], or empty: no bias
  float alpha = 0;                                // of the activation, where HasAlpha
  Normalization normalization = Normalization::kNone;
  std::vector<float> gains, shifts;                     // [out] unless kNone
  std::vector<float> running_means, running_variances;  // [out] for kBatch
  bool residual = false;
};
using MlpWeights = std::vector<LayerWeights>;  // input to output, output layer included

// Layers of the right shapes; all zero, but gains and running variances one.
MlpWeights ZeroWeights(const MlpConfig& config);

// The shape of the network that `weights` belong to; init is unspecified and nothing drops out.
// REQUIRES: at least one layer.
MlpConfig ConfigOf(const MlpWeights& weights);

// INVALID_ARGUMENT that names the first layer of `actual` that is not shaped as `expected` says
// (sizes, biases, activation and its alpha, normalisation, residual), else OK.
absl::Status CheckShapes(const MlpConfig& expected, const MlpWeights& actual);

// What is loaded has the shapes that it says.
void TransferState(MlpWeights* weights, StateArchive* archive);

}  // namespace trainyard

#endif  // TRAINYARD_CORE_NN_MLP_CONFIG_H_
