// A worker that does what a test says: it records what the server sends, and the test answers.
//
// Thread-safety: all methods from any thread.
#ifndef TRAINYARD_TESTS_SUPPORT_FAKE_WORKER_SESSION_H_
#define TRAINYARD_TESTS_SUPPORT_FAKE_WORKER_SESSION_H_

#include <deque>
#include <optional>
#include <string>
#include <utility>

#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "server/base/steady_clock.h"
#include "server/jobs/job_manager.h"

namespace trainyard {

class FakeWorkerSession : public WorkerSession {
 public:
  explicit FakeWorkerSession(int slot = 0) : slot_(slot) {
    hello_.set_slot(slot);
    hello_.set_build("0.1.0+fake");
    hello_.set_onednn_version("2.6.3");
    hello_.set_isa("fake_isa");
  }
  // Before it is connected.
  void set_build(const std::string& build) { hello_.set_build(build); }
  int slot() const override { return slot_; }
  const v1::Hello& hello() const override { return hello_; }
  void Send(v1::WorkResponse message) override {
    absl::MutexLock lock(&mu_);
    sent_.push_back(std::move(message));
  }

  // The next message, waited for; nullopt after `timeout`.
  std::optional<v1::WorkResponse> Next(absl::Duration timeout = absl::Seconds(10)) {
    const auto has_one = [this] { return !sent_.empty(); };
    absl::MutexLock lock(&mu_);
    if (!AwaitFor(mu_, absl::Condition(&has_one), timeout)) return std::nullopt;
    v1::WorkResponse message = std::move(sent_.front());
    sent_.pop_front();
    return message;
  }

 private:
  const int slot_;
  v1::Hello hello_;
  absl::Mutex mu_;
  std::deque<v1::WorkResponse> sent_;
};

}  // namespace trainyard

#endif  // TRAINYARD_TESTS_SUPPORT_FAKE_WORKER_SESSION_H_
