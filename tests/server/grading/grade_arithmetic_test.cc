#include "server/grading/grade_arithmetic.h"

#include "tests/server/grading/course_builder.h"

namespace trainyard {
namespace {

GradeFigures Figures(int64_t total_centipoints, int64_t denominator_points, int64_t exam_sum,
                     const v1::GradingPolicy& policy) {
  return ComputeFigures(
      {.total_centipoints = total_centipoints, .denominator_points = denominator_points},
      {HomeworkLine{.run_centipoints = total_centipoints}}, 0, exam_sum, policy);
}

struct Vector {
  int64_t total_centipoints;
  int64_t exam_sum;  // ten-thousandths
  int64_t homework_hundredths;
  int64_t counted_hundredths;
  int64_t exam_hundredths;
  int64_t final_hundredths;
};

// GRADING.md 4.3, with H = 2200: the exact arithmetic and the course's give the same.
TEST(GradeArithmeticTest, TheVectorsOfTheSpecification) {
  const Vector vectors[] = {{206'112, 0, 749, 700, 0, 700},
                            {206'113, 0, 750, 800, 0, 800},
                            {220'000, 0, 800, 800, 0, 800},
                            {340'000, 0, 800, 800, 0, 800},
                            {0, 24'000, 0, 0, 200, 200},
                            {220'000, 20'000, 800, 800, 200, 1'000},
                            {220'000, 24'000, 800, 800, 200, 1000},
                            {13'612, 0, 49, 0, 0, 0},
                            {13'613, 0, 50, 100, 0, 100},
                            {123'456, 17'000, 449, 400, 170, 570}};
  for (const std::string& preset : PolicyPresets()) {
    for (const Vector& v : vectors) {
      SCOPED_TRACE(absl::StrCat(preset, " ", v.total_centipoints, " ", v.exam_sum));
      const GradeFigures figures =
          Figures(v.total_centipoints, 2'200, v.exam_sum, Policy("", preset));
      EXPECT_EQ(figures.homework_hundredths, v.homework_hundredths);
      EXPECT_EQ(figures.homework_counted_hundredths, v.counted_hundredths);
      EXPECT_EQ(figures.exam_hundredths, v.exam_hundredths);
      EXPECT_EQ(figures.final_hundredths, v.final_hundredths);
    }
  }
}

// 8 * 150 / 2400 is exactly 0.005 of a point above a hundredth: half up, or to even in binary.
TEST(GradeArithmeticTest, ExactHalvesGoUp) {
  EXPECT_EQ(Figures(150, 2'400, 0, Policy()).homework_hundredths, 1);
  EXPECT_EQ(Figures(149, 2'400, 0, Policy()).homework_hundredths, 0);
}

TEST(GradeArithmeticTest, RoundingOnceOrTwice) {
  // 7.496 of 8.
  const int64_t total = 206'140 - 1;
  EXPECT_EQ(Figures(206'113, 2'200, 0, Policy()).homework_counted_hundredths, 800);
  const v1::GradingPolicy once = Policy("homework { rounding: HOMEWORK_ROUNDING_INTEGER }");
  EXPECT_EQ(Figures(206'113, 2'200, 0, once).homework_counted_hundredths, 700);
  EXPECT_EQ(Figures(206'250, 2'200, 0, once).homework_counted_hundredths, 800);
  EXPECT_EQ(Figures(206'249, 2'200, 0, once).homework_counted_hundredths, 700);
  const v1::GradingPolicy fine = Policy("homework { rounding: HOMEWORK_ROUNDING_HUNDREDTHS }");
  EXPECT_EQ(Figures(total, 2'200, 0, fine).homework_counted_hundredths, 750);
}

TEST(GradeArithmeticTest, TheFinalGradeRoundsTheSumOnce) {
  const v1::GradingPolicy fine = Policy("homework { rounding: HOMEWORK_ROUNDING_HUNDREDTHS }");
  // Exams of 1.0050: half up.
  EXPECT_EQ(Figures(220'000, 2'200, 10'050, fine).final_hundredths, 901);
  EXPECT_EQ(Figures(220'000, 2'200, 10'049, fine).final_hundredths, 900);
  const v1::GradingPolicy whole = Policy("final { rounding: FINAL_ROUNDING_INTEGER }");
  EXPECT_EQ(Figures(220'000, 2'200, 14'999, whole).final_hundredths, 900);
  EXPECT_EQ(Figures(220'000, 2'200, 15'000, whole).final_hundredths, 1'000);
}

TEST(GradeArithmeticTest, BonusPaysForExamsOnlyWhereThePolicySaysSo) {
  // 120 % of the homework: 9.6 of 8.
  EXPECT_EQ(Figures(264'000, 2'200, 3'000, Policy()).final_hundredths, 830);
  const v1::GradingPolicy covers =
      Policy("exams { bonus_may_cover: true } homework { rounding: HOMEWORK_ROUNDING_HUNDREDTHS }");
  EXPECT_EQ(Figures(264'000, 2'200, 3'000, covers).final_hundredths, 990);
  EXPECT_EQ(Figures(264'000, 2'200, 20'000, covers).final_hundredths, 1'000);
  const v1::GradingPolicy high = Policy("exams { bonus_may_cover: true } final { cap: 20 }");
  EXPECT_EQ(Figures(900'000, 2'200, 20'000, high).final_hundredths, 1'000);
}

TEST(GradeArithmeticTest, NoDenominatorIsNoHomeworkGrade) {
  for (const std::string& preset : PolicyPresets()) {
    const GradeFigures figures = Figures(5'000, 0, 12'000, Policy("", preset));
    EXPECT_EQ(figures.homework_hundredths, 0);
    EXPECT_EQ(figures.final_hundredths, 120);
  }
}

TEST(GradeArithmeticTest, TheLargestSumsDoNotOverflow) {
  const v1::GradingPolicy policy = Policy("homework { scale: 1000 } final { cap: 1000 }");
  const int64_t total = int64_t{101'000} * 1'000'000 * 100;
  EXPECT_EQ(Figures(total, 1'000'000'000, 0, policy).homework_hundredths, 100'000);
  EXPECT_EQ(Figures(total, 1, 0, policy).homework_hundredths, 100'000);
  EXPECT_EQ(Figures(49'999'999'950, 1'000'000'000, 0, policy).homework_hundredths, 50'000);
}

}  // namespace
}  // namespace trainyard
