// UnitWatch sees which units of a layer do nothing: those that are the same for every row (dead
// ReLUs, for example), and activations that stand at a bound.
//
//   UnitWatch watch(units, activation, residual);
//   watch.Add(inputs, outputs, rows);       // as often as there are batches
//   watch.dead_unit_fraction();
//
// Thread-safety: none; a value. Memory: a few numbers per unit, and a copy of a batch's outputs for
// a residual layer.
#ifndef TRAINYARD_CORE_NN_UNIT_WATCH_H_
#define TRAINYARD_CORE_NN_UNIT_WATCH_H_

#include <cstdint>
#include <utility>
#include <vector>

#include "core/tensor/activation.h"

namespace trainyard {

class UnitWatch {
 public:
  // `residual`: what the layer adds to its input is looked at, not the sum.
  UnitWatch(int64_t units, Activation activation, bool residual);

  // inputs: [rows, units] of a residual layer, else not looked at; outputs: [rows, units].
  void Add(const float* inputs, const float* outputs, int64_t rows);

  // Ratio of units that are the same for every row; 0 for a single row, which tells nothing.
  double dead_unit_fraction() const;
  // Ratio of activations within 1 % of a bound of the activation; 0 for one without bounds on both
  // sides.
  double saturated_fraction() const;

 private:
  const float* Unadded(const float* inputs, const float* outputs, int64_t rows);
  void LookForChanges(const float* activations, int64_t rows);
  void CountSaturated(const float* activations, int64_t rows);

  int64_t units_;
  bool residual_;
  std::pair<float, float> inside_;  // what lies outside is saturated; equal: nothing is
  std::vector<float> added_;        // scratch
  std::vector<float> first_;        // [units] activations of the first row
  std::vector<char> changes_;       // [units] whether another row's differ
  int64_t saturated_ = 0;
  int64_t rows_ = 0;
};

}  // namespace trainyard

#endif  // TRAINYARD_CORE_NN_UNIT_WATCH_H_
