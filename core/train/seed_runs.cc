#include "core/train/seed_runs.h"

#include <algorithm>
#include <cmath>
#include <memory>
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

  void TransferState(StateArchive* archive) {
    archive->Count(&steps);
    archive->Count(&epochs);
    archive->Count(&rows);
  }
};

// Numbers a run's records on from those of the runs before it.
class RunObserver : public TrainObserver {
 public:
  RunObserver(TrainObserver& observer, int64_t run, bool one_of_several, const Done& before)
      : observer_(observer),
        run_(run),
        one_of_several_(one_of_several),
        before_(before),
        now_(before) {}

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
  // Its epochs and losses are of one run.
  void OnWarning(const TrainingWarning& warning) override {
    if (!one_of_several_) return observer_.OnWarning(warning);
    TrainingWarning named = warning;
    named.message = absl::StrCat("run ", run_ + 1, ": ", warning.message);
    observer_.OnWarning(named);
  }
  void OnProgress(int64_t steps_done, int64_t rows_seen) override {
    now_.steps = before_.steps + steps_done;
    now_.rows = before_.rows + rows_seen;
    observer_.OnProgress(now_.steps, now_.rows);
  }

  const Done& now() const { return now_; }
  // Of a run that is in the middle.
  void TransferState(StateArchive* archive) { now_.TransferState(archive); }

 private:
  TrainObserver& observer_;
  const int64_t run_;
  const bool one_of_several_;
  const Done before_;
  Done now_;
};

// A run whose metric is not a number is no better than any other.
bool IsBetterRun(const TrainResult& result, const TrainResult& best, const TrainConfig& config) {
  const std::string metric = MonitoredMetric(config);
  const double value = result.validation.Find(metric);
  const double other = best.validation.Find(metric);
  if (other != other) return value == value;
  return IsBetter(value, other, 0, HigherIsBetter(metric));
}

// Puts what the runs before came to before the state of the present one.
class RunCheckpoints : public CheckpointSink {
 public:
  RunCheckpoints(CheckpointSink& sink, int64_t steps_before, StateTransfer transfer_before)
      : sink_(sink), steps_before_(steps_before), transfer_before_(std::move(transfer_before)) {}

  bool IsDue(bool at_epoch_start) override { return sink_.IsDue(at_epoch_start); }
  void Save(int64_t steps_done, const StateTransfer& transfer) override {
    sink_.Save(steps_before_ + steps_done, [&](StateArchive* archive) {
      transfer_before_(archive);
      transfer(archive);
    });
  }

 private:
  CheckpointSink& sink_;
  const int64_t steps_before_;
  const StateTransfer transfer_before_;
};

// Runs of one config, one after another: numbers their records, keeps the best.
class Runs {
 public:
  Runs(const TrainConfig& config, TrainObserver& observer, const StopFlag& stop,
       const Checkpointing& checkpointing)
      : config_(config),
        observer_(observer),
        stop_(stop),
        sink_(checkpointing.sink),
        state_(checkpointing.state) {}

  // Reads what the runs before the one that the state is in the middle of came to. Before the first
  // Train, which reads the rest.
  absl::Status Restore() {
    if (state_.empty()) return absl::OkStatus();
    StateArchive archive(&state_reader_);
    TransferRuns(&archive);
    const bool possible =
        archive.ok() && count() < RunCountOf(config_) && (count() == 0 || runs_.best_run < count());
    return possible ? absl::OkStatus() : UnusableCheckpoint("does not fit this job's runs");
  }

  // Those that are over.
  int64_t count() const { return static_cast<int64_t>(runs_.seeds.size()); }

  // Whether another run would have no time.
  bool IsOver() const { return count() > 0 && stop_.cause() == StopCause::kRuntimeLimit; }

  absl::Status Train(uint64_t seed, std::optional<int64_t> fold, const Dataset& dataset,
                     const MlpWeights* initial) {
    TrainConfig one = config_;
    one.seed = seed;
    one.seed_count = 1;
    RunObserver numbered(observer_, count(), RunCountOf(config_) > 1, done_);
    TY_ASSIGN_OR_RETURN(TrainResult result, TrainOnce(one, dataset, initial, numbered));
    done_ = numbered.now();
    runs_.seeds.push_back({.seed = seed,
                           .fold = fold,
                           .stop_reason = result.stop_reason,
                           .steps_done = result.steps_done,
                           .validation = result.validation,
                           .test = result.test});
    if (count() > 1 && !IsBetterRun(result, runs_.best, config_)) return absl::OkStatus();
    runs_.best = std::move(result);
    runs_.best_run = count() - 1;
    return absl::OkStatus();
  }

  // REQUIRES: one run at least.
  SeedsResult Result() && {
    const bool all = count() == RunCountOf(config_);
    if (stop_.cause() == StopCause::kRuntimeLimit &&
        (!all || runs_.seeds.back().stop_reason == StopReason::kRuntimeLimit)) {
      runs_.best.stop_reason = StopReason::kRuntimeLimit;
    }
    return std::move(runs_);
  }

 private:
  absl::StatusOr<TrainResult> TrainOnce(const TrainConfig& config, const Dataset& dataset,
                                        const MlpWeights* initial, RunObserver& observer) {
    TY_ASSIGN_OR_RETURN(std::unique_ptr<Trainer> trainer,
                        Trainer::Create(config, dataset, initial));
    if (!state_.empty()) TY_RETURN_IF_ERROR(RestoreRun(*trainer, observer));
    if (sink_ == nullptr) return trainer->Run(observer, stop_);
    RunCheckpoints checkpoints(*sink_, done_.steps, [&](StateArchive* archive) {
      TransferRuns(archive);
      observer.TransferState(archive);
    });
    return trainer->Run(observer, stop_, &checkpoints);
  }

