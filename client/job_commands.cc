#include <array>

#include "absl/strings/str_cat.h"
#include "client/command.h"
#include "client/describe.h"
#include "client/job_history.h"
#include "client/progress.h"
#include "client/render.h"
#include "client/watch_plot.h"
#include "client/watch_view.h"
#include "core/base/error_info.h"
#include "core/base/status_macros.h"

namespace trainyard {
namespace {

using Stub = v1::JobService::Stub;

// What one Wait call asks for; the server allows up to an hour, but a proxy between may not.
constexpr absl::Duration kWaitStep = absl::Seconds(20);

struct WatchCommandOptions {
  std::vector<std::string> names;
  int64_t start_sequence = 1;
  bool plot = false;
  bool logarithmic = false;
};

struct EventsOptions {
  std::string name;
  int64_t start_sequence = 1;
  int32_t limit = 1000;
};

ExitOr RunShow(Session& session, const NameOptions& options) {
  TY_ASSIGN_OR_RETURN(const v1::TrainingJob job,
                      GetJob(session.remote, FullName(kJobCollection, options.name)));
  session.screen.Show(job, DescribeJob(job));
  return ExitCode::kOk;
}

ExitOr RunList(Session& session, const ListOptions& options) {
  v1::ListTrainingJobsRequest request;
  request.set_filter(options.filter);
  TY_ASSIGN_OR_RETURN(
      const v1::ListTrainingJobsResponse list,
      ListAll(session.remote, session.remote.jobs(), &Stub::ListTrainingJobs, request,
              &v1::ListTrainingJobsResponse::mutable_training_jobs, options.limit));
  session.screen.Show(list, DescribeJobs(list));
  return ExitCode::kOk;
}

ExitOr RunWatchPlot(Session& session, const WatchCommandOptions& options) {
  if (session.screen.json()) {
    return UsageError("job watch: --plot is for people, -o json for programs",
                      {.hint = "leave one of them out"});
  }
  if (options.names.size() > kPlottedJobsMax) {
    return UsageError(absl::StrCat("job watch: --plot draws at most ", kPlottedJobsMax, " jobs"),
                      {.hint = "name fewer"});
  }
  std::vector<std::string> names;
  for (const std::string& name : options.names) names.push_back(FullName(kJobCollection, name));
  return WatchPlot(session.remote, session.screen, names, options.logarithmic);
}

ExitOr RunWatch(Session& session, const WatchCommandOptions& options) {
  if (options.plot) return RunWatchPlot(session, options);
  if (options.names.size() > 1) {
    return UsageError("job watch: several jobs are watched as pictures only",
                      {.hint = "add --plot, or name one job"});
  }
  return Follow(session.remote, session.screen, FullName(kJobCollection, options.names.front()),
                options.start_sequence);
}

// Cancel, pause and resume: the job as it is afterwards.
template <typename Request>
ExitOr RunTransition(Session& session, const NameOptions& options,
                     grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&,
                                                  v1::TrainingJob*)) {
  Request request;
  request.set_name(FullName(kJobCollection, options.name));
  TY_ASSIGN_OR_RETURN(const v1::TrainingJob job,
                      session.remote.Call(session.remote.jobs(), method, request));
  session.screen.Show(job, absl::StrCat(job.name(), " ", StateWord(job.state()), "\n"));
  return ExitCode::kOk;
}

ExitOr RunCancel(Session& session, const NameOptions& options) {
  return RunTransition(session, options, &Stub::CancelTrainingJob);
}
ExitOr RunPause(Session& session, const NameOptions& options) {
  return RunTransition(session, options, &Stub::PauseTrainingJob);
}
ExitOr RunResume(Session& session, const NameOptions& options) {
  return RunTransition(session, options, &Stub::ResumeTrainingJob);
}

ExitOr RunDelete(Session& session, const NameOptions& options) {
  v1::DeleteTrainingJobRequest request;
  request.set_name(FullName(kJobCollection, options.name));
  TY_ASSIGN_OR_RETURN(
      const google::protobuf::Empty empty,
      session.remote.Call(session.remote.jobs(), &Stub::DeleteTrainingJob, request));
  session.screen.Show(empty, absl::StrCat("deleted ", request.name(), "\n"));
  return ExitCode::kOk;
}

ExitOr RunWait(Session& session, const NameOptions& options) {
  v1::WaitTrainingJobRequest request;
  request.set_name(FullName(kJobCollection, options.name));
  request.mutable_timeout()->set_seconds(absl::ToInt64Seconds(kWaitStep));
  while (true) {
    TY_ASSIGN_OR_RETURN(
        const v1::TrainingJob job,
        session.remote.Call(session.remote.jobs(), &Stub::WaitTrainingJob, request));
    if (!IsTerminal(job.state())) continue;
    session.screen.Show(job, DescribeOutcome(job));
    return ExitCodeOf(job);
  }
}

// Every event on a line; those that are not worth one in a watch, by their numbers.
std::string EventText(const v1::JobEvent& event, const ProgressState& state) {
  std::string line = EventLine(event, state);
  if (event.has_step()) {
    line = absl::StrCat("step ", event.step().step(), "  loss ", FormatNumber(event.step().loss()),
                        "  gradient norm ", FormatNumber(event.step().gradient_norm()));
  } else if (event.has_checkpoint()) {
    line = absl::StrCat("checkpoint after step ", event.checkpoint().step(), "  ",
                        FormatBytes(event.checkpoint().size_bytes()));
  }
  return absl::StrCat(event.sequence(), "  ", TimeText(EventTime(event)), "  ", line, "\n");
}

std::string EventsText(const v1::ListJobEventsResponse& events) {
  ProgressTracker tracker;
  std::string text;
  for (const v1::JobEvent& event : events.events()) {
    tracker.OnEvent(event);
    absl::StrAppend(&text, EventText(event, tracker.state()));
  }
  if (events.next_sequence() == 0) return text;
  return absl::StrCat(text, "there is more: --from ", events.next_sequence(), "\n");
}

ExitOr RunEvents(Session& session, const EventsOptions& options) {
  v1::ListJobEventsRequest request;
  request.set_name(FullName(kJobCollection, options.name));
  request.set_start_sequence(options.start_sequence);
  request.set_page_size(options.limit);
  TY_ASSIGN_OR_RETURN(const v1::ListJobEventsResponse events,
                      session.remote.Call(session.remote.jobs(), &Stub::ListJobEvents, request));
  session.screen.Show(events, EventsText(events));
  return ExitCode::kOk;
}

struct PriorityOptions {
  std::string name;
  v1::JobPriority priority = v1::JOB_PRIORITY_UNSPECIFIED;
};

ExitOr RunPriority(Session& session, const PriorityOptions& options) {
  v1::SetTrainingJobPriorityRequest request;
  request.set_name(FullName(kJobCollection, options.name));
  request.set_priority(options.priority);
  TY_ASSIGN_OR_RETURN(
      const v1::TrainingJob job,
      session.remote.Call(session.remote.jobs(), &Stub::SetTrainingJobPriority, request));
  session.screen.Show(job, DescribeJob(job));
  return ExitCode::kOk;
}

void AddNameCommands(CLI::App* group, Command* chosen) {
  struct NameCommand {
    const char* name;
    const char* help;
    ExitOr (*run)(Session&, const NameOptions&);
    const char* alias = nullptr;
  };
  const std::array<NameCommand, 6> commands = {{
      {"show", "Show a job", &RunShow, "get"},
      {"cancel", "Cancel a job", &RunCancel},
      {"pause", "Take a job off its worker or the queue, until resumed", &RunPause},
      {"resume", "Queue a paused job again; it goes on from its last checkpoint", &RunResume},
      {"delete", "Delete a finished job and its events; its model stays", &RunDelete},
      {"wait", "Wait for the end without showing progress; exits like watch", &RunWait},
  }};
  for (const NameCommand& command : commands) {
    auto options = std::make_shared<NameOptions>();
    CLI::App* const added =
        AddCommand(group, command.name, command.help, options, command.run, chosen);
    if (command.alias != nullptr) added->alias(command.alias);
    added->add_option("JOB", options->name, "trainingJobs/ID or ID")->required();
  }
}

void AddWatch(CLI::App* group, Command* chosen) {
  auto watch = std::make_shared<WatchCommandOptions>();
  CLI::App* const watcher = AddCommand(group, "watch", "Follow a job from its start to its end",
                                       watch, &RunWatch, chosen);
  watcher->add_option("JOB", watch->names, "trainingJobs/ID or ID; several with --plot")
      ->required();
  CLI::Option* const from =
      watcher->add_option("--from", watch->start_sequence, "First event wanted");
  from->check(CLI::PositiveNumber)->capture_default_str();
  CLI::Option* const plot =
      watcher->add_flag("--plot", watch->plot, "Draw the losses while they come; q leaves");
  plot->excludes(from);
  watcher->add_flag("--log", watch->logarithmic, "Draw the logarithm of the loss")->needs(plot);
}

}  // namespace

