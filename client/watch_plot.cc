#include "client/watch_plot.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "client/full_screen.h"
#include "client/job_history.h"
#include "client/loss_curves.h"
#include "client/render.h"
#include "core/base/status_macros.h"
#include "google/protobuf/util/time_util.h"

namespace trainyard {
namespace {

using google::protobuf::util::TimeUtil;

// Four pictures a second: a curve moves no faster, and each asks the server for news.
constexpr absl::Duration kPollInterval = absl::Milliseconds(250);
constexpr size_t kWarningsShownMax = 3;
constexpr size_t kFinalHeight = 20;
constexpr size_t kNameWidthMax = 28;  // in front of a line of progress

// A job and how far its log was read.
struct Watched {
  std::string name;
  EventCursor cursor;
};

absl::Status Update(std::vector<Watched>* watched, std::vector<PlottedJob>* jobs) {
  for (size_t i = 0; i < watched->size(); ++i) {
    TY_ASSIGN_OR_RETURN(const std::vector<v1::JobEvent> events, (*watched)[i].cursor.Next());
    for (const v1::JobEvent& event : events) AddEvent(event, &(*jobs)[i]);
  }
  return absl::OkStatus();
}

bool AllEnded(const std::vector<Watched>& watched) {
  return std::all_of(watched.begin(), watched.end(),
                     [](const Watched& job) { return job.cursor.ended(); });
}

// Until the next look at the server. Errors: CANCELLED: somebody wants to leave.
absl::Status Pause(Remote& remote, FullScreen* full) {
  if (full == nullptr) {
    remote.interrupt()->Sleep(kPollInterval);
  } else if (full->WaitKey(kPollInterval) == 'q') {
    remote.interrupt()->Raise();
  }
  return remote.interrupt()->raised() ? absl::CancelledError("interrupted") : absl::OkStatus();
}

PlotPictureOptions PictureOptions(const Screen& screen, size_t height, bool logarithmic) {
  const ChartStyle style = screen.chart_style();
  return {.width = std::max(style.width, kPanelWidthMin),
          .height = height,
          .logarithmic = logarithmic,
          .color = style.color};
}

// Fills the terminal.
void DrawPicture(const Screen& screen, bool logarithmic, const std::vector<PlottedJob>& jobs,
                 FullScreen* full) {
  PlotPictureOptions options = PictureOptions(screen, screen.height(), logarithmic);
  options.warning_width = options.width;
  full->Draw(PlotPicture(jobs, options), options.height);
}

absl::Status WatchToTheEnd(Remote& remote, const Screen& screen, bool logarithmic,
                           std::vector<Watched>* watched, std::vector<PlottedJob>* jobs) {
  std::unique_ptr<FullScreen> full;
  TY_RETURN_IF_ERROR(Update(watched, jobs));
  while (!AllEnded(*watched)) {
    const bool first = full == nullptr && screen.out_is_terminal();
    if (first) full = std::make_unique<FullScreen>(remote.interrupt());
    if (full != nullptr) DrawPicture(screen, logarithmic, *jobs, full.get());
    TY_RETURN_IF_ERROR(Pause(remote, full.get()));
    TY_RETURN_IF_ERROR(Update(watched, jobs));
  }
  return absl::OkStatus();
}

absl::StatusOr<ExitCode> WorstEnd(Remote& remote, const std::vector<Watched>& watched) {
  for (const Watched& job : watched) {
    TY_ASSIGN_OR_RETURN(const v1::TrainingJob end, GetJob(remote, job.name));
    if (ExitCodeOf(end) != ExitCode::kOk) return ExitCodeOf(end);
  }
  return ExitCode::kOk;
}

}  // namespace

void AddEvent(const v1::JobEvent& event, PlottedJob* job) {
  job->tracker.OnEvent(event);
  AddToHistory(event, &job->history);
}

// The newest warnings of all jobs, oldest first.
std::vector<std::string> NewestWarnings(const std::vector<PlottedJob>& jobs) {
  std::vector<std::pair<int64_t, std::string>> warnings;  // nanoseconds, line
  for (const PlottedJob& job : jobs) {
    for (const v1::JobEvent& event : job.history) {
      if (event.note().warning() == v1::TRAINING_WARNING_UNSPECIFIED) continue;
      warnings.emplace_back(TimeUtil::TimestampToNanoseconds(event.create_time()),
                            EventLine(event, job.tracker.state()));
    }
  }
  std::stable_sort(warnings.begin(), warnings.end(),
                   [](const auto& a, const auto& b) { return a.first < b.first; });
  std::vector<std::string> lines;
  const size_t shown = std::min(warnings.size(), kWarningsShownMax);
  for (size_t i = warnings.size() - shown; i < warnings.size(); ++i) {
    lines.push_back(std::move(warnings[i].second));
  }
  return lines;
}

std::string PlotPicture(const std::vector<PlottedJob>& jobs, const PlotPictureOptions& options) {
  std::vector<Panel> panels;
  std::string below;
  for (const PlottedJob& job : jobs) {
    panels.push_back({job.title, LossCurves(job.history)});
    const std::string name =
        jobs.size() == 1 ? "" : absl::StrCat(Ellipsize(job.title, kNameWidthMax), "  ");
    absl::StrAppend(&below, name,
                    ProgressLine(job.tracker.state(), options.width - DisplayWidth(name)), "\n");
  }
  const std::vector<std::string> warnings = NewestWarnings(jobs);
  for (const std::string& warning : warnings) {
    absl::StrAppend(&below, Ellipsize(warning, options.warning_width), "\n");
  }
  const size_t rows = (jobs.size() - 1) / PanelsPerRow(jobs.size(), options.width) + 1;
  const size_t taken = jobs.size() + warnings.size() + rows * kPanelExtraLines;
  const size_t left = options.height > taken ? options.height - taken : 0;
  return absl::StrCat(Panels(panels, {.width = options.width,
                                      .height = std::max(left / rows, kPlotFrameLinesMin),
                                      .logarithmic_y = options.logarithmic,
                                      .color = options.color}),
                      below);
}

absl::StatusOr<ExitCode> WatchPlot(Remote& remote, Screen& screen,
                                   const std::vector<std::string>& names, bool logarithmic) {
  std::vector<Watched> watched;
  std::vector<PlottedJob> jobs;
  for (const std::string& name : names) {
    TY_ASSIGN_OR_RETURN(const v1::TrainingJob job, GetJob(remote, name));
    watched.push_back({job.name(), EventCursor(remote, job.name())});
    jobs.push_back({.title = absl::StrCat(absl::StripPrefix(job.name(), "trainingJobs/"), " ",
                                          job.display_name())});
    jobs.back().tracker.OnSnapshot(job);
  }
  const absl::Status status = WatchToTheEnd(remote, screen, logarithmic, &watched, &jobs);
  screen.Print(PlotPicture(jobs, PictureOptions(screen, kFinalHeight, logarithmic)));
  if (status.ok()) return WorstEnd(remote, watched);
  screen.Note("the jobs go on without a watcher");
  return status;
}

}  // namespace trainyard
