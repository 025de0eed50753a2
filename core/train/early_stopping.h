// EarlyStopper follows one metric from evaluation to evaluation: which was the best, and for how
// long nothing has improved. It decides nothing else and holds no weights.
//
//   EarlyStopper stopper(config.early_stopping);
//   if (stopper.Add(validation.Find(metric))) …keep the weights…;
//   if (stopper.exhausted()) …stop…;
//
// Two comparisons, deliberately: the best is simply the best; patience counts from the last
// evaluation that was better than the one before it by more than min_delta. A value that is not a
// number improves nothing. Thread-safety: a value.
#ifndef TRAINYARD_CORE_TRAIN_EARLY_STOPPING_H_
#define TRAINYARD_CORE_TRAIN_EARLY_STOPPING_H_

#include <cstdint>
#include <optional>

#include "core/base/state_archive.h"
#include "core/train/train_config.h"

namespace trainyard {

// Whether `value` is better than `other` by more than `min_delta`. A NaN is not.
bool IsBetter(double value, double other, double min_delta, bool higher_is_better);

class EarlyStopper {
 public:
  explicit EarlyStopper(const EarlyStoppingConfig& config);

  // The metric of the next evaluation. True when it is the best so far.
  bool Add(double value);

  // Patience is at its end; never with restore_only or when not enabled.
  bool exhausted() const { return stops_ && bad_count_ >= patience_; }

  // All that Add has left.
  void TransferState(StateArchive* archive);

 private:
  bool stops_;
  bool higher_is_better_;
  int64_t patience_;
  double min_delta_;
  std::optional<double> best_;
  std::optional<double> reference_;  // of the last improvement
  int64_t bad_count_ = 0;            // evaluations since then
};

}  // namespace trainyard

#endif  // TRAINYARD_CORE_TRAIN_EARLY_STOPPING_H_
