// Brings a local table to the server: create, write, finalize. A stream that breaks is taken up
// again where the server has the bytes; an upload that ends without a READY dataset is deleted.
//
// Thread-safety: one call at a time per Remote and Screen.
#ifndef TRAINYARD_CLIENT_UPLOAD_H_
#define TRAINYARD_CLIENT_UPLOAD_H_

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "client/remote.h"
#include "client/screen.h"
#include "trainyard/v1/dataset.pb.h"

namespace trainyard {

struct UploadOptions {
  std::string path;
  std::string display_name;  // empty: the file's name
  v1::CsvOptions csv;
  std::string request_id;  // empty: a new one
};

// The READY dataset. Progress goes to `screen`'s stderr. The digest of the bytes that were sent is
// checked by the server. Errors: usage (the file cannot be read, or shrinks), the server's,
// UNAVAILABLE when retries are used up.
absl::StatusOr<v1::Dataset> Upload(Remote& remote, Screen& screen, const UploadOptions& options);

// The name of the dataset that a user means: `datasets/{id}` as it is; the path of a file is
// uploaded first, and the user told so. Errors: as Upload; usage: neither of them.
absl::StatusOr<std::string> ResolveDataset(Remote& remote, Screen& screen,
                                           const std::string& dataset);

// "uploading [###---] 42%  12.3 MiB of 29.0 MiB  85.1 MiB/s", at most `width` columns.
std::string UploadLine(int64_t done_bytes, int64_t total_bytes, absl::Duration elapsed,
                       size_t width);

// A random UUID (version 4), for request ids.
std::string NewRequestId();

}  // namespace trainyard

#endif  // TRAINYARD_CLIENT_UPLOAD_H_
