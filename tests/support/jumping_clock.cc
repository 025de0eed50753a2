#include "tests/support/jumping_clock.h"

#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>

namespace {

std::atomic<int64_t> jump_seconds{0};

}  // namespace

// In place of libc's: the linker exports it, because shared libraries ask for it.
extern "C" int clock_gettime(clockid_t clock, timespec* now) noexcept {
  const auto code = static_cast<int>(syscall(SYS_clock_gettime, clock, now));
  if (code == 0 && clock == CLOCK_REALTIME) now->tv_sec += jump_seconds.load();
  return code;
}

namespace trainyard {

ClockJump::ClockJump(absl::Duration by) { jump_seconds = absl::ToInt64Seconds(by); }

ClockJump::~ClockJump() { jump_seconds = 0; }

}  // namespace trainyard
