// The wall clock of this process as somebody who sets it would leave it. It is clock_gettime that
// is replaced, for the program and its shared libraries; the kernel and the steady clock know
// nothing of it, so that a timed wait by the wall clock is as wrong as can be.
//
//   const ClockJump jump(absl::Hours(24));    // a day later, until it goes out of scope
//
// Thread-safety: one at a time; other threads see it at once.
#ifndef TRAINYARD_TESTS_SUPPORT_JUMPING_CLOCK_H_
#define TRAINYARD_TESTS_SUPPORT_JUMPING_CLOCK_H_

#include "absl/time/time.h"

namespace trainyard {

class ClockJump {
 public:
  explicit ClockJump(absl::Duration by);
  ~ClockJump();
  ClockJump(const ClockJump&) = delete;
  ClockJump& operator=(const ClockJump&) = delete;
};

}  // namespace trainyard

#endif  // TRAINYARD_TESTS_SUPPORT_JUMPING_CLOCK_H_
