// MakeClassMeter: metrics of a choice between classes.
#include <algorithm>
#include <cmath>
#include <iterator>
#include <limits>
#include <optional>

#include "absl/strings/str_cat.h"
#include "core/nn/meter.h"
#include "core/nn/ranking.h"
#include "core/nn/task_meter.h"

namespace trainyard {
namespace {

double Ratio(double part, double whole) { return whole > 0 ? part / whole : 0; }

// log(p / (1 - p)) of each class, which ranks as p does and does not round to 1.
void LogOdds(const float* logits, int64_t outputs, const double* probabilities, double* odds) {
  const int32_t first = PredictedClass(logits, outputs);
  for (int64_t c = 0; c < outputs; ++c) {
    odds[c] = std::log(probabilities[c]) - std::log1p(-probabilities[c]);
  }
  // 1 - p cancels where p is near 1, which only the largest is: its rest is summed.
  double second = -std::numeric_limits<double>::infinity();
  for (int64_t c = 0; c < outputs; ++c) {
    if (c != first) second = std::max<double>(second, logits[c]);
  }
  double rest = 0;
  for (int64_t c = 0; c < outputs; ++c) {
    if (c != first) rest += std::exp(logits[c] - second);
  }
  odds[first] = logits[first] - second - std::log(rest);
}

class ClassMeter final : public TaskMeter {
 public:
  ClassMeter(int64_t outputs, const MeterExtras& extras)
      : outputs_(outputs),
        classes_(outputs == 1 ? 2 : outputs),
        extras_(extras),
        actual_(static_cast<size_t>(classes_)),
        predicted_(actual_.size()),
        correct_(actual_.size()),
        confusion_(classes_ > kConfusionClassesMax ? 0 : classes_ * classes_),
        probabilities_(actual_.size()),
        odds_(actual_.size()),
        scores_(outputs) {}

  void Add(const float* logits, const LossTargets& targets, int64_t rows) override;
  MetricValues Values() const override;
  std::vector<double> Confusion() const override { return confusion_; }

 private:
  void AddChoice(int32_t actual, int32_t predicted, double weight);
  void AddBrier(int32_t actual, double weight);
  void AddScores(const float* logits, int32_t actual, float weight);
  void AddTop(const float* logits, int32_t actual, double weight);
  void AppendPrecisionAndRecall(MetricValues* values) const;

  // Constant after construction.
  const int64_t outputs_;
  const int64_t classes_;
  const MeterExtras extras_;

