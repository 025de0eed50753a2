// The Status of a system call that failed: one set of codes and hints for all files.
//
//   if (fd < 0) return ErrnoError("cannot open", path);
//
// Codes: NOT_FOUND (ENOENT), ALREADY_EXISTS (EEXIST), RESOURCE_EXHAUSTED with reason STORAGE_FULL (no space, quota), INTERNAL
// for the rest. Thread-safety: pure function of errno.
#ifndef TRAINYARD_CORE_BASE_ERRNO_ERROR_H_
#define TRAINYARD_CORE_BASE_ERRNO_ERROR_H_

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace trainyard {

// `cannot open "/data/x": Permission denied`. REQUIRES: errno is that of the call.
absl::Status ErrnoError(absl::string_view what, absl::string_view path);

}  // namespace trainyard

#endif  // TRAINYARD_CORE_BASE_ERRNO_ERROR_H_
