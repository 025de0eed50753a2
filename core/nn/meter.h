// Meters: what is measured of a model's outputs. Trainer's evaluation and Predictor::Evaluate use
// the same code. It knows nothing of networks: it is fed logits and targets, batch by batch.
//
//   EvalMeter meter(LossKind::kBinaryCrossEntropy, /*outputs=*/1);
//   meter.Add(logits, targets, rows);   // any number of times
//   EvalResult result = meter.Result();
//
// Thread-safety: none; a value.
#ifndef TRAINYARD_CORE_NN_METER_H_
#define TRAINYARD_CORE_NN_METER_H_

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "core/nn/loss.h"

namespace trainyard {

// What a pass in evaluation mode measured.
struct EvalResult {
  int64_t rows = 0;  // 0: there was nothing to measure, metrics is empty
  // "loss" first, then "accuracy" (classification) or "rmse", "mae", "r2" (regression).
  std::vector<std::pair<std::string, double>> metrics;
};

// Metrics: loss, the mean over rows; accuracy, ratio of rows whose most probable class is theirs;
// rmse and mae, in the target's unit; r2 = 1 - Σ(y - f)² / Σ(y - ȳ)². For targets that are all
// equal r2 is 1 when they are all met and 0 otherwise, as scikit-learn has it.
class EvalMeter {
 public:
  // REQUIRES: kind is not kUnspecified.
  EvalMeter(LossKind kind, int64_t outputs);

  // logits: [rows, outputs].
  void Add(const float* logits, const LossTargets& targets, int64_t rows);

  EvalResult Result() const;

 private:
  void AddClasses(const float* logits, const LossTargets& targets, int64_t rows);
  void AddErrors(const float* values, const float* targets, int64_t rows);
  double RSquared() const;

  const LossKind kind_;
  const int64_t outputs_;
  int64_t rows_ = 0;
  double loss_sum_ = 0;
  int64_t correct_count_ = 0;
  double absolute_sum_ = 0;
  double target_mean_ = 0;
  double target_square_sum_ = 0;  // of the distances from target_mean_
};

}  // namespace trainyard

#endif  // TRAINYARD_CORE_NN_METER_H_
