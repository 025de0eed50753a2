// Checkpoints of a training: the whole state between two steps as bytes, from which another
// process on the same kind of machine goes on and ends with the same bits as if it had never been
// interrupted. What the state is made of is described once, by the TransferState of everything that
// has any (core/base/state_archive.h).
//
//   checkpoint := magic:"TYCHKPT1" version:u32(=1) identity_size:u32 identity steps_done:i64
//                 state crc32c:u32(of all before it)
//   state      := runs trainer          as Runs and Trainer transfer it; see seed_runs.cc, trainer.cc
//   Numbers are little-endian. Whoever changes a TransferState raises the version.
//
// `identity` says what the state belongs to: spec, data, build and instruction set. One of another
// identity is refused, since what followed would not be what an undisturbed run had done.
//
// Thread-safety: pure functions.
#ifndef TRAINYARD_CORE_TRAIN_CHECKPOINT_H_
#define TRAINYARD_CORE_TRAIN_CHECKPOINT_H_

#include <cstdint>
#include <functional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "core/base/state_archive.h"

namespace trainyard {

using StateTransfer = std::function<void(StateArchive* archive)>;

// Where a training's checkpoints go. Called on the training thread.
class CheckpointSink {
 public:
  virtual ~CheckpointSink() = default;
  // Whether one is wanted now; asked before every step, so that it should be an atomic load.
  // `at_epoch_start`: no step of the epoch is done yet.
  virtual bool IsDue(bool at_epoch_start) = 0;
  // Takes one: `transfer` writes the state and is valid during the call only. steps_done: over the
  // whole run.
  virtual void Save(int64_t steps_done, const StateTransfer& transfer) = 0;
};

// What a training is given of checkpoints.
struct Checkpointing {
  CheckpointSink* sink = nullptr;  // null: none is taken
  absl::string_view state;         // to go on from; empty: from the beginning
};

std::string EncodeCheckpoint(absl::string_view identity, int64_t steps_done,
                             const StateTransfer& transfer);

// The state in `bytes`, which it refers to. Errors: DATA_LOSS/CORRUPT_CHECKPOINT (magic, version,
// checksum, sizes, another identity).
absl::StatusOr<absl::string_view> DecodeCheckpoint(absl::string_view bytes,
                                                   absl::string_view identity);

// DATA_LOSS/CORRUPT_CHECKPOINT: it cannot be gone on from, and a job starts from another or from
// the beginning.
absl::Status UnusableCheckpoint(absl::string_view why);

}  // namespace trainyard

#endif  // TRAINYARD_CORE_TRAIN_CHECKPOINT_H_
