#include "core/train/layer_monitor.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <span>

#include "absl/strings/str_cat.h"
#include "core/base/status_macros.h"
#include "core/nn/number_summary.h"
#include "core/nn/unit_watch.h"

namespace trainyard {
namespace {

double SquaredDistance(const float* a, const float* b, int64_t count) {
  double squares = 0;
  for (int64_t i = 0; i < count; ++i) {
    const double difference = static_cast<double>(a[i]) - b[i];
    squares += difference * difference;
  }
  return squares;
}

}  // namespace

int64_t LayerMonitor::RowCount(const TrainConfig& config, int64_t train_rows) {
  return config.layers.empty() ? 0 : std::min(train_rows, kRowsMax);
}

int64_t LayerMonitor::NumbersPerEpoch(const TrainConfig& config) {
  if (config.layer_records == LayerRecords::kNone) return 0;
  constexpr int64_t kSummary = 5;        // norms, ratio, fractions
  constexpr int64_t kHistogramEdge = 4;  // least, greatest, sum, sum of squares
  const bool histograms = config.layer_records == LayerRecords::kHistograms;
  const int64_t per_layer = kSummary + (histograms ? 2 * (kBins + kHistogramEdge) : 0);
  return per_layer * static_cast<int64_t>(config.layers.size() + 1);
}

LayerMonitor::LayerMonitor(const TrainConfig& config, const Part& part)
    : records_(config.layer_records),
      has_hidden_layers_(!config.layers.empty()),
      part_(part),
      rows_(RowCount(config, part.rows())) {}

bool LayerMonitor::IsDue(int64_t epoch) const {
  return records() || (has_hidden_layers_ && std::has_single_bit(static_cast<uint64_t>(epoch + 1)));
}

void LayerMonitor::BeforeLastStep(const Mlp& network) {
  if (!records()) return;
  before_.assign(network.parameters().begin(), network.parameters().end());
}

absl::StatusOr<std::vector<LayerRecord>> LayerMonitor::Look(Mlp& network) {
  std::vector<LayerRecord> layers(network.config().layers.size() + 1);
  std::vector<Squares> squares(layers.size());
  for (const ParameterTensor& tensor : network.tensors()) {
    const auto i = static_cast<size_t>(tensor.layer);
    AddTensor(tensor, network, &squares[i], &layers[i]);
  }
  for (size_t i = 0; i < layers.size(); ++i) {
    layers[i].weight_norm = std::sqrt(squares[i].weights);
    layers[i].gradient_norm = std::sqrt(squares[i].gradients);
    if (squares[i].before > 0) {
      layers[i].update_ratio = std::sqrt(squares[i].changes / squares[i].before);
    }
  }
  TY_RETURN_IF_ERROR(WatchUnits(network, &layers));
  return layers;
}

void LayerMonitor::AddTensor(const ParameterTensor& tensor, const Mlp& network, Squares* squares,
                             LayerRecord* layer) const {
  const float* values = network.parameters().data() + tensor.begin;
  const float* gradients = network.gradients().data() + tensor.begin;
  layer->parameter_count += tensor.size();
  squares->weights += SquareSum(values, tensor.size());
  squares->gradients += SquareSum(gradients, tensor.size());
  if (!before_.empty()) {
    const float* before = before_.data() + tensor.begin;
    squares->before += SquareSum(before, tensor.size());
    squares->changes += SquaredDistance(values, before, tensor.size());
  }
  if (tensor.kind != TensorKind::kWeights) return;
  layer->name = tensor.hidden ? absl::StrCat("layers[", tensor.layer, "]") : "output";
  if (records_ != LayerRecords::kHistograms) return;
  layer->weights = Summarize(values, tensor.size(), kBins);
  layer->gradients = Summarize(gradients, tensor.size(), kBins);
}

absl::Status LayerMonitor::WatchUnits(Mlp& network, std::vector<LayerRecord>* layers) {
  if (rows_ == 0) return absl::OkStatus();
  const float* inputs = part_.features.row(0).data();
  TY_RETURN_IF_ERROR(network.Forward(inputs, rows_));
  for (size_t i = 0; i < network.config().layers.size(); ++i) {
    const LayerConfig& config = network.config().layers[i];
    const float* outputs = network.hidden_outputs(static_cast<int64_t>(i));
    UnitWatch watch(config.units, config.activation, config.residual);
    watch.Add(inputs, outputs, rows_);
    (*layers)[i].dead_unit_fraction = watch.dead_unit_fraction();
    (*layers)[i].saturated_fraction = watch.saturated_fraction();
    inputs = outputs;
  }
  return absl::OkStatus();
}

}  // namespace trainyard
