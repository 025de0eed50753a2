#include "server/grading/course_deliveries.h"

#include <algorithm>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/string_view.h"
#include "absl/time/clock.h"
#include "core/base/status_macros.h"
#include "google/protobuf/util/message_differencer.h"
#include "server/base/log.h"
#include "server/grading/course_gradebook.h"
#include "server/grading/course_names.h"
#include "server/grading/delivery_store.h"
#include "server/wire/timestamp.h"

namespace trainyard {
namespace {

using Lines = std::map<std::string, HomeworkLine>;  // by assignment

// What is to be told, before anybody looks whether it has changed.
struct Occasion {
  std::set<std::string> students;       // whose lines may change
  std::set<std::string> released;       // submissions
  std::set<std::string> renamed_login;  // students
  std::set<std::string> renamed_lti;    // students
  std::set<int> targets;                // kinds that were set anew
};

struct Telling {
  v1::DeliveryTarget target;
  DeliveredPoints points;
};

void AddAllStudents(const CourseState& state, Occasion* occasion) {
  for (const auto& [user, enrolment] : state.roster) occasion->students.insert(user);
}

void AddRoster(const CourseState& before, const v1::RosterChange& changed, Occasion* occasion) {
  for (const v1::Enrolment& enrolment : changed.enrolments()) {
    const auto found = before.roster.find(enrolment.user());
    const v1::ExternalIds was =
        found == before.roster.end() ? v1::ExternalIds() : found->second.external();
    const v1::ExternalIds& is = enrolment.external();
    if (is.github_login() != was.github_login()) occasion->renamed_login.insert(enrolment.user());
    if (is.lti_user_id() != was.lti_user_id()) occasion->renamed_lti.insert(enrolment.user());
  }
  occasion->students.insert(occasion->renamed_login.begin(), occasion->renamed_login.end());
  occasion->students.insert(occasion->renamed_lti.begin(), occasion->renamed_lti.end());
}

void AddTarget(const CourseState& before, v1::DeliveryTarget target, Occasion* occasion) {
  const auto found = before.targets.find(target.kind());
  v1::DeliveryTarget was = found == before.targets.end() ? v1::DeliveryTarget() : found->second;
  // Another secret is the same place.
  was.clear_secret_set();
  target.clear_secret_set();
  if (google::protobuf::util::MessageDifferencer::Equals(was, target)) return;
  occasion->targets.insert(target.kind());
  AddAllStudents(before, occasion);
}

void AddAdjusted(const CourseState& before, absl::string_view id, Occasion* occasion) {
  for (const v1::Adjustment& adjustment : before.adjustments) {
    if (adjustment.id() == id) occasion->students.insert(adjustment.student());
  }
}

void AddEvent(const CourseState& before, const v1::CourseEvent& event, Occasion* occasion) {
  switch (event.kind_case()) {
    case v1::CourseEvent::kPointsReleased:
      occasion->released.insert(event.points_released().submission());
      occasion->students.insert(event.points_released().student());
      break;
    case v1::CourseEvent::kSubmissionNominated:
      occasion->students.insert(event.submission_nominated().student());
      break;
    case v1::CourseEvent::kAdjustmentMade:
      occasion->students.insert(event.adjustment_made().student());
      break;
    case v1::CourseEvent::kAdjustmentConfirmed:
      AddAdjusted(before, event.adjustment_confirmed().id(), occasion);
      break;
    case v1::CourseEvent::kAdjustmentRevoked:
      AddAdjusted(before, event.adjustment_revoked().id(), occasion);
      break;
    case v1::CourseEvent::kPolicySet:
    case v1::CourseEvent::kAssignmentPublished:
      AddAllStudents(before, occasion);
      break;
    case v1::CourseEvent::kRosterChanged:
      AddRoster(before, event.roster_changed(), occasion);
      break;
    case v1::CourseEvent::kDeliveryTargetSet:
      AddTarget(before, event.delivery_target_set(), occasion);
      break;
    default:
      break;
  }
}

// Whether anything was ever done of what a target is told. Of the others of a large roster there is
// nothing to compute.
bool HasDone(const CourseState& state, const std::string& student) {
  const auto graded = state.graded_of.lower_bound({student, ""});
  if (graded != state.graded_of.end() && graded->first.first == student) return true;
  return std::any_of(state.adjustments.begin(), state.adjustments.end(), [&](const auto& each) {
    return each.student() == student;
  });
}

bool HasDone(const CourseStore::Events& events, const std::string& student) {
  return std::any_of(events.begin(), events.end(), [&](const v1::CourseEvent& event) {
    return event.submission_graded().student() == student ||
           event.adjustment_made().student() == student;
  });
}

// Whether an event may change the student's lines or ids: of a class that is regraded each student
// sees his own part.
bool IsAbout(const v1::CourseEvent& event, const std::string& student) {
  switch (event.kind_case()) {
    case v1::CourseEvent::kSubmissionGraded:
      return event.submission_graded().student() == student;
    case v1::CourseEvent::kPointsReleased:
      return event.points_released().student() == student;
    case v1::CourseEvent::kAdjustmentMade:
      return event.adjustment_made().student() == student;
    case v1::CourseEvent::kSubmissionNominated:
      return event.submission_nominated().student() == student;
    case v1::CourseEvent::kMarksRecorded:
    case v1::CourseEvent::kSnapshotPublished:
    case v1::CourseEvent::kRegradeCreated:
      return false;
    default:
      return true;
  }
}

// A change of a large roster is one student's change only.
v1::CourseEvent Narrowed(const v1::CourseEvent& event, const std::string& student) {
  if (!event.has_roster_changed()) return event;
  v1::CourseEvent narrowed;
  narrowed.set_sequence(event.sequence());
  *narrowed.mutable_create_time() = event.create_time();
  v1::RosterChange& change = *narrowed.mutable_roster_changed();
  for (const v1::Enrolment& enrolment : event.roster_changed().enrolments()) {
    if (enrolment.user() == student) *change.add_enrolments() = enrolment;
  }
  for (const std::string& user : event.roster_changed().removed_users()) {
    if (user == student) change.add_removed_users(user);
  }
  return narrowed;
}

// As much of a course as one student's row of the gradebook takes.
CourseState PartOf(const CourseState& state, const std::string& student) {
  CourseState part;
  part.course = state.course;
  part.last_time = state.last_time;
  if (!state.policies.empty()) part.policies.push_back(state.policies.back());
  part.assignment_order = state.assignment_order;
  for (const auto& [id, versions] : state.assignments) part.assignments[id] = {versions.back()};
  part.targets = state.targets;
  const auto enrolment = state.roster.find(student);
  if (enrolment != state.roster.end()) part.roster.insert(*enrolment);
  for (auto it = state.graded_of.lower_bound({student, ""});
       it != state.graded_of.end() && it->first.first == student; ++it) {
    part.graded_of.insert(*it);
    for (const std::string& name : it->second) part.graded.insert(*state.graded.find(name));
  }
  for (auto it = state.nominated.lower_bound({student, ""});
       it != state.nominated.end() && it->first.first == student; ++it) {
    part.nominated.insert(*it);
  }
  for (const v1::Adjustment& adjustment : state.adjustments) {
    if (adjustment.student() == student) part.adjustments.push_back(adjustment);
  }
  return part;
}

absl::StatusOr<Lines> LinesOf(const CourseState& part, const std::string& student,
                              absl::Time now) {
  Lines lines;
  const v1::PolicyVersion* const policy = FindPolicy(part, 0);
  if (policy == nullptr) return lines;
  TY_ASSIGN_OR_RETURN(const Gradebook book,
                      BookOf(part, policy->policy(),
                             {.as_of = now, .released_only = true, .student = student}));
  if (book.students.empty()) return lines;
  for (const HomeworkLine& line : book.students.front().homework) lines[line.assignment] = line;
  return lines;
}

// Whether there is anything in a line: a run, or a decision of staff.
bool HasPoints(const HomeworkLine& line) {
  return !line.submission.empty() || line.set_points.has_value() || line.added_points != 0;
}

// Whether a line that nobody has asked for is news. What was told and is gone is 0 from now on.
bool IsNews(const HomeworkLine& before, const HomeworkLine& after) {
  if (!HasPoints(before) && !HasPoints(after)) return false;
  return before.centipoints != after.centipoints || before.max_points != after.max_points ||
         before.exempt != after.exempt || before.submission != after.submission;
}

bool Includes(const v1::RegradeApplied& regrade, absl::string_view submission) {
  return std::any_of(regrade.points().begin(), regrade.points().end(),
                     [&](const auto& points) { return points.submission() == submission; });
}

// "Trainyard ty_01J9, late 2 days".
std::string CommentOf(const v1::LatePolicy& policy, absl::string_view receipt, int64_t units) {
  constexpr int64_t kDay = 86'400;
  const int64_t unit = policy.unit().seconds();
  if (units == 0 || unit == kDay)
    return absl::StrCat("Trainyard ", receipt, ", late ", units, units == 1 ? " day" : " days");
  return absl::StrCat("Trainyard ", receipt, ", late ", units, " times ",
                      absl::FormatDuration(absl::Seconds(unit)));
}

// One student, before and after.
class StudentTellings {
 public:
  StudentTellings(const CourseState& before, const CourseStore::Events& events,
                  const Occasion& occasion, std::string student, absl::Time now)
      : before_(before),
        events_(events),
        occasion_(occasion),
        student_(std::move(student)),
        now_(now),
        part_(PartOf(before, student_)) {}

