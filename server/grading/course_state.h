// CourseState is what the events of a course add up to: policies, roster, assignments, what was graded, adjusted and published. Apply is the only
// way to change it, so that the state after any event can be had again.
//
//   CourseState state;
//   for (const v1::CourseEvent& event : events) Apply(event, &state);
//
// Thread-safety: a value.
#ifndef TRAINYARD_SERVER_GRADING_COURSE_STATE_H_
#define TRAINYARD_SERVER_GRADING_COURSE_STATE_H_

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/time/civil_time.h"
#include "absl/time/time.h"
#include "trainyard/v1/course.pb.h"
#include "trainyard/v1/course_event.pb.h"
#include "trainyard/v1/submission.pb.h"

namespace trainyard {

// A submission that was evaluated.
struct GradedSubmission {
  v1::SubmissionGraded graded;  // points and receipt as of the last regrade in force
  bool released = false;        // its student was told these points
  int64_t sequence = 0;         // of the event
};

struct PublishedSnapshot {
  v1::SnapshotPublished published;
  absl::Time time;
  std::string author;
};

struct RegradeRecord {
  v1::RegradeCreated created;
  absl::Time time;
  std::optional<v1::RegradeApplied> applied;
  int64_t applied_sequence = 0;  // of the event that put it into force
};

struct CourseState {
  // Student and assignment, ids.
  using Key = std::pair<std::string, std::string>;

  v1::Course course;  // last_sequence and policy_version are those of the state
  absl::Time last_time = absl::InfinitePast();
  std::vector<v1::PolicyVersion> policies;      // the last is in force
  std::map<std::string, v1::Enrolment> roster;  // by user
  std::map<int64_t, std::string> repository_users;  // by id of GitHub: whose enrolment has it
  std::vector<std::string> assignment_order;    // ids, as first published
  std::map<std::string, std::vector<v1::PublishedAssignment>> assignments;  // all versions, by id
  std::map<std::string, GradedSubmission> graded;                           // by name
  std::map<Key, std::vector<std::string>> graded_of;       // names, in the order of evaluation
  std::map<std::string, std::set<std::string>> unreleased; // names, by assignment
  std::map<Key, std::string> nominated;                    // name
  std::map<Key, int64_t> leaked_millibits;                 // what the student was told
  std::map<std::string, int64_t> class_leaked_millibits;   // by assignment
  std::vector<v1::Adjustment> adjustments;                 // revoked ones too
  std::map<Key, v1::ExamMark> exams;                       // by student and exam; the last counts
  std::map<Key, v1::QuizResult> quizzes;                   // by student and quiz; the last counts
  std::vector<PublishedSnapshot> snapshots;                // oldest first
  std::map<std::string, RegradeRecord> regrades;           // by id
  std::map<int, v1::DeliveryTarget> targets;               // by kind
  std::string last_receipt_digest;                         // of the staff's copy; empty: none yet

  // UNSPECIFIED: not in the roster.
  v1::CourseRole RoleOf(absl::string_view user) const;
  // The newest version, or `version`; nullptr: there is none.
  const v1::PublishedAssignment* Find(absl::string_view assignment, int version = 0) const;
};

// REQUIRES: events come in sequence.
void Apply(const v1::CourseEvent& event, CourseState* state);

// When an assignment is due or closes for a student, by the course's time zone and the student's extensions; InfiniteFuture: never.
struct Deadlines {
  absl::Time opens = absl::InfinitePast();
  absl::Time due = absl::InfiniteFuture();
  absl::Time closes = absl::InfiniteFuture();
};
Deadlines DeadlinesOf(const CourseState& state, const v1::Assignment& assignment,
                      absl::string_view student, absl::Time now);
// When the assignment has closed for everybody, extensions included. A retired one takes nothing
// from anybody: InfinitePast.
absl::Time LastClose(const CourseState& state, const v1::Assignment& assignment, absl::Time now);
// Whether the student need not solve it.
bool IsExempt(const CourseState& state, absl::string_view assignment, absl::string_view student,
              absl::Time now);
// Whether it waits for a second person, in a course with two_person_finals.
bool NeedsConfirmation(const CourseState& state, const v1::Adjustment& adjustment);
// Whether an adjustment that needs no confirmation counts at `now`.
bool InForce(const v1::Adjustment& adjustment, absl::Time now);

// `YYYY-MM-DD HH:MM:SS`, every digit of it; nullopt: it is none.
std::optional<absl::CivilSecond> CivilSecondOf(absl::string_view text);
// The same in `time_zone`, as an instant; a time that a change of clocks skips or repeats is the
// later one. False: it is none.
bool ParseCivil(absl::string_view text, absl::string_view time_zone, absl::Time* time);

}  // namespace trainyard

#endif  // TRAINYARD_SERVER_GRADING_COURSE_STATE_H_
