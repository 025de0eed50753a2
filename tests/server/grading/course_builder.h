// Small courses for tests of the gradebook: a valid one, one change a line.
#ifndef TRAINYARD_TESTS_SERVER_GRADING_COURSE_BUILDER_H_
#define TRAINYARD_TESTS_SERVER_GRADING_COURSE_BUILDER_H_

#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/civil_time.h"
#include "absl/time/time.h"
#include "google/protobuf/text_format.h"
#include "gtest/gtest.h"
#include "server/grading/gradebook.h"
#include "server/grading/policy.h"

namespace trainyard {

inline constexpr absl::CivilSecond kDue(2027, 2, 10, 23, 59, 59);
// 23:59:59 in Moscow and six hours, five minutes and a second: 2027-02-11 03:05:00 UTC.
inline absl::Time PresetDeadline() {
  return absl::FromCivil(absl::CivilSecond(2027, 2, 11, 3, 5, 0), absl::UTCTimeZone());
}

// `text` as a policy over `preset`, resolved.
inline v1::GradingPolicy Policy(const std::string& text = "", const std::string& preset = "hse") {
  v1::GradingPolicy given;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &given)) << text;
  given.set_preset(preset);
  const auto policy = ResolvePolicy(given);
  EXPECT_TRUE(policy.ok()) << policy.status();
  return policy.ok() ? *policy : v1::GradingPolicy();
}

class CourseBuilder {
 public:
  // An assignment due at kDue.
  AssignmentInput& Assignment(const std::string& id, int64_t max_points, bool bonus = false) {
    input.assignments.push_back(
        {.id = id, .title = id, .max_points = max_points, .bonus = bonus, .due = kDue});
    return input.assignments.back();
  }
  StudentInput& Student(const std::string& id) {
    input.students.push_back({.id = id, .display_name = id, .full_name = "Full Name " + id});
    return input.students.back();
  }
  // A run accepted and finished `late` after the preset's deadline, out of the assignment's
  // maximum.
  ResultInput& Run(const std::string& student, const std::string& assignment, int64_t points,
                   absl::Duration late = -absl::Hours(24)) {
    ResultInput run{.submission = absl::StrCat("r", input.results.size() + 1),
                    .student = student,
                    .assignment = assignment,
                    .points = points,
                    .accepted_at = PresetDeadline() + late};
    run.finished_at = run.accepted_at;
    for (const AssignmentInput& known : input.assignments) {
      if (known.id == assignment) run.max_points = known.max_points;
    }
    input.results.push_back(run);
    return input.results.back();
  }
  AdjustmentInput& Adjust(const std::string& student, const std::string& assignment,
                          AdjustmentKind kind, int64_t value = 0) {
    const auto sequence = static_cast<int64_t>(input.adjustments.size()) + 1;
    input.adjustments.push_back({.id = absl::StrCat("a", sequence),
                                 .student = student,
                                 .assignment = assignment,
                                 .kind = kind,
                                 .value = value,
                                 .reason = absl::StrCat("reason ", sequence),
                                 .sequence = sequence});
    return input.adjustments.back();
  }
  void Exam(const std::string& student, const std::string& exam, int64_t points_hundredths) {
    input.exam_results.push_back(
        {.student = student, .exam = exam, .points_hundredths = points_hundredths});
  }
  void Quiz(const std::string& id, const std::string& module) {
    input.quizzes.push_back({.id = id, .module = module});
  }
  void Answer(const std::string& student, const std::string& quiz, absl::CivilSecond moscow) {
    absl::TimeZone zone;
    EXPECT_TRUE(absl::LoadTimeZone("Europe/Moscow", &zone));
    input.quiz_results.push_back({.student = student,
                                  .quiz = quiz,
                                  .correct_at = absl::FromCivil(moscow, zone),
                                  .attempts = 1});
  }

  Gradebook Compute(const v1::GradingPolicy& policy = Policy()) const {
    auto book = ComputeGradebook(input, policy);
    EXPECT_TRUE(book.ok()) << book.status();
    return book.ok() ? *std::move(book) : Gradebook();
  }
  // The first student's row.
  StudentGrade Grade(const v1::GradingPolicy& policy = Policy()) const {
    const Gradebook book = Compute(policy);
    EXPECT_FALSE(book.students.empty());
    return book.students.empty() ? StudentGrade() : book.students.front();
  }

  GradebookInput input;
};

// A student "ann" and an assignment "hw" of 100 points.
inline CourseBuilder OneHomework() {
  CourseBuilder course;
  course.Assignment("hw", 100);
  course.Student("ann");
  return course;
}

}  // namespace trainyard

#endif  // TRAINYARD_TESTS_SERVER_GRADING_COURSE_BUILDER_H_
