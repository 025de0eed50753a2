// The events of a small course as text, one of each kind, and what a course's state is as text.
#ifndef TRAINYARD_TESTS_SERVER_GRADING_COURSE_EVENTS_H_
#define TRAINYARD_TESTS_SERVER_GRADING_COURSE_EVENTS_H_

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "core/base/check.h"
#include "google/protobuf/text_format.h"
#include "server/grading/course_state.h"
#include "server/wire/timestamp.h"

namespace trainyard {

template <typename Message>
Message FromText(const std::string& text) {
  Message message;
  TY_CHECK(google::protobuf::TextFormat::ParseFromString(text, &message));
  return message;
}
inline v1::CourseEvent EventOf(const std::string& text) { return FromText<v1::CourseEvent>(text); }

// Ann and Bob are students, Greta grades, Ivan teaches; hw1 has two versions.
inline std::vector<v1::CourseEvent> EveryKindOfEvent() {
  const std::string s1 = "courses/dl/assignments/hw1/submissions/s1";
  const std::vector<std::string> texts = {
      R"(course_created { name: "courses/dl" display_name: "DL" time_zone: "Europe/Moscow" })",
      R"(policy_set { version: 1 digest: "sha256:p1" policy { exams { items { id: "exam3" max: 10 } } } })",
      R"(roster_changed {
           enrolments { user: "ann" role: COURSE_ROLE_STUDENT full_name: "Ann A" }
           enrolments { user: "bob" role: COURSE_ROLE_STUDENT }
           enrolments { user: "greta" role: COURSE_ROLE_GRADER }
           enrolments { user: "ivan" role: COURSE_ROLE_INSTRUCTOR } })",
      R"(assignment_published { assignment { name: "courses/dl/assignments/hw1" version: 1 max_points: 100
           commitments { role: "training" commitment: "t" } commitments { role: "sealed" commitment: "c1" } } })",
      R"(assignment_published { assignment { name: "courses/dl/assignments/hw1" version: 2 max_points: 50
           commitments { role: "training" commitment: "t" } commitments { role: "sealed" commitment: "c2" } }
           evaluation_row_count: 100 })",
      absl::StrCat(
          R"(submission_graded { assignment: "hw1" student: "ann" assignment_version: 2 points: 40
           max_points: 50 public_rank: 7 receipt: "ty_1" receipt_digest: "sha256:r1" submission: ")",
          s1, "\" }"),
      absl::StrCat(
          R"(points_released { assignment: "hw1" student: "ann" leak_millibits: 7500 submission: ")",
          s1, "\" }"),
      absl::StrCat(R"(submission_nominated { assignment: "hw1" student: "ann" submission: ")", s1,
                   "\" }"),
      R"(actor: "greta" adjustment_made { id: "a1" student: "bob" assignment: "hw1" kind: ADD points: 5 reason: "r" })",
      R"(actor: "ivan" adjustment_revoked { id: "a1" reason: "no" })",
      R"(marks_recorded { exams { student: "ann" exam: "exam3" hundredths: 700 }
           quizzes { student: "bob" quiz: "q1" module: 3 attempts: 2 } })",
      R"(actor: "ivan" snapshot_published { number: 1 as_of_sequence: 11 policy_version: 1 digest: "sha256:b" })",
      absl::StrCat(R"(regrade_created { regrade: "g1" assignment: "hw1" originals: ")", s1, "\" }"),
      absl::StrCat(
          R"(regrade_applied { regrade: "g1" assignment: "hw1" mode: 1 points { points: 45 max_points: 50
           assignment_version: 2 receipt: "ty_2" receipt_digest: "sha256:r2" submission: ")",
          s1, "\" } }"),
      R"(delivery_target_set { kind: CHECK_RUN url: "https://hook.example" })",
      R"(commitments_revealed { assignment: "hw1"
           commitments { role: "sealed" commitment: "c1" salt: "aa" row_count: 9 }
           commitments { role: "sealed" commitment: "c2" salt: "bb" row_count: 100 } })",
      R"(actor: "ivan" adjustment_confirmed { id: "a1" })",
      R"(roster_changed { removed_users: "bob" enrolments { user: "ann" role: COURSE_ROLE_STUDENT full_name: "Ann B" } })"};
  std::vector<v1::CourseEvent> events;
  for (const std::string& text : texts) {
    v1::CourseEvent event = EventOf(text);
    event.set_sequence(static_cast<int64_t>(events.size()) + 1);
    event.mutable_create_time()->set_seconds(1'800'000'000 + event.sequence());
    events.push_back(std::move(event));
  }
  return events;
}

