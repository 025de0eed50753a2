#include "client/progress.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "client/describe.h"
#include "client/job_history.h"
#include "client/render.h"

namespace trainyard {
namespace {

constexpr absl::Duration kSpeedWindow = absl::Seconds(10);
constexpr size_t kSamplesMax = 1024;
constexpr size_t kBarWidthMax = 32;
constexpr size_t kBarWidthMin = 8;

double FractionDone(const ProgressState& state) {
  if (state.steps_total > 0) {
    return static_cast<double>(state.steps_done) / static_cast<double>(state.steps_total);
  }
  if (state.epochs_total == 0) return 0;
  return static_cast<double>(state.epochs_done) / static_cast<double>(state.epochs_total);
}

// Figures in order of importance.
std::vector<std::string> Figures(const ProgressState& state) {
  std::vector<std::string> parts;
  if (state.loss.has_value()) parts.push_back(absl::StrCat("loss ", FormatNumber(*state.loss)));
  for (const v1::Metric& metric : state.validation) {
    parts.push_back(
        absl::StrCat("val_", Printable(metric.name()), " ", FormatNumber(metric.value())));
  }
  if (state.rows_per_second.has_value()) {
    parts.push_back(absl::StrCat(FormatShort(*state.rows_per_second), " rows/s"));
  }
  if (state.eta.has_value()) parts.push_back(absl::StrCat("ETA ", DurationText(*state.eta)));
  return parts;
}

// "epoch 3/20", "epoch 23/100 (seed 2/5)", "points 50/625".
std::string EpochCount(const ProgressState& state) {
  if (state.analysis) return absl::StrCat("points ", state.steps_done, "/", state.steps_total);
  const std::string run = state.run_count <= 1
                              ? ""
                              : absl::StrCat(" (", state.folds ? "fold " : "seed ", state.run + 1,
                                             "/", state.run_count, ")");
  return absl::StrCat("epoch ", state.epochs_done, "/", state.epochs_total, run);
}

// "epoch 3/20", "PENDING", "PAUSED epoch 3/20".
std::string Head(const ProgressState& state) {
  if (state.state == v1::JOB_STATE_RUNNING) return EpochCount(state);
  if (state.steps_done == 0) return StateWord(state.state);
  return absl::StrCat(StateWord(state.state), " ", EpochCount(state));
}

std::string StateChangeLine(const v1::StateChange& change) {
  return absl::StrCat(StateWord(change.to()), change.message().empty() ? "" : ": ",
                      Printable(change.message()));
}

// "note: …", or "warning: … Try: …" about a training that goes wrong.
std::string NoteLine(const v1::Note& note) {
  if (note.warning() == v1::TRAINING_WARNING_UNSPECIFIED) {
    return absl::StrCat("note: ", Printable(note.message()));
  }
  const std::string message = absl::StrCat("warning: ", Printable(note.message()));
  if (note.remedy().empty()) return message;
  return absl::StrCat(absl::StripSuffix(message, "."), ". Try: ", Printable(note.remedy()));
}

}  // namespace

void ProgressTracker::OnSnapshot(const v1::TrainingJob& job) {
  state_.epochs_total = job.progress().epochs_total();
  state_.steps_total = job.progress().steps_total();
  state_.folds = job.resolved_spec().split().fold_count() > 1;
  state_.run_count = RunCount(job);
  state_.analysis = job.has_analysis();
  if (state_.state == v1::JOB_STATE_UNSPECIFIED) state_.state = job.state();
}

void ProgressTracker::OnEvent(const v1::JobEvent& event) {
  switch (event.kind_case()) {
    case v1::JobEvent::kStateChange:
      return OnStateChange(event);
    case v1::JobEvent::kStep:
      state_.loss = event.step().loss();
      state_.steps_done = event.step().step() + 1;
      state_.run = event.step().run();
      return AddSample({EventTime(event), event.step().rows_seen(), state_.steps_done});
    case v1::JobEvent::kEpoch:
      return OnEpoch(event);
    case v1::JobEvent::kEvaluation:
      state_.steps_done = event.evaluation().steps_done();
      state_.validation.assign(event.evaluation().validation().begin(),
                               event.evaluation().validation().end());
      return;
    case v1::JobEvent::kAnalysisProgress:
      return OnAnalysisProgress(event);
    case v1::JobEvent::kRewind:
      return OnRewind(event.rewind());
    default:
      return;
  }
}

void ProgressTracker::OnStateChange(const v1::JobEvent& event) {
  state_.state = event.state_change().to();
  state_.eta.reset();
  state_.rows_per_second.reset();
  seconds_per_step_ = 0;
  samples_.clear();  // an attempt starts or ends: the time between says nothing of speed
  if (state_.state == v1::JOB_STATE_RUNNING && state_.steps_done == 0) {
    samples_.push_back({EventTime(event)});
  }
}

void ProgressTracker::OnEpoch(const v1::JobEvent& event) {
  const v1::EpochMetrics& epoch = event.epoch();
  state_.run = epoch.run();
  state_.epochs_done = epoch.epoch() + 1;  // counted over all seeds
  state_.steps_done = epoch.steps_done();
  state_.loss = epoch.train_loss();
  state_.validation.assign(epoch.validation().begin(), epoch.validation().end());
  AddSample({EventTime(event), epoch.rows_seen(), epoch.steps_done()});
}

void ProgressTracker::OnAnalysisProgress(const v1::JobEvent& event) {
  const v1::AnalysisProgress& progress = event.analysis_progress();
  state_.analysis = true;
  state_.steps_done = progress.points_done();
  state_.steps_total = progress.points_total();
  AddSample({EventTime(event), 0, progress.points_done()});
}

void ProgressTracker::OnRewind(const v1::Rewind& rewind) {
  // Epochs have equal numbers of steps.
  const double epochs = rewind.to_step() == 0 || state_.steps_total == 0
                            ? 0
                            : static_cast<double>(rewind.to_step() * state_.epochs_total) /
                                  static_cast<double>(state_.steps_total);
  state_.steps_done = rewind.to_step();
  state_.epochs_done = static_cast<int64_t>(epochs);
  samples_.clear();
}

void ProgressTracker::AddSample(const Sample& sample) {
  // Events of one commit share a time; only when a later one comes is it known how far training was
  // at that time.
  const bool same_time = samples_.size() > 1 && samples_.back().time == sample.time;
  if (same_time) {
    samples_.pop_back();
  } else {
    UpdateSpeed();
  }
  samples_.push_back(sample);
  while (samples_.size() > 2 &&
         (sample.time - samples_[1].time >= kSpeedWindow || samples_.size() > kSamplesMax)) {
    samples_.pop_front();
  }
  if (seconds_per_step_ == 0 || state_.steps_total == 0) return;
  const int64_t left = std::max<int64_t>(state_.steps_total - sample.steps, 0);
  state_.eta = absl::Seconds(static_cast<double>(left) * seconds_per_step_);
}

void ProgressTracker::UpdateSpeed() {
  if (samples_.size() < 2) return;
  const Sample& first = samples_.front();
  const Sample& last = samples_.back();
  const double seconds = absl::ToDoubleSeconds(last.time - first.time);
  const int64_t steps = last.steps - first.steps;
  if (seconds <= 0 || steps <= 0) return;
  if (!state_.analysis) {
    state_.rows_per_second = static_cast<double>(last.rows - first.rows) / seconds;
  }
  seconds_per_step_ = seconds / static_cast<double>(steps);
}

std::string ProgressLine(const ProgressState& state, size_t width) {
  const std::string head = Head(state);
  const double fraction = FractionDone(state);
  const std::string percent =
      absl::StrCat(" ", static_cast<int>(std::clamp(fraction, 0.0, 1.0) * 100), "%");
  std::string tail = percent;
  for (const std::string& part : Figures(state)) {
    const std::string longer = absl::StrCat(tail, "  ", part);
    if (DisplayWidth(head) + 1 + kBarWidthMin + DisplayWidth(longer) > width) break;
    tail = longer;
  }
  const size_t taken = DisplayWidth(head) + 1 + DisplayWidth(tail);
  if (taken + kBarWidthMin > width) return Ellipsize(absl::StrCat(head, tail), width);
  return absl::StrCat(head, " ", Bar(fraction, std::min(width - taken, kBarWidthMax)), tail);
}

std::string EventLine(const v1::JobEvent& event, const ProgressState& state) {
  switch (event.kind_case()) {
    case v1::JobEvent::kStateChange:
      return StateChangeLine(event.state_change());
    case v1::JobEvent::kEpoch: {
      std::string line = EpochCount(state);
      for (const std::string& part : Figures(state)) absl::StrAppend(&line, "  ", part);
      return line;
    }
    case v1::JobEvent::kEvaluation:
      return absl::StrCat("step ", event.evaluation().steps_done(), "  validation ",
                          DescribeMetrics(event.evaluation().validation()));
    case v1::JobEvent::kNote:
      return NoteLine(event.note());
    case v1::JobEvent::kRewind:
      return absl::StrCat("rewound to step ", event.rewind().to_step(), ": ",
                          Printable(event.rewind().message()));
    case v1::JobEvent::kTest:
      return absl::StrCat("test on ", FormatCount(event.test().row_count()),
                          " rows: ", DescribeMetrics(event.test().metrics()));
    default:
      return "";
  }
}

}  // namespace trainyard
