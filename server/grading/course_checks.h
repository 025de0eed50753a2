// Whether what staff say of a course can be: rosters, adjustments, marks, delivery targets. All faults at once, each with its row.
//
// Thread-safety: pure functions. Nobody is looked up but in the given state.
#ifndef TRAINYARD_SERVER_GRADING_COURSE_CHECKS_H_
#define TRAINYARD_SERVER_GRADING_COURSE_CHECKS_H_

#include <string>
#include <vector>

#include "core/base/error_info.h"
#include "server/grading/course_state.h"
#include "trainyard/v1/course.pb.h"
#include "trainyard/v1/course_event.pb.h"
#include "trainyard/v1/grades.pb.h"

namespace trainyard {

inline constexpr int kRosterMax = 10'000;
inline constexpr int kMarksMax = 10'000;        // of one call
inline constexpr int kAdjustmentsMax = 100'000;  // of a course
inline constexpr size_t kReasonBytesMax = 1'000;

// Length and characters of a text for people: no control characters (spreadsheets, terminals and logs show it).
void CheckText(absl::string_view field, absl::string_view text, size_t bytes_max,
               std::vector<FieldViolation>* violations);
// Name, display name and time zone of a new course.
void CheckNewCourse(const v1::Course& course, std::vector<FieldViolation>* violations);
void CheckRosterUpdate(const CourseState& state, const v1::UpdateRosterRequest& request,
                       std::vector<FieldViolation>* violations);
// What to look at in a roster that has no faults: names that two have, students without one.
std::vector<std::string> RosterWarnings(const CourseState& state);
void CheckAdjustment(const CourseState& state, const v1::Adjustment& adjustment,
                     std::vector<FieldViolation>* violations);
void CheckMarks(const CourseState& state, const v1::RecordMarksRequest& request,
                std::vector<FieldViolation>* violations);
void CheckTarget(const v1::DeliveryTarget& target, std::vector<FieldViolation>* violations);

}  // namespace trainyard

#endif  // TRAINYARD_SERVER_GRADING_COURSE_CHECKS_H_