inline CourseState StateOf(const std::vector<v1::CourseEvent>& events) {
  CourseState state;
  for (const v1::CourseEvent& event : events) Apply(event, &state);
  return state;
}

// Everything that a state has, a line each, equal for equal states only.
class StateDump {
 public:
  static std::string Of(const CourseState& state) {
    StateDump dump;
    dump.Add("course", state.course.ShortDebugString());
    dump.Add("time", absl::FormatTime(state.last_time, absl::UTCTimeZone()));
    for (const auto& policy : state.policies) dump.Add("policy", policy.ShortDebugString());
    for (const auto& [user, entry] : state.roster) dump.Add(user, entry.ShortDebugString());
    for (const std::string& id : state.assignment_order) dump.AddVersions(state, id);
    dump.AddSubmissions(state);
    dump.AddGrades(state);
    for (const auto& [kind, target] : state.targets) dump.Add("target", target.ShortDebugString());
    dump.Add("receipt", state.last_receipt_digest);
    return dump.text_;
  }

 private:
  void Add(absl::string_view what, absl::string_view value) {
    absl::StrAppend(&text_, what, ": ", value, "\n");
  }
  void AddVersions(const CourseState& state, const std::string& id) {
    for (const auto& version : state.assignments.at(id)) Add(id, version.ShortDebugString());
  }
  void AddSubmissions(const CourseState& state) {
    for (const auto& [name, graded] : state.graded) {
      Add("graded",
          absl::StrCat(graded.graded.ShortDebugString(), graded.released, " ", graded.sequence));
    }
    for (const auto& [key, names] : state.graded_of) {
      for (const std::string& name : names) Add(absl::StrCat(key.first, key.second), name);
    }
    for (const auto& [id, names] : state.unreleased) {
      for (const std::string& name : names) Add("unreleased " + id, name);
    }
    for (const auto& [key, name] : state.nominated) Add("nominated " + key.first, name);
    for (const auto& [key, bits] : state.leaked_millibits)
      Add("leak " + key.first, absl::StrCat(bits));
    for (const auto& [id, bits] : state.class_leaked_millibits)
      Add("leak " + id, absl::StrCat(bits));
  }
  void AddGrades(const CourseState& state) {
    for (const auto& adjustment : state.adjustments)
      Add("adjustment", adjustment.ShortDebugString());
    for (const auto& [key, mark] : state.exams) Add(key.second, mark.ShortDebugString());
    for (const auto& [key, quiz] : state.quizzes) Add(key.second, quiz.ShortDebugString());
    for (const auto& snapshot : state.snapshots) {
      Add(snapshot.author, absl::StrCat(snapshot.published.ShortDebugString(),
                                        absl::FormatTime(snapshot.time, absl::UTCTimeZone())));
    }
    for (const auto& [id, regrade] : state.regrades) {
      Add(id, absl::StrCat(regrade.created.ShortDebugString(),
                           absl::FormatTime(regrade.time, absl::UTCTimeZone()),
                           regrade.applied ? regrade.applied->ShortDebugString() : "open"));
    }
  }

  std::string text_;
};

}  // namespace trainyard

#endif  // TRAINYARD_TESTS_SERVER_GRADING_COURSE_EVENTS_H_
