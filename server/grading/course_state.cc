#include "server/grading/course_state.h"

#include <algorithm>

#include "server/grading/course_names.h"
#include "server/grading/policy_time.h"
#include "server/wire/timestamp.h"

namespace trainyard {
namespace {

void ApplyCreated(const v1::CourseEvent& event, CourseState* state) {
  state->course = event.course_created();
  *state->course.mutable_create_time() = event.create_time();
}

void ApplyPolicy(const v1::CourseEvent& event, CourseState* state) {
  state->policies.push_back(event.policy_set());
  state->policies.back().set_author(event.actor());
  *state->policies.back().mutable_create_time() = event.create_time();
  state->course.set_policy_version(event.policy_set().version());
}

void ForgetRepositories(const std::string& user, CourseState* state) {
  const auto found = state->roster.find(user);
  if (found == state->roster.end()) return;
  for (const int64_t id : found->second.external().github_repository_ids()) {
    state->repository_users.erase(id);
  }
}

void ApplyRoster(const v1::RosterChange& change, CourseState* state) {
  for (const std::string& user : change.removed_users()) {
    ForgetRepositories(user, state);
    state->roster.erase(user);
  }
  // All old ones before the first new one: a repository may go from one to another.
  for (const v1::Enrolment& enrolment : change.enrolments()) {
    ForgetRepositories(enrolment.user(), state);
  }
  for (const v1::Enrolment& enrolment : change.enrolments()) {
    state->roster[enrolment.user()] = enrolment;
    for (const int64_t id : enrolment.external().github_repository_ids()) {
      state->repository_users[id] = enrolment.user();
    }
  }
}

void ApplyPublished(const v1::CourseEvent& event, CourseState* state) {
  v1::PublishedAssignment published = event.assignment_published();
  *published.mutable_assignment()->mutable_publish_time() = event.create_time();
  const auto name = ParseAssignmentName("name", published.assignment().name());
  if (!name.ok()) return;
  auto& versions = state->assignments[name->assignment];
  if (versions.empty()) state->assignment_order.push_back(name->assignment);
  versions.push_back(std::move(published));
}

// A revealed commitment is told with every version that made it.
void ApplyRevealed(const v1::CommitmentsRevealed& revealed, CourseState* state) {
  for (v1::PublishedAssignment& version : state->assignments[revealed.assignment()]) {
    for (v1::DatasetCommitment& commitment : *version.mutable_assignment()->mutable_commitments()) {
      const auto same = std::find_if(
          revealed.commitments().begin(), revealed.commitments().end(), [&](const auto& other) {
            return other.role() == commitment.role() &&
                   other.commitment() == commitment.commitment();
          });
      if (same != revealed.commitments().end()) commitment = *same;
    }
  }
}

void ApplyGraded(const v1::CourseEvent& event, CourseState* state) {
  const v1::SubmissionGraded& graded = event.submission_graded();
  state->graded[graded.submission()] = {.graded = graded, .sequence = event.sequence()};
  state->graded_of[{graded.student(), graded.assignment()}].push_back(graded.submission());
  state->unreleased[graded.assignment()].insert(graded.submission());
  state->last_receipt_digest = graded.receipt_digest();
}

void ApplyReleased(const v1::PointsReleased& released, CourseState* state) {
  const auto found = state->graded.find(released.submission());
  if (found != state->graded.end()) found->second.released = true;
  state->unreleased[released.assignment()].erase(released.submission());
  state->leaked_millibits[{released.student(), released.assignment()}] += released.leak_millibits();
  state->class_leaked_millibits[released.assignment()] += released.leak_millibits();
}

void ApplyAdjustment(const v1::CourseEvent& event, CourseState* state) {
  v1::Adjustment adjustment = event.adjustment_made();
  adjustment.set_author(event.actor());
  *adjustment.mutable_create_time() = event.create_time();
  state->adjustments.push_back(std::move(adjustment));
}

void ApplyConfirmed(const v1::CourseEvent& event, CourseState* state) {
  for (v1::Adjustment& adjustment : state->adjustments) {
    if (adjustment.id() != event.adjustment_confirmed().id()) continue;
    adjustment.set_confirmed_by(event.actor());
  }
}

void ApplyRevoked(const v1::AdjustmentRevoked& revoked, CourseState* state) {
  for (v1::Adjustment& adjustment : state->adjustments) {
    if (adjustment.id() == revoked.id()) adjustment.set_revoked(true);
  }
}

// In place of what was recorded before; or that it was a mistake.
template <typename Row>
void RecordOrRemove(const CourseState::Key& key, const Row& row,
                    std::map<CourseState::Key, Row>* rows) {
  if (row.removed()) {
    rows->erase(key);
  } else {
    (*rows)[key] = row;
  }
}

void ApplyMarks(const v1::MarksRecorded& marks, CourseState* state) {
  for (const v1::ExamMark& mark : marks.exams()) {
    RecordOrRemove({mark.student(), mark.exam()}, mark, &state->exams);
  }
  for (const v1::QuizResult& quiz : marks.quizzes()) {
    RecordOrRemove({quiz.student(), quiz.quiz()}, quiz, &state->quizzes);
  }
}

// New points are told by a PointsReleased that follows, at once or when they may be.
void ApplyRegrade(const v1::CourseEvent& event, CourseState* state) {
  const v1::RegradeApplied& applied = event.regrade_applied();
  for (const v1::RegradeApplied::Points& points : applied.points()) {
    const auto found = state->graded.find(points.submission());
    if (found == state->graded.end()) continue;
    v1::SubmissionGraded& graded = found->second.graded;
    graded.set_points(points.points());
    graded.set_max_points(points.max_points());
    graded.set_assignment_version(points.assignment_version());
    graded.set_receipt(points.receipt());
    graded.set_receipt_digest(points.receipt_digest());
    if (points.has_public_rank()) graded.set_public_rank(points.public_rank());
    state->last_receipt_digest = points.receipt_digest();
    found->second.released = false;
    state->unreleased[graded.assignment()].insert(points.submission());
  }
  RegradeRecord& regrade = state->regrades[applied.regrade()];
  regrade.applied = applied;
  regrade.applied_sequence = event.sequence();
}

}  // namespace

v1::CourseRole CourseState::RoleOf(absl::string_view user) const {
  const auto found = roster.find(std::string(user));
  return found == roster.end() ? v1::COURSE_ROLE_UNSPECIFIED : found->second.role();
}

const v1::PublishedAssignment* CourseState::Find(absl::string_view assignment, int version) const {
  const auto found = assignments.find(std::string(assignment));
  if (found == assignments.end()) return nullptr;
  const std::vector<v1::PublishedAssignment>& versions = found->second;
  if (version == 0) return &versions.back();
  const bool there = version >= 1 && version <= static_cast<int>(versions.size());
  return there ? &versions[static_cast<size_t>(version - 1)] : nullptr;
}

void Apply(const v1::CourseEvent& event, CourseState* state) {
  switch (event.kind_case()) {
    case v1::CourseEvent::kCourseCreated:
      ApplyCreated(event, state);
      break;
    case v1::CourseEvent::kPolicySet:
      ApplyPolicy(event, state);
      break;
    case v1::CourseEvent::kRosterChanged:
      ApplyRoster(event.roster_changed(), state);
      break;
    case v1::CourseEvent::kAssignmentPublished:
      ApplyPublished(event, state);
      break;
    case v1::CourseEvent::kCommitmentsRevealed:
      ApplyRevealed(event.commitments_revealed(), state);
      break;
    case v1::CourseEvent::kSubmissionGraded:
      ApplyGraded(event, state);
      break;
    case v1::CourseEvent::kPointsReleased:
      ApplyReleased(event.points_released(), state);
      break;
    case v1::CourseEvent::kSubmissionNominated:
      state->nominated[{event.submission_nominated().student(),
                        event.submission_nominated().assignment()}] =
          event.submission_nominated().submission();
      break;
    case v1::CourseEvent::kAdjustmentMade:
      ApplyAdjustment(event, state);
      break;
    case v1::CourseEvent::kAdjustmentConfirmed:
      ApplyConfirmed(event, state);
      break;
    case v1::CourseEvent::kAdjustmentRevoked:
      ApplyRevoked(event.adjustment_revoked(), state);
      break;
    case v1::CourseEvent::kMarksRecorded:
      ApplyMarks(event.marks_recorded(), state);
      break;
    case v1::CourseEvent::kSnapshotPublished:
      state->snapshots.push_back({.published = event.snapshot_published(),
                                  .time = FromTimestamp(event.create_time()),
                                  .author = event.actor()});
      break;
    case v1::CourseEvent::kRegradeCreated:
      state->regrades[event.regrade_created().regrade()] = {.created = event.regrade_created(),
                                                            .time = FromTimestamp(event.create_time())};
      break;
    case v1::CourseEvent::kRegradeApplied:
      ApplyRegrade(event, state);
      break;
    case v1::CourseEvent::kDeliveryTargetSet:
      state->targets[event.delivery_target_set().kind()] = event.delivery_target_set();
      break;
    case v1::CourseEvent::KIND_NOT_SET:
      break;
  }
  state->course.set_last_sequence(event.sequence());
  state->last_time = FromTimestamp(event.create_time());
}

bool NeedsConfirmation(const CourseState& state, const v1::Adjustment& adjustment) {
  return state.course.two_person_finals() && adjustment.kind() == v1::Adjustment::FINAL &&
         adjustment.confirmed_by().empty();
}

bool InForce(const v1::Adjustment& adjustment, absl::Time now) {
  return !adjustment.revoked() && (!adjustment.has_expires() || now < FromTimestamp(adjustment.expires()));
}

bool IsExempt(const CourseState& state, absl::string_view assignment, absl::string_view student,
              absl::Time now) {
  return std::any_of(state.adjustments.begin(), state.adjustments.end(),
                     [&](const v1::Adjustment& adjustment) {
                       return adjustment.kind() == v1::Adjustment::EXEMPT &&
                              adjustment.student() == student &&
                              adjustment.assignment() == assignment && InForce(adjustment, now);
                     });
}

namespace {

absl::Duration ExtensionOf(const CourseState& state, absl::string_view assignment,
                           absl::string_view student, absl::Time now) {
  absl::Duration extension = absl::ZeroDuration();
  for (const v1::Adjustment& adjustment : state.adjustments) {
    const bool ours = adjustment.kind() == v1::Adjustment::EXTEND &&
                      adjustment.student() == student && adjustment.assignment() == assignment;
    if (!ours || !InForce(adjustment, now)) continue;
    extension += absl::Seconds(adjustment.extension().seconds());
  }
  return extension;
}

// `otherwise` when the text is empty; deadlines are checked before they are stored.
absl::Time CivilOr(const CourseState& state, const std::string& text, absl::Time otherwise) {
  absl::Time time = otherwise;
  if (!text.empty()) ParseCivil(text, state.course.time_zone(), &time);
  return time;
}

}  // namespace

Deadlines DeadlinesOf(const CourseState& state, const v1::Assignment& assignment,
                      absl::string_view student, absl::Time now) {
  const auto name = ParseAssignmentName("name", assignment.name());
  const absl::Duration extension = name.ok()
                                       ? ExtensionOf(state, name->assignment, student, now)
                                       : absl::ZeroDuration();
  Deadlines deadlines;
  deadlines.opens = CivilOr(state, assignment.opens(), absl::InfinitePast());
  deadlines.due = CivilOr(state, assignment.due(), absl::InfiniteFuture()) + extension;
  deadlines.closes = CivilOr(state, assignment.closes(), absl::InfiniteFuture()) + extension;
  return deadlines;
}

absl::Time LastClose(const CourseState& state, const v1::Assignment& assignment, absl::Time now) {
  if (assignment.retired()) return absl::InfinitePast();
  const auto name = ParseAssignmentName("name", assignment.name());
  // One pass over the adjustments: this is asked every second, for every assignment with points to
  // be told.
  std::map<absl::string_view, absl::Duration> extensions;
  absl::Duration longest = absl::ZeroDuration();
  for (const v1::Adjustment& adjustment : state.adjustments) {
    const bool ours = adjustment.kind() == v1::Adjustment::EXTEND && name.ok() &&
                      adjustment.assignment() == name->assignment;
    if (!ours || !InForce(adjustment, now)) continue;
    absl::Duration& extension = extensions[adjustment.student()];
    extension += absl::Seconds(adjustment.extension().seconds());
    longest = std::max(longest, extension);
  }
  return CivilOr(state, assignment.closes(), absl::InfiniteFuture()) + longest;
}

std::optional<absl::CivilSecond> CivilSecondOf(absl::string_view text) {
  constexpr size_t kBytes = sizeof("2027-02-10 23:59:59") - 1;
  // Of so many bytes are only dates with a year and seconds.
  const std::optional<PolicyDate> date =
      text.size() == kBytes ? PolicyDate::Parse(text) : std::nullopt;
  if (!date.has_value()) return std::nullopt;
  const absl::CivilSecond civil = date->At({});
  // A second 60, or the 31st of June, would be the next one.
  const bool exact =
      absl::FormatTime("%Y-%m-%d %H:%M:%S", absl::FromCivil(civil, absl::UTCTimeZone()),
                       absl::UTCTimeZone()) == text;
  return exact ? std::optional<absl::CivilSecond>(civil) : std::nullopt;
}

bool ParseCivil(absl::string_view text, absl::string_view time_zone, absl::Time* time) {
  const std::optional<absl::TimeZone> zone = LoadPolicyZone(time_zone);
  const std::optional<absl::CivilSecond> civil = CivilSecondOf(text);
  if (!zone.has_value() || !civil.has_value()) return false;
  *time = LaterInstant(*civil, *zone);
  return true;
}

}  // namespace trainyard
