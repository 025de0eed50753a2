// Checks that several requests share. Faults go to `violations`, with the field's path.
// Thread-safety: pure functions.
#ifndef TRAINYARD_SERVER_SERVICES_REQUEST_CHECKS_H_
#define TRAINYARD_SERVER_SERVICES_REQUEST_CHECKS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "core/base/error_info.h"
#include "trainyard/v1/dataset.pb.h"
#include "trainyard/v1/job.pb.h"

namespace trainyard {

// At most limits::kDisplayNameBytesMax bytes (proto3 has checked the UTF-8).
void CheckDisplayName(absl::string_view field, absl::string_view name,
                      std::vector<FieldViolation>* violations);
// Empty, or a UUID: 8-4-4-4-12 hex digits.
void CheckRequestId(absl::string_view request_id, std::vector<FieldViolation>* violations);
// INVALID_REQUEST with all of them; OK when there are none.
absl::Status InvalidRequest(std::vector<FieldViolation> violations);
absl::Status InvalidRequest(absl::string_view field, absl::string_view description);

// The field `data` of one message of a stream: at most limits::kChunkBytesMax bytes.
absl::Status CheckChunk(absl::string_view data);

// FAILED_PRECONDITION/INVALID_STATE unless the dataset is READY and not sealed: whether callers may
// have something computed from its cells.
absl::Status CheckReady(const v1::Dataset& dataset);
// FAILED_PRECONDITION/INVALID_STATE when the job trains for a submission: `name`, the job or what
// it made, is nobody's to change.
absl::Status CheckNotGraded(absl::string_view name, const v1::TrainingJob& job);
// What an answer may tell of a dataset: of a sealed one names, types and kinds of columns.
v1::Dataset VisibleOf(v1::Dataset dataset);

}  // namespace trainyard

#endif  // TRAINYARD_SERVER_SERVICES_REQUEST_CHECKS_H_
