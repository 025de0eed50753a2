#include "server/worker/checkpoint_writer.h"

#include <pthread.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/base/ids.h"
#include "server/base/log.h"
#include "server/base/steady_clock.h"
#include "server/base/version.h"

namespace trainyard {
namespace {

// Making the bytes holds training up: at most for a fiftieth of the time.
constexpr int kPauseShare = 50;

}  // namespace

std::string CheckpointIdentity(const v1::JobAssignment& assignment, const EngineInfo& engine) {
  return absl::StrCat("spec ", assignment.spec_digest(), ", table ", assignment.table_digest(),
                      ", test table ", assignment.test_table_digest(), ", build ", BuildString(),
                      ", oneDNN ", engine.onednn_version, ", ISA ", engine.isa);
}

CheckpointWriter::CheckpointWriter(Options options, BlobClient* blobs, Reporter* reporter)
    : options_(std::move(options)),
      blobs_(blobs),
      reporter_(reporter),
      interval_(options_.interval),
      thread_([this] { Run(); }) {}

CheckpointWriter::~CheckpointWriter() {
  {
    absl::MutexLock lock(&mu_);
    finished_ = true;
  }
  thread_.join();
}

void CheckpointWriter::Save(int64_t steps_done, const StateTransfer& transfer) {
  const absl::Time start = SteadyNow();
  Taken taken{.start = start,
              .bytes = EncodeCheckpoint(options_.identity, steps_done, transfer),
              .checkpoint = reporter_->CheckpointNow()};
  taken.checkpoint.set_step(steps_done);
  taken.checkpoint.set_size_bytes(static_cast<int64_t>(taken.bytes.size()));
  due_.store(Due::kNot, std::memory_order_relaxed);

  const auto has_room = [this]() ABSL_NO_THREAD_SAFETY_ANALYSIS { return !waiting_.has_value(); };
  absl::MutexLock lock(&mu_);
  mu_.Await(absl::Condition(&has_room));
  interval_ = std::max(options_.interval, kPauseShare * (SteadyNow() - start));
  waiting_ = std::move(taken);
}

void CheckpointWriter::Run() {
  pthread_setname_np(pthread_self(), "ty-checkpoint");
  const auto has_work = [this]() ABSL_NO_THREAD_SAFETY_ANALYSIS {
    return finished_ || waiting_.has_value();
  };
  while (true) {
    std::optional<Taken> taken;
    {
      absl::MutexLock lock(&mu_);
      if (!AwaitFor(mu_, absl::Condition(&has_work), interval_)) {
        const bool waited = due_.load(std::memory_order_relaxed) != Due::kNot;
        due_.store(waited ? Due::kNow : Due::kAtEpochStart, std::memory_order_relaxed);
        continue;
      }
      taken = std::exchange(waiting_, std::nullopt);
      if (!taken.has_value()) return;  // finished
    }
    Store(*std::move(taken));
  }
}

void CheckpointWriter::Store(Taken taken) {
  taken.checkpoint.set_digest(Sha256Digest(taken.bytes));
  const absl::Status stored = blobs_->WriteBlob(taken.bytes, taken.checkpoint.digest());
  if (stored.ok()) {
    return reporter_->AddCheckpoint(std::move(taken.checkpoint),
                                    absl::ToDoubleSeconds(SteadyNow() - taken.start));
  }
  reporter_->CountCheckpointFailure();
  Log::Warning("checkpoint_lost",
               {{"step", taken.checkpoint.step()}, {"error", stored.ToString()}});
}

}  // namespace trainyard
