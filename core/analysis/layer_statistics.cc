#include "core/analysis/layer_statistics.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/analysis/loss_evaluator.h"
#include "core/base/status_macros.h"

namespace trainyard {
namespace {

// Distance from a bound, as a share of the activation's range, within which it counts as saturated.
constexpr double kSaturatedShare = 0.01;

// Gathers a NumberSummary in two passes: Add everything, then Count everything into bins.
class Summarizer {
 public:
  explicit Summarizer(int64_t bins) : histogram_(static_cast<size_t>(bins)) {}

  // Mean and spread by Welford's update: no cancellation however far from zero the numbers are.
  template <typename Number>
  void Add(const Number* numbers, int64_t count) {
    for (int64_t i = 0; i < count; ++i) {
      const double x = numbers[i];
      min_ = std::min(min_, x);
      max_ = std::max(max_, x);
      if (x == 0) ++zeros_;
      const double distance = x - mean_;
      mean_ += distance / static_cast<double>(++count_);
      square_sum_ += distance * (x - mean_);
    }
  }

  // REQUIRES: all numbers were added before the first is counted.
  template <typename Number>
  void Count(const Number* numbers, int64_t count) {
    const double width = max_ - min_;
    const auto bins = static_cast<int64_t>(histogram_.size());
    for (int64_t i = 0; i < count; ++i) {
      const double share = width > 0 ? (numbers[i] - min_) / width : 0;
      const auto bin =
          std::isfinite(share) ? static_cast<int64_t>(share * static_cast<double>(bins)) : 0;
      ++histogram_[static_cast<size_t>(std::clamp<int64_t>(bin, 0, bins - 1))];
    }
  }

  NumberSummary Take() && {
    const auto count = static_cast<double>(std::max<int64_t>(count_, 1));
    return {.mean = mean_,
            .standard_deviation = std::sqrt(square_sum_ / count),
            .min = min_,
            .max = max_,
            .zero_fraction = static_cast<double>(zeros_) / count,
            .histogram = std::move(histogram_)};
  }

 private:
  std::vector<int64_t> histogram_;
  int64_t count_ = 0;
  int64_t zeros_ = 0;
  double mean_ = 0;
  double square_sum_ = 0;
  double min_ = std::numeric_limits<double>::infinity();
  double max_ = -std::numeric_limits<double>::infinity();
};

template <typename Number>
NumberSummary Summarize(const Number* numbers, int64_t count, int64_t bins) {
  Summarizer summarizer(bins);
  summarizer.Add(numbers, count);
  summarizer.Count(numbers, count);
  return std::move(summarizer).Take();
}

template <typename Number>
double Norm(const Number* numbers, int64_t count) {
  double squares = 0;
  for (int64_t i = 0; i < count; ++i) squares += static_cast<double>(numbers[i]) * numbers[i];
  return std::sqrt(squares);
}

// The values between which an activation is confined; equal when it is not on both sides.
std::pair<double, double> BoundsOf(Activation activation) {
  switch (activation) {
    case Activation::kSigmoid:
    case Activation::kHardSigmoid:
      return {0, 1};
    case Activation::kTanh:
    case Activation::kHardTanh:
      return {-1, 1};
    default:
      return {0, 0};
  }
}

// What leaves one layer, over all rows.
class ActivationWatch {
 public:
  ActivationWatch(const LayerWeights& layer, int64_t bins)
      : units_(layer.out),
        residual_(layer.residual),
        bounds_(BoundsOf(layer.activation)),
        summarizer_(bins),
        changes_(static_cast<size_t>(units_)) {}

  // inputs: [rows, in], of a residual layer as wide as the outputs.
  void Add(const float* inputs, const float* outputs, int64_t rows) {
    summarizer_.Add(outputs, rows * units_);
    rows_ += rows;
    LookAtUnits(residual_ ? Unadded(inputs, outputs, rows) : outputs, rows);
  }

  void Count(const float* outputs, int64_t rows) { summarizer_.Count(outputs, rows * units_); }

  void Fill(LayerStatistics* layer) && {
    layer->activations = std::move(summarizer_).Take();
    const auto dead = std::count(changes_.begin(), changes_.end(), false);
    // One row tells nothing of what changes.
    layer->dead_unit_fraction =
        rows_ > 1 ? static_cast<double>(dead) / static_cast<double>(units_) : 0;
    layer->saturated_fraction =
        static_cast<double>(saturated_) / static_cast<double>(rows_ * units_);
  }

 private:
  // What a residual layer adds to its input.
  const float* Unadded(const float* inputs, const float* outputs, int64_t rows) {
    added_.resize(static_cast<size_t>(rows * units_));
    for (size_t i = 0; i < added_.size(); ++i) added_[i] = outputs[i] - inputs[i];
    return added_.data();
  }

