// ExportSource streams a model as a file of one format. An ONNX file is run before it goes out, beside the native predictor, and
// refused when they differ by more than the tolerance.
//
// Thread-safety: none (one stream calls it from one thread at a time). REQUIRES: what it is given outlives it.
#ifndef TRAINYARD_SERVER_SERVICES_EXPORT_SOURCE_H_
#define TRAINYARD_SERVER_SERVICES_EXPORT_SOURCE_H_

#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/model/onnx_check.h"
#include "server/rpc/write_stream.h"
#include "server/services/predictor_cache.h"
#include "server/storage/dataset_store.h"
#include "server/storage/model_store.h"
#include "trainyard/v1/model.pb.h"

namespace trainyard {

class ExportSource final : public WriteStream<v1::ExportModelResponse>::Source {
 public:
  ExportSource(const v1::ExportModelRequest& request, const Access* access,
               const ModelStore* models, DatasetStore* datasets, PredictorCache* cache)
      : request_(request), access_(access), models_(models), datasets_(datasets), cache_(cache) {}

  void SetCaller(const Principal& caller) override { caller_ = caller; }

  absl::StatusOr<bool> Next(v1::ExportModelResponse* response) override;

 private:
  absl::Status Make();
  absl::Status MakeOnnx(const v1::Model& model, const Predictor& predictor);
  absl::StatusOr<Table> RowsToCompare(const v1::Model& model, const Bundle& bundle);

  const v1::ExportModelRequest request_;
  const Access* const access_;
  const ModelStore* const models_;
  DatasetStore* const datasets_;
  PredictorCache* const cache_;
  Principal caller_;
  bool made_ = false;
  std::string bytes_;
  std::optional<OnnxComparison> comparison_;  // of an ONNX file
  size_t position_ = 0;
};

}  // namespace trainyard

#endif  // TRAINYARD_SERVER_SERVICES_EXPORT_SOURCE_H_
