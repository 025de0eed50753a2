// A job's history as event files of TensorBoard: what `tensorboard --logdir` draws as scalars and
// histograms.
//
//   TY_ASSIGN_OR_RETURN(const auto log, TensorBoardLog::Create(job, "runs/first"));
//   for (const v1::JobEvent& event : events) TY_RETURN_IF_ERROR(log->Write(event));
//
// Files: `events.out.tfevents.{time}.{job's id}` in the folder, and one more in `run_{N}` below it
// for each seed or fold when there is more than one. Format (little-endian; not ours to change):
//
//   file   := record*
//   record := u64 size of data | u32 masked(crc32c(the 8 bytes before)) | data
//             | u32 masked(crc32c(data))
//   masked(crc) := (crc >> 15 | crc << 17) + 0xa282ead8
//   data   := protobuf tensorflow.Event: the first of a file has file_version "brain.Event:2", the
//             others wall_time, step and a summary, or a session_log
//
// The names of scalars are those of job_history.h; layers have histograms besides,
// `{layer}/weights` and `{layer}/gradients`. A step is the number of steps done. Values are rounded
// to single precision, which is what the format has.
#ifndef TRAINYARD_CLIENT_TENSORBOARD_H_
#define TRAINYARD_CLIENT_TENSORBOARD_H_

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "client/local_file.h"
#include "trainyard/v1/job.pb.h"

namespace trainyard {

// `data` as one record of an event file.
std::string TensorBoardRecord(absl::string_view data);

// The event files of one job.
//
// Thread-safety: none; one object per job.
// Errors: usage errors (local_file.h). What was written before an error stays and can be read.
class TensorBoardLog {
 public:
  // Makes `folder`. Errors: usage, when it has event files already: TensorBoard draws all files of
  // a folder as one run.
  static absl::StatusOr<std::unique_ptr<TensorBoardLog>> Create(const v1::TrainingJob& job,
                                                                const std::string& folder);

  // Writes the event's numbers, at once for programs that read along. A rewind makes TensorBoard
  // forget what is void. Events without numbers leave no trace. Takes events in their order.
  absl::Status Write(const v1::JobEvent& event);

 private:
  // The number of a seed or fold; nullopt for the folder itself.
  using Run = std::optional<int32_t>;

  TensorBoardLog(const v1::TrainingJob& job, std::string folder);
  absl::Status WriteSummaries(const v1::JobEvent& event);
  absl::Status WriteRewind(const v1::JobEvent& event);
  absl::StatusOr<GrowingFile*> FileOf(Run run, const v1::JobEvent& event);

  const std::string folder_;
  const std::string file_name_;
  const bool has_runs_;
  int64_t steps_done_ = 0;  // of the event before
  std::map<Run, std::unique_ptr<GrowingFile>> files_;
};

}  // namespace trainyard

#endif  // TRAINYARD_CLIENT_TENSORBOARD_H_
