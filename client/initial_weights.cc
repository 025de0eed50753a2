#include "client/initial_weights.h"

#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "client/exit_code.h"
#include "client/local_file.h"
#include "core/base/error_info.h"
#include "core/base/limits.h"
#include "core/base/status_macros.h"
#include "core/data/npz_reader.h"
#include "core/model/npz_weights.h"

namespace trainyard {
namespace {

// Of the file: weights of any type numpy has, which become four bytes each.
constexpr int64_t kFileBytesMax = 4 * limits::kSpecBytesMax;

absl::StatusOr<std::vector<AffineLayer>> ReadLayers(const std::string& bytes) {
  TY_ASSIGN_OR_RETURN(const std::vector<NpzArray> arrays, ReadNpzArrays(bytes));
  return LayersOfArrays(arrays);
}

}  // namespace

absl::Status ReadInitialWeights(const std::string& path, v1::TrainingSpec* spec) {
  TY_ASSIGN_OR_RETURN(const std::string bytes, ReadWhole(path, kFileBytesMax));
  const absl::StatusOr<std::vector<AffineLayer>> layers = ReadLayers(bytes);
  if (!layers.ok()) return AsUsageError(Annotate(layers.status(), path));
  spec->clear_initial_weights();
  for (const AffineLayer& layer : *layers) {
    v1::InitialLayer* const initial = spec->add_initial_weights();
    initial->mutable_weights()->Assign(layer.weights.begin(), layer.weights.end());
    initial->mutable_biases()->Assign(layer.biases.begin(), layer.biases.end());
  }
  if (static_cast<int64_t>(spec->ByteSizeLong()) <= limits::kSpecBytesMax) return absl::OkStatus();
  return UsageError(
      absl::StrCat(path, ": the spec has ", spec->ByteSizeLong(),
                   " bytes with these weights, more than ", limits::kSpecBytesMax),
      {.reason = ErrorReason::kTooLarge, .hint = "start from a model instead: --initial-model"});
}

}  // namespace trainyard
