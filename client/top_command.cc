#include <memory>

#include "client/command.h"
#include "client/full_screen.h"
#include "client/top_view.h"
#include "core/base/status_macros.h"

namespace trainyard {
namespace {

using Stub = v1::JobService::Stub;

// One page of the contract; more would cost the server more than a screen can show.
constexpr int32_t kJobsMax = 1000;
constexpr absl::Duration kRefreshInterval = absl::Seconds(1);

struct TopOptions {
  int64_t count = 0;  // of screens; 0: until somebody leaves
};

absl::Status AddJobs(Session& session, const char* filter, v1::ListTrainingJobsResponse* jobs) {
  v1::ListTrainingJobsRequest request;
  request.set_filter(filter);
  TY_ASSIGN_OR_RETURN(
      const v1::ListTrainingJobsResponse list,
      ListAll(session.remote, session.remote.jobs(), &Stub::ListTrainingJobs, request,
              &v1::ListTrainingJobsResponse::mutable_training_jobs, kJobsMax));
  jobs->MergeFrom(list);
  return absl::OkStatus();
}

absl::StatusOr<TopPage> AskServer(Session& session) {
  TopPage page;
  TY_ASSIGN_OR_RETURN(
      page.info, session.remote.Call(session.remote.admin(), &v1::AdminService::Stub::GetServerInfo,
                                     v1::GetServerInfoRequest()));
  TY_RETURN_IF_ERROR(AddJobs(session, "state = RUNNING", &page.running));
  TY_RETURN_IF_ERROR(AddJobs(session, "state = CANCELLING", &page.running));
  TY_RETURN_IF_ERROR(AddJobs(session, "state = PENDING", &page.pending));
  page.now = absl::Now();
  return page;
}

// Programs get the messages themselves, one a line.
void PrintPage(Session& session, const TopPage& page) {
  if (!session.screen.json()) {
    session.screen.Print(
        TopText(page, {.width = session.screen.table_width(), .height = session.screen.height()}));
    return;
  }
  session.screen.ShowJsonLine(page.info);
  session.screen.ShowJsonLine(page.running);
  session.screen.ShowJsonLine(page.pending);
}

// Page by page, below each other.
ExitOr PrintPages(Session& session, int64_t count) {
  for (int64_t i = 0; i < count; ++i) {
    if (i > 0 && !session.remote.interrupt()->Sleep(kRefreshInterval)) break;
    TY_ASSIGN_OR_RETURN(const TopPage page, AskServer(session));
    PrintPage(session, page);
  }
  return ExitCode::kOk;
}

ExitOr RunTop(Session& session, const TopOptions& options) {
  const bool in_place = session.screen.out_is_terminal() && !session.screen.json();
  if (options.count > 0 || !in_place)
    return PrintPages(session, std::max<int64_t>(options.count, 1));
  // The first answer before the terminal is taken, so that an error stands where it was typed.
  TY_ASSIGN_OR_RETURN(TopPage page, AskServer(session));
  FullScreen full(session.remote.interrupt());
  while (!session.remote.interrupt()->raised()) {
    const size_t height = session.screen.height();
    full.Draw(TopText(page, {.width = session.screen.table_width(), .height = height}), height);
    if (full.WaitKey(kRefreshInterval) == 'q') break;
    TY_ASSIGN_OR_RETURN(page, AskServer(session));
  }
  return ExitCode::kOk;
}

}  // namespace

void AddTopCommand(CLI::App* app, Command* chosen) {
  auto options = std::make_shared<TopOptions>();
  CLI::App* const command =
      AddCommand(app, "top", "The server, its running jobs and its queue, every second; q leaves",
                 options, &RunTop, chosen);
  command
      ->add_option("-n,--count", options->count,
                   "Print so many screens and exit (default without a terminal: 1)")
      ->check(CLI::PositiveNumber)
      ->type_name("N");
}

}  // namespace trainyard
