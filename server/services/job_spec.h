// ResolveJobSpec turns what a client wrote into what a worker runs: every default and inferred
// choice filled in, every fault found.
//
// Thread-safety: pure.
#ifndef TRAINYARD_SERVER_SERVICES_JOB_SPEC_H_
#define TRAINYARD_SERVER_SERVICES_JOB_SPEC_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "core/base/error_info.h"
#include "server/services/service_limits.h"
#include "trainyard/v1/analysis_spec.pb.h"
#include "trainyard/v1/dataset.pb.h"
#include "trainyard/v1/job.pb.h"
#include "trainyard/v1/model.pb.h"
#include "trainyard/v1/spec.pb.h"

namespace trainyard {

struct JobSpec {
  v1::TrainingSpec resolved;
  std::vector<std::string> warnings;  // things worth knowing that are no fault
  v1::ResourceEstimate estimate;      // of a training; empty while the spec has faults
  int64_t steps_total = 0;            // the same, of all seeds or folds
  int64_t epochs_total = 0;           // the same
};

// Errors: INVALID_ARGUMENT/INVALID_SPEC with every fault at once, paths from "spec.";
// RESOURCE_EXHAUSTED/TOO_LARGE for a spec over limits::kSpecBytesMax. REQUIRES: `dataset` is READY;
// `initial_model` is the one that the spec names, null when it names none.
absl::StatusOr<JobSpec> ResolveJobSpec(const v1::TrainingSpec& spec, const v1::Dataset& dataset,
                                       const ServiceLimits& limits,
                                       const v1::Model* initial_model = nullptr);

// The same with faults added to `violations`, for a caller who has more of them. A spec with faults
// is resolved as far as it goes. Errors: RESOURCE_EXHAUSTED/TOO_LARGE.
absl::StatusOr<JobSpec> ResolveJobSpec(const v1::TrainingSpec& spec, const v1::Dataset& dataset,
                                       const ServiceLimits& limits, const v1::Model* initial_model,
                                       std::vector<FieldViolation>* violations);

// What a training is estimated to take against what it may take here: a violation each.
void CheckEstimate(const v1::TrainingJob& job, const ServiceLimits& limits,
                   std::vector<FieldViolation>* violations);

// Whether the weights of `model` can be those of a resolved spec's network: every difference in
// task, features, labels and layers is a violation of `field`. Names of classes are known to the
// worker only. Dropout may differ.
void CheckModelFits(const v1::Model& model, const v1::TrainingSpec& resolved,
                    const std::string& field, std::vector<FieldViolation>* violations);

// Whether the test dataset has the columns of a resolved spec, as they are in the dataset that is trained on: every one that is
// missing or of another type is a violation of "spec.test_dataset".
void CheckTestFits(const v1::TrainingSpec& resolved, const v1::Dataset& dataset,
                   const v1::Dataset& test, std::vector<FieldViolation>* violations);

// What a linear collapse leaves grows with the network: a violation of "analysis.linear_collapse"
// when it would not fit into an answer. `resolved` has no faults.
void CheckCollapseFits(const v1::TrainingSpec& resolved, const v1::Dataset& dataset,
                       std::vector<FieldViolation>* violations);

// The spec of a model as that of an analysis of it: data, network and loss of the model, without
// what only its training needed, so that no rule about training refuses the analysis. The
// learning-rate finder takes steps as the model's training did. What `wanted` may say beside a
// model (threads, max_runtime, max_memory_bytes) goes before the model's.
v1::TrainingSpec SpecOf(const v1::Model& model, const v1::AnalysisSpec& analysis,
                        const v1::TrainingSpec& wanted, const ServiceLimits& limits);

// Every field of `wanted` that may not be given beside a model is a violation "spec.…".
void CheckBesideModel(const v1::TrainingSpec& wanted, std::vector<FieldViolation>* violations);

}  // namespace trainyard

#endif  // TRAINYARD_SERVER_SERVICES_JOB_SPEC_H_
