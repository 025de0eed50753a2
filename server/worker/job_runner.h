// JobRunner works on one assignment after the other: table → dataset → training → bundle, or
// analysis → result, → blob → outcome. It knows nothing of gRPC, and never fails: whatever goes
// wrong is an outcome.
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
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/base/stop_flag.h"
#include "core/data/dataset.h"
#include "core/model/bundle.h"
#include "core/tensor/engine_info.h"
#include "core/train/seed_runs.h"
#include "server/worker/event_sink.h"
#include "server/worker/prepared_store.h"
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
  v1::JobOutcome Run(const v1::JobAssignment& assignment, StopFlag* stop, EventSink* sink);

 private:
  // By what a model was trained with features and target scaled.
  struct Scales {
    Preprocessor features;
    TargetUnit target;
  };
  // What an assignment works with.
  struct Job {
    TrainConfig config;
    Dataset dataset;                // with folds: the one of the first, until the best is known
    std::optional<Scales> scaling;  // of the model to start from or to analyse
    MlpWeights network;          // of the model to start from or to analyse; empty: drawn
    std::string initial_digest;  // of that model's bundle
  };

  // Where an attempt goes on from.
  struct Start {
    v1::Checkpoint checkpoint;        // default: from the beginning
    std::string state;                // as the checkpoint has it; empty: from the beginning
    std::vector<v1::JobEvent> notes;  // of checkpoints that were passed over
  };

  // The newest checkpoint of the assignment that can be read.
  Start FindStart(const v1::JobAssignment& assignment);
  absl::StatusOr<v1::JobOutcome::Succeeded> Work(const v1::JobAssignment& assignment,
                                                 const Start& start, const StopFlag& stop,
                                                 Reporter* reporter);
  absl::StatusOr<v1::JobOutcome::Succeeded> Train(const v1::JobAssignment& assignment, Job job,
                                                  const Start& start, const StopFlag& stop,
                                                  Reporter* reporter);
  absl::StatusOr<v1::JobOutcome::Succeeded> Analyze(const v1::JobAssignment& assignment,
                                                    const Job& job, const StopFlag& stop,
                                                    Reporter* reporter);
  // `reporter` may be null, as in Prepare.
  absl::StatusOr<Job> Load(const v1::JobAssignment& assignment, Reporter* reporter);
  // The data of a job, where it can from the files that workers share. What is worth telling of it goes to `reporter`, unless that is null.
  absl::StatusOr<Dataset> Prepare(const v1::JobAssignment& assignment, const Job& job, int64_t fold,
                                  Reporter* reporter);
  // For next jobs. What is in a file of its own meanwhile gives that up for the one that is kept.
  void Keep(const std::string& key, const DataConfig& config, PreparedData* prepared);
  absl::StatusOr<PreparedData> Build(const v1::JobAssignment& assignment, const Job& job, int64_t fold);
  // The bundle of a model the assignment names.
  absl::StatusOr<Bundle> LoadModel(const v1::JobAssignment& assignment, const std::string& model);
  absl::StatusOr<std::shared_ptr<const Table>> LoadTable(const v1::JobAssignment& assignment,
                                                         const std::string& digest,
                                                         const std::string& path);
  absl::StatusOr<Table> ReadTable(const std::string& digest, const std::string& path);
  absl::StatusOr<v1::JobOutcome::Succeeded> Store(const v1::JobAssignment& assignment, const Job& job,
                                                  SeedsResult result);
  // Stores what the assignment came to; the answer has its digest and size.
  absl::StatusOr<v1::JobOutcome::Succeeded> WriteResult(const std::string& bytes);

  BlobClient* const blobs_;
  const EngineInfo engine_;
  TableCache tables_;
  PreparedStore prepared_;
};

}  // namespace trainyard

#endif  // TRAINYARD_SERVER_WORKER_JOB_RUNNER_H_
