#include "client/command.h"
#include "client/describe.h"
#include "core/base/status_macros.h"

namespace trainyard {
namespace {

struct NoOptions {};

ExitOr RunInfo(Session& session, const NoOptions&) {
  TY_ASSIGN_OR_RETURN(
      const v1::ServerInfo info,
      session.remote.Call(session.remote.admin(), &v1::AdminService::Stub::GetServerInfo,
                          v1::GetServerInfoRequest()));
  session.screen.Show(info, DescribeServer(info));
  return ExitCode::kOk;
}

}  // namespace

void AddServerCommands(CLI::App* app, Command* chosen) {
  CLI::App* group = AddGroup(app, "server", "The server itself");
  AddCommand(group, "info", "Show version, engine, load and limits", std::make_shared<NoOptions>(),
             &RunInfo, chosen);
}

}  // namespace trainyard
