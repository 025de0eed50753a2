// CheckOptimizer and CheckSchedule: every fault of a user's optimizer and schedule at once, each
// with its path, its value, the limit and the remedy. In optim because that is where it is known
// which field belongs to which kind.
//
// Thread-safety: pure functions.
#ifndef TRAINYARD_CORE_OPTIM_OPTIMIZER_CHECKS_H_
#define TRAINYARD_CORE_OPTIM_OPTIMIZER_CHECKS_H_

#include <vector>

#include "core/base/error_info.h"
#include "core/optim/optimizer.h"
#include "core/optim/schedule.h"

namespace trainyard {

// Paths "optimizer.learning_rate", …. `config` as the user gave it, before WithDefaults.
void CheckOptimizer(const OptimizerConfig& config, std::vector<FieldViolation>* violations);

// Paths "schedule.period", …. `config` before WithDefaults; `learning_rate` is the resolved α.
void CheckSchedule(const ScheduleConfig& config, double learning_rate,
                   std::vector<FieldViolation>* violations);

}  // namespace trainyard

#endif  // TRAINYARD_CORE_OPTIM_OPTIMIZER_CHECKS_H_
