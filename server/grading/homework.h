// The homework lines of one student, and their sums.
//
// Thread-safety: HomeworkRule is constant after construction, but for the tallies, which belong to
// one caller.
#ifndef TRAINYARD_SERVER_GRADING_HOMEWORK_H_
#define TRAINYARD_SERVER_GRADING_HOMEWORK_H_

#include <cstdint>
#include <vector>

#include "server/grading/adjustments.h"
#include "server/grading/gradebook.h"
#include "server/grading/gradebook_facts.h"
#include "server/grading/late_rule.h"
#include "trainyard/v1/policy.pb.h"

namespace trainyard {

// What the whole course should know of one assignment.
struct AssignmentTally {
  int64_t max_differs_count = 0;  // graded runs out of another maximum
  int64_t noisy_count = 0;        // students whose choice of a run is noise
};

class HomeworkRule {
 public:
  // Both must outlive this.
  HomeworkRule(const v1::GradingPolicy& policy, const std::vector<AssignmentInput>& assignments);

  const LateRule& late() const { return late_; }
  // One line for each assignment, in order.
  std::vector<HomeworkLine> Lines(const StudentFacts& facts, const StudentAdjustments& adjustments);
  const std::vector<AssignmentTally>& tallies() const { return tallies_; }

 private:
  HomeworkLine Line(size_t assignment_index, const std::vector<const ResultInput*>& runs,
                    const StudentAdjustments& adjustments);
  void ChooseRun(size_t assignment_index, const std::vector<const ResultInput*>& runs,
                 const StudentAdjustments& adjustments, HomeworkLine* line);
  int64_t Points(const ResultInput& result, const AssignmentInput& assignment) const;

  const v1::GradingPolicy& policy_;
  const std::vector<AssignmentInput>& assignments_;
  LateRule late_;
  std::vector<AssignmentTally> tallies_;  // by assignment
};

struct HomeworkSums {
  int64_t total_centipoints = 0;   // T, at least 0
  int64_t denominator_points = 0;  // H
};

// Over those of `lines` whose assignment is counted; `released_only` for the figure "so far".
HomeworkSums SumHomework(const std::vector<HomeworkLine>& lines,
                         const std::vector<AssignmentInput>& assignments, int64_t course_points,
                         bool released_only, const v1::HomeworkPolicy& policy);

}  // namespace trainyard

#endif  // TRAINYARD_SERVER_GRADING_HOMEWORK_H_
