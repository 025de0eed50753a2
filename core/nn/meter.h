// Meters: what is measured of a model's outputs. Trainer's evaluation and Predictor::Evaluate use
// the same code. It knows nothing of networks: it is fed logits and targets, batch by batch.
//
//   EvalMeter meter({.loss = loss, .task = Task::kBinary, .outputs = 1, .all = true});
//   meter.Add(logits, targets, rows);   // any number of times
//   EvalResult result = meter.Result();
//
// Thread-safety: none; a value.
#ifndef TRAINYARD_CORE_NN_METER_H_
#define TRAINYARD_CORE_NN_METER_H_

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"
#include "core/base/task.h"
#include "core/nn/loss.h"

namespace trainyard {

// What a pass in evaluation mode measured.
struct EvalResult {
  int64_t rows = 0;  // 0: there was nothing to measure, metrics is empty
  // "loss" first, then in the order of MetricNames.
  std::vector<std::pair<std::string, double>> metrics;
  // Classification with at most kConfusionClassesMax classes: [actual, predicted], sums of row
  // weights. Else empty.
  std::vector<double> confusion;

  // NaN when `name` was not measured.
  double Find(absl::string_view name) const;
};

inline constexpr int64_t kConfusionClassesMax = 100;

// Names of the metrics of a task, "loss" first; trainyard.v1.Metric says what each is.
std::vector<std::string> MetricNames(Task task, int64_t outputs);
// Those that are measured unless more is asked for: "loss", "accuracy" | "rmse", "mae", "r2".
std::vector<std::string> UsualMetricNames(Task task);
// Whether more of it is better (accuracy, not loss).
bool HigherIsBetter(absl::string_view metric);

struct MeterConfig {
  LossConfig loss;
  Task task = Task::kUnspecified;
  int64_t outputs = 1;
  std::vector<std::string> metrics;  // beyond the usual ones
  bool all = false;                  // every metric of the task
};

// Metrics as scikit-learn defines them, rows counting by their weight (class weights count in the
// loss only). roc_auc and pr_auc keep every score until Result: 8 bytes a row and output. A metric
// that is not defined is left out: roc_auc and pr_auc where no class has both kinds of rows, mape
// where every target is 0. r2 of targets that are all equal is 1 when they are all met and 0
// otherwise.
class EvalMeter {
 public:
  // REQUIRES: loss and task are set and fit each other.
  explicit EvalMeter(const MeterConfig& config);
  ~EvalMeter();
  EvalMeter(const EvalMeter&) = delete;
  EvalMeter& operator=(const EvalMeter&) = delete;

  // logits: [rows, outputs].
  void Add(const float* logits, const LossTargets& targets, int64_t rows);

  EvalResult Result() const;

 private:
  class Impl;
  const std::unique_ptr<Impl> impl_;
};

}  // namespace trainyard

#endif  // TRAINYARD_CORE_NN_METER_H_
