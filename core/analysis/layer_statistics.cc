#include "core/analysis/layer_statistics.h"

#include <algorithm>
#include <cmath>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/analysis/loss_evaluator.h"
#include "core/base/status_macros.h"
#include "core/nn/unit_watch.h"

namespace trainyard {
namespace {

// What leaves one layer, over all rows.
class ActivationWatch {
 public:
  ActivationWatch(const LayerWeights& layer, int64_t bins)
      : width_(layer.out), units_(layer.out, layer.activation, layer.residual), summarizer_(bins) {}

  // inputs: [rows, in], of a residual layer as wide as the outputs.
  void Add(const float* inputs, const float* outputs, int64_t rows) {
    summarizer_.Add(outputs, rows * width_);
    units_.Add(inputs, outputs, rows);
  }

  void Count(const float* outputs, int64_t rows) { summarizer_.Count(outputs, rows * width_); }

  void Fill(LayerStatistics* layer) && {
    layer->activations = std::move(summarizer_).Take();
    layer->dead_unit_fraction = units_.dead_unit_fraction();
    layer->saturated_fraction = units_.saturated_fraction();
  }

 private:
  const int64_t width_;
  UnitWatch units_;
  Summarizer summarizer_;
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
    layer.weight_norm = std::sqrt(SquareSum(weights, tensor.size()));
    layer.gradient_norm = std::sqrt(SquareSum(gradients, tensor.size()));
    std::move(watches[static_cast<size_t>(tensor.layer)]).Fill(&layer);
  }
  return result;
}

}  // namespace trainyard
