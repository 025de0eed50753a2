#include "server/services/course_service.h"

#include <algorithm>
#include <set>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/clock.h"
#include "core/base/error_info.h"
#include "core/base/status_macros.h"
#include "google/protobuf/util/message_differencer.h"
#include "server/auth/users.h"
#include "server/grading/assignment_rules.h"
#include "server/grading/commitment.h"
#include "server/grading/course_checks.h"
#include "server/grading/course_gradebook.h"
#include "server/grading/course_names.h"
#include "server/grading/gradebook_limits.h"
#include "server/grading/near_duplicates.h"
#include "server/grading/policy.h"
#include "server/grading/submission_store.h"
#include "server/services/course_access.h"
#include "server/services/job_spec.h"
#include "server/services/made_before.h"
#include "server/services/request_checks.h"
#include "server/wire/convert.h"
#include "server/wire/timestamp.h"

namespace trainyard {
namespace {

using Violations = std::vector<FieldViolation>;

constexpr char kTimeZoneDefault[] = "Europe/Moscow";
constexpr size_t kVersionsMax = 1'000;
constexpr size_t kZoneBytesShown = 63;
constexpr size_t kUnknownUsersNamed = 10;

std::string SaltName(const std::string& assignment, int version, absl::string_view role) {
  return absl::StrCat("salt ", assignment, " ", version, " ", role);
}

// The course as its member sees it.
v1::Course SeenBy(const CourseState& state, const Principal& principal) {
  v1::Course course = state.course;
  course.set_role(RoleIn(state, principal));
  return course;
}

// Deadlines and the policy's clock are in the same zone.
absl::StatusOr<v1::GradingPolicy> ResolveFor(const v1::GradingPolicy& given,
                                             const std::string& time_zone) {
  v1::GradingPolicy policy = given;
  if (policy.preset().empty()) policy.set_preset(std::string(kPresetHse));
  if (!policy.time().has_tz()) policy.mutable_time()->set_tz(time_zone);
  absl::StatusOr<v1::GradingPolicy> resolved = ResolvePolicy(policy);
  const std::string& zone = policy.time().tz();
  if (zone == time_zone) return resolved;
  // Told with all that is wrong beside it.
  Violations faults = GetErrorInfo(resolved.status()).value_or(ErrorInfo()).violations;
  faults.push_back(
      {"policy.time.tz",
       absl::StrCat("is \"", absl::CEscape(zone.substr(0, kZoneBytesShown)),
                    "\", but the course's time_zone is \"", time_zone, "\"; leave it out")});
  return InvalidRequest(std::move(faults));
}

v1::PolicyVersion VersionOf(const v1::GradingPolicy& policy, int version) {
  v1::PolicyVersion proto;
  proto.set_version(version);
  *proto.mutable_policy() = policy;
  proto.set_digest(PolicyDigest(policy));
  return proto;
}

// What students see before the salts are revealed.
v1::Assignment SeenAssignment(const v1::PublishedAssignment& published, v1::CourseRole role) {
  v1::Assignment assignment = published.assignment();
  if (IsStaff(role)) return assignment;
  assignment.clear_warnings();
  assignment.clear_sealed_dataset();
  return assignment;
}

v1::DatasetCommitment* AddCommitment(const std::string& role, v1::PublishedAssignment* published) {
  v1::DatasetCommitment* commitment = published->mutable_assignment()->add_commitments();
  commitment->set_role(role);
  return commitment;
}

// Whether the newest version says all that `published` does, so that a call that is made again
// after a lost answer makes nothing. Warnings are of the moment, not of the version.
bool IsPublished(const v1::PublishedAssignment* newest, v1::PublishedAssignment published) {
  if (newest == nullptr) return false;
  v1::PublishedAssignment before = *newest;
  for (v1::Assignment* assignment : {before.mutable_assignment(), published.mutable_assignment()}) {
    assignment->clear_version();
    assignment->clear_publish_time();
    assignment->clear_commitments();
    assignment->clear_warnings();
  }
  return google::protobuf::util::MessageDifferencer::Equals(before, published);
}

// Whether what waits for the close waits for ever.
bool NeverCloses(const v1::Assignment& assignment) {
  return assignment.closes().empty() && !assignment.retired();
}

// What keeps the points of earlier versions back for ever, or ends that.
void WarnOfWithheld(size_t withheld, v1::Assignment* assignment) {
  if (withheld > 0 && assignment->retired()) {
    assignment->add_warnings(absl::StrCat("the points of ", withheld,
                                          " submissions that are withheld are told at once when "
                                          "the assignment is retired"));
  }
  if (withheld == 0 || !NeverCloses(*assignment)) return;
  assignment->add_warnings(
      absl::StrCat("the points of ", withheld,
                   " submissions are withheld until the assignment closes, and this version never "
                   "does; give closes"));
}

absl::StatusOr<int> NextVersion(const CourseState& state, const std::string& assignment) {
  constexpr size_t kAssignmentsMax{limits::kAssignmentsMax};
  const auto versions = state.assignments.find(assignment);
  const size_t count = versions == state.assignments.end() ? 0 : versions->second.size();
  if (count >= kVersionsMax || (count == 0 && state.assignments.size() >= kAssignmentsMax)) {
    return MakeError(absl::StatusCode::kResourceExhausted,
                     "the course has too many assignments, or versions of one",
                     {.reason = ErrorReason::kTooLarge,
                      .in_force = absl::StrCat("at most ", kAssignmentsMax, " assignments of ",
                                               kVersionsMax, " versions")});
  }
  return static_cast<int>(count) + 1;
}

absl::Status InsertDatasets(Connection& connection, const AssignmentName& name,
                            const v1::Assignment& assignment) {
  for (const std::string& dataset :
       {assignment.training_dataset(), assignment.public_dataset(), assignment.sealed_dataset()}) {
    if (dataset.empty()) continue;
    TY_RETURN_IF_ERROR(InsertAssignmentDataset(connection, name, assignment.version(), dataset));
  }
  return absl::OkStatus();
}

// A dataset in one role, whose rows may be in the data of another.
struct Overlap {
  const v1::Dataset& data;   // what is measured on
  const v1::Dataset& known;  // what is told of
  absl::string_view role;    // of `known`
};

absl::Status WarnOfCommonRows(const v1::TrainingSpec& resolved, const Overlap& overlap,
                              DatasetStore* datasets, v1::Assignment* assignment) {
  TY_ASSIGN_OR_RETURN(const Table known, datasets->LoadTable(overlap.known, /*check_cells=*/false));
  TY_ASSIGN_OR_RETURN(const Table data, datasets->LoadTable(overlap.data, /*check_cells=*/false));
  const std::vector<std::string> features(resolved.feature_columns().begin(),
                                          resolved.feature_columns().end());
  const absl::StatusOr<CommonRows> common = FindCommonRows(known, data, features);
  if (!common.ok() || common->sealed_rows == 0) return absl::OkStatus();
  assignment->add_warnings(absl::StrCat(common->sealed_rows, " rows of ", overlap.data.name(),
                                        " are in the ", overlap.role, " data, too"));
  return absl::OkStatus();
}

// The leaderboard tells of the public rows: points must be of others.
absl::Status CheckIsNotPublic(const v1::TrainingSpec& resolved, DatasetStore* datasets,
                              v1::PublishedAssignment* published, Violations* violations) {
  v1::Assignment& assignment = *published->mutable_assignment();
  if (assignment.public_dataset().empty() || assignment.sealed_dataset().empty()) {
    return absl::OkStatus();
  }
  // Whatever it has, it may be retired.
  if (assignment.retired()) return absl::OkStatus();
  if (published->sealed_table_digest() == published->public_table_digest()) {
    violations->push_back({"assignment.sealed_dataset",
                           absl::StrCat(assignment.sealed_dataset(),
                                        " is the public data, which the leaderboard tells of; give "
                                        "rows that students see nothing of")});
    return absl::OkStatus();
  }
  TY_ASSIGN_OR_RETURN(const v1::Dataset known, datasets->Get(assignment.public_dataset()));
  TY_ASSIGN_OR_RETURN(const v1::Dataset sealed, datasets->Get(assignment.sealed_dataset()));
  return WarnOfCommonRows(resolved, {.data = sealed, .known = known, .role = "public"}, datasets,
                          &assignment);
}

absl::Status NotToBeRevealed(absl::string_view why, absl::string_view hint) {
  return MakeError(absl::StatusCode::kFailedPrecondition, why,
                   {.reason = ErrorReason::kInvalidState, .hint = std::string(hint)});
}

// That nobody submits any more: neither to the assignment, nor to another on sealed data of any of
// its versions, all of which a reveal tells of.
absl::Status CheckMayReveal(const CourseState& state, const std::string& id, absl::Time now) {
  const v1::Assignment& newest = state.Find(id)->assignment();
  if (LastClose(state, newest, now) > now) {
    return NotToBeRevealed(
        absl::StrCat(newest.name(), " has not closed for everybody"),
        NeverCloses(newest) ? "without closes it never does; publish a version that has closes, or "
                              "one that is retired"
                            : "wait until closes and the last extension are over, or retire it");
  }
  std::set<std::string> tables;
  for (const v1::PublishedAssignment& version : state.assignments.at(id)) {
    if (!version.sealed_table_digest().empty()) tables.insert(version.sealed_table_digest());
  }
  for (const std::string& other : state.assignment_order) {
    const v1::PublishedAssignment& published = *state.Find(other);
    const bool same = other != id && tables.contains(published.sealed_table_digest());
    if (!same || LastClose(state, published.assignment(), now) <= now) continue;
    return NotToBeRevealed(absl::StrCat(published.assignment().name(),
                                        ", which has not closed, has the same sealed data"),
                           "wait until it has closed for everybody, too, or retire it");
  }
  return absl::OkStatus();
}

// Typos are enrolled, too: whose user is not there yet may get one later.
void WarnOfUnknownUsers(const Users& users,
                        const google::protobuf::RepeatedPtrField<v1::Enrolment>& enrolments,
                        v1::Roster* roster) {
  if (users.open()) return;  // everyone is "local"
  std::vector<std::string> unknown;
  for (const v1::Enrolment& enrolment : enrolments) {
    if (!users.Has(enrolment.user())) unknown.push_back(enrolment.user());
  }
  if (unknown.empty()) return;
  const size_t named = std::min(unknown.size(), kUnknownUsersNamed);
  const size_t more = unknown.size() - named;
  unknown.resize(named);
  roster->add_warnings(absl::StrCat("no such user: ", absl::StrJoin(unknown, ", "),
                                    more == 0 ? "" : absl::StrCat(" and ", more, " more"),
                                    "; mistyped, or an administrator must make them first"));
}

absl::Status NoAssignment(const std::string& name) {
  return NoSuch(name, "`trainyard assignment list` shows what there is");
}

}  // namespace

grpc::ServerUnaryReactor* CourseService::CreateCourse(grpc::CallbackServerContext* call,
                                                      const v1::CreateCourseRequest* request,
                                                      v1::Course* response) {
  return Serve(rpc_, call, "/trainyard.v1.CourseService/CreateCourse", rpc_.quick, request,
               response, [=, this](const Principal& principal) {
                 return Store(Create(*request, principal), response);
               });
}

absl::StatusOr<v1::Course> CourseService::Create(const v1::CreateCourseRequest& request,
                                                 const Principal& principal) {
  const bool may = principal.admin() || principal.role == v1::USER_ROLE_INSTRUCTOR;
  if (!may || !principal.course.empty()) return NoPermission(request.course().name());
  Violations violations;
  CheckRequestId(request.request_id(), &violations);
  CheckNewCourse(request.course(), &violations);
  TY_RETURN_IF_ERROR(InvalidRequest(std::move(violations)));
  const MadeRequest made = MadeRequest::Of(principal.owner, "CreateCourse", request);
  TY_ASSIGN_OR_RETURN(const std::optional<std::string> before, made.Find(database_));
  if (before.has_value()) return Get(*before, principal);

  v1::CourseEvent created;
  v1::Course& course = *created.mutable_course_created();
  course.set_name(request.course().name());
  course.set_display_name(request.course().display_name());
  course.set_time_zone(request.course().time_zone().empty() ? kTimeZoneDefault
                                                            : request.course().time_zone());
  course.set_two_person_finals(request.course().two_person_finals());
  TY_ASSIGN_OR_RETURN(const v1::GradingPolicy policy,
                      ResolveFor(request.policy(), course.time_zone()));
  v1::CourseEvent policy_set;
  *policy_set.mutable_policy_set() = VersionOf(policy, 1);
  v1::CourseEvent roster;
  v1::Enrolment& creator = *roster.mutable_roster_changed()->add_enrolments();
  creator.set_user(principal.owner);
  creator.set_role(v1::COURSE_ROLE_INSTRUCTOR);
  TY_ASSIGN_OR_RETURN(const std::string id, ParseCourseName("course.name", course.name()));
  const std::string name = course.name();
  TY_RETURN_IF_ERROR(courses_->Create(
      id, principal.owner, {std::move(created), std::move(policy_set), std::move(roster)},
      [&](Connection& connection) { return made.Remember(connection, name); }));
  return Get(name, principal);
}

grpc::ServerUnaryReactor* CourseService::GetCourse(grpc::CallbackServerContext* call,
                                                   const v1::GetCourseRequest* request,
                                                   v1::Course* response) {
  return Serve(rpc_, call, "/trainyard.v1.CourseService/GetCourse", rpc_.quick, response,
               [=, this](const Principal& principal) {
                 return Store(Get(request->name(), principal), response);
               });
}

absl::StatusOr<v1::Course> CourseService::Get(const std::string& name,
                                              const Principal& principal) const {
  TY_ASSIGN_OR_RETURN(const std::string id, ParseCourseName("name", name));
  TY_RETURN_IF_ERROR(CheckCourse(*courses_, principal, id, CourseRight::kMember));
  v1::Course course;
  TY_RETURN_IF_ERROR(courses_->Read(id, [&](const CourseState& state) {
    course = SeenBy(state, principal);
    return absl::OkStatus();
  }));
  return course;
}

grpc::ServerUnaryReactor* CourseService::ListCourses(grpc::CallbackServerContext* call,
                                                     const v1::ListCoursesRequest* /*request*/,
                                                     v1::ListCoursesResponse* response) {
  return Serve(rpc_, call, "/trainyard.v1.CourseService/ListCourses", rpc_.quick, response,
               [=, this](const Principal& principal) {
                 *response = List(principal);
                 return absl::OkStatus();
               });
}

v1::ListCoursesResponse CourseService::List(const Principal& principal) const {
  v1::ListCoursesResponse response;
  for (const std::string& id : courses_->Courses()) {
    const absl::StatusOr<v1::Course> course = Get(CourseName(id), principal);
    if (course.ok()) *response.add_courses() = *course;
  }
  return response;
}

grpc::ServerUnaryReactor* CourseService::UpdateRoster(grpc::CallbackServerContext* call,
                                                      const v1::UpdateRosterRequest* request,
                                                      v1::Roster* response) {
  return Serve(rpc_, call, "/trainyard.v1.CourseService/UpdateRoster", rpc_.quick, request,
               response, [=, this](const Principal& principal) {
                 return Store(Update(*request, principal), response);
               });
}

absl::StatusOr<v1::Roster> CourseService::Update(const v1::UpdateRosterRequest& request,
                                                 const Principal& principal) {
  TY_ASSIGN_OR_RETURN(const std::string id, ParseCourseName("course", request.course()));
  TY_RETURN_IF_ERROR(CheckCourse(*courses_, principal, id, CourseRight::kInstructor));
  std::vector<std::string> absent;
  const auto decide = [&](const CourseState& state) -> absl::StatusOr<CourseStore::Events> {
    Violations violations;
    CheckRosterUpdate(state, request, &violations);
    TY_RETURN_IF_ERROR(InvalidRequest(std::move(violations)));
    for (const std::string& user : request.removed_users()) {
      if (!state.roster.contains(user)) absent.push_back(user);
    }
    if (request.validate_only()) return CourseStore::Events{};
    v1::CourseEvent event;
    *event.mutable_roster_changed()->mutable_enrolments() = request.enrolments();
    *event.mutable_roster_changed()->mutable_removed_users() = request.removed_users();
    return CourseStore::Events{event};
  };
  TY_RETURN_IF_ERROR(courses_->Append(id, principal.owner, decide));
  TY_ASSIGN_OR_RETURN(v1::Roster roster, ReadRoster(id));
  // No fault: the call may be made again after a lost answer. A typo is told of.
  for (const std::string& user : absent) {
    roster.add_warnings(
        absl::StrCat("\"", user.substr(0, 63), "\" was to be removed, but was not in the roster"));
  }
  if (request.validate_only()) WarnOfUnknownUsers(*users_, request.enrolments(), &roster);
  return roster;
}

grpc::ServerUnaryReactor* CourseService::GetRoster(grpc::CallbackServerContext* call,
                                                   const v1::GetRosterRequest* request,
                                                   v1::Roster* response) {
  return Serve(rpc_, call, "/trainyard.v1.CourseService/GetRoster", rpc_.quick, response,
               [=, this](const Principal& principal) -> absl::Status {
                 TY_ASSIGN_OR_RETURN(const std::string id,
                                     ParseCourseName("course", request->course()));
                 TY_RETURN_IF_ERROR(CheckCourse(*courses_, principal, id, CourseRight::kStaff));
                 return Store(ReadRoster(id), response);
               });
}

absl::StatusOr<v1::Roster> CourseService::ReadRoster(const std::string& course) const {
  v1::Roster roster;
  TY_RETURN_IF_ERROR(courses_->Read(course, [&](const CourseState& state) {
    for (const auto& [user, enrolment] : state.roster) *roster.add_enrolments() = enrolment;
    for (std::string& warning : RosterWarnings(state)) roster.add_warnings(std::move(warning));
    return absl::OkStatus();
  }));
  WarnOfUnknownUsers(*users_, roster.enrolments(), &roster);
  return roster;
}

grpc::ServerUnaryReactor* CourseService::SetPolicy(grpc::CallbackServerContext* call,
                                                   const v1::SetPolicyRequest* request,
                                                   v1::SetPolicyResponse* response) {
  return Serve(rpc_, call, "/trainyard.v1.CourseService/SetPolicy", rpc_.heavy, request, response,
               [=, this](const Principal& principal) {
                 return Store(Set(*request, principal), response);
               });
}

absl::StatusOr<v1::SetPolicyResponse> CourseService::Set(const v1::SetPolicyRequest& request,
                                                         const Principal& principal) {
  TY_ASSIGN_OR_RETURN(const std::string id, ParseCourseName("course", request.course()));
  TY_RETURN_IF_ERROR(CheckCourse(*courses_, principal, id, CourseRight::kInstructor));
  v1::SetPolicyResponse response;
  const auto decide = [&](const CourseState& state) -> absl::StatusOr<CourseStore::Events> {
    TY_ASSIGN_OR_RETURN(const v1::GradingPolicy policy,
                        ResolveFor(request.policy(), state.course.time_zone()));
    const BookOptions now{.as_of = absl::Now()};
    TY_ASSIGN_OR_RETURN(const Gradebook before,
                        BookOf(state, FindPolicy(state, 0)->policy(), now));
    TY_ASSIGN_OR_RETURN(const Gradebook after, BookOf(state, policy, now));
    *response.mutable_changes() = ChangesToProto(before, after);
    for (const BookWarning& warning : after.warnings) response.add_warnings(warning.text);
    *response.mutable_policy() = VersionOf(policy, 0);
    if (request.validate_only()) return CourseStore::Events{};
    // The call may be made again after a lost answer.
    const v1::PolicyVersion& in_force = *FindPolicy(state, 0);
    if (in_force.digest() == response.policy().digest()) {
      *response.mutable_policy() = in_force;
      return CourseStore::Events{};
    }
    const int version = static_cast<int>(state.policies.size()) + 1;
    *response.mutable_policy() = VersionOf(policy, version);
    v1::CourseEvent event;
    *event.mutable_policy_set() = response.policy();
    return CourseStore::Events{event};
  };
  TY_RETURN_IF_ERROR(courses_->Append(id, principal.owner, decide));
  return response;
}

grpc::ServerUnaryReactor* CourseService::GetPolicy(grpc::CallbackServerContext* call,
                                                   const v1::GetPolicyRequest* request,
                                                   v1::PolicyVersion* response) {
  return Serve(rpc_, call, "/trainyard.v1.CourseService/GetPolicy", rpc_.quick, response,
               [=, this](const Principal& principal) {
                 return Store(ReadPolicy(*request, principal), response);
               });
}

absl::StatusOr<v1::PolicyVersion> CourseService::ReadPolicy(const v1::GetPolicyRequest& request,
                                                            const Principal& principal) const {
  TY_ASSIGN_OR_RETURN(const std::string id, ParseCourseName("course", request.course()));
  TY_RETURN_IF_ERROR(CheckCourse(*courses_, principal, id, CourseRight::kMember));
  v1::PolicyVersion version;
  TY_RETURN_IF_ERROR(courses_->Read(id, [&](const CourseState& state) -> absl::Status {
    const v1::PolicyVersion* found = FindPolicy(state, request.version());
    if (found == nullptr) {
      return NoSuch(absl::StrCat("version ", request.version(), " of the policy"),
                    absl::StrCat("give 1 to ", state.policies.size(), ", or 0 for the one in force"));
    }
    version = *found;
    return absl::OkStatus();
  }));
  return version;
}

grpc::ServerUnaryReactor* CourseService::PublishAssignment(
    grpc::CallbackServerContext* call, const v1::PublishAssignmentRequest* request,
    v1::Assignment* response) {
  return Serve(rpc_, call, "/trainyard.v1.CourseService/PublishAssignment", rpc_.heavy, request,
               response, [=, this](const Principal& principal) {
                 return Store(Publish(*request, principal), response);
               });
}

absl::StatusOr<v1::Assignment> CourseService::Publish(const v1::PublishAssignmentRequest& request,
                                                      const Principal& principal) {
  TY_ASSIGN_OR_RETURN(const AssignmentName name,
                      ParseAssignmentName("assignment.name", request.assignment().name()));
  TY_RETURN_IF_ERROR(CheckCourse(*courses_, principal, name.course, CourseRight::kInstructor));
  std::string time_zone;
  v1::Assignment newest;
  size_t withheld = 0;
  TY_RETURN_IF_ERROR(courses_->Read(name.course, [&](const CourseState& state) {
    time_zone = state.course.time_zone();
    const v1::PublishedAssignment* const found = state.Find(name.assignment);
    if (found != nullptr) newest = found->assignment();
    const auto unreleased = state.unreleased.find(name.assignment);
    if (unreleased != state.unreleased.end()) withheld = unreleased->second.size();
    return absl::OkStatus();
  }));
  Violations violations;
  CheckAssignmentForm(request.assignment(), time_zone, &violations);
  TY_RETURN_IF_ERROR(InvalidRequest(std::move(violations)));
  TY_RETURN_IF_ERROR(CheckMayUse(request.assignment(), newest, principal));
  TY_ASSIGN_OR_RETURN(v1::PublishedAssignment published, Prepare(request.assignment()));
  WarnOfWithheld(withheld, published.mutable_assignment());
  if (request.validate_only()) return published.assignment();
  bool is_new = true;
  std::vector<std::pair<std::string, std::string>> salts;
  const auto decide = [&](const CourseState& state) -> absl::StatusOr<CourseStore::Events> {
    const v1::PublishedAssignment* const before = state.Find(name.assignment);
    is_new = !IsPublished(before, published);
    if (!is_new) {
      published = *before;
      return CourseStore::Events{};
    }
    TY_ASSIGN_OR_RETURN(const int version, NextVersion(state, name.assignment));
    published.mutable_assignment()->set_version(version);
    TY_RETURN_IF_ERROR(Commit(&published, &salts));
    v1::CourseEvent event;
    *event.mutable_assignment_published() = published;
    return CourseStore::Events{event};
  };
  const auto also = [&](Connection& connection) -> absl::Status {
    if (!is_new) return absl::OkStatus();
    for (const auto& [salt_name, salt] : salts) {
      TY_RETURN_IF_ERROR(WriteSecret(connection, salt_name, salt));
    }
    return InsertDatasets(connection, name, published.assignment());
  };
  TY_RETURN_IF_ERROR(courses_->Append(name.course, principal.owner, decide, also));
  return published.assignment();
}

absl::Status CourseService::CheckMayUse(const v1::Assignment& assignment,
                                        const v1::Assignment& newest,
                                        const Principal& principal) const {
  // By role: sealed data must not become training data, which members may read.
  const auto check = [&](const std::string& dataset, const std::string& before) {
    if (dataset == before) return absl::OkStatus();
    return rpc_.access->CheckReadIfNamed(principal, dataset);
  };
  TY_RETURN_IF_ERROR(check(assignment.training_dataset(), newest.training_dataset()));
  TY_RETURN_IF_ERROR(check(assignment.public_dataset(), newest.public_dataset()));
  return check(assignment.sealed_dataset(), newest.sealed_dataset());
}

absl::StatusOr<v1::PublishedAssignment> CourseService::Prepare(
    const v1::Assignment& assignment) const {
  Violations violations;
  TY_ASSIGN_OR_RETURN(const v1::TrainingSpec resolved,
                      admission_->ResolveBase(assignment, &violations));
  v1::PublishedAssignment published;
  *published.mutable_assignment() = ResolveAssignment(assignment, resolved.task());
  TY_RETURN_IF_ERROR(CheckData(resolved, &published, &violations));
  const RuleFindings findings =
      CheckScoreRule(RuleOf(published.assignment()), MetricOf(published.assignment()),
                     std::max<int64_t>(published.evaluation_row_count(), 1), "assignment.score_rule");
  violations.insert(violations.end(), findings.violations.begin(), findings.violations.end());
  for (const std::string& warning : findings.warnings) {
    published.mutable_assignment()->add_warnings(warning);
  }
  if (NeverCloses(published.assignment()) && HasLeakLimit(published.assignment())) {
    published.mutable_assignment()->add_warnings(
        "points beyond leak_limits are told when the assignment closes, and this one never does");
  }
  if (!violations.empty()) {
    return MakeViolationsError(ErrorReason::kInvalidSpec, std::move(violations));
  }
  return published;
}

absl::Status CourseService::CheckData(const v1::TrainingSpec& resolved,
                                      v1::PublishedAssignment* published,
                                      Violations* violations) const {
  v1::Assignment& assignment = *published->mutable_assignment();
  TY_ASSIGN_OR_RETURN(const v1::Dataset training, datasets_->Get(assignment.training_dataset()));
  published->set_training_table_digest(training.table_digest());
  assignment.set_training_row_count(training.row_count());
  const auto look = [&](const std::string& name, bool must_be_sealed,
                        std::string* digest) -> absl::Status {
    if (name.empty()) return absl::OkStatus();
    TY_ASSIGN_OR_RETURN(const v1::Dataset data, datasets_->Get(name));
    if (data.state() != v1::Dataset::READY) return CheckReady(data);
    const std::string field = must_be_sealed ? "assignment.sealed_dataset"
                                             : "assignment.public_dataset";
    if (must_be_sealed && !data.sealed()) {
      violations->push_back(
          {field, absl::StrCat(name, " is not sealed; `trainyard dataset seal ", name, "` does it, for good")});
    }
    if (data.row_count() < kScoreRowsMin) {
      violations->push_back({field, absl::StrCat(name, " has too few rows to measure anything on")});
    }
    const size_t own = violations->size();
    CheckTestFits(resolved, training, data, violations);
    for (size_t i = own; i < violations->size(); ++i) (*violations)[i].field = field;
    *digest = data.table_digest();
    published->set_evaluation_row_count(data.row_count());
    if (data.table_digest() == training.table_digest()) {
      assignment.add_warnings(absl::StrCat(name, " is the training data: a network that learns it by heart has full points"));
      return absl::OkStatus();
    }
    return WarnOfCommonRows(resolved, {.data = data, .known = training, .role = "training"},
                            datasets_, &assignment);
  };
  TY_RETURN_IF_ERROR(look(assignment.public_dataset(), false,
                          published->mutable_public_table_digest()));
  TY_RETURN_IF_ERROR(look(assignment.sealed_dataset(), true,
                          published->mutable_sealed_table_digest()));
  TY_RETURN_IF_ERROR(CheckIsNotPublic(resolved, datasets_, published, violations));
  if (assignment.sealed_dataset().empty()) {
    assignment.add_warnings(
        "without a sealed_dataset points are of the public data, which the leaderboard tells of");
  }
  return absl::OkStatus();
}

absl::Status CourseService::Commit(v1::PublishedAssignment* published,
                                   std::vector<std::pair<std::string, std::string>>* salts) const {
  v1::Assignment& assignment = *published->mutable_assignment();
  const auto commit = [&](const std::string& role, const std::string& dataset) -> absl::Status {
    if (dataset.empty()) return absl::OkStatus();
    TY_ASSIGN_OR_RETURN(const v1::Dataset data, datasets_->Get(dataset));
    std::string salt = NewSalt();
    TY_ASSIGN_OR_RETURN(
        std::string commitment,
        trainyard::Commit(salt, {.digest = data.table_digest(), .rows = data.row_count()}));
    AddCommitment(role, published)->set_commitment(std::move(commitment));
    salts->emplace_back(SaltName(assignment.name(), assignment.version(), role), std::move(salt));
    return absl::OkStatus();
  };
  TY_RETURN_IF_ERROR(commit("training", assignment.training_dataset()));
  TY_RETURN_IF_ERROR(commit("public", assignment.public_dataset()));
  return commit("sealed", assignment.sealed_dataset());
}

grpc::ServerUnaryReactor* CourseService::GetAssignment(grpc::CallbackServerContext* call,
                                                       const v1::GetAssignmentRequest* request,
                                                       v1::Assignment* response) {
  return Serve(rpc_, call, "/trainyard.v1.CourseService/GetAssignment", rpc_.quick, response,
               [=, this](const Principal& principal) {
                 return Store(ReadAssignment(*request, principal), response);
               });
}

absl::StatusOr<v1::Assignment> CourseService::ReadAssignment(
    const v1::GetAssignmentRequest& request, const Principal& principal) const {
  TY_ASSIGN_OR_RETURN(const AssignmentName name, ParseAssignmentName("name", request.name()));
  TY_RETURN_IF_ERROR(CheckCourse(*courses_, principal, name.course, CourseRight::kMember));
  v1::Assignment assignment;
  TY_RETURN_IF_ERROR(courses_->Read(name.course, [&](const CourseState& state) -> absl::Status {
    const v1::PublishedAssignment* found = state.Find(name.assignment, request.version());
    if (found == nullptr) return NoAssignment(request.name());
    assignment = SeenAssignment(*found, RoleIn(state, principal));
    return absl::OkStatus();
  }));
  return assignment;
}

grpc::ServerUnaryReactor* CourseService::ListAssignments(grpc::CallbackServerContext* call,
                                                         const v1::ListAssignmentsRequest* request,
                                                         v1::ListAssignmentsResponse* response) {
  return Serve(
      rpc_, call, "/trainyard.v1.CourseService/ListAssignments", rpc_.quick, response,
      [=, this](const Principal& principal) -> absl::Status {
        TY_ASSIGN_OR_RETURN(const std::string id, ParseCourseName("course", request->course()));
        TY_RETURN_IF_ERROR(CheckCourse(*courses_, principal, id, CourseRight::kMember));
        return courses_->Read(id, [&](const CourseState& state) {
          for (const std::string& assignment : state.assignment_order) {
            *response->add_assignments() =
                SeenAssignment(*state.Find(assignment), RoleIn(state, principal));
          }
          return absl::OkStatus();
        });
      });
}

grpc::ServerUnaryReactor* CourseService::RevealCommitments(
    grpc::CallbackServerContext* call, const v1::RevealCommitmentsRequest* request,
    v1::Assignment* response) {
  return Serve(rpc_, call, "/trainyard.v1.CourseService/RevealCommitments", rpc_.quick, request,
               response, [=, this](const Principal& principal) {
                 return Store(Reveal(*request, principal), response);
               });
}

absl::StatusOr<v1::Assignment> CourseService::Reveal(const v1::RevealCommitmentsRequest& request,
                                                     const Principal& principal) {
  TY_ASSIGN_OR_RETURN(const AssignmentName name, ParseAssignmentName("name", request.name()));
  TY_RETURN_IF_ERROR(CheckCourse(*courses_, principal, name.course, CourseRight::kInstructor));
  std::vector<v1::PublishedAssignment> versions;
  TY_RETURN_IF_ERROR(courses_->Read(name.course, [&](const CourseState& state) -> absl::Status {
    const auto found = state.assignments.find(name.assignment);
    if (found == state.assignments.end()) return NoAssignment(request.name());
    versions = found->second;
    return absl::OkStatus();
  }));
  v1::CourseEvent event;
  v1::CommitmentsRevealed& revealed = *event.mutable_commitments_revealed();
  revealed.set_assignment(name.assignment);
  for (const v1::PublishedAssignment& version : versions) {
    for (v1::DatasetCommitment commitment : version.assignment().commitments()) {
      const std::string& role = commitment.role();
      const v1::Assignment& assignment = version.assignment();
      const std::string& dataset = role == "training" ? assignment.training_dataset()
                                   : role == "public" ? assignment.public_dataset()
                                                      : assignment.sealed_dataset();
      TY_ASSIGN_OR_RETURN(const v1::Dataset data, datasets_->Get(dataset));
      commitment.set_table_digest(data.table_digest());
      commitment.set_row_count(data.row_count());
      const absl::Status read = database_->Read([&](Connection& connection) -> absl::Status {
        TY_ASSIGN_OR_RETURN(
            const std::optional<std::string> salt,
            FindSecret(connection, SaltName(assignment.name(), assignment.version(), role)));
        commitment.set_salt(salt.value_or(""));
        return absl::OkStatus();
      });
      TY_RETURN_IF_ERROR(read);
      *revealed.add_commitments() = std::move(commitment);
    }
  }
  const auto decide = [&](const CourseState& state) -> absl::StatusOr<CourseStore::Events> {
    TY_RETURN_IF_ERROR(CheckMayReveal(state, name.assignment, absl::Now()));
    return CourseStore::Events{event};
  };
  TY_RETURN_IF_ERROR(courses_->Append(name.course, principal.owner, decide));
  v1::GetAssignmentRequest newest;
  newest.set_name(request.name());
  return ReadAssignment(newest, principal);
}

}  // namespace trainyard
