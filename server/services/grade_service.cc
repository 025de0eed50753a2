#include "server/services/grade_service.h"

#include <algorithm>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "absl/time/clock.h"
#include "core/base/error_info.h"
#include "core/base/status_macros.h"
#include "server/base/ids.h"
#include "server/base/log.h"
#include "server/grading/course_checks.h"
#include "server/grading/course_names.h"
#include "server/grading/delivery_document.h"
#include "server/grading/delivery_store.h"
#include "server/grading/gradebook_diff.h"
#include "server/grading/policy.h"
#include "server/grading/server_secrets.h"
#include "server/services/course_access.h"
#include "server/services/gradebook_files.h"
#include "server/services/made_before.h"
#include "server/services/request_checks.h"
#include "server/wire/json_web_keys.h"
#include "server/wire/timestamp.h"

namespace trainyard {
namespace {

using Violations = std::vector<FieldViolation>;

constexpr int64_t kEventsDefault = 1'000;
constexpr int64_t kEventsMax = 10'000;
constexpr int kSnapshotsMax = 1'000;

v1::Snapshot SnapshotToProto(const std::string& course, const PublishedSnapshot& snapshot) {
  v1::Snapshot proto;
  proto.set_name(SnapshotName(course, snapshot.published.number()));
  proto.set_as_of_sequence(snapshot.published.as_of_sequence());
  proto.set_policy_version(snapshot.published.policy_version());
  proto.set_digest(snapshot.published.digest());
  *proto.mutable_create_time() = ToTimestamp(snapshot.time);
  proto.set_author(snapshot.author);
  return proto;
}

// Whether the newest snapshot is the last thing that happened in the course, and says what one of
// now would: without an event, adjustments expire and assignments open.
bool IsPublished(const CourseState& state, const std::string& digest_now) {
  if (state.snapshots.empty()) return false;
  const v1::SnapshotPublished& newest = state.snapshots.back().published;
  return newest.as_of_sequence() + 1 == state.course.last_sequence() &&
         newest.digest() == digest_now;
}

// Points that students were not told yet.
void WarnOfWithheld(const CourseState& state, v1::ExportGradebookResponse* response) {
  size_t withheld = 0;
  for (const auto& [id, names] : state.unreleased) {
    const v1::PublishedAssignment* const found = state.Find(id);
    const bool counts = found != nullptr && !found->assignment().retired();
    if (counts) withheld += names.size();
  }
  if (withheld == 0) return;
  response->add_warnings(
      absl::StrCat("points of ", withheld,
                   " submissions that are withheld from students are in this file; give a snapshot "
                   "for what was published"));
}

// What keeps grades from being published, a sentence each.
std::vector<std::string> BlockersOf(const Gradebook& book) {
  std::vector<std::string> blockers;
  for (const BookWarning& warning : book.warnings) {
    if (warning.blocks_publication) blockers.push_back(warning.text);
  }
  for (const StudentGrade& row : book.students) {
    if (row.blocks_publication) blockers.push_back(absl::StrCat(row.student.id, "'s row"));
  }
  return blockers;
}

absl::StatusOr<v1::Adjustment> FindAdjustment(const CourseState& state, const std::string& id) {
  for (const v1::Adjustment& adjustment : state.adjustments) {
    if (adjustment.id() == id) return adjustment;
  }
  return NoSuch(absl::StrCat("adjustment ", id.substr(0, 63)),
                "`trainyard adjustment list` shows what there is");
}

// `student` empty: all rows.
Gradebook OnlyRow(const Gradebook& all, const std::string& student) {
  if (student.empty()) return all;
  Gradebook one;
  for (const StudentGrade& row : all.students) {
    if (row.student.id == student) one.students.push_back(row);
  }
  return one;
}

absl::StatusOr<v1::PolicyVersion> PolicyOf(const CourseState& state, int version) {
  const v1::PolicyVersion* policy = FindPolicy(state, version);
  if (policy != nullptr) return *policy;
  return InvalidRequest("policy_version",
                        absl::StrCat("is ", version, "; give 1 to ", state.policies.size(),
                                     ", or 0 for the one in force"));
}

}  // namespace

absl::StatusOr<FrozenBook> ComputeFrozen(const CourseState& state, const v1::GradingPolicy& policy,
                                         const PublishedSnapshot& snapshot) {
  const std::string& digest = snapshot.published.digest();
  FrozenBook frozen;
  TY_ASSIGN_OR_RETURN(frozen.book,
                      BookOf(state, policy, {.as_of = snapshot.time, .released_only = true}));
  frozen.digest_matches = GradebookDigest(frozen.book) == digest;
  if (frozen.digest_matches) return frozen;
  // Snapshots used to be as of the event before them. What had expired in between counts there for
  // ever, as it was published.
  TY_ASSIGN_OR_RETURN(Gradebook older,
                      BookOf(state, policy, {.as_of = state.last_time, .released_only = true}));
  frozen.digest_matches = GradebookDigest(older) == digest;
  if (frozen.digest_matches) frozen.book = std::move(older);
  return frozen;
}

absl::StatusOr<GradeService::Basis> GradeService::BasisOf(const std::string& course,
                                                          int64_t sequence,
                                                          int policy_version) const {
  Basis basis;
  TY_ASSIGN_OR_RETURN(basis.state, courses_->At(course, sequence));
  // Of now, what has expired since the last event does not count; of then, the event's time decides, for ever.
  basis.as_of = sequence == 0 ? std::max(absl::Now(), basis.state.last_time) : basis.state.last_time;
  // A policy that came later may be tried on the facts of then.
  TY_RETURN_IF_ERROR(courses_->Read(course, [&](const CourseState& now) -> absl::Status {
    TY_ASSIGN_OR_RETURN(basis.policy,
                        PolicyOf(policy_version == 0 ? basis.state : now, policy_version));
    return absl::OkStatus();
  }));
  return basis;
}

absl::StatusOr<GradeService::Facts> GradeService::FactsNow(const std::string& course,
                                                           int policy_version,
                                                           BookOptions options) const {
  Facts facts;
  courses_->Settle();
  TY_RETURN_IF_ERROR(courses_->Read(course, [&](const CourseState& state) -> absl::Status {
    TY_ASSIGN_OR_RETURN(facts.policy, PolicyOf(state, policy_version));
    options.as_of = std::max(absl::Now(), state.last_time);
    facts.input = InputOf(state, options);
    facts.sequence = state.course.last_sequence();
    return absl::OkStatus();
  }));
  return facts;
}

absl::StatusOr<GradeService::Facts> GradeService::FactsThen(const v1::GetGradebookRequest& request,
                                                            const std::string& course,
                                                            BookOptions options) const {
  TY_ASSIGN_OR_RETURN(const Basis basis,
                      BasisOf(course, request.as_of_sequence(), request.policy_version()));
  options.as_of = basis.as_of;
  return Facts{.input = InputOf(basis.state, options),
               .policy = basis.policy,
               .sequence = basis.state.course.last_sequence()};
}

absl::StatusOr<PublishedSnapshot> GradeService::FindSnapshot(const std::string& course,
                                                             const std::string& name) const {
  PublishedSnapshot snapshot;
  TY_RETURN_IF_ERROR(courses_->Read(course, [&](const CourseState& state) -> absl::Status {
    int64_t number = static_cast<int64_t>(state.snapshots.size());
    absl::string_view text = name;
    const bool valid =
        name.empty() || (absl::ConsumePrefix(&text, absl::StrCat(CourseName(course), "/snapshots/")) &&
                         absl::SimpleAtoi(text, &number));
    if (!valid) {
      return InvalidRequest("snapshot", absl::StrCat("\"", name.substr(0, 100),
                                                     "\" is no snapshot of the course"));
    }
    if (number < 1 || number > static_cast<int64_t>(state.snapshots.size())) {
      return NoSuch(name.empty() ? "a snapshot" : name, "`trainyard gradebook snapshots` lists them");
    }
    snapshot = state.snapshots[static_cast<size_t>(number - 1)];
    return absl::OkStatus();
  }));
  return snapshot;
}

absl::StatusOr<GradeService::Published> GradeService::Recompute(
    const std::string& course, const PublishedSnapshot& snapshot) const {
  Published published;
  TY_ASSIGN_OR_RETURN(published.basis, BasisOf(course, snapshot.published.as_of_sequence(),
                                               snapshot.published.policy_version()));
  TY_ASSIGN_OR_RETURN(published.frozen, ComputeFrozen(published.basis.state,
                                                      published.basis.policy.policy(), snapshot));
  return published;
}

absl::StatusOr<GradeService::Published> GradeService::RecomputeChecked(
    const std::string& course, const PublishedSnapshot& snapshot) const {
  TY_ASSIGN_OR_RETURN(Published published, Recompute(course, snapshot));
  if (published.frozen.digest_matches) return published;
  const std::string name = SnapshotName(course, snapshot.published.number());
  Log::Error("snapshot_differs", {{"snapshot", name},
                                  {"published", snapshot.published.digest()},
                                  {"computed", GradebookDigest(published.frozen.book)}});
  return MakeError(
      absl::StatusCode::kInternal,
      absl::StrCat("the grades of ", name, ", computed again, are not those that were published"),
      {.reason = ErrorReason::kInternal,
       .hint = "have the operator restore the course's events from a backup, or "
               "publish the grades again"});
}

absl::StatusOr<std::optional<PublishedSnapshot>> GradeService::SnapshotFor(
    const v1::GetGradebookRequest& request, const std::string& course, bool staff) const {
  bool published = !request.snapshot().empty();
  TY_RETURN_IF_ERROR(courses_->Read(course, [&](const CourseState& state) {
    // Staff ask for what they want.
    published = published || (!staff && !state.snapshots.empty());
    return absl::OkStatus();
  }));
  Violations violations;
  if (!staff && request.as_of_sequence() != 0) {
    violations.push_back({"as_of_sequence", "grades of the past are for staff; leave it out"});
  }
  if (!staff && published && request.policy_version() != 0) {
    violations.push_back({"policy_version", "grades are published; leave it out"});
  }
  TY_RETURN_IF_ERROR(InvalidRequest(std::move(violations)));
  if (!published) return std::nullopt;
  return FindSnapshot(course, request.snapshot());
}

absl::StatusOr<std::shared_ptr<const Gradebook>> GradeService::PublishedBook(
    const std::string& course, const PublishedSnapshot& snapshot) const {
  const std::string name = SnapshotName(course, snapshot.published.number());
  const auto is_wanted = [&](const auto& kept) { return kept.first == name; };
  {
    absl::MutexLock lock(&books_mu_);
    const auto found = std::find_if(books_.begin(), books_.end(), is_wanted);
    if (found != books_.end()) {
      std::rotate(found, found + 1, books_.end());
      return books_.back().second;
    }
  }
  TY_ASSIGN_OR_RETURN(Published published, RecomputeChecked(course, snapshot));
  auto book = std::make_shared<const Gradebook>(std::move(published.frozen.book));
  absl::MutexLock lock(&books_mu_);
  std::erase_if(books_, is_wanted);
  books_.emplace_back(name, book);
  if (books_.size() > kBooksKept) books_.erase(books_.begin());
  return book;
}

grpc::ServerUnaryReactor* GradeService::GetGradebook(grpc::CallbackServerContext* call,
                                                     const v1::GetGradebookRequest* request,
                                                     v1::Gradebook* response) {
  return Serve(rpc_, call, "/trainyard.v1.GradeService/GetGradebook", rpc_.heavy, response,
               [=, this](const Principal& principal) {
                 return Store(Compute(*request, principal), response);
               });
}

absl::StatusOr<v1::Gradebook> GradeService::Compute(const v1::GetGradebookRequest& request,
                                                    const Principal& principal) const {
  TY_ASSIGN_OR_RETURN(const std::string course, ParseCourseName("course", request.course()));
  TY_RETURN_IF_ERROR(CheckCourse(*courses_, principal, course, CourseRight::kMember));
  const bool staff = CheckCourse(*courses_, principal, course, CourseRight::kStaff).ok();
  std::string student = request.student();
  if (!staff || !student.empty()) {
    TY_ASSIGN_OR_RETURN(student, StudentOf(*courses_, principal, course, student));
  }
  TY_ASSIGN_OR_RETURN(const std::optional<PublishedSnapshot> snapshot,
                      SnapshotFor(request, course, staff));
  v1::Gradebook proto;
  Gradebook book;
  if (snapshot.has_value()) {
    TY_ASSIGN_OR_RETURN(const std::shared_ptr<const Gradebook> published,
                        PublishedBook(course, *snapshot));
    book = OnlyRow(*published, student);
    proto.set_as_of_sequence(snapshot->published.as_of_sequence());
    proto.set_policy_version(snapshot->published.policy_version());
  } else {
    const BookOptions options{.as_of = {}, .released_only = !staff, .student = student};
    TY_ASSIGN_OR_RETURN(const Facts facts, request.as_of_sequence() == 0
                                               ? FactsNow(course, request.policy_version(), options)
                                               : FactsThen(request, course, options));
    TY_ASSIGN_OR_RETURN(book, ComputeGradebook(facts.input, facts.policy.policy()));
    proto.set_as_of_sequence(facts.sequence);
    proto.set_policy_version(facts.policy.version());
  }
  for (const StudentGrade& row : book.students) {
    *proto.add_rows() = RowToProto(row, request.explain());
  }
  proto.set_digest(GradebookDigest(book));
  if (!staff) return proto;
  for (const BookWarning& warning : book.warnings) proto.add_warnings(warning.text);
  return proto;
}

grpc::ServerUnaryReactor* GradeService::CreateAdjustment(grpc::CallbackServerContext* call,
                                                         const v1::CreateAdjustmentRequest* request,
                                                         v1::Adjustment* response) {
  return Serve(rpc_, call, "/trainyard.v1.GradeService/CreateAdjustment", rpc_.quick, request,
               response, [=, this](const Principal& principal) {
                 return Store(Adjust(*request, principal), response);
               });
}

absl::StatusOr<v1::Adjustment> GradeService::Adjust(const v1::CreateAdjustmentRequest& request,
                                                    const Principal& principal) {
  TY_ASSIGN_OR_RETURN(const std::string course, ParseCourseName("course", request.course()));
  const bool is_final = request.adjustment().kind() == v1::Adjustment::FINAL;
  TY_RETURN_IF_ERROR(CheckCourse(*courses_, principal, course,
                                 is_final ? CourseRight::kInstructor : CourseRight::kStaff));
  Violations form;
  CheckRequestId(request.request_id(), &form);
  TY_RETURN_IF_ERROR(InvalidRequest(std::move(form)));
  const MadeRequest made = MadeRequest::Of(principal.owner, "CreateAdjustment", request);
  TY_ASSIGN_OR_RETURN(const std::optional<std::string> before, made.Find(database_));
  const std::string id = before.value_or(NewId());
  const auto decide = [&](const CourseState& state) -> absl::StatusOr<CourseStore::Events> {
    Violations violations;
    CheckAdjustment(state, request.adjustment(), &violations);
    TY_RETURN_IF_ERROR(InvalidRequest(std::move(violations)));
    v1::CourseEvent event;
    v1::Adjustment& adjustment = *event.mutable_adjustment_made();
    adjustment = request.adjustment();
    adjustment.set_id(id);
    adjustment.set_revoked(false);
    adjustment.clear_confirmed_by();
    return CourseStore::Events{event};
  };
  if (!before.has_value()) {
    TY_RETURN_IF_ERROR(courses_->Append(
        course, principal.owner, decide,
        [&](Connection& connection) { return made.Remember(connection, id); }));
  }
  v1::Adjustment adjustment;
  TY_RETURN_IF_ERROR(courses_->Read(course, [&](const CourseState& state) -> absl::Status {
    TY_ASSIGN_OR_RETURN(adjustment, FindAdjustment(state, id));
    return absl::OkStatus();
  }));
  return adjustment;
}

grpc::ServerUnaryReactor* GradeService::RevokeAdjustment(grpc::CallbackServerContext* call,
                                                         const v1::RevokeAdjustmentRequest* request,
                                                         v1::Adjustment* response) {
  return Serve(rpc_, call, "/trainyard.v1.GradeService/RevokeAdjustment", rpc_.quick, request,
               response, [=, this](const Principal& principal) {
                 return Store(Revoke(*request, principal), response);
               });
}

absl::StatusOr<v1::Adjustment> GradeService::Revoke(const v1::RevokeAdjustmentRequest& request,
                                                    const Principal& principal) {
  TY_ASSIGN_OR_RETURN(const std::string course, ParseCourseName("course", request.course()));
  TY_RETURN_IF_ERROR(CheckCourse(*courses_, principal, course, CourseRight::kStaff));
  Violations violations;
  CheckText("reason", request.reason(), kReasonBytesMax, &violations);
  if (request.reason().empty()) violations.push_back({"reason", "is missing; say why"});
  TY_RETURN_IF_ERROR(InvalidRequest(std::move(violations)));
  v1::Adjustment revoked;
  const auto decide = [&](const CourseState& state) -> absl::StatusOr<CourseStore::Events> {
    TY_ASSIGN_OR_RETURN(revoked, FindAdjustment(state, request.id()));
    const bool is_final = revoked.kind() == v1::Adjustment::FINAL;
    if (is_final && RoleIn(state, principal) != v1::COURSE_ROLE_INSTRUCTOR) {
      return NoPermission(request.course());
    }
    if (revoked.revoked()) return CourseStore::Events{};
    revoked.set_revoked(true);
    v1::CourseEvent event;
    event.mutable_adjustment_revoked()->set_id(request.id());
    event.mutable_adjustment_revoked()->set_reason(request.reason());
    return CourseStore::Events{event};
  };
  TY_RETURN_IF_ERROR(courses_->Append(course, principal.owner, decide));
  return revoked;
}

grpc::ServerUnaryReactor* GradeService::ConfirmAdjustment(
    grpc::CallbackServerContext* call, const v1::ConfirmAdjustmentRequest* request,
    v1::Adjustment* response) {
  return Serve(rpc_, call, "/trainyard.v1.GradeService/ConfirmAdjustment", rpc_.quick, request,
               response, [=, this](const Principal& principal) {
                 return Store(Confirm(*request, principal), response);
               });
}

absl::StatusOr<v1::Adjustment> GradeService::Confirm(const v1::ConfirmAdjustmentRequest& request,
                                                     const Principal& principal) {
  TY_ASSIGN_OR_RETURN(const std::string course, ParseCourseName("course", request.course()));
  TY_RETURN_IF_ERROR(CheckCourse(*courses_, principal, course, CourseRight::kInstructor));
  v1::Adjustment confirmed;
  const auto decide = [&](const CourseState& state) -> absl::StatusOr<CourseStore::Events> {
    TY_ASSIGN_OR_RETURN(confirmed, FindAdjustment(state, request.id()));
    if (!confirmed.confirmed_by().empty()) return CourseStore::Events{};
    if (confirmed.revoked() || !NeedsConfirmation(state, confirmed)) {
      return MakeError(absl::StatusCode::kFailedPrecondition,
                       absl::StrCat("adjustment ", confirmed.id(), " needs no confirmation"),
                       {.reason = ErrorReason::kInvalidState,
                        .hint = "final grades do that are in force, in a course with "
                                "two_person_finals"});
    }
    if (confirmed.author() == principal.owner) return NoPermission(request.course());
    confirmed.set_confirmed_by(principal.owner);
    v1::CourseEvent event;
    event.mutable_adjustment_confirmed()->set_id(confirmed.id());
    return CourseStore::Events{event};
  };
  TY_RETURN_IF_ERROR(courses_->Append(course, principal.owner, decide));
  return confirmed;
}

grpc::ServerUnaryReactor* GradeService::ListAdjustments(grpc::CallbackServerContext* call,
                                                        const v1::ListAdjustmentsRequest* request,
                                                        v1::ListAdjustmentsResponse* response) {
  return Serve(
      rpc_, call, "/trainyard.v1.GradeService/ListAdjustments", rpc_.quick, response,
      [=, this](const Principal& principal) -> absl::Status {
        TY_ASSIGN_OR_RETURN(const std::string course, ParseCourseName("course", request->course()));
        TY_RETURN_IF_ERROR(CheckCourse(*courses_, principal, course, CourseRight::kStaff));
        return courses_->Read(course, [&](const CourseState& state) {
          for (const v1::Adjustment& adjustment : state.adjustments) {
            const bool wanted =
                request->student().empty() || request->student() == adjustment.student();
            if (wanted) *response->add_adjustments() = adjustment;
          }
          return absl::OkStatus();
        });
      });
}

grpc::ServerUnaryReactor* GradeService::RecordMarks(grpc::CallbackServerContext* call,
                                                    const v1::RecordMarksRequest* request,
                                                    v1::RecordMarksResponse* response) {
  return Serve(rpc_, call, "/trainyard.v1.GradeService/RecordMarks", rpc_.quick, request, response,
               [=, this](const Principal& principal) {
                 return Store(Record(*request, principal), response);
               });
}

absl::StatusOr<v1::RecordMarksResponse> GradeService::Record(const v1::RecordMarksRequest& request,
                                                             const Principal& principal) {
  TY_ASSIGN_OR_RETURN(const std::string course, ParseCourseName("course", request.course()));
  TY_RETURN_IF_ERROR(CheckCourse(*courses_, principal, course, CourseRight::kStaff));
  const auto decide = [&](const CourseState& state) -> absl::StatusOr<CourseStore::Events> {
    Violations violations;
    CheckMarks(state, request, &violations);
    TY_RETURN_IF_ERROR(InvalidRequest(std::move(violations)));
    if (request.validate_only()) return CourseStore::Events{};
    v1::CourseEvent event;
    *event.mutable_marks_recorded()->mutable_exams() = request.exams();
    *event.mutable_marks_recorded()->mutable_quizzes() = request.quizzes();
    return CourseStore::Events{event};
  };
  TY_RETURN_IF_ERROR(courses_->Append(course, principal.owner, decide));
  v1::RecordMarksResponse response;
  TY_RETURN_IF_ERROR(courses_->Read(course, [&](const CourseState& state) {
    response.set_sequence(state.course.last_sequence());
    return absl::OkStatus();
  }));
  return response;
}

grpc::ServerUnaryReactor* GradeService::PublishSnapshot(grpc::CallbackServerContext* call,
                                                        const v1::PublishSnapshotRequest* request,
                                                        v1::Snapshot* response) {
  return Serve(rpc_, call, "/trainyard.v1.GradeService/PublishSnapshot", rpc_.heavy, request,
               response, [=, this](const Principal& principal) {
                 return Store(Publish(*request, principal), response);
               });
}

absl::StatusOr<v1::Snapshot> GradeService::Publish(const v1::PublishSnapshotRequest& request,
                                                   const Principal& principal) {
  TY_ASSIGN_OR_RETURN(const std::string course, ParseCourseName("course", request.course()));
  TY_RETURN_IF_ERROR(CheckCourse(*courses_, principal, course, CourseRight::kInstructor));
  const auto decide = [&](const CourseState& state,
                          absl::Time time) -> absl::StatusOr<CourseStore::Events> {
    const v1::PolicyVersion& policy = *FindPolicy(state, 0);
    // As of the snapshot's own time, so that it can be computed again.
    TY_ASSIGN_OR_RETURN(const Gradebook book,
                        BookOf(state, policy.policy(), {.as_of = time, .released_only = true}));
    const std::string digest = GradebookDigest(book);
    // The call may be made again after a lost answer.
    if (IsPublished(state, digest)) return CourseStore::Events{};
    const std::vector<std::string> blockers = BlockersOf(book);
    if (!blockers.empty() || !book.publishable) {
      return MakeError(absl::StatusCode::kFailedPrecondition,
                       absl::StrCat("grades cannot be published: ", absl::StrJoin(blockers, "; ")),
                       {.reason = ErrorReason::kInvalidState,
                        .hint = "mend what blocks them, e.g. by an adjustment"});
    }
    v1::CourseEvent event;
    v1::SnapshotPublished& published = *event.mutable_snapshot_published();
    published.set_number(static_cast<int32_t>(state.snapshots.size()) + 1);
    published.set_as_of_sequence(state.course.last_sequence());
    published.set_policy_version(policy.version());
    published.set_digest(digest);
    return CourseStore::Events{event};
  };
  TY_RETURN_IF_ERROR(courses_->AppendAsOf(course, principal.owner, decide));
  TY_ASSIGN_OR_RETURN(const PublishedSnapshot snapshot, FindSnapshot(course, ""));
  return SnapshotToProto(course, snapshot);
}

grpc::ServerUnaryReactor* GradeService::ListSnapshots(grpc::CallbackServerContext* call,
                                                      const v1::ListSnapshotsRequest* request,
                                                      v1::ListSnapshotsResponse* response) {
  return Serve(
      rpc_, call, "/trainyard.v1.GradeService/ListSnapshots", rpc_.quick, response,
      [=, this](const Principal& principal) -> absl::Status {
        TY_ASSIGN_OR_RETURN(const std::string course, ParseCourseName("course", request->course()));
        TY_RETURN_IF_ERROR(CheckCourse(*courses_, principal, course, CourseRight::kStaff));
        return courses_->Read(course, [&](const CourseState& state) {
          for (auto it = state.snapshots.rbegin();
               it != state.snapshots.rend() && response->snapshots_size() < kSnapshotsMax; ++it) {
            *response->add_snapshots() = SnapshotToProto(course, *it);
          }
          return absl::OkStatus();
        });
      });
}

grpc::ServerUnaryReactor* GradeService::DiffSnapshot(grpc::CallbackServerContext* call,
                                                     const v1::DiffSnapshotRequest* request,
                                                     v1::DiffSnapshotResponse* response) {
  return Serve(rpc_, call, "/trainyard.v1.GradeService/DiffSnapshot", rpc_.heavy, response,
               [=, this](const Principal& principal) {
                 return Store(Diff(*request, principal), response);
               });
}

absl::StatusOr<v1::DiffSnapshotResponse> GradeService::Diff(const v1::DiffSnapshotRequest& request,
                                                            const Principal& principal) const {
  TY_ASSIGN_OR_RETURN(const std::string course, ParseCourseName("course", request.course()));
  TY_RETURN_IF_ERROR(CheckCourse(*courses_, principal, course, CourseRight::kStaff));
  TY_ASSIGN_OR_RETURN(const PublishedSnapshot snapshot, FindSnapshot(course, request.snapshot()));
  TY_ASSIGN_OR_RETURN(const Published then, Recompute(course, snapshot));
  TY_ASSIGN_OR_RETURN(const Facts now, FactsNow(course, 0, {.as_of = {}, .released_only = true}));
  TY_ASSIGN_OR_RETURN(const Gradebook after, ComputeGradebook(now.input, now.policy.policy()));
  v1::DiffSnapshotResponse response;
  *response.mutable_snapshot() = SnapshotToProto(course, snapshot);
  *response.mutable_changes() = ChangesToProto(then.frozen.book, after);
  response.set_digest_matches(then.frozen.digest_matches);
  return response;
}

grpc::ServerUnaryReactor* GradeService::ExportGradebook(grpc::CallbackServerContext* call,
                                                        const v1::ExportGradebookRequest* request,
                                                        v1::ExportGradebookResponse* response) {
  return Serve(rpc_, call, "/trainyard.v1.GradeService/ExportGradebook", rpc_.heavy, response,
               [=, this](const Principal& principal) {
                 return Store(Export(*request, principal), response);
               });
}

absl::StatusOr<v1::ExportGradebookResponse> GradeService::Export(
    const v1::ExportGradebookRequest& request, const Principal& principal) const {
  TY_ASSIGN_OR_RETURN(const std::string course, ParseCourseName("course", request.course()));
  TY_RETURN_IF_ERROR(CheckCourse(*courses_, principal, course, CourseRight::kStaff));
  if (!request.snapshot().empty()) {
    TY_ASSIGN_OR_RETURN(const PublishedSnapshot snapshot, FindSnapshot(course, request.snapshot()));
    TY_ASSIGN_OR_RETURN(const Published then, RecomputeChecked(course, snapshot));
    return WriteGradebookFile(request, then.basis.state, then.basis.policy, then.frozen.book);
  }
  TY_ASSIGN_OR_RETURN(const Basis now, BasisOf(course, 0, 0));
  TY_ASSIGN_OR_RETURN(const Gradebook book,
                      BookOf(now.state, now.policy.policy(), {.as_of = now.as_of}));
  TY_ASSIGN_OR_RETURN(v1::ExportGradebookResponse response,
                      WriteGradebookFile(request, now.state, now.policy, book));
  WarnOfWithheld(now.state, &response);
  return response;
}

grpc::ServerUnaryReactor* GradeService::ListCourseEvents(grpc::CallbackServerContext* call,
                                                         const v1::ListCourseEventsRequest* request,
                                                         v1::ListCourseEventsResponse* response) {
  return Serve(rpc_, call, "/trainyard.v1.GradeService/ListCourseEvents", rpc_.quick, response,
               [=, this](const Principal& principal) {
                 return Store(ListEvents(*request, principal), response);
               });
}

absl::StatusOr<v1::ListCourseEventsResponse> GradeService::ListEvents(
    const v1::ListCourseEventsRequest& request, const Principal& principal) const {
  TY_ASSIGN_OR_RETURN(const std::string course, ParseCourseName("course", request.course()));
  TY_RETURN_IF_ERROR(CheckCourse(*courses_, principal, course, CourseRight::kStaff));
  Violations violations;
  if (request.page_size() < 0) violations.push_back({"page_size", "is negative; give 0 for 1000"});
  if (request.start_sequence() < 0) violations.push_back({"start_sequence", "is negative"});
  TY_RETURN_IF_ERROR(InvalidRequest(std::move(violations)));
  const int64_t count = request.page_size() == 0 ? kEventsDefault
                                                 : std::min<int64_t>(request.page_size(), kEventsMax);
  const int64_t start = std::max<int64_t>(request.start_sequence(), 1);
  TY_ASSIGN_OR_RETURN(CourseStore::Events events, courses_->List(course, start, count));
  v1::ListCourseEventsResponse response;
  int64_t last = 0;
  TY_RETURN_IF_ERROR(courses_->Read(course, [&](const CourseState& state) {
    last = state.course.last_sequence();
    return absl::OkStatus();
  }));
  for (v1::CourseEvent& event : events) *response.add_events() = std::move(event);
  const int shown = response.events_size();
  const int64_t newest = shown == 0 ? start - 1 : response.events(shown - 1).sequence();
  if (newest < last) response.set_next_sequence(newest + 1);
  return response;
}

grpc::ServerUnaryReactor* GradeService::SetDeliveryTarget(
    grpc::CallbackServerContext* call, const v1::SetDeliveryTargetRequest* request,
    v1::DeliveryTarget* response) {
  return Serve(rpc_, call, "/trainyard.v1.GradeService/SetDeliveryTarget", rpc_.quick, request,
               response, [=, this](const Principal& principal) {
                 return Store(SetTarget(*request, principal), response);
               });
}

absl::StatusOr<v1::DeliveryTarget> GradeService::SetTarget(
    const v1::SetDeliveryTargetRequest& request, const Principal& principal) {
  TY_ASSIGN_OR_RETURN(const std::string course, ParseCourseName("course", request.course()));
  TY_RETURN_IF_ERROR(CheckCourse(*courses_, principal, course, CourseRight::kInstructor));
  Violations violations;
  CheckTarget(request.target(), &violations);
  TY_RETURN_IF_ERROR(InvalidRequest(std::move(violations)));
  v1::DeliveryTarget target = request.target();
  bool moves = false;
  const auto decide = [&](const CourseState& state) -> absl::StatusOr<CourseStore::Events> {
    const auto before = state.targets.find(target.kind());
    const bool had = before != state.targets.end() && before->second.secret_set();
    moves = had && !SameOrigin(before->second.url(), target.url());
    target.set_secret_set(!request.secret().empty() || (had && !moves));
    v1::CourseEvent event;
    *event.mutable_delivery_target_set() = target;
    return CourseStore::Events{event};
  };
  const auto also = [&](Connection& connection) -> absl::Status {
    if (!request.secret().empty()) {
      return SetDeliverySecret(connection, course, target.kind(), request.secret(), target.url());
    }
    // Nobody is to have a secret sent to another address than it was given for.
    return moves ? DropDeliverySecret(connection, course, target.kind()) : absl::OkStatus();
  };
  TY_RETURN_IF_ERROR(courses_->Append(course, principal.owner, decide, also));
  return target;
}

grpc::ServerUnaryReactor* GradeService::ListDeliveries(grpc::CallbackServerContext* call,
                                                       const v1::ListDeliveriesRequest* request,
                                                       v1::ListDeliveriesResponse* response) {
  return Serve(
      rpc_, call, "/trainyard.v1.GradeService/ListDeliveries", rpc_.quick, response,
      [=, this](const Principal& principal) -> absl::Status {
        TY_ASSIGN_OR_RETURN(const std::string course, ParseCourseName("course", request->course()));
        TY_RETURN_IF_ERROR(CheckCourse(*courses_, principal, course, CourseRight::kStaff));
        return database_->Read([&](Connection& connection) {
          return Store(trainyard::ListDeliveries(connection, course, *request), response);
        });
      });
}

grpc::ServerUnaryReactor* GradeService::RetryDelivery(grpc::CallbackServerContext* call,
                                                      const v1::RetryDeliveryRequest* request,
                                                      v1::Delivery* response) {
  return Serve(
      rpc_, call, "/trainyard.v1.GradeService/RetryDelivery", rpc_.quick, request, response,
      [=, this](const Principal& principal) -> absl::Status {
        TY_ASSIGN_OR_RETURN(const std::string course, ParseCourseName("course", request->course()));
        TY_RETURN_IF_ERROR(CheckCourse(*courses_, principal, course, CourseRight::kStaff));
        TY_RETURN_IF_ERROR(database_->Write([&](Connection& connection) {
          return Store(trainyard::RetryDelivery(connection, course, request->id(), absl::Now()),
                       response);
        }));
        deliveries_->Wake();
        return absl::OkStatus();
      });
}

// On the pool of long calls: the key may have to be made.
grpc::ServerUnaryReactor* GradeService::GetToolKey(grpc::CallbackServerContext* call,
                                                   const v1::GetToolKeyRequest* /*request*/,
                                                   v1::ToolKey* response) {
  return Serve(rpc_, call, "/trainyard.v1.GradeService/GetToolKey", rpc_.heavy, response,
               [=, this](const Principal&) -> absl::Status {
                 TY_ASSIGN_OR_RETURN(const RsaPrivateKey key, FindOrMakeToolKey(database_));
                 response->set_jwk(PublicJwk(key.public_key()));
                 response->set_pem(key.public_key().Pem());
                 return absl::OkStatus();
               });
}

}  // namespace trainyard
