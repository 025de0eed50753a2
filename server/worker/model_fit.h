// A stored model in a job: whether its weights fit the job's network and data, and what they are on
// features scaled otherwise.
//
// Thread-safety: pure functions.
#ifndef TRAINYARD_SERVER_WORKER_MODEL_FIT_H_
#define TRAINYARD_SERVER_WORKER_MODEL_FIT_H_

#include <string>

#include "absl/status/status.h"
#include "core/data/dataset.h"
#include "core/data/preprocessor.h"
#include "core/model/bundle.h"
#include "core/train/train_config.h"

namespace trainyard {

// INVALID_ARGUMENT/INVALID_SPEC with every difference in features, classes and layers; `name` is
// the model's.
absl::Status CheckModel(const std::string& name, const Bundle& bundle, const TrainConfig& config,
                        const Dataset& dataset);

// Rewrites the model for features scaled by `to`, so that its weights mean the same as those of a
// network that learned with them: with x' = (x - o')·s' and z = (x - o)·s the first layer's weights
// of a feature become w'·s'/s, and w'·(o - o')·s' goes to the biases. Predictions stay the same but
// for the rounding of float32. Does nothing where both scale alike (the same data and split).
// Errors: INVALID_ARGUMENT/INVALID_SPEC when no weights can say the same: a first layer with
// residual, or without biases or BATCH normalisation where offsets differ; a feature that `to`
// makes 0 and the model uses; a column whose categories, or what stands in for missing cells (where
// no feature says that they are missing), differ. `*bundle` is of no use then. REQUIRES: CheckModel passed; `to` is of
// the model's features.
absl::Status Rescale(const std::string& name, const Preprocessor& to, Bundle* bundle);

// The same for a regression's target: rewrites the output layer for targets scaled by `to`.
// Errors: INVALID_ARGUMENT/INVALID_SPEC for an output layer without bias where offsets differ.
absl::Status RescaleTarget(const std::string& name, const TargetUnit& to, Bundle* bundle);

}  // namespace trainyard

#endif  // TRAINYARD_SERVER_WORKER_MODEL_FIT_H_
