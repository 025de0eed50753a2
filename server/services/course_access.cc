#include "server/services/course_access.h"

#include <algorithm>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "core/base/error_info.h"
#include "core/base/status_macros.h"
#include "server/grading/course_names.h"
#include "server/jobs/job_store.h"
#include "server/services/request_checks.h"

namespace trainyard {
namespace {

bool Has(v1::CourseRole role, CourseRight right) {
  switch (right) {
    case CourseRight::kMember:
      return role != v1::COURSE_ROLE_UNSPECIFIED;
    case CourseRight::kStaff:
      return IsStaff(role);
    case CourseRight::kInstructor:
      return role == v1::COURSE_ROLE_INSTRUCTOR;
  }
  return false;
}

// Sealed data is nobody's to read; the dataset's own answers see to that.
bool Shows(const v1::PublishedAssignment& published, absl::string_view dataset) {
  return published.assignment().training_dataset() == dataset ||
         published.assignment().public_dataset() == dataset;
}

}  // namespace

v1::CourseRole RoleIn(const CourseState& state, const Principal& principal) {
  if (!principal.course.empty() && principal.course != state.course.name()) {
    return v1::COURSE_ROLE_UNSPECIFIED;
  }
  return principal.admin() ? v1::COURSE_ROLE_INSTRUCTOR : state.RoleOf(principal.owner);
}

bool IsStaff(v1::CourseRole role) {
  return role == v1::COURSE_ROLE_INSTRUCTOR || role == v1::COURSE_ROLE_GRADER;
}

absl::Status CheckCourse(const CourseStore& courses, const Principal& principal,
                         const std::string& course, CourseRight right) {
  v1::CourseRole role = v1::COURSE_ROLE_UNSPECIFIED;
  const absl::Status read = courses.Read(course, [&](const CourseState& state) {
    role = RoleIn(state, principal);
    return absl::OkStatus();
  });
  const bool knows_all = principal.admin() && principal.course.empty();
  if (!read.ok() && knows_all) return read;
  return read.ok() && Has(role, right) ? absl::OkStatus() : NoPermission(CourseName(course));
}

absl::StatusOr<std::string> StudentOf(const CourseStore& courses, const Principal& principal,
                                      const std::string& course, const std::string& wanted) {
  const std::string student = wanted.empty() ? principal.owner : wanted;
  v1::CourseRole caller = v1::COURSE_ROLE_UNSPECIFIED, role = v1::COURSE_ROLE_UNSPECIFIED;
  TY_RETURN_IF_ERROR(courses.Read(course, [&](const CourseState& state) {
    caller = RoleIn(state, principal);
    role = state.RoleOf(student);
    return absl::OkStatus();
  }));
  if (student != principal.owner && !IsStaff(caller)) return NoPermission(CourseName(course));
  if (role == v1::COURSE_ROLE_STUDENT) return student;
  if (!IsStaff(caller)) return NoPermission(CourseName(course));
  return InvalidRequest("student", absl::StrCat("\"", student.substr(0, 63),
                                                "\" is no student of ", CourseName(course),
                                                "; give the id of one"));
}

bool CourseGrants::MayRead(const Principal& principal, absl::string_view resource_name) {
  if (absl::StartsWith(resource_name, "datasets/")) return MayReadDataset(principal, resource_name);
  if (absl::StartsWith(resource_name, "trainingJobs/")) return MayReadJob(principal, resource_name);
  return false;
}

bool CourseGrants::MayReadDataset(const Principal& principal, absl::string_view name) const {
  for (const std::string& course : courses_->Courses()) {
    bool may = false;
    const absl::Status read = courses_->Read(course, [&](const CourseState& state) {
      if (RoleIn(state, principal) == v1::COURSE_ROLE_UNSPECIFIED) return absl::OkStatus();
      for (const auto& [id, versions] : state.assignments) {
        may = may || std::any_of(versions.begin(), versions.end(), [&](const auto& published) {
                return Shows(published, name);
              });
      }
      return absl::OkStatus();
    });
    if (read.ok() && may) return true;
  }
  return false;
}

bool CourseGrants::MayReadJob(const Principal& principal, absl::string_view name) const {
  std::string submission;
  const absl::Status found = database_->Read([&](Connection& connection) -> absl::Status {
    TY_ASSIGN_OR_RETURN(const v1::TrainingJob job, FindJob(connection, name));
    submission = job.submission();
    return absl::OkStatus();
  });
  if (!found.ok() || submission.empty()) return false;
  const auto parsed = ParseSubmissionName("name", submission);
  return parsed.ok() &&
         CheckCourse(*courses_, principal, parsed->parent.course, CourseRight::kStaff).ok();
}

}  // namespace trainyard
