// Which of a student's runs of an assignment counts, and why: the policy's `select`.
//
// Thread-safety: pure function.
#ifndef TRAINYARD_SERVER_GRADING_SELECTION_H_
#define TRAINYARD_SERVER_GRADING_SELECTION_H_

#include <optional>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "server/grading/gradebook_input.h"
#include "server/grading/late_rule.h"
#include "trainyard/v1/policy.pb.h"

namespace trainyard {

// A run that may count.
struct Candidate {
  const ResultInput* result = nullptr;
  absl::Time time;  // by the policy's clock
  Lateness late;
  int64_t points = 0;  // out of the assignment's maximum of today, where the policy rescales
  int64_t centipoints = 0;
};

struct Selection {
  Candidate chosen;
  std::string reason;  // "the only run", "best of 3 after the penalty", …
  // The chosen run was best by a public score that is within noise of another's with other points.
  bool within_noise = false;
};

// nullopt when there are no candidates. The order of `candidates` does not matter.
std::optional<Selection> SelectRun(const std::vector<Candidate>& candidates,
                                   const AssignmentInput& assignment,
                                   const v1::SelectPolicy& policy);

}  // namespace trainyard

#endif  // TRAINYARD_SERVER_GRADING_SELECTION_H_
