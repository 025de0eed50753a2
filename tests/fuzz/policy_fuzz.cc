// Any bytes as the JSON of a grading policy: faults that are named, or a policy that a gradebook is
// computed with, whose grades are in their range. Never a crash.
#include <cstdint>
#include <cstdlib>

#include "core/base/error_info.h"
#include "server/grading/gradebook.h"
#include "server/grading/policy.h"

namespace trainyard {
namespace {

void Require(bool condition) {
  if (!condition) std::abort();
}

void RequireExplained(const absl::Status& status) {
  const auto info = GetErrorInfo(status);
  Require(info.has_value());
  Require(!info->violations.empty() || info->reason == ErrorReason::kTooLarge);
}

// Two homeworks, on time, late, later still, and one bonus; exams with and without quizzes.
GradebookInput SmallCourse(const v1::GradingPolicy& policy) {
  GradebookInput input;
  const absl::Time due = absl::FromUnixSeconds(1'802'293'499);
  const absl::CivilSecond civil = absl::ToCivilSecond(due, absl::UTCTimeZone());
  for (const char* id : {"hw1", "hw2", "extra"}) {
    input.assignments.push_back({.id = id, .max_points = 100, .due = civil});
  }
  input.assignments.back().bonus = true;
  input.students = {{.id = "ann"}, {.id = "bob"}};
  for (int i = 0; i < 6; ++i) {
    const absl::Time at = due + absl::Hours(20 * i) - absl::Hours(24);
    input.results.push_back({.submission = "r",
                             .student = i % 2 == 0 ? "ann" : "bob",
                             .assignment = i % 3 == 0 ? "hw1" : "extra",
                             .points = 90 - i,
                             .max_points = 100,
                             .accepted_at = at,
                             .finished_at = at + absl::Hours(1)});
  }
  for (const v1::ExamPolicy& exam : policy.exams().items()) {
    input.exam_results.push_back({.student = "ann", .exam = exam.id(), .points_hundredths = 777});
  }
  for (const v1::AdmissionPolicy& admission : policy.admission()) {
    input.quizzes.assign(1, {.id = "q", .module = admission.module()});
  }
  return input;
}

void ComputeWith(const v1::GradingPolicy& policy) {
  const auto book = ComputeGradebook(SmallCourse(policy), policy);
  Require(book.ok());
  for (const StudentGrade& row : book->students) {
    Require(row.final_hundredths >= 0);
    Require(row.final_hundredths <= policy.final().cap() * 100);
  }
}

}  // namespace
}  // namespace trainyard

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace trainyard;
  const absl::string_view json(reinterpret_cast<const char*>(data), size);
  const auto given = ParsePolicyJson(json);
  if (!given.ok()) return RequireExplained(given.status()), 0;
  const auto policy = ResolvePolicy(*given);
  if (!policy.ok()) return RequireExplained(policy.status()), 0;
  ComputeWith(*policy);
  const auto again = ParsePolicyJson(PolicyJson(*policy));
  Require(again.ok());
  Require(PolicyDigest(*again) == PolicyDigest(*policy));
  return 0;
}
