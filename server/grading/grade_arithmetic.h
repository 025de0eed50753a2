// From sums to grades, by the policy's arithmetic: EXACT with fractions of whole numbers, or
// HSE_2026_DOUBLE, the one place of a gradebook with doubles.
//
// HSE_2026_DOUBLE does what the course's code did in 2026, operation by operation: sums in the
// order of the assignments (the course's own order is that of its database, which promises none),
// the quotient, its text with two decimals, and int(x + 0.5) of what that text says.
//
// Thread-safety: pure functions. Nothing overflows within gradebook_limits.h.
#ifndef TRAINYARD_SERVER_GRADING_GRADE_ARITHMETIC_H_
#define TRAINYARD_SERVER_GRADING_GRADE_ARITHMETIC_H_

#include <cstdint>
#include <vector>

#include "server/grading/gradebook.h"
#include "server/grading/homework.h"
#include "trainyard/v1/policy.pb.h"

namespace trainyard {

struct GradeFigures {
  int64_t homework_hundredths = 0;
  int64_t homework_counted_hundredths = 0;
  int64_t exam_hundredths = 0;
  int64_t final_hundredths = 0;
};

// `exam_sum` in ten-thousandths of a grade point (ExamRule::Sum). `lines` and `course_points` are
// what `sums` is of. A denominator of 0 gives a homework grade of 0.
GradeFigures ComputeFigures(const HomeworkSums& sums, const std::vector<HomeworkLine>& lines,
                            int64_t course_points, int64_t exam_sum,
                            const v1::GradingPolicy& policy);

// The homework grade alone, exact, to hundredths.
int64_t ExactHomeworkHundredths(const HomeworkSums& sums, const v1::GradingPolicy& policy);

}  // namespace trainyard

#endif  // TRAINYARD_SERVER_GRADING_GRADE_ARITHMETIC_H_
