#include "server/grading/grade_arithmetic.h"

#include <algorithm>
#include <charconv>
#include <string>

#include "absl/strings/numbers.h"
#include "absl/strings/string_view.h"
#include "core/base/check.h"

namespace trainyard {
namespace {

// The nearest whole number, halves up. REQUIRES: numerator >= 0, denominator > 0.
int64_t RoundHalfUp(int64_t numerator, int64_t denominator) {
  return (2 * numerator + denominator) / (2 * denominator);
}

// The best homework grade, in whole points.
int64_t HomeworkCap(const v1::GradingPolicy& policy) {
  const bool covers = policy.exams().bonus_may_cover();
  return policy.homework().scale() + (covers ? policy.exams().cap() : 0);
}

// The homework grade is numerator / (100 * H) points.
int64_t CappedNumerator(const HomeworkSums& sums, const v1::GradingPolicy& policy) {
  return std::min(policy.homework().scale() * sums.total_centipoints,
                  HomeworkCap(policy) * 100 * sums.denominator_points);
}

int64_t ExactCounted(const HomeworkSums& sums, const v1::GradingPolicy& policy) {
  const int64_t hundredths = ExactHomeworkHundredths(sums, policy);
  switch (policy.homework().rounding()) {
    case v1::HOMEWORK_ROUNDING_HUNDREDTHS_THEN_INTEGER:
      return RoundHalfUp(hundredths, 100) * 100;
    case v1::HOMEWORK_ROUNDING_INTEGER:
      if (sums.denominator_points == 0) return 0;
      return RoundHalfUp(CappedNumerator(sums, policy), 100 * sums.denominator_points) * 100;
    default:
      return hundredths;
  }
}

// In ten-thousandths of a point, as exam sums are.
int64_t FinalCap(const v1::GradingPolicy& policy) {
  int64_t cap = policy.final().cap();
  if (policy.exams().bonus_may_cover()) cap = std::min(cap, HomeworkCap(policy));
  return cap * 10'000;
}

GradeFigures ExactFigures(const HomeworkSums& sums, int64_t exam_sum,
                          const v1::GradingPolicy& policy) {
  const int64_t exams = std::min(exam_sum, int64_t{policy.exams().cap()} * 10'000);
  GradeFigures figures;
  figures.homework_hundredths = ExactHomeworkHundredths(sums, policy);
  figures.homework_counted_hundredths = ExactCounted(sums, policy);
  figures.exam_hundredths = RoundHalfUp(exams, 100);
  const int64_t final =
      std::min(figures.homework_counted_hundredths * 100 + exams, FinalCap(policy));
  figures.final_hundredths = policy.final().rounding() == v1::FINAL_ROUNDING_INTEGER
                                 ? RoundHalfUp(final, 10'000) * 100
                                 : RoundHalfUp(final, 100);
  return figures;
}

// What Python's f"{value:.2f}" shows, in hundredths: to_chars too rounds the exact binary value,
// ties to even. REQUIRES: 0 <= value < 1e15.
int64_t TextHundredths(double value) {
  char text[32];
  const auto end = std::to_chars(text, text + sizeof text, value, std::chars_format::fixed, 2);
  TY_CHECK(end.ec == std::errc());
  std::string digits(text, end.ptr);
  digits.erase(digits.size() - 3, 1);  // the point
  int64_t hundredths = 0;
  TY_CHECK(absl::SimpleAtoi(digits, &hundredths));
  return hundredths;
}

double CourseLine(const HomeworkLine& line) {
  if (line.exempt || line.sanctioned) return 0;
  if (line.set_points.has_value()) return static_cast<double>(*line.set_points);
  const double run = static_cast<double>(line.run_centipoints) / 100;
  return std::max(run + static_cast<double>(line.added_points), 0.0);
}

double CourseTotal(const std::vector<HomeworkLine>& lines, int64_t course_points) {
  double total = 0;
  for (const HomeworkLine& line : lines) total += CourseLine(line);
  return std::max(total + static_cast<double>(course_points), 0.0);
}

GradeFigures CourseFigures(double total, int64_t denominator_points, int64_t exam_sum,
                           const v1::GradingPolicy& policy) {
  GradeFigures figures;
  if (denominator_points > 0) {
    const double share = std::min(total / static_cast<double>(denominator_points), 1.0);
    figures.homework_hundredths = TextHundredths(share * policy.homework().scale());
  }
  const double shown = static_cast<double>(figures.homework_hundredths) / 100;
  const auto homework = static_cast<int64_t>(shown + 0.5);
  figures.homework_counted_hundredths = homework * 100;
  const double cap = policy.exams().cap();
  const double exams = std::min(static_cast<double>(exam_sum) / 10'000 / cap, 1.0) * cap;
  figures.exam_hundredths = TextHundredths(exams);
  figures.final_hundredths = TextHundredths(
      std::min(static_cast<double>(homework) + exams, static_cast<double>(policy.final().cap())));
  return figures;
}

}  // namespace

int64_t ExactHomeworkHundredths(const HomeworkSums& sums, const v1::GradingPolicy& policy) {
  if (sums.denominator_points == 0) return 0;
  return RoundHalfUp(CappedNumerator(sums, policy), sums.denominator_points);
}

GradeFigures ComputeFigures(const HomeworkSums& sums, const std::vector<HomeworkLine>& lines,
                            int64_t course_points, int64_t exam_sum,
                            const v1::GradingPolicy& policy) {
  if (policy.arithmetic() == v1::GRADE_ARITHMETIC_EXACT) {
    return ExactFigures(sums, exam_sum, policy);
  }
  return CourseFigures(CourseTotal(lines, course_points), sums.denominator_points, exam_sum,
                       policy);
}

}  // namespace trainyard
