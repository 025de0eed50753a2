#include "server/metrics/job_series.h"

#include <utility>

#include "server/metrics/families.h"

namespace trainyard {

void JobSeriesCollectable::SetSource(std::function<std::vector<Metrics::JobSeries>()> source) {
  absl::MutexLock lock(&mutex_);
  source_ = std::move(source);
}

std::vector<prometheus::MetricFamily> JobSeriesCollectable::Collect() const {
  std::function<std::vector<Metrics::JobSeries>()> source;
  {
    absl::MutexLock lock(&mutex_);
    source = source_;
  }
  std::vector<Metrics::JobSeries> jobs;
  if (source) jobs = source();
  if (jobs.size() > kJobsMax) {
    dropped_total_.fetch_add(static_cast<int64_t>(jobs.size() - kJobsMax),
                             std::memory_order_relaxed);
    jobs.resize(kJobsMax);
  }
  shown_.store(static_cast<int64_t>(jobs.size()), std::memory_order_relaxed);

  prometheus::MetricFamily loss =
      GaugeFamily("trainyard_job_loss", "Newest mean loss of a running job, by split.");
  prometheus::MetricFamily epoch =
      GaugeFamily("trainyard_job_epoch", "Epochs that a running job has finished.");
  prometheus::MetricFamily progress =
      GaugeFamily("trainyard_job_progress_ratio", "Steps done of all steps, 0 to 1.");
  prometheus::MetricFamily lr =
      GaugeFamily("trainyard_job_learning_rate", "Learning rate of the newest step.");
  prometheus::MetricFamily updated = GaugeFamily("trainyard_job_last_update_timestamp_seconds",
                                                 "When a running job last reported.");
  prometheus::MetricFamily info =
      GaugeFamily("trainyard_job_info", "What a job_id stands for; always 1.");
  for (const Metrics::JobSeries& job : jobs) {
    const prometheus::ClientMetric::Label id{"job_id", job.job_id};
    if (job.has_train_loss) AddSample(&loss, {id, {"split", "train"}}, job.train_loss);
    if (job.has_validation_loss) {
      AddSample(&loss, {id, {"split", "validation"}}, job.validation_loss);
    }
    AddSample(&epoch, {id}, static_cast<double>(job.epoch));
    AddSample(&progress, {id}, job.progress_ratio);
    AddSample(&lr, {id}, job.learning_rate);
    AddSample(&updated, {id}, job.last_update_seconds);
    AddSample(&info,
              {id, {"queue", "default"}, {"owner", job.owner}, {"display_name", job.display_name}},
              1);
  }
  return {std::move(loss), std::move(epoch),   std::move(progress),
          std::move(lr),   std::move(updated), std::move(info)};
}

}  // namespace trainyard
