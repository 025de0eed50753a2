// CheckpointWriter takes a training's checkpoints to the server, beside the training: the training
// thread only makes the bytes, a thread of its own stores them and reports them. It decides when.
//
//   CheckpointWriter checkpoints({.identity = CheckpointIdentity(assignment, engine),
//                                 .interval = absl::Seconds(30)}, blobs, &reporter);
//   TrainSeeds(…, {.sink = &checkpoints});
//   // The destructor waits until what was taken is stored and reported.
//
// One is due `interval` after the one before, at the next start of an epoch, or at any step when
// that takes longer than another interval; and so seldom that making the bytes takes at most a
// fiftieth of the time. One that cannot be stored is lost, counted and told in the log: the job
// goes on.
//
// Thread-safety: IsDue and Save from the training thread. Owns one thread "ty-checkpoint".
// Lifetime: blobs and reporter must outlive it. Memory: the bytes of one checkpoint, two for a
// moment when a yield meets one that is being stored.
#ifndef TRAINYARD_SERVER_WORKER_CHECKPOINT_WRITER_H_
#define TRAINYARD_SERVER_WORKER_CHECKPOINT_WRITER_H_

#include <atomic>
#include <cstdint>
#include <optional>
#include <string>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "core/tensor/engine_info.h"
#include "core/train/checkpoint.h"
#include "server/worker/event_sink.h"
#include "server/worker/reporter.h"

namespace trainyard {

// What a checkpoint of `assignment` taken by this process belongs to: spec, data, build, oneDNN and
// instruction set. Jobs repeat bit for bit within it.
std::string CheckpointIdentity(const v1::JobAssignment& assignment, const EngineInfo& engine);

class CheckpointWriter : public CheckpointSink {
 public:
  struct Options {
    std::string identity;
    absl::Duration interval = absl::InfiniteDuration();  // infinite: only when the run yields
  };
  CheckpointWriter(Options options, BlobClient* blobs, Reporter* reporter);
  ~CheckpointWriter() override;

  bool IsDue(bool at_epoch_start) override {
    const Due due = due_.load(std::memory_order_relaxed);
    return due == Due::kNow || (due == Due::kAtEpochStart && at_epoch_start);
  }
  void Save(int64_t steps_done, const StateTransfer& transfer) override;

 private:
  enum class Due : int { kNot, kAtEpochStart, kNow };
  struct Taken {
    absl::Time start;
    std::string bytes;
    v1::Checkpoint checkpoint;  // complete but for the digest
  };

  void Run();
  void Store(Taken taken);

  const Options options_;
  BlobClient* const blobs_;
  Reporter* const reporter_;
  std::atomic<Due> due_{Due::kNot};

  absl::Mutex mu_;
  std::optional<Taken> waiting_ ABSL_GUARDED_BY(mu_);
  absl::Duration interval_ ABSL_GUARDED_BY(mu_);  // to the next one
  bool finished_ ABSL_GUARDED_BY(mu_) = false;
  std::thread thread_;
};

}  // namespace trainyard

#endif  // TRAINYARD_SERVER_WORKER_CHECKPOINT_WRITER_H_
