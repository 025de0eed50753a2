// WatchFilter decides which events of a log one watcher gets: by kind, and at most one step event
// per min_interval.
//
// The interval is measured between the times in the events, not on a clock: a replay is thinned out
// exactly like the live stream was, and a watcher that was slow gets the same events as a fast one.
//
// Thread-safety: none. It sees every event of the log once, in order.
#ifndef TRAINYARD_SERVER_SERVICES_WATCH_FILTER_H_
#define TRAINYARD_SERVER_SERVICES_WATCH_FILTER_H_

#include <cstdint>
#include <set>
#include <utility>

#include "absl/time/time.h"
#include "trainyard/v1/job.pb.h"

namespace trainyard {

class WatchFilter {
 public:
  // Empty `kinds`: all. State changes and rewinds always pass.
  WatchFilter(std::set<int> kinds, absl::Duration min_interval)
      : kinds_(std::move(kinds)), min_interval_(min_interval) {}

  bool Admit(const v1::JobEvent& event);
  // Step events left out since the last event that was admitted; to be asked once per admitted
  // event.
  int64_t TakeCoalesced() { return std::exchange(coalesced_, 0); }

 private:
  const std::set<int> kinds_;  // EventKind
  const absl::Duration min_interval_;
  absl::Time last_step_ = absl::InfinitePast();  // time of the last step event that was admitted
  int64_t coalesced_ = 0;
};

// Whether `event` is the last one of its log.
bool IsTerminalEvent(const v1::JobEvent& event);

}  // namespace trainyard

#endif  // TRAINYARD_SERVER_SERVICES_WATCH_FILTER_H_
