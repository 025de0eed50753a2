#include "server/services/watch_filter.h"

#include "server/jobs/job.h"

namespace trainyard {
namespace {

v1::EventKind KindOf(const v1::JobEvent& event) {
  switch (event.kind_case()) {
    case v1::JobEvent::kStateChange:
      return v1::EVENT_KIND_STATE_CHANGE;
    case v1::JobEvent::kStep:
      return v1::EVENT_KIND_STEP;
    case v1::JobEvent::kEpoch:
      return v1::EVENT_KIND_EPOCH;
    case v1::JobEvent::kCheckpoint:
      return v1::EVENT_KIND_CHECKPOINT;
    case v1::JobEvent::kNote:
      return v1::EVENT_KIND_NOTE;
    case v1::JobEvent::kRewind:
      return v1::EVENT_KIND_REWIND;
    case v1::JobEvent::kTest:
      return v1::EVENT_KIND_TEST;
    case v1::JobEvent::kEvaluation:
      return v1::EVENT_KIND_EVALUATION;
    case v1::JobEvent::kAnalysisProgress:
      return v1::EVENT_KIND_ANALYSIS_PROGRESS;
    case v1::JobEvent::KIND_NOT_SET:
      break;
  }
  return v1::EVENT_KIND_UNSPECIFIED;
}

}  // namespace

bool WatchFilter::Admit(const v1::JobEvent& event) {
  const v1::EventKind kind = KindOf(event);
  if (kind == v1::EVENT_KIND_STATE_CHANGE || kind == v1::EVENT_KIND_REWIND) return true;
  if (!kinds_.empty() && !kinds_.contains(kind)) return false;
  if (kind != v1::EVENT_KIND_STEP || min_interval_ <= absl::ZeroDuration()) return true;
  const absl::Time time = FromTimestamp(event.create_time());
  // A clock that was set back must not silence a watcher.
  if (time >= last_step_ && time - last_step_ < min_interval_) {
    ++coalesced_;
    return false;
  }
  last_step_ = time;
  return true;
}

bool IsTerminalEvent(const v1::JobEvent& event) {
  return event.has_state_change() && IsTerminal(event.state_change().to());
}

}  // namespace trainyard
