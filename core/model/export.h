// Exports of a bundle to formats others read.
//
// ONNX (opset 13, IR version 8): input `features` float32 [N, features] in raw units → Cast to
// double, Sub, Mul, Cast back (preprocessing, with the precision it has here) → Gemm, normalisation
// and activation per layer → outputs, by task:
//   binary, multiclass   `label` string [N], `probabilities` float32 [N, classes]
//   multilabel           `labels` int64 [N, labels] of 0 and 1, `probabilities` float32 [N, labels]
//   regression           `value` float32 [N, 1]
// metadata_props has task, target column, feature columns and classes (JSON lists) and the
// provenance. Written with a small protobuf writer of our own: core has no protobuf.
// JSON: everything in the bundle, numbers with all digits needed to read back the same float.
//
// Thread-safety: pure functions.
#ifndef TRAINYARD_CORE_MODEL_EXPORT_H_
#define TRAINYARD_CORE_MODEL_EXPORT_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "core/model/bundle.h"

namespace trainyard {

// A protobuf message has at most 2 GiB, of which the weights take 4 bytes each.
inline constexpr int64_t kOnnxParametersMax = 500'000'000;

// REQUIRES (all): CheckBundle(bundle) is OK.
// Errors: RESOURCE_EXHAUSTED/TOO_LARGE beyond `parameters_max`.
absl::StatusOr<std::string> ExportOnnx(const Bundle& bundle,
                                       int64_t parameters_max = kOnnxParametersMax);
std::string ExportJson(const Bundle& bundle);

// `text` as a JSON string, and `texts` as a JSON list of strings.
std::string JsonText(absl::string_view text);
std::string JsonTexts(const std::vector<std::string>& texts);

}  // namespace trainyard

#endif  // TRAINYARD_CORE_MODEL_EXPORT_H_
