#include "client/full_screen.h"

#include <poll.h>
#include <unistd.h>

#include <chrono>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"

namespace trainyard {
namespace {

// After so long at most an interrupt is seen.
constexpr int kKeyPollMs = 50;

// Another screen, no cursor, no wrapping of long lines; and back.
constexpr absl::string_view kTake = "\x1b[?1049h\x1b[?25l\x1b[?7l\x1b[2J";
constexpr absl::string_view kGiveBack = "\x1b[?7h\x1b[?25h\x1b[?1049l";
constexpr absl::string_view kHome = "\x1b[H";
constexpr absl::string_view kNextLine = "\r\n";
// The old line goes before the new one is written: behind a line that fills the terminal the cursor
// still stands on its last character.
constexpr absl::string_view kClearLine = "\x1b[2K";
constexpr absl::string_view kClearBelow = "\x1b[J";

// A terminal that is gone takes nothing, and there is nobody to tell.
void Write(absl::string_view text) {
  while (!text.empty()) {
    const ssize_t written = write(STDOUT_FILENO, text.data(), text.size());
    if (written <= 0) return;
    text.remove_prefix(static_cast<size_t>(written));
  }
}

}  // namespace

FullScreen::FullScreen(Interrupt* interrupt) : interrupt_(interrupt) {
  TakeKeys();
  Write(kTake);
  hook_.emplace(interrupt, [this] { GiveBackSoon(); });
}

FullScreen::~FullScreen() { GiveBack(); }

void FullScreen::TakeKeys() {
  termios settings;
  if (tcgetattr(STDIN_FILENO, &settings) != 0) return;
  before_ = settings;
  settings.c_lflag &= ~static_cast<tcflag_t>(ICANON | ECHO);
  settings.c_iflag &= ~static_cast<tcflag_t>(IXON);  // Ctrl-S would block what gives it back
  settings.c_cc[VSUSP] = _POSIX_VDISABLE;
  settings.c_cc[VQUIT] = _POSIX_VDISABLE;
  tcsetattr(STDIN_FILENO, TCSANOW, &settings);
}

void FullScreen::GiveBack() {
  absl::MutexLock lock(&mutex_);
  GiveBackLocked();
}

// A terminal that takes nothing holds Draw up, but not whoever interrupts.
void FullScreen::GiveBackSoon() {
  asked_back_ = true;
  if (!mutex_.TryLock()) return;  // Draw sees to it
  GiveBackLocked();
  mutex_.Unlock();
}

void FullScreen::GiveBackLocked() {
  if (!taken_) return;
  taken_ = false;
  Write(kGiveBack);
  if (before_.has_value()) tcsetattr(STDIN_FILENO, TCSANOW, &*before_);
}

void FullScreen::Draw(absl::string_view text, size_t height) {
  std::vector<absl::string_view> lines = absl::StrSplit(text, '\n');
  if (lines.back().empty()) lines.pop_back();
  if (lines.size() > height) lines.resize(height);
  const bool has_room = lines.size() < height;
  const std::string between = absl::StrCat(kNextLine, kClearLine);
  absl::MutexLock lock(&mutex_);
  if (!taken_) return;
  Write(absl::StrCat(kHome, kClearLine, absl::StrJoin(lines, between), has_room ? kNextLine : "",
                     has_room ? kClearBelow : ""));
  if (asked_back_) GiveBackLocked();
}

std::optional<char> FullScreen::WaitKey(absl::Duration delay) {
  if (!before_.has_value() || keys_ended_) {  // a stdin that is no terminal has no keys
    interrupt_->Sleep(delay);
    return std::nullopt;
  }
  using Clock = std::chrono::steady_clock;  // somebody may set the other one
  const Clock::time_point end = Clock::now() + absl::ToChronoNanoseconds(delay);
  while (Clock::now() < end && !interrupt_->raised()) {
    pollfd keys = {STDIN_FILENO, POLLIN, 0};
    char key = 0;
    if (poll(&keys, 1, kKeyPollMs) <= 0) continue;
    if (read(STDIN_FILENO, &key, 1) == 1) return key;
    keys_ended_ = true;  // the terminal is gone
    interrupt_->Sleep(absl::FromChrono(end - Clock::now()));
  }
  return std::nullopt;
}

}  // namespace trainyard
