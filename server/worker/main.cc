// trainyard-worker: trains jobs for the server that started it. Started by trainyard-server, not by
// hand.
#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <cstdlib>

#include "absl/flags/flag.h"
#include "absl/flags/parse.h"
#include "server/base/log.h"
#include "server/worker/work_client.h"

ABSL_FLAG(std::string, socket, "", "Unix socket of the server's WorkerService");
ABSL_FLAG(int, slot, 0, "slot number given by the server");
ABSL_FLAG(int, parent, 0, "process id of the server; 0: any");
ABSL_FLAG(std::string, log_level, "info", "debug, info, warning, error or off");

int main(int argc, char** argv) {
  absl::ParseCommandLine(argc, argv);
  // Dies with the server, also when that is killed. The parent may have gone before the call: then
  // leave as well.
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  const int parent = absl::GetFlag(FLAGS_parent);
  if (parent != 0 && getppid() != parent) return EXIT_FAILURE;

  const char* token = std::getenv("TRAINYARD_WORKER_TOKEN");
  if (token == nullptr || absl::GetFlag(FLAGS_socket).empty()) {
    trainyard::Log::Error("worker_refused",
                          {{"why", "started without --socket or TRAINYARD_WORKER_TOKEN"},
                           {"hint", "trainyard-server starts its workers itself"}});
    return EXIT_FAILURE;
  }
  if (!trainyard::Log::SetLevel(absl::GetFlag(FLAGS_log_level))) trainyard::Log::SetLevel("info");

  trainyard::WorkClient client({.socket_path = absl::GetFlag(FLAGS_socket),
                                .token = token,
                                .slot = absl::GetFlag(FLAGS_slot)});
  const absl::Status status = client.Serve();
  trainyard::Log::Info("worker_stream_ended",
                       {{"slot", absl::GetFlag(FLAGS_slot)}, {"why", status.message()}});
  trainyard::Log::Flush();
  // At once: a job in the middle of a step is not ours any more.
  std::_Exit(status.ok() ? EXIT_SUCCESS : EXIT_FAILURE);
}
