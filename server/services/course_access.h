// Who may do what in a course. Permission comes before existence: who may not see a course cannot tell whether it is there.
//
//   TY_RETURN_IF_ERROR(CheckCourse(*courses_, principal, "dl-2027", CourseRight::kStaff));
//
// Thread-safety: functions over a CourseStore. Errors: PERMISSION_DENIED/PERMISSION; NOT_FOUND for an ADMIN.
#ifndef TRAINYARD_SERVER_SERVICES_COURSE_ACCESS_H_
#define TRAINYARD_SERVER_SERVICES_COURSE_ACCESS_H_

#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "server/auth/access.h"
#include "server/auth/principal.h"
#include "server/grading/course_store.h"
#include "server/storage/database.h"
#include "trainyard/v1/course.pb.h"

namespace trainyard {

enum class CourseRight {
  kMember,      // anybody in the roster
  kStaff,       // instructors and graders
  kInstructor,  // instructors
};

// An ADMIN is an instructor everywhere. UNSPECIFIED: no member, or the token is for another course.
v1::CourseRole RoleIn(const CourseState& state, const Principal& principal);
bool IsStaff(v1::CourseRole role);
absl::Status CheckCourse(const CourseStore& courses, const Principal& principal,
                         const std::string& course, CourseRight right);
// The student that a call is about: `wanted`, or the caller. Only staff may want somebody else; who is wanted must be a student.
absl::StatusOr<std::string> StudentOf(const CourseStore& courses, const Principal& principal,
                                      const std::string& course, const std::string& wanted);

// What a course lets its members read of what others own: the training and public data of its assignments; and its staff, the trainings of submissions.
class CourseGrants final : public ReadGrants {
 public:
  CourseGrants(Database* database, const CourseStore* courses)
      : database_(database), courses_(courses) {}
  bool MayRead(const Principal& principal, absl::string_view resource_name) override;

 private:
  bool MayReadDataset(const Principal& principal, absl::string_view name) const;
  bool MayReadJob(const Principal& principal, absl::string_view name) const;

  Database* const database_;
  const CourseStore* const courses_;
};

}  // namespace trainyard

#endif  // TRAINYARD_SERVER_SERVICES_COURSE_ACCESS_H_
