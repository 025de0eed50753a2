// Diagnosis watches a training from epoch to epoch and says what goes wrong with it, and what
// helps: gradients that vanish or explode, units that are dead or saturated, a validation loss that
// turns up, a loss that does not move.
//
//   Diagnosis diagnosis(config, dataset.train.rows());
//   … each step: diagnosis.AddStep(loss, gradient_norm);
//   … each epoch: for (const TrainingWarning& warning : diagnosis.EndEpoch(record, layers)) …
//
// It only looks: a training with and without it is the same. Each warning comes once in a run,
// those of a layer once for each layer. A pure function of what it was given, so that a repeated
// run warns of the same at the same place. Thread-safety: none; a value.
#ifndef TRAINYARD_CORE_TRAIN_DIAGNOSIS_H_
#define TRAINYARD_CORE_TRAIN_DIAGNOSIS_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/base/state_archive.h"
#include "core/train/layer_monitor.h"
#include "core/train/observer.h"
#include "core/train/train_config.h"

namespace trainyard {

class Diagnosis {
 public:
  Diagnosis(const TrainConfig& config, int64_t train_rows);

  // loss: of the step's batch before the update; gradient_norm: before clipping.
  void AddStep(double loss, double gradient_norm) {
    if (steps_ == 0) {
      first_loss_ = loss;
      first_gradient_norm_ = gradient_norm;
    }
    ++steps_;
    ++epoch_steps_;
    gradient_norm_sum_ += gradient_norm;
  }
  // `layers`: those of LayerMonitor::Look, or none when it did not look.
  std::vector<TrainingWarning> EndEpoch(const EpochRecord& epoch,
                                        const std::vector<LayerRecord>& layers);

  void TransferState(StateArchive* archive);

 private:
  using Warnings = std::vector<TrainingWarning>;

  // An epoch's losses.
  struct Losses {
    int64_t epoch = 0;
    double train = 0, validation = 0;

    void TransferState(StateArchive* archive);
  };

  void LookForExplosion(Warnings* warnings);
  void LookForOverfitting(const EpochRecord& epoch, Warnings* warnings);
  void LookForStuckLoss(const EpochRecord& epoch, Warnings* warnings);
  void LookForVanishing(const std::vector<LayerRecord>& layers, Warnings* warnings);
  void LookForIdleUnits(const std::vector<LayerRecord>& layers, Warnings* warnings);
  void Warn(WarningKind kind, std::string message, std::string remedy, Warnings* warnings);

  // Constant after construction.
  std::vector<Activation> activations_;  // of the hidden layers
  double learning_rate_;
  bool watches_units_;  // there are rows enough to say something of them

  int64_t steps_ = 0;
  double first_loss_ = 0;           // of the first step
  double first_gradient_norm_ = 0;  // of the first step
  int64_t epoch_steps_ = 0;
  double gradient_norm_sum_ = 0;  // over the epoch's steps
  bool has_validation_ = false;
  Losses best_;                       // the epoch with the best validation loss
  std::optional<double> epoch_loss_;  // train loss of the first epoch
  double best_train_loss_ = 0;
  uint32_t warned_ = 0;               // bits of kinds
  std::vector<uint8_t> idle_warned_;  // per hidden layer
};

}  // namespace trainyard

#endif  // TRAINYARD_CORE_TRAIN_DIAGNOSIS_H_
