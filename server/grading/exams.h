// Exams and who is admitted to them: the policy's `exams` and `admission`.
//
// Thread-safety: constant after construction.
#ifndef TRAINYARD_SERVER_GRADING_EXAMS_H_
#define TRAINYARD_SERVER_GRADING_EXAMS_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "server/grading/gradebook.h"
#include "server/grading/gradebook_facts.h"
#include "trainyard/v1/policy.pb.h"

namespace trainyard {

class ExamRule {
 public:
  // Conditions that cannot be judged (too few quizzes, no date) become warnings, and change no
  // grade; but once the exam has results, those that were to block or zero them block publication.
  // Both must outlive this.
  ExamRule(const v1::GradingPolicy& policy, const GradebookInput& input, const absl::TimeZone& zone,
           BookWarnings* warnings);

  // One line for each exam of the policy, in order.
  std::vector<ExamLine> Lines(const StudentFacts& facts) const;
  // Weights times points of those that count, in ten-thousandths of a grade point, not capped.
  int64_t Sum(const std::vector<ExamLine>& lines) const;

 private:
  struct Condition {
    size_t exam_index;
    std::string module;
    absl::Time by;
    int64_t quizzes_min;
    int64_t quiz_count;
    v1::AdmissionFailure on_fail;
  };

  void AddCondition(const v1::AdmissionPolicy& admission, const GradebookInput& input,
                    BookWarnings* warnings);
  void Judge(const Condition& condition, const StudentFacts& facts, ExamLine* line) const;

  const v1::GradingPolicy& policy_;
  absl::TimeZone zone_;
  absl::flat_hash_map<absl::string_view, absl::string_view> module_by_quiz_;
  std::vector<Condition> conditions_;
};

}  // namespace trainyard

#endif  // TRAINYARD_SERVER_GRADING_EXAMS_H_
