// Reads courses and prints their grades: our side of hse_parity_test.py. Fields are separated by
// blanks, times are seconds since 1970.
//
//   policy hse-2026-exact      the preset for what follows
//   assignment ID MAX BONUS DUE                      DUE as 2026-02-10T23:59:59, BONUS 0 or 1
//   student ID
//   run SUBMISSION STUDENT ASSIGNMENT POINTS MAX FINISHED_AT
//   adjust STUDENT ASSIGNMENT KIND VALUE              add, late_days, final; ASSIGNMENT "-": none
//   exam STUDENT EXAM POINTS_HUNDREDTHS
//   grades      prints, then forgets the course:
//                 line STUDENT ASSIGNMENT SUBMISSION UNITS_LATE CENTIPOINTS
//                 grade STUDENT HOMEWORK WHOLE_HOMEWORK EXAMS FINAL
//   totals H    prints the homework grade, with hundredths and whole, for every sum from 0 to 100 *
//   H
//               centipoints
#include <cstdio>
#include <iostream>
#include <sstream>
#include <string>

#include "absl/strings/str_cat.h"
#include "server/grading/grade_arithmetic.h"
#include "server/grading/gradebook.h"
#include "server/grading/policy.h"

namespace trainyard {
namespace {

class Printer {
 public:
  // False for a line that is not understood.
  bool Read(const std::string& line);

 private:
  bool ReadPolicy(std::istream& words);
  bool ReadAssignment(std::istream& words);
  bool ReadRun(std::istream& words);
  bool ReadAdjustment(std::istream& words);
  bool ReadExam(std::istream& words);
  bool PrintGrades();
  bool PrintTotals(std::istream& words);

  v1::GradingPolicy policy_;
  GradebookInput input_;
};

bool Printer::ReadPolicy(std::istream& words) {
  v1::GradingPolicy given;
  words >> *given.mutable_preset();
  const auto policy = ResolvePolicy(given);
  if (policy.ok()) policy_ = *policy;
  return policy.ok();
}

bool Printer::ReadAssignment(std::istream& words) {
  AssignmentInput assignment;
  std::string due;
  absl::CivilSecond civil;
  words >> assignment.id >> assignment.max_points >> assignment.bonus >> due;
  if (!absl::ParseCivilTime(due, &civil)) return false;
  assignment.due = civil;
  input_.assignments.push_back(assignment);
  return true;
}

bool Printer::ReadRun(std::istream& words) {
  ResultInput run;
  int64_t finished_s = 0;
  words >> run.submission >> run.student >> run.assignment >> run.points >> run.max_points >>
      finished_s;
  run.finished_at = absl::FromUnixSeconds(finished_s);
  // The other clock says something else, so that mixing them up is noticed.
  run.accepted_at = run.finished_at - absl::Hours(100);
  input_.results.push_back(run);
  return !words.fail();
}

bool Printer::ReadAdjustment(std::istream& words) {
  AdjustmentInput adjustment;
  std::string kind;
  words >> adjustment.student >> adjustment.assignment >> kind >> adjustment.value;
  if (adjustment.assignment == "-") adjustment.assignment.clear();
  if (kind == "late_days") adjustment.kind = AdjustmentKind::kLateDays;
  if (kind == "final") adjustment.kind = AdjustmentKind::kFinal;
  adjustment.id = absl::StrCat("a", input_.adjustments.size());
  input_.adjustments.push_back(adjustment);
  return !words.fail() && (kind == "add" || adjustment.kind != AdjustmentKind::kAdd);
}

bool Printer::ReadExam(std::istream& words) {
  ExamResultInput result;
  words >> result.student >> result.exam >> result.points_hundredths;
  input_.exam_results.push_back(result);
  return !words.fail();
}

bool Printer::PrintGrades() {
  const auto book = ComputeGradebook(input_, policy_);
  if (!book.ok()) return false;
  for (const StudentGrade& row : book->students) {
    for (const HomeworkLine& line : row.homework) {
      std::printf("line %s %s %s %d %d\n", row.student.id.c_str(), line.assignment.c_str(),
                  line.submission.empty() ? "-" : line.submission.c_str(),
                  static_cast<int>(line.late_units), static_cast<int>(line.centipoints));
    }
    std::printf("grade %s %s %d %s %s\n", row.student.id.c_str(),
                FormatHundredths(row.homework_hundredths).c_str(),
                static_cast<int>(row.homework_counted_hundredths / 100),
                FormatHundredths(row.exam_hundredths).c_str(),
                FormatHundredths(row.final_hundredths).c_str());
  }
  input_ = GradebookInput();
  return true;
}

bool Printer::PrintTotals(std::istream& words) {
  int64_t denominator = 0;
  words >> denominator;
  for (int64_t total = 0; total <= denominator * 100; ++total) {
    const HomeworkSums sums{.total_centipoints = total, .denominator_points = denominator};
    const GradeFigures figures = ComputeFigures(sums, {HomeworkLine{.run_centipoints = total}},
                                                /*course_points=*/0, /*exam_sum=*/0, policy_);
    std::printf("%s %d\n", FormatHundredths(figures.homework_hundredths).c_str(),
                static_cast<int>(figures.homework_counted_hundredths / 100));
  }
  return !words.fail();
}

bool Printer::Read(const std::string& line) {
  std::istringstream words(line);
  std::string what;
  words >> what;
  if (what == "policy") return ReadPolicy(words);
  if (what == "assignment") return ReadAssignment(words);
  if (what == "run") return ReadRun(words);
  if (what == "adjust") return ReadAdjustment(words);
  if (what == "exam") return ReadExam(words);
  if (what == "totals") return PrintTotals(words);
  if (what == "grades") return PrintGrades();
  if (what != "student") return false;
  input_.students.emplace_back();
  words >> input_.students.back().id;
  return true;
}

int Main() {
  Printer printer;
  for (std::string line; std::getline(std::cin, line);) {
    if (printer.Read(line)) continue;
    std::fprintf(stderr, "gradebook_print: cannot do \"%s\"\n", line.c_str());
    return 1;
  }
  return 0;
}

}  // namespace
}  // namespace trainyard

int main() { return trainyard::Main(); }
