// WorkerPool supervises the local workers: one child process per slot, each started with a secret
// token and the path of the workers' socket; respawned with back-off when it ends; killed on
// request; watched for memory. It knows nothing of jobs.
//
//   WorkerPool pool(options, callbacks);  pool.Start();  …  pool.Stop(deadline);   // SIGTERM, then
//   SIGKILL
//
// Children die with the server (PR_SET_PDEATHSIG). Thread-safety: all methods from any thread. Owns
// one thread "ty-pool".
#ifndef TRAINYARD_SERVER_JOBS_WORKER_POOL_H_
#define TRAINYARD_SERVER_JOBS_WORKER_POOL_H_

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace trainyard {

struct WorkerPoolOptions {
  std::string binary;       // path of trainyard-worker
  std::string socket_path;  // Unix socket that serves WorkerService
  std::string token;        // secret, passed in the environment (TRAINYARD_WORKER_TOKEN)
  std::string log_level = "info";
  int slots = 1;
  absl::Duration respawn_delay_min = absl::Milliseconds(50);
  absl::Duration respawn_delay_max = absl::Seconds(10);
  absl::Duration memory_poll_interval = absl::Milliseconds(100);
};

class WorkerPool {
 public:
  WorkerPool(WorkerPoolOptions options,
             std::function<void(int slot, int64_t resident_bytes)> on_memory);
  ~WorkerPool();  // Stop(now)

  absl::Status Start();
  void Kill(int slot);  // SIGKILL; the slot is respawned
  void Stop(absl::Time deadline);
  // 0 when the slot has no process now.
  pid_t pid(int slot) const;
  int64_t respawns() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace trainyard

#endif  // TRAINYARD_SERVER_JOBS_WORKER_POOL_H_
