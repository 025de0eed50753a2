// A stored model as the beginning of a job: whether its weights fit the job's network and data, and
// the data scaled the way the model knows them.
//
// Thread-safety: pure functions.
#ifndef TRAINYARD_SERVER_WORKER_MODEL_FIT_H_
#define TRAINYARD_SERVER_WORKER_MODEL_FIT_H_

#include <string>

#include "absl/status/status.h"
#include "core/data/dataset.h"
#include "core/data/table.h"
#include "core/model/bundle.h"
#include "core/train/train_config.h"

namespace trainyard {

// INVALID_ARGUMENT/INVALID_SPEC with every difference in features, classes and layers; `name` is
// the model's.
absl::Status CheckModel(const std::string& name, const Bundle& bundle, const TrainConfig& config,
                        const Dataset& dataset);

// Scales `dataset` as the model was trained: weights mean something only together with their
// preprocessing. Does nothing where it is scaled so already (the same data and split).
// REQUIRES: `dataset` is what BuildDataset made of `table` and `config`; the features are the
// model's. Errors: those of BuildDataset.
absl::Status UsePreprocessor(const Preprocessor& preprocessor, const Table& table,
                             const TrainConfig& config, Dataset* dataset);

}  // namespace trainyard

#endif  // TRAINYARD_SERVER_WORKER_MODEL_FIT_H_
