#include "server/services/submission_service.h"

#include <algorithm>
#include <map>
#include <set>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "core/base/error_info.h"
#include "core/base/status_macros.h"
#include "server/grading/assignment_rules.h"
#include "server/grading/course_checks.h"
#include "server/grading/server_secrets.h"
#include "server/services/course_access.h"
#include "server/services/made_before.h"
#include "server/services/request_checks.h"
#include "server/services/wait_reactor.h"
#include "server/storage/paging.h"
#include "server/submissions/scoring.h"
#include "server/wire/convert.h"
#include "server/wire/timestamp.h"

namespace trainyard {
namespace {

using Violations = std::vector<FieldViolation>;

constexpr size_t kSourceBytesMax = 200;
constexpr size_t kLeaderboardMax = 1'000;

absl::Status Closed(const std::string& name, absl::string_view what, absl::string_view hint) {
  return MakeError(absl::StatusCode::kFailedPrecondition, absl::StrCat(name, " ", what),
                   {.reason = ErrorReason::kAssignmentClosed, .hint = std::string(hint)});
}

absl::Status Retired(const std::string& name) {
  return MakeError(absl::StatusCode::kFailedPrecondition,
                   absl::StrCat(name, " is retired: it is out of the course, and takes nothing"),
                   {.reason = ErrorReason::kInvalidState,
                    .hint = "`trainyard assignment list` shows what there is"});
}

absl::Status CheckForm(const v1::CreateSubmissionRequest& request) {
  Violations violations;
  CheckRequestId(request.request_id(), &violations);
  CheckText("source.repository_id", request.source().repository_id(), kSourceBytesMax, &violations);
  CheckText("source.commit", request.source().commit(), kSourceBytesMax, &violations);
  CheckText("source.run_id", request.source().run_id(), kSourceBytesMax, &violations);
  return InvalidRequest(std::move(violations));
}

// What the token proves, if it was made for a job; else what the submitter says.
v1::SubmissionSource SourceOf(const v1::CreateSubmissionRequest& request,
                              const Principal& principal) {
  v1::SubmissionSource source = request.source();
  source.set_verified(principal.identity.has_value());
  if (!source.verified()) return source;
  source.set_repository_id(absl::StrCat(principal.identity->repository_id()));
  source.set_commit(principal.identity->sha());
  source.set_run_id(principal.identity->run_id());
  return source;
}

std::string LabelOf(const AssignmentName& name) {
  return absl::StrCat(name.course, "/", name.assignment);
}

// Staff see points before they are told.
void Reveal(const StoredSubmission& stored, v1::Submission* record) {
  if (stored.sealed.has_result()) *record->mutable_result() = stored.sealed.result();
}

absl::Status RevealAll(Connection& connection, v1::ListSubmissionsResponse* response) {
  for (v1::Submission& submission : *response->mutable_submissions()) {
    if (!submission.withheld()) continue;
    TY_ASSIGN_OR_RETURN(const StoredSubmission stored,
                        FindSubmission(connection, submission.name()));
    Reveal(stored, &submission);
  }
  return absl::OkStatus();
}

}  // namespace

grpc::ServerUnaryReactor* SubmissionService::CreateSubmission(
    grpc::CallbackServerContext* call, const v1::CreateSubmissionRequest* request,
    v1::Submission* response) {
  // Waiting for a thread is not the student's.
  const absl::Time now = absl::Now();
  return Serve(rpc_, call, "/trainyard.v1.SubmissionService/CreateSubmission", rpc_.quick, request,
               response, [=, this](const Principal& principal) {
                 absl::StatusOr<v1::Submission> submission = Create(*request, principal, now);
                 if (!submission.ok()) {
                   rpc_.metrics->grading().SubmissionRejected(absl::AsciiStrToLower(
                       ErrorReasonName(GetErrorInfo(submission.status()).value_or(ErrorInfo{}).reason)));
                 }
                 return Store(std::move(submission), response);
               });
}

absl::StatusOr<v1::PublishedAssignment> SubmissionService::FindOpen(const AssignmentName& name,
                                                                    const std::string& student,
                                                                    absl::Time now) const {
  v1::PublishedAssignment published;
  TY_RETURN_IF_ERROR(
      parts_.courses->Read(name.course, [&](const CourseState& state) -> absl::Status {
        const v1::PublishedAssignment* found = state.Find(name.assignment);
        if (found == nullptr) {
          return NoSuch(name.ToString(), "`trainyard assignment list` shows what there is");
        }
        if (found->assignment().retired()) return Retired(name.ToString());
        const Deadlines deadlines = DeadlinesOf(state, found->assignment(), student, now);
        if (now < deadlines.opens) {
          return Closed(name.ToString(), "is not open yet",
                        absl::StrCat("it opens at ", found->assignment().opens(), " ",
                                     state.course.time_zone()));
        }
        if (now >= deadlines.closes) {
          return Closed(name.ToString(), "has closed", "ask staff for an extension");
        }
        published = *found;
        return absl::OkStatus();
      }));
  return published;
}

absl::StatusOr<v1::Submission> SubmissionService::Create(const v1::CreateSubmissionRequest& request,
                                                         const Principal& principal,
                                                         absl::Time now) {
  TY_ASSIGN_OR_RETURN(const AssignmentName name,
                      ParseAssignmentName("assignment", request.assignment()));
  TY_RETURN_IF_ERROR(CheckCourse(*parts_.courses, principal, name.course, CourseRight::kMember));
  TY_ASSIGN_OR_RETURN(const std::string student,
                      StudentOf(*parts_.courses, principal, name.course, request.student()));
  TY_RETURN_IF_ERROR(CheckForm(request));
  const MadeRequest made = MadeRequest::Of(principal.owner, "CreateSubmission", request);
  TY_ASSIGN_OR_RETURN(
      std::optional<v1::Submission> before,
      parts_.runner->FindAccepted(made.owner, made.request_id, made.digest));
  if (before.has_value()) return *std::move(before);
  TY_ASSIGN_OR_RETURN(const v1::PublishedAssignment published, FindOpen(name, student, now));
  Violations violations;
  TY_ASSIGN_OR_RETURN(
      const GradedSpec graded,
      parts_.admission->Grade(published.assignment(), request.spec(), &violations));
  if (!violations.empty()) {
    return MakeViolationsError(ErrorReason::kInvalidSpec, std::move(violations));
  }
  SubmissionRunner::NewSubmission accepted{
      .submission = parts_.admission->NewSubmission(published, graded, student),
      .assignment = name,
      .attempts = published.assignment().attempts(),
      .supersede = request.supersede(),
      .actor = principal.owner,
      .request_id = made.request_id,
      .body_digest = made.digest};
  v1::Submission& record = accepted.submission.record;
  record.set_actor(principal.owner);
  *record.mutable_spec() = request.spec();
  *record.mutable_source() = SourceOf(request, principal);
  *record.mutable_accepted_at() = ToTimestamp(now);
  if (request.validate_only()) return record;
  const std::string accepted_time = record.accepted_at().SerializeAsString();
  TY_ASSIGN_OR_RETURN(v1::Submission submission, parts_.runner->Accept(std::move(accepted)));
  const bool is_new = submission.accepted_at().SerializeAsString() == accepted_time;
  rpc_.metrics->grading().SubmissionAccepted(LabelOf(name), !is_new);
  return submission;
}

absl::StatusOr<SubmissionService::Seen> SubmissionService::Find(const std::string& name,
                                                                const Principal& principal) const {
  TY_ASSIGN_OR_RETURN(const SubmissionName parsed, ParseSubmissionName("name", name));
  const std::string& course = parsed.parent.course;
  TY_RETURN_IF_ERROR(CheckCourse(*parts_.courses, principal, course, CourseRight::kMember));
  Seen seen;
  seen.staff = CheckCourse(*parts_.courses, principal, course, CourseRight::kStaff).ok();
  const absl::Status found = parts_.database->Read([&](Connection& connection) -> absl::Status {
    TY_ASSIGN_OR_RETURN(seen.stored, FindSubmission(connection, name));
    return absl::OkStatus();
  });
  // A student is not told what there is.
  if (!found.ok() && (seen.staff || !absl::IsNotFound(found))) return found;
  const v1::Submission& record = seen.stored.record;
  const bool own = found.ok() && record.student() == principal.owner &&
                   record.cause() == v1::SUBMISSION_CAUSE_SUBMIT;
  if (!own && !seen.staff) return NoPermission(name);
  return seen;
}

absl::StatusOr<v1::Submission> SubmissionService::Get(const std::string& name,
                                                      const Principal& principal) const {
  TY_ASSIGN_OR_RETURN(Seen seen, Find(name, principal));
  v1::Submission record = seen.stored.record;
  if (seen.staff) Reveal(seen.stored, &record);
  parts_.runner->AddLive(&record);
  return record;
}

grpc::ServerUnaryReactor* SubmissionService::GetSubmission(grpc::CallbackServerContext* call,
                                                           const v1::GetSubmissionRequest* request,
                                                           v1::Submission* response) {
  return Serve(rpc_, call, "/trainyard.v1.SubmissionService/GetSubmission", rpc_.quick, response,
               [=, this](const Principal& principal) {
                 return Store(Get(request->name(), principal), response);
               });
}

grpc::ServerUnaryReactor* SubmissionService::ListSubmissions(
    grpc::CallbackServerContext* call, const v1::ListSubmissionsRequest* request,
    v1::ListSubmissionsResponse* response) {
  return Serve(rpc_, call, "/trainyard.v1.SubmissionService/ListSubmissions", rpc_.quick, response,
               [=, this](const Principal& principal) {
                 return Store(List(*request, principal), response);
               });
}

absl::StatusOr<v1::ListSubmissionsResponse> SubmissionService::List(
    const v1::ListSubmissionsRequest& request, const Principal& principal) const {
  TY_ASSIGN_OR_RETURN(const AssignmentName name,
                      ParseAssignmentName("assignment", request.assignment()));
  TY_RETURN_IF_ERROR(CheckCourse(*parts_.courses, principal, name.course, CourseRight::kMember));
  const bool staff = CheckCourse(*parts_.courses, principal, name.course, CourseRight::kStaff).ok();
  if (!staff && !request.student().empty() && request.student() != principal.owner) {
    return NoPermission(CourseName(name.course));
  }
  const std::string student = staff ? request.student() : principal.owner;
  TY_ASSIGN_OR_RETURN(const PageQuery page, ParsePage(request.page_size(), request.page_token()));
  v1::ListSubmissionsResponse response;
  const absl::Status read = parts_.database->Read([&](Connection& connection) -> absl::Status {
    TY_ASSIGN_OR_RETURN(response, trainyard::ListSubmissions(connection, name, student, page));
    return staff ? RevealAll(connection, &response) : absl::OkStatus();
  });
  TY_RETURN_IF_ERROR(read);
  for (v1::Submission& submission : *response.mutable_submissions()) {
    parts_.runner->AddLive(&submission);
  }
  return response;
}

grpc::ServerUnaryReactor* SubmissionService::CancelSubmission(
    grpc::CallbackServerContext* call, const v1::CancelSubmissionRequest* request,
    v1::Submission* response) {
  return Serve(rpc_, call, "/trainyard.v1.SubmissionService/CancelSubmission", rpc_.heavy, request,
               response, [=, this](const Principal& principal) -> absl::Status {
                 TY_RETURN_IF_ERROR(Find(request->name(), principal).status());
                 return Store(parts_.runner->Cancel(request->name()), response);
               });
}

grpc::ServerUnaryReactor* SubmissionService::WaitSubmission(
    grpc::CallbackServerContext* call, const v1::WaitSubmissionRequest* request,
    v1::Submission* response) {
  WaitPlan<v1::Submission> plan;
  plan.method = "/trainyard.v1.SubmissionService/WaitSubmission";
  plan.check = [=, this](const Principal& principal) {
    return Find(request->name(), principal).status();
  };
  plan.subscribe = [=, this](std::function<void()> wake) -> std::shared_ptr<void> {
    return parts_.runner->Subscribe(request->name(), std::move(wake));
  };
  plan.look = [=, this](const Principal& principal) { return Get(request->name(), principal); };
  plan.done = [](const v1::Submission& submission) { return IsTerminal(submission.state()); };
  if (request->has_timeout()) plan.timeout = DurationFromProto(request->timeout());
  return WaitReactor<v1::Submission>::Start(rpc_, call, std::move(plan), response);
}

grpc::ServerUnaryReactor* SubmissionService::NominateSubmission(
    grpc::CallbackServerContext* call, const v1::NominateSubmissionRequest* request,
    v1::Submission* response) {
  return Serve(rpc_, call, "/trainyard.v1.SubmissionService/NominateSubmission", rpc_.quick,
               request, response, [=, this](const Principal& principal) {
                 return Store(Nominate(request->name(), principal), response);
               });
}

absl::StatusOr<v1::Submission> SubmissionService::Nominate(const std::string& name,
                                                           const Principal& principal) {
  TY_ASSIGN_OR_RETURN(const Seen seen, Find(name, principal));
  const v1::Submission& record = seen.stored.record;
  TY_ASSIGN_OR_RETURN(const SubmissionName parsed, ParseSubmissionName("name", name));
  if (record.state() != v1::SUBMISSION_STATE_DONE ||
      record.cause() != v1::SUBMISSION_CAUSE_SUBMIT) {
    return MakeError(absl::StatusCode::kFailedPrecondition, absl::StrCat(name, " is not DONE"),
                     {.reason = ErrorReason::kInvalidState,
                      .hint = "nominate a submission that was graded"});
  }
  const auto decide = [&](const CourseState& state) -> absl::StatusOr<CourseStore::Events> {
    const absl::Time now = absl::Now();
    const v1::Assignment& assignment = state.Find(parsed.parent.assignment)->assignment();
    if (now >= DeadlinesOf(state, assignment, record.student(), now).closes && !seen.staff) {
      return Closed(parsed.parent.ToString(), "has closed", "ask staff");
    }
    v1::CourseEvent event;
    v1::SubmissionNominated& nominated = *event.mutable_submission_nominated();
    nominated.set_submission(name);
    nominated.set_assignment(parsed.parent.assignment);
    nominated.set_student(record.student());
    return CourseStore::Events{event};
  };
  // Rows are read where they are written, so that a release in between stays.
  const auto also = [&](Connection& connection) -> absl::Status {
    TY_ASSIGN_OR_RETURN(std::vector<StoredSubmission> all,
                        LoadOfStudent(connection, parsed.parent, record.student()));
    for (StoredSubmission& stored : all) {
      const bool chosen = stored.record.name() == name;
      if (!IsTerminal(stored.record.state()) || stored.record.nominated() == chosen) continue;
      stored.record.set_nominated(chosen);
      TY_RETURN_IF_ERROR(UpdateSubmission(connection, stored));
    }
    return absl::OkStatus();
  };
  TY_RETURN_IF_ERROR(
      parts_.courses->Append(parsed.parent.course, principal.owner, decide, also));
  return Get(name, principal);
}

grpc::ServerUnaryReactor* SubmissionService::GetReceipt(grpc::CallbackServerContext* call,
                                                        const v1::GetReceiptRequest* request,
                                                        v1::Receipt* response) {
  return Serve(rpc_, call, "/trainyard.v1.SubmissionService/GetReceipt", rpc_.quick, response,
               [=, this](const Principal& principal) {
                 return Store(ReadReceipt(*request, principal), response);
               });
}

absl::StatusOr<v1::Receipt> SubmissionService::ReadReceipt(const v1::GetReceiptRequest& request,
                                                           const Principal& principal) const {
  TY_ASSIGN_OR_RETURN(const Seen seen, Find(request.name(), principal));
  if (request.staff_copy() && !seen.staff) return NoPermission(request.name());
  const v1::SealedRecord& sealed = seen.stored.sealed;
  if (sealed.staff_receipt().empty()) {
    return MakeError(absl::StatusCode::kFailedPrecondition,
                     absl::StrCat(request.name(), " has no receipt"),
                     {.reason = ErrorReason::kInvalidState,
                      .hint = "there is one when a submission is DONE"});
  }
  v1::Receipt receipt;
  if (request.staff_copy()) {
    receipt.set_document(sealed.staff_receipt());
  } else {
    receipt.set_document(sealed.released_receipt().empty() ? sealed.student_receipt()
                                                           : sealed.released_receipt());
  }
  return receipt;
}

grpc::ServerUnaryReactor* SubmissionService::GetSigningKey(
    grpc::CallbackServerContext* call, const v1::GetSigningKeyRequest* /*request*/,
    v1::SigningKey* response) {
  return Serve(rpc_, call, "/trainyard.v1.SubmissionService/GetSigningKey", rpc_.quick, response,
               [=, this](const Principal&) {
                 response->set_public_key(parts_.key->public_key());
                 response->set_key_id(parts_.key->key_id());
                 return absl::OkStatus();
               });
}

grpc::ServerUnaryReactor* SubmissionService::GetStanding(grpc::CallbackServerContext* call,
                                                         const v1::GetStandingRequest* request,
                                                         v1::Standing* response) {
  return Serve(rpc_, call, "/trainyard.v1.SubmissionService/GetStanding", rpc_.quick, response,
               [=, this](const Principal& principal) {
                 return Store(Stand(*request, principal), response);
               });
}

absl::StatusOr<v1::Standing> SubmissionService::Stand(const v1::GetStandingRequest& request,
                                                      const Principal& principal) const {
  TY_ASSIGN_OR_RETURN(const AssignmentName name,
                      ParseAssignmentName("assignment", request.assignment()));
  TY_RETURN_IF_ERROR(CheckCourse(*parts_.courses, principal, name.course, CourseRight::kMember));
  TY_ASSIGN_OR_RETURN(const std::string student,
                      StudentOf(*parts_.courses, principal, name.course, request.student()));
  const absl::Time now = absl::Now();
  parts_.courses->Settle();
  v1::Standing standing;
  v1::AttemptLimits limits;
  TY_RETURN_IF_ERROR(
      parts_.courses->Read(name.course, [&](const CourseState& state) -> absl::Status {
        const v1::PublishedAssignment* found = state.Find(name.assignment);
        if (found == nullptr) {
          return NoSuch(name.ToString(), "`trainyard assignment list` shows what there is");
        }
        limits = found->assignment().attempts();
        const Deadlines deadlines = DeadlinesOf(state, found->assignment(), student, now);
        if (deadlines.due < absl::InfiniteFuture()) {
          *standing.mutable_due_time() = ToTimestamp(deadlines.due);
        }
        if (deadlines.closes < absl::InfiniteFuture()) {
          *standing.mutable_close_time() = ToTimestamp(deadlines.closes);
        }
        standing.set_exempt(IsExempt(state, name.assignment, student, now));
        const auto leaked = state.leaked_millibits.find({student, name.assignment});
        if (leaked != state.leaked_millibits.end()) standing.set_leaked_millibits(leaked->second);
        const auto graded = state.graded_of.find({student, name.assignment});
        if (graded == state.graded_of.end()) return absl::OkStatus();
        for (const std::string& submission : graded->second) {
          const GradedSubmission& one = state.graded.at(submission);
          if (!one.released) continue;
          standing.set_best_points(std::max(standing.best_points(), one.graded.points()));
        }
        return absl::OkStatus();
      }));
  TY_ASSIGN_OR_RETURN(const AttemptBucket bucket,
                      parts_.runner->Attempts(name, student, limits, now));
  standing.set_attempts_left(bucket.left);
  if (bucket.next < absl::InfiniteFuture()) {
    *standing.mutable_next_attempt_time() = ToTimestamp(bucket.next);
  }
  return standing;
}

grpc::ServerUnaryReactor* SubmissionService::GetLeaderboard(
    grpc::CallbackServerContext* call, const v1::GetLeaderboardRequest* request,
    v1::Leaderboard* response) {
  return Serve(
      rpc_, call, "/trainyard.v1.SubmissionService/GetLeaderboard", rpc_.heavy, response,
      [=, this](const Principal& principal) { return Store(Rank(*request, principal), response); });
}

absl::StatusOr<v1::Leaderboard> SubmissionService::Rank(const v1::GetLeaderboardRequest& request,
                                                        const Principal& principal) const {
  TY_ASSIGN_OR_RETURN(const AssignmentName name,
                      ParseAssignmentName("assignment", request.assignment()));
  TY_RETURN_IF_ERROR(CheckCourse(*parts_.courses, principal, name.course, CourseRight::kMember));
  v1::Leaderboard board;
  bool higher = true;
  int first = 0, last = 0;  // versions
  TY_RETURN_IF_ERROR(
      parts_.courses->Read(name.course, [&](const CourseState& state) -> absl::Status {
        const v1::PublishedAssignment* found = state.Find(name.assignment);
        if (found == nullptr) {
          return NoSuch(name.ToString(), "`trainyard assignment list` shows what there is");
        }
        board.set_metric(found->assignment().score_rule().metric());
        higher = HigherIsBetter(MetricOf(found->assignment()));
        last = found->assignment().version();
        first = FirstComparableVersion(state, name.assignment, last);
        return absl::OkStatus();
      }));
  // The best, and of equal ones the last. A Ladder never gets worse, but there may be one of each
  // version that was published before Ladders went on from one to the next.
  std::map<std::string, v1::Leaderboard::Entry> entries;
  const auto enter = [&](const v1::Submission& record) {
    const int version = record.assignment_version();
    if (!record.public_improved() || version < first || version > last) return;
    v1::Leaderboard::Entry& entry = entries[record.student()];
    const bool known = !entry.pseudonym().empty();
    const double gain = record.public_score() - entry.public_score();
    if (known && (higher ? gain < 0 : gain > 0)) return;
    entry.set_pseudonym(PseudonymOf(parts_.pseudonym_secret, name.ToString(), record.student()));
    entry.set_public_score(record.public_score());
    *entry.mutable_work() = record.work();
    entry.set_own(record.student() == principal.owner);
  };
  TY_RETURN_IF_ERROR(parts_.database->Read(
      [&](Connection& connection) { return VisitSubmitted(connection, name, enter); }));
  for (auto& [student, entry] : entries) *board.add_entries() = std::move(entry);
  std::stable_sort(board.mutable_entries()->begin(), board.mutable_entries()->end(),
                   [higher](const auto& a, const auto& b) {
                     return higher ? a.public_score() > b.public_score()
                                   : a.public_score() < b.public_score();
                   });
  while (board.entries_size() > static_cast<int>(kLeaderboardMax)) {
    board.mutable_entries()->RemoveLast();
  }
  return board;
}

grpc::ServerUnaryReactor* SubmissionService::GetIntegrityReport(
    grpc::CallbackServerContext* call, const v1::GetIntegrityReportRequest* request,
    v1::IntegrityReport* response) {
  return Serve(rpc_, call, "/trainyard.v1.SubmissionService/GetIntegrityReport", rpc_.heavy,
               response, [=, this](const Principal& principal) {
                 return Store(Report(*request, principal), response);
               });
}

absl::StatusOr<v1::IntegrityReport> SubmissionService::Report(
    const v1::GetIntegrityReportRequest& request, const Principal& principal) const {
  TY_ASSIGN_OR_RETURN(const AssignmentName name,
                      ParseAssignmentName("assignment", request.assignment()));
  TY_RETURN_IF_ERROR(CheckCourse(*parts_.courses, principal, name.course, CourseRight::kStaff));
  v1::IntegrityReport report;
  TY_RETURN_IF_ERROR(parts_.courses->Read(name.course, [&](const CourseState& state) {
    for (const auto& [key, millibits] : state.leaked_millibits) {
      if (key.second != name.assignment) continue;
      v1::IntegrityReport::Leak& leak = *report.add_leaks();
      leak.set_student(key.first);
      leak.set_millibits(millibits);
      report.set_class_millibits(report.class_millibits() + millibits);
    }
    return absl::OkStatus();
  }));
  std::stable_sort(report.mutable_leaks()->begin(), report.mutable_leaks()->end(),
                   [](const auto& a, const auto& b) { return a.millibits() > b.millibits(); });
  // Of each spec, each student's first, in the order of acceptance.
  std::map<std::string, std::vector<std::string>> by_spec;
  std::set<std::pair<std::string, std::string>> seen;  // spec and student
  const auto group = [&](const v1::Submission& record) {
    const bool is_first = seen.emplace(record.spec_digest(), record.student()).second;
    if (is_first) by_spec[record.spec_digest()].push_back(record.name());
  };
  const auto count_replay = [&](const StoredSubmission& again) {
    if (!again.sealed.has_replay_equal()) return;
    report.set_replays(report.replays() + 1);
    report.set_replay_mismatches(report.replay_mismatches() +
                                 (again.sealed.replay_equal() ? 0 : 1));
  };
  const absl::Status read = parts_.database->Read([&](Connection& connection) -> absl::Status {
    TY_RETURN_IF_ERROR(VisitSubmitted(connection, name, group));
    return VisitOfAssignment(connection, name, /*again=*/true, count_replay);
  });
  TY_RETURN_IF_ERROR(read);
  for (const auto& [digest, submissions] : by_spec) {
    if (submissions.size() < 2) continue;
    v1::IntegrityReport::IdenticalSpecs& identical = *report.add_identical_specs();
    identical.set_spec_digest(digest);
    for (const std::string& submission : submissions) identical.add_submissions(submission);
  }
  return report;
}

grpc::ServerUnaryReactor* SubmissionService::CreateRegrade(grpc::CallbackServerContext* call,
                                                           const v1::CreateRegradeRequest* request,
                                                           v1::Regrade* response) {
  return Serve(rpc_, call, "/trainyard.v1.SubmissionService/CreateRegrade", rpc_.heavy, request,
               response, [=, this](const Principal& principal) {
                 return Store(parts_.regrades->Create(*request, principal), response);
               });
}

grpc::ServerUnaryReactor* SubmissionService::GetRegrade(grpc::CallbackServerContext* call,
                                                        const v1::GetRegradeRequest* request,
                                                        v1::Regrade* response) {
  return Serve(rpc_, call, "/trainyard.v1.SubmissionService/GetRegrade", rpc_.heavy, response,
               [=, this](const Principal& principal) {
                 return Store(parts_.regrades->Get(*request, principal), response);
               });
}

grpc::ServerUnaryReactor* SubmissionService::ApplyRegrade(grpc::CallbackServerContext* call,
                                                          const v1::ApplyRegradeRequest* request,
                                                          v1::Regrade* response) {
  return Serve(rpc_, call, "/trainyard.v1.SubmissionService/ApplyRegrade", rpc_.heavy, request,
               response, [=, this](const Principal& principal) {
                 return Store(parts_.regrades->Apply(*request, principal), response);
               });
}

}  // namespace trainyard
