#include "server/storage/records.h"

#include "absl/strings/str_cat.h"
#include "core/base/error_info.h"
#include "core/base/status_macros.h"
#include "server/storage/database.h"

namespace trainyard {
namespace {

absl::Status DataLoss(absl::string_view message) {
  return MakeError(absl::StatusCode::kDataLoss, message,
                   {.reason = ErrorReason::kDataLoss,
                    .hint = "the disk is damaged; restore the data directory from a backup"});
}

}  // namespace

absl::Status ParseRecord(absl::string_view bytes, absl::string_view what,
                         google::protobuf::MessageLite* message) {
  if (message->ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
    return absl::OkStatus();
  }
  return DataLoss(absl::StrCat("the stored record of ", what, " cannot be read"));
}

absl::StatusOr<std::string> ReadPage(
    Statement& rows, int64_t size,
    absl::FunctionRef<absl::StatusOr<int64_t>(absl::string_view record)> add) {
  int64_t last_number = 0;
  int64_t bytes = 0;
  for (int64_t count = 0;; ++count) {
    TY_ASSIGN_OR_RETURN(const bool more, rows.Step());
    if (!more) return std::string();
    if (count == size || bytes >= kPageBytesTarget) return absl::StrCat(last_number);
    TY_ASSIGN_OR_RETURN(const int64_t added_bytes, add(rows.Text(1)));
    bytes += added_bytes;
    last_number = rows.Int(0);
  }
}

absl::Status MissingBlob(absl::string_view name, absl::string_view digest) {
  return DataLoss(absl::StrCat(name, ": its blob ", digest, " is missing"));
}

}  // namespace trainyard
