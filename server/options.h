// ServerOptions is everything an operator may choose, from flags and a config file (CLI11 reads
// both), validated before anything starts.
//
//   trainyard-server --listen 127.0.0.1:7070 --data-dir /var/lib/trainyard
//   trainyard-server --config /etc/trainyard/trainyard.toml        # the same names without dashes
//   in front, e.g. workers = 4
//   trainyard-server backup /mnt/backup --data-dir /var/lib/trainyard     # beside a running server
//   trainyard-server restore /mnt/backup --data-dir /var/lib/trainyard    # before the first start
//   trainyard-server expired --finished-job-ttl 720h --data-dir …        # a dry run of retention
//   trainyard-server add-admin ann --data-dir /var/lib/trainyard          # while no server runs
//
// Thread-safety: a value.
#ifndef TRAINYARD_SERVER_OPTIONS_H_
#define TRAINYARD_SERVER_OPTIONS_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "core/base/limits.h"
#include "server/auth/audit.h"
#include "server/auth/tls.h"
#include "server/metrics/metrics.h"

namespace trainyard {

struct ServerOptions {
  // What to do. kBackup and kRestore copy and end; kExpired shows what retention would delete;
  // kAddAdmin makes an administrator and a token.
  enum class Command { kServe, kBackup, kRestore, kExpired, kAddAdmin };
  Command command = Command::kServe;
  std::string backup_dir;  // kBackup: to; kRestore: from
  std::string admin_id;    // kAddAdmin
  // host:port of each address to serve clients on, or unix:path; port 0 picks a free one.
  std::vector<std::string> listen = {"127.0.0.1:7070"};
  // host:port for Prometheus; empty: none. Whoever reaches it reads it: no TLS, no tokens.
  std::string metrics_listen = "127.0.0.1:9400";
  // What /metrics/jobs says of jobs: see metrics.h.
  JobSeriesLevel metrics_job_level = JobSeriesLevel::kId;
  // Jobs shown there, running ones first; 8 series each. More: dearer scrapes, and more memory in
  // Prometheus.
  size_t metrics_max_job_series_jobs = 200;
  // How long a finished job stays there: at least two scrapes.
  absl::Duration metrics_job_series_ttl = absl::Minutes(5);
  // TLS on all addresses but unix:path. With a client CA, clients must show a certificate of it.
  TlsPaths tls;
  // Without TLS everybody on the way reads tokens, and without users everyone who reaches the port
  // may do everything: other addresses than loopback and unix:path ask for both, or for this.
  bool insecure = false;
  // Everything durable. Created when it is not there.
  std::string data_dir = "trainyard-data";
  // Worker processes, each with one thread. 0: no jobs run. Default: one per core.
  int workers = 1;
  // Path of trainyard-worker; empty: beside this binary.
  std::string worker_binary;
  // debug, info, warning, error, off.
  std::string log_level = "info";
  // How long calls may take to end after SIGTERM; then they are cancelled.
  absl::Duration drain_timeout = absl::Seconds(10);
  // File that gets "host:port" of the first address once the server serves; empty: none. For port
  // 0.
  std::string print_address;

  // What identity tokens of GitHub jobs must be for: the URL by which courses know this server.
  // Empty: none are taken.
  std::string oidc_audience;
  // Who makes them: its keys are at {issuer}/.well-known/jwks.
  std::string oidc_issuer = "https://token.actions.githubusercontent.com";
  // Calls that one user may make a second, twice as many at once. 0: no limit.
  double rate_limit = 200;
  // Entries of the audit log that are kept, the newest.
  int64_t audit_max_entries = Audit::kEntriesMaxDefault;

  // Limits (DESIGN.md section 6).
  int64_t dataset_bytes_max = limits::kDatasetBytesMax;
  int64_t queued_jobs_max = limits::kQueuedJobsMax;
  int64_t owner_jobs_max = limits::kOwnerJobsMax;
  absl::Duration job_runtime_max = absl::Seconds(limits::kRuntimeSecondsMax);
  // Resident bytes of one job's worker. Default: the machine's memory.
  int64_t job_memory_bytes_max = 0;
  // Floating-point operations of one training, estimated when it is submitted. 0: no limit.
  double job_flops_max = 0;
  // Time between two checkpoints of a job, and what a crash may make it train again.
  absl::Duration checkpoint_interval = absl::Seconds(30);
  // Slots that one owner's running jobs may hold. 0: no limit.
  int owner_running_max = 0;
  // How long an interactive job waits before a batch job yields its worker, and how long that one
  // has had it at least.
  absl::Duration preempt_after = absl::Seconds(2);
  absl::Duration preempt_quantum = absl::Seconds(10);
  // Uploads and jobs are refused when the disk has less than this left.
  int64_t free_bytes_floor = int64_t{256} << 20;
  // What is deleted after how long; "inf": never. See jobs/retention.h.
  absl::Duration finished_job_ttl = absl::InfiniteDuration();
  absl::Duration unused_dataset_ttl = absl::InfiniteDuration();
  int64_t finished_jobs_max = 0;  // 0: no limit
  // Prepared features that workers keep for each other's next jobs, in all. 0: none.
  int64_t prepared_bytes_max = int64_t{8} << 30;
  absl::Duration heartbeat_interval = absl::Seconds(15);  // silence on a watch before a heartbeat
  int64_t watchers_max = 10'000;                          // watches at once

  // The defaults above, with those that depend on the machine.
  static ServerOptions ForThisMachine();
};

// nullopt: help or the version was asked for, and printed. INVALID_ARGUMENT otherwise names every
// fault.
absl::StatusOr<std::optional<ServerOptions>> ParseOptions(int argc, const char* const* argv);

// Every fault at once.
absl::Status ValidateOptions(const ServerOptions& options);

bool IsUnixSocket(const std::string& address);
// Whether only this machine reaches the address.
bool IsLocalAddress(const std::string& address);

}  // namespace trainyard

#endif  // TRAINYARD_SERVER_OPTIONS_H_
