#include "server/rpc/ticker.h"

#include <pthread.h>

#include "absl/time/clock.h"

namespace trainyard {

Ticker::Ticker() : thread_([this] { RunThread(); }) {}

Ticker::~Ticker() {
  {
    absl::MutexLock lock(&mutex_);
    stopping_ = true;
    changed_.Signal();
  }
  thread_.join();
}

Ticker::Id Ticker::At(absl::Time when, std::function<void()> callback) {
  absl::MutexLock lock(&mutex_);
  const Id id = ++last_id_;
  times_[id] = when;
  const auto [position, inserted] = pending_.emplace(Key{when, id}, std::move(callback));
  // The thread sleeps until the earliest time; only a new earliest one concerns it.
  if (position == pending_.begin()) changed_.Signal();
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
  absl::MutexLock lock(&mutex_);
  while (!stopping_) {
    if (pending_.empty()) {
      changed_.Wait(&mutex_);
      continue;
    }
    const auto first = pending_.begin();
    if (first->first.first > absl::Now()) {
      changed_.WaitWithDeadline(&mutex_, first->first.first);
      continue;
    }
    std::function<void()> callback = std::move(first->second);
    times_.erase(first->first.second);
    pending_.erase(first);
    return callback;
  }
  return nullptr;
}

}  // namespace trainyard
