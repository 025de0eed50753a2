#include "tests/bench/memory_sampler.h"

#include <algorithm>
#include <fstream>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"

namespace trainyard::bench {
namespace {

constexpr absl::Duration kInterval = absl::Milliseconds(50);

// The lines of /proc/PID/status that are sizes: name with its colon → bytes. Empty when the process
// is gone.
absl::flat_hash_map<std::string, int64_t> StatusBytes(pid_t pid) {
  absl::flat_hash_map<std::string, int64_t> sizes;
  std::ifstream status(absl::StrCat("/proc/", pid, "/status"));
  std::string name;
  while (status >> name) {
    int64_t kib = 0;
    if (name.rfind("Vm", 0) == 0 || name.rfind("Rss", 0) == 0) status >> kib;
    if (kib > 0) sizes[name] = kib << 10;
    status.ignore(1 << 16, '\n');
  }
  return sizes;
}

}  // namespace

std::string ToJson(const MemoryPeaks& peaks) {
  return absl::StrCat("{\"resident_mib\": ", peaks.resident >> 20,
                      ", \"own_mib\": ", peaks.own >> 20, ", \"files_mib\": ", peaks.files >> 20,
                      "}");
}

MemorySampler::MemorySampler(pid_t pid) : pid_(pid) {
  ResetPeak();
  thread_ = std::thread([this] {
    while (!done_.WaitForNotificationWithTimeout(kInterval)) Sample();
  });
}

MemorySampler::~MemorySampler() {
  done_.Notify();
  thread_.join();
}

void MemorySampler::Sample() {
  const auto sizes = StatusBytes(pid_);
  const auto size = [&](const char* name) {
    const auto found = sizes.find(name);
    return found == sizes.end() ? 0 : found->second;
  };
  absl::MutexLock lock(&mu_);
  peaks_.resident = std::max(peaks_.resident, size("VmHWM:"));
  peaks_.own = std::max(peaks_.own, size("RssAnon:") + size("RssShmem:"));
  peaks_.files = std::max(peaks_.files, size("RssFile:"));
}

void MemorySampler::ResetPeak() const {
  std::ofstream(absl::StrCat("/proc/", pid_, "/clear_refs")) << 5;
}

MemoryPeaks MemorySampler::TakePeaks() {
  Sample();
  absl::MutexLock lock(&mu_);
  ResetPeak();
  return std::exchange(peaks_, {});
}

}  // namespace trainyard::bench
