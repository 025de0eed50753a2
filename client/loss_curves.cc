#include "client/loss_curves.h"

#include <cstdint>
#include <limits>
#include <utility>

#include "absl/strings/string_view.h"

namespace trainyard {
namespace {

constexpr int kTrainColor = 39;        // blue
constexpr int kValidationColor = 214;  // orange, for people who see few colours too
constexpr size_t kTrainEpochsMin = 2;  // one point is no curve

// A curve in the making.
class Line {
 public:
  explicit Line(Curve curve) : curve_(std::move(curve)) {}

  void Add(int64_t steps_done, double loss, int32_t run) {
    const bool is_gap = !curve_.x.empty() && run != run_;
    if (is_gap) AddPoint(steps_done, std::numeric_limits<double>::quiet_NaN());
    run_ = run;
    AddPoint(steps_done, loss);
  }

  size_t size() const { return curve_.x.size(); }
  Curve Take() { return std::move(curve_); }

 private:
  void AddPoint(int64_t steps_done, double loss) {
    curve_.x.push_back(static_cast<double>(steps_done));
    curve_.y.push_back(loss);
  }

  Curve curve_;
  int32_t run_ = 0;  // of the newest point
};

void AddLoss(const google::protobuf::RepeatedPtrField<v1::Metric>& metrics, int64_t steps_done,
             int32_t run, Line* line) {
  for (const v1::Metric& metric : metrics) {
    if (metric.name() == "loss") line->Add(steps_done, metric.value(), run);
  }
}

}  // namespace

std::vector<Curve> LossCurves(const std::vector<v1::JobEvent>& history) {
  Line batch({.name = "batch", .color = kTrainColor});
  Line train({.name = "train", .color = kTrainColor});
  Line validation({.name = "validation", .dotted = true, .color = kValidationColor});
  for (const v1::JobEvent& event : history) {
    if (event.has_step()) {
      batch.Add(event.step().step() + 1, event.step().loss(), event.step().run());
    } else if (event.has_epoch()) {
      const v1::EpochMetrics& epoch = event.epoch();
      train.Add(epoch.steps_done(), epoch.train_loss(), epoch.run());
      AddLoss(epoch.validation(), epoch.steps_done(), epoch.run(), &validation);
    } else if (event.has_evaluation()) {
      const v1::EvaluationMetrics& evaluation = event.evaluation();
      AddLoss(evaluation.validation(), evaluation.steps_done(), evaluation.run(), &validation);
    }
  }
  const bool of_batches = train.size() < kTrainEpochsMin && batch.size() > train.size();
  std::vector<Curve> curves;
  for (Line* const line : {of_batches ? &batch : &train, &validation}) {
    if (line->size() > 0) curves.push_back(line->Take());
  }
  return curves;
}

}  // namespace trainyard
