#include "client/call_and_show.h"
#include "client/describe_course.h"
#include "client/field_flags.h"
#include "client/message_input.h"
#include "client/render.h"
#include "client/resource_names.h"
#include "client/upload.h"
#include "core/base/error_info.h"

namespace trainyard {
namespace {

using Stub = v1::CourseService::Stub;

constexpr char kCourseHelp[] = "courses/ID or ID";

constexpr FlagSpec kCreateFlags[] = {
    {"--name", "course.display_name", "TEXT", "Name for people"},
    {"--time-zone", "course.time_zone", "ZONE",
     "IANA zone in which deadlines are meant (default Europe/Moscow)"},
    {"--two-person-finals", "course.two_person_finals", "",
     "A final grade that staff set counts once a second instructor has confirmed it"},
    {"--request-id", "request_id", "UUID", "The same course given twice is made once"}};

constexpr FlagSpec kEnrolmentFlags[] = {
    {"--user", "user", "USER", "Id of one user to put in"},
    {"--role", "role", "ROLE", "instructor, grader, student or viewer"},
    {"--full-name", "full_name", "TEXT", "As it stands in exports"},
    {"--programme", "programme", "TEXT", "Programme of study"},
    {"--group", "group", "TEXT", "Group"},
    {"--github-login", "external.github_login", "LOGIN", "For check runs"},
    {"--github-repository-ids", "external.github_repository_ids", "ID,...",
     "Repositories whose jobs may submit without a token"},
    {"--email", "external.email", "ADDRESS", "For Moodle"},
    {"--canvas-id", "external.canvas_id", "ID", "Canvas's ID"},
    {"--lti-user-id", "external.lti_user_id", "ID", "The platform's sub, for LTI scores"}};

struct CourseOptions {
  std::string course;
  FieldFlags flags;
  std::string path;     // of a file
  bool dry = false;     // --preview, --validate-only
  int32_t version = 0;  // of a policy
  std::vector<std::string> users;
  int64_t start_sequence = 1;
  int32_t limit = 1000;
};

ExitOr RunCreate(Session& session, const CourseOptions& options) {
  v1::CreateCourseRequest request;
  TY_RETURN_IF_ERROR(ApplyFlags(options.flags, &request));
  request.mutable_course()->set_name(CourseName(options.course));
  if (request.request_id().empty()) request.set_request_id(NewRequestId());
  if (!options.path.empty()) {
    TY_RETURN_IF_ERROR(ReadYamlFile(options.path, request.mutable_policy()));
  }
  return CallAndShow(session, session.remote.courses(), &Stub::CreateCourse, request,
                     &DescribeCourse);
}

ExitOr RunList(Session& session, const CourseOptions&) {
  return CallAndShow(session, session.remote.courses(), &Stub::ListCourses,
                     v1::ListCoursesRequest(), &DescribeCourses);
}

ExitOr RunShow(Session& session, const CourseOptions& options) {
  v1::GetCourseRequest request;
  request.set_name(CourseName(options.course));
  return CallAndShow(session, session.remote.courses(), &Stub::GetCourse, request, &DescribeCourse);
}

// A file of many, or the flags of one.
absl::StatusOr<v1::Roster> EnrolmentsOf(const CourseOptions& options) {
  if (!options.path.empty() && options.flags.empty()) return ReadRosterFile(options.path);
  v1::Roster roster;
  TY_RETURN_IF_ERROR(ApplyFlags(options.flags, roster.add_enrolments()));
  const v1::Enrolment& only = roster.enrolments(0);
  const bool complete = !only.user().empty() && only.role() != v1::COURSE_ROLE_UNSPECIFIED;
  if (complete && options.path.empty()) return roster;
  return UsageError("course enrol: who is to be put in is not clear",
                    {.reason = ErrorReason::kInvalidRequest,
                     .hint = "give either --roster FILE, or --user and --role of one"});
}

ExitOr UpdateRoster(Session& session, const v1::UpdateRosterRequest& request) {
  return CallAndShow(session, session.remote.courses(), &Stub::UpdateRoster, request,
                     &DescribeRoster);
}

ExitOr RunEnrol(Session& session, const CourseOptions& options) {
  v1::UpdateRosterRequest request;
  request.set_course(CourseName(options.course));
  request.set_validate_only(options.dry);
  TY_ASSIGN_OR_RETURN(v1::Roster roster, EnrolmentsOf(options));
  request.mutable_enrolments()->Swap(roster.mutable_enrolments());
  return UpdateRoster(session, request);
}

ExitOr RunRemove(Session& session, const CourseOptions& options) {
  v1::UpdateRosterRequest request;
  request.set_course(CourseName(options.course));
  for (const std::string& user : options.users) request.add_removed_users(user);
  return UpdateRoster(session, request);
}

ExitOr RunRoster(Session& session, const CourseOptions& options) {
  v1::GetRosterRequest request;
  request.set_course(CourseName(options.course));
  return CallAndShow(session, session.remote.courses(), &Stub::GetRoster, request, &DescribeRoster);
}

ExitOr RunPolicy(Session& session, const CourseOptions& options) {
  v1::GetPolicyRequest request;
  request.set_course(CourseName(options.course));
  request.set_version(options.version);
  return CallAndShow(session, session.remote.courses(), &Stub::GetPolicy, request, &DescribePolicy);
}

ExitOr RunSetPolicy(Session& session, const CourseOptions& options) {
  v1::SetPolicyRequest request;
  request.set_course(CourseName(options.course));
  request.set_validate_only(options.dry);
  TY_RETURN_IF_ERROR(ReadYamlFile(options.path, request.mutable_policy()));
  return CallAndShow(session, session.remote.courses(), &Stub::SetPolicy, request,
                     &DescribePolicyChange);
}

ExitOr RunEvents(Session& session, const CourseOptions& options) {
  v1::ListCourseEventsRequest request;
  request.set_course(CourseName(options.course));
  request.set_start_sequence(options.start_sequence);
  request.set_page_size(options.limit);
  return CallAndShow(session, session.remote.grades(), &v1::GradeService::Stub::ListCourseEvents,
                     request, &DescribeCourseEvents);
}

// A command whose first argument is the course; `*options` are its own.
CLI::App* AddCourseCommand(CLI::App* group, const char* name, const char* help,
                           const std::shared_ptr<CourseOptions>& options,
                           ExitOr (*run)(Session&, const CourseOptions&), Command* chosen) {
  CLI::App* const command = AddCommand(group, name, help, options, run, chosen);
  command->add_option("COURSE", options->course, kCourseHelp)->required();
  return command;
}

void AddCreate(CLI::App* group, Command* chosen) {
  auto options = std::make_shared<CourseOptions>();
  CLI::App* const command =
      AddCourseCommand(group, "create", "Make a course", options, &RunCreate, chosen);
  AddFieldFlags(*command, "Course", kCreateFlags, *v1::CreateCourseRequest::descriptor(),
                &options->flags);
  command
      ->add_option("--policy", options->path,
                   "YAML file with the fields of trainyard.v1.GradingPolicy (default: the preset "
                   "hse)")
      ->type_name("FILE");
}

void AddRosterCommands(CLI::App* group, Command* chosen) {
  auto enrol = std::make_shared<CourseOptions>();
  CLI::App* const command = AddCourseCommand(
      group, "enrol", "Put members into the roster, or replace what is said of them", enrol,
      &RunEnrol, chosen);
  command
      ->add_option("--roster", enrol->path,
                   "CSV with the columns user, role and others of trainyard.v1.Enrolment, or YAML")
      ->type_name("FILE");
  AddFieldFlags(*command, "One member", kEnrolmentFlags, *v1::Enrolment::descriptor(),
                &enrol->flags);
  command->add_flag("--validate-only", enrol->dry, "Check everything, change nothing");
  auto removed = std::make_shared<CourseOptions>();
  AddCourseCommand(group, "remove", "Take users out of the roster; what they did stays in the log",
                   removed, &RunRemove, chosen)
      ->add_option("USER", removed->users, "Ids of users")
      ->required();
  AddCourseCommand(group, "roster", "Show who is in a course", std::make_shared<CourseOptions>(),
                   &RunRoster, chosen);
}

void AddPolicyCommands(CLI::App* group, Command* chosen) {
  auto policy = std::make_shared<CourseOptions>();
  AddCourseCommand(group, "policy", "Show the grading policy as YAML that set-policy takes", policy,
                   &RunPolicy, chosen)
      ->add_option("--version", policy->version, "An earlier one (default: that in force)")
      ->check(CLI::PositiveNumber);
  auto setter = std::make_shared<CourseOptions>();
  CLI::App* const command = AddCourseCommand(
      group, "set-policy", "Put another grading policy into force; shows whose grade changes",
      setter, &RunSetPolicy, chosen);
  command
      ->add_option("FILE", setter->path, "YAML file with the fields of trainyard.v1.GradingPolicy")
      ->required();
  command->add_flag("--preview", setter->dry, "Show whose grade would change, change nothing");
}

}  // namespace

void AddCourseCommands(CLI::App* app, Command* chosen) {
  CLI::App* const group = AddGroup(app, "course", "Courses, their rosters and policies");
  AddCreate(group, chosen);
  AddCommand(group, "list", "List the courses that you are a member of",
             std::make_shared<CourseOptions>(), &RunList, chosen);
  AddCourseCommand(group, "show", "Show a course", std::make_shared<CourseOptions>(), &RunShow,
                   chosen);
  AddRosterCommands(group, chosen);
  AddPolicyCommands(group, chosen);
  auto events = std::make_shared<CourseOptions>();
  CLI::App* const eventer = AddCourseCommand(group, "events", "Show everything that decided grades",
                                             events, &RunEvents, chosen);
  eventer->add_option("--from", events->start_sequence, "First event wanted")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  eventer->add_option("--limit", events->limit, "At most this many")
      ->check(CLI::Range(1, 10'000))
      ->capture_default_str();
}

}  // namespace trainyard
