#include "client/call_and_show.h"
#include "client/describe_course.h"
#include "client/describe_submission.h"
#include "client/message_input.h"
#include "client/render.h"
#include "client/resource_names.h"

namespace trainyard {
namespace {

using Stub = v1::CourseService::Stub;
using SubmissionStub = v1::SubmissionService::Stub;

struct AssignmentOptions {
  std::string name;
  std::string path;
  bool validate_only = false;
  int32_t version = 0;
};

ExitOr RunPublish(Session& session, const AssignmentOptions& options) {
  v1::PublishAssignmentRequest request;
  request.set_validate_only(options.validate_only);
  v1::Assignment& assignment = *request.mutable_assignment();
  TY_RETURN_IF_ERROR(ReadYamlFile(options.path, &assignment));
  assignment.set_name(AssignmentName(assignment.name()));
  const char* const head =
      options.validate_only ? "the assignment is valid; nothing was published\n" : "published\n";
  return CallAndShow(session, session.remote.courses(), &Stub::PublishAssignment, request,
                     [head](const v1::Assignment& answer) {
                       return absl::StrCat(head, DescribeAssignment(answer));
                     });
}

ExitOr RunList(Session& session, const AssignmentOptions& options) {
  v1::ListAssignmentsRequest request;
  request.set_course(CourseName(options.name));
  return CallAndShow(session, session.remote.courses(), &Stub::ListAssignments, request,
                     &DescribeAssignments);
}

ExitOr RunShow(Session& session, const AssignmentOptions& options) {
  v1::GetAssignmentRequest request;
  request.set_name(AssignmentName(options.name));
  request.set_version(options.version);
  return CallAndShow(session, session.remote.courses(), &Stub::GetAssignment, request,
                     &DescribeAssignment);
}

ExitOr RunReveal(Session& session, const AssignmentOptions& options) {
  v1::RevealCommitmentsRequest request;
  request.set_name(AssignmentName(options.name));
  return CallAndShow(session, session.remote.courses(), &Stub::RevealCommitments, request,
                     &DescribeAssignment);
}

ExitOr RunLeaderboard(Session& session, const AssignmentOptions& options) {
  v1::GetLeaderboardRequest request;
  request.set_assignment(AssignmentName(options.name));
  return CallAndShow(session, session.remote.submissions(), &SubmissionStub::GetLeaderboard,
                     request, &DescribeLeaderboard);
}

ExitOr RunIntegrity(Session& session, const AssignmentOptions& options) {
  v1::GetIntegrityReportRequest request;
  request.set_assignment(AssignmentName(options.name));
  return CallAndShow(session, session.remote.submissions(), &SubmissionStub::GetIntegrityReport,
                     request, &DescribeIntegrity);
}

std::shared_ptr<AssignmentOptions> AddNamed(CLI::App* group, const char* name, const char* help,
                                            ExitOr (*run)(Session&, const AssignmentOptions&),
                                            Command* chosen) {
  auto options = std::make_shared<AssignmentOptions>();
  AddCommand(group, name, help, options, run, chosen)
      ->add_option("ASSIGNMENT", options->name, "COURSE/ID, or the full name")
      ->required();
  return options;
}

}  // namespace

void AddAssignmentCommands(CLI::App* app, Command* chosen) {
  CLI::App* const group = AddGroup(app, "assignment", "Tasks of courses");
  auto publish = std::make_shared<AssignmentOptions>();
  CLI::App* const publisher = AddCommand(
      group, "publish", "Publish an assignment, or its next version", publish, &RunPublish, chosen);
  publisher
      ->add_option("FILE", publish->path,
                   "YAML file with the fields of trainyard.v1.Assignment; name may be COURSE/ID")
      ->required();
  publisher->add_flag("--validate-only", publish->validate_only,
                      "Check everything, publish nothing");
  auto list = std::make_shared<AssignmentOptions>();
  AddCommand(group, "list", "List the assignments of a course", list, &RunList, chosen)
      ->add_option("COURSE", list->name, "courses/ID or ID")
      ->required();
  auto show = AddNamed(group, "show", "Show an assignment", &RunShow, chosen);
  group->get_subcommand("show")
      ->add_option("--version", show->version, "An earlier one (default: the newest)")
      ->check(CLI::PositiveNumber);
  AddNamed(group, "reveal",
           "Reveal the salts of its commitments, so that everybody can check the datasets; after "
           "it has closed",
           &RunReveal, chosen);
  AddNamed(group, "leaderboard", "Show the best public scores, under pseudonyms", &RunLeaderboard,
           chosen);
  AddNamed(group, "integrity",
           "Show what was learned of evaluation data, and who submitted the same", &RunIntegrity,
           chosen);
}

}  // namespace trainyard
