#include "server/metrics/process_metrics.h"

#include <dirent.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cstdint>
#include <fstream>
#include <memory>
#include <optional>
#include <sstream>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"
#include "server/metrics/families.h"

namespace trainyard {
namespace {

using Families = std::vector<prometheus::MetricFamily>;

// Fields of /proc/self/stat behind the command's name, which may hold spaces: proc(5) numbers them
// from 3.
constexpr size_t kFirstField = 3;
constexpr size_t kUserTicks = 14 - kFirstField;
constexpr size_t kSystemTicks = 15 - kFirstField;
constexpr size_t kThreads = 20 - kFirstField;
constexpr size_t kStartTicks = 22 - kFirstField;
constexpr size_t kVirtualBytes = 23 - kFirstField;
constexpr size_t kResidentPages = 24 - kFirstField;
constexpr size_t kFieldsMin = kResidentPages + 1;

std::optional<std::vector<double>> ReadStat() {
  std::ifstream file("/proc/self/stat");
  std::stringstream text;
  text << file.rdbuf();
  const std::string line = text.str();
  const size_t name_end = line.rfind(')');
  if (name_end == std::string::npos || name_end + 2 > line.size()) return std::nullopt;
  std::vector<double> fields;
  for (const absl::string_view field : absl::StrSplit(line.substr(name_end + 2), ' ')) {
    double value = 0;  // the state, a letter, stays 0
    if (!absl::SimpleAtod(field, &value)) value = 0;
    fields.push_back(value);
  }
  if (fields.size() < kFieldsMin) return std::nullopt;
  return fields;
}

// When the machine started, in seconds since 1970.
std::optional<double> ReadBootTime() {
  std::ifstream file("/proc/stat");
  std::string line;
  while (std::getline(file, line)) {
    double seconds = 0;
    if (absl::StartsWith(line, "btime ") && absl::SimpleAtod(line.substr(6), &seconds)) {
      return seconds;
    }
  }
  return std::nullopt;
}

void CollectStat(Families* families) {
  const std::optional<std::vector<double>> stat = ReadStat();
  if (!stat.has_value()) return;
  const double ticks_per_second = static_cast<double>(sysconf(_SC_CLK_TCK));
  const double page_bytes = static_cast<double>(sysconf(_SC_PAGESIZE));
  const double cpu_ticks = (*stat)[kUserTicks] + (*stat)[kSystemTicks];
  families->push_back(SingleCounter("process_cpu_seconds_total",
                                    "Total user and system CPU time spent in seconds.",
                                    cpu_ticks / ticks_per_second));
  families->push_back(SingleGauge("process_resident_memory_bytes", "Resident memory size in bytes.",
                                  (*stat)[kResidentPages] * page_bytes));
  families->push_back(SingleGauge("process_virtual_memory_bytes", "Virtual memory size in bytes.",
                                  (*stat)[kVirtualBytes]));
  families->push_back(
      SingleGauge("process_threads", "Number of OS threads in the process.", (*stat)[kThreads]));
  const std::optional<double> boot = ReadBootTime();
  if (!boot.has_value()) return;
  families->push_back(SingleGauge("process_start_time_seconds",
                                  "Start time of the process since unix epoch in seconds.",
                                  *boot + (*stat)[kStartTicks] / ticks_per_second));
}

void CollectDescriptors(Families* families) {
  const std::unique_ptr<DIR, int (*)(DIR*)> directory(opendir("/proc/self/fd"), &closedir);
  if (directory != nullptr) {
    // Not counted: `.`, `..` and the descriptor that reads the directory.
    int64_t count = -3;
    while (readdir(directory.get()) != nullptr) ++count;
    families->push_back(SingleGauge("process_open_fds", "Number of open file descriptors.",
                                    static_cast<double>(count)));
  }
  rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
    families->push_back(SingleGauge("process_max_fds", "Maximum number of open file descriptors.",
                                    static_cast<double>(limit.rlim_cur)));
  }
}

}  // namespace

Families ProcessMetrics::Collect() const {
  Families families;
  CollectStat(&families);
  CollectDescriptors(&families);
  return families;
}

}  // namespace trainyard
