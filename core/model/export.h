// Exports of a bundle to formats others read.
//
// ONNX (opset 13, IR version 8): input `features` float32 [N, features] in raw units → Sub, Mul (preprocessing) → Gemm and
// activation per layer → outputs: classification `label` (string or int64 index) and `probabilities` float32 [N, classes];
// regression `value` float32 [N, 1]. Written with a small protobuf writer of our own: core has no protobuf.
// JSON: everything in the bundle, numbers with all digits needed to read back the same float.
//
// Thread-safety: pure functions.
#ifndef TRAINYARD_CORE_MODEL_EXPORT_H_
#define TRAINYARD_CORE_MODEL_EXPORT_H_

#include <string>

#include "core/model/bundle.h"

namespace trainyard {

std::string ExportOnnx(const Bundle& bundle);
std::string ExportJson(const Bundle& bundle);

}  // namespace trainyard

#endif  // TRAINYARD_CORE_MODEL_EXPORT_H_
