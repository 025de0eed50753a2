// JobRunner trains one assignment after the other: table → dataset → trainer → bundle → blob →
// outcome. It knows nothing of gRPC, and never fails: whatever goes wrong is an outcome.
//
//   JobRunner runner(&blobs);
//   v1::JobOutcome outcome = runner.Run(assignment, &stop, &sink);   // events went to `sink`
//   before this returns
//
// Thread-safety: none; one training thread, always the same (the engine's thread pool belongs to
// it).
#ifndef TRAINYARD_SERVER_WORKER_JOB_RUNNER_H_
#define TRAINYARD_SERVER_WORKER_JOB_RUNNER_H_

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/base/stop_flag.h"
#include "core/data/dataset.h"
#include "core/tensor/engine_info.h"
#include "core/train/trainer.h"
#include "server/worker/event_sink.h"
#include "server/worker/reporter.h"
#include "server/worker/table_cache.h"
#include "trainyard/v1/worker.pb.h"

namespace trainyard {

class JobRunner {
 public:
  // REQUIRES: `blobs` outlives the runner.
  explicit JobRunner(BlobClient* blobs);

  // Trains a tiny network, so that the first job does not pay for the engine's start.
  void WarmUp();
  v1::JobOutcome Run(const v1::Assignment& assignment, StopFlag* stop, EventSink* sink);

 private:
  absl::StatusOr<v1::JobOutcome::Succeeded> Train(const v1::Assignment& assignment,
                                                  const StopFlag& stop, Reporter* reporter);
  absl::StatusOr<std::shared_ptr<const Table>> LoadTable(const v1::Assignment& assignment);
  absl::StatusOr<std::string> LoadTableBytes(const v1::Assignment& assignment);
  absl::StatusOr<v1::JobOutcome::Succeeded> Store(const v1::Assignment& assignment,
                                                  const Dataset& dataset, TrainResult result);

  BlobClient* const blobs_;
  const EngineInfo engine_;
  TableCache tables_;
};

}  // namespace trainyard

#endif  // TRAINYARD_SERVER_WORKER_JOB_RUNNER_H_
