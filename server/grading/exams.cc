#include "server/grading/exams.h"

#include <algorithm>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "server/grading/explain.h"
#include "server/grading/policy_time.h"

namespace trainyard {
namespace {

std::optional<absl::CivilSecond> EarliestDue(const std::vector<AssignmentInput>& assignments) {
  std::optional<absl::CivilSecond> earliest;
  for (const AssignmentInput& assignment : assignments) {
    if (!assignment.due.has_value()) continue;
    earliest = std::min(earliest.value_or(*assignment.due), *assignment.due);
  }
  return earliest;
}

size_t ExamIndex(const v1::ExamsPolicy& exams, const std::string& id) {
  size_t index = 0;
  while (exams.items(static_cast<int>(index)).id() != id) ++index;
  return index;
}

// A condition of BLOCK or ZERO must not be off because nobody noticed: it waits for a decision,
// once there is a result that it could be about.
void WarnUnjudged(const v1::AdmissionPolicy& admission, const std::string& why,
                  const GradebookInput& input, BookWarnings* warnings) {
  const bool decides = admission.on_fail() == v1::ADMISSION_FAILURE_BLOCK ||
                       admission.on_fail() == v1::ADMISSION_FAILURE_ZERO;
  const bool blocks = decides && std::any_of(input.exam_results.begin(), input.exam_results.end(),
                                             [&](const ExamResultInput& result) {
                                               return result.exam == admission.exam();
                                             });
  warnings->Add(BookWarning::Kind::kAdmission,
                absl::StrCat("admission to ", admission.exam(), " by module ", admission.module(),
                             " is not judged: ", why,
                             blocks ? ", or set the policy's on_fail to flag" : ""),
                blocks);
}

}  // namespace

ExamRule::ExamRule(const v1::GradingPolicy& policy, const GradebookInput& input,
                   const absl::TimeZone& zone, BookWarnings* warnings)
    : policy_(policy), zone_(zone) {
  for (const QuizInput& quiz : input.quizzes) module_by_quiz_.emplace(quiz.id, quiz.module);
  for (const v1::AdmissionPolicy& admission : policy.admission()) {
    AddCondition(admission, input, warnings);
  }
}

void ExamRule::AddCondition(const v1::AdmissionPolicy& admission, const GradebookInput& input,
                            BookWarnings* warnings) {
  const int64_t quiz_count =
      std::count_if(input.quizzes.begin(), input.quizzes.end(),
                    [&](const QuizInput& quiz) { return quiz.module == admission.module(); });
  const std::optional<PolicyDate> date = PolicyDate::Parse(admission.by());
  const std::optional<absl::CivilSecond> start = EarliestDue(input.assignments);
  const int64_t quizzes_min = admission.has_quizzes_min() ? admission.quizzes_min() : quiz_count;
  const bool has_date = date->has_year() || start.has_value();
  if (!has_date) {
    return WarnUnjudged(
        admission, "its date has no year, and no assignment a deadline to tell it; give the year",
        input, warnings);
  }
  if (quiz_count == 0 || quizzes_min > quiz_count) {
    return WarnUnjudged(admission,
                        absl::StrCat("the module has ", quiz_count,
                                     " quizzes, too few to ask for; record their results"),
                        input, warnings);
  }
  conditions_.push_back({.exam_index = ExamIndex(policy_.exams(), admission.exam()),
                         .module = admission.module(),
                         .by = LaterInstant(date->At(start.value_or(absl::CivilSecond())), zone_),
                         .quizzes_min = quizzes_min,
                         .quiz_count = quiz_count,
                         .on_fail = admission.on_fail()});
}

void ExamRule::Judge(const Condition& condition, const StudentFacts& facts, ExamLine* line) const {
  absl::flat_hash_set<absl::string_view> in_time;
  absl::flat_hash_set<absl::string_view> correct;
  for (const QuizResultInput* result : facts.quiz_results) {
    const bool asked = result->correct_at.has_value() &&
                       module_by_quiz_.find(result->quiz)->second == condition.module;
    if (!asked) continue;
    correct.insert(result->quiz);
    if (*result->correct_at <= condition.by) in_time.insert(result->quiz);
  }
  const bool met = static_cast<int64_t>(in_time.size()) >= condition.quizzes_min;
  line->admitted = line->admitted && met;
  if (!met && condition.on_fail == v1::ADMISSION_FAILURE_ZERO) line->counts = false;
  if (!met && condition.on_fail == v1::ADMISSION_FAILURE_BLOCK) line->blocks = true;
  const size_t late_count = correct.size() - in_time.size();
  line->conditions.push_back(
      absl::StrCat(in_time.size(), " of ", condition.quiz_count, " quizzes of module ",
                   condition.module, " by ", FormatInstant(condition.by, zone_),
                   late_count > 0 ? absl::StrCat(", ", late_count, " later") : "", ", ",
                   condition.quizzes_min, " needed: ", met ? "admitted" : "not admitted"));
}

std::vector<ExamLine> ExamRule::Lines(const StudentFacts& facts) const {
  std::vector<ExamLine> lines;
  for (int i = 0; i < policy_.exams().items_size(); ++i) {
    lines.push_back({.exam = policy_.exams().items(i).id(),
                     .points_hundredths = facts.exam_points_hundredths[static_cast<size_t>(i)]});
  }
  for (const Condition& condition : conditions_) {
    Judge(condition, facts, &lines[condition.exam_index]);
  }
  return lines;
}

int64_t ExamRule::Sum(const std::vector<ExamLine>& lines) const {
  int64_t sum = 0;
  for (size_t i = 0; i < lines.size(); ++i) {
    if (!lines[i].counts) continue;
    sum += lines[i].points_hundredths.value_or(0) *
           policy_.exams().items(static_cast<int>(i)).weight_percent();
  }
  return sum;
}

}  // namespace trainyard
