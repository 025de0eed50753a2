// The three ways a followed job is shown: a bar redrawn in place on a terminal, one line per epoch
// elsewhere, one JSON message per line for programs.
//
// Thread-safety: none; one view per watch. `*screen` must outlive it.
#ifndef TRAINYARD_CLIENT_WATCH_VIEW_H_
#define TRAINYARD_CLIENT_WATCH_VIEW_H_

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "client/exit_code.h"
#include "client/progress.h"
#include "client/remote.h"
#include "client/screen.h"
#include "client/watch.h"
#include "trainyard/v1/job.pb.h"

namespace trainyard {

// Text: with a bar where stdout is a terminal.
class TextView : public WatchView {
 public:
  explicit TextView(Screen* screen) : screen_(screen) {}
  void OnSnapshot(const v1::TrainingJob& job) override;
  void OnMessage(const v1::WatchTrainingJobResponse& event) override;
  void OnHeartbeat() override { Draw(); }
  void OnBreak(absl::string_view notice) override { screen_->Note(notice); }

 private:
  void Draw();

  Screen* const screen_;
  ProgressTracker tracker_;
  absl::Time drawn_ = absl::InfinitePast();
};

// The first snapshot, then every event. Heartbeats are the stream's own business.
class JsonView : public WatchView {
 public:
  explicit JsonView(Screen* screen) : screen_(screen) {}
  void OnSnapshot(const v1::TrainingJob& job) override;
  void OnMessage(const v1::WatchTrainingJobResponse& event) override {
    screen_->ShowJsonLine(event);
  }
  void OnHeartbeat() override {}
  void OnBreak(absl::string_view notice) override { screen_->Note(notice); }

 private:
  Screen* const screen_;
  bool shown_ = false;
};

// Watches `name` from event `start_sequence` to its end in the way `screen` asks for, then shows
// the outcome.
absl::StatusOr<ExitCode> Follow(Remote& remote, Screen& screen, const std::string& name,
                                int64_t start_sequence);

}  // namespace trainyard

#endif  // TRAINYARD_CLIENT_WATCH_VIEW_H_
