#include "server/jobs/progress.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/wire/convert.h"

namespace trainyard {
namespace {

using Metrics = google::protobuf::RepeatedPtrField<v1::Metric>;

constexpr absl::string_view kValidationLoss = "validation_loss";

void SetMetric(absl::string_view name, double value, Metrics* metrics) {
  for (v1::Metric& metric : *metrics) {
    if (metric.name() != name) continue;
    metric.set_value(value);
    return;
  }
  v1::Metric& metric = *metrics->Add();
  metric.set_name(std::string(name));
  metric.set_value(value);
}

void ApplyValidation(const Metrics& validation, int32_t epoch, v1::TrainingJob* job) {
  Metrics& latest = *job->mutable_latest_metrics();
  for (const v1::Metric& metric : validation) {
    SetMetric(absl::StrCat("validation_", metric.name()), metric.value(), &latest);
  }
  const std::optional<double> loss = FindMetric(latest, kValidationLoss);
  if (!loss.has_value() || std::isnan(*loss)) return;
  const std::optional<double> best = FindMetric(job->best_metrics(), kValidationLoss);
  if (best.has_value() && *best <= *loss) return;
  *job->mutable_best_metrics() = latest;
  SetMetric("epoch", epoch, job->mutable_best_metrics());
}

void ApplyEpoch(const v1::EpochMetrics& epoch, v1::TrainingJob* job) {
  SetMetric("train_loss", epoch.train_loss(), job->mutable_latest_metrics());
  job->mutable_progress()->set_epochs_done(epoch.epoch() + 1);
  ApplyValidation(epoch.validation(), epoch.epoch(), job);
}

void ApplyTest(const v1::TestMetrics& test, v1::TrainingJob* job) {
  *job->mutable_test_metrics() = test.metrics();
  *job->mutable_seed_results() = test.seed_results();
  SpreadsToProto(test.seed_results(), job->mutable_metric_spreads());
  if (test.has_confusion()) *job->mutable_test_confusion() = test.confusion();
}

}  // namespace

std::optional<double> FindMetric(const Metrics& metrics, absl::string_view name) {
  for (const v1::Metric& metric : metrics) {
    if (metric.name() == name) return metric.value();
  }
  return std::nullopt;
}

void ResetProgress(v1::TrainingJob* job) {
  job->clear_latest_metrics();
  job->clear_best_metrics();
  job->clear_test_metrics();
  job->clear_test_confusion();
  job->clear_seed_results();
  job->clear_metric_spreads();
  v1::JobProgress& progress = *job->mutable_progress();
  progress.set_epochs_done(0);
  progress.set_steps_done(0);
  progress.set_rows_per_second(0);
  progress.clear_eta();
}

void ApplyEvent(const v1::JobEvent& event, v1::TrainingJob* job) {
  if (event.has_step()) SetMetric("train_loss", event.step().loss(), job->mutable_latest_metrics());
  if (event.has_epoch()) ApplyEpoch(event.epoch(), job);
  if (event.has_evaluation()) {
    ApplyValidation(event.evaluation().validation(), event.evaluation().epoch(), job);
  }
  if (event.has_test()) ApplyTest(event.test(), job);
  if (event.has_analysis_progress()) {
    job->mutable_progress()->set_steps_total(event.analysis_progress().points_total());
  }
}

AttemptCounters::AttemptCounters(const v1::Checkpoint& from)
    : now_{from.step(), from.rows_done(), from.busy_seconds()},
      window_start_(now_),
      next_window_start_(now_) {}

AttemptCounters::Increment AttemptCounters::Add(const v1::EventBatch& batch,
                                                v1::JobProgress* progress) {
  const Sample before = now_;
  now_.steps = std::max(before.steps, batch.steps_done());
  now_.rows = std::max(before.rows, batch.rows_done());
  now_.busy_seconds = std::max(before.busy_seconds, batch.busy_seconds());
  if (now_.busy_seconds - next_window_start_.busy_seconds >= kWindowSeconds) {
    window_start_ = std::exchange(next_window_start_, now_);
  }
  progress->set_steps_done(now_.steps);
  const double seconds = now_.busy_seconds - window_start_.busy_seconds;
  const double steps = static_cast<double>(now_.steps - window_start_.steps);
  if (seconds > 0 && steps > 0) {
    progress->set_rows_per_second(static_cast<double>(now_.rows - window_start_.rows) / seconds);
    const auto steps_left =
        static_cast<double>(std::max<int64_t>(0, progress->steps_total() - now_.steps));
    SecondsToProto(steps_left * seconds / steps, progress->mutable_eta());
  }
  return {now_.steps - before.steps, now_.rows - before.rows,
          now_.busy_seconds - before.busy_seconds};
}

}  // namespace trainyard
