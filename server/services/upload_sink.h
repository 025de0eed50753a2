// UploadSink takes the messages of one WriteDataset stream: checks each, appends its bytes, and at
// the end commits what was valid, also when the client breaks off or a message is faulty.
// Thread-safety: none (ReadStream calls it from one thread at a time). REQUIRES: what it is
// given outlives it.
#ifndef TRAINYARD_SERVER_SERVICES_UPLOAD_SINK_H_
#define TRAINYARD_SERVER_SERVICES_UPLOAD_SINK_H_

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "server/rpc/read_stream.h"
#include "server/storage/dataset_store.h"
#include "trainyard/v1/dataset.pb.h"

namespace trainyard {

using UploadStream = ReadStream<v1::WriteDatasetRequest, v1::WriteDatasetResponse>;

class UploadSink final : public UploadStream::Sink {
 public:
  UploadSink(const Access* access, DatasetStore* datasets) : access_(access), datasets_(datasets) {}

  void SetCaller(const Principal& caller) override { caller_ = caller; }

  absl::Status Accept(const v1::WriteDatasetRequest& request) override;
  absl::Status Close(const absl::Status& input, v1::WriteDatasetResponse* response) override;

 private:
  absl::Status Open(const v1::WriteDatasetRequest& request);
  absl::Status Check(const v1::WriteDatasetRequest& request) const;

  const Access* const access_;
  DatasetStore* const datasets_;
  Principal caller_;
  std::string name_;
  std::unique_ptr<UploadWriter> writer_;  // after the first message
};

}  // namespace trainyard

#endif  // TRAINYARD_SERVER_SERVICES_UPLOAD_SINK_H_
