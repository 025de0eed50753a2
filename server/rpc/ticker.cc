#include "server/rpc/ticker.h"

#include <pthread.h>

#include "server/base/steady_clock.h"

namespace trainyard {

Ticker::Ticker() : thread_([this] { RunThread(); }) {}

Ticker::~Ticker() {
  {
    absl::MutexLock lock(&mutex_);
    stopping_ = true;
  }
  thread_.join();
}

Ticker::Id Ticker::At(absl::Time when, std::function<void()> callback) {
  absl::MutexLock lock(&mutex_);
  const Id id = ++last_id_;
  times_[id] = when;
  pending_.emplace(Key{when, id}, std::move(callback));
  return id;
}

void Ticker::Cancel(Id id) {
  absl::MutexLock lock(&mutex_);
  const auto it = times_.find(id);
  if (it == times_.end()) return;
  pending_.erase(Key{it->second, id});
  times_.erase(it);
}

void Ticker::RunThread() {
  pthread_setname_np(pthread_self(), "ty-ticker");
  while (const std::function<void()> callback = Take()) callback();
}

std::function<void()> Ticker::Take() {
  const auto earliest = [this]() ABSL_NO_THREAD_SAFETY_ANALYSIS {
    return pending_.empty() ? absl::InfiniteFuture() : pending_.begin()->first.first;
  };
  absl::MutexLock lock(&mutex_);
  while (!stopping_ && earliest() > SteadyNow()) {
    // Only a new earliest time concerns it.
    const absl::Time seen = earliest();
    const auto has_changed = [&]() ABSL_NO_THREAD_SAFETY_ANALYSIS {
      return stopping_ || earliest() < seen;
    };
    AwaitFor(mutex_, absl::Condition(&has_changed), seen - SteadyNow());
  }
  if (stopping_) return nullptr;
  const auto first = pending_.begin();
  std::function<void()> callback = std::move(first->second);
  times_.erase(first->first.second);
  pending_.erase(first);
  return callback;
}

}  // namespace trainyard