void AddJobCommands(CLI::App* app, Command* chosen) {
  CLI::App* group = AddGroup(app, "job", "Training jobs");
  AddNameCommands(group, chosen);
  auto priority = std::make_shared<PriorityOptions>();
  CLI::App* const setter =
      AddCommand(group, "priority", "Change who goes first", priority, &RunPriority, chosen);
  setter->add_option("JOB", priority->name, "trainingJobs/ID or ID")->required();
  AddPriority(setter, "PRIORITY", &priority->priority)->required();
  auto list = std::make_shared<ListOptions>();
  CLI::App* lister = AddCommand(group, "list", "List jobs", list, &RunList, chosen);
  AddLimit(lister, list.get());
  lister->add_option("--filter", list->filter,
                     "Terms joined by AND, e.g. 'state = RUNNING AND owner = \"ann\"'");
  AddWatch(group, chosen);
  auto events = std::make_shared<EventsOptions>();
  CLI::App* eventer = AddCommand(group, "events", "Show stored events", events, &RunEvents, chosen);
  eventer->add_option("JOB", events->name, "trainingJobs/ID or ID")->required();
  eventer->add_option("--from", events->start_sequence, "First event wanted")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  eventer->add_option("--limit", events->limit, "At most this many")
      ->check(CLI::Range(1, 10'000))
      ->capture_default_str();
  AddExportCommands(group, chosen);
  AddCurveCommands(group, chosen);
}

}  // namespace trainyard
