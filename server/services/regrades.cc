#include "server/services/regrades.h"

#include <algorithm>
#include <iterator>
#include <set>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "core/base/error_info.h"
#include "core/base/status_macros.h"
#include "server/base/ids.h"
#include "server/grading/course_gradebook.h"
#include "server/services/course_access.h"
#include "server/services/made_before.h"
#include "server/services/request_checks.h"
#include "server/submissions/finisher.h"
#include "server/submissions/receipts.h"
#include "server/submissions/scoring.h"
#include "server/wire/timestamp.h"

namespace trainyard {
namespace {

absl::Status InvalidState(absl::string_view message, absl::string_view hint) {
  return MakeError(absl::StatusCode::kFailedPrecondition, message,
                   {.reason = ErrorReason::kInvalidState, .hint = std::string(hint)});
}

// Submissions whose points may change: what was graded, and what the service failed to grade.
bool IsRegraded(const v1::Submission& record, const std::set<std::string>& students) {
  const bool wanted = students.empty() || students.contains(record.student());
  return wanted && (record.state() == v1::SUBMISSION_STATE_DONE ||
                    record.state() == v1::SUBMISSION_STATE_INFRA_ERROR);
}

int64_t PointsOf(const StoredSubmission& stored) {
  return stored.sealed.has_result() ? stored.sealed.result().points() : -1;
}

bool Counts(v1::RegradeMode mode, const StoredSubmission& original, const StoredSubmission& again) {
  if (again.record.state() != v1::SUBMISSION_STATE_DONE) return false;
  return mode == v1::REGRADE_MODE_REPLACE || PointsOf(again) > PointsOf(original);
}

// Its points only. `points_before` -1: had none.
v1::Regrade::Change PointsChange(const StoredSubmission& original, const StoredSubmission& again,
                                 int64_t points_before) {
  v1::Regrade::Change change;
  change.set_submission(original.record.name());
  change.set_student(original.record.student());
  change.set_points_before(points_before);
  const bool done = again.record.state() == v1::SUBMISSION_STATE_DONE;
  change.set_points_after(done ? PointsOf(again) : -1);
  return change;
}

v1::Regrade::Change ChangeOf(const StoredSubmission& original, const StoredSubmission& again) {
  v1::Regrade::Change change = PointsChange(original, again, PointsOf(original));
  if (change.points_before() < 0 || change.points_after() < 0) return change;
  change.set_other_engine(original.sealed.engine_class() != again.sealed.engine_class());
  const bool comparable =
      original.record.canonical_spec().SerializeAsString() ==
          again.record.canonical_spec().SerializeAsString() &&
      std::equal(original.sealed.seeds().begin(), original.sealed.seeds().end(),
                 again.sealed.seeds().begin(), again.sealed.seeds().end());
  if (!comparable) return change;
  bool equal = original.sealed.runs_size() == again.sealed.runs_size();
  for (int i = 0; equal && i < original.sealed.runs_size(); ++i) {
    equal = original.sealed.runs(i).result_digest() == again.sealed.runs(i).result_digest();
  }
  change.set_bit_equal(equal);
  return change;
}

// The version of assignment `id` that a submission is, or was, graded by.
const v1::PublishedAssignment& VersionOf(const CourseState& state, const std::string& id,
                                         const StoredSubmission& submission) {
  return *state.Find(id, submission.record.assignment_version());
}

// `id`: of the assignment.
void SetPoints(const CourseState& state, const std::string& id, const StoredSubmission& original,
               const StoredSubmission& counted, v1::RegradeApplied::Points* points) {
  points->set_submission(original.record.name());
  points->set_points(counted.sealed.result().points());
  points->set_max_points(counted.sealed.result().max_points());
  points->set_assignment_version(counted.record.assignment_version());
  points->set_receipt(counted.record.receipt());
  points->set_receipt_digest(counted.sealed.receipt_digest());
  points->set_public_rank(PublicRank(VersionOf(state, id, counted).assignment(), counted.sealed));
}

bool SameLadder(const CourseState& state, const std::string& id, const StoredSubmission& a,
                const StoredSubmission& b) {
  return FirstComparableVersion(state, id, a.record.assignment_version()) ==
         FirstComparableVersion(state, id, b.record.assignment_version());
}

// The original with what it came to again.
StoredSubmission WithResult(const CourseState& state, const std::string& id,
                            StoredSubmission original, const StoredSubmission& again) {
  if (!SameLadder(state, id, original, again)) {
    original.record.clear_public_score();
    original.record.clear_public_improved();
  }
  original.sealed = again.sealed;
  original.cache_key = again.cache_key;
  original.record.set_state(v1::SUBMISSION_STATE_DONE);
  original.record.clear_error();
  original.record.set_assignment_version(again.record.assignment_version());
  *original.record.mutable_finish_time() = again.record.finish_time();
  return original;
}

// Whether its student was told this very result, of the same sealed rows.
bool TellsNothingNew(const CourseState& state, const std::string& assignment,
                     const StoredSubmission& original, const StoredSubmission& again) {
  if (!original.record.has_result()) return false;
  const auto table_of = [&](const StoredSubmission& submission) {
    return VersionOf(state, assignment, submission).sealed_table_digest();
  };
  return table_of(original) == table_of(again) &&
         original.record.result().SerializeAsString() == again.sealed.result().SerializeAsString();
}

// What a regrade comes to, submission by submission.
struct Taking {
  CourseState state;                 // what was told on the way is charged
  std::string previous;              // digest of the last receipt
  CourseStore::Events graded, told;  // before and after the points are in force
};

// Gives a submission its new result. The receipt is of what was accepted then; only what it came to
// is new. What the service had failed to grade is graded now, as of when it was accepted. Points
// that may not be told yet are withheld, also from who was told the earlier ones.
absl::Status TakeResult(const SigningKey& key, absl::Time now, const StoredSubmission& again,
                        StoredSubmission* original, Taking* taking) {
  TY_ASSIGN_OR_RETURN(const SubmissionName name,
                      ParseSubmissionName("name", original->record.name()));
  const std::string& id = name.parent.assignment;
  const bool is_new = !taking->state.graded.contains(original->record.name());
  const google::protobuf::Timestamp finish_time = original->record.finish_time();
  const bool known = TellsNothingNew(taking->state, id, *original, again);
  *original = WithResult(taking->state, id, std::move(*original), again);
  const bool tell = known || MayRelease(taking->state, id, *original, now);
  TY_RETURN_IF_ERROR(SignReceipts(taking->state, taking->previous, key, tell, original));
  taking->previous = original->sealed.receipt_digest();
  original->record.clear_result();
  original->record.set_withheld(!tell);
  // By the receipt it was graded now; for clocks that look at the end it ended when it did.
  if (!is_new) *original->record.mutable_finish_time() = finish_time;
  if (is_new) {
    const v1::Assignment& assignment = VersionOf(taking->state, id, *original).assignment();
    taking->graded.push_back(GradedEvent(assignment, id, *original));
  }
  if (!tell) return absl::OkStatus();
  Tell(original);
  v1::CourseEvent released = ReleasedEvent(id, *original);
  if (known) released.mutable_points_released()->set_leak_millibits(0);
  trainyard::Apply(released, &taking->state);
  taking->told.push_back(std::move(released));
  return absl::OkStatus();
}

// Else a typo is a regrade that leaves somebody out.
absl::Status CheckStudents(const CourseState& state, const v1::CreateRegradeRequest& request) {
  std::vector<FieldViolation> violations;
  for (int i = 0; i < request.students_size(); ++i) {
    const std::string& student = request.students(i);
    if (state.RoleOf(student) == v1::COURSE_ROLE_STUDENT) continue;
    violations.push_back({absl::StrCat("students[", i, "]"),
                          absl::StrCat("\"", absl::CEscape(student.substr(0, 63)),
                                       "\" is no student of the course; give ids of the roster")});
  }
  return InvalidRequest(std::move(violations));
}

}  // namespace

absl::StatusOr<std::vector<StoredSubmission>> Regrades::Prepare(
    const v1::CreateRegradeRequest& request, const RegradeName& name) const {
  v1::PublishedAssignment published;
  TY_RETURN_IF_ERROR(courses_->Read(name.parent.course, [&](const CourseState& state) {
    const v1::PublishedAssignment* found = state.Find(name.parent.assignment);
    if (found == nullptr) {
      return NoSuch(name.parent.ToString(), "`trainyard assignment list` shows what there is");
    }
    published = *found;
    return CheckStudents(state, request);
  }));
  const std::set<std::string> students(request.students().begin(), request.students().end());
  std::vector<StoredSubmission> rows;
  const auto add = [&](const v1::Submission& original) {
    if (!IsRegraded(original, students)) return;
    StoredSubmission row;
    row.record = AgainOf(original, v1::SUBMISSION_CAUSE_REGRADE);
    row.record.set_name(SubmissionName{name.parent, NewId()}.ToString());
    row.record.set_regrade(name.ToString());
    row.record.set_assignment_version(published.assignment().version());
    for (const uint64_t seed : admission_->Seeds(published.assignment())) {
      row.sealed.add_seeds(seed);
    }
    row.cache_key = admission_->CacheKey(published, row.record.spec_digest());
    rows.push_back(std::move(row));
  };
  TY_RETURN_IF_ERROR(database_->Read(
      [&](Connection& connection) { return VisitSubmitted(connection, name.parent, add); }));
  if (rows.empty()) return InvalidState("there is nothing to regrade", "no submission is DONE");
  if (rows.size() > kSubmissionsMax) {
    return InvalidState(absl::StrCat("there are ", rows.size(), " submissions to regrade"),
                        absl::StrCat("regrade by students, at most ", kSubmissionsMax, " at once"));
  }
  return rows;
}

absl::Status Regrades::CheckNoneRuns(const AssignmentName& parent) const {
  std::string running;
  const auto look = [&](const v1::Submission& record) {
    running = record.regrade();  // a replay has none
    return running.empty();
  };
  TY_RETURN_IF_ERROR(database_->Read(
      [&](Connection& connection) { return VisitUnfinishedAgain(connection, parent, look); }));
  if (running.empty()) return absl::OkStatus();
  return InvalidState(absl::StrCat(running, " is still running"), "wait until it is done");
}

absl::StatusOr<v1::Regrade> Regrades::Create(const v1::CreateRegradeRequest& request,
                                             const Principal& principal) {
  TY_ASSIGN_OR_RETURN(const AssignmentName parent,
                      ParseAssignmentName("assignment", request.assignment()));
  TY_RETURN_IF_ERROR(CheckCourse(*courses_, principal, parent.course, CourseRight::kStaff));
  std::vector<FieldViolation> violations;
  CheckRequestId(request.request_id(), &violations);
  TY_RETURN_IF_ERROR(InvalidRequest(std::move(violations)));
  const MadeRequest made = MadeRequest::Of(principal.owner, "CreateRegrade", request);
  TY_ASSIGN_OR_RETURN(const std::optional<std::string> before, made.Find(database_));
  if (before.has_value()) {
    TY_ASSIGN_OR_RETURN(const RegradeName found, ParseRegradeName("name", *before));
    return Describe(found, v1::REGRADE_MODE_MAX);
  }
  const RegradeName name{parent, NewId()};
  TY_ASSIGN_OR_RETURN(std::vector<StoredSubmission> rows, Prepare(request, name));
  const auto decide = [&](const CourseState&) -> absl::StatusOr<CourseStore::Events> {
    TY_RETURN_IF_ERROR(CheckNoneRuns(parent));
    v1::CourseEvent event;
    v1::RegradeCreated& created = *event.mutable_regrade_created();
    created.set_regrade(name.regrade);
    created.set_assignment(parent.assignment);
    for (const StoredSubmission& row : rows) created.add_originals(row.record.original());
    return CourseStore::Events{event};
  };
  const auto also = [&](Connection& connection) -> absl::Status {
    for (StoredSubmission& row : rows) {
      TY_RETURN_IF_ERROR(InsertSubmission(connection, &row));
    }
    return made.Remember(connection, name.ToString());
  };
  TY_RETURN_IF_ERROR(courses_->Append(parent.course, principal.owner, decide, also));
  runner_->Take(std::move(rows));
  return Describe(name, v1::REGRADE_MODE_MAX);
}

absl::StatusOr<std::vector<Regrades::Pair>> Regrades::Load(const RegradeName& name) const {
  std::vector<Pair> pairs;
  const absl::Status read = database_->Read([&](Connection& connection) -> absl::Status {
    const auto add = [&](StoredSubmission again) {
      if (again.record.regrade() != name.ToString()) return;
      pairs.push_back({.again = std::move(again)});
    };
    TY_RETURN_IF_ERROR(VisitOfAssignment(connection, name.parent, /*again=*/true, add));
    for (Pair& pair : pairs) {
      TY_ASSIGN_OR_RETURN(pair.original, FindSubmission(connection, pair.again.record.original()));
    }
    return absl::OkStatus();
  });
  TY_RETURN_IF_ERROR(read);
  return pairs;
}

absl::StatusOr<v1::Regrade> Regrades::Progress(const RegradeName& name) const {
  v1::Regrade regrade;
  regrade.set_name(name.ToString());
  courses_->Settle();
  TY_RETURN_IF_ERROR(courses_->Read(name.parent.course, [&](const CourseState& state) {
    const auto found = state.regrades.find(name.regrade);
    const bool there = found != state.regrades.end() &&
                       found->second.created.assignment() == name.parent.assignment;
    if (!there) return NoSuch(name.ToString(), "`trainyard regrade create` makes one");
    const RegradeRecord& record = found->second;
    *regrade.mutable_create_time() = ToTimestamp(record.time);
    regrade.set_submissions_total(record.created.originals_size());
    if (record.applied.has_value()) {
      regrade.set_applied_mode(static_cast<v1::RegradeMode>(record.applied->mode()));
    }
    return absl::OkStatus();
  }));
  int64_t unfinished = 0;
  const auto count = [&](const v1::Submission& record) {
    unfinished += record.regrade() == regrade.name() ? 1 : 0;
    return true;
  };
  TY_RETURN_IF_ERROR(database_->Read([&](Connection& connection) {
    return VisitUnfinishedAgain(connection, name.parent, count);
  }));
  regrade.set_submissions_done(regrade.submissions_total() - unfinished);
  return regrade;
}

absl::StatusOr<Regrades::Effect> Regrades::EffectOf(const RegradeName& name) const {
  const std::string& course = name.parent.course;
  RegradeRecord record;
  TY_RETURN_IF_ERROR(courses_->Read(course, [&](const CourseState& state) {
    record = state.regrades.at(name.regrade);
    return absl::OkStatus();
  }));
  Effect effect;
  TY_ASSIGN_OR_RETURN(effect.before, courses_->At(course, record.applied_sequence - 1));
  TY_ASSIGN_OR_RETURN(effect.after, courses_->At(course, record.applied_sequence));
  // What was graded for the first time is in events of the same change, with the receipt of it.
  for (const v1::RegradeApplied::Points& points : record.applied->points()) {
    const auto found = effect.before.graded.find(points.submission());
    const bool is_new = found != effect.before.graded.end() &&
                        found->second.graded.receipt_digest() == points.receipt_digest();
    if (is_new) effect.before.graded.erase(found);
  }
  return effect;
}

absl::StatusOr<Regrades::Effect> Regrades::PreviewOf(const RegradeName& name, v1::RegradeMode mode,
                                                     const std::vector<Pair>& pairs) const {
  const std::string& id = name.parent.assignment;
  Effect effect;
  TY_ASSIGN_OR_RETURN(effect.before, courses_->At(name.parent.course, 0));
  effect.after = effect.before;
  v1::CourseEvent event;
  event.set_sequence(effect.before.course.last_sequence() + 1);
  *event.mutable_create_time() = ToTimestamp(std::max(absl::Now(), effect.before.last_time));
  v1::RegradeApplied& applied = *event.mutable_regrade_applied();
  applied.set_regrade(name.regrade);
  for (const Pair& pair : pairs) {
    if (!Counts(mode, pair.original, pair.again)) continue;
    SetPoints(effect.before, id, pair.original, pair.again, applied.add_points());
    if (effect.before.graded.contains(pair.original.record.name())) continue;
    const v1::Assignment& assignment = VersionOf(effect.before, id, pair.again).assignment();
    trainyard::Apply(GradedEvent(assignment, id,
                                 WithResult(effect.before, id, pair.original, pair.again)),
                     &effect.after);
  }
  trainyard::Apply(event, &effect.after);
  return effect;
}

absl::Status Regrades::AddGradeChanges(const Effect& effect, v1::Regrade* regrade) {
  const BookOptions options{.as_of = effect.after.last_time};
  const v1::GradingPolicy& policy = FindPolicy(effect.after, 0)->policy();
  TY_ASSIGN_OR_RETURN(const Gradebook before, BookOf(effect.before, policy, options));
  TY_ASSIGN_OR_RETURN(const Gradebook after, BookOf(effect.after, policy, options));
  *regrade->mutable_grade_changes() = ChangesToProto(before, after);
  return absl::OkStatus();
}

absl::StatusOr<v1::Regrade> Regrades::Describe(const RegradeName& name,
                                               v1::RegradeMode mode) const {
  TY_ASSIGN_OR_RETURN(v1::Regrade regrade, Progress(name));
  // Who waits asks often.
  if (regrade.submissions_done() < regrade.submissions_total()) return regrade;
  const bool applied = regrade.applied_mode() != v1::REGRADE_MODE_UNSPECIFIED;
  TY_ASSIGN_OR_RETURN(const std::vector<Pair> pairs, Load(name));
  TY_ASSIGN_OR_RETURN(const Effect effect, applied ? EffectOf(name) : PreviewOf(name, mode, pairs));
  for (const auto& [original, again] : pairs) {
    const auto before = effect.before.graded.find(original.record.name());
    const bool graded = before != effect.before.graded.end();
    // A row that took a result has no trace of the bits of before.
    const bool kept =
        graded && before->second.graded.receipt_digest() == original.sealed.receipt_digest();
    *regrade.add_changes() =
        kept ? ChangeOf(original, again)
             : PointsChange(original, again, graded ? before->second.graded.points() : -1);
  }
  TY_RETURN_IF_ERROR(AddGradeChanges(effect, &regrade));
  return regrade;
}

absl::StatusOr<v1::Regrade> Regrades::Get(const v1::GetRegradeRequest& request,
                                          const Principal& principal) const {
  TY_ASSIGN_OR_RETURN(const RegradeName name, ParseRegradeName("name", request.name()));
  TY_RETURN_IF_ERROR(CheckCourse(*courses_, principal, name.parent.course, CourseRight::kStaff));
  const bool replace = request.mode() == v1::REGRADE_MODE_REPLACE;
  return Describe(name, replace ? v1::REGRADE_MODE_REPLACE : v1::REGRADE_MODE_MAX);
}

absl::StatusOr<CourseStore::Events> Regrades::Take(const CourseState& state,
                                                   const RegradeName& name, v1::RegradeMode mode,
                                                   std::vector<Pair>* pairs) const {
  v1::CourseEvent event;
  v1::RegradeApplied& applied = *event.mutable_regrade_applied();
  applied.set_regrade(name.regrade);
  applied.set_assignment(name.parent.assignment);
  applied.set_mode(mode);
  std::erase_if(*pairs, [&](const Pair& pair) { return !Counts(mode, pair.original, pair.again); });
  Taking taking{.state = state, .previous = state.last_receipt_digest};
  const absl::Time now = absl::Now();
  for (auto& [original, again] : *pairs) {
    TY_RETURN_IF_ERROR(TakeResult(*key_, now, again, &original, &taking));
    SetPoints(state, name.parent.assignment, original, original, applied.add_points());
  }
  CourseStore::Events events = std::move(taking.graded);
  events.push_back(std::move(event));
  std::move(taking.told.begin(), taking.told.end(), std::back_inserter(events));
  return events;
}

absl::StatusOr<v1::Regrade> Regrades::Apply(const v1::ApplyRegradeRequest& request,
                                            const Principal& principal) {
  TY_ASSIGN_OR_RETURN(const RegradeName name, ParseRegradeName("name", request.name()));
  TY_RETURN_IF_ERROR(CheckCourse(*courses_, principal, name.parent.course, CourseRight::kStaff));
  TY_ASSIGN_OR_RETURN(v1::Regrade regrade, Progress(name));
  const bool known = request.mode() == v1::REGRADE_MODE_MAX ||
                     request.mode() == v1::REGRADE_MODE_REPLACE;
  if (!known) return InvalidRequest("mode", "is missing; give MAX or REPLACE");
  if (regrade.submissions_done() < regrade.submissions_total()) {
    return InvalidState(absl::StrCat(regrade.submissions_done(), " of ",
                                     regrade.submissions_total(), " submissions are trained again"),
                        "wait for the rest");
  }
  std::vector<Pair> pairs;
  const auto decide = [&](const CourseState& state) -> absl::StatusOr<CourseStore::Events> {
    if (state.regrades.at(name.regrade).applied.has_value()) {
      return InvalidState(absl::StrCat(request.name(), " is in force already"),
                          "make another one");
    }
    // Read here, so that a release in between stays.
    TY_ASSIGN_OR_RETURN(pairs, Load(name));
    for (const auto& [original, again] : pairs) *regrade.add_changes() = ChangeOf(original, again);
    return Take(state, name, request.mode(), &pairs);
  };
  const auto also = [&](Connection& connection) -> absl::Status {
    for (const Pair& pair : pairs) {
      TY_RETURN_IF_ERROR(UpdateSubmission(connection, pair.original));
    }
    return absl::OkStatus();
  };
  TY_RETURN_IF_ERROR(courses_->Append(name.parent.course, principal.owner, decide, also));
  regrade.set_applied_mode(request.mode());
  TY_ASSIGN_OR_RETURN(const Effect effect, EffectOf(name));
  TY_RETURN_IF_ERROR(AddGradeChanges(effect, &regrade));
  return regrade;
}

}  // namespace trainyard
