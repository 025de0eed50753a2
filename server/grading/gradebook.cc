#include "server/grading/gradebook.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "core/base/status_macros.h"
#include "server/grading/adjustments.h"
#include "server/grading/exams.h"
#include "server/grading/explain.h"
#include "server/grading/grade_arithmetic.h"
#include "server/grading/gradebook_facts.h"
#include "server/grading/homework.h"
#include "server/grading/policy.h"

namespace trainyard {
namespace {

using Kind = BookWarning::Kind;

// Makes one row after the other.
class BookMaker {
 public:
  // REQUIRES: both are checked, and outlive this.
  BookMaker(const GradebookInput& input, const v1::GradingPolicy& policy)
      : input_(input),
        policy_(policy),
        homework_(policy, input.assignments),
        exams_(policy, input, homework_.late().zone(), &warnings_) {}

  Gradebook Make();

 private:
  StudentGrade MakeRow(const StudentInput& student, const StudentFacts& facts);
  void Compute(StudentGrade* row) const;
  void AddFlags(const StudentAdjustments& adjustments, StudentGrade* row) const;
  void AddExamFlags(StudentGrade* row) const;
  void CheckSanctions(const StudentAdjustments& adjustments);
  void AddTallies();

  const GradebookInput& input_;
  const v1::GradingPolicy& policy_;
  BookWarnings warnings_;
  HomeworkRule homework_;
  ExamRule exams_;
};

void BookMaker::Compute(StudentGrade* row) const {
  const HomeworkSums sums = SumHomework(row->homework, input_.assignments, row->course_points,
                                        /*released_only=*/false, policy_.homework());
  const HomeworkSums released = SumHomework(row->homework, input_.assignments, row->course_points,
                                            /*released_only=*/true, policy_.homework());
  const GradeFigures figures =
      ComputeFigures(sums, row->homework, row->course_points, exams_.Sum(row->exams), policy_);
  row->total_centipoints = sums.total_centipoints;
  row->denominator_points = sums.denominator_points;
  row->homework_hundredths = figures.homework_hundredths;
  row->homework_counted_hundredths = figures.homework_counted_hundredths;
  row->so_far_hundredths = ExactHomeworkHundredths(released, policy_);
  row->exam_hundredths = figures.exam_hundredths;
  row->computed_final_hundredths = figures.final_hundredths;
}

void BookMaker::AddExamFlags(StudentGrade* row) const {
  bool not_admitted = false;
  bool blocks = false;
  bool above_max = false;
  for (size_t i = 0; i < row->exams.size(); ++i) {
    const ExamLine& line = row->exams[i];
    if (!line.points_hundredths.has_value()) continue;
    not_admitted = not_admitted || !line.admitted;
    blocks = blocks || line.blocks;
    const int64_t max = policy_.exams().items(static_cast<int>(i)).max();
    above_max = above_max || *line.points_hundredths > max * 100;
  }
  if (not_admitted) row->flags.push_back(GradeFlag::kNotAdmitted);
  if (blocks) row->flags.push_back(GradeFlag::kAdmissionBlocks);
  if (above_max) row->flags.push_back(GradeFlag::kExamAboveMax);
}

void BookMaker::AddFlags(const StudentAdjustments& adjustments, StudentGrade* row) const {
  const bool has_runs = std::any_of(row->homework.begin(), row->homework.end(),
                                    [](const HomeworkLine& line) { return line.run_count > 0; });
  const bool is_set = adjustments.Final() != nullptr;
  if (!has_runs) row->flags.push_back(GradeFlag::kNoRuns);
  if (row->student.full_name.empty()) row->flags.push_back(GradeFlag::kNoFullName);
  const bool undefined = row->denominator_points == 0;
  if (undefined) row->flags.push_back(GradeFlag::kNoDenominator);
  AddExamFlags(row);
  const bool blocked = undefined || std::count(row->flags.begin(), row->flags.end(),
                                               GradeFlag::kAdmissionBlocks) > 0;
  if (!adjustments.Sanctions().empty()) row->flags.push_back(GradeFlag::kSanctioned);
  if (is_set) row->flags.push_back(GradeFlag::kFinalOverridden);
  if (adjustments.FinalWaits()) row->flags.push_back(GradeFlag::kFinalWaits);
  row->blocks_publication = blocked && !is_set;
}

void BookMaker::CheckSanctions(const StudentAdjustments& adjustments) {
  for (const AdjustmentInput* sanction : adjustments.Sanctions()) {
    const bool lost = EffectOf(*sanction, policy_) == v1::SANCTION_EFFECT_ZERO_HOMEWORK &&
                      sanction->assignment.empty() && sanction->value != kSanctionOfRetired;
    if (!lost) continue;
    warnings_.Add(Kind::kBadValue,
                  absl::StrCat("adjustment \"", sanction->id,
                               "\" does nothing: the policy's sanction is on one homework, and it "
                               "names none; revoke it and name one"),
                  /*blocks_publication=*/true);
  }
}

StudentGrade BookMaker::MakeRow(const StudentInput& student, const StudentFacts& facts) {
  const StudentAdjustments adjustments(facts.adjustments, policy_);
  StudentGrade row{.student = student};
  row.homework = homework_.Lines(facts, adjustments);
  row.exams = exams_.Lines(facts);
  const bool zeroed = adjustments.ZeroingSanction("") != nullptr;
  row.course_points = zeroed ? 0 : adjustments.AddedPoints("");
  Compute(&row);
  const AdjustmentInput* const set = adjustments.Final();
  row.final_hundredths = set == nullptr ? row.computed_final_hundredths : set->value;
  CheckSanctions(adjustments);
  AddFlags(adjustments, &row);
  row.explanation = ExplainGrade(row, adjustments, homework_.late(), policy_);
  return row;
}

void BookMaker::AddTallies() {
  for (size_t i = 0; i < input_.assignments.size(); ++i) {
    const AssignmentTally& tally = homework_.tallies()[i];
    const AssignmentInput& assignment = input_.assignments[i];
    if (tally.max_differs_count > 0) {
      warnings_.Add(
          Kind::kMaxDiffers,
          absl::StrCat(assignment.id, ": ", tally.max_differs_count,
                       " runs were graded out of another maximum than ", assignment.max_points,
                       "; their points are ",
                       policy_.points().rescale_on_max_change() ? "converted" : "as they were"));
    }
    if (tally.noisy_count > 0) {
      warnings_.Add(Kind::kNoise, absl::StrCat(assignment.id, ": for ", tally.noisy_count,
                                               " students the run that counts is within noise of "
                                               "another with other points"));
    }
  }
}

Gradebook BookMaker::Make() {
  const std::vector<StudentFacts> facts = SortFacts(input_, policy_.exams(), &warnings_);
  Gradebook book;
  for (size_t i = 0; i < facts.size(); ++i) {
    book.students.push_back(MakeRow(input_.students[i], facts[i]));
    if (book.students.back().blocks_publication) book.publishable = false;
  }
  AddTallies();
  if (warnings_.blocks_publication()) book.publishable = false;
  book.warnings = warnings_.Take();
  return book;
}

}  // namespace

absl::string_view GradeFlagName(GradeFlag flag) {
  switch (flag) {
    case GradeFlag::kNoRuns:
      return "no graded run";
    case GradeFlag::kNoFullName:
      return "full name not known";
    case GradeFlag::kNoDenominator:
      return "exempt from all that counts";
    case GradeFlag::kNotAdmitted:
      return "exam taken without admission";
    case GradeFlag::kAdmissionBlocks:
      return "not published before staff decide on the admission";
    case GradeFlag::kExamAboveMax:
      return "more exam points than the exam has";
    case GradeFlag::kSanctioned:
      return "sanctioned";
    case GradeFlag::kFinalOverridden:
      return "final grade set by staff";
    case GradeFlag::kFinalWaits:
      return "a final grade set by staff waits for a second person";
  }
  return "";
}

std::string FormatHundredths(int64_t hundredths) {
  const uint64_t size = hundredths < 0 ? -static_cast<uint64_t>(hundredths) : hundredths;
  return absl::StrFormat("%s%d.%02d", hundredths < 0 ? "-" : "", size / 100, size % 100);
}

absl::StatusOr<Gradebook> ComputeGradebook(const GradebookInput& input,
                                           const v1::GradingPolicy& resolved) {
  TY_RETURN_IF_ERROR(ValidatePolicy(resolved));
  TY_RETURN_IF_ERROR(CheckGradebookInput(input));
  return BookMaker(input, resolved).Make();
}

}  // namespace trainyard
