// What the trainings of a submission have come to together.
//
// Thread-safety: pure functions.
#ifndef TRAINYARD_SERVER_SUBMISSIONS_OUTCOME_H_
#define TRAINYARD_SERVER_SUBMISSIONS_OUTCOME_H_

#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "trainyard/v1/job.pb.h"
#include "trainyard/v1/submission.pb.h"

namespace trainyard {

struct Outcome {
  enum class Kind {
    kQueued,      // none has begun
    kRunning,     // not all have ended
    kTrained,     // all have models
    kUngradable,  // one failed by its spec: all would
    kInfra,       // one failed, or went away, by our fault
  };
  Kind kind = Kind::kQueued;
  v1::JobError error;  // of the one that failed
};

// REQUIRES: `jobs` is not empty.
Outcome OutcomeOf(const std::vector<v1::TrainingJob>& jobs);

// What is known of trainings that have not all ended: state, place, ETA and epochs.
void DescribeTrainings(const std::vector<v1::TrainingJob>& jobs, v1::Submission* record);

// The same for the same training of the same submission, and of no other. No client can give it:
// theirs are UUIDs.
std::string TrainingRequestId(absl::string_view submission, int start, int run);

v1::JobError InfraError(absl::string_view message);

}  // namespace trainyard

#endif  // TRAINYARD_SERVER_SUBMISSIONS_OUTCOME_H_
