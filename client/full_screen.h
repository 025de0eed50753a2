// The whole terminal for a while, as `top` and `watch --plot` take it: another screen in front of
// what was there, no cursor, keys read one by one. Whatever the way out, the terminal is as it was:
// the destructor gives it back, and so does Ctrl-C itself, at once, in case the command is slow to
// let go and a second Ctrl-C ends the process. Keys that would stop or kill the process behind the
// other screen (Ctrl-Z, Ctrl-\) are off meanwhile.
//
//   FullScreen full(remote.interrupt());
//   full.Draw(text, screen.height());
//   if (full.WaitKey(absl::Seconds(1)) == 'q') return;
//
// Thread-safety: one thread; the interrupt may come on any.
#ifndef TRAINYARD_CLIENT_FULL_SCREEN_H_
#define TRAINYARD_CLIENT_FULL_SCREEN_H_

#include <termios.h>

#include <atomic>
#include <optional>

#include "absl/base/thread_annotations.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "client/interrupt.h"

namespace trainyard {

class FullScreen {
 public:
  // Takes the terminal of stdout, and of stdin when that is one. `*interrupt` must outlive this
  // object. One at a time.
  explicit FullScreen(Interrupt* interrupt);
  ~FullScreen();
  FullScreen(const FullScreen&) = delete;
  FullScreen& operator=(const FullScreen&) = delete;

  // Shows `text` in place of what was shown; what is wider or longer than the terminal is cut.
  // Nothing once interrupted.
  void Draw(absl::string_view text, size_t height);
  // The key that was pressed; nullopt after `delay`, and at once when interrupted.
  std::optional<char> WaitKey(absl::Duration delay);

 private:
  void TakeKeys();
  void GiveBack();
  void GiveBackSoon();  // never blocks
  void GiveBackLocked() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  Interrupt* const interrupt_;
  std::optional<termios> before_;  // of stdin; nullopt when that is no terminal
  absl::Mutex mutex_;
  bool taken_ ABSL_GUARDED_BY(mutex_) = true;
  std::atomic<bool> asked_back_{false};
  bool keys_ended_ = false;              // WaitKey's
  std::optional<Interrupt::Hook> hook_;  // uses everything above
};

}  // namespace trainyard

#endif  // TRAINYARD_CLIENT_FULL_SCREEN_H_
