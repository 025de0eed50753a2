// A backup is a directory of the same form as a data directory, made while a server uses that one:
// a consistent copy of the database, every blob that it refers to, and what was uploaded so far. A
// restored data directory is a copy of a backup. Both are CopyData.
//
//   TY_ASSIGN_OR_RETURN(BackupReport report, CopyData(data_directory, backup_directory, files));
//
// The database is copied first, then what it refers to; when something of that has been deleted
// meanwhile, all is done again. The copy's database appears under its name last, so that a
// destination has a whole backup, the one before, or none. A destination that holds an earlier
// backup is brought up to date: blobs that are there are not copied again.
//
// Not copied: prepared features, scratch files, and events or uploads that became durable after the
// copy of the database was made.
//
// Thread-safety: free functions; one at a time for one destination.
#ifndef TRAINYARD_SERVER_STORAGE_BACKUP_H_
#define TRAINYARD_SERVER_STORAGE_BACKUP_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "core/base/file_system.h"

namespace trainyard {

struct BackupReport {
  int64_t blob_count = 0;    // that the database refers to
  int64_t copied_count = 0;  // blobs copied now
  int64_t copied_bytes = 0;
  std::vector<std::string> damaged;  // digests whose bytes are not theirs, or are gone: not copied
};

// Errors: NOT_FOUND (no database in `source`), INTERNAL, RESOURCE_EXHAUSTED/STORAGE_FULL. Damaged
// blobs are no error: everything else is copied, and they are told.
absl::StatusOr<BackupReport> CopyData(const std::string& source, const std::string& destination,
                                      FileSystem& files);

// FAILED_PRECONDITION when `directory` holds data already: a restore must not overwrite it.
absl::Status CheckEmptyForRestore(const std::string& directory, FileSystem& files);

}  // namespace trainyard

#endif  // TRAINYARD_SERVER_STORAGE_BACKUP_H_
