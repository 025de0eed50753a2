// DataDirectory is the one directory that holds everything durable, held by at most one server at a
// time.
//
//   LOCK          flock of the server that uses it, with its pid
//   trainyard.db  all metadata (storage/database.h)
//   blobs/        immutable bytes by digest (storage/blob_store.h)
//   uploads/      bytes of datasets that are not READY
//   run/          the workers' socket, mode 0700; elsewhere when the path is too long for a socket
//
// Thread-safety: immutable once open. The lock is let go, and a socket directory elsewhere removed,
// in the destructor.
#ifndef TRAINYARD_SERVER_DATA_DIRECTORY_H_
#define TRAINYARD_SERVER_DATA_DIRECTORY_H_

#include <memory>
#include <string>

#include "absl/status/statusor.h"

namespace trainyard {

class DataDirectory {
 public:
  // Creates what is missing. Errors: FAILED_PRECONDITION (another server has it, with its pid),
  // INTERNAL (no right to write).
  static absl::StatusOr<std::unique_ptr<DataDirectory>> Open(const std::string& path);
  ~DataDirectory();
  DataDirectory(const DataDirectory&) = delete;
  DataDirectory& operator=(const DataDirectory&) = delete;

  std::string database() const { return path_ + "/trainyard.db"; }
  std::string blobs() const { return path_ + "/blobs"; }
  std::string uploads() const { return path_ + "/uploads"; }
  std::string rejects() const { return path_ + "/rejects"; }
  std::string scratch() const { return path_ + "/scratch"; }
  std::string prepared() const { return path_ + "/prepared"; }
  const std::string& path() const { return path_; }  // absolute
  const std::string& worker_socket() const { return worker_socket_; }

 private:
  DataDirectory(std::string path, int lock_fd) : path_(std::move(path)), lock_fd_(lock_fd) {}
  absl::Status MakeSocketDirectory();

  const std::string path_;
  const int lock_fd_;
  std::string worker_socket_;
  std::string temporary_directory_;  // empty when run/ is used
};

}  // namespace trainyard

#endif  // TRAINYARD_SERVER_DATA_DIRECTORY_H_
