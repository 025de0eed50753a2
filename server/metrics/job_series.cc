#include "server/metrics/job_series.h"

#include <utility>

#include "server/metrics/families.h"

namespace trainyard {
namespace {

using prometheus::MetricFamily;

SampleLabels InfoLabels(const Metrics::JobSeries& job, JobSeriesLevel level) {
  SampleLabels labels = {{"job_id", job.job_id},
                         {"queue", kPriorityClassNames[PriorityClassOf(job.queue)]}};
  if (level != JobSeriesLevel::kFull) return labels;
  labels.push_back({"owner", job.owner});
  labels.push_back({"display_name", job.display_name});
  return labels;
}

void AddIfKnown(MetricFamily* family, SampleLabels labels, std::optional<double> value) {
  if (value.has_value()) AddSample(family, std::move(labels), *value);
}

std::vector<MetricFamily> Families(const std::vector<Metrics::JobSeries>& jobs,
                                   JobSeriesLevel level) {
  MetricFamily loss =
      GaugeFamily("trainyard_job_loss", "Newest mean loss of a running job, by split.");
  MetricFamily objective = GaugeFamily(
      "trainyard_job_objective",
      "Newest value, on validation rows, of the metric that decides which model is kept.");
  MetricFamily epoch =
      GaugeFamily("trainyard_job_epoch", "Epochs that a running job has finished.");
  MetricFamily progress =
      GaugeFamily("trainyard_job_progress_ratio", "Steps done of all steps, 0 to 1.");
  MetricFamily lr = GaugeFamily("trainyard_job_learning_rate", "Learning rate of the newest step.");
  MetricFamily updated = GaugeFamily("trainyard_job_last_update_timestamp_seconds",
                                     "When a running job last reported; none once it has ended.");
  MetricFamily info = GaugeFamily("trainyard_job_info", "What a job_id stands for; always 1.");
  for (const Metrics::JobSeries& job : jobs) {
    const prometheus::ClientMetric::Label id{"job_id", job.job_id};
    AddIfKnown(&loss, {id, {"split", "train"}}, job.train_loss);
    AddIfKnown(&loss, {id, {"split", "validation"}}, job.validation_loss);
    AddIfKnown(&objective, {id}, job.objective);
    AddIfKnown(&lr, {id}, job.learning_rate);
    AddIfKnown(&updated, {id}, job.last_update_seconds);
    AddSample(&epoch, {id}, static_cast<double>(job.epoch));
    AddSample(&progress, {id}, job.progress_ratio);
    AddSample(&info, InfoLabels(job, level), 1);
  }
  return {std::move(loss), std::move(objective), std::move(epoch), std::move(progress),
          std::move(lr),   std::move(updated),   std::move(info)};
}

}  // namespace

void JobSeriesCollectable::SetSource(const Metrics::JobSeriesOptions& options, Source source) {
  absl::MutexLock lock(&mutex_);
  options_ = options;
  source_ = std::move(source);
}

std::vector<MetricFamily> JobSeriesCollectable::Collect() const {
  Source source;
  Metrics::JobSeriesOptions options;
  {
    absl::MutexLock lock(&mutex_);
    source = source_;
    options = options_;
  }
  if (!source || options.level == JobSeriesLevel::kOff) return {};
  std::vector<Metrics::JobSeries> jobs = source();
  if (jobs.size() > options.jobs_max) {
    dropped_total_.fetch_add(static_cast<int64_t>(jobs.size() - options.jobs_max),
                             std::memory_order_relaxed);
    jobs.resize(options.jobs_max);
  }
  shown_.store(static_cast<int64_t>(jobs.size()), std::memory_order_relaxed);
  return Families(jobs, options.level);
}

}  // namespace trainyard
