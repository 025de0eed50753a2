// What a network costs, counted from its spec before anything runs: budgets of an assignment are in
// work, not in seconds, so that a slow machine is nobody's fault and a violation costs no attempt.
//
// The published formula. Layers l = 1 … L have in_l inputs and out_l outputs (the last one is the
// output layer; in_1 is the number of features, after encoding), and
//
//   parameters  = Σ_l (in_l·out_l + out_l)    less out_l where a layer has no bias,
//                                             plus 2·out_l where batch or layer normalises it
//   train_flops = training rows · epochs · runs · evaluations · (Σ_l 6·in_l·out_l - 2·in_1·out_1)
//
// 2·in·out a row forward, twice that backward, but for the gradient of the features, which nobody
// asks for. runs is the spec's seed_count, or fold_count, and 1 without. evaluations is 26 with
// LBFGS, whose line search may look at so many points a step, and 1 otherwise. max_steps and early
// stopping are not looked at: they make it less, never more.
//
//   TY_ASSIGN_OR_RETURN(Work work,
//                       WorkOf(resolved, {.features = 30, .outputs = 1, .train_rows = 455}));
//   CheckWork(work, {.parameters_max = 20'000}, "spec", &violations);
//
// Thread-safety: pure functions.
#ifndef TRAINYARD_SERVER_GRADING_WORK_BUDGET_H_
#define TRAINYARD_SERVER_GRADING_WORK_BUDGET_H_

#include <cstdint>
#include <optional>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "core/base/error_info.h"
#include "trainyard/v1/spec.pb.h"

namespace trainyard {

struct Work {
  int64_t parameters = 0;
  int64_t train_flops = 0;
  int64_t epochs = 0;  // of one run
  bool operator==(const Work&) const = default;
};

// What the data decides of a network's work.
struct WorkShape {
  int64_t features = 0;    // inputs of the network: FeatureCountMax of core/data/resolve_features.h
  int64_t outputs = 0;     // OutputCountOf of core/train/train_config.h
  int64_t train_rows = 0;  // TrainRowCount
};

// `resolved` is a spec with its defaults filled in. Errors: INVALID_ARGUMENT/INVALID_SPEC for
// sizes, epochs or counts below 1, with every fault; RESOURCE_EXHAUSTED/TOO_LARGE where a count is
// above 2^63 - 1: it never wraps around.
absl::StatusOr<Work> WorkOf(const v1::TrainingSpec& resolved, const WorkShape& shape);

struct WorkLimits {
  std::optional<int64_t> parameters_max;
  std::optional<int64_t> train_flops_max;
  std::optional<int64_t> epochs_max;
};

// Whether no limit is exceeded.
bool IsWithin(const Work& work, const WorkLimits& limits);
// A violation of `path` for each limit that is exceeded, with both numbers and the remedy.
void CheckWork(const Work& work, const WorkLimits& limits, absl::string_view path,
               std::vector<FieldViolation>* violations);

}  // namespace trainyard

#endif  // TRAINYARD_SERVER_GRADING_WORK_BUDGET_H_
