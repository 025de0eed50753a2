// Metrics is every number an operator sees (METRICS.md section 2), behind plain methods:
// prometheus-cpp stays in metrics.cc. Gauges that mirror live state are not set but collected: give
// a snapshot function with SetSnapshot.
//
// Jobs are counted by the label `queue`: their class, interactive, normal or batch.
//
// Thread-safety: all methods from any thread; each costs well under a microsecond once a label set
// was seen.
#ifndef TRAINYARD_SERVER_METRICS_METRICS_H_
#define TRAINYARD_SERVER_METRICS_METRICS_H_

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "server/metrics/grading_metrics.h"
#include "server/wire/priority_class.h"
#include "trainyard/v1/job.pb.h"

namespace trainyard {

// What /metrics/jobs shows: nothing; jobs by their id; also owner and display name, which are other
// people's to see only where whoever reads Prometheus may see them.
enum class JobSeriesLevel { kOff, kId, kFull };

class Metrics {
 public:
  Metrics();
  ~Metrics();

  // Jobs. `reason` is the lower-case name of an ErrorReason.
  void JobSubmitted(v1::JobPriority queue);
  void JobSubmitDuplicate();
  void JobRejected(absl::string_view reason);
  void JobFinished(v1::JobPriority queue);  // SUCCEEDED
  void JobFailed(v1::JobPriority queue, absl::string_view reason);
  void JobCancelled(v1::JobPriority queue);
  void JobAttempt(v1::JobPriority queue);
  void JobPreempted(v1::JobPriority queue);  // asked to yield to an INTERACTIVE job
  void JobsRecovered(int64_t count);
  void JobQueueWait(v1::JobPriority queue, double seconds);    // submit to first start
  void JobRunDuration(v1::JobPriority queue, double seconds);  // start to end
  void JobCancelLatency(double seconds);
  void CheckpointSaved(int64_t size_bytes, double write_seconds);
  void CheckpointFailures(int64_t count);
  void TrainingProgress(int64_t samples, int64_t steps, double busy_seconds);  // increments
  void TrainingNonFinite();

  // Storage.
  void StoreCommit(double fsync_seconds);
  void StoreError();
  void StoreAppended(int64_t bytes);
  void StoreReplayed(double seconds);  // what the start took to read what is stored

  // Datasets.
  void DatasetUploaded(int64_t bytes);
  void DatasetIngested(double seconds, int64_t rows);
  void DatasetRowsRejected(absl::string_view reason, int64_t rows);
  void DatasetDedupHit();

  // Streams and predictions.
  void WatchStarted();
  void WatchEnded();
  void WatchEventsSent(int64_t count);
  void WatchResumed();
  void WatchCoalesced(int64_t count);
  void PredictedRows(int64_t count);

  // gRPC, with go-grpc-prometheus's names. `method` is "/trainyard.v1.JobService/GetTrainingJob";
  // `grpc_type` is "unary", "client_stream", "server_stream" or "bidi_stream"; `code` is "OK",
  // "NotFound", ….
  void RpcStarted(absl::string_view method, absl::string_view grpc_type);
  void RpcHandled(absl::string_view method, absl::string_view grpc_type, absl::string_view code,
                  double seconds);
  void RpcMessageReceived(absl::string_view method, absl::string_view grpc_type);
  void RpcMessageSent(absl::string_view method, absl::string_view grpc_type);

  // Submissions, points and deliveries of courses. Lives as long as this.
  GradingMetrics& grading();

  // What is collected at each scrape.
  struct Queue {
    int64_t jobs_pending = 0, jobs_running = 0, jobs_cancelling = 0;
    double oldest_pending_timestamp_seconds = 0;  // 0: none
  };
  struct Snapshot {
    std::array<Queue, kPriorityClassCount> queues;  // by PriorityClassOf
    int64_t queue_capacity = 0;
    int workers = 0, workers_busy = 0;
    int64_t datasets_uploading = 0, datasets_ready = 0, dataset_stored_bytes = 0;
    int64_t store_size_bytes = 0;                            // the database
    int64_t storage_free_bytes = 0, storage_size_bytes = 0;  // the disk
    bool storage_full = false;
  };
  void SetSnapshot(std::function<Snapshot()> snapshot);

  // Per-job series at /metrics/jobs, newest job first (METRICS.md section 3).
  struct JobSeries {
    std::string job_id, owner, display_name;
    v1::JobPriority queue = v1::JOB_PRIORITY_UNSPECIFIED;
    // Empty while there is none.
    std::optional<double> train_loss, validation_loss, objective, learning_rate;
    // Since 1970; empty once the job has ended, so that silence is that of a running job.
    std::optional<double> last_update_seconds;
    double progress_ratio = 0;
    int64_t epoch = 0;  // finished ones
  };
  struct JobSeriesOptions {
    JobSeriesLevel level = JobSeriesLevel::kId;
    // The first so many of what `series` returns. More: longer curves of busy servers in
    // Prometheus, at 8 series of memory each.
    size_t jobs_max = 200;
  };
  void SetJobSeries(const JobSeriesOptions& options,
                    std::function<std::vector<JobSeries>()> series);
  void SetBuildInfo(absl::string_view version, absl::string_view revision,
                    absl::string_view onednn_version, absl::string_view isa);

  // Serves /metrics and /metrics/jobs on "host:port" (port 0 picks one). Returns INVALID_ARGUMENT
  // when it cannot.
  absl::Status Listen(const std::string& address);
  int port() const;
  // No callback runs after this returns.
  void Stop();

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace trainyard

#endif  // TRAINYARD_SERVER_METRICS_METRICS_H_
