#include <map>

#include "client/call_and_show.h"
#include "client/describe_submission.h"
#include "client/render.h"
#include "client/resource_names.h"
#include "client/upload.h"

namespace trainyard {
namespace {

using Stub = v1::SubmissionService::Stub;

constexpr absl::Duration kPollInterval = absl::Seconds(5);

struct RegradeOptions {
  std::string name;  // of the assignment, or of the regrade
  std::vector<std::string> students;
  bool wait = false;
  v1::RegradeMode mode = v1::REGRADE_MODE_UNSPECIFIED;
};

absl::StatusOr<v1::Regrade> GetRegrade(Session& session, const std::string& name,
                                       v1::RegradeMode mode) {
  v1::GetRegradeRequest request;
  request.set_name(name);
  request.set_mode(mode);
  return session.remote.Call(session.remote.submissions(), &Stub::GetRegrade, request);
}

std::string DoneText(const v1::Regrade& regrade) {
  return absl::StrCat(regrade.submissions_done(), " of ", regrade.submissions_total(),
                      " submissions done");
}

absl::StatusOr<v1::Regrade> WaitForRegrade(Session& session, v1::Regrade regrade) {
  while (regrade.submissions_done() < regrade.submissions_total()) {
    session.screen.DrawOnErr([&](size_t width) { return Ellipsize(DoneText(regrade), width); });
    if (!session.remote.interrupt()->Sleep(kPollInterval)) {
      return absl::CancelledError("interrupted");
    }
    TY_ASSIGN_OR_RETURN(regrade, GetRegrade(session, regrade.name(), v1::REGRADE_MODE_UNSPECIFIED));
  }
  session.screen.Wipe();
  return regrade;
}

ExitOr RunCreate(Session& session, const RegradeOptions& options) {
  v1::CreateRegradeRequest request;
  request.set_assignment(AssignmentName(options.name));
  for (const std::string& student : options.students) request.add_students(student);
  request.set_request_id(NewRequestId());
  TY_ASSIGN_OR_RETURN(v1::Regrade regrade, session.remote.Call(session.remote.submissions(),
                                                               &Stub::CreateRegrade, request));
  if (options.wait) {
    TY_ASSIGN_OR_RETURN(regrade, WaitForRegrade(session, std::move(regrade)));
  }
  session.screen.Show(regrade, DescribeRegrade(regrade));
  return ExitCode::kOk;
}

ExitOr RunShow(Session& session, const RegradeOptions& options) {
  TY_ASSIGN_OR_RETURN(const v1::Regrade regrade,
                      GetRegrade(session, RegradeName(options.name), options.mode));
  session.screen.Show(regrade, DescribeRegrade(regrade));
  return ExitCode::kOk;
}

ExitOr RunApply(Session& session, const RegradeOptions& options) {
  v1::ApplyRegradeRequest request;
  request.set_name(RegradeName(options.name));
  request.set_mode(options.mode);
  return CallAndShow(session, session.remote.submissions(), &Stub::ApplyRegrade, request,
                     &DescribeRegrade);
}

CLI::Option* AddMode(CLI::App* command, v1::RegradeMode* mode) {
  static const std::map<std::string, v1::RegradeMode> words = {
      {"max", v1::REGRADE_MODE_MAX}, {"replace", v1::REGRADE_MODE_REPLACE}};
  return command
      ->add_option_function<std::string>(
          "--mode", [mode](const std::string& word) { *mode = words.at(word); },
          "max: the better of both points counts; replace: the new ones")
      ->check(CLI::IsMember({"max", "replace"}));
}

}  // namespace

void AddRegradeCommands(CLI::App* app, Command* chosen) {
  CLI::App* const group = AddGroup(app, "regrade", "Train and evaluate accepted submissions again");
  auto create = std::make_shared<RegradeOptions>();
  CLI::App* const creator = AddCommand(
      group, "create", "Begin a regrade under the newest version; no grade changes until apply",
      create, &RunCreate, chosen);
  creator->add_option("ASSIGNMENT", create->name, "COURSE/ID, or the full name")->required();
  creator->add_option("--student", create->students, "Only of this one; may be given again")
      ->type_name("USER")
      ->allow_extra_args(false);
  creator->add_flag("--wait", create->wait, "Wait until all are done");
  auto show = std::make_shared<RegradeOptions>();
  CLI::App* const shower = AddCommand(group, "show", "Show what a regrade would change for whom",
                                      show, &RunShow, chosen);
  shower->add_option("REGRADE", show->name, "COURSE/ASSIGNMENT/ID, or the full name")->required();
  AddMode(shower, &show->mode);
  auto apply = std::make_shared<RegradeOptions>();
  CLI::App* const applier =
      AddCommand(group, "apply", "Put a finished regrade into force", apply, &RunApply, chosen);
  applier->add_option("REGRADE", apply->name, "COURSE/ASSIGNMENT/ID, or the full name")->required();
  AddMode(applier, &apply->mode)->required();
}

}  // namespace trainyard
