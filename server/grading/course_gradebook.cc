#include "server/grading/course_gradebook.h"

#include <map>
#include <set>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "server/grading/adjustments.h"
#include "server/grading/gradebook_diff.h"
#include "server/wire/timestamp.h"

namespace trainyard {
namespace {

std::string ModuleText(int module) { return module == 0 ? "" : absl::StrCat(module); }

void AddAssignments(const CourseState& state, absl::Time as_of, GradebookInput* input) {
  for (const std::string& id : state.assignment_order) {
    const v1::Assignment& assignment = state.Find(id)->assignment();
    if (assignment.retired()) continue;
    AssignmentInput added{.id = id,
                          .title = assignment.title(),
                          .max_points = assignment.max_points(),
                          .bonus = assignment.bonus(),
                          .module = ModuleText(assignment.module()),
                          .sealed = !assignment.sealed_dataset().empty()};
    added.due = CivilSecondOf(assignment.due());
    added.released = DeadlinesOf(state, assignment, "", as_of).opens <= as_of;
    input->assignments.push_back(std::move(added));
  }
}

void AddStudents(const CourseState& state, const std::string& only, GradebookInput* input) {
  for (const auto& [user, enrolment] : state.roster) {
    const bool wanted = only.empty() || only == user;
    if (!wanted || enrolment.role() != v1::COURSE_ROLE_STUDENT) continue;
    input->students.push_back({.id = user,
                               .display_name = user,
                               .full_name = enrolment.full_name(),
                               .programme = enrolment.programme(),
                               .group = enrolment.group()});
  }
}

void AddResult(const CourseState& state, bool released_only, const GradedSubmission& submission,
               GradebookInput* input) {
  if (released_only && !submission.released) return;
  const v1::SubmissionGraded& graded = submission.graded;
  const auto nominated = state.nominated.find({graded.student(), graded.assignment()});
  input->results.push_back({.submission = graded.submission(),
                            .student = graded.student(),
                            .assignment = graded.assignment(),
                            .points = graded.points(),
                            .max_points = graded.max_points(),
                            .accepted_at = FromTimestamp(graded.accepted_at()),
                            .finished_at = FromTimestamp(graded.finish_time()),
                            .public_rank = graded.public_rank(),
                            .nominated = nominated != state.nominated.end() &&
                                         nominated->second == graded.submission()});
}

void AddResults(const CourseState& state, const BookOptions& options, GradebookInput* input) {
  if (options.student.empty()) {
    for (const auto& [name, submission] : state.graded) {
      AddResult(state, options.released_only, submission, input);
    }
    return;
  }
  // In the order of all, so that what depends on the order is the same.
  std::set<std::string> names;
  for (auto it = state.graded_of.lower_bound({options.student, ""});
       it != state.graded_of.end() && it->first.first == options.student; ++it) {
    names.insert(it->second.begin(), it->second.end());
  }
  for (const std::string& name : names) {
    const auto found = state.graded.find(name);
    if (found != state.graded.end()) AddResult(state, options.released_only, found->second, input);
  }
}

AdjustmentKind KindOf(v1::Adjustment::Kind kind) {
  switch (kind) {
    case v1::Adjustment::SET:
      return AdjustmentKind::kSet;
    case v1::Adjustment::ZERO:
      return AdjustmentKind::kZero;
    case v1::Adjustment::LATE_DAYS:
      return AdjustmentKind::kLateDays;
    case v1::Adjustment::EXEMPT:
      return AdjustmentKind::kExempt;
    case v1::Adjustment::EXTEND:
      return AdjustmentKind::kExtend;
    case v1::Adjustment::FINAL:
      return AdjustmentKind::kFinal;
    case v1::Adjustment::SANCTION_PLAGIARISM:
      return AdjustmentKind::kSanctionPlagiarism;
    case v1::Adjustment::SANCTION_TAMPERING:
      return AdjustmentKind::kSanctionTampering;
    default:
      return AdjustmentKind::kAdd;
  }
}

int64_t ValueOf(const v1::Adjustment& adjustment) {
  switch (adjustment.kind()) {
    case v1::Adjustment::LATE_DAYS:
      return adjustment.late_units();
    case v1::Adjustment::EXTEND:
      return adjustment.extension().seconds();
    case v1::Adjustment::FINAL:
      return adjustment.final_hundredths();
    default:
      return adjustment.points();
  }
}

void AddAdjustments(const CourseState& state, const std::string& only, GradebookInput* input) {
  int64_t sequence = 0;
  for (const v1::Adjustment& adjustment : state.adjustments) {
    ++sequence;
    if (!only.empty() && only != adjustment.student()) continue;
    AdjustmentInput added{.id = adjustment.id(),
                          .student = adjustment.student(),
                          .assignment = adjustment.assignment(),
                          .kind = KindOf(adjustment.kind()),
                          .value = ValueOf(adjustment),
                          .reason = adjustment.reason(),
                          .author = adjustment.author(),
                          .sequence = sequence,
                          .revoked = adjustment.revoked(),
                          .unconfirmed = NeedsConfirmation(state, adjustment)};
    if (adjustment.has_expires()) added.expires = FromTimestamp(adjustment.expires());
    input->adjustments.push_back(std::move(added));
  }
}

void AddMarks(const CourseState& state, const std::string& only, GradebookInput* input) {
  for (const auto& [key, mark] : state.exams) {
    if (!only.empty() && only != mark.student()) continue;
    input->exam_results.push_back({.student = mark.student(),
                                   .name = mark.student(),
                                   .exam = mark.exam(),
                                   .points_hundredths = mark.hundredths()});
  }
  // A quiz that any student took is one that everybody is asked for; who has left asks for nothing.
  std::map<std::string, std::string> modules;
  for (const auto& [key, quiz] : state.quizzes) {
    const bool is_asked = state.RoleOf(quiz.student()) == v1::COURSE_ROLE_STUDENT;
    if (is_asked) modules.emplace(quiz.quiz(), ModuleText(quiz.module()));
    if (!only.empty() && only != quiz.student()) continue;
    QuizResultInput added{
        .student = quiz.student(), .quiz = quiz.quiz(), .attempts = quiz.attempts()};
    if (quiz.has_correct_at()) added.correct_at = FromTimestamp(quiz.correct_at());
    input->quiz_results.push_back(std::move(added));
  }
  for (const auto& [quiz, module] : modules) input->quizzes.push_back({quiz, module});
}

// Takes out what is about assignments that the course no longer has, without a warning: nobody is
// to mend it, and it counts again with a version that brings the assignment back.
void DropRetired(const CourseState& state, GradebookInput* input) {
  std::set<std::string> retired;
  for (const std::string& id : state.assignment_order) {
    if (state.Find(id)->assignment().retired()) retired.insert(id);
  }
  if (retired.empty()) return;
  const auto is_retired = [&](const auto& row) { return retired.contains(row.assignment); };
  std::erase_if(input->results, is_retired);
  for (AdjustmentInput& adjustment : input->adjustments) {
    if (!IsSanction(adjustment.kind) || !is_retired(adjustment)) continue;
    adjustment.assignment.clear();
    adjustment.value = kSanctionOfRetired;
  }
  std::erase_if(input->adjustments, is_retired);
}

}  // namespace

GradebookInput InputOf(const CourseState& state, const BookOptions& options) {
  GradebookInput input{.as_of = options.as_of};
  AddAssignments(state, options.as_of, &input);
  AddStudents(state, options.student, &input);
  AddResults(state, options, &input);
  AddAdjustments(state, options.student, &input);
  AddMarks(state, options.student, &input);
  DropRetired(state, &input);
  return input;
}

absl::StatusOr<Gradebook> BookOf(const CourseState& state, const v1::GradingPolicy& policy,
                                 const BookOptions& options) {
  return ComputeGradebook(InputOf(state, options), policy);
}

const v1::PolicyVersion* FindPolicy(const CourseState& state, int version) {
  if (state.policies.empty()) return nullptr;
  if (version == 0) return &state.policies.back();
  const bool there = version >= 1 && version <= static_cast<int>(state.policies.size());
  return there ? &state.policies[static_cast<size_t>(version - 1)] : nullptr;
}

v1::GradeRow RowToProto(const StudentGrade& row, bool explain) {
  v1::GradeRow proto;
  proto.set_student(row.student.id);
  proto.set_full_name(row.student.full_name);
  for (const HomeworkLine& line : row.homework) {
    v1::HomeworkGrade& homework = *proto.add_homeworks();
    homework.set_assignment(line.assignment);
    homework.set_submission(line.submission);
    homework.set_points(line.points);
    homework.set_late_units(line.late_units);
    homework.set_penalty_percent(line.percent);
    homework.set_centipoints(line.centipoints);
    homework.set_exempt(line.exempt);
  }
  proto.set_total_centipoints(row.total_centipoints);
  proto.set_denominator_points(row.denominator_points);
  proto.set_homework_hundredths(row.homework_hundredths);
  proto.set_homework_rounded_hundredths(row.homework_counted_hundredths);
  proto.set_exam_hundredths(row.exam_hundredths);
  proto.set_final_hundredths(row.final_hundredths);
  proto.set_so_far_hundredths(row.so_far_hundredths);
  for (const GradeFlag flag : row.flags) proto.add_flags(std::string(GradeFlagName(flag)));
  if (!explain) return proto;
  for (const std::string& line : row.explanation) proto.add_explanation(line);
  return proto;
}

google::protobuf::RepeatedPtrField<v1::GradeChange> ChangesToProto(const Gradebook& before,
                                                                   const Gradebook& after) {
  google::protobuf::RepeatedPtrField<v1::GradeChange> protos;
  for (const StudentChange& change : DiffGradebooks(before, after)) {
    v1::GradeChange& proto = *protos.Add();
    proto.set_student(change.student);
    proto.set_before_hundredths(change.final_before_hundredths.value_or(-1));
    proto.set_after_hundredths(change.final_after_hundredths.value_or(-1));
    for (const GradeChange& part : change.changes) {
      proto.add_reasons(absl::StrCat(part.what, ": ", part.before.value_or("none"), " → ",
                                     part.after.value_or("none")));
    }
  }
  return protos;
}

}  // namespace trainyard
