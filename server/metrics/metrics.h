// Metrics is every number an operator sees (METRICS.md section 2), behind plain methods:
// prometheus-cpp stays in metrics.cc. Gauges that mirror live state are not set but collected: give
// a snapshot function with SetSnapshot.
//
// Thread-safety: all methods from any thread; each costs well under a microsecond once a label set
// was seen.
#ifndef TRAINYARD_SERVER_METRICS_METRICS_H_
#define TRAINYARD_SERVER_METRICS_METRICS_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace trainyard {

class Metrics {
 public:
  Metrics();
  ~Metrics();

  // Jobs. `reason` is the lower-case name of an ErrorReason.
  void JobSubmitted();
  void JobSubmitDuplicate();
  void JobRejected(absl::string_view reason);
  void JobFinished();  // SUCCEEDED
  void JobFailed(absl::string_view reason);
  void JobCancelled();
  void JobAttempt();
  void JobPreempted();  // asked to yield to an INTERACTIVE job
  void CheckpointSaved(int64_t size_bytes);
  void JobsRecovered(int64_t count);
  void JobQueueWait(double seconds);    // submit to first start
  void JobRunDuration(double seconds);  // start to end
  void JobCancelLatency(double seconds);
  void TrainingProgress(int64_t samples, int64_t steps, double busy_seconds);  // increments
  void TrainingNonFinite();

  // Storage.
  void StoreCommit(double fsync_seconds);
  void StoreError();
  void StoreAppended(int64_t bytes);

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

  // What is collected at each scrape.
  struct Snapshot {
    int64_t jobs_pending = 0, jobs_running = 0, jobs_cancelling = 0;
    int64_t queue_capacity = 0;
    double oldest_pending_timestamp_seconds = 0;  // 0: none
    int workers = 0, workers_busy = 0;
    int64_t datasets_uploading = 0, datasets_ready = 0;
    int64_t storage_free_bytes = 0, storage_size_bytes = 0, dataset_stored_bytes = 0;
    bool storage_full = false;
  };
  void SetSnapshot(std::function<Snapshot()> snapshot);

  // Per-job series at /metrics/jobs: at most 200 jobs, newest first (METRICS.md section 3).
  struct JobSeries {
    std::string job_id, owner, display_name;
    bool has_train_loss = false, has_validation_loss = false;
    double train_loss = 0, validation_loss = 0, learning_rate = 0, progress_ratio = 0,
           last_update_seconds = 0;
    int64_t epoch = 0;
  };
  void SetJobSeries(std::function<std::vector<JobSeries>()> series);
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
