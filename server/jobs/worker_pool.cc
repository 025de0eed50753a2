#include "server/jobs/worker_pool.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <thread>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/synchronization/mutex.h"
#include "core/base/error_info.h"
#include "server/base/log.h"
#include "server/base/steady_clock.h"

namespace trainyard {
namespace {

constexpr absl::string_view kTokenVariable = "TRAINYARD_WORKER_TOKEN";
// How often the pool looks for children that ended.
constexpr absl::Duration kTick = absl::Milliseconds(20);
// A worker that lived this long was healthy: the next respawn is quick again.
constexpr absl::Duration kHealthyAge = absl::Seconds(5);

// argv or envp for exec: pointers into `strings`, which must stay as it is.
std::vector<char*> Pointers(std::vector<std::string>& strings) {
  std::vector<char*> pointers;
  for (std::string& s : strings) pointers.push_back(s.data());
  pointers.push_back(nullptr);
  return pointers;
}

std::vector<std::string> ChildEnvironment(const std::string& token) {
  std::vector<std::string> variables;
  const std::string prefix = absl::StrCat(kTokenVariable, "=");
  for (char** variable = environ; *variable != nullptr; ++variable) {
    if (!absl::StartsWith(*variable, prefix)) variables.emplace_back(*variable);
  }
  variables.push_back(absl::StrCat(prefix, token));
  return variables;
}

// What a child does not inherit: our blocked signals, our open files, our process group (so that
// Ctrl-C in a terminal reaches the server alone, which then stops its workers in order).
class SpawnAttributes {
 public:
  SpawnAttributes() {
    posix_spawnattr_init(&attributes_);
    sigset_t none, all;
    sigemptyset(&none);
    sigfillset(&all);
    posix_spawnattr_setsigmask(&attributes_, &none);
    posix_spawnattr_setsigdefault(&attributes_, &all);
    posix_spawnattr_setpgroup(&attributes_, 0);
    posix_spawnattr_setflags(
        &attributes_, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
    posix_spawn_file_actions_init(&actions_);
    posix_spawn_file_actions_addopen(&actions_, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addclosefrom_np(&actions_, STDERR_FILENO + 1);
  }
  ~SpawnAttributes() {
    posix_spawn_file_actions_destroy(&actions_);
    posix_spawnattr_destroy(&attributes_);
  }
  const posix_spawnattr_t* attributes() const { return &attributes_; }
  const posix_spawn_file_actions_t* actions() const { return &actions_; }

 private:
  posix_spawnattr_t attributes_;
  posix_spawn_file_actions_t actions_;
};

// Resident memory of a process' own; 0 when it is gone. Pages of mapped files do not count: the system takes them back when it needs
// memory, and several workers share them.
int64_t ResidentBytes(pid_t pid) {
  const int file = open(absl::StrCat("/proc/", pid, "/statm").c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) return 0;
  char text[128];
  const ssize_t size = read(file, text, sizeof text);
  close(file);
  if (size <= 0) return 0;
  const std::vector<absl::string_view> fields =
      absl::StrSplit(absl::string_view(text, static_cast<size_t>(size)), ' ');
  int64_t resident = 0;
  int64_t shared = 0;
  const bool read_both = fields.size() >= 3 && absl::SimpleAtoi(fields[1], &resident) &&
                         absl::SimpleAtoi(fields[2], &shared);
  return read_both ? (resident - shared) * sysconf(_SC_PAGESIZE) : 0;
}

std::string EndedHow(int wait_status) {
  if (WIFSIGNALED(wait_status)) return absl::StrCat("signal ", WTERMSIG(wait_status));
  return absl::StrCat("exit ", WEXITSTATUS(wait_status));
}

}  // namespace

class WorkerPool::Impl {
 public:
  Impl(WorkerPoolOptions options, std::function<void(int slot, int64_t resident_bytes)> on_memory)
      : options_(std::move(options)), on_memory_(std::move(on_memory)) {
    absl::MutexLock lock(&mu_);
    slots_.resize(static_cast<size_t>(std::max(0, options_.slots)));
  }

  absl::Status Start() {
    if (access(options_.binary.c_str(), X_OK) != 0) {
      return MakeError(
          absl::StatusCode::kFailedPrecondition,
          absl::StrCat("cannot run the worker \"", options_.binary, "\": ", std::strerror(errno)),
          {.reason = ErrorReason::kInternal,
           .hint = "install trainyard-worker beside trainyard-server",
           .in_force = absl::StrCat(options_.slots, " worker slots")});
    }
    thread_ = std::thread([this] { Run(); });
    return absl::OkStatus();
  }

  void Kill(int slot) {
    absl::MutexLock lock(&mu_);
    if (slot < 0 || slot >= static_cast<int>(slots_.size())) return;
    const pid_t pid = slots_[static_cast<size_t>(slot)].pid;
    if (pid > 0) kill(pid, SIGKILL);
  }

  void Stop(absl::Time deadline) {
    {
      absl::MutexLock lock(&mu_);
      if (!stopping_) SignalAll(SIGTERM);
      stopping_ = true;
      stop_deadline_ = std::min(stop_deadline_, deadline);
      stop_asked_ = true;
    }
    if (thread_.joinable()) thread_.join();
  }

  pid_t pid(int slot) const {
    absl::MutexLock lock(&mu_);
    return slots_.at(static_cast<size_t>(slot)).pid;
  }

