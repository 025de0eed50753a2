#include "core/model/bundle.h"

#include <algorithm>
#include <cmath>
#include <span>

#include "absl/strings/str_cat.h"
#include "core/base/coding.h"
#include "core/base/crc32c.h"
#include "core/base/error_info.h"
#include "core/base/limits.h"
#include "core/base/status_macros.h"
#include "core/data/preprocessor_codec.h"

namespace trainyard {
namespace {

constexpr absl::string_view kMagic = "TYBUNDL1";
constexpr uint32_t kVersion = 3;
constexpr uint32_t kSectionCount = 4;
constexpr uint32_t kProvenanceCountMax = 1'000;
constexpr size_t kProvenanceKeyBytesMax = 256;

// Flags of a layer.
constexpr uint8_t kHasBiases = 1;
constexpr uint8_t kIsResidual = 2;

enum SectionId : uint32_t { kSchema = 1, kPreprocessor = 2, kWeights = 3, kProvenance = 4 };

absl::Status Damaged(absl::string_view what) {
  return MakeError(absl::StatusCode::kDataLoss, absl::StrCat("model bundle is damaged: ", what),
                   {.reason = ErrorReason::kDataLoss,
                    .hint = "train the model again, or restore it from a backup"});
}

absl::Status OverLimit(absl::string_view what, int64_t limit) {
  return MakeError(
      absl::StatusCode::kResourceExhausted,
      absl::StrCat("model bundle has more ", what, " than ", limit),
      {.reason = ErrorReason::kTooLarge, .hint = "it was written by a build with other limits"});
}

template <typename Number>
bool ReadNumbers(ByteReader* r, uint64_t count, std::vector<Number>* numbers) {
  if (count > r->remaining() / sizeof(Number)) return false;
  numbers->resize(count);
  return r->Raw(numbers->data(), count * sizeof(Number));
}

void WriteFloats(const std::vector<float>& numbers, ByteWriter* w) {
  w->Raw(numbers.data(), numbers.size() * sizeof(float));
}

void WriteLoss(const LossConfig& loss, ByteWriter* w) {
  w->U8(static_cast<uint8_t>(loss.kind));
  w->F64(loss.label_smoothing);
  w->F64(loss.delta);
  w->F64(loss.quantile);
  w->F64(loss.target_offset);
  w->F64(loss.target_scale);
  w->U32(static_cast<uint32_t>(loss.class_weights.size()));
  WriteFloats(loss.class_weights, w);
}

bool ReadLoss(uint32_t version, ByteReader* r, LossConfig* loss) {
  uint8_t kind = 0;
  uint32_t weight_count = 0;
  if (!r->U8(&kind) || !r->F64(&loss->label_smoothing) || !r->F64(&loss->delta) ||
      !r->F64(&loss->quantile))
    return false;
  if (version >= 3 && (!r->F64(&loss->target_offset) || !r->F64(&loss->target_scale))) return false;
  if (!r->U32(&weight_count)) return false;
  loss->kind = static_cast<LossKind>(kind);
  return ReadNumbers(r, weight_count, &loss->class_weights);
}

std::string EncodeSchema(const Bundle& bundle) {
  ByteWriter w;
  w.U8(static_cast<uint8_t>(bundle.task));
  w.String(bundle.target_column);
  WriteStrings(bundle.feature_columns, &w);
  WriteStrings(bundle.classes, &w);
  WriteLoss(bundle.loss, &w);
  w.String(bundle.weight_column);
  return std::move(w).Take();
}

bool DecodeSchema(uint32_t version, ByteReader* r, Bundle* bundle) {
  uint8_t task = 0;
  if (!r->U8(&task) || !r->String(&bundle->target_column, limits::kColumnNameBytesMax))
    return false;
  bundle->task = static_cast<Task>(task);
  if (!ReadStrings(r, limits::kColumnNameBytesMax, &bundle->feature_columns) ||
      !ReadStrings(r, limits::kFieldBytesMax, &bundle->classes))
    return false;
  if (version >= 2) {
    return ReadLoss(version, r, &bundle->loss) &&
           r->String(&bundle->weight_column, limits::kColumnNameBytesMax);
  }
  bundle->loss.kind = LossOf(bundle->task);
  return true;
}

std::string EncodePreprocessor(const Preprocessor& preprocessor) {
  ByteWriter w;
  WritePreprocessor(preprocessor, &w);
  return std::move(w).Take();
}

bool DecodePreprocessor(uint32_t version, ByteReader* r, Bundle* bundle) {
  if (version >= 3) return ReadPreprocessor(r, &bundle->preprocessor);
  uint32_t count = 0;
  std::vector<double> offsets;
  std::vector<double> scales;
  if (!r->U32(&count) || !ReadNumbers(r, count, &offsets) || !ReadNumbers(r, count, &scales))
    return false;
  bundle->preprocessor = Preprocessor(std::move(offsets), std::move(scales));
  return true;
}

void WriteLayer(const LayerWeights& layer, ByteWriter* w) {
  const int flags = (layer.biases.empty() ? 0 : kHasBiases) | (layer.residual ? kIsResidual : 0);
  w->U32(static_cast<uint32_t>(layer.in));
  w->U32(static_cast<uint32_t>(layer.out));
  w->U8(static_cast<uint8_t>(layer.activation));
  w->Raw(&layer.alpha, sizeof layer.alpha);
  w->U8(static_cast<uint8_t>(layer.normalization));
  w->U8(static_cast<uint8_t>(flags));
  for (const std::vector<float>* numbers :
       {&layer.weights, &layer.biases, &layer.gains, &layer.shifts, &layer.running_means,
        &layer.running_variances}) {
    WriteFloats(*numbers, w);
  }
}

std::string EncodeWeights(const MlpWeights& weights) {
  ByteWriter w;
  w.U32(static_cast<uint32_t>(weights.size()));
  for (const LayerWeights& layer : weights) WriteLayer(layer, &w);
  return std::move(w).Take();
}

// What version 2 says of a layer beyond its activation; `*flags` as in the file.
bool ReadLayerKinds(ByteReader* r, LayerWeights* layer, uint8_t* flags) {
  uint8_t normalization = 0;
  if (!r->Raw(&layer->alpha, sizeof layer->alpha) || !r->U8(&normalization) || !r->U8(flags))
    return false;
  layer->normalization = static_cast<Normalization>(normalization);
  layer->residual = (*flags & kIsResidual) != 0;
  return *flags <= (kHasBiases | kIsResidual);
}

bool DecodeLayer(uint32_t version, ByteReader* r, LayerWeights* layer) {
  uint32_t in = 0;
  uint32_t out = 0;
  uint8_t activation = 0;
  uint8_t flags = kHasBiases;
  if (!r->U32(&in) || !r->U32(&out) || !r->U8(&activation)) return false;
  layer->in = in;
  layer->out = out;
  layer->activation = static_cast<Activation>(activation);
  if (version >= 2 && !ReadLayerKinds(r, layer, &flags)) return false;
  const uint64_t biases = (flags & kHasBiases) != 0 ? out : 0;
  const uint64_t normalised = layer->normalization == Normalization::kNone ? 0 : out;
  const uint64_t by_batch = layer->normalization == Normalization::kBatch ? out : 0;
  return ReadNumbers(r, uint64_t{in} * out, &layer->weights) &&
         ReadNumbers(r, biases, &layer->biases) && ReadNumbers(r, normalised, &layer->gains) &&
         ReadNumbers(r, normalised, &layer->shifts) &&
         ReadNumbers(r, by_batch, &layer->running_means) &&
         ReadNumbers(r, by_batch, &layer->running_variances);
}

bool DecodeWeights(uint32_t version, ByteReader* r, Bundle* bundle) {
  uint32_t count = 0;
  if (!r->U32(&count) || count > limits::kLayersMax + 1) return false;
  bundle->weights.resize(count);
  return std::all_of(bundle->weights.begin(), bundle->weights.end(),
                     [&](LayerWeights& layer) { return DecodeLayer(version, r, &layer); });
}

std::string EncodeProvenance(std::vector<std::pair<std::string, std::string>> provenance) {
  std::sort(provenance.begin(), provenance.end());
  ByteWriter w;
  w.U32(static_cast<uint32_t>(provenance.size()));
  for (const auto& [key, value] : provenance) {
    w.String(key);
    w.String(value);
  }
  return std::move(w).Take();
}

bool DecodeProvenance(ByteReader* r, Bundle* bundle) {
  uint32_t count = 0;
  if (!r->U32(&count) || count > kProvenanceCountMax) return false;
  for (uint32_t i = 0; i < count; ++i) {
    std::string key;
    std::string value;
    if (!r->String(&key, kProvenanceKeyBytesMax) || !r->String(&value, limits::kSpecBytesMax))
      return false;
    if (i > 0 && key <= bundle->provenance.back().first) return false;
    bundle->provenance.emplace_back(std::move(key), std::move(value));
  }
  return true;
}

void WriteSection(SectionId id, const std::string& payload, ByteWriter* w) {
  w->U32(id);
  w->U64(payload.size());
  w->U32(crc32c::Value(payload));
  w->Raw(payload.data(), payload.size());
}

// The payload of section `id`, which must come next in `*rest`.
absl::StatusOr<absl::string_view> TakeSection(uint32_t id, absl::string_view* rest) {
  ByteReader r(*rest);
  uint32_t found_id = 0;
  uint64_t size = 0;
  uint32_t crc = 0;
  if (!r.U32(&found_id) || !r.U64(&size) || !r.U32(&crc)) return Damaged("it ends early");
  if (found_id != id) return Damaged(absl::StrCat("section ", id, " is not where it should be"));
  if (size > r.remaining()) return Damaged(absl::StrCat("section ", id, " ends early"));
  const absl::string_view payload = rest->substr(rest->size() - r.remaining(), size);
  if (crc32c::Value(payload) != crc) return Damaged(absl::StrCat("checksum of section ", id));
  rest->remove_prefix(rest->size() - r.remaining() + size);
  return payload;
}

absl::Status DecodeSection(uint32_t version, uint32_t id, absl::string_view payload,
                           Bundle* bundle) {
  ByteReader r(payload);
  bool ok = false;
  switch (id) {
    case kSchema:
      ok = DecodeSchema(version, &r, bundle);
      break;
    case kPreprocessor:
      ok = DecodePreprocessor(version, &r, bundle);
      break;
    case kWeights:
      ok = DecodeWeights(version, &r, bundle);
      break;
    case kProvenance:
      ok = DecodeProvenance(&r, bundle);
      break;
  }
  if (!ok || !r.done()) return Damaged(absl::StrCat("section ", id, " cannot be read"));
  return absl::OkStatus();
}

template <typename Number>
bool AllFinite(const std::vector<Number>& numbers) {
  return std::all_of(numbers.begin(), numbers.end(), [](Number x) { return std::isfinite(x); });
}

bool ClassesFit(const Bundle& bundle) {
  const size_t classes = bundle.classes.size();
  if (!AllDifferent(bundle.classes)) return false;
  switch (bundle.task) {
    case Task::kBinary:
      return classes == 2;
    case Task::kMulticlass:
      return classes >= 2;
    case Task::kRegression:
      return classes == 0;
    case Task::kMultilabel:
      return classes >= 1 && bundle.target_column.empty();
    case Task::kUnspecified:
      return false;
  }
  return false;
}

// Comparisons are such that NaN fails them.
absl::Status CheckLoss(const Bundle& bundle) {
  const LossConfig& loss = bundle.loss;
  if (!LossFits(loss.kind, bundle.task)) return Damaged("task and loss do not fit each other");
  const bool smoothed = loss.kind == LossKind::kSoftmaxCrossEntropy;
  const bool in_range = loss.label_smoothing >= 0 && loss.label_smoothing < 1 &&
                        (smoothed || loss.label_smoothing == 0) && loss.delta > 0 &&
                        std::isfinite(loss.delta) && loss.quantile > 0 && loss.quantile < 1;
  if (!in_range) return Damaged("an option of the loss is out of range");
  const bool scaled = loss.target_offset != 0 || loss.target_scale != 1;
  const bool scalable = bundle.task == Task::kRegression && loss.kind != LossKind::kPoisson;
  const bool scale_valid = std::isfinite(loss.target_offset) && loss.target_scale > 0 &&
                           std::isfinite(loss.target_scale);
  if (!scale_valid || (scaled && !scalable)) return Damaged("the target's scale is impossible");
  const bool weights_fit =
      loss.class_weights.empty() ||
      (IsClassification(loss.kind) && loss.class_weights.size() == bundle.classes.size());
  const bool weights_valid = std::all_of(loss.class_weights.begin(), loss.class_weights.end(),
                                         [](float w) { return w >= 0 && std::isfinite(w); });
  if (!weights_fit || !weights_valid) return Damaged("class weights and classes do not fit");
  return absl::OkStatus();
}

absl::Status CheckSchema(const Bundle& bundle) {
  if (bundle.feature_columns.size() > static_cast<size_t>(limits::kDatasetColumnsMax)) {
    return OverLimit("features", limits::kDatasetColumnsMax);
  }
  if (bundle.classes.size() > static_cast<size_t>(limits::kClassesMax)) {
    return OverLimit("classes", limits::kClassesMax);
  }
  const bool features_fit =
      !bundle.feature_columns.empty() && AllDifferent(bundle.feature_columns) &&
      bundle.preprocessor.column_count() == static_cast<int64_t>(bundle.feature_columns.size());
  if (!features_fit) return Damaged("features and preprocessing do not fit each other");
  if (!IsValidPreprocessor(bundle.preprocessor)) return Damaged("preprocessing is impossible");
  if (!ClassesFit(bundle)) return Damaged("task and classes do not fit each other");
  return CheckLoss(bundle);
}

bool HasShape(const LayerWeights& layer) {
  const auto is = [](const std::vector<float>& numbers, int64_t size) {
    return static_cast<int64_t>(numbers.size()) == size;
  };
  const int64_t normalised = layer.normalization == Normalization::kNone ? 0 : layer.out;
  const int64_t by_batch = layer.normalization == Normalization::kBatch ? layer.out : 0;
  return layer.in > 0 && layer.out > 0 && is(layer.weights, layer.in * layer.out) &&
         (layer.biases.empty() || is(layer.biases, layer.out)) && is(layer.gains, normalised) &&
         is(layer.shifts, normalised) && is(layer.running_means, by_batch) &&
         is(layer.running_variances, by_batch) && (!layer.residual || layer.in == layer.out);
}

// Whether activation, its alpha and normalisation are ones that there are; NaN is none.
bool HasKnownKinds(const LayerWeights& layer) {
  const bool known =
      layer.activation >= Activation::kIdentity && layer.activation <= kActivationLast &&
      layer.normalization >= Normalization::kNone && layer.normalization <= Normalization::kLayer;
  if (!HasAlpha(layer.activation)) return known && layer.alpha == 0;
  return known && layer.alpha >= 0 && std::isfinite(layer.alpha);
}

absl::Status CheckLayer(const LayerWeights& layer, bool is_output) {
  const int64_t out_max = is_output ? limits::kClassesMax : limits::kUnitsMax;
  if (layer.out > out_max) return OverLimit("units in a layer", out_max);
  if (!HasKnownKinds(layer)) return Damaged("a layer's activation or normalisation is impossible");
  if (!HasShape(layer)) return Damaged("a layer's weights do not have its shape");
  const bool plain = layer.activation == Activation::kIdentity &&
                     layer.normalization == Normalization::kNone && !layer.residual;
  if (is_output && !plain) return Damaged("the output layer is more than an affine map");
  for (const std::vector<float>* numbers :
       {&layer.weights, &layer.biases, &layer.gains, &layer.shifts, &layer.running_means,
        &layer.running_variances}) {
    if (!AllFinite(*numbers)) return Damaged("weights are not finite");
  }
  const bool variances_valid =
      std::all_of(layer.running_variances.begin(), layer.running_variances.end(),
                  [](float variance) { return variance >= 0; });
  return variances_valid ? absl::OkStatus() : Damaged("a running variance is negative");
}

}  // namespace

int64_t Bundle::parameter_count() const {
  int64_t count = 0;
  for (const LayerWeights& layer : weights) {
    count += static_cast<int64_t>(layer.weights.size() + layer.biases.size() + layer.gains.size() +
                                  layer.shifts.size());
  }
  return count;
}

absl::Status CheckBundle(const Bundle& bundle) {
  TY_RETURN_IF_ERROR(CheckSchema(bundle));
  if (bundle.weights.empty()) return Damaged("it has no layers");
  if (bundle.parameter_count() > limits::kParametersMax)
    return OverLimit("parameters", limits::kParametersMax);
  int64_t in = bundle.preprocessor.feature_count();
  for (size_t i = 0; i < bundle.weights.size(); ++i) {
    const LayerWeights& layer = bundle.weights[i];
    if (layer.in != in) return Damaged("layers do not fit each other");
    TY_RETURN_IF_ERROR(CheckLayer(layer, i + 1 == bundle.weights.size()));
    in = layer.out;
  }
  const bool several = bundle.task == Task::kMulticlass || bundle.task == Task::kMultilabel;
  const auto outputs = several ? static_cast<int64_t>(bundle.classes.size()) : 1;
  return in == outputs ? absl::OkStatus() : Damaged("outputs and classes do not fit each other");
}

std::string EncodeBundle(const Bundle& bundle) {
  ByteWriter w;
  w.Raw(kMagic.data(), kMagic.size());
  w.U32(kVersion);
  w.U32(kSectionCount);
  WriteSection(kSchema, EncodeSchema(bundle), &w);
  WriteSection(kPreprocessor, EncodePreprocessor(bundle.preprocessor), &w);
  WriteSection(kWeights, EncodeWeights(bundle.weights), &w);
  WriteSection(kProvenance, EncodeProvenance(bundle.provenance), &w);
  return std::move(w).Take();
}

absl::StatusOr<Bundle> DecodeBundle(absl::string_view bytes) {
  ByteReader r(bytes);
  std::string magic(kMagic.size(), '\0');
  uint32_t version = 0;
  uint32_t section_count = 0;
  if (!r.Raw(magic.data(), magic.size()) || magic != kMagic)
    return Damaged("it does not start with TYBUNDL1");
  if (!r.U32(&version) || version == 0) return Damaged("no version");
  if (version > kVersion) {
    return MakeError(
        absl::StatusCode::kFailedPrecondition,
        absl::StrCat("model bundle has version ", version, "; this build reads up to ", kVersion),
        {.reason = ErrorReason::kInvalidState, .hint = "use the newer build that wrote it"});
  }
  if (!r.U32(&section_count) || section_count != kSectionCount)
    return Damaged("wrong number of sections");
  absl::string_view rest = bytes.substr(bytes.size() - r.remaining());
  Bundle bundle;
  for (uint32_t id = kSchema; id <= kSectionCount; ++id) {
    TY_ASSIGN_OR_RETURN(const absl::string_view payload, TakeSection(id, &rest));
    TY_RETURN_IF_ERROR(DecodeSection(version, id, payload, &bundle));
  }
  if (!rest.empty()) return Damaged("bytes after the last section");
  TY_RETURN_IF_ERROR(CheckBundle(bundle));
  return bundle;
}

}  // namespace trainyard
