// WorkClient is a worker's end of WorkerService: the stream that is its lease, and the blobs.
//
//   WorkClient client({.socket_path = path, .token = token, .slot = 0});
//   absl::Status why = client.Serve();   // until the stream breaks
//
// Threads: Serve() reads the stream on the caller's thread; jobs run on one thread "ty-train"; each
// job's Reporter sends. When Serve() returns the lease is gone, and a job may still be in the
// middle of a step: the process must end, not wait for it (WorkerService.Work). The destructor
// waits, so that tests may leave in order.
#ifndef TRAINYARD_SERVER_WORKER_WORK_CLIENT_H_
#define TRAINYARD_SERVER_WORKER_WORK_CLIENT_H_

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/status.h"

namespace trainyard {

struct WorkClientOptions {
  std::string socket_path;  // Unix socket of the server
  std::string token;
  int slot = 0;
};

class WorkClient {
 public:
  explicit WorkClient(WorkClientOptions options);
  ~WorkClient();

  // Errors: why the stream ended; OK when the server closed it.
  absl::Status Serve();

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace trainyard

#endif  // TRAINYARD_SERVER_WORKER_WORK_CLIENT_H_
