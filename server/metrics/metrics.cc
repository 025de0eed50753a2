#include "server/metrics/metrics.h"

#include <array>
#include <chrono>
#include <exception>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "absl/time/time.h"
#include "core/base/error_info.h"
#include "prometheus/counter.h"
#include "prometheus/exposer.h"
#include "prometheus/gauge.h"
#include "prometheus/histogram.h"
#include "prometheus/registry.h"
#include "server/metrics/job_series.h"
#include "server/metrics/labelled_counter.h"
#include "server/metrics/live_gauges.h"
#include "server/metrics/process_metrics.h"
#include "server/metrics/rpc_metrics.h"
#include "server/metrics/wake_listener.h"

namespace trainyard {
namespace {

using prometheus::Counter;
using prometheus::Gauge;
using prometheus::Histogram;
using prometheus::Labels;
using Buckets = std::vector<double>;

constexpr char kServicePath[] = "/metrics";
constexpr char kJobsPath[] = "/metrics/jobs";

// One of a family's members for each class of the queue, all of them there from the start.
template <typename Metric>
class PerQueue {
 public:
  // `add` makes the member with the given labels.
  template <typename Add>
  explicit PerQueue(const Add& add) {
    for (size_t i = 0; i < kPriorityClassCount; ++i) {
      members_[i] = add(Labels{{"queue", kPriorityClassNames[i]}});
    }
  }
  auto& operator[](v1::JobPriority queue) { return *members_[PriorityClassOf(queue)]; }

 private:
  // A series of a family, or an object of ours over several.
  std::array<Metric, kPriorityClassCount> members_;
};

}  // namespace

// Names, labels and buckets are METRICS.md's; dashboards depend on them.
class Metrics::Impl {
 public:
  absl::Status Listen(const std::string& address);
  int port() const { return port_; }
  void Stop();
  ~Impl() { Stop(); }

 private:
  prometheus::Family<Counter>& CounterNamed(const char* name, const char* help) {
    return prometheus::BuildCounter().Name(name).Help(help).Register(*registry_);
  }
  Counter& NewCounter(const char* name, const char* help) {
    return CounterNamed(name, help).Add({});
  }
  Gauge& NewGauge(const char* name, const char* help) {
    return prometheus::BuildGauge().Name(name).Help(help).Register(*registry_).Add({});
  }
  prometheus::Family<Histogram>& HistogramNamed(const char* name, const char* help) {
    return prometheus::BuildHistogram().Name(name).Help(help).Register(*registry_);
  }
  Histogram& NewHistogram(const char* name, const char* help, const Buckets& buckets) {
    return HistogramNamed(name, help).Add({}, buckets);
  }
  PerQueue<Counter*> CounterPerQueue(const char* name, const char* help) {
    prometheus::Family<Counter>& family = CounterNamed(name, help);
    return PerQueue<Counter*>([&](const Labels& queue) { return &family.Add(queue); });
  }
  PerQueue<Histogram*> HistogramPerQueue(const char* name, const char* help,
                                         const Buckets& buckets) {
    prometheus::Family<Histogram>& family = HistogramNamed(name, help);
    return PerQueue<Histogram*>([&](const Labels& queue) { return &family.Add(queue, buckets); });
  }
  PerQueue<std::unique_ptr<LabelledCounter>> ReasonsPerQueue(const char* name, const char* help) {
    prometheus::Family<Counter>& family = CounterNamed(name, help);
    return PerQueue<std::unique_ptr<LabelledCounter>>([&](const Labels& queue) {
      return std::make_unique<LabelledCounter>(family, queue, "reason", ReasonLabels());
    });
  }

  const std::shared_ptr<prometheus::Registry> registry_ = std::make_shared<prometheus::Registry>();

