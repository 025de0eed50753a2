#include "server/rpc/drain_signal.h"

#include <utility>
#include <vector>

#include "core/base/error_info.h"
#include "server/wire/error_detail.h"

namespace trainyard {

DrainSignal::Subscription::~Subscription() {
  absl::MutexLock lock(&signal_->mutex_);
  signal_->listeners_.erase(id_);
}

void DrainSignal::Begin() {
  std::map<uint64_t, std::function<void()>> listeners;
  {
    absl::MutexLock lock(&mutex_);
    draining_.store(true, std::memory_order_release);
    listeners.swap(listeners_);
  }
  for (const auto& [id, listener] : listeners) listener();
}

std::unique_ptr<DrainSignal::Subscription> DrainSignal::Subscribe(std::function<void()> listener) {
  absl::MutexLock lock(&mutex_);
  const uint64_t id = ++last_id_;
  if (!draining()) listeners_.emplace(id, std::move(listener));
  return std::make_unique<Subscription>(this, id);
}

absl::Status DrainingError() {
  return MakeError(absl::StatusCode::kUnavailable, "the server is stopping",
                   {.reason = ErrorReason::kDraining,
                    .hint = "try again in a moment; nothing that was acknowledged is lost",
                    .metadata = {{kRetryAfterKey, "1"}}});
}

}  // namespace trainyard
