// What the stores share in reading rows: the `record` column back into its message, pages of them,
// and the errors for what should be there and is not.
//
// Thread-safety: functions of a Statement, inside its body.
#ifndef TRAINYARD_SERVER_STORAGE_RECORDS_H_
#define TRAINYARD_SERVER_STORAGE_RECORDS_H_

#include <cstdint>
#include <string>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "google/protobuf/message_lite.h"

namespace trainyard {

class Statement;

// A page ends early when its rows have this many bytes, so that an answer of wide rows stays under
// limits::kAnswerBytesMax.
inline constexpr int64_t kPageBytesTarget = int64_t{1} << 20;

// DATA_LOSS when the bytes are no such message; `what` names the row.
absl::Status ParseRecord(absl::string_view bytes, absl::string_view what,
                         google::protobuf::MessageLite* message);

// Hands at most `size` rows of (number, record) to `add`, which returns the bytes that the row adds
// to the answer; returns the next page's token, empty when this page is the last. REQUIRES: `rows`
// selects at least size + 1 when there are more.
absl::StatusOr<std::string> ReadPage(
    Statement& rows, int64_t size,
    absl::FunctionRef<absl::StatusOr<int64_t>(absl::string_view record)> add);

// DATA_LOSS: the row of `name` refers to a blob that is not there.
absl::Status MissingBlob(absl::string_view name, absl::string_view digest);

}  // namespace trainyard

#endif  // TRAINYARD_SERVER_STORAGE_RECORDS_H_
