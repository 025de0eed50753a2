#include "server/jobs/replay.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/base/check.h"
#include "server/wire/convert.h"

namespace trainyard {

int64_t Replay::StepsDone(const v1::JobEvent& event, int64_t before) {
  if (event.has_step()) return event.step().step() + 1;
  if (event.has_epoch()) return event.epoch().steps_done();
  if (event.has_evaluation()) return event.evaluation().steps_done();
  if (event.has_analysis_progress()) return event.analysis_progress().points_done();
  return before;
}

std::string Replay::Content(const v1::JobEvent& event) {
  v1::JobEvent copy = event;
  copy.clear_sequence();
  copy.clear_create_time();
  copy.clear_attempt();
  return copy.SerializeAsString();
}

v1::JobEvent Replay::Entry::ToEvent(int32_t attempt) const {
  v1::JobEvent event;
  TY_CHECK(event.ParseFromString(content));  // made by Content()
  event.set_attempt(attempt);
  return event;
}

void Replay::AddStored(const v1::JobEvent& event) {
  if (event.has_rewind()) {
    const int64_t to_step = event.rewind().to_step();
    while (!stored_.empty() && stored_.back().steps_done > to_step) stored_.pop_back();
    return;
  }
  if (!IsRepeated(event)) return;
  const int64_t before = stored_.empty() ? 0 : stored_.back().steps_done;
  stored_.push_back({StepsDone(event, before), Content(event)});
}

void Replay::Skip(int64_t event_count) {
  for (; event_count > 0 && !stored_.empty(); --event_count) {
    steps_done_ = stored_.front().steps_done;
    stored_.pop_front();
  }
}

void Replay::Produce(v1::JobEvent event, std::vector<v1::JobEvent>* to_append) {
  attempt_ = event.attempt();
  if (caught_up() || event.note().has_checkpoint_step()) {
    to_append->push_back(std::move(event));
    return;
  }
  if (!IsRepeated(event)) return;
  if (Content(event) == stored_.front().content) {
    Match();
    return;
  }
  const int64_t here = StepsDone(event, steps_done_);
  const int64_t to_step = std::max<int64_t>(0, std::min(here, stored_.front().steps_done) - 1);
  Rewind(to_step,
         absl::StrCat("attempt ", attempt_, " came out otherwise after step ", to_step,
                      "; it goes on from there"),
         attempt_, to_append);
  to_append->push_back(std::move(event));
}

void Replay::Finish(std::vector<v1::JobEvent>* to_append) {
  if (caught_up()) return;
  const int64_t to_step =
      std::max<int64_t>(0, std::min(steps_done_, stored_.front().steps_done - 1));
  Rewind(to_step,
         absl::StrCat("attempt ", attempt_, " ended after ", steps_done_,
                      " steps, before what is stored"),
         attempt_, to_append);
}

void Replay::Match() {
  Entry& entry = stored_.front();
  if (entry.steps_done != steps_done_) last_step_.clear();
  steps_done_ = entry.steps_done;
  last_step_.push_back(std::move(entry));
  stored_.pop_front();
}

// Voids everything after `to_step`; what was matched there already is appended again.
void Replay::Rewind(int64_t to_step, absl::string_view why, int32_t attempt,
                    std::vector<v1::JobEvent>* to_append) {
  stored_.clear();
  rewound_to_ = to_step;
  v1::JobEvent event;
  event.set_attempt(attempt);
  event.mutable_rewind()->set_to_step(to_step);
  event.mutable_rewind()->set_message(std::string(why));
  to_append->push_back(std::move(event));
  for (const Entry& entry : last_step_) {
    if (entry.steps_done > to_step) to_append->push_back(entry.ToEvent(attempt));
  }
  last_step_.clear();
}

}  // namespace trainyard