  // activations: [rows, units]
  void LookAtUnits(const float* activations, int64_t rows) {
    if (first_.empty()) first_.assign(activations, activations + units_);
    for (int64_t i = 0; i < rows * units_; ++i) {
      const auto u = static_cast<size_t>(i % units_);
      if (activations[i] != first_[u]) changes_[u] = true;
    }
    const double margin = kSaturatedShare * (bounds_.second - bounds_.first);
    if (margin == 0) return;
    saturated_ += std::count_if(activations, activations + rows * units_, [&](float y) {
      return y <= bounds_.first + margin || y >= bounds_.second - margin;
    });
  }

  const int64_t units_;
  const bool residual_;
  const std::pair<double, double> bounds_;
  Summarizer summarizer_;
  std::vector<float> added_;   // scratch
  std::vector<float> first_;   // [units] activations of the first row
  std::vector<bool> changes_;  // [units] whether another row's differ
  int64_t saturated_ = 0;
  int64_t rows_ = 0;
};

const float* OutputsOf(const Mlp& mlp, size_t layer, size_t layer_count) {
  return layer + 1 == layer_count ? mlp.logits() : mlp.hidden_outputs(static_cast<int64_t>(layer));
}

// Goes through the rows twice: once to see how far the activations reach, once to count them.
absl::Status Watch(const AnalysisInput& input, LossEvaluator* evaluator,
                   std::vector<ActivationWatch>* watches) {
  const AnalysisRows& rows = evaluator->rows();
  const int64_t batch_rows = evaluator->batch_rows();
  const int64_t batches = (rows.count + batch_rows - 1) / batch_rows;
  for (int64_t i = 0; i < 2 * batches; ++i) {
    TY_RETURN_IF_ERROR(CheckNotStopped(input));
    const int64_t begin = i % batches * batch_rows;
    const int64_t count = std::min(batch_rows, rows.count - begin);
    const float* x = rows.part->features.row(begin).data();
    TY_RETURN_IF_ERROR(evaluator->mlp().Forward(x, count));
    for (size_t l = 0; l < watches->size(); ++l) {
      const float* outputs = OutputsOf(evaluator->mlp(), l, watches->size());
      i < batches ? (*watches)[l].Add(x, outputs, count) : (*watches)[l].Count(outputs, count);
      x = outputs;
    }
    input.Report(i + 1, 2 * batches);
  }
  return absl::OkStatus();
}

}  // namespace

void CheckLayerStatisticsOptions(const LayerStatisticsOptions& options,
                                 std::vector<FieldViolation>* violations) {
  if (options.bins >= 2 && options.bins <= kHistogramBinsMax) return;
  violations->push_back(
      {"analysis.layer_statistics.bins", absl::StrCat("is ", options.bins, "; must be from 2 to ",
                                                      kHistogramBinsMax, ": 30 is usual")});
}

absl::StatusOr<LayerStatisticsResult> ComputeLayerStatistics(
    const AnalysisInput& input, const LayerStatisticsOptions& options) {
  TY_ASSIGN_OR_RETURN(const std::unique_ptr<LossEvaluator> evaluator,
                      LossEvaluator::Create(input, LossEvaluator::Mode::kGradient));
  const Mlp& mlp = evaluator->mlp();
  std::vector<ActivationWatch> watches;
  for (const LayerWeights& layer : input.weights) watches.emplace_back(layer, options.bins);
  TY_RETURN_IF_ERROR(Watch(input, evaluator.get(), &watches));
  std::vector<double> gradient(mlp.parameters().size());
  TY_RETURN_IF_ERROR(evaluator->LossAndGradient(gradient).status());

  LayerStatisticsResult result{.layers = std::vector<LayerStatistics>(watches.size()),
                               .row_count = evaluator->rows().count};
  for (const ParameterTensor& tensor : mlp.tensors()) {
    if (tensor.kind != TensorKind::kWeights) continue;
    LayerStatistics& layer = result.layers[static_cast<size_t>(tensor.layer)];
    const float* weights = mlp.parameters().data() + tensor.begin;
    const double* gradients = gradient.data() + tensor.begin;
    layer.name = tensor.hidden ? absl::StrCat("layers[", tensor.layer, "]") : "output";
    layer.weights = Summarize(weights, tensor.size(), options.bins);
    layer.gradients = Summarize(gradients, tensor.size(), options.bins);
    layer.weight_norm = Norm(weights, tensor.size());
    layer.gradient_norm = Norm(gradients, tensor.size());
    std::move(watches[static_cast<size_t>(tensor.layer)]).Fill(&layer);
  }
  return result;
}

}  // namespace trainyard
