#include "absl/strings/str_cat.h"
#include "client/command.h"
#include "client/history_text.h"
#include "client/job_history.h"
#include "client/local_file.h"
#include "client/render.h"
#include "client/tensorboard.h"
#include "core/base/status_macros.h"

namespace trainyard {
namespace {

// How often a followed job is asked for news. TensorBoard itself looks every few seconds.
constexpr absl::Duration kFollowInterval = absl::Seconds(1);

struct TensorBoardOptions {
  std::string name;
  std::string folder;
  bool follow = false;
};

struct HistoryOptions {
  std::string name;
  std::string format;  // empty: csv, or jsonl with -o json
  std::string target_path;
};

absl::Status WriteAll(const std::vector<v1::JobEvent>& events, TensorBoardLog* log) {
  for (const v1::JobEvent& event : events) TY_RETURN_IF_ERROR(log->Write(event));
  return absl::OkStatus();
}

// Writes what comes, until the job ends.
absl::Status FollowInto(Session& session, EventCursor* cursor, TensorBoardLog* log) {
  while (!cursor->ended()) {
    if (!session.remote.interrupt()->Sleep(kFollowInterval)) {
      return absl::CancelledError("interrupted");
    }
    TY_ASSIGN_OR_RETURN(const std::vector<v1::JobEvent> events, cursor->Next());
    TY_RETURN_IF_ERROR(WriteAll(events, log));
  }
  return absl::OkStatus();
}

ExitOr RunExportTensorBoard(Session& session, const TensorBoardOptions& options) {
  TY_ASSIGN_OR_RETURN(v1::TrainingJob job,
                      GetJob(session.remote, FullName(kJobCollection, options.name)));
  TY_ASSIGN_OR_RETURN(const std::unique_ptr<TensorBoardLog> log,
                      TensorBoardLog::Create(job, options.folder));
  EventCursor cursor(session.remote, job.name());
  TY_ASSIGN_OR_RETURN(std::vector<v1::JobEvent> events, cursor.Next());
  TY_RETURN_IF_ERROR(WriteAll(WithoutVoid(std::move(events)), log.get()));
  session.screen.Note(absl::StrCat("look at it with: tensorboard --logdir ", options.folder));
  if (!options.follow) return ExitCode::kOk;
  TY_RETURN_IF_ERROR(FollowInto(session, &cursor, log.get()));
  TY_ASSIGN_OR_RETURN(job, GetJob(session.remote, job.name()));
  return ExitCodeOf(job);
}

bool WantsCsv(const Session& session, const HistoryOptions& options) {
  if (options.format.empty()) return !session.screen.json();
  return options.format == "csv";
}

ExitOr RunHistory(Session& session, const HistoryOptions& options) {
  TY_ASSIGN_OR_RETURN(std::vector<v1::JobEvent> log,
                      ReadLog(session.remote, FullName(kJobCollection, options.name)));
  const std::vector<v1::JobEvent> history = WithoutVoid(std::move(log));
  const std::string text =
      WantsCsv(session, options) ? HistoryCsv(history) : HistoryJsonLines(history);
  if (options.target_path.empty()) {
    session.screen.Print(text);
    return ExitCode::kOk;
  }
  TY_ASSIGN_OR_RETURN(const std::unique_ptr<TargetFile> target,
                      TargetFile::Create(options.target_path));
  TY_RETURN_IF_ERROR(target->Append(text));
  TY_RETURN_IF_ERROR(target->Commit());
  session.screen.Note(absl::StrCat(FormatCount(static_cast<int64_t>(history.size())), " events to ",
                                   options.target_path));
  return ExitCode::kOk;
}

}  // namespace

void AddExportCommands(CLI::App* group, Command* chosen) {
  auto board = std::make_shared<TensorBoardOptions>();
  CLI::App* const exporter =
      AddCommand(group, "export-tensorboard", "Write a job's history as event files of TensorBoard",
                 board, &RunExportTensorBoard, chosen);
  exporter->add_option("JOB", board->name, "trainingJobs/ID or ID")->required();
  exporter->add_option("DIR", board->folder, "Folder without event files; made when needed")
      ->required();
  exporter->add_flag("--follow", board->follow,
                     "Go on writing until the job ends; exits like watch");
  auto history = std::make_shared<HistoryOptions>();
  CLI::App* const writer = AddCommand(group, "history", "Write every number of a job's training",
                                      history, &RunHistory, chosen);
  writer->add_option("JOB", history->name, "trainingJobs/ID or ID")->required();
  writer
      ->add_option("--format", history->format,
                   "csv (default): a column per metric; jsonl (default with -o json): a JobEvent a "
                   "line")
      ->check(CLI::IsMember({"csv", "jsonl"}));
  writer->add_option("-f,--file", history->target_path, "Where it goes (default stdout)")
      ->type_name("FILE");
}

}  // namespace trainyard
