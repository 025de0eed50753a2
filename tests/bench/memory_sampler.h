// MemorySampler asks the system a few times a second how much memory a process has, and keeps the
// peaks of a phase.
//
//   MemorySampler server(pid);
//   ...                                         // a phase
//   MemoryPeaks peaks = server.TakePeaks();     // of it; the next phase begins
//
// Resident memory is of two kinds: a process' own (anonymous and shared memory, which only swapping
// would give back), and pages of mapped files, which are the system's cache and go when it needs
// room.
//
// Thread-safety: one thread; the sampling runs on its own.
#ifndef TRAINYARD_TESTS_BENCH_MEMORY_SAMPLER_H_
#define TRAINYARD_TESTS_BENCH_MEMORY_SAMPLER_H_

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"

namespace trainyard::bench {

// Bytes.
struct MemoryPeaks {
  int64_t resident = 0;  // VmHWM: exact
  int64_t own = 0;       // RssAnon + RssShmem, at a sample
  int64_t files = 0;     // RssFile, at a sample
};

// {"resident_mib": …, "own_mib": …, "files_mib": …}
std::string ToJson(const MemoryPeaks& peaks);

class MemorySampler {
 public:
  explicit MemorySampler(pid_t pid);
  ~MemorySampler();

  MemoryPeaks TakePeaks();

 private:
  void Sample();
  // Makes the peak of resident memory what it is now.
  void ResetPeak() const;

  const pid_t pid_;
  absl::Mutex mu_;
  MemoryPeaks peaks_ ABSL_GUARDED_BY(mu_);
  absl::Notification done_;
  std::thread thread_;
};

}  // namespace trainyard::bench

#endif  // TRAINYARD_TESTS_BENCH_MEMORY_SAMPLER_H_
