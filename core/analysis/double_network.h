// DoubleNetwork is the model family of nn/mlp.h once more, from the formulas, in double precision,
// with plain loops and without any arithmetic of the engine: the oracle that backpropagation is
// checked against. Slow.
//
//   DoubleNetwork network(weights);
//   network.tensor(0, TensorKind::kWeights)[3] += h;
//   const std::vector<double> logits = network.Forward(x, rows, DoubleNetwork::Mode::kTraining);
//   const double loss = DoubleLoss(config, logits, targets, rows, outputs);
//
// Thread-safety: a value; const methods may run concurrently.
#ifndef TRAINYARD_CORE_ANALYSIS_DOUBLE_NETWORK_H_
#define TRAINYARD_CORE_ANALYSIS_DOUBLE_NETWORK_H_

#include <cstdint>
#include <vector>

#include "core/nn/loss.h"
#include "core/nn/mlp.h"

namespace trainyard {

class DoubleNetwork {
 public:
  // How batch normalisation takes mean and variance: of the batch, or the running ones.
  enum class Mode { kTraining, kEvaluation };

  explicit DoubleNetwork(const MlpWeights& weights);

  // One tensor's parameters, row-major, to be changed at will. REQUIRES: the layer has it.
  std::vector<double>& tensor(int64_t layer, TensorKind kind);

  // x: [rows, features]. Returns logits [rows, outputs]. No dropout.
  std::vector<double> Forward(const float* x, int64_t rows, Mode mode) const;

 private:
  struct Layer {
    int64_t in = 0;
    int64_t out = 0;
    Activation activation = Activation::kIdentity;
    double alpha = 0;
    Normalization normalization = Normalization::kNone;
    bool residual = false;
    std::vector<double> weights, biases, gains, shifts, running_means, running_variances;
  };

  static void Affine(const Layer& layer, const std::vector<double>& x, int64_t rows,
                     std::vector<double>* z);
  static void Normalize(const Layer& layer, int64_t rows, Mode mode, std::vector<double>* z);
  static void NormalizeRows(const Layer& layer, int64_t rows, std::vector<double>* z);
  static void NormalizeColumns(const Layer& layer, int64_t rows, Mode mode, std::vector<double>* z);

  std::vector<Layer> layers_;
};

// Σ w_i L_i / Σ w_i by the formulas of trainyard.v1.Loss, in double; of a scaled target in the unit
// of y, as loss.h. logits: [rows, outputs].
double DoubleLoss(const LossConfig& loss, const std::vector<double>& logits,
                  const LossTargets& targets, int64_t rows, int64_t outputs);

}  // namespace trainyard

#endif  // TRAINYARD_CORE_ANALYSIS_DOUBLE_NETWORK_H_
