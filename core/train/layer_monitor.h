// LayerMonitor looks at a network layer by layer at the end of an epoch: how large weights,
// gradients and updates are, and which units do nothing. What it finds goes into the epoch's record
// (TrainConfig::layer_records) and to the Diagnosis.
//
//   LayerMonitor monitor(config, dataset.train);
//   … before the last step of an epoch: monitor.BeforeLastStep(network);
//   … after it: if (monitor.IsDue(epoch)) {
//     TY_ASSIGN_OR_RETURN(const std::vector<LayerRecord> layers, monitor.Look(network));
//
// Gradients are those of the epoch's last step, as the optimizer got them: nothing is computed for
// them. Activations are those of the first kRowsMax training rows, in evaluation mode. Without
// records it looks after epochs 1, 2, 4, 8, … only, for warnings, and only where there are hidden
// layers; so it takes next to no time.
//
// Thread-safety: none. Lifetime: `part` must outlive it. Memory: with records, a copy of the
// parameters. It has no state that another run would need.
#ifndef TRAINYARD_CORE_TRAIN_LAYER_MONITOR_H_
#define TRAINYARD_CORE_TRAIN_LAYER_MONITOR_H_

#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/data/dataset.h"
#include "core/nn/mlp.h"
#include "core/nn/parameters.h"
#include "core/train/observer.h"
#include "core/train/train_config.h"

namespace trainyard {

class LayerMonitor {
 public:
  static constexpr int64_t kRowsMax = 256;
  static constexpr int64_t kBins = 30;
  // Numbers in the records of a job's layers, all epochs of all runs together: they stay in its
  // log, where histograms take some 40 MB at most, and summaries 100 MB.
  static constexpr int64_t kRecordNumbersMax = 10'000'000;

  // The rows that Look gives to the network's Forward in one go: a size that it must be prepared
  // for. 0: none.
  static int64_t RowCount(const TrainConfig& config, int64_t train_rows);

  // Numbers that the records of one epoch have.
  static int64_t NumbersPerEpoch(const TrainConfig& config);

  LayerMonitor(const TrainConfig& config, const Part& part);

  // `epoch`: 0-based, of the run.
  bool IsDue(int64_t epoch) const;
  bool records() const { return records_ != LayerRecords::kNone; }

  // To be called right before the last step of an epoch.
  void BeforeLastStep(const Mlp& network);
  // REQUIRES: IsDue; the network's gradients are those of the last step. Errors: Mlp::Forward's.
  absl::StatusOr<std::vector<LayerRecord>> Look(Mlp& network);

 private:
  // Sums over a layer's tensors.
  struct Squares {
    double weights = 0, gradients = 0, before = 0, changes = 0;
  };

  absl::Status WatchUnits(Mlp& network, std::vector<LayerRecord>* layers);
  void AddTensor(const ParameterTensor& tensor, const Mlp& network, Squares* squares,
                 LayerRecord* layer) const;

  // Constant after construction.
  const LayerRecords records_;
  const bool has_hidden_layers_;
  const Part& part_;
  const int64_t rows_;

  std::vector<float> before_;  // parameters before the last step
};

}  // namespace trainyard

#endif  // TRAINYARD_CORE_TRAIN_LAYER_MONITOR_H_
