// DatasetStore keeps datasets: rows in SQL, upload bytes in `uploads/{id}`, and after Finalize two
// blobs, the bytes as uploaded and the columnar table. It owns ingest: Finalize reads, infers and
// freezes.
//
// Thread-safety: all methods from any thread. They block on disk.
// Errors: with ErrorInfo, as the proto of each rpc says.
#ifndef TRAINYARD_SERVER_STORAGE_DATASET_STORE_H_
#define TRAINYARD_SERVER_STORAGE_DATASET_STORE_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "core/base/file_system.h"
#include "core/data/table.h"
#include "trainyard/v1/dataset.pb.h"

namespace trainyard {

class BlobStore;
class Database;

// What metrics want to know. Called from the threads of the callers; each may be empty. REQUIRES:
// thread-safe.
struct DatasetObserver {
  std::function<void(int64_t bytes)> on_upload;                 // bytes that became durable
  std::function<void(double seconds, int64_t rows)> on_ingest;  // a dataset became READY
  std::function<void(absl::string_view reason, int64_t rows)>
      on_rows_rejected;            // "bad_cell", "bad_record"
  std::function<void()> on_dedup;  // the same bytes were there
};

// One open write to an upload; at most one per dataset at a time. Destroying it frees the dataset
// for the next.
class UploadWriter {
 public:
  // What is made durable on the way: the most that a crash in the middle of a long stream takes
  // back.
  static constexpr int64_t kCommitIntervalBytes = int64_t{64} << 20;

  virtual ~UploadWriter() = default;   // what was appended and not committed may be lost
  virtual int64_t offset() const = 0;  // where the next byte goes
  // Commits by itself every kCommitIntervalBytes. After an error the writer is of no more use: open
  // another, which starts at the committed size. Errors: RESOURCE_EXHAUSTED (TOO_LARGE,
  // STORAGE_FULL).
  virtual absl::Status Append(absl::string_view bytes) = 0;
  // Syncs and records; returns the committed size.
  virtual absl::StatusOr<int64_t> Commit() = 0;
};

class DatasetStore {
 public:
  struct Options {
    std::string uploads_directory;
    std::string rejects_directory;  // reject reports, one file per dataset that has rejects
    std::string scratch_directory;  // emptied at start: columns of large tables while they are made
    int64_t dataset_bytes_max = 0;
    int64_t free_bytes_floor = 0;  // uploads are refused when the disk has less; STORAGE_FULL
    std::shared_ptr<FileSystem> files = std::make_shared<PosixFileSystem>();
  };
  // Truncates uploads to their committed size and removes files no row refers to. REQUIRES:
  // pointers outlive the store.
  static absl::StatusOr<std::unique_ptr<DatasetStore>> Open(const Options& options,
                                                            Database* database, BlobStore* blobs,
                                                            DatasetObserver observer = {});
  virtual ~DatasetStore() = default;

  virtual absl::StatusOr<v1::Dataset> Create(const v1::CreateDatasetRequest& request,
                                             absl::string_view owner,
                                             absl::string_view body_digest) = 0;
  virtual absl::StatusOr<std::unique_ptr<UploadWriter>> OpenUpload(absl::string_view name) = 0;
  virtual absl::StatusOr<v1::UploadStatus> GetUploadStatus(absl::string_view name) = 0;
  virtual absl::StatusOr<v1::Dataset> Finalize(const v1::FinalizeDatasetRequest& request) = 0;
  virtual absl::StatusOr<v1::Dataset> Get(absl::string_view name) = 0;
  // Those of `owner`; empty: everybody's.
  virtual absl::StatusOr<v1::ListDatasetsResponse> List(const v1::ListDatasetsRequest& request,
                                                        absl::string_view owner) = 0;
  // The frozen table: its columns are views of the blob's file. With `check_cells` all of it is read and compared with its
  // checksums; DATA_LOSS when it is damaged.
  virtual absl::StatusOr<Table> LoadTable(const v1::Dataset& dataset, bool check_cells) = 0;
  // The same of a table that is known by its digest only (of a dataset that may have been deleted). NOT_FOUND.
  virtual absl::StatusOr<Table> LoadFrozenTable(absl::string_view table_digest) = 0;
  // All rejects of the last Finalize, as a CSV file. NOT_FOUND when there were none.
  struct RejectFile {
    std::unique_ptr<ReadableFile> file;
    int64_t size_bytes = 0;
  };
  virtual absl::StatusOr<RejectFile> OpenRejects(absl::string_view name) = 0;
  // Seals a READY dataset for good; see the rpc. FAILED_PRECONDITION/INVALID_STATE while an unfinished
  // job uses it.
  virtual absl::StatusOr<v1::Dataset> Seal(absl::string_view name) = 0;
  // Deletes the row, then the blobs no other row refers to. FAILED_PRECONDITION/INVALID_STATE
  // while an unfinished job or an assignment uses it.
  virtual absl::Status Delete(absl::string_view name) = 0;

  // For the gauges of a scrape.
  struct Counts {
    int64_t uploading = 0, ready = 0;
    int64_t stored_bytes = 0;  // as uploaded, equal uploads counted each
  };
  virtual absl::StatusOr<Counts> Count() = 0;
};

}  // namespace trainyard

#endif  // TRAINYARD_SERVER_STORAGE_DATASET_STORE_H_
