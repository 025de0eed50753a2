// ImportSink is one ImportModel stream: a bundle in pieces, stored as a model when it is whole and valid.
//
// Thread-safety: none (one stream calls it from one thread at a time). REQUIRES: what it is given outlives it.
#ifndef TRAINYARD_SERVER_SERVICES_IMPORT_SINK_H_
#define TRAINYARD_SERVER_SERVICES_IMPORT_SINK_H_

#include <string>

#include "absl/status/status.h"
#include "server/rpc/read_stream.h"
#include "server/storage/model_store.h"
#include "trainyard/v1/model.pb.h"

namespace trainyard {

class ImportSink final : public ReadStream<v1::ImportModelRequest, v1::Model>::Sink {
 public:
  // The largest bundle: limits::kParametersMax numbers, and some more for the rest.
  static constexpr int64_t kBundleBytesMax = (int64_t{4} << 30) + (int64_t{64} << 20);

  explicit ImportSink(ModelStore* models) : models_(models) {}

  void SetCaller(const Principal& caller) override { owner_ = caller.owner; }

  absl::Status Accept(const v1::ImportModelRequest& request) override;
  absl::Status Close(const absl::Status& input, v1::Model* response) override;

 private:
  ModelStore* const models_;
  std::string owner_;
  bool opened_ = false;
  v1::ImportModelRequest::Options options_;
  std::string bytes_;
};

}  // namespace trainyard

#endif  // TRAINYARD_SERVER_SERVICES_IMPORT_SINK_H_
