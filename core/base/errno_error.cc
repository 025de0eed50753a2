#include "core/base/errno_error.h"

#include <cerrno>
#include <cstring>
#include <string>

#include "absl/strings/str_cat.h"
#include "core/base/error_info.h"

namespace trainyard {

absl::Status ErrnoError(absl::string_view what, absl::string_view path) {
  const int error = errno;
  const std::string message = absl::StrCat(what, " \"", path, "\": ", std::strerror(error));
  if (error == ENOENT) {
    return MakeError(absl::StatusCode::kNotFound, message, {.reason = ErrorReason::kNotFound});
  }
  if (error == EEXIST) {
    return MakeError(absl::StatusCode::kAlreadyExists, message,
                     {.reason = ErrorReason::kInvalidState});
  }
  if (error == ENOSPC || error == EDQUOT) {
    return MakeError(absl::StatusCode::kResourceExhausted, message,
                     {.reason = ErrorReason::kStorageFull,
                      .hint = "free space on the disk of the data directory, then retry"});
  }
  return MakeError(absl::StatusCode::kInternal, message,
                   {.reason = ErrorReason::kInternal,
                    .hint = "check the permissions and the health of the data directory's disk"});
}

}  // namespace trainyard
