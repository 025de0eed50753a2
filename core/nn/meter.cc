#include "core/nn/meter.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "core/base/check.h"
#include "core/nn/task_meter.h"

namespace trainyard {
namespace {

constexpr size_t kMetricNameBytesMax = 100;

bool Contains(const std::vector<std::string>& names, absl::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

// What the meter is to tell, "loss" included.
std::vector<std::string> WantedNames(const MeterConfig& config) {
  if (config.all) return MetricNames(config.task, config.outputs);
  std::vector<std::string> names = UsualMetricNames(config.task);
  names.insert(names.end(), config.metrics.begin(), config.metrics.end());
  return names;
}

std::unique_ptr<TaskMeter> MakeTaskMeter(const MeterConfig& config,
                                         const std::vector<std::string>& wanted) {
  const MeterExtras extras{
      .probabilities = Contains(wanted, "log_loss") || Contains(wanted, "brier"),
      .ranking = Contains(wanted, "roc_auc") || Contains(wanted, "pr_auc"),
      .top = std::any_of(wanted.begin(), wanted.end(),
                         [](const std::string& name) { return absl::StartsWith(name, "top_"); })};
  if (config.task == Task::kRegression) return MakeErrorMeter(config.loss);
  if (config.task == Task::kMultilabel) return MakeLabelMeter(config.outputs, extras);
  return MakeClassMeter(config.outputs, extras);
}

}  // namespace

double EvalResult::Find(absl::string_view name) const {
  for (const auto& [metric, value] : metrics) {
    if (metric == name) return value;
  }
  return std::numeric_limits<double>::quiet_NaN();
}

void EvalResult::TransferState(StateArchive* archive) {
  // A metric takes the size of its name and its value.
  constexpr size_t kMetricBytes = sizeof(uint32_t) + sizeof(double);
  archive->Value(&rows);
  archive->Resize(&metrics, kMetricBytes);
  for (auto& [name, value] : metrics) {
    archive->Text(&name, kMetricNameBytesMax);
    archive->Value(&value);
  }
  archive->Values(&confusion);
}

std::vector<std::string> UsualMetricNames(Task task) {
  if (task == Task::kRegression) return {"loss", "rmse", "mae", "r2"};
  return {"loss", "accuracy"};
}

std::vector<std::string> MetricNames(Task task, int64_t outputs) {
  if (task == Task::kRegression) return {"loss", "rmse", "mae", "r2", "mape"};
  if (task == Task::kMultilabel) {
    return {"loss",   "accuracy",        "exact_match",  "precision", "recall",
            "f1",     "precision_micro", "recall_micro", "f1_micro",  "roc_auc",
            "pr_auc", "log_loss",        "brier"};
  }
  std::vector<std::string> names = {
      "loss",    "accuracy", "balanced_accuracy", "precision", "recall", "f1", "f1_micro",
      "roc_auc", "pr_auc",   "log_loss",          "brier"};
  for (const int64_t k : kTopCounts) {
    if (outputs > k) names.push_back(absl::StrCat("top_", k, "_accuracy"));
  }
  return names;
}

bool HigherIsBetter(absl::string_view metric) {
  for (const absl::string_view lower : {"loss", "log_loss", "brier", "rmse", "mae", "mape"}) {
    if (metric == lower) return false;
  }
  return true;
}

class EvalMeter::Impl {
 public:
  explicit Impl(const MeterConfig& config)
      : loss_(config.loss),
        outputs_(config.outputs),
        wanted_(WantedNames(config)),
        task_meter_(MakeTaskMeter(config, wanted_)) {
    TY_CHECK(LossFits(config.loss.kind, config.task));
  }

  void Add(const float* logits, const LossTargets& targets, int64_t rows);
  EvalResult Result() const;

 private:
  // Constant after construction.
  const LossConfig loss_;
  const int64_t outputs_;
  const std::vector<std::string> wanted_;

  const std::unique_ptr<TaskMeter> task_meter_;
  int64_t rows_ = 0;
  double row_weight_ = 0;
  double loss_weight_ = 0;  // row_weight_ with the class weights in it
  double loss_sum_ = 0;
};

void EvalMeter::Impl::Add(const float* logits, const LossTargets& targets, int64_t rows) {
  rows_ += rows;
  row_weight_ += BatchWeight({.kind = loss_.kind}, targets, rows, outputs_);
  loss_weight_ += BatchWeight(loss_, targets, rows, outputs_);
  loss_sum_ += LossSum(loss_, logits, targets, rows, outputs_);
  task_meter_->Add(logits, targets, rows);
}

EvalResult EvalMeter::Impl::Result() const {
  EvalResult result;
  if (row_weight_ == 0) return result;
  result.rows = rows_;
  result.metrics.emplace_back("loss", loss_weight_ > 0 ? loss_sum_ / loss_weight_ : 0);
  for (auto& [name, value] : task_meter_->Values()) {
    if (Contains(wanted_, name) && std::isfinite(value)) result.metrics.emplace_back(name, value);
  }
  result.confusion = task_meter_->Confusion();
  return result;
}

EvalMeter::EvalMeter(const MeterConfig& config) : impl_(std::make_unique<Impl>(config)) {}
EvalMeter::~EvalMeter() = default;
void EvalMeter::Add(const float* logits, const LossTargets& targets, int64_t rows) {
  impl_->Add(logits, targets, rows);
}
EvalResult EvalMeter::Result() const { return impl_->Result(); }

}  // namespace trainyard
