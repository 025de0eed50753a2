// Tells ThreadSanitizer what Debian's Abseil does not: its library is not instrumented, so TSan
// sees neither absl::Mutex nor absl::Notification, and calls everything they guard a race (13,000
// reports from one test binary).
//
// The functions below have the library's symbol names, so the program's calls, and those of gRPC,
// come here first; each marks the edge (acquire, release) and goes on to the real function. Linked
// into every program of the tsan preset, into no other (cmake/targets.cmake).
//
// A Condition may be evaluated by the thread that unlocks, on behalf of one that waits, with the
// lock still held: Eval is marked too, with the mutex the thread is in at that moment.
#include <dlfcn.h>
#include <sanitizer/tsan_interface.h>

#include <cstdio>
#include <cstdlib>

#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "absl/time/time.h"

namespace {

thread_local const void* current_mutex = nullptr;

class InMutex {
 public:
  explicit InMutex(const void* mutex) : outer_(current_mutex) { current_mutex = mutex; }
  ~InMutex() { current_mutex = outer_; }

 private:
  const void* const outer_;
};

void Acquire(const void* address) { __tsan_acquire(const_cast<void*>(address)); }
void Release(const void* address) { __tsan_release(const_cast<void*>(address)); }

void* Find(const char* symbol) {
  void* real = dlsym(RTLD_NEXT, symbol);
  if (real != nullptr) return real;
  std::fprintf(stderr, "tsan_absl: no symbol %s\n", symbol);
  std::abort();
}

}  // namespace

#define TY_ABSL "4absl7debian3"  // the inline namespace of Debian 12's package

// Defines `function` under the library's name `symbol`, with the real one as `real`.
#define TY_INTERPOSE(result, function, symbol, types, names, body)                         \
  extern "C" __attribute__((visibility("default"))) result function types __asm__(symbol); \
  result function types {                                                                  \
    using Real = result(*) types;                                                          \
    static const Real real = reinterpret_cast<Real>(Find(symbol));                         \
    body                                                                                   \
  }

#define TY_LOCKS(function, symbol, types, names)       \
  TY_INTERPOSE(void, function, symbol, types, names, { \
    InMutex in(mutex);                                 \
    real names;                                        \
    Acquire(mutex);                                    \
  })
#define TY_TRIES(function, symbol, types, names)       \
  TY_INTERPOSE(bool, function, symbol, types, names, { \
    InMutex in(mutex);                                 \
    const bool result = real names;                    \
    Acquire(mutex);                                    \
    return result;                                     \
  })
#define TY_UNLOCKS(function, symbol, types, names)     \
  TY_INTERPOSE(void, function, symbol, types, names, { \
    InMutex in(mutex);                                 \
    Release(mutex);                                    \
    real names;                                        \
  })
#define TY_WAITS(result, function, symbol, types, names, keep, give) \
  TY_INTERPOSE(result, function, symbol, types, names, {             \
    InMutex in(mutex);                                               \
    Release(mutex);                                                  \
    keep real names;                                                 \
    Acquire(mutex);                                                  \
    give;                                                            \
  })

using absl::Condition;
using absl::CondVar;
using absl::Duration;
using absl::Mutex;
using absl::Notification;
using absl::Time;

TY_LOCKS(TyLock, "_ZN" TY_ABSL "5Mutex4LockEv", (Mutex * mutex), (mutex))
TY_LOCKS(TyReaderLock, "_ZN" TY_ABSL "5Mutex10ReaderLockEv", (Mutex * mutex), (mutex))
TY_TRIES(TyTryLock, "_ZN" TY_ABSL "5Mutex7TryLockEv", (Mutex * mutex), (mutex))
TY_TRIES(TyReaderTryLock, "_ZN" TY_ABSL "5Mutex13ReaderTryLockEv", (Mutex * mutex), (mutex))
TY_UNLOCKS(TyUnlock, "_ZN" TY_ABSL "5Mutex6UnlockEv", (Mutex * mutex), (mutex))
TY_UNLOCKS(TyReaderUnlock, "_ZN" TY_ABSL "5Mutex12ReaderUnlockEv", (Mutex * mutex), (mutex))

