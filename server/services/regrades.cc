#include "server/services/regrades.h"

#include <algorithm>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "core/base/error_info.h"
#include "core/base/status_macros.h"
#include "server/base/ids.h"
#include "server/grading/course_gradebook.h"
#include "server/services/course_access.h"
#include "server/services/made_before.h"
#include "server/services/request_checks.h"
#include "server/submissions/addressee.h"
#include "server/submissions/finisher.h"
#include "server/submissions/receipts.h"
#include "server/wire/timestamp.h"

namespace trainyard {
namespace {

absl::Status InvalidState(absl::string_view message, absl::string_view hint) {
  return MakeError(absl::StatusCode::kFailedPrecondition, message,
                   {.reason = ErrorReason::kInvalidState, .hint = std::string(hint)});
}

// Submissions whose points may change: what was graded, and what the service failed to grade.
bool IsRegraded(const StoredSubmission& stored, const std::set<std::string>& students) {
  const bool wanted = students.empty() || students.contains(stored.record.student());
  return wanted && (stored.record.state() == v1::SUBMISSION_STATE_DONE ||
                    stored.record.state() == v1::SUBMISSION_STATE_INFRA_ERROR);
}

int64_t PointsOf(const StoredSubmission& stored) {
  return stored.sealed.has_result() ? stored.sealed.result().points() : -1;
}

bool Counts(v1::RegradeMode mode, const StoredSubmission& original, const StoredSubmission& again) {
  if (again.record.state() != v1::SUBMISSION_STATE_DONE) return false;
  return mode == v1::REGRADE_MODE_REPLACE || PointsOf(again) > PointsOf(original);
}

v1::Regrade::Change ChangeOf(const StoredSubmission& original, const StoredSubmission& again) {
  v1::Regrade::Change change;
  change.set_submission(original.record.name());
  change.set_student(original.record.student());
  change.set_points_before(PointsOf(original));
  const bool done = again.record.state() == v1::SUBMISSION_STATE_DONE;
  change.set_points_after(done ? PointsOf(again) : -1);
  if (!done) return change;
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

void SetPoints(const StoredSubmission& original, const StoredSubmission& counted,
               v1::RegradeApplied::Points* points) {
  points->set_submission(original.record.name());
  points->set_points(counted.sealed.result().points());
  points->set_max_points(counted.sealed.result().max_points());
  points->set_assignment_version(counted.record.assignment_version());
  points->set_receipt(counted.record.receipt());
  points->set_receipt_digest(counted.sealed.receipt_digest());
}

// The original with what it came to again.
StoredSubmission WithResult(StoredSubmission original, const StoredSubmission& again) {
  original.sealed = again.sealed;
  original.record.set_state(v1::SUBMISSION_STATE_DONE);
  original.record.clear_error();
  original.record.set_assignment_version(again.record.assignment_version());
  *original.record.mutable_finish_time() = again.record.finish_time();
  return original;
}

// The events by which a submission has its new result, but for the points themselves. The receipt
// is of what was accepted then; only what it came to is new. What the service had failed to grade
// is graded now, as of when it was accepted.
absl::StatusOr<CourseStore::Events> TakeResult(const CourseState& state,
                                               const std::string& previous, const SigningKey& key,
                                               StoredSubmission* original,
                                               const StoredSubmission& again) {
  const bool told_before = original->record.has_result();
  *original = WithResult(std::move(*original), again);
  TY_RETURN_IF_ERROR(SignReceipts(state, previous, key, original));
  CourseStore::Events events;
  bool tell = told_before;
  if (!state.graded.contains(original->record.name())) {
    TY_ASSIGN_OR_RETURN(const SubmissionName name,
                        ParseSubmissionName("name", original->record.name()));
    const std::string& id = name.parent.assignment;
    const v1::Assignment& assignment = state.Find(id)->assignment();
    events.push_back(GradedEvent(assignment, id, *original));
    tell = MayRelease(state, id, assignment, *original, absl::Now());
    if (tell) events.push_back(ReleasedEvent(id, *original));
  }
  original->record.set_withheld(!tell);
  if (tell) TY_RETURN_IF_ERROR(Tell(key, original));
  return events;
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
    return absl::OkStatus();
  }));
  const std::set<std::string> students(request.students().begin(), request.students().end());
  std::vector<StoredSubmission> rows;
  const absl::Status read = database_->Read([&](Connection& connection) -> absl::Status {
    TY_ASSIGN_OR_RETURN(const std::vector<StoredSubmission> all,
                        LoadOfAssignment(connection, name.parent, /*again=*/false));
    for (const StoredSubmission& original : all) {
      if (!IsRegraded(original, students)) continue;
      StoredSubmission row;
      row.record = AgainOf(original.record, v1::SUBMISSION_CAUSE_REGRADE);
      row.record.set_name(SubmissionName{name.parent, NewId()}.ToString());
      row.record.set_regrade(name.ToString());
      row.record.set_assignment_version(published.assignment().version());
      for (const uint64_t seed : admission_->Seeds(published.assignment())) {
        row.sealed.add_seeds(seed);
      }
      row.cache_key = admission_->CacheKey(published, row.record.spec_digest());
      rows.push_back(std::move(row));
    }
    return absl::OkStatus();
  });
  TY_RETURN_IF_ERROR(read);
  if (rows.empty()) return InvalidState("there is nothing to regrade", "no submission is DONE");
  if (rows.size() > kSubmissionsMax) {
    return InvalidState(absl::StrCat("there are ", rows.size(), " submissions to regrade"),
                        absl::StrCat("regrade by students, at most ", kSubmissionsMax, " at once"));
  }
  return rows;
}