  absl::Status RestoreRun(Trainer& trainer, RunObserver& observer) {
    StateArchive archive(&state_reader_);
    observer.TransferState(&archive);
    trainer.TransferState(&archive);
    state_ = {};  // the next run starts from its beginning
    if (archive.ok() && state_reader_.done()) return absl::OkStatus();
    return UnusableCheckpoint("does not fit this job's network or optimizer");
  }

  void TransferRuns(StateArchive* archive) {
    archive->Resize(&runs_.seeds, sizeof(uint64_t));
    for (SeedSummary& run : runs_.seeds) run.TransferState(archive);
    archive->Count(&runs_.best_run);
    if (count() > 0) runs_.best.TransferState(archive);
    done_.TransferState(archive);
  }

  const TrainConfig& config_;
  TrainObserver& observer_;
  const StopFlag& stop_;
  CheckpointSink* const sink_;  // null: no checkpoints
  absl::string_view state_;     // to go on from; empty: there is none, or it has been read
  ByteReader state_reader_{state_};
  SeedsResult runs_;
  Done done_;
};

// Adds a run's metrics to the values of their names, which stay in order of appearance.
void AddMetrics(absl::string_view part, const EvalResult& result,
                std::vector<std::pair<std::string, std::vector<double>>>* values) {
  for (const auto& [metric, value] : result.metrics) {
    const std::string name = absl::StrCat(part, "_", metric);
    auto found = std::find_if(values->begin(), values->end(),
                              [&name](const auto& entry) { return entry.first == name; });
    if (found == values->end()) found = values->insert(found, {name, {}});
    found->second.push_back(value);
  }
}

MetricSpread SpreadOfValues(std::string name, const std::vector<double>& values) {
  const auto count = static_cast<double>(values.size());
  double sum = 0;
  for (const double value : values) sum += value;
  const double mean = sum / count;
  double squares = 0;
  for (const double value : values) squares += (value - mean) * (value - mean);
  return {.name = std::move(name),
          .mean = mean,
          .standard_deviation = values.size() > 1 ? std::sqrt(squares / (count - 1)) : 0,
          .count = static_cast<int64_t>(values.size())};
}

}  // namespace

void SeedSummary::TransferState(StateArchive* archive) {
  archive->Value(&seed);
  archive->Value(&fold);
  archive->Value(&stop_reason, kStopReasonLast);
  archive->Count(&steps_done);
  validation.TransferState(archive);
  test.TransferState(archive);
}

absl::StatusOr<SeedsResult> TrainSeeds(const TrainConfig& config, const Dataset& dataset,
                                       const MlpWeights* initial, TrainObserver& observer,
                                       const StopFlag& stop, const Checkpointing& checkpointing) {
  Runs runs(config, observer, stop, checkpointing);
  TY_RETURN_IF_ERROR(runs.Restore());
  for (int64_t run = runs.count(); run < config.seed_count && !runs.IsOver(); ++run) {
    const uint64_t seed = config.seed + static_cast<uint64_t>(run);
    const absl::Status status = runs.Train(seed, std::nullopt, dataset, initial);
    if (!status.ok() && config.seed_count > 1) {
      return Annotate(status, absl::StrCat("seed ", seed));
    }
    TY_RETURN_IF_ERROR(status);
  }
  return std::move(runs).Result();
}

absl::StatusOr<FoldsResult> TrainFolds(const TrainConfig& config, const FoldBuilder& build,
                                       const MlpWeights* initial, TrainObserver& observer,
                                       const StopFlag& stop, const Checkpointing& checkpointing) {
  Runs runs(config, observer, stop, checkpointing);
  TY_RETURN_IF_ERROR(runs.Restore());
  FoldsResult result;
  int64_t built = -1;  // none
  const auto rebuild = [&](int64_t fold) -> absl::Status {
    result.dataset = Dataset();  // first: never two at a time
    TY_ASSIGN_OR_RETURN(result.dataset, build(fold));
    built = fold;
    return absl::OkStatus();
  };
  for (int64_t fold = runs.count(); fold < config.data.split.fold_count && !runs.IsOver(); ++fold) {
    absl::Status status = rebuild(fold);
    if (status.ok()) status = runs.Train(config.seed, fold, result.dataset, initial);
    if (!status.ok()) return Annotate(status, absl::StrCat("fold ", fold));
  }
  result.runs = std::move(runs).Result();
  if (result.runs.best_run != built) TY_RETURN_IF_ERROR(rebuild(result.runs.best_run));
  return result;
}

std::vector<MetricSpread> SpreadOf(const std::vector<SeedSummary>& runs) {
  std::vector<MetricSpread> spreads;
  if (runs.size() < 2) return spreads;
  std::vector<std::pair<std::string, std::vector<double>>> values;
  for (const SeedSummary& run : runs) AddMetrics("validation", run.validation, &values);
  for (const SeedSummary& run : runs) AddMetrics("test", run.test, &values);
  for (auto& [name, of_runs] : values) {
    spreads.push_back(SpreadOfValues(std::move(name), of_runs));
  }
  return spreads;
}

}  // namespace trainyard
