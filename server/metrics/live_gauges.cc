#include "server/metrics/live_gauges.h"

#include <string>
#include <utility>

namespace trainyard {
namespace {

using Families = std::vector<prometheus::MetricFamily>;

void CollectJobs(const Metrics::Queue& queue, const prometheus::ClientMetric::Label& label,
                 prometheus::MetricFamily* jobs) {
  const std::pair<const char*, int64_t> states[] = {{"pending", queue.jobs_pending},
                                                    {"running", queue.jobs_running},
                                                    {"cancelling", queue.jobs_cancelling}};
  for (const auto& [state, count] : states) {
    AddSample(jobs, {label, {"state", state}}, static_cast<double>(count));
  }
}

void CollectQueues(const Metrics::Snapshot& now, Families* families) {
  prometheus::MetricFamily jobs =
      GaugeFamily("trainyard_jobs", "Jobs that have not ended, by queue and state.");
  prometheus::MetricFamily oldest =
      GaugeFamily("trainyard_queue_oldest_pending_timestamp_seconds",
                  "When the oldest pending job was submitted; 0 when none is pending.");
  prometheus::MetricFamily capacity =
      GaugeFamily("trainyard_queue_capacity_jobs",
                  "Jobs that have not ended, at most: one limit that all queues share.");
  for (size_t i = 0; i < kPriorityClassCount; ++i) {
    const prometheus::ClientMetric::Label label{"queue", kPriorityClassNames[i]};
    CollectJobs(now.queues[i], label, &jobs);
    AddSample(&oldest, {label}, now.queues[i].oldest_pending_timestamp_seconds);
    AddSample(&capacity, {label}, static_cast<double>(now.queue_capacity));
  }
  families->push_back(std::move(jobs));
  families->push_back(std::move(oldest));
  families->push_back(std::move(capacity));
  families->push_back(SingleGauge("trainyard_workers", "Workers that are connected.", now.workers));
  families->push_back(SingleGauge("trainyard_workers_busy",
                                  "Workers that jobs take: one for each of their threads.",
                                  now.workers_busy));
}

void CollectStorage(const Metrics::Snapshot& now, Families* families) {
  prometheus::MetricFamily datasets = GaugeFamily("trainyard_datasets", "Datasets, by state.");
  AddSample(&datasets, {{"state", "uploading"}}, static_cast<double>(now.datasets_uploading));
  AddSample(&datasets, {{"state", "ready"}}, static_cast<double>(now.datasets_ready));
  families->push_back(std::move(datasets));
  families->push_back(SingleGauge("trainyard_dataset_stored_bytes",
                                  "Bytes of all datasets, as uploaded.",
                                  static_cast<double>(now.dataset_stored_bytes)));
  families->push_back(SingleGauge("trainyard_store_size_bytes",
                                  "Size of the metadata on disk: the database and its log.",
                                  static_cast<double>(now.store_size_bytes)));
  families->push_back(SingleGauge("trainyard_storage_free_bytes",
                                  "Bytes free on the disk of the data directory.",
                                  static_cast<double>(now.storage_free_bytes)));
  families->push_back(SingleGauge("trainyard_storage_full",
                                  "1 while the disk has too little room for new jobs, else 0.",
                                  now.storage_full ? 1 : 0));
  families->push_back(SingleGauge("trainyard_storage_size_bytes",
                                  "Size of the disk of the data directory.",
                                  static_cast<double>(now.storage_size_bytes)));
}

}  // namespace

void LiveGauges::SetSource(std::function<Metrics::Snapshot()> source) {
  absl::MutexLock lock(&mutex_);
  source_ = std::move(source);
}

void LiveGauges::SetBuildInfo(SampleLabels labels) {
  absl::MutexLock lock(&mutex_);
  build_info_ = std::move(labels);
}

Families LiveGauges::Collect() const {
  std::function<Metrics::Snapshot()> source;
  SampleLabels build_info;
  {
    absl::MutexLock lock(&mutex_);
    source = source_;
    build_info = build_info_;
  }
  Families families;
  if (!build_info.empty()) {
    families.push_back(GaugeFamily("trainyard_build_info", "What is running; always 1."));
    AddSample(&families.back(), std::move(build_info), 1);
  }
  if (source) {
    const Metrics::Snapshot now = source();
    CollectQueues(now, &families);
    CollectStorage(now, &families);
  }
  families.push_back(SingleGauge("trainyard_job_series",
                                 "Jobs that the last scrape of /metrics/jobs showed.",
                                 static_cast<double>(job_series_->shown())));
  families.push_back(SingleCounter("trainyard_job_series_dropped_total",
                                   "Jobs that scrapes of /metrics/jobs left out, over the limit.",
                                   static_cast<double>(job_series_->dropped_total())));
  return families;
}

}  // namespace trainyard
