// The element types of ONNX's tensors that Trainyard writes and reads: numbers of
// TensorProto.DataType in onnx/onnx.proto3.
#ifndef TRAINYARD_CORE_MODEL_ONNX_TYPE_H_
#define TRAINYARD_CORE_MODEL_ONNX_TYPE_H_

#include <cstdint>

namespace trainyard {

enum class OnnxType : int64_t { kFloat = 1, kInt64 = 7, kString = 8, kBool = 9, kDouble = 11 };

}  // namespace trainyard

#endif  // TRAINYARD_CORE_MODEL_ONNX_TYPE_H_
