#include "server/grading/work_budget.h"

#include <limits>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/base/status_macros.h"
#include "core/optim/lbfgs.h"

namespace trainyard {
namespace {

// A count of things, or "too many".
class Count {
 public:
  explicit Count(int64_t value) : value_(value) {}

  bool fits() const { return fits_; }
  int64_t value() const { return value_; }

  Count operator+(const Count& other) const {
    Count sum(0);
    sum.fits_ = !__builtin_add_overflow(value_, other.value_, &sum.value_) && fits_ && other.fits_;
    return sum;
  }
  Count operator*(const Count& other) const {
    Count product(0);
    product.fits_ =
        !__builtin_mul_overflow(value_, other.value_, &product.value_) && fits_ && other.fits_;
    return product;
  }

 private:
  int64_t value_;
  bool fits_ = true;
};

void CheckPositive(absl::string_view field, int64_t value,
                   std::vector<FieldViolation>* violations) {
  if (value >= 1) return;
  violations->push_back(
      {std::string(field), absl::StrCat("is ", value, "; it must be 1 or more to be counted")});
}

absl::Status CheckCountable(const v1::TrainingSpec& spec, const WorkShape& shape) {
  std::vector<FieldViolation> violations;
  for (int i = 0; i < spec.layers_size(); ++i) {
    CheckPositive(absl::StrCat("spec.layers[", i, "].units"), spec.layers(i).units(), &violations);
  }
  CheckPositive("spec.epochs", spec.epochs(), &violations);
  if (spec.has_seed_count()) CheckPositive("spec.seed_count", spec.seed_count(), &violations);
  if (spec.split().has_fold_count()) {
    CheckPositive("spec.split.fold_count", spec.split().fold_count(), &violations);
  }
  CheckPositive("features", shape.features, &violations);
  CheckPositive("outputs", shape.outputs, &violations);
  CheckPositive("training rows", shape.train_rows, &violations);
  if (violations.empty()) return absl::OkStatus();
  return MakeViolationsError(ErrorReason::kInvalidSpec, std::move(violations));
}

// Of one layer: parameters, and products of inputs and outputs.
struct LayerWork {
  Count parameters;
  Count products;
};

LayerWork WorkOfLayer(int64_t inputs, int64_t outputs, bool bias, bool normalised) {
  const Count products = Count(inputs) * Count(outputs);
  const int64_t vectors = (bias ? 1 : 0) + (normalised ? 2 : 0);
  return {products + Count(outputs) * Count(vectors), products};
}

LayerWork WorkOfHidden(int64_t inputs, const v1::LayerSpec& layer) {
  const bool normalised = layer.normalization() == v1::NORMALIZATION_BATCH ||
                          layer.normalization() == v1::NORMALIZATION_LAYER;
  return WorkOfLayer(inputs, layer.units(), !layer.has_bias() || layer.bias(), normalised);
}

int64_t RunsOf(const v1::TrainingSpec& spec) {
  if (spec.split().has_fold_count()) return spec.split().fold_count();
  return spec.has_seed_count() ? spec.seed_count() : 1;
}

int64_t EvaluationsOf(const v1::TrainingSpec& spec) {
  return spec.optimizer().kind() == v1::OptimizerSpec::LBFGS ? kLbfgsEvaluationsMax : 1;
}

bool IsWithin(int64_t used, const std::optional<int64_t>& max) {
  return !max.has_value() || used <= *max;
}

void CheckLimit(absl::string_view what, int64_t used, const std::optional<int64_t>& max,
                absl::string_view remedy, absl::string_view path,
                std::vector<FieldViolation>* violations) {
  if (IsWithin(used, max)) return;
  violations->push_back({std::string(path), absl::StrCat("takes ", used, " ", what, ", and ", *max,
                                                         " are allowed; ", remedy)});
}

}  // namespace

absl::StatusOr<Work> WorkOf(const v1::TrainingSpec& resolved, const WorkShape& shape) {
  TY_RETURN_IF_ERROR(CheckCountable(resolved, shape));
  std::vector<LayerWork> layers;
  int64_t inputs = shape.features;
  for (const v1::LayerSpec& layer : resolved.layers()) {
    layers.push_back(WorkOfHidden(inputs, layer));
    inputs = layer.units();
  }
  const bool output_bias = !resolved.has_output_bias() || resolved.output_bias();
  layers.push_back(WorkOfLayer(inputs, shape.outputs, output_bias, false));
  Count parameters(0);
  Count products(0);
  for (const LayerWork& layer : layers) {
    parameters = parameters + layer.parameters;
    products = products + layer.products;
  }
  const Count flops_per_row = products * Count(6) + layers.front().products * Count(-2);
  const Count rows = Count(shape.train_rows) * Count(resolved.epochs()) * Count(RunsOf(resolved));
  const Count train_flops = rows * Count(EvaluationsOf(resolved)) * flops_per_row;
  if (parameters.fits() && train_flops.fits()) {
    return Work{parameters.value(), train_flops.value(), resolved.epochs()};
  }
  return MakeError(absl::StatusCode::kResourceExhausted,
                   "the spec's parameters or training operations are more than can be counted",
                   {.reason = ErrorReason::kTooLarge,
                    .hint = "use fewer or smaller layers, or fewer epochs",
                    .in_force = absl::StrCat("at most ", std::numeric_limits<int64_t>::max())});
}

bool IsWithin(const Work& work, const WorkLimits& limits) {
  return IsWithin(work.parameters, limits.parameters_max) &&
         IsWithin(work.train_flops, limits.train_flops_max) &&
         IsWithin(work.epochs, limits.epochs_max);
}

void CheckWork(const Work& work, const WorkLimits& limits, absl::string_view path,
               std::vector<FieldViolation>* violations) {
  CheckLimit("parameters", work.parameters, limits.parameters_max, "use fewer or smaller layers",
             path, violations);
  CheckLimit("training operations", work.train_flops, limits.train_flops_max,
             "use smaller layers or fewer epochs", path, violations);
  CheckLimit("epochs", work.epochs, limits.epochs_max, "set epochs lower", path, violations);
}

}  // namespace trainyard