  absl::Status AddTo(std::vector<Telling>* tellings) {
    // As of what happened last, so that what has expired since then is news.
    TY_ASSIGN_OR_RETURN(lines_before_, LinesOf(part_, student_, before_.last_time));
    for (const v1::CourseEvent& event : events_) {
      if (IsAbout(event, student_)) Apply(Narrowed(event, student_), &part_);
    }
    TY_ASSIGN_OR_RETURN(lines_after_, LinesOf(part_, student_, now_));
    if (!part_.roster.contains(student_)) return absl::OkStatus();
    for (const auto& [kind, target] : part_.targets) {
      for (const auto& [assignment, line] : lines_after_) {
        if (target.kind() == v1::DeliveryTarget::LTI_SCORE) AddLine(target, line, tellings);
        if (target.kind() == v1::DeliveryTarget::CHECK_RUN) AddRuns(target, line, tellings);
      }
    }
    return absl::OkStatus();
  }

 private:
  // Of the assignment's released runs, in the order of their evaluation.
  std::vector<const v1::SubmissionGraded*> RunsOf(const std::string& assignment) const {
    std::vector<const v1::SubmissionGraded*> runs;
    const auto names = part_.graded_of.find({student_, assignment});
    if (names == part_.graded_of.end()) return runs;
    for (const std::string& name : names->second) {
      const GradedSubmission& graded = part_.graded.at(name);
      if (graded.released) runs.push_back(&graded.graded);
    }
    return runs;
  }

