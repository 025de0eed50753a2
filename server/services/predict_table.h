// PredictTableTransform is the work of one PredictTable stream: CSV bytes in, CSV bytes out, in
// pieces whose answers are bounded whatever the number of classes. Thread-safety: none
// (DuplexStream calls it from one thread at a time). REQUIRES: what it is given outlives it.
#ifndef TRAINYARD_SERVER_SERVICES_PREDICT_TABLE_H_
#define TRAINYARD_SERVER_SERVICES_PREDICT_TABLE_H_

#include <cstdint>
#include <memory>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "core/model/predictor.h"
#include "server/metrics/metrics.h"
#include "server/rpc/duplex_stream.h"
#include "server/services/predictor_cache.h"
#include "server/storage/model_store.h"
#include "trainyard/v1/model.pb.h"

namespace trainyard {

using PredictTableStream = DuplexStream<v1::PredictTableRequest, v1::PredictTableResponse>;

class PredictTableTransform final : public PredictTableStream::Transform {
 public:
  PredictTableTransform(const Access* access, const ModelStore* models, PredictorCache* cache,
                        Metrics* metrics)
      : access_(access), models_(models), cache_(cache), metrics_(metrics) {}

  void SetCaller(const Principal& caller) override { caller_ = caller; }
  absl::Status Accept(const v1::PredictTableRequest* request) override;
  absl::StatusOr<bool> Next(v1::PredictTableResponse* response) override;

 private:
  absl::Status Open(const v1::PredictTableRequest::Options& options);

  const Access* const access_;
  const ModelStore* const models_;
  PredictorCache* const cache_;
  Metrics* const metrics_;
  Principal caller_;
  std::shared_ptr<const Predictor> predictor_;  // outlives table_
  std::unique_ptr<TablePredictor> table_;       // after the first message
  int64_t rows_answered_ = 0;
};

}  // namespace trainyard

#endif  // TRAINYARD_SERVER_SERVICES_PREDICT_TABLE_H_
