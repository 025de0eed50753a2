// Schedules say how large a step is: pure functions of the step, so that a resumed run continues
// exactly. The one that is not, reduce-on-plateau, is a small state machine fed with each
// evaluation's metric.
//
//   const double lr = LearningRateAt(
//       schedule, alpha, {.step = step, .epoch = epoch, .plateau_factor = plateau.factor()});
//   ...
//   plateau.Add(validation_loss);  // after each evaluation
//
// Formulas are those of trainyard.v1.ScheduleSpec.Kind; golden curves are PyTorch's.
// Thread-safety: pure functions; a PlateauTracker is a value.
#ifndef TRAINYARD_CORE_OPTIM_SCHEDULE_H_
#define TRAINYARD_CORE_OPTIM_SCHEDULE_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/base/state_archive.h"

namespace trainyard {

// Numbers equal trainyard.v1.ScheduleSpec.Kind.
enum class ScheduleKind : uint8_t {
  kUnspecified = 0,
  kConstant = 1,
  kStep = 2,
  kMultiStep = 3,
  kExponential = 4,
  kPolynomial = 5,
  kCosine = 6,
  kCosineRestarts = 7,
  kOneCycle = 8,
  kCyclic = 9,
  kReduceOnPlateau = 10,
};

// Numbers equal trainyard.v1.ScheduleSpec.Unit.
enum class ScheduleUnit : uint8_t { kUnspecified = 0, kSteps = 1, kEpochs = 2 };

// A field that is absent takes the default of its kind; one that does not belong to the kind is a
// fault.
struct ScheduleConfig {
  ScheduleKind kind = ScheduleKind::kUnspecified;  // kUnspecified: constant
  ScheduleUnit unit = ScheduleUnit::kUnspecified;
  std::optional<int64_t> period;  // units
  std::optional<double> gamma;
  std::vector<int64_t> milestones;  // units
  std::optional<double> power;
  std::optional<double> final_learning_rate;
  std::optional<int64_t> period_factor;
  std::optional<double> warm_fraction;
  std::optional<int64_t> patience;  // evaluations
  std::string metric;               // empty: "loss"
  std::optional<int64_t> warmup_steps;
};

// Length of a run, for defaults. Of one seed when there are several.
struct RunLength {
  int64_t steps = 0;
  int64_t epochs = 0;
  int64_t steps_per_epoch = 0;
};

// The whole epochs within the warm-up: where a schedule that counts epochs begins.
int64_t WarmupEpochs(const ScheduleConfig& config, int64_t steps_per_epoch);

// `config` with kind, unit and every absent field of that kind set; nothing is checked.
// `learning_rate` is α.
ScheduleConfig WithDefaults(const ScheduleConfig& config, double learning_rate,
                            const RunLength& length);

// Where in a run a step is.
struct ScheduleTime {
  int64_t step = 0;           // 0-based optimizer step
  int64_t epoch = 0;          // 0-based, from the end of WarmupEpochs on
  double plateau_factor = 1;  // of PlateauTracker
};

// The learning rate of the step. During warm-up it is (step + 1)/(warmup_steps + 1) of what the
// schedule says at its t = 0. Afterwards t counts steps from the end of the warm-up, or epochs from
// that in which it ends. REQUIRES: `config` came out of WithDefaults and is in range; step,
// epoch ≥ 0.
double LearningRateAt(const ScheduleConfig& config, double learning_rate, const ScheduleTime& time);

// PyTorch's ReduceLROnPlateau (threshold 1e-4, relative; no cooldown; a change of the learning rate
// by 1e-8 or less is not made).
class PlateauTracker {
 public:
  // REQUIRES: `config` came out of WithDefaults. Kinds other than kReduceOnPlateau keep factor 1.
  PlateauTracker(const ScheduleConfig& config, double learning_rate, bool higher_is_better);

  // `value`: the monitored metric of an evaluation; NaN counts as no improvement.
  void Add(double value);
  double factor() const { return factor_; }

  // All that Add has left.
  void TransferState(StateArchive* archive);

 private:
  // Constant after construction.
  bool active_ = false;
  double gamma_ = 1;
  int64_t patience_ = 0;
  double lowest_ = 0;  // learning rate
  double learning_rate_ = 0;
  bool higher_is_better_ = false;

  double factor_ = 1;
  double best_ = 0;
  int64_t bad_count_ = 0;
};

}  // namespace trainyard

#endif  // TRAINYARD_CORE_OPTIM_SCHEDULE_H_
