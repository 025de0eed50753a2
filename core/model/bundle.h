// Bundle is a trained model as one file: schema, preprocessing, weights and provenance. It predicts
// the same on any machine that reads it, up to the rounding of its ISA.
//
//   file     := magic:"TYBUNDL1" version:u32(=3) section_count:u32 section*
//   section  := id:u32 size_bytes:u64 crc32c:u32 payload
//   ids      := 1 schema, 2 preprocessor, 3 weights, 4 provenance; each once, ascending
//   schema       := task:u8 target:string feature_count:u32 string* class_count:u32 string* loss
//                   weight_column:string
//   loss         := kind:u8 label_smoothing:f64 delta:f64 quantile:f64 target_offset:f64
//                   target_scale:f64 weight_count:u32 weight:f32*
//   preprocessor := see preprocessor_codec.h
//   weights      := layer_count:u32 layer*
//   layer        := in:u32 out:u32 activation:u8 alpha:f32 normalization:u8 flags:u8
//   weights:f32[in*out]
//                   biases:f32[out] if flags & 1; the layer's input is added if flags & 2;
//                   gains:f32[out] shifts:f32[out] if normalised;
//                   running_means:f32[out] running_variances:f32[out] if by batch
//   provenance   := count:u32 (key:string value:string)*, sorted by key
//   Version 2, which is still read, has neither target_offset nor target_scale, and
//   preprocessor := feature_count:u32 offset:f64* scale:f64*
//   Version 1, which is still read, is as 2 but has no weight_column, no loss (the task's), and
//   layer        := in:u32 out:u32 activation:u8 weights:f32[in*out] biases:f32[out]
//   All numbers little-endian. Do not change existing ids. The same bundle gives the same bytes.
//
// Thread-safety: a value.
#ifndef TRAINYARD_CORE_MODEL_BUNDLE_H_
#define TRAINYARD_CORE_MODEL_BUNDLE_H_

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "core/data/dataset.h"
#include "core/data/preprocessor.h"
#include "core/nn/loss.h"
#include "core/nn/mlp.h"

namespace trainyard {

struct Bundle {
  Task task = Task::kUnspecified;
  LossConfig loss;  // what it was trained with: decides probabilities and value, and is measured by
                    // Evaluate
  std::string target_column;  // empty for multi-label, whose `classes` are the label columns
  std::string weight_column;  // how much rows count in Evaluate, where the table has it; or empty
  std::vector<std::string> feature_columns;  // in the order that rows are given
  std::vector<std::string>
      classes;  // classification, in the order of probabilities; binary: {negative, positive}
  Preprocessor preprocessor;
  MlpWeights weights;
  // What made it, e.g. {"dataset_digest", "sha256:…"}, {"seed", "7"}; sorted by key. No times: the
  // bytes repeat.
  std::vector<std::pair<std::string, std::string>> provenance;

  // Weights, biases, gains and shifts.
  int64_t parameter_count() const;
};

// Whether the parts fit each other: what EncodeBundle needs and DecodeBundle guarantees.
// Errors: DATA_LOSS (shapes or counts that do not fit, a loss that is not the task's, unknown
// kinds, numbers out of range or not finite, names twice), RESOURCE_EXHAUSTED (over limits.h).
absl::Status CheckBundle(const Bundle& bundle);

// Of the newest version. REQUIRES: CheckBundle(bundle) is OK.
std::string EncodeBundle(const Bundle& bundle);

// Errors: DATA_LOSS (magic, CRC, truncation, shapes that do not fit each other, non-finite
// weights), FAILED_PRECONDITION (newer version), RESOURCE_EXHAUSTED (over limits.h). Never
// allocates more than a small multiple of bytes.size().
absl::StatusOr<Bundle> DecodeBundle(absl::string_view bytes);

}  // namespace trainyard

#endif  // TRAINYARD_CORE_MODEL_BUNDLE_H_