  // Sums of row weights.
  double weight_ = 0;
  double near_top_[std::size(kTopCounts)] = {};
  double log_loss_sum_ = 0;
  double brier_sum_ = 0;
  std::vector<double> actual_, predicted_, correct_;  // [classes]
  std::vector<double> confusion_;                     // [actual, predicted]
  std::vector<double> probabilities_, odds_;          // [classes] of one row
  ScoreSample scores_;
};

void ClassMeter::Add(const float* logits, const LossTargets& targets, int64_t rows) {
  for (int64_t r = 0; r < rows; ++r) {
    const float weight = targets.weights == nullptr ? 1 : targets.weights[r];
    if (weight == 0) continue;
    const float* const z = logits + r * outputs_;
    const int32_t actual =
        targets.classes != nullptr ? targets.classes[r] : (targets.values[r] > 0.5f ? 1 : 0);
    AddChoice(actual, PredictedClass(z, outputs_), weight);
    if (extras_.top) AddTop(z, actual, weight);
    if (extras_.probabilities || extras_.ranking) {
      Probabilities(z, outputs_, probabilities_.data());
    }
    if (extras_.probabilities) AddBrier(actual, weight);
    if (extras_.ranking) AddScores(z, actual, weight);
  }
  if (!extras_.probabilities) return;
  const LossKind kind =
      outputs_ == 1 ? LossKind::kBinaryCrossEntropy : LossKind::kSoftmaxCrossEntropy;
  log_loss_sum_ += LossSum({.kind = kind}, logits, targets, rows, outputs_);
}

void ClassMeter::AddChoice(int32_t actual, int32_t predicted, double weight) {
  weight_ += weight;
  actual_[actual] += weight;
  predicted_[predicted] += weight;
  if (actual == predicted) correct_[actual] += weight;
  if (!confusion_.empty()) confusion_[actual * classes_ + predicted] += weight;
}

void ClassMeter::AddBrier(int32_t actual, double weight) {
  double sum = 0;
  for (int64_t c = 0; c < classes_; ++c) {
    const double error = probabilities_[c] - (c == actual ? 1 : 0);
    sum += error * error;
  }
  // Both errors of two classes are the same one.
  brier_sum_ += weight * (outputs_ == 1 ? sum / 2 : sum);
}

void ClassMeter::AddScores(const float* logits, int32_t actual, float weight) {
  ScoredRow* const scores = scores_.NextRow();
  if (scores == nullptr) return;
  if (outputs_ == 1) {
    scores[0] = {RankableScore(logits[0]), actual == 1 ? weight : -weight};
    return;
  }
  LogOdds(logits, outputs_, probabilities_.data(), odds_.data());
  for (int64_t c = 0; c < outputs_; ++c) {
    scores[c] = {RankableScore(odds_[c]), c == actual ? weight : -weight};
  }
}

// Of equal logits the first comes first.
void ClassMeter::AddTop(const float* logits, int32_t actual, double weight) {
  int64_t before = 0;
  for (int64_t c = 0; c < outputs_; ++c) {
    const bool ties_first = logits[c] == logits[actual] && c < actual;
    if (logits[c] > logits[actual] || ties_first) ++before;
  }
  for (size_t i = 0; i < std::size(kTopCounts); ++i) {
    if (before < kTopCounts[i]) near_top_[i] += weight;
  }
}

void ClassMeter::AppendPrecisionAndRecall(MetricValues* values) const {
  double precision = 0, recall = 0, f1 = 0;
  double counted = 0;
  for (int64_t c = outputs_ == 1 ? 1 : 0; c < classes_; ++c) {
    // Of many classes those that are in neither column say nothing; of two the second is meant.
    if (outputs_ > 1 && actual_[c] + predicted_[c] == 0) continue;
    precision += Ratio(correct_[c], predicted_[c]);
    recall += Ratio(correct_[c], actual_[c]);
    f1 += Ratio(2 * correct_[c], actual_[c] + predicted_[c]);
    ++counted;
  }
  values->emplace_back("precision", Ratio(precision, counted));
  values->emplace_back("recall", Ratio(recall, counted));
  values->emplace_back("f1", Ratio(f1, counted));
}

MetricValues ClassMeter::Values() const {
  double correct = 0, recall_sum = 0, classes_seen = 0;
  for (int64_t c = 0; c < classes_; ++c) {
    correct += correct_[c];
    if (actual_[c] == 0) continue;
    recall_sum += correct_[c] / actual_[c];
    ++classes_seen;
  }
  MetricValues values = {{"accuracy", correct / weight_},
                         {"balanced_accuracy", recall_sum / classes_seen}};
  AppendPrecisionAndRecall(&values);
  values.emplace_back("f1_micro", correct / weight_);
  const std::optional<RankingAreas> areas = scores_.MacroAreas();
  if (areas.has_value()) {
    values.emplace_back("roc_auc", areas->roc_auc);
    values.emplace_back("pr_auc", areas->pr_auc);
  }
  if (extras_.probabilities) {
    values.emplace_back("log_loss", log_loss_sum_ / weight_);
    values.emplace_back("brier", brier_sum_ / weight_);
  }
  for (size_t i = 0; extras_.top && i < std::size(kTopCounts); ++i) {
    if (classes_ <= kTopCounts[i]) break;
    values.emplace_back(absl::StrCat("top_", kTopCounts[i], "_accuracy"), near_top_[i] / weight_);
  }
  return values;
}

}  // namespace

std::unique_ptr<TaskMeter> MakeClassMeter(int64_t outputs, const MeterExtras& extras) {
  return std::make_unique<ClassMeter>(outputs, extras);
}

}  // namespace trainyard
