#include "server/worker/reporter.h"

#include <pthread.h>

#include <utility>

#include "server/base/steady_clock.h"
#include "server/wire/convert.h"

namespace trainyard {

Reporter::Reporter(ReporterOptions options, EventSink* sink, StopFlag* stop)
    : options_(std::move(options)),
      sink_(sink),
      stop_(stop),
      started_(SteadyNow() - absl::Seconds(options_.from.busy_seconds())),
      steps_done_(options_.from.step()),
      rows_done_(options_.from.rows_done()),
      added_count_(options_.from.event_count()),
      sent_count_(options_.from.event_count()),
      thread_([this] { Run(); }) {}

Reporter::~Reporter() { Finish(); }

void Reporter::Add(v1::JobEvent event) {
  const auto has_room = [this]() ABSL_NO_THREAD_SAFETY_ANALYSIS {
    return buffer_.size() < kBufferedEventsMax;
  };
  absl::MutexLock lock(&mu_);
  mu_.Await(absl::Condition(&has_room));
  if (IsRepeated(event)) ++added_count_;
  buffer_.push_back({.event = std::move(event)});
}

v1::Checkpoint Reporter::CheckpointNow() {
  v1::Checkpoint checkpoint;
  checkpoint.set_rows_done(rows_done_.load(std::memory_order_relaxed));
  checkpoint.set_busy_seconds(absl::ToDoubleSeconds(SteadyNow() - started_));
  absl::MutexLock lock(&mu_);
  checkpoint.set_event_count(added_count_);
  return checkpoint;
}

void Reporter::AddCheckpoint(v1::Checkpoint checkpoint, double write_seconds) {
  v1::JobEvent event;
  event.mutable_checkpoint()->set_step(checkpoint.step());
  event.mutable_checkpoint()->set_size_bytes(checkpoint.size_bytes());
  absl::MutexLock lock(&mu_);
  buffer_.push_back({.event = std::move(event),
                     .checkpoint = std::move(checkpoint),
                     .checkpoint_write_seconds = write_seconds});
}

void Reporter::CountCheckpointFailure() {
  absl::MutexLock lock(&mu_);
  ++checkpoint_failures_;
}

void Reporter::Finish() {
  {
    absl::MutexLock lock(&mu_);
    finished_ = true;
  }
  if (thread_.joinable()) thread_.join();
}

void Reporter::Run() {
  pthread_setname_np(pthread_self(), "ty-report");
  const auto is_due = [this]() ABSL_NO_THREAD_SAFETY_ANALYSIS { return finished_ || BatchIsDue(); };
  while (true) {
    v1::WorkRequest request;
    {
      absl::MutexLock lock(&mu_);
      const bool due = AwaitFor(mu_, absl::Condition(&is_due), kBatchInterval);
      const absl::Time now = SteadyNow();
      if (now - started_ >= options_.max_runtime) stop_->Request(StopCause::kRuntimeLimit);
      if (!due && buffer_.empty() && now - last_sent_ < kProgressInterval) continue;
      // The last message goes out even without events: it has the final counters.
      if (finished_ && last_sent_ == absl::InfiniteFuture()) return;
      request = TakeBatch();
      last_sent_ = finished_ && buffer_.empty() ? absl::InfiniteFuture() : now;
    }
    sink_->Send(request);
  }
}

bool Reporter::BatchIsDue() const {
  if (buffer_.empty()) return false;
  return buffer_.size() >= kBatchEventsMax || SteadyNow() - last_sent_ >= kBatchInterval;
}

v1::WorkRequest Reporter::TakeBatch() {
  v1::WorkRequest request;
  v1::EventBatch& batch = *request.mutable_events();
  batch.set_job(options_.job);
  batch.set_attempt(options_.attempt);
  batch.set_event_count(sent_count_);
  while (!buffer_.empty() && batch.events_size() < static_cast<int>(kBatchEventsMax)) {
    Item item = std::move(buffer_.front());
    buffer_.pop_front();
    if (IsRepeated(item.event)) ++sent_count_;
    *batch.add_events() = std::move(item.event);
    if (!item.checkpoint.has_value()) continue;
    *batch.mutable_checkpoint() = *std::move(item.checkpoint);
    batch.set_checkpoint_write_seconds(item.checkpoint_write_seconds);
    break;  // a batch has room for one
  }
  batch.set_checkpoint_failures(std::exchange(checkpoint_failures_, 0));
  batch.set_steps_done(steps_done_.load(std::memory_order_relaxed));
  batch.set_rows_done(rows_done_.load(std::memory_order_relaxed));
  batch.set_busy_seconds(absl::ToDoubleSeconds(SteadyNow() - started_));
  return request;
}

}  // namespace trainyard