TY_LOCKS(TyLockWhen, "_ZN" TY_ABSL "5Mutex8LockWhenERKNS0_9ConditionE",
         (Mutex * mutex, const Condition& condition), (mutex, condition))
TY_LOCKS(TyReaderLockWhen, "_ZN" TY_ABSL "5Mutex14ReaderLockWhenERKNS0_9ConditionE",
         (Mutex * mutex, const Condition& condition), (mutex, condition))
TY_WAITS(void, TyAwait, "_ZN" TY_ABSL "5Mutex5AwaitERKNS0_9ConditionE",
         (Mutex * mutex, const Condition& condition), (mutex, condition), , return )
TY_WAITS(bool, TyAwaitTimeout,
         "_ZN" TY_ABSL "5Mutex16AwaitWithTimeoutERKNS0_9ConditionENS0_8DurationE",
         (Mutex * mutex, const Condition& condition, Duration timeout), (mutex, condition, timeout),
         const bool met =, return met)
TY_WAITS(bool, TyAwaitDeadline,
         "_ZN" TY_ABSL "5Mutex17AwaitWithDeadlineERKNS0_9ConditionENS0_4TimeE",
         (Mutex * mutex, const Condition& condition, Time deadline), (mutex, condition, deadline),
         const bool met =, return met)
TY_TRIES(TyLockWhenTimeout,
         "_ZN" TY_ABSL "5Mutex19LockWhenWithTimeoutERKNS0_9ConditionENS0_8DurationE",
         (Mutex * mutex, const Condition& condition, Duration timeout), (mutex, condition, timeout))
TY_TRIES(TyLockWhenDeadline,
         "_ZN" TY_ABSL "5Mutex20LockWhenWithDeadlineERKNS0_9ConditionENS0_4TimeE",
         (Mutex * mutex, const Condition& condition, Time deadline), (mutex, condition, deadline))

TY_WAITS(void, TyWait, "_ZN" TY_ABSL "7CondVar4WaitEPNS0_5MutexE",
         (CondVar * variable, Mutex* mutex), (variable, mutex), , return )
TY_WAITS(bool, TyWaitTimeout, "_ZN" TY_ABSL "7CondVar15WaitWithTimeoutEPNS0_5MutexENS0_8DurationE",
         (CondVar * variable, Mutex* mutex, Duration timeout), (variable, mutex, timeout),
         const bool late =, return late)
TY_WAITS(bool, TyWaitDeadline, "_ZN" TY_ABSL "7CondVar16WaitWithDeadlineEPNS0_5MutexENS0_4TimeE",
         (CondVar * variable, Mutex* mutex, Time deadline), (variable, mutex, deadline),
         const bool late =, return late)

TY_INTERPOSE(bool, TyEval, "_ZNK" TY_ABSL "9Condition4EvalEv", (const Condition* condition),
             (condition), {
               const void* const mutex = current_mutex;
               if (mutex != nullptr) Acquire(mutex);
               const bool met = real(condition);
               if (mutex != nullptr) Release(mutex);
               return met;
             })

TY_INTERPOSE(void, TyNotify, "_ZN" TY_ABSL "12Notification6NotifyEv", (Notification * notification),
             (notification), {
               Release(notification);
               real(notification);
             })
TY_INTERPOSE(void, TyWaitNotification, "_ZNK" TY_ABSL "12Notification19WaitForNotificationEv",
             (const Notification* notification), (notification), {
               real(notification);
               Acquire(notification);
             })
TY_INTERPOSE(bool, TyWaitNotificationTimeout,
             "_ZNK" TY_ABSL "12Notification30WaitForNotificationWithTimeoutENS0_8DurationE",
             (const Notification* notification, Duration timeout), (notification, timeout), {
               const bool notified = real(notification, timeout);
               Acquire(notification);
               return notified;
             })
