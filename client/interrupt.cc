#include "client/interrupt.h"

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <cstdint>
#include <utility>

#include "client/exit_code.h"
#include "core/base/check.h"

namespace trainyard {
namespace {

int BlockSignals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  TY_CHECK(pthread_sigmask(SIG_BLOCK, &signals, nullptr) == 0);
  const int fd = signalfd(-1, &signals, SFD_CLOEXEC);
  TY_CHECK(fd >= 0);
  return fd;
}

int MakeEvent() {
  const int fd = eventfd(0, EFD_CLOEXEC);
  TY_CHECK(fd >= 0);
  return fd;
}

}  // namespace

Interrupt::Hook::Hook(Interrupt* interrupt, std::function<void()> action) : interrupt_(interrupt) {
  absl::MutexLock lock(&interrupt_->mutex_);
  if (interrupt_->raised_) action();
  entry_ = interrupt_->actions_.insert(interrupt_->actions_.end(), std::move(action));
}

Interrupt::Hook::~Hook() {
  absl::MutexLock lock(&interrupt_->mutex_);
  interrupt_->actions_.erase(entry_);
}

void Interrupt::Raise() {
  // Under the lock, so that a hook's target cannot go away while its action runs.
  absl::MutexLock lock(&mutex_);
  raised_ = true;
  for (const auto& action : actions_) action();
}

bool Interrupt::raised() const {
  absl::MutexLock lock(&mutex_);
  return raised_;
}

bool Interrupt::Sleep(absl::Duration delay) {
  absl::MutexLock lock(&mutex_);
  return !mutex_.AwaitWithTimeout(absl::Condition(&raised_), delay);
}

SignalThread::SignalThread(Interrupt* interrupt)
    : interrupt_(interrupt),
      signal_fd_(BlockSignals()),
      stop_fd_(MakeEvent()),
      thread_([this] { Run(); }) {}

SignalThread::~SignalThread() {
  const uint64_t one = 1;
  TY_CHECK(write(stop_fd_, &one, sizeof one) == sizeof one);
  thread_.join();
  close(stop_fd_);
  close(signal_fd_);
}

void SignalThread::Run() {
  pollfd waits[] = {{signal_fd_, POLLIN, 0}, {stop_fd_, POLLIN, 0}};
  while (poll(waits, 2, -1) >= 0 && waits[1].revents == 0) {
    signalfd_siginfo info;
    if (read(signal_fd_, &info, sizeof info) != sizeof info) continue;
    if (interrupt_->raised()) _exit(static_cast<int>(ExitCode::kInterrupted));
    interrupt_->Raise();
  }
}

}  // namespace trainyard
