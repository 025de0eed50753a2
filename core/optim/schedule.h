// Schedules say how large a step is: pure functions of the step, so that a resumed run continues
// exactly.
//
//   const double lr = LearningRateAt(config, step);
//
// Thread-safety: pure functions.
#ifndef TRAINYARD_CORE_OPTIM_SCHEDULE_H_
#define TRAINYARD_CORE_OPTIM_SCHEDULE_H_

#include <cstdint>

#include "core/optim/optimizer.h"

namespace trainyard {

// α at the 0-based `step` of the run: constant. REQUIRES: config.learning_rate is set.
double LearningRateAt(const OptimizerConfig& config, int64_t step);

}  // namespace trainyard

#endif  // TRAINYARD_CORE_OPTIM_SCHEDULE_H_
