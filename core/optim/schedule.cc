#include "core/optim/schedule.h"

#include "core/base/check.h"

namespace trainyard {

double LearningRateAt(const OptimizerConfig& config, int64_t step) {
  TY_CHECK(step >= 0);
  return *config.learning_rate;
}

}  // namespace trainyard
