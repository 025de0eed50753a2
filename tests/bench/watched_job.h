// A long job of about ten step events a second, and connections to watch it on: what benchmarks of
// watching share.
//
//   TY_ASSIGN_OR_RETURN(v1::TrainingSpec spec, WatchedSpec(*service, dataset, /*seconds=*/30));
//   const auto stubs = WatchConnections(service->address());
//
// Thread-safety: free functions. Errors: the status of the failed call.
#ifndef TRAINYARD_TESTS_BENCH_WATCHED_JOB_H_
#define TRAINYARD_TESTS_BENCH_WATCHED_JOB_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
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
// Ten connections for watchers to share.
std::vector<std::unique_ptr<v1::JobService::Stub>> WatchConnections(const std::string& address);

}  // namespace trainyard::bench

#endif  // TRAINYARD_TESTS_BENCH_WATCHED_JOB_H_
