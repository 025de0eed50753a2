// trainyard-server: parses, builds, runs until SIGTERM or SIGINT, drains.
#include <pthread.h>
#include <signal.h>

#include <cstdio>
#include <fstream>
#include <iostream>
#include <memory>

#include "absl/time/clock.h"
#include "core/base/error_info.h"
#include "server/base/log.h"
#include "server/options.h"
#include "server/server.h"
#include "server/wire/error_detail.h"

namespace {

// Exit codes: 0 drained, 1 could not start, 2 wrong options.
int Fail(const absl::Status& status, int code) {
  std::cerr << "trainyard-server: " << trainyard::EncodeError(status).message << "\n";
  return code;
}

// Under another name first: whoever waits for the file never reads half of it.
bool PrintAddress(const std::string& path, const std::string& address) {
  if (path.empty()) return true;
  const std::string temporary = path + ".tmp";
  std::ofstream(temporary) << address << "\n";
  return std::rename(temporary.c_str(), path.c_str()) == 0;
}

}  // namespace

int main(int argc, char** argv) {
  const auto options = trainyard::ParseOptions(argc, argv);
  if (!options.ok()) return Fail(options.status(), 2);
  if (!options->has_value()) return 0;
  trainyard::Log::SetLevel((*options)->log_level);

  // Blocked before the first thread starts, so that all inherit it and only sigwait below gets
  // them.
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  signal(SIGPIPE, SIG_IGN);

  absl::StatusOr<std::unique_ptr<trainyard::Server>> server = trainyard::Server::Create(**options);
  if (!server.ok()) return Fail(server.status(), 1);
  if (!PrintAddress((*options)->print_address, (*server)->addresses().front())) {
    return Fail(absl::InternalError("cannot write " + (*options)->print_address), 1);
  }
  int received = 0;
  sigwait(&signals, &received);
  // A second signal ends the process at once: what was acknowledged is durable already.
  pthread_sigmask(SIG_UNBLOCK, &signals, nullptr);
  (*server)->Shutdown(absl::Now() + (*options)->drain_timeout);
  return 0;
}
