#include "core/analysis/loss_landscape.h"

#include <cmath>
#include <limits>
#include <memory>

#include "absl/strings/str_cat.h"
#include "core/analysis/axis.h"
#include "core/analysis/loss_evaluator.h"
#include "core/base/rng.h"
#include "core/base/status_macros.h"
#include "core/data/number.h"

namespace trainyard {
namespace {

// A random direction in the space of parameters, filter by filter as long as θ. Everything but
// weights stays zero.
std::vector<float> FilterNormalizedDirection(uint64_t seed, uint64_t number,
                                             const ParameterTensors& tensors,
                                             std::span<const float> theta) {
  std::vector<float> direction(theta.size());
  Rng rng(seed, RngStream::kAnalysis, number);
  for (const ParameterTensor& tensor : tensors) {
    if (tensor.kind != TensorKind::kWeights) continue;
    float* d = direction.data() + tensor.begin;
    const float* w = theta.data() + tensor.begin;
    for (int64_t i = 0; i < tensor.size(); ++i) d[i] = static_cast<float>(rng.Normal());
    for (int64_t unit = 0; unit < tensor.cols; ++unit) {
      double w_squares = 0;
      double d_squares = 0;
      for (int64_t i = unit; i < tensor.size(); i += tensor.cols) {
        w_squares += static_cast<double>(w[i]) * w[i];
        d_squares += static_cast<double>(d[i]) * d[i];
      }
      const auto scale = static_cast<float>(d_squares > 0 ? std::sqrt(w_squares / d_squares) : 0);
      for (int64_t i = unit; i < tensor.size(); i += tensor.cols) d[i] *= scale;
    }
  }
  return direction;
}

}  // namespace

void CheckLossLandscapeOptions(const LossLandscapeOptions& options,
                               std::vector<FieldViolation>* violations) {
  const int64_t resolution = options.resolution;
  if (resolution < 3 || resolution > kLandscapeResolutionMax || resolution % 2 == 0) {
    violations->push_back(
        {"analysis.loss_landscape.resolution",
         absl::StrCat("is ", resolution, "; must be odd, from 3 to ", kLandscapeResolutionMax,
                      ", so that the network itself is in the middle: 25 is usual")});
  }
  if (options.range > 0 && options.range <= 100) return;
  violations->push_back(
      {"analysis.loss_landscape.range",
       absl::StrCat(
           "is ", NumberText(options.range),
           "; must be above 0 and at most 100: 1 moves each unit's weights by their own length")});
}

absl::StatusOr<LossLandscapeResult> ComputeLossLandscape(const AnalysisInput& input,
                                                         const LossLandscapeOptions& options) {
  TY_ASSIGN_OR_RETURN(const std::unique_ptr<LossEvaluator> evaluator,
                      LossEvaluator::Create(input, LossEvaluator::Mode::kForward));
  const std::span<float> parameters = evaluator->parameters();
  const std::vector<float> theta(parameters.begin(), parameters.end());
  const std::vector<float> d1 =
      FilterNormalizedDirection(options.seed, 1, evaluator->mlp().tensors(), theta);
  const std::vector<float> d2 =
      FilterNormalizedDirection(options.seed, 2, evaluator->mlp().tensors(), theta);

  LossLandscapeResult result{.axis = EvenAxis(-options.range, options.range, options.resolution),
                             .row_count = evaluator->rows().count};
  const int64_t total = options.resolution * options.resolution;
  result.losses.reserve(static_cast<size_t>(total));
  for (const double b : result.axis) {
    for (const double a : result.axis) {
      TY_RETURN_IF_ERROR(CheckNotStopped(input));
      for (size_t i = 0; i < theta.size(); ++i) {
        parameters[i] = static_cast<float>(theta[i] + a * d1[i] + b * d2[i]);
      }
      TY_ASSIGN_OR_RETURN(const double loss, evaluator->Loss());
      result.losses.push_back(std::isfinite(loss) ? loss : std::numeric_limits<double>::infinity());
      input.Report(static_cast<int64_t>(result.losses.size()), total);
    }
  }
  result.centre = result.losses[static_cast<size_t>(total / 2)];
  return result;
}

}  // namespace trainyard
