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
#include "core/base/state_archive.h"
#include "core/base/task.h"
#include "core/nn/loss.h"

namespace trainyard {

// What a pass in evaluation mode measured.
struct EvalResult {
  // 0: there was nothing to measure (no rows, or each of weight 0), metrics is empty.
  int64_t rows = 0;
  // "loss" first, then in the order of MetricNames.
  std::vector<std::pair<std::string, double>> metrics;
  // Classification with at most kConfusionClassesMax classes: [actual, predicted], sums of row
  // weights. Else empty.
  std::vector<double> confusion;

  // NaN when `name` was not measured.
  double Find(absl::string_view name) const;

  void TransferState(StateArchive* archive);
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
// loss only). A ratio of nothing is 0. Where there is a choice:
// - precision, recall, f1: of two classes the second one's; of more the mean over the classes that
//   are actual or predicted somewhere; of labels the mean over all. f1_micro of classes is
//   accuracy.
// - roc_auc, pr_auc (average precision): of more than two classes each against the rest, of labels
//   each by itself, then the mean over those that have both kinds of rows. Scores are ranked as
//   float32 (log-odds, so that confident ones stay apart): closer ones are ties. They keep 8 bytes
//   a row and output until Result, at most kScoresKeptMax of them (ranking.h); of more rows every
//   second, fourth, … is ranked.
// - log_loss in nats from the logits, not clipped. brier: (p - y)², summed over more than two
//   classes, the mean over labels.
// - top_2_accuracy, top_3_accuracy, top_5_accuracy, each of more classes than that: of equal logits
// the first class comes first, as in PredictedClass.
// - rmse, mae, r2, mape are of ValueOf(logit), whatever the loss, and in the unit of y. A target of
// 0 is no row of mape; nor is one that float32 does not tell from 0 once it is scaled.
// A metric that is not defined is left out: roc_auc and pr_auc where no class has both kinds of
// rows, mape where every target is 0; so is one that is not finite, but for the loss. r2 of targets
// that are all equal is 1 when they are all met and 0 otherwise. Logits may be NaN.
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
