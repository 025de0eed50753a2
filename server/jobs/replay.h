// Replay checks a repeated attempt against the log. An attempt after the first trains from the
// start again; what it produces must equal what is stored. Equal events are not appended a second
// time, and the log goes on after the last stored one. At the first difference (another CPU) a
// Rewind is appended, and everything from there on: nothing is overwritten.
//
//   Replay replay;
//   for (const v1::JobEvent& event : stored) replay.AddStored(event);   // the whole log, in order
//   for (v1::JobEvent& event : produced) replay.Produce(std::move(event), &to_append);
//   replay.Finish(&to_append);                                         // when the attempt has come
//   to its end
//
// An attempt that goes on from a checkpoint produces only what comes after it: Skip takes what came
// before off the stored ones.
//
// Compared are all events but state changes, checkpoints, rewinds and notes of one attempt, without
// sequence, create_time and attempt. Checkpoints of the repeated stretch are dropped, and notes of
// the attempt appended. Stored events that an earlier Rewind made void are not compared.
//
// Memory: the stored events' bytes; at most limits::kTrainingEventsMax of them, given back as they
// are matched. Thread-safety: none.
#ifndef TRAINYARD_SERVER_JOBS_REPLAY_H_
#define TRAINYARD_SERVER_JOBS_REPLAY_H_

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "trainyard/v1/job.pb.h"

namespace trainyard {

class Replay {
 public:
  // The next event of the log, of any kind. REQUIRES: before the first Produce.
  void AddStored(const v1::JobEvent& event);
  // So many of the stored events that are compared came before the attempt's beginning. REQUIRES:
  // as AddStored, and after it.
  void Skip(int64_t event_count);
  // An event the repeated attempt produced; appends to `to_append` what has to go into the log
  // because of it.
  void Produce(v1::JobEvent event, std::vector<v1::JobEvent>* to_append);
  // The attempt reached its end: stored events that did not come again are made void.
  void Finish(std::vector<v1::JobEvent>* to_append);

  // To where a Rewind went that Produce or Finish appended.
  std::optional<int64_t> rewound_to() const { return rewound_to_; }

  // Whether everything stored was produced again (or replaced), so that Produce lets all events
  // pass.
  bool caught_up() const { return stored_.empty(); }

 private:
  struct Entry {
    int64_t steps_done = 0;  // how far training was when it was produced
    std::string content;     // serialized, without what may differ
    v1::JobEvent ToEvent(int32_t attempt) const;
  };

  // How far training is at `event`, given that it was at `before`.
  static int64_t StepsDone(const v1::JobEvent& event, int64_t before);
  static std::string Content(const v1::JobEvent& event);
  void Match();
  void Rewind(int64_t to_step, absl::string_view why, int32_t attempt,
              std::vector<v1::JobEvent>* to_append);

  std::deque<Entry> stored_;      // not produced again yet
  std::vector<Entry> last_step_;  // matched entries with the newest steps_done
  int64_t steps_done_ = 0;        // of the newest matched entry
  int32_t attempt_ = 0;           // of the newest produced event
  std::optional<int64_t> rewound_to_;
};

}  // namespace trainyard

#endif  // TRAINYARD_SERVER_JOBS_REPLAY_H_
