// Brings a local table to the server: create, write, finalize. A stream that breaks is taken up
// again where the server has the bytes. An upload that ends without a READY dataset is deleted,
// unless it was rejected and the user wants to look at the rejects or read it otherwise.
//
//   v1::FinalizeDatasetRequest reading;             // csv, format, … (csv_flags.h)
//   TY_ASSIGN_OR_RETURN(v1::Dataset dataset,
//                       Upload(remote, screen, {.path = "a.csv.gz", .reading = reading}));
//
// Thread-safety: one call at a time per Remote and Screen.
#ifndef TRAINYARD_CLIENT_UPLOAD_H_
#define TRAINYARD_CLIENT_UPLOAD_H_

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "client/remote.h"
#include "client/screen.h"
#include "trainyard/v1/dataset.pb.h"

namespace trainyard {

struct UploadOptions {
  std::string path;
  std::string display_name;            // empty: the file's name
  v1::FinalizeDatasetRequest reading;  // how to read it; names and digest are filled in
  std::string labels;      // more columns for the same rows: a file, `datasets/{id}`, or empty
  std::string request_id;  // empty: a new one
  // The bytes of a table that cannot be used stay on the server, and the error says what can be
  // done with them.
  bool keep_rejected = false;
};

// The READY dataset. Progress goes to `screen`'s stderr. The digest of the bytes that were sent is
// checked by the server. A labels file is a dataset of its own until the table has it; then, or
// when anything fails, that is deleted. Errors: usage (a file cannot be read, or shrinks), the
// server's, UNAVAILABLE when retries are used up.
absl::StatusOr<v1::Dataset> Upload(Remote& remote, Screen& screen, const UploadOptions& options);

// Reads bytes that are on the server already: an upload that was rejected. `reading.name` is set.
// Labels as for Upload.
absl::StatusOr<v1::Dataset> FinalizeUpload(Remote& remote, Screen& screen,
                                           const v1::FinalizeDatasetRequest& reading,
                                           const std::string& labels);

// The name of the dataset that a user means: `datasets/{id}` as it is; the path of a file is
// uploaded first, and the user told so. `flag` named it. Errors: as Upload; usage: neither of them.
absl::StatusOr<std::string> ResolveDataset(Remote& remote, Screen& screen,
                                           const std::string& dataset,
                                           absl::string_view flag = "--dataset");

// "uploading [###---] 42%  12.3 MiB of 29.0 MiB  85.1 MiB/s", at most `width` columns.
std::string UploadLine(int64_t done_bytes, int64_t total_bytes, absl::Duration elapsed,
                       size_t width);

// A random UUID (version 4), for request ids.
std::string NewRequestId();

}  // namespace trainyard

#endif  // TRAINYARD_CLIENT_UPLOAD_H_
