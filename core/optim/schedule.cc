#include "core/optim/schedule.h"

#include "core/base/check.h"

namespace trainyard {

ScheduleConfig WithDefaults(const ScheduleConfig& config, double /*learning_rate*/,
                            const RunLength& /*length*/) {
  ScheduleConfig full = config;
  if (full.kind == ScheduleKind::kUnspecified) full.kind = ScheduleKind::kConstant;
  return full;
}

double LearningRateAt(const ScheduleConfig& /*config*/, double learning_rate,
                      const ScheduleTime& time) {
  TY_CHECK(time.step >= 0);
  return learning_rate;
}

}  // namespace trainyard