  int64_t respawns() const {
    absl::MutexLock lock(&mu_);
    return respawns_;
  }

 private:
  struct Slot {
    pid_t pid = 0;
    bool spawned_before = false;
    absl::Time spawned;
    absl::Time respawn_at = absl::InfinitePast();
    absl::Duration delay = absl::ZeroDuration();
  };

  // Children get SIGKILL when the thread that spawned them ends (PR_SET_PDEATHSIG in the worker),
  // so all are spawned here, on the thread that outlives them.
  void Run() {
    pthread_setname_np(pthread_self(), "ty-pool");
    absl::Time memory_due = SteadyNow();
    while (!Tick()) {
      if (SteadyNow() >= memory_due) {
        ReportMemory();
        memory_due = SteadyNow() + options_.memory_poll_interval;
      }
      absl::MutexLock lock(&mu_);
      AwaitFor(mu_, absl::Condition(&stop_asked_), kTick);
      stop_asked_ = false;
    }
  }

  // Reaps and respawns. True when stopping and no child is left.
  bool Tick() {
    absl::MutexLock lock(&mu_);
    bool any = false;
    for (size_t i = 0; i < slots_.size(); ++i) {
      Reap(static_cast<int>(i), slots_[i]);
      if (slots_[i].pid == 0 && !stopping_ && SteadyNow() >= slots_[i].respawn_at)
        Spawn(static_cast<int>(i), slots_[i]);
      any = any || slots_[i].pid != 0;
    }
    if (stopping_ && any && SteadyNow() >= stop_deadline_) SignalAll(SIGKILL);
    return stopping_ && !any;
  }

  void Reap(int index, Slot& slot) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    int status = 0;
    if (slot.pid == 0 || waitpid(slot.pid, &status, WNOHANG) != slot.pid) return;
    if (!stopping_)
      Log::Warning("worker_ended", {{"slot", index}, {"pid", slot.pid}, {"how", EndedHow(status)}});
    slot.pid = 0;
    BackOff(slot);
  }

  void BackOff(Slot& slot) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    const absl::Time now = SteadyNow();
    if (now - slot.spawned >= kHealthyAge) slot.delay = absl::ZeroDuration();
    slot.delay = std::clamp(slot.delay * 2, options_.respawn_delay_min, options_.respawn_delay_max);
    slot.respawn_at = now + slot.delay;
  }

  void Spawn(int index, Slot& slot) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    std::vector<std::string> arguments = {
        options_.binary, absl::StrCat("--socket=", options_.socket_path),
        absl::StrCat("--slot=", index), absl::StrCat("--parent=", getpid()),
        absl::StrCat("--log_level=", options_.log_level)};
    std::vector<std::string> environment = ChildEnvironment(options_.token);
    const SpawnAttributes attributes;
    pid_t pid = 0;
    slot.spawned = SteadyNow();
    const int error =
        posix_spawn(&pid, options_.binary.c_str(), attributes.actions(), attributes.attributes(),
                    Pointers(arguments).data(), Pointers(environment).data());
    if (error != 0) {
      Log::Error("worker_spawn_failed", {{"slot", index}, {"error", std::strerror(error)}});
      return BackOff(slot);
    }
    slot.pid = pid;
    if (slot.spawned_before) ++respawns_;
    slot.spawned_before = true;
  }

  // Calls out without the lock: the callback may call Kill().
  void ReportMemory() {
    std::vector<std::pair<int, pid_t>> children;
    {
      absl::MutexLock lock(&mu_);
      for (size_t i = 0; i < slots_.size(); ++i) {
        if (slots_[i].pid != 0) children.emplace_back(static_cast<int>(i), slots_[i].pid);
      }
    }
    for (const auto& [slot, pid] : children) {
      const int64_t resident_bytes = ResidentBytes(pid);
      if (resident_bytes > 0) on_memory_(slot, resident_bytes);
    }
  }

  void SignalAll(int signal) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    for (const Slot& slot : slots_) {
      if (slot.pid != 0) kill(slot.pid, signal);
    }
  }

  // Constant after construction.
  const WorkerPoolOptions options_;
  const std::function<void(int slot, int64_t resident_bytes)> on_memory_;

  mutable absl::Mutex mu_;
  std::vector<Slot> slots_ ABSL_GUARDED_BY(mu_);
  bool stopping_ ABSL_GUARDED_BY(mu_) = false;
  absl::Time stop_deadline_ ABSL_GUARDED_BY(mu_) = absl::InfiniteFuture();
  int64_t respawns_ ABSL_GUARDED_BY(mu_) = 0;
  bool stop_asked_ ABSL_GUARDED_BY(mu_) = false;
  std::thread thread_;
};

WorkerPool::WorkerPool(WorkerPoolOptions options,
                       std::function<void(int slot, int64_t resident_bytes)> on_memory)
    : impl_(std::make_unique<Impl>(std::move(options), std::move(on_memory))) {}

WorkerPool::~WorkerPool() { Stop(SteadyNow()); }

absl::Status WorkerPool::Start() { return impl_->Start(); }
void WorkerPool::Kill(int slot) { impl_->Kill(slot); }
void WorkerPool::Stop(absl::Time deadline) { impl_->Stop(deadline); }
pid_t WorkerPool::pid(int slot) const { return impl_->pid(slot); }
int64_t WorkerPool::respawns() const { return impl_->respawns(); }

}  // namespace trainyard
