#include "client/watch_view.h"

#include "absl/strings/str_cat.h"
#include "client/describe.h"
#include "client/error_text.h"
#include "client/job_history.h"
#include "core/base/status_macros.h"

namespace trainyard {
namespace {

// Ten pictures a second look smooth; more only cost.
constexpr absl::Duration kDrawInterval = absl::Milliseconds(100);

WatchOptions OptionsFor(const Screen& screen, const std::string& name, int64_t start_sequence) {
  WatchOptions options{.name = name, .start_sequence = start_sequence};
  if (screen.json()) return options;
  if (screen.out_is_terminal()) {
    options.min_interval = kDrawInterval;
  } else {
    options.without_steps = true;
  }
  return options;
}

absl::Status ShowOutcome(Remote& remote, Screen& screen, const std::string& name) {
  TY_ASSIGN_OR_RETURN(const v1::TrainingJob job, GetJob(remote, name));
  screen.Print(DescribeOutcome(job));
  return absl::OkStatus();
}

}  // namespace

void TextView::OnSnapshot(const v1::TrainingJob& job) {
  tracker_.OnSnapshot(job);
  Draw();
}

void TextView::OnMessage(const v1::WatchTrainingJobResponse& event) {
  tracker_.OnEvent(event.event());
  // With a bar, epochs show in it; only what stays true stays on the screen.
  const bool evaluated = event.event().has_epoch() || event.event().has_evaluation();
  const bool in_bar = screen_->out_is_terminal() && evaluated;
  const std::string line = in_bar ? "" : EventLine(event.event(), tracker_.state());
  if (!line.empty()) screen_->PrintLine(absl::StrCat(line, "\n"));
  if (!line.empty() || absl::Now() - drawn_ >= kDrawInterval) Draw();
}

void TextView::Draw() {
  if (IsTerminal(tracker_.state().state)) return;
  drawn_ = absl::Now();
  screen_->DrawOnOut([&](size_t width) { return ProgressLine(tracker_.state(), width); });
}

void JsonView::OnSnapshot(const v1::TrainingJob& job) {
  if (shown_) return;
  shown_ = true;
  v1::WatchTrainingJobResponse message;
  *message.mutable_snapshot() = job;
  screen_->ShowJsonLine(message);
}

absl::StatusOr<ExitCode> Follow(Remote& remote, Screen& screen, const std::string& name,
                                int64_t start_sequence) {
  TextView text_view(&screen);
  JsonView json_view(&screen);
  WatchView& view = screen.json() ? static_cast<WatchView&>(json_view) : text_view;
  const absl::StatusOr<v1::TrainingJob> end =
      Watch(remote, OptionsFor(screen, name, start_sequence), view);
  screen.Wipe();
  if (!end.ok()) {
    screen.Note(absl::StrCat(
        name, " goes on without a watcher; watch it again with: trainyard job watch ", name));
    return end.status();
  }
  if (!screen.json()) TY_RETURN_IF_ERROR(ShowOutcome(remote, screen, name));
  return ExitCodeOf(*end);
}

}  // namespace trainyard