 public:
  // Jobs.
  PerQueue<Counter*> submitted = CounterPerQueue(
      "trainyard_jobs_submitted_total", "Jobs accepted; repeated requests are not counted.");
  Counter& duplicates = NewCounter("trainyard_job_submit_duplicates_total",
                                   "Submits that repeated an earlier request_id.");
  LabelledCounter rejected{
      CounterNamed("trainyard_jobs_rejected_total", "Submits that were not accepted, by reason."),
      {},
      "reason",
      ReasonLabels()};
  PerQueue<Counter*> finished =
      CounterPerQueue("trainyard_jobs_finished_total", "Jobs that succeeded.");
  PerQueue<std::unique_ptr<LabelledCounter>> failed =
      ReasonsPerQueue("trainyard_jobs_failed_total", "Jobs that failed, by reason.");
  PerQueue<Counter*> cancelled =
      CounterPerQueue("trainyard_jobs_cancelled_total", "Jobs that were cancelled.");
  PerQueue<Counter*> attempts =
      CounterPerQueue("trainyard_job_attempts_total", "Times a job was given to a worker.");
  PerQueue<Counter*> preemptions =
      CounterPerQueue("trainyard_job_preemptions_total",
                      "Times a job was asked to yield its worker to an interactive one.");
  Histogram& checkpoint_write =
      NewHistogram("trainyard_checkpoint_write_seconds",
                   "Time from taking a checkpoint until it is stored; training goes on meanwhile.",
                   {.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 5});
  Counter& checkpoint_bytes =
      NewCounter("trainyard_checkpoint_bytes_total", "Bytes of checkpoints that workers stored.");
  Counter& checkpoint_failures =
      NewCounter("trainyard_checkpoint_failures_total",
                 "Checkpoints that could not be stored; the job goes on without.");
  Counter& recovered = NewCounter("trainyard_jobs_recovered_total",
                                  "Jobs that a restart of the server found unfinished.");
  PerQueue<Histogram*> queue_wait =
      HistogramPerQueue("trainyard_job_queue_wait_seconds", "Time from submit to the first start.",
                        {.1, .5, 1, 5, 15, 60, 300, 900, 1800, 3600, 14400});
  PerQueue<Histogram*> run_duration =
      HistogramPerQueue("trainyard_job_run_duration_seconds", "Time from start to end.",
                        {.5, 1, 5, 15, 60, 300, 900, 3600, 14400});
  Histogram& cancel_latency = NewHistogram("trainyard_job_cancel_latency_seconds",
                                           "Time from a cancel request to the end of the job.",
                                           {.01, .05, .1, .5, 1, 5, 30});
  Counter& samples =
      NewCounter("trainyard_training_samples_total", "Training rows that were used in steps.");
  Counter& steps = NewCounter("trainyard_training_steps_total", "Training steps done.");
  Counter& busy =
      NewCounter("trainyard_training_busy_seconds_total", "Time that workers spent in training.");
  Counter& nonfinite = NewCounter("trainyard_training_nonfinite_total",
                                  "Jobs stopped because a number became NaN or infinite.");

  // Storage.
  Histogram& fsync =
      NewHistogram("trainyard_store_fsync_seconds", "Time to make a group of writes durable.",
                   {.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1});
  Counter& store_errors = NewCounter("trainyard_store_errors_total",
                                     "Groups of writes that could not be made durable.");
  Counter& appended =
      NewCounter("trainyard_store_appended_bytes_total", "Bytes written to the metadata log.");

  Gauge& replay = NewGauge("trainyard_store_replay_duration_seconds",
                           "Time that the start took to read what is stored.");

  // Datasets.
  Counter& uploaded =
      NewCounter("trainyard_dataset_upload_bytes_total", "Bytes of uploads that became durable.");
  Counter& rows = NewCounter("trainyard_dataset_rows_total", "Rows of datasets that became READY.");
  LabelledCounter rejected_rows{
      CounterNamed("trainyard_dataset_rejected_rows_total",
                   "Rows that were dropped from datasets that became READY."),
      {},
      "reason",
      {"bad_cell", "bad_record"}};
  Counter& dedup_hits =
      NewCounter("trainyard_dataset_dedup_hits_total", "Datasets whose bytes were stored already.");
  Histogram& ingest =
      NewHistogram("trainyard_dataset_ingest_seconds", "Time to read and freeze a dataset.",
                   {.01, .05, .1, .5, 1, 5, 15, 60, 300});

