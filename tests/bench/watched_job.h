// A long job of about ten step events a second, and connections to watch it on: what benchmarks of
// watching share.
//
//   TY_ASSIGN_OR_RETURN(v1::TrainingSpec spec, WatchedSpec(*service, dataset, /*seconds=*/30));
//   const auto stubs = WatchConnections(service->address());
//
// Thread-safety: free functions; a Watcher is read once it has ended. Errors: the status of the
// failed call.
#ifndef TRAINYARD_TESTS_BENCH_WATCHED_JOB_H_
#define TRAINYARD_TESTS_BENCH_WATCHED_JOB_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/synchronization/blocking_counter.h"
#include "tests/bench/live_service.h"

namespace trainyard::bench {

// Long steps, and many in an epoch, so that nearly all events are step events, whose rate the spec
// decides.
inline constexpr int kWatchedRows = 200'000;
inline constexpr int kWatchedEventsPerSecond = 10;

// A job on RandomTable(kWatchedRows, 10) that runs for `seconds`. Trains for two seconds to find
// how many steps lie between two events.
absl::StatusOr<v1::TrainingSpec> WatchedSpec(LiveService& service, const std::string& dataset,
                                             int seconds);
// Reads one job's events to their end.
class Watcher : public grpc::ClientReadReactor<v1::WatchTrainingJobResponse> {
 public:
  // `*stub` and `*done` must outlive the watch; `done` is decremented at its end.
  Watcher(v1::JobService::Stub* stub, const std::string& job, absl::BlockingCounter* done);
  // To be called once the object is whole: events come at once.
  void Start();
  void OnReadDone(bool ok) override;
  void OnDone(const grpc::Status& status) override;

  // Of the watch that has ended.
  const grpc::Status& status() const { return status_; }

 private:
  virtual void See(const v1::JobEvent& /*event*/) {}

  v1::JobService::Stub* const stub_;
  absl::BlockingCounter* const done_;
  grpc::ClientContext context_;
  v1::WatchTrainingJobRequest request_;
  v1::WatchTrainingJobResponse response_;
  grpc::Status status_;
};
// Ten connections for watchers to share.
std::vector<std::unique_ptr<v1::JobService::Stub>> WatchConnections(const std::string& address);

}  // namespace trainyard::bench

#endif  // TRAINYARD_TESTS_BENCH_WATCHED_JOB_H_
