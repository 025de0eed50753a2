// The gradebook of a course as a pure function of facts and policy: any past grade can be computed
// again, and explained line by line.
//
//   TY_ASSIGN_OR_RETURN(const v1::GradingPolicy policy, ResolvePolicy(given));
//   TY_ASSIGN_OR_RETURN(const Gradebook book, ComputeGradebook(input, policy));
//   for (const StudentGrade& row : book.students) Show(row.final_hundredths, row.explanation);
//
// For a student and an assignment with deadline D (due in the policy's zone, plus grace, plus
// personal extension), a run with p points at the clock t:
//
//   late_s = max(0, ceil(t - D));  n = 0 if late_s = 0,
//                                  else min(floor(late_s / unit) + 1, ceil(max_pct / unit_pct))
//   pct    = min(n * unit_pct, max_pct);  c = p * (100 - pct)                     [centipoints]
//   C      = c of the run that counts + 100 * added points, or 100 * the set points; at least 0
//   T      = sum of C;  H = sum of max_points of assignments that are no bonus and not exempt
//   g      = min(scale * T / H, scale);  hw = g rounded                    [hundredths, exact]
//   e      = min(sum of weight * exam points, exams.cap)
//   final  = min(hw + e, final.cap), rounded
//
// Money-style numbers: centipoints and hundredths in int64, fractions exact until rounded, halves
// up. There is one place with doubles (grade_arithmetic.h), for the policy's HSE_2026_DOUBLE.
//
// A row of the input that makes no sense is set aside with a warning and everything else is
// computed. Such adjustments, exam results of nobody known, and those for which the policy's BLOCK
// or ZERO could not be judged, keep the book from being published.
//
// Thread-safety: pure functions.
#ifndef TRAINYARD_SERVER_GRADING_GRADEBOOK_H_
#define TRAINYARD_SERVER_GRADING_GRADEBOOK_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "server/grading/gradebook_input.h"
#include "trainyard/v1/policy.pb.h"

namespace trainyard {

// One assignment of one student.
struct HomeworkLine {
  std::string assignment;
  std::string submission;              // of the run that counts; empty: none
  std::string choice;                  // why it counts, e.g. "best of 3"
  int64_t run_count = 0;               // graded runs in time for hard_close
  int64_t points = 0;                  // of the run that counts, before the penalty
  int64_t max_points = 0;              // of the assignment
  absl::Time time;                     // of the run that counts, by the policy's clock
  std::optional<absl::Time> deadline;  // with grace and extension
  int64_t late_seconds = 0;
  int64_t late_units = 0;             // what the penalty counts; staff may have set it
  int64_t percent = 0;                // penalty
  int64_t run_centipoints = 0;        // the run's after the penalty
  int64_t added_points = 0;           // by staff
  std::optional<int64_t> set_points;  // by staff, instead of the two before
  int64_t centipoints = 0;            // what counts: C
  bool bonus = false;
  bool exempt = false;
  bool sanctioned = false;
};

struct ExamLine {
  std::string exam;
  std::optional<int64_t> points_hundredths;  // none: no result
  bool admitted = true;
  bool counts = true;   // false: the policy's ZERO
  bool blocks = false;  // the policy's BLOCK, if there is a result
  // One for each condition, e.g. "4 of 5 quizzes of module 3 by 2027-03-29 23:59:59 MSK, 1 later".
  std::vector<std::string> conditions;
};

enum class GradeFlag : int {
  kNoRuns,  // of any assignment
  kNoFullName,
  kNoDenominator,    // exempt from everything that counts: no homework grade can be computed
  kNotAdmitted,      // to an exam that has a result
  kAdmissionBlocks,  // the same, with the policy's BLOCK
  kExamAboveMax,
  kSanctioned,
  kFinalOverridden,
  kFinalWaits,  // for a second person
};
// "no runs", "not admitted", …
absl::string_view GradeFlagName(GradeFlag flag);

struct StudentGrade {
  StudentInput student;
  std::vector<HomeworkLine> homework;  // one for each assignment, in the input's order
  std::vector<ExamLine> exams;         // one for each exam of the policy
  int64_t course_points = 0;           // added by staff to the sum itself
  int64_t total_centipoints = 0;       // T
  int64_t denominator_points = 0;      // H
  int64_t homework_hundredths = 0;     // g to hundredths
  // What goes into the final grade, in hundredths: g again, or a multiple of 100 where the policy
  // rounds to whole numbers.
  int64_t homework_counted_hundredths = 0;
  int64_t so_far_hundredths = 0;  // g over released assignments only
  int64_t exam_hundredths = 0;    // e to hundredths
  int64_t computed_final_hundredths = 0;
  int64_t final_hundredths = 0;  // the computed one, or what staff set
  std::vector<GradeFlag> flags;  // sorted
  bool blocks_publication = false;
  std::vector<std::string> explanation;  // for the student, in the order of the computation
};

struct BookWarning {
  enum class Kind : int {
    kOrphanResult,  // of nobody on the roster, or of an unknown assignment
    kOrphanExam,    // of nobody on the roster, or a name not resolved, or an unknown exam
    kOrphanQuiz,
    kOrphanAdjustment,
    kBadValue,    // out of range: the row is set aside
    kDuplicate,   // two exam results of a student: the later one counts
    kMaxDiffers,  // runs were graded out of another maximum than the assignment's
    kNoise,       // the run that counts is within noise of one with other points
    kAdmission,   // a condition that cannot be judged: too few quizzes, no date
    kMore,        // warnings beyond the limit
  };
  Kind kind = Kind::kBadValue;
  std::string text;
  bool blocks_publication = false;
};

struct Gradebook {
  std::vector<StudentGrade> students;  // in the input's order
  std::vector<BookWarning> warnings;
  bool publishable = true;  // neither a row nor a warning blocks publication
};

// REQUIRES: ValidatePolicy(resolved) is OK; otherwise its Status is the answer.
// Errors: INVALID_ARGUMENT/INVALID_REQUEST with every id that is empty or given twice and every
// assignment out of range; RESOURCE_EXHAUSTED/TOO_LARGE beyond gradebook_limits.h.
absl::StatusOr<Gradebook> ComputeGradebook(const GradebookInput& input,
                                           const v1::GradingPolicy& resolved);

// "86.00" for 8600, "-0.50" for -50.
std::string FormatHundredths(int64_t hundredths);

}  // namespace trainyard

#endif  // TRAINYARD_SERVER_GRADING_GRADEBOOK_H_