absl::Status Regrades::CheckNoneRuns(const AssignmentName& parent) const {
  std::vector<std::string> open;
  TY_RETURN_IF_ERROR(courses_->Read(parent.course, [&](const CourseState& state) {
    for (const auto& [id, regrade] : state.regrades) {
      const bool ours = regrade.created.assignment() == parent.assignment;
      if (ours && !regrade.applied.has_value()) open.push_back(id);
    }
    return absl::OkStatus();
  }));
  for (const std::string& id : open) {
    TY_ASSIGN_OR_RETURN(const std::vector<Pair> pairs, Load({parent, id}));
    const bool runs = std::any_of(pairs.begin(), pairs.end(), [](const Pair& pair) {
      return !IsTerminal(pair.again.record.state());
    });
    if (!runs) continue;
    return InvalidState(absl::StrCat(RegradeName{parent, id}.ToString(), " is still running"),
                        "wait until it is done");
  }
  return absl::OkStatus();
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
  TY_RETURN_IF_ERROR(CheckNoneRuns(parent));
  const auto decide = [&](const CourseState&) -> absl::StatusOr<CourseStore::Events> {
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
    TY_ASSIGN_OR_RETURN(std::vector<StoredSubmission> all,
                        LoadOfAssignment(connection, name.parent, /*again=*/true));
    for (StoredSubmission& again : all) {
      if (again.record.regrade() != name.ToString()) continue;
      TY_ASSIGN_OR_RETURN(StoredSubmission original,
                          FindSubmission(connection, again.record.original()));
      pairs.push_back({std::move(original), std::move(again)});
    }
    return absl::OkStatus();
  });
  TY_RETURN_IF_ERROR(read);
  return pairs;
}

absl::StatusOr<v1::Regrade> Regrades::Describe(const RegradeName& name,
                                               v1::RegradeMode mode) const {
  v1::Regrade regrade;
  regrade.set_name(name.ToString());
  TY_ASSIGN_OR_RETURN(const std::vector<Pair> pairs, Load(name));
  v1::CourseEvent event;
  v1::RegradeApplied& applied = *event.mutable_regrade_applied();
  applied.set_regrade(name.regrade);
  for (const Pair& pair : pairs) {
    regrade.set_submissions_total(regrade.submissions_total() + 1);
    const bool done = IsTerminal(pair.again.record.state());
    regrade.set_submissions_done(regrade.submissions_done() + (done ? 1 : 0));
    *regrade.add_changes() = ChangeOf(pair.original, pair.again);
    if (Counts(mode, pair.original, pair.again)) {
      SetPoints(pair.original, pair.again, applied.add_points());
    }
  }
  const absl::Status looked = courses_->Read(name.parent.course, [&](const CourseState& state) {
    const auto found = state.regrades.find(name.regrade);
    if (found == state.regrades.end()) return absl::OkStatus();  // is being made
    *regrade.mutable_create_time() = ToTimestamp(found->second.time);
    if (found->second.applied.has_value()) {
      regrade.set_applied_mode(static_cast<v1::RegradeMode>(found->second.applied->mode()));
      return absl::OkStatus();
    }
    CourseState after = state;
    for (const Pair& pair : pairs) {
      const std::string& original = pair.original.record.name();
      if (!Counts(mode, pair.original, pair.again) || state.graded.contains(original)) continue;
      trainyard::Apply(GradedEvent(state.Find(name.parent.assignment)->assignment(),
                                   name.parent.assignment, WithResult(pair.original, pair.again)),
                       &after);
    }
    event.set_sequence(state.course.last_sequence() + 1);
    trainyard::Apply(event, &after);
    const BookOptions now{.as_of = absl::Now()};
    const v1::GradingPolicy& policy = FindPolicy(state, 0)->policy();
    TY_ASSIGN_OR_RETURN(const Gradebook book_before, BookOf(state, policy, now));
    TY_ASSIGN_OR_RETURN(const Gradebook book_after, BookOf(after, policy, now));
    *regrade.mutable_grade_changes() = ChangesToProto(book_before, book_after);
    return absl::OkStatus();
  });
  TY_RETURN_IF_ERROR(looked);
  return regrade;
}

