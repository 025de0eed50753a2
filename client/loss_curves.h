// The loss curves of a training, out of its history: what `job watch --plot` and `job plot` draw.
//
// Thread-safety: pure functions.
#ifndef TRAINYARD_CLIENT_LOSS_CURVES_H_
#define TRAINYARD_CLIENT_LOSS_CURVES_H_

#include <vector>

#include "client/chart.h"
#include "trainyard/v1/job.pb.h"

namespace trainyard {

// Loss over steps done: "train" (the means of epochs; while there are fewer than two of them, the
// batches, as "batch"), and "validation", dotted. A curve without a point is left out. Where one
// seed or fold ends and the next begins is a gap. `history` is without what rewinds made void.
std::vector<Curve> LossCurves(const std::vector<v1::JobEvent>& history);

}  // namespace trainyard

#endif  // TRAINYARD_CLIENT_LOSS_CURVES_H_