  DeliveredPoints NewPoints(const std::string& assignment) const {
    return {.course = ParseCourseName("course", part_.course.name()).value_or(""),
            .assignment = assignment,
            .student = student_,
            .external = part_.roster.at(student_).external()};
  }

  const HomeworkLine& LineBefore(const std::string& assignment) const {
    static const HomeworkLine& none = *new HomeworkLine();
    const auto found = lines_before_.find(assignment);
    return found == lines_before_.end() ? none : found->second;
  }

  void AddLine(const v1::DeliveryTarget& target, const HomeworkLine& line,
               std::vector<Telling>* tellings) const {
    const v1::SubmissionGraded* released = nullptr;  // the newest of this change
    const v1::SubmissionGraded* is_new = nullptr;    // that the other side knows nothing of
    for (const v1::SubmissionGraded* run : RunsOf(line.assignment)) {
      if (!occasion_.released.contains(run->submission())) continue;
      released = run;
      if (!IsRegraded(run->submission())) is_new = run;
    }
    const bool all =
        occasion_.targets.contains(target.kind()) || occasion_.renamed_lti.contains(student_);
    const bool wanted = released != nullptr || (all && HasPoints(line)) ||
                        IsNews(LineBefore(line.assignment), line);
    if (!wanted || line.exempt) return;
    DeliveredPoints points = NewPoints(line.assignment);
    points.submission = line.submission;
    points.centipoints = std::max<int64_t>(0, line.centipoints);
    points.max_points = line.max_points;
    points.accepted_at = line.submission.empty() ? now_ : line.time;
    if (is_new != nullptr) points.accepted_at = FromTimestamp(is_new->accepted_at());
    points.new_submission = is_new != nullptr;
    points.comment = CommentOn(line);
    tellings->push_back({target, std::move(points)});
  }

