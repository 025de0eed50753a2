// Properties of the gradebook over random courses; the seed is printed with a failure.
#include <algorithm>
#include <random>
#include <string>

#include "server/grading/gradebook_diff.h"
#include "tests/server/grading/course_builder.h"

namespace trainyard {
namespace {

constexpr int kCourses = 60;
constexpr int kStudents = 6;
constexpr int kAssignments = 5;

class RandomCourse {
 public:
  explicit RandomCourse(int seed) : random_(static_cast<unsigned>(seed)) {
    for (int i = 0; i < kAssignments; ++i) {
      course.Assignment(absl::StrCat("hw", i), 1 + Below(300), i == kAssignments - 1);
    }
    for (int i = 0; i < kStudents; ++i) AddStudent(absl::StrCat("s", i));
  }

  int64_t Below(int64_t end) {
    return static_cast<int64_t>(random_() % static_cast<uint64_t>(end));
  }
  std::mt19937_64& random() { return random_; }

  CourseBuilder course;

 private:
  void AddStudent(const std::string& student) {
    course.Student(student);
    for (int run = 0; run < 8; ++run) {
      const std::string assignment = absl::StrCat("hw", Below(kAssignments));
      course.Run(student, assignment, Below(300), absl::Seconds(Below(400'000) - 200'000))
          .public_rank = Below(5);
    }
    for (int i = 0; i < 2; ++i) {
      const AdjustmentKind kinds[] = {AdjustmentKind::kAdd, AdjustmentKind::kSet,
                                      AdjustmentKind::kLateDays, AdjustmentKind::kExempt,
                                      AdjustmentKind::kExtend};
      course.Adjust(student, absl::StrCat("hw", Below(kAssignments)), kinds[Below(5)], Below(50));
    }
    course.Exam(student, Below(2) == 0 ? "exam3" : "exam4", Below(1'100));
  }

  std::mt19937_64 random_;
};

int64_t FinalOf(const Gradebook& book, const std::string& student) {
  for (const StudentGrade& row : book.students) {
    if (row.student.id == student) return row.final_hundredths;
  }
  ADD_FAILURE() << "no row for " << student;
  return -1;
}

const char* const kPolicies[] = {
    "",
    "select { tie: SELECT_TIE_EARLIEST }",
    "select { by: SELECT_BY_PUBLIC_SCORE }",
    "homework { rounding: HOMEWORK_ROUNDING_HUNDREDTHS }",
    "late { apply_to: LATE_BASE_MAX_POINTS first_day_counts: false }",
    "exams { bonus_may_cover: true } final { rounding: FINAL_ROUNDING_INTEGER }",
    "late { hard_close: HARD_CLOSE_AFTER hard_close_after { seconds: 90000 } }"};

TEST(GradebookPropertyTest, MorePointsNeverLowerAGrade) {
  for (const char* text : kPolicies) {
    const v1::GradingPolicy policy = Policy(text);
    for (int seed = 0; seed < kCourses; ++seed) {
      SCOPED_TRACE(absl::StrCat(text, " seed ", seed));
      RandomCourse random(seed);
      const Gradebook before = random.course.Compute(policy);
      auto& results = random.course.input.results;
      ResultInput& run = results[random.Below(static_cast<int64_t>(results.size()))];
      run.points += 1 + random.Below(50);
      const Gradebook after = random.course.Compute(policy);
      ASSERT_GE(FinalOf(after, run.student), FinalOf(before, run.student));
    }
  }
}

// Only where the run is chosen by what it gives: the best public score may well be the later one.
TEST(GradebookPropertyTest, LaterNeverRaisesAGrade) {
  for (const char* text : kPolicies) {
    const v1::GradingPolicy policy = Policy(text);
    if (policy.select().by() != v1::SELECT_BY_POINTS_AFTER_PENALTY) continue;
    for (int seed = 0; seed < kCourses; ++seed) {
      SCOPED_TRACE(absl::StrCat(text, " seed ", seed));
      RandomCourse random(seed);
      const Gradebook before = random.course.Compute(policy);
      auto& results = random.course.input.results;
      ResultInput& run = results[random.Below(static_cast<int64_t>(results.size()))];
      run.accepted_at += absl::Seconds(1 + random.Below(100'000));
      const Gradebook after = random.course.Compute(policy);
      ASSERT_LE(FinalOf(after, run.student), FinalOf(before, run.student));
    }
  }
}

TEST(GradebookPropertyTest, TheOrderOfTheFactsDoesNotMatter) {
  for (const char* text : kPolicies) {
    const v1::GradingPolicy policy = Policy(text);
    for (int seed = 0; seed < kCourses; ++seed) {
      SCOPED_TRACE(absl::StrCat(text, " seed ", seed));
      RandomCourse random(seed);
      const std::string before = CanonicalText(random.course.Compute(policy));
      GradebookInput& input = random.course.input;
      std::shuffle(input.results.begin(), input.results.end(), random.random());
      std::shuffle(input.adjustments.begin(), input.adjustments.end(), random.random());
      ASSERT_EQ(CanonicalText(random.course.Compute(policy)), before);
    }
  }
}

TEST(GradebookPropertyTest, OneStudentsFactsDoNotTouchAnother) {
  for (int seed = 0; seed < kCourses; ++seed) {
    SCOPED_TRACE(seed);
    RandomCourse random(seed);
    const Gradebook before = random.course.Compute();
    random.course.Run("s0", "hw0", 300);
    random.course.Adjust("s0", "", AdjustmentKind::kSanctionPlagiarism);
    for (const StudentChange& change : DiffGradebooks(before, random.course.Compute())) {
      ASSERT_EQ(change.student, "s0");
    }
  }
}

TEST(GradebookPropertyTest, GradesStayInTheirRange) {
  for (const char* text : kPolicies) {
    for (int seed = 0; seed < kCourses; ++seed) {
      SCOPED_TRACE(absl::StrCat(text, " seed ", seed));
      for (const StudentGrade& row : RandomCourse(seed).course.Compute(Policy(text)).students) {
        ASSERT_GE(row.final_hundredths, 0);
        ASSERT_LE(row.final_hundredths, 1'000);
        ASSERT_LE(row.exam_hundredths, 200);
      }
    }
  }
}

}  // namespace
}  // namespace trainyard
