// Courses, rosters, policies and assignments as text for people; with -o json the messages
// themselves are printed instead (screen.h).
//
// Thread-safety: pure functions.
#ifndef TRAINYARD_CLIENT_DESCRIBE_COURSE_H_
#define TRAINYARD_CLIENT_DESCRIBE_COURSE_H_

#include <cstdint>
#include <string>

#include "google/protobuf/repeated_field.h"
#include "trainyard/v1/course.pb.h"
#include "trainyard/v1/grades.pb.h"

namespace trainyard {

// 750 → "7.50", -5 → "-0.05".
std::string HundredthsText(int64_t hundredths);
// "warning: …", a line each.
std::string WarningLines(const google::protobuf::RepeatedPtrField<std::string>& warnings);

// Several lines each, ending with a line end.
std::string DescribeCourse(const v1::Course& course);
std::string DescribeCourses(const v1::ListCoursesResponse& list);
std::string DescribeRoster(const v1::Roster& roster);
// The policy itself is YAML that `course set-policy` takes.
std::string DescribePolicy(const v1::PolicyVersion& policy);
// Whose grade changes, and why.
std::string DescribePolicyChange(const v1::SetPolicyResponse& response);
// A table of what changes for whom, or that nothing does.
std::string DescribeGradeChanges(
    const google::protobuf::RepeatedPtrField<v1::GradeChange>& changes);
std::string DescribeAssignment(const v1::Assignment& assignment);
std::string DescribeAssignments(const v1::ListAssignmentsResponse& list);
// A line per event: sequence, time, who, what.
std::string DescribeCourseEvents(const v1::ListCourseEventsResponse& events);

}  // namespace trainyard

#endif  // TRAINYARD_CLIENT_DESCRIBE_COURSE_H_