absl::StatusOr<v1::Regrade> Regrades::Get(const v1::GetRegradeRequest& request,
                                          const Principal& principal) const {
  TY_ASSIGN_OR_RETURN(const RegradeName name, ParseRegradeName("name", request.name()));
  TY_RETURN_IF_ERROR(CheckCourse(*courses_, principal, name.parent.course, CourseRight::kStaff));
  TY_RETURN_IF_ERROR(courses_->Read(name.parent.course, [&](const CourseState& state) {
    return state.regrades.contains(name.regrade)
               ? absl::OkStatus()
               : NoSuch(request.name(), "`trainyard regrade create` makes one");
  }));
  const bool replace = request.mode() == v1::REGRADE_MODE_REPLACE;
  return Describe(name, replace ? v1::REGRADE_MODE_REPLACE : v1::REGRADE_MODE_MAX);
}

absl::StatusOr<v1::Regrade> Regrades::Apply(const v1::ApplyRegradeRequest& request,
                                            const Principal& principal) {
  v1::GetRegradeRequest get;
  get.set_name(request.name());
  TY_ASSIGN_OR_RETURN(v1::Regrade regrade, Get(get, principal));
  TY_ASSIGN_OR_RETURN(const RegradeName name, ParseRegradeName("name", request.name()));
  const bool known = request.mode() == v1::REGRADE_MODE_MAX ||
                     request.mode() == v1::REGRADE_MODE_REPLACE;
  if (!known) return InvalidRequest("mode", "is missing; give MAX or REPLACE");
  if (regrade.submissions_done() < regrade.submissions_total()) {
    return InvalidState(absl::StrCat(regrade.submissions_done(), " of ",
                                     regrade.submissions_total(), " submissions are trained again"),
                        "wait for the rest");
  }
  TY_ASSIGN_OR_RETURN(std::vector<Pair> pairs, Load(name));
  std::erase_if(pairs, [&](const Pair& pair) {
    return !Counts(request.mode(), pair.original, pair.again);
  });
  std::vector<Addressee> addressees;
  const auto decide = [&](const CourseState& state) -> absl::StatusOr<CourseStore::Events> {
    if (state.regrades.at(name.regrade).applied.has_value()) {
      return InvalidState(absl::StrCat(request.name(), " is in force already"),
                          "make another one");
    }
    v1::CourseEvent event;
    v1::RegradeApplied& applied = *event.mutable_regrade_applied();
    applied.set_regrade(name.regrade);
    applied.set_assignment(name.parent.assignment);
    applied.set_mode(request.mode());
    CourseStore::Events events;
    std::string previous = state.last_receipt_digest;
    for (Pair& pair : pairs) {
      TY_ASSIGN_OR_RETURN(const CourseStore::Events taken,
                          TakeResult(state, previous, *key_, &pair.original, pair.again));
      events.insert(events.end(), taken.begin(), taken.end());
      previous = pair.original.sealed.receipt_digest();
      SetPoints(pair.original, pair.original, applied.add_points());
      addressees.push_back(AddresseeOf(state, pair.original.record.student()));
    }
    events.push_back(std::move(event));
    return events;
  };
  const auto also = [&](Connection& connection) -> absl::Status {
    for (size_t i = 0; i < pairs.size(); ++i) {
      const StoredSubmission& original = pairs[i].original;
      TY_RETURN_IF_ERROR(UpdateSubmission(connection, original));
      if (!original.record.has_result()) continue;
      TY_RETURN_IF_ERROR(Deliver(connection, addressees[i], original.record, /*is_new=*/false));
    }
    return absl::OkStatus();
  };
  TY_RETURN_IF_ERROR(courses_->Append(name.parent.course, principal.owner, decide, also));
  wake_deliveries_();
  return Describe(name, request.mode());
}

}  // namespace trainyard
