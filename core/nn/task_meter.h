// What EvalMeter measures beyond the loss, one meter for each family of tasks. Only meter.cc uses
// it.
//
// Thread-safety: none.
#ifndef TRAINYARD_CORE_NN_TASK_METER_H_
#define TRAINYARD_CORE_NN_TASK_METER_H_

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/nn/loss.h"

namespace trainyard {

using MetricValues = std::vector<std::pair<std::string, double>>;

// What costs time or memory and is measured only when asked for.
struct MeterExtras {
  bool probabilities = false;  // log_loss, brier
  bool ranking = false;        // roc_auc, pr_auc
  bool top = false;            // top_2_accuracy and its like
};

// The k of "top_k_accuracy". Of no more classes than k it would be 1, and is no metric.
inline constexpr int64_t kTopCounts[] = {2, 3, 5};

class TaskMeter {
 public:
  virtual ~TaskMeter() = default;
  virtual void Add(const float* logits, const LossTargets& targets, int64_t rows) = 0;
  // In the order of MetricNames. REQUIRES: rows with a weight above 0 were added.
  virtual MetricValues Values() const = 0;
  // [actual, predicted], sums of row weights; empty where there is none.
  virtual std::vector<double> Confusion() const { return {}; }
};

// kBinary and kMulticlass.
std::unique_ptr<TaskMeter> MakeClassMeter(int64_t outputs, const MeterExtras& extras);
// kMultilabel.
std::unique_ptr<TaskMeter> MakeLabelMeter(int64_t outputs, const MeterExtras& extras);
// kRegression.
std::unique_ptr<TaskMeter> MakeErrorMeter(const LossConfig& loss);

}  // namespace trainyard

#endif  // TRAINYARD_CORE_NN_TASK_METER_H_
