#include "client/job_history.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "client/exit_code.h"
#include "core/base/status_macros.h"

namespace trainyard {
namespace {

using Metrics = google::protobuf::RepeatedPtrField<v1::Metric>;

// The most that the contract allows.
constexpr int32_t kPageSize = 10'000;

void AddMetrics(const Metrics& metrics, absl::string_view split, std::optional<int32_t> run,
                std::vector<Scalar>* scalars) {
  for (const v1::Metric& metric : metrics) {
    scalars->push_back({absl::StrCat(metric.name(), "/", split), metric.value(), run});
  }
}

std::vector<Scalar> StepScalars(const v1::StepMetrics& step) {
  return {{"loss/batch", step.loss(), step.run()},
          {"learning_rate", step.learning_rate(), step.run()},
          {"gradient_norm", step.gradient_norm(), step.run()}};
}

void AddLayer(const v1::LayerRecord& layer, int32_t run, std::vector<Scalar>* scalars) {
  const auto add = [&](const char* name, double value) {
    scalars->push_back({absl::StrCat(layer.name(), "/", name), value, run});
  };
  add("weight_norm", layer.weight_norm());
  add("gradient_norm", layer.gradient_norm());
  add("update_ratio", layer.update_ratio());
  add("dead_unit_fraction", layer.dead_unit_fraction());
  add("saturated_fraction", layer.saturated_fraction());
}

std::vector<Scalar> EpochScalars(const v1::EpochMetrics& epoch) {
  std::vector<Scalar> scalars = {{"loss/train", epoch.train_loss(), epoch.run()}};
  AddMetrics(epoch.validation(), "validation", epoch.run(), &scalars);
  scalars.push_back({"learning_rate", epoch.learning_rate(), epoch.run()});
  for (const v1::LayerRecord& layer : epoch.layers()) AddLayer(layer, epoch.run(), &scalars);
  return scalars;
}

std::vector<Scalar> TestScalars(const v1::TestMetrics& test) {
  std::vector<Scalar> scalars;
  AddMetrics(test.metrics(), "test", std::nullopt, &scalars);
  for (int32_t run = 0; run < test.seed_results_size(); ++run) {
    AddMetrics(test.seed_results(run).test_metrics(), "test", run, &scalars);
  }
  return scalars;
}

}  // namespace

absl::StatusOr<v1::TrainingJob> GetJob(Remote& remote, const std::string& name) {
  v1::GetTrainingJobRequest request;
  request.set_name(name);
  return remote.Call(remote.jobs(), &v1::JobService::Stub::GetTrainingJob, request);
}

absl::StatusOr<std::vector<v1::JobEvent>> EventCursor::Next() {
  v1::ListJobEventsRequest request;
  request.set_name(name_);
  request.set_page_size(kPageSize);
  std::vector<v1::JobEvent> events;
  for (int64_t start = next_; start != 0;) {
    request.set_start_sequence(start);
    TY_ASSIGN_OR_RETURN(
        v1::ListJobEventsResponse page,
        remote_.Call(remote_.jobs(), &v1::JobService::Stub::ListJobEvents, request));
    for (v1::JobEvent& event : *page.mutable_events()) events.push_back(std::move(event));
    start = page.next_sequence();
  }
  if (events.empty()) return events;
  next_ = events.back().sequence() + 1;
  ended_ = IsTerminal(events.back().state_change().to());
  return events;
}

absl::StatusOr<std::vector<v1::JobEvent>> ReadLog(Remote& remote, const std::string& name) {
  return EventCursor(remote, name).Next();
}

std::optional<int64_t> StepsDone(const v1::JobEvent& event) {
  if (event.has_step()) return event.step().step() + 1;
  if (event.has_epoch()) return event.epoch().steps_done();
  if (event.has_evaluation()) return event.evaluation().steps_done();
  return std::nullopt;
}

// Whether a repeated stretch of training tells it again.
bool ComesAgain(const v1::JobEvent& event) {
  const bool training = StepsDone(event).has_value() || event.has_test();
  return training || event.has_analysis_progress() ||
         (event.has_note() && !event.note().has_checkpoint_step());
}

void AddToHistory(v1::JobEvent event, std::vector<v1::JobEvent>* history) {
  if (!event.has_rewind()) {
    history->push_back(std::move(event));
    return;
  }
  const int64_t to_step = event.rewind().to_step();
  int64_t steps_done = 0;  // what is of no step of its own is of that before it, as at the server
  std::erase_if(*history, [&](const v1::JobEvent& old) {
    steps_done = StepsDone(old).value_or(steps_done);
    return ComesAgain(old) && steps_done > to_step;
  });
}

std::vector<v1::JobEvent> WithoutVoid(std::vector<v1::JobEvent> log) {
  std::vector<v1::JobEvent> history;
  for (v1::JobEvent& event : log) AddToHistory(std::move(event), &history);
  return history;
}

std::vector<Scalar> ScalarsOf(const v1::JobEvent& event) {
  std::vector<Scalar> scalars;
  switch (event.kind_case()) {
    case v1::JobEvent::kStep:
      return StepScalars(event.step());
    case v1::JobEvent::kEpoch:
      return EpochScalars(event.epoch());
    case v1::JobEvent::kEvaluation:
      AddMetrics(event.evaluation().validation(), "validation", event.evaluation().run(), &scalars);
      return scalars;
    case v1::JobEvent::kTest:
      return TestScalars(event.test());
    default:
      return scalars;
  }
}

int32_t RunCount(const v1::TrainingJob& job) {
  const v1::TrainingSpec& spec = job.resolved_spec();
  return std::max({spec.seed_count(), spec.split().fold_count(), 1});
}

}  // namespace trainyard
