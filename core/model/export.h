// Exports of a bundle to formats others read.
//
// ONNX (opset 13, ai.onnx.ml 2 for categories, IR version 8). Inputs:
//   All columns are numbers that must not be missing: `features` float32 [N, columns], raw units.
//   Else one input [N, 1] per column, of its name, in the order of feature_columns:
//     float32   numbers, and categories of a column of numbers; NaN is missing
//     string    categories; missing is the empty string and each missing marker that the model was
//               trained with; cells are compared as they are, so trim them as tables are
//   A column named as an output is an input "input.NAME". metadata "inputs" has all names.
// Then what Preprocessor::Apply does, in double as there: IsNaN and Where for missing numbers, Sub,
// Mul; LabelEncoder for categories, compared as float32 where they are numbers. Then Gemm,
// normalisation and activation per layer, and for a regression the target's scale and offset.
// Outputs, by task:
//   binary, multiclass   `label` string [N], `probabilities` float32 [N, classes]
//   multilabel           `labels` int64 [N, labels] of 0 and 1, `probabilities` float32 [N, labels]
//   regression           `value` float32 [N, 1]
// ONNX has no errors: a row that the server refuses (a missing number without imputation, a
// category never seen with UNSEEN_CATEGORY_REFUSE, numbers that are not finite) has NaN for all its
// numbers, the empty label, labels of -1. Hashed columns cannot be expressed and are refused.
// metadata_props has task, target column, feature columns, inputs and classes (JSON lists) and the
// provenance. Written with a small protobuf writer of our own: core has no protobuf.
//
// JSON: everything in the bundle, numbers with all digits needed to read back the same float or
// double; a line per column, layer and row of weights.
//   preprocessing.columns  one per feature column, with what its `encoding` uses, as
//   ColumnTransform
//                          (core/data/feature_options.h) says; `fill` null: missing is an error
//   layers                 y = [x +] activation(normalise(x·weights + biases)); weights are rows,
//                          one per input; no biases: an empty list
//   loss                   a regression's value is z · target_scale + target_offset, of "poisson"
//                          exp(z)
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
// Errors: RESOURCE_EXHAUSTED/TOO_LARGE beyond `parameters_max` or 2 GiB; INVALID_ARGUMENT/
// INVALID_REQUEST: every column that ONNX cannot express (hashed; categories that are numbers and
// one as float32).
absl::StatusOr<std::string> ExportOnnx(const Bundle& bundle,
                                       int64_t parameters_max = kOnnxParametersMax);
std::string ExportJson(const Bundle& bundle);

// `text` as a JSON string, and `texts` as a JSON list of strings.
std::string JsonText(absl::string_view text);
std::string JsonTexts(const std::vector<std::string>& texts);

}  // namespace trainyard

#endif  // TRAINYARD_CORE_MODEL_EXPORT_H_
