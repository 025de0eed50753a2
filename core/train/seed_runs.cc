#include "core/train/seed_runs.h"

#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/base/error_info.h"
#include "core/base/status_macros.h"
#include "core/train/early_stopping.h"

namespace trainyard {
namespace {

// What the runs before the present one did.
struct Done {
  int64_t steps = 0;
  int64_t epochs = 0;
  int64_t rows = 0;
};

// Numbers a run's records on from those of the runs before it.
class RunObserver : public TrainObserver {
 public:
  RunObserver(TrainObserver& observer, int64_t run, const Done& before)
      : observer_(observer), run_(run), before_(before), now_(before) {}

  void OnStep(const StepRecord& step) override {
    StepRecord numbered = step;
    numbered.step += before_.steps;
    numbered.epoch += before_.epochs;
    numbered.rows_seen += before_.rows;
    numbered.run = run_;
    observer_.OnStep(numbered);
  }
  void OnEpoch(const EpochRecord& epoch) override {
    EpochRecord numbered = epoch;
    numbered.epoch += before_.epochs;
    numbered.steps_done += before_.steps;
    numbered.rows_seen += before_.rows;
    numbered.run = run_;
    now_.epochs = numbered.epoch + 1;
    observer_.OnEpoch(numbered);
  }
  void OnEvaluation(const EvaluationRecord& evaluation) override {
    EvaluationRecord numbered = evaluation;
    numbered.steps_done += before_.steps;
    numbered.epoch += before_.epochs;
    numbered.run = run_;
    observer_.OnEvaluation(numbered);
  }
  void OnProgress(int64_t steps_done, int64_t rows_seen) override {
    now_.steps = before_.steps + steps_done;
    now_.rows = before_.rows + rows_seen;
    observer_.OnProgress(now_.steps, now_.rows);
  }

  const Done& now() const { return now_; }

 private:
  TrainObserver& observer_;
  const int64_t run_;
  const Done before_;
  Done now_;
};

absl::StatusOr<TrainResult> TrainOnce(const TrainConfig& config, const Dataset& dataset,
                                      const MlpWeights* initial, TrainObserver& observer,
                                      const StopFlag& stop) {
  TY_ASSIGN_OR_RETURN(std::unique_ptr<Trainer> trainer, Trainer::Create(config, dataset, initial));
  return trainer->Run(observer, stop);
}

// A run whose metric is not a number is no better than any other.
bool IsBetterRun(const TrainResult& result, const TrainResult& best, const TrainConfig& config) {
  const std::string metric = MonitoredMetric(config);
  const double value = result.validation.Find(metric);
  const double other = best.validation.Find(metric);
  if (other != other) return value == value;
  return IsBetter(value, other, 0, HigherIsBetter(metric));
}

}  // namespace

absl::StatusOr<SeedsResult> TrainSeeds(const TrainConfig& config, const Dataset& dataset,
                                       const MlpWeights* initial, TrainObserver& observer,
                                       const StopFlag& stop) {
  SeedsResult all;
  std::optional<TrainResult> best;
  Done done;
  for (int64_t run = 0; run < config.seed_count; ++run) {
    if (run > 0 && stop.cause() == StopCause::kRuntimeLimit) break;
    TrainConfig one = config;
    one.seed = config.seed + static_cast<uint64_t>(run);
    one.seed_count = 1;
    RunObserver numbered(observer, run, done);
    absl::StatusOr<TrainResult> result = TrainOnce(one, dataset, initial, numbered, stop);
    if (!result.ok() && config.seed_count > 1) {
      return Annotate(result.status(), absl::StrCat("seed ", one.seed, ": "));
    }
    TY_RETURN_IF_ERROR(result.status());
    done = numbered.now();
    all.seeds.push_back(
        {one.seed, result->stop_reason, result->steps_done, result->validation, result->test});
    if (!best || IsBetterRun(*result, *best, config)) best = *std::move(result);
  }
  all.best = *std::move(best);
  if (stop.cause() == StopCause::kRuntimeLimit &&
      (all.seeds.back().stop_reason == StopReason::kRuntimeLimit ||
       static_cast<int64_t>(all.seeds.size()) < config.seed_count)) {
    all.best.stop_reason = StopReason::kRuntimeLimit;
  }
  return all;
}

}  // namespace trainyard
