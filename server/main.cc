// trainyard-server: parses, builds, runs until SIGTERM or SIGINT, drains.
#include <pthread.h>
#include <signal.h>

#include <cstdio>
#include <fstream>
#include <iostream>
#include <memory>

#include "absl/time/clock.h"
#include "core/base/error_info.h"
#include "server/add_admin.h"
#include "server/base/log.h"
#include "server/base/steady_clock.h"
#include "server/options.h"
#include "server/server.h"
#include "server/storage/backup.h"
#include "server/storage/database.h"
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

// Exit codes: 0 all is copied, 1 something is not.
int RunCopy(const trainyard::ServerOptions& options) {
  trainyard::PosixFileSystem files;
  const bool restores = options.command == trainyard::ServerOptions::Command::kRestore;
  const std::string& from = restores ? options.backup_dir : options.data_dir;
  const std::string& to = restores ? options.data_dir : options.backup_dir;
  if (restores) {
    const absl::Status empty = trainyard::CheckEmptyForRestore(to, files);
    if (!empty.ok()) return Fail(empty, 1);
  }
  const auto report = trainyard::CopyData(from, to, files);
  if (!report.ok()) return Fail(report.status(), 1);
  std::cout << from << " is copied to " << to << ": " << report->blob_count << " blobs, "
            << report->copied_count << " of them now, " << report->copied_bytes << " bytes\n";
  for (const std::string& digest : report->damaged) {
    std::cerr << "damaged or gone in " << from << ", not copied: " << digest << "\n";
  }
  return report->damaged.empty() ? 0 : 1;
}

int ShowExpired(const trainyard::ServerOptions& options) {
  const std::string path = options.data_dir + "/trainyard.db";
  const absl::StatusOr<int64_t> size = trainyard::PosixFileSystem().Size(path);
  if (!size.ok()) return Fail(size.status(), 1);
  const auto database = trainyard::Database::Open(path);
  if (!database.ok()) return Fail(database.status(), 1);
  const absl::Status shown = (*database)->Read([&](trainyard::Connection& connection) {
    const auto plan = trainyard::FindExpired(trainyard::RetentionOf(options), absl::Now(), connection);
    if (!plan.ok()) return plan.status();
    for (const auto* names : {&plan->jobs, &plan->datasets}) {
      for (const std::string& name : *names) std::cout << name << "\n";
    }
    return absl::OkStatus();
  });
  return shown.ok() ? 0 : Fail(shown, 1);
}

// The token goes to stdout alone, so that it can be put into a file.
int ShowNewAdmin(const trainyard::ServerOptions& options) {
  const absl::StatusOr<std::string> bearer = trainyard::AddAdmin(options);
  if (!bearer.ok()) return Fail(bearer.status(), 1);
  std::cout << *bearer << "\n";
  std::cerr << "a token of users/" << options.admin_id
            << ", which is an ADMIN; it is not shown again\n";
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  const auto options = trainyard::ParseOptions(argc, argv);
  if (!options.ok()) return Fail(options.status(), 2);
  if (!options->has_value()) return 0;
  trainyard::Log::SetLevel((*options)->log_level);
  using Command = trainyard::ServerOptions::Command;
  if ((*options)->command == Command::kExpired) return ShowExpired(**options);
  if ((*options)->command == Command::kAddAdmin) return ShowNewAdmin(**options);
  if ((*options)->command != Command::kServe) return RunCopy(**options);

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
  (*server)->Shutdown(trainyard::SteadyNow() + (*options)->drain_timeout);
  return 0;
}
