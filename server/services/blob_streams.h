// The two blob rpcs of WorkerService: a blob out in pieces, checked as it is read; a blob in,
// stored when its digest is right. Thread-safety: none (one stream calls one object from one thread
// at a time). REQUIRES: what they are given outlives them.
#ifndef TRAINYARD_SERVER_SERVICES_BLOB_STREAMS_H_
#define TRAINYARD_SERVER_SERVICES_BLOB_STREAMS_H_

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/base/file_system.h"
#include "server/base/ids.h"
#include "server/rpc/read_stream.h"
#include "server/rpc/write_stream.h"
#include "server/services/work_reactor.h"
#include "server/storage/blob_store.h"
#include "trainyard/v1/worker.pb.h"

namespace trainyard {

class BlobSource final : public WriteStream<v1::ReadBlobResponse>::Source {
 public:
  BlobSource(const v1::ReadBlobRequest& request, const WorkerAdmission& admission,
             const BlobStore* blobs, FileSystem* files)
      : request_(request), admission_(admission), blobs_(blobs), files_(files) {}

  absl::StatusOr<bool> Next(v1::ReadBlobResponse* response) override;

 private:
  absl::Status Open();

  const v1::ReadBlobRequest request_;
  const WorkerAdmission& admission_;
  const BlobStore* const blobs_;
  FileSystem* const files_;
  std::unique_ptr<ReadableFile> file_;  // after the first Next
  Sha256 digest_;
};

class BlobSink final : public ReadStream<v1::WriteBlobRequest, v1::WriteBlobResponse>::Sink {
 public:
  // `bytes_max` bounds one blob.
  BlobSink(const WorkerAdmission& admission, BlobStore* blobs, int64_t bytes_max)
      : admission_(admission), blobs_(blobs), bytes_max_(bytes_max) {}

  absl::Status Accept(const v1::WriteBlobRequest& request) override;
  absl::Status Close(const absl::Status& input, v1::WriteBlobResponse* response) override;

 private:
  absl::Status Open(const v1::WriteBlobRequest& request);

  const WorkerAdmission& admission_;
  BlobStore* const blobs_;
  const int64_t bytes_max_;
  std::unique_ptr<BlobWriter> writer_;  // after the first message
  std::string expected_;
  Sha256 digest_;
  int64_t size_bytes_ = 0;
};

}  // namespace trainyard

#endif  // TRAINYARD_SERVER_SERVICES_BLOB_STREAMS_H_
