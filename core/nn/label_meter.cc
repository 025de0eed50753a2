// MakeLabelMeter: metrics of labels that exclude nothing.
#include <cmath>
#include <limits>
#include <optional>

#include "core/nn/ranking.h"
#include "core/nn/task_meter.h"

namespace trainyard {
namespace {

double Ratio(double part, double whole) { return whole > 0 ? part / whole : 0; }

class LabelMeter final : public TaskMeter {
 public:
  LabelMeter(int64_t outputs, const MeterExtras& extras)
      : outputs_(outputs),
        extras_(extras),
        actual_(static_cast<size_t>(outputs)),
        predicted_(actual_.size()),
        correct_(actual_.size()),
        probabilities_(actual_.size()),
        scores_(outputs) {}

  void Add(const float* logits, const LossTargets& targets, int64_t rows) override;
  MetricValues Values() const override;

 private:
  void AddChoices(const float* logits, const float* labels, double weight);
  void AddBrier(const float* logits, const float* labels, double weight);
  void AddScores(const float* logits, const float* labels, float weight);

  // Constant after construction.
  const int64_t outputs_;
  const MeterExtras extras_;

  // Sums of row weights.
  double weight_ = 0;
  double right_labels_ = 0;  // of each label that is predicted as it is
  double exact_rows_ = 0;
  double log_loss_sum_ = 0;
  double brier_sum_ = 0;
  std::vector<double> actual_, predicted_, correct_;  // [labels]; correct: present and predicted
  std::vector<double> probabilities_;                 // [labels] of one row
  ScoreSample scores_;
};

void LabelMeter::Add(const float* logits, const LossTargets& targets, int64_t rows) {
  for (int64_t r = 0; r < rows; ++r) {
    const float weight = targets.weights == nullptr ? 1 : targets.weights[r];
    if (weight == 0) continue;
    const float* const z = logits + r * outputs_;
    const float* const labels = targets.values + r * outputs_;
    AddChoices(z, labels, weight);
    if (extras_.probabilities) AddBrier(z, labels, weight);
    if (extras_.ranking) AddScores(z, labels, weight);
  }
  if (!extras_.probabilities) return;
  log_loss_sum_ +=
      LossSum({.kind = LossKind::kBinaryCrossEntropy}, logits, targets, rows, outputs_);
}

void LabelMeter::AddChoices(const float* logits, const float* labels, double weight) {
  int64_t right = 0;
  for (int64_t j = 0; j < outputs_; ++j) {
    const bool present = labels[j] > 0.5f;
    const bool predicted = logits[j] > 0;
    if (present) actual_[j] += weight;
    if (predicted) predicted_[j] += weight;
    if (present && predicted) correct_[j] += weight;
    if (present == predicted) ++right;
  }
  weight_ += weight;
  right_labels_ += weight * static_cast<double>(right);
  if (right == outputs_) exact_rows_ += weight;
}

void LabelMeter::AddBrier(const float* logits, const float* labels, double weight) {
  LabelProbabilities(logits, outputs_, probabilities_.data());
  double sum = 0;
  for (int64_t j = 0; j < outputs_; ++j) {
    const double error = probabilities_[j] - labels[j];
    sum += error * error;
  }
  brier_sum_ += weight * sum / static_cast<double>(outputs_);
}

void LabelMeter::AddScores(const float* logits, const float* labels, float weight) {
  ScoredRow* const scores = scores_.NextRow();
  if (scores == nullptr) return;
  for (int64_t j = 0; j < outputs_; ++j) {
    scores[j] = {RankableScore(logits[j]), labels[j] > 0.5f ? weight : -weight};
  }
}

MetricValues LabelMeter::Values() const {
  const auto labels = static_cast<double>(outputs_);
  double precision_sum = 0, recall_sum = 0, f1_sum = 0;
  double correct = 0, actual = 0, predicted = 0;
  for (int64_t j = 0; j < outputs_; ++j) {
    precision_sum += Ratio(correct_[j], predicted_[j]);
    recall_sum += Ratio(correct_[j], actual_[j]);
    f1_sum += Ratio(2 * correct_[j], actual_[j] + predicted_[j]);
    correct += correct_[j];
    actual += actual_[j];
    predicted += predicted_[j];
  }
  MetricValues values = {{"accuracy", right_labels_ / (weight_ * labels)},
                         {"exact_match", exact_rows_ / weight_},
                         {"precision", precision_sum / labels},
                         {"recall", recall_sum / labels},
                         {"f1", f1_sum / labels},
                         {"precision_micro", Ratio(correct, predicted)},
                         {"recall_micro", Ratio(correct, actual)},
                         {"f1_micro", Ratio(2 * correct, actual + predicted)}};
  const std::optional<RankingAreas> areas = scores_.MacroAreas();
  if (areas.has_value()) {
    values.emplace_back("roc_auc", areas->roc_auc);
    values.emplace_back("pr_auc", areas->pr_auc);
  }
  if (extras_.probabilities) {
    values.emplace_back("log_loss", log_loss_sum_ / weight_);
    values.emplace_back("brier", brier_sum_ / weight_);
  }
  return values;
}

}  // namespace

std::unique_ptr<TaskMeter> MakeLabelMeter(int64_t outputs, const MeterExtras& extras) {
  return std::make_unique<LabelMeter>(outputs, extras);
}

}  // namespace trainyard
