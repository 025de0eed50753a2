#include "server/rpc/executor.h"

#include <pthread.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "core/base/error_info.h"
#include "server/wire/error_detail.h"

namespace trainyard {

Executor::Executor(const Options& options) : options_(options) {
  threads_.reserve(static_cast<size_t>(options.threads));
  for (int i = 0; i < options.threads; ++i) threads_.emplace_back([this, i] { RunThread(i); });
}

Executor::~Executor() {
  {
    absl::MutexLock lock(&mutex_);
    stopping_ = true;
  }
  for (std::thread& thread : threads_) thread.join();
}

bool Executor::Submit(std::function<void()> body) {
  absl::MutexLock lock(&mutex_);
  if (queue_.size() >= options_.queue_max) return false;
  queue_.push_back(std::move(body));
  return true;
}

size_t Executor::queued() const {
  absl::MutexLock lock(&mutex_);
  return queue_.size();
}

void Executor::RunThread(int index) {
  pthread_setname_np(pthread_self(), absl::StrCat(options_.name, "-", index).c_str());
  while (std::function<void()> body = Take()) body();
}

std::function<void()> Executor::Take() {
  absl::MutexLock lock(&mutex_);
  mutex_.Await(absl::Condition(this, &Executor::HasWorkOrStops));
  if (queue_.empty()) return nullptr;
  std::function<void()> body = std::move(queue_.front());
  queue_.pop_front();
  return body;
}

absl::Status BusyError() {
  return MakeError(absl::StatusCode::kResourceExhausted,
                   "the server has as many requests waiting as it takes",
                   {.reason = ErrorReason::kQueueFull,
                    .hint = "try again in a second",
                    .metadata = {{kRetryAfterKey, "1"}}});
}

}  // namespace trainyard