  // Streams and predictions.
  Gauge& watch_streams = NewGauge("trainyard_watch_streams", "Open watches.");
  Counter& watch_events =
      NewCounter("trainyard_watch_events_sent_total", "Events sent to watchers.");
  Counter& watch_resumes =
      NewCounter("trainyard_watch_resumes_total", "Watches that started behind the first event.");
  Counter& watch_coalesced = NewCounter("trainyard_watch_coalesced_events_total",
                                        "Events not sent because min_interval was asked for.");
  Counter& predicted_rows = NewCounter("trainyard_predicted_rows_total", "Rows predicted.");

  RpcMetrics rpc{registry_.get()};
  GradingMetrics grading{registry_.get()};
  const std::shared_ptr<JobSeriesCollectable> job_series = std::make_shared<JobSeriesCollectable>();
  const std::shared_ptr<LiveGauges> live = std::make_shared<LiveGauges>(job_series.get());

 private:
  const std::shared_ptr<ProcessMetrics> process_ = std::make_shared<ProcessMetrics>();
  std::string address_;
  int port_ = 0;
  // Last: its threads use all of the above.
  std::unique_ptr<prometheus::Exposer> exposer_;
};

absl::Status Metrics::Impl::Listen(const std::string& address) {
  try {
    exposer_ = std::make_unique<prometheus::Exposer>(address);
    exposer_->RegisterCollectable(registry_, kServicePath);
    exposer_->RegisterCollectable(live, kServicePath);
    exposer_->RegisterCollectable(grading.gauges(), kServicePath);
    exposer_->RegisterCollectable(process_, kServicePath);
    exposer_->RegisterCollectable(job_series, kJobsPath);
    port_ = exposer_->GetListeningPorts().at(0);
    address_ = address;
  } catch (const std::exception& error) {
    exposer_.reset();
    return MakeError(
        absl::StatusCode::kInvalidArgument,
        absl::StrCat("cannot serve metrics on \"", address, "\": ", error.what()),
        {.reason = ErrorReason::kInvalidRequest,
         .hint = "give a free port and an address of this machine in numbers, as 127.0.0.1:9400",
         .in_force = absl::StrCat("--metrics-listen ", address)});
  }
  return absl::OkStatus();
}

void Metrics::Impl::Stop() {
  if (exposer_ == nullptr) return;
  absl::Notification stopped;
  std::thread stopping([&] {
    exposer_.reset();
    stopped.Notify();
  });
  while (!stopped.HasBeenNotified()) {
    WakeListener(address_, port_);
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  stopping.join();
}

Metrics::Metrics() : impl_(std::make_unique<Impl>()) {}
Metrics::~Metrics() = default;

void Metrics::JobSubmitted(v1::JobPriority queue) { impl_->submitted[queue].Increment(); }
void Metrics::JobSubmitDuplicate() { impl_->duplicates.Increment(); }
void Metrics::JobRejected(absl::string_view reason) { impl_->rejected.Increment(reason); }
void Metrics::JobFinished(v1::JobPriority queue) { impl_->finished[queue].Increment(); }
void Metrics::JobFailed(v1::JobPriority queue, absl::string_view reason) {
  impl_->failed[queue].Increment(reason);
}
void Metrics::JobCancelled(v1::JobPriority queue) { impl_->cancelled[queue].Increment(); }
void Metrics::JobAttempt(v1::JobPriority queue) { impl_->attempts[queue].Increment(); }
void Metrics::JobPreempted(v1::JobPriority queue) { impl_->preemptions[queue].Increment(); }
void Metrics::JobsRecovered(int64_t count) {
  impl_->recovered.Increment(static_cast<double>(count));
}
void Metrics::JobQueueWait(v1::JobPriority queue, double seconds) {
  impl_->queue_wait[queue].Observe(seconds);
}
void Metrics::JobRunDuration(v1::JobPriority queue, double seconds) {
  impl_->run_duration[queue].Observe(seconds);
}
void Metrics::JobCancelLatency(double seconds) { impl_->cancel_latency.Observe(seconds); }
void Metrics::CheckpointSaved(int64_t size_bytes, double write_seconds) {
  impl_->checkpoint_write.Observe(write_seconds);
  impl_->checkpoint_bytes.Increment(static_cast<double>(size_bytes));
}
void Metrics::CheckpointFailures(int64_t count) {
  impl_->checkpoint_failures.Increment(static_cast<double>(count));
}
void Metrics::TrainingProgress(int64_t samples, int64_t steps, double busy_seconds) {
  impl_->samples.Increment(static_cast<double>(samples));
  impl_->steps.Increment(static_cast<double>(steps));
  impl_->busy.Increment(busy_seconds);
}
void Metrics::TrainingNonFinite() { impl_->nonfinite.Increment(); }

void Metrics::StoreCommit(double fsync_seconds) { impl_->fsync.Observe(fsync_seconds); }
void Metrics::StoreError() { impl_->store_errors.Increment(); }
void Metrics::StoreAppended(int64_t bytes) {
  impl_->appended.Increment(static_cast<double>(bytes));
}
void Metrics::StoreReplayed(double seconds) { impl_->replay.Set(seconds); }

void Metrics::DatasetUploaded(int64_t bytes) {
  impl_->uploaded.Increment(static_cast<double>(bytes));
}
void Metrics::DatasetIngested(double seconds, int64_t rows) {
  impl_->ingest.Observe(seconds);
  impl_->rows.Increment(static_cast<double>(rows));
}
void Metrics::DatasetRowsRejected(absl::string_view reason, int64_t rows) {
  impl_->rejected_rows.Increment(reason, static_cast<double>(rows));
}
void Metrics::DatasetDedupHit() { impl_->dedup_hits.Increment(); }

void Metrics::WatchStarted() { impl_->watch_streams.Increment(); }
void Metrics::WatchEnded() { impl_->watch_streams.Decrement(); }
void Metrics::WatchEventsSent(int64_t count) {
  impl_->watch_events.Increment(static_cast<double>(count));
}
void Metrics::WatchResumed() { impl_->watch_resumes.Increment(); }
void Metrics::WatchCoalesced(int64_t count) {
  impl_->watch_coalesced.Increment(static_cast<double>(count));
}
void Metrics::PredictedRows(int64_t count) {
  impl_->predicted_rows.Increment(static_cast<double>(count));
}

void Metrics::RpcStarted(absl::string_view method, absl::string_view grpc_type) {
  impl_->rpc.Started(method, grpc_type);
}
void Metrics::RpcHandled(absl::string_view method, absl::string_view grpc_type,
                         absl::string_view code, double seconds) {
  impl_->rpc.Handled(method, grpc_type, code, seconds);
}
void Metrics::RpcMessageReceived(absl::string_view method, absl::string_view grpc_type) {
  impl_->rpc.MessageReceived(method, grpc_type);
}
void Metrics::RpcMessageSent(absl::string_view method, absl::string_view grpc_type) {
  impl_->rpc.MessageSent(method, grpc_type);
}

GradingMetrics& Metrics::grading() { return impl_->grading; }

void Metrics::SetSnapshot(std::function<Snapshot()> snapshot) {
  impl_->live->SetSource(std::move(snapshot));
}
void Metrics::SetJobSeries(const JobSeriesOptions& options,
                           std::function<std::vector<JobSeries>()> series) {
  impl_->job_series->SetSource(options, std::move(series));
}
void Metrics::SetBuildInfo(absl::string_view version, absl::string_view revision,
                           absl::string_view onednn_version, absl::string_view isa) {
  impl_->live->SetBuildInfo({{"version", std::string(version)},
                             {"revision", std::string(revision)},
                             {"onednn_version", std::string(onednn_version)},
                             {"isa", std::string(isa)}});
}

absl::Status Metrics::Listen(const std::string& address) { return impl_->Listen(address); }
int Metrics::port() const { return impl_->port(); }
void Metrics::Stop() { impl_->Stop(); }

}  // namespace trainyard
