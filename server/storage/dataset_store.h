// DatasetStore keeps datasets: rows in SQL, upload bytes in `uploads/{id}`, and after Finalize two blobs, the bytes as uploaded
// and the columnar table. It owns ingest: Finalize reads, infers and freezes.
//
// Thread-safety: all methods from any thread. They block on disk.
// Errors: with ErrorInfo, as the proto of each rpc says.
#ifndef TRAINYARD_SERVER_STORAGE_DATASET_STORE_H_
#define TRAINYARD_SERVER_STORAGE_DATASET_STORE_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "core/data/table.h"
#include "trainyard/v1/dataset.pb.h"

namespace trainyard {

class BlobStore;
class Database;
class Metrics;

// One open write to an upload; at most one per dataset at a time.
class UploadWriter {
 public:
  virtual ~UploadWriter() = default;  // what was appended and not committed may be lost
  virtual int64_t offset() const = 0;  // where the next byte goes
  virtual absl::Status Append(absl::string_view bytes) = 0;
  // Syncs and records; returns the committed size.
  virtual absl::StatusOr<int64_t> Commit() = 0;
};

class DatasetStore {
 public:
  struct Options {
    std::string uploads_directory;
    int64_t dataset_bytes_max = 0;
    int64_t free_bytes_floor = 0;  // uploads are refused when the disk has less; STORAGE_FULL
  };
  // Truncates uploads to their committed size and removes files no row refers to.
  static absl::StatusOr<std::unique_ptr<DatasetStore>> Open(const Options& options, Database* database, BlobStore* blobs,
                                                            Metrics* metrics);
  virtual ~DatasetStore() = default;

  virtual absl::StatusOr<v1::Dataset> Create(const v1::CreateDatasetRequest& request, absl::string_view owner,
                                             absl::string_view body_digest) = 0;
  virtual absl::StatusOr<std::unique_ptr<UploadWriter>> OpenUpload(absl::string_view name) = 0;
  virtual absl::StatusOr<v1::UploadStatus> GetUploadStatus(absl::string_view name) = 0;
  virtual absl::StatusOr<v1::Dataset> Finalize(const v1::FinalizeDatasetRequest& request) = 0;
  virtual absl::StatusOr<v1::Dataset> Get(absl::string_view name) = 0;
  virtual absl::StatusOr<v1::ListDatasetsResponse> List(const v1::ListDatasetsRequest& request) = 0;
  // The frozen table, from its blob.
  virtual absl::StatusOr<Table> LoadTable(const v1::Dataset& dataset) = 0;
  // Deletes the row, then the blobs no other row refers to. The caller has checked that no job uses it.
  virtual absl::Status Delete(absl::string_view name) = 0;
};

}  // namespace trainyard

#endif  // TRAINYARD_SERVER_STORAGE_DATASET_STORE_H_
