// Ctrl-C as a value that can be asked, waited for and hooked to a call, and the thread that turns
// the signal into it.
//
//   Interrupt interrupt;
//   SignalThread signals(&interrupt);          // main only; before any other thread starts
//   Interrupt::Hook hook(&interrupt, [&] { context.TryCancel(); });
//   if (!interrupt.Sleep(delay)) return absl::CancelledError("interrupted");
//
// No signal handler runs: SIGINT and SIGTERM are blocked and read from a descriptor, so nothing has
// to be async-signal-safe. A second signal ends the process at once, in case a call does not let
// go.
//
// Thread-safety: Interrupt: all methods from any thread. Hooks run on the raising thread, or at
// once on the hooking thread when the interrupt came before.
#ifndef TRAINYARD_CLIENT_INTERRUPT_H_
#define TRAINYARD_CLIENT_INTERRUPT_H_

#include <functional>
#include <list>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"

namespace trainyard {

class Interrupt {
 public:
  // Runs `action` when the interrupt comes, as long as the hook lives. `action` must not block and
  // must not touch the Interrupt.
  class Hook {
   public:
    Hook(Interrupt* interrupt, std::function<void()> action);
    ~Hook();
    Hook(const Hook&) = delete;
    Hook& operator=(const Hook&) = delete;

   private:
    Interrupt* const interrupt_;
    std::list<std::function<void()>>::iterator entry_;
  };

  void Raise();
  bool raised() const;
  // False at once when the interrupt comes or has come.
  bool Sleep(absl::Duration delay);

 private:
  mutable absl::Mutex mutex_;
  bool raised_ ABSL_GUARDED_BY(mutex_) = false;
  std::list<std::function<void()>> actions_ ABSL_GUARDED_BY(mutex_);
};

class SignalThread {
 public:
  // `*interrupt` must outlive this object. REQUIRES: no other thread runs yet (they inherit the
  // blocked signals).
  explicit SignalThread(Interrupt* interrupt);
  ~SignalThread();
  SignalThread(const SignalThread&) = delete;
  SignalThread& operator=(const SignalThread&) = delete;

 private:
  void Run();

  Interrupt* const interrupt_;
  const int signal_fd_;
  const int stop_fd_;
  std::thread thread_;  // uses everything above
};

}  // namespace trainyard

#endif  // TRAINYARD_CLIENT_INTERRUPT_H_