  std::string CommentOn(const HomeworkLine& line) const {
    const auto found = part_.graded.find(line.submission);
    if (found == part_.graded.end()) return "Trainyard, by the course's staff";
    return CommentOf(FindPolicy(part_, 0)->policy().late(), found->second.graded.receipt(),
                     line.late_units);
  }

  // The other side had it before the regrade.
  bool IsRegraded(absl::string_view submission) const {
    for (const v1::CourseEvent& event : events_) {
      if (Includes(event.regrade_applied(), submission)) return true;
    }
    for (const auto& [id, regrade] : before_.regrades) {
      if (regrade.applied.has_value() && Includes(*regrade.applied, submission)) return true;
    }
    return false;
  }

  void AddRuns(const v1::DeliveryTarget& target, const HomeworkLine& line,
               std::vector<Telling>* tellings) const {
    // An assignment that was retired was in no line while its runs were released.
    const bool all = occasion_.targets.contains(target.kind()) ||
                     occasion_.renamed_login.contains(student_) ||
                     !lines_before_.contains(line.assignment);
    const bool sealed = !part_.Find(line.assignment)->assignment().sealed_dataset().empty();
    for (const v1::SubmissionGraded* run : RunsOf(line.assignment)) {
      const bool counts = run->submission() == line.submission;
      const bool chosen_now =
          sealed && counts && LineBefore(line.assignment).submission != line.submission;
      const bool wanted = all || occasion_.released.contains(run->submission()) || chosen_now;
      if (!wanted || (sealed && !counts)) continue;
      tellings->push_back({target, PointsOf(*run)});
    }
  }

  DeliveredPoints PointsOf(const v1::SubmissionGraded& run) const {
    const v1::PolicyVersion* const policy = FindPolicy(part_, 0);
    const bool by_finish =
        policy != nullptr && policy->policy().time().late_clock() == v1::LATE_CLOCK_FINISHED_AT;
    DeliveredPoints points = NewPoints(run.assignment());
    points.submission = run.submission();
    points.points = run.points();
    points.max_points = run.max_points();
    points.accepted_at = FromTimestamp(by_finish ? run.finish_time() : run.accepted_at());
    return points;
  }

  const CourseState& before_;
  const CourseStore::Events& events_;
  const Occasion& occasion_;
  const std::string student_;
  const absl::Time now_;
  CourseState part_;
  Lines lines_before_, lines_after_;
};

void Warn(absl::string_view event, const Telling& telling, absl::string_view why) {
  Log::Warning(event, {{"submission", telling.points.submission},
                       {"kind", v1::DeliveryTarget::Kind_Name(telling.target.kind())},
                       {"why", why}});
}

absl::Status Insert(Connection& connection, const Telling& telling) {
  TY_ASSIGN_OR_RETURN(
      const InsertedDelivery inserted,
      InsertDelivery(connection, telling.target, telling.points, absl::Now()));
  if (!inserted.impossible.empty()) Warn("delivery_impossible", telling, inserted.impossible);
  if (inserted.warnings.empty()) return absl::OkStatus();
  Warn("delivery_doubtful", telling, absl::StrJoin(inserted.warnings, "; "));
  return absl::OkStatus();
}

}  // namespace

CourseStore::Also PrepareDeliveries(const CourseState& before, const CourseStore::Events& events) {
  Occasion occasion;
  for (const v1::CourseEvent& event : events) AddEvent(before, event, &occasion);
  if (before.targets.empty() && occasion.targets.empty()) return {};
  const auto tellings = std::make_shared<std::vector<Telling>>();
  const absl::Time now = std::max(absl::Now(), before.last_time);
  for (const std::string& student : occasion.students) {
    if (!HasDone(before, student) && !HasDone(events, student)) continue;
    const absl::Status added =
        StudentTellings(before, events, occasion, student, now).AddTo(tellings.get());
    if (added.ok()) continue;
    Log::Error("deliveries_not_made", {{"course", before.course.name()},
                                       {"student", student},
                                       {"why", added.ToString()}});
  }
  if (tellings->empty()) return {};
  return [tellings](Connection& connection) -> absl::Status {
    for (const Telling& telling : *tellings) TY_RETURN_IF_ERROR(Insert(connection, telling));
    return absl::OkStatus();
  };
}

}  // namespace trainyard
