// Muon moves the weight matrices of hidden layers by their momentum made nearly orthogonal (Jordan
// et al. 2024): θ -= α·√max(1, out/in)·NS(g + μv), where NS brings all singular values near 1 by
// five steps of a quintic Newton-Schulz iteration. Internal to optim.
//
// Thread-safety: none. Memory: for the largest matrix, of s its shorter and l its longer side,
// 3·s·l + 2·s² floats.
#ifndef TRAINYARD_CORE_OPTIM_MUON_H_
#define TRAINYARD_CORE_OPTIM_MUON_H_

#include <cstdint>
#include <memory>
#include <vector>

#include "core/nn/parameters.h"
#include "core/optim/update_rules.h"
#include "core/tensor/kernels.h"
#include "core/tensor/matrix.h"

namespace trainyard {

class Muon {
 public:
  // REQUIRES: `config` came out of WithDefaults with kMuon. Out of memory is std::bad_alloc.
  Muon(const OptimizerConfig& config, const ParameterTensors& tensors);

  // Where its part of the arenas ends: hidden weights come first.
  int64_t end() const { return end_; }

  // Moves the parameters in [0, end()). The factors' scale, l1 and shrink hold. momentum: [end()].
  void Step(double learning_rate, const UpdateFactors& factors, const float* gradients,
            float* parameters, float* momentum);

 private:
  // One hidden layer's matrix; rows ≤ cols after it is laid on its side.
  struct Side {
    int64_t begin = 0;
    int64_t in = 0;
    int64_t out = 0;
    int64_t rows = 0;
    int64_t cols = 0;
    std::unique_ptr<LinearKernel> gram;    // [rows, cols]·[cols, rows]
    std::unique_ptr<LinearKernel> square;  // [rows, rows]²
    std::unique_ptr<LinearKernel> mix;     // [rows, rows]·[rows, cols]
  };

  void Orthogonalize(const Side& side);

  // Constant after construction.
  const float momentum_;
  const bool nesterov_;
  int64_t end_ = 0;
  std::vector<Side> sides_;

  AlignedFloats x_, transposed_, product_;  // [rows, cols]
  AlignedFloats gram_, square_;             // [rows, rows]
};

}  // namespace trainyard

#endif  // TRAINYARD_CORE_OPTIM_MUON_H_
