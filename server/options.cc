#include "server/options.h"

#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <iostream>
#include <map>
#include <thread>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "core/base/error_info.h"
#include "core/base/status_macros.h"
#include "server/auth/issuer_keys.h"
#include "server/base/version.h"

namespace trainyard {
namespace {

constexpr size_t kJobSeriesJobsMax = 2'000;
constexpr double kRateLimitMax = 1e6;
constexpr size_t kAudienceBytesMax = 1'000;
constexpr int kWorkersMax = static_cast<int>(limits::kThreadsMax);

struct HostPort {
  std::string host;
  int port = -1;  // -1: not a host:port
};

HostPort SplitAddress(const std::string& address) {
  const size_t colon = address.rfind(':');
  HostPort result;
  if (colon == std::string::npos || colon == 0) return result;
  result.host = address.substr(0, colon);
  int port = 0;
  if (absl::SimpleAtoi(address.substr(colon + 1), &port) && port >= 0 && port <= 65'535) {
    result.port = port;
  }
  return result;
}

bool IsLoopback(const std::string& host) {
  // A name may begin with 127. as well.
  const bool is_number = host.find_first_not_of("0123456789.") == std::string::npos;
  return host == "localhost" || host == "[::1]" || (is_number && absl::StartsWith(host, "127."));
}

void CheckAddress(const std::string& field, const std::string& address,
                  std::vector<FieldViolation>* violations) {
  if (SplitAddress(address).port >= 0) return;
  violations->push_back(
      {field,
       absl::StrCat("\"", address, "\" is no address; give host:port, e.g. 127.0.0.1:7070")});
}

void CheckListen(const ServerOptions& options, std::vector<FieldViolation>* violations) {
  if (options.listen.empty()) violations->push_back({"listen", "is empty; give host:port"});
  for (const std::string& address : options.listen) {
    if (IsUnixSocket(address)) continue;
    CheckAddress("listen", address, violations);
    const bool has_tls = !options.tls.certificate.empty();
    if (options.insecure || has_tls || IsLocalAddress(address)) continue;
    violations->push_back(
        {"listen",
         absl::StrCat(
             "\"", address,
             "\" can be reached from other machines, and without TLS everybody on the way reads "
             "tokens and data; give --tls-cert and --tls-key, listen on 127.0.0.1, or add "
             "--insecure if the network is trusted")});
  }
  if (!options.metrics_listen.empty()) {
    CheckAddress("metrics-listen", options.metrics_listen, violations);
  }
}

void CheckTls(const TlsPaths& tls, std::vector<FieldViolation>* violations) {
  if (tls.certificate.empty() != tls.key.empty()) {
    violations->push_back({tls.key.empty() ? "tls-key" : "tls-cert",
                           "is missing; --tls-cert and --tls-key go together"});
  }
  if (tls.certificate.empty() && !tls.client_ca.empty()) {
    violations->push_back({"tls-client-ca", "asks for TLS; give --tls-cert and --tls-key as well"});
  }
}

// A number that must lie in [min, max]; `field` is the flag.
void CheckRange(const char* field, int64_t value, int64_t min, int64_t max,
                std::vector<FieldViolation>* violations) {
  if (value >= min && value <= max) return;
  violations->push_back({field, absl::StrCat("is ", value, "; give ", min, " to ", max)});
}

void CheckDuration(const char* field, absl::Duration value, absl::Duration min, absl::Duration max,
                   std::vector<FieldViolation>* violations) {
  if (value >= min && value <= max) return;
  violations->push_back(
      {field, absl::StrCat("is ", absl::FormatDuration(value), "; give ", absl::FormatDuration(min),
                           " to ", absl::FormatDuration(max))});
}

void CheckIdentity(const ServerOptions& options, std::vector<FieldViolation>* violations) {
  if (options.oidc_audience.size() > kAudienceBytesMax) {
    violations->push_back({"oidc-audience", absl::StrCat("has more than ", kAudienceBytesMax,
                                                         " bytes; give this server's URL")});
  }
  if (options.oidc_audience.empty() || CheckIssuer(options.oidc_issuer).ok()) return;
  violations->push_back(
      {"oidc-issuer", absl::StrCat("\"", options.oidc_issuer.substr(0, 200),
                                   "\" is no https URL, nor http on this machine")});
}

void CheckFlops(const ServerOptions& options, std::vector<FieldViolation>* violations) {
  if (options.job_flops_max >= 0) return;  // false for NaN
  violations->push_back({"job-flops-max", absl::StrCat("is ", options.job_flops_max,
                                                       "; give 0 for no limit, or e.g. 1e15")});
}

void CheckRateLimit(const ServerOptions& options, std::vector<FieldViolation>* violations) {
  if (options.rate_limit >= 0 && options.rate_limit <= kRateLimitMax) return;  // false for NaN
  violations->push_back(
      {"rate-limit", absl::StrCat("is ", options.rate_limit, "; give 0 for no limit, or up to ",
                                  kRateLimitMax, " calls per second")});
}

void CheckLimits(const ServerOptions& options, std::vector<FieldViolation>* violations) {
  CheckRange("workers", options.workers, 0, kWorkersMax, violations);
  CheckRange("dataset-bytes-max", options.dataset_bytes_max, 1, limits::kDatasetBytesMax,
             violations);
  CheckRange("queued-jobs-max", options.queued_jobs_max, 1, limits::kQueuedJobsMax, violations);
  CheckRange("owner-jobs-max", options.owner_jobs_max, 1, limits::kQueuedJobsMax, violations);
  CheckRange("job-memory-bytes-max", options.job_memory_bytes_max, limits::kJobMemoryBytesMin,
             INT64_MAX, violations);
  CheckIdentity(options, violations);
  CheckFlops(options, violations);
  CheckRateLimit(options, violations);
  CheckRange("metrics-max-job-series-jobs",
             static_cast<int64_t>(options.metrics_max_job_series_jobs), 0, kJobSeriesJobsMax,
             violations);
  CheckDuration("metrics-job-series-ttl", options.metrics_job_series_ttl, absl::ZeroDuration(),
                absl::Hours(24), violations);
  CheckRange("owner-running-max", options.owner_running_max, 0, kWorkersMax, violations);
  CheckDuration("preempt-after", options.preempt_after, absl::ZeroDuration(),
                absl::InfiniteDuration(), violations);
  CheckDuration("preempt-quantum", options.preempt_quantum, absl::ZeroDuration(),
                absl::InfiniteDuration(), violations);
  CheckDuration("finished-job-ttl", options.finished_job_ttl, absl::Seconds(1),
                absl::InfiniteDuration(), violations);
  CheckDuration("unused-dataset-ttl", options.unused_dataset_ttl, absl::Seconds(1),
                absl::InfiniteDuration(), violations);
  CheckRange("finished-jobs-max", options.finished_jobs_max, 0, INT64_MAX, violations);
  CheckDuration("checkpoint-interval", options.checkpoint_interval, absl::Milliseconds(10),
                absl::Hours(24), violations);
  CheckRange("free-bytes-floor", options.free_bytes_floor, 0, INT64_MAX, violations);
  CheckRange("prepared-bytes-max", options.prepared_bytes_max, 0, INT64_MAX, violations);
  CheckRange("audit-max-entries", options.audit_max_entries, Audit::kDropBlock, INT64_MAX,
             violations);
  CheckRange("watchers-max", options.watchers_max, 1, 50'000, violations);
  CheckDuration("job-runtime-max", options.job_runtime_max, absl::Seconds(1),
                absl::Seconds(limits::kRuntimeSecondsMax), violations);
  CheckDuration("drain-timeout", options.drain_timeout, absl::ZeroDuration(), absl::Hours(1),
                violations);
  CheckDuration("heartbeat-interval", options.heartbeat_interval, absl::Milliseconds(10),
                absl::Minutes(10), violations);
}

// "30s", "5m": absl's form, which CLI11 does not know.
void AddDuration(CLI::App& app, const std::string& name, absl::Duration& value,
                 const std::string& help) {
  const auto parse = [&value](const std::string& text) {
    return absl::ParseDuration(text, &value);
  };
  app.add_option_function<std::string>(
         name,
         [parse, name](const std::string& text) {
           if (!parse(text))
             throw CLI::ValidationError(name,
                                        "\"" + text + "\" is no duration; write 30s, 5m or 1h");
         },
         help)
      ->type_name("DURATION")
      ->default_str(absl::FormatDuration(value));
}

void AddCopyCommand(CLI::App& app, const char* name, const char* help, const char* directory_help,
                    ServerOptions::Command command, ServerOptions& options) {
  CLI::App* const added = app.add_subcommand(name, help);
  added->fallthrough();  // --data-dir may stand behind it
  added->add_option("DIR", options.backup_dir, directory_help)->required();
  added->callback([&options, command] { options.command = command; });
}

void AddLimitOptions(CLI::App& app, ServerOptions& options) {
  app.add_option("--dataset-bytes-max", options.dataset_bytes_max, "largest upload")
      ->capture_default_str();
  app.add_option("--queued-jobs-max", options.queued_jobs_max, "unfinished jobs in all")
      ->capture_default_str();
  app.add_option("--owner-jobs-max", options.owner_jobs_max, "unfinished jobs of one owner")
      ->capture_default_str();
  AddDuration(app, "--job-runtime-max", options.job_runtime_max,
              "longest run of a job, and its default");
  app.add_option("--job-memory-bytes-max", options.job_memory_bytes_max,
                 "most memory of a job, and its default")
      ->capture_default_str();
  app.add_option("--job-flops-max", options.job_flops_max,
                 "most floating-point operations of a training; 0: no limit")
      ->capture_default_str();
}

void AddQueueOptions(CLI::App& app, ServerOptions& options) {
  app.add_option("--owner-running-max", options.owner_running_max,
                 "slots of one owner's running jobs; 0: no limit")
      ->capture_default_str();
  AddDuration(app, "--preempt-after", options.preempt_after,
              "an interactive job waits so long before a batch job yields; inf: none does");
  AddDuration(app, "--preempt-quantum", options.preempt_quantum,
              "how long a batch job has had its worker before it yields");
  AddDuration(app, "--checkpoint-interval", options.checkpoint_interval,
              "time between two checkpoints of a job");
  app.add_option("--free-bytes-floor", options.free_bytes_floor,
                 "uploads and jobs are refused when the disk has less left")
      ->capture_default_str();
  AddDuration(app, "--finished-job-ttl", options.finished_job_ttl,
              "finished jobs are deleted so long after their end; their models stay");
  app.add_option("--finished-jobs-max", options.finished_jobs_max,
                 "finished jobs that are kept, the newest; 0: all")
      ->capture_default_str();
  AddDuration(app, "--unused-dataset-ttl", options.unused_dataset_ttl,
              "datasets that no job names are deleted so long after they were made");
  app.add_option("--prepared-bytes-max", options.prepared_bytes_max,
                 "prepared features kept for next jobs, in all; 0: none")
      ->capture_default_str();
  AddDuration(app, "--heartbeat-interval", options.heartbeat_interval,
              "silence on a watch before a heartbeat");
  app.add_option("--watchers-max", options.watchers_max, "watches at once")->capture_default_str();
}

void AddMetricsOptions(CLI::App& app, ServerOptions& options) {
  const std::map<std::string, JobSeriesLevel> levels = {
      {"off", JobSeriesLevel::kOff}, {"id", JobSeriesLevel::kId}, {"full", JobSeriesLevel::kFull}};
  app.add_option("--metrics-listen", options.metrics_listen,
                 "host:port for Prometheus; \"\" for none. Whoever reaches it reads the metrics, "
                 "without TLS or a token: give other addresses than loopback in a trusted network "
                 "only")
      ->capture_default_str();
  app.add_option(
         "--metrics-job-level", options.metrics_job_level,
         "what /metrics/jobs shows: nothing, jobs by id, or owners and display names as well")
      ->transform(CLI::CheckedTransformer(levels).description("{off,id,full}"))
      ->default_str("id");
  app.add_option("--metrics-max-job-series-jobs", options.metrics_max_job_series_jobs,
                 "jobs that /metrics/jobs shows at most")
      ->capture_default_str();
  AddDuration(app, "--metrics-job-series-ttl", options.metrics_job_series_ttl,
              "how long /metrics/jobs shows a finished job");
}

void AddCommands(CLI::App& app, ServerOptions& options) {
  AddCopyCommand(app, "backup", "Copy all data to DIR, also while a server uses it, and end",
                 "where to; an earlier backup there is brought up to date",
                 ServerOptions::Command::kBackup, options);
  AddCopyCommand(app, "restore", "Make --data-dir a copy of the backup in DIR, and end",
                 "where from", ServerOptions::Command::kRestore, options);
  CLI::App* const add_admin = app.add_subcommand(
      "add-admin", "Make the user NAME an administrator's, print a token of it once, and end");
  add_admin->fallthrough();
  add_admin->add_option("NAME", options.admin_id, "id of the user, made when it is not there")
      ->required();
  add_admin->callback([&options] { options.command = ServerOptions::Command::kAddAdmin; });
  app.add_subcommand("expired", "Show what would be deleted now with these options, and end")
      ->fallthrough()
      ->callback([&options] { options.command = ServerOptions::Command::kExpired; });
}

void AddAuthOptions(CLI::App& app, ServerOptions& options) {
  app.add_option("--tls-cert", options.tls.certificate,
                 "PEM file: this server's certificate, then those between it and a root");
  app.add_option("--tls-key", options.tls.key, "PEM file: its private key, without passphrase");
  app.add_option("--tls-client-ca", options.tls.client_ca,
                 "PEM file: clients must show a certificate of this authority");
  app.add_option("--oidc-audience", options.oidc_audience,
                 "take identity tokens of GitHub jobs for this audience, this server's URL; empty: "
                 "none");
  app.add_option("--oidc-issuer", options.oidc_issuer, "who makes the identity tokens")
      ->capture_default_str();
  app.add_option("--rate-limit", options.rate_limit,
                 "calls of one user per second, twice as many at once; 0: no limit")
      ->capture_default_str();
  app.add_option("--audit-max-entries", options.audit_max_entries,
                 "entries of the audit log that are kept, the newest")
      ->capture_default_str();
}

void AddOptions(CLI::App& app, ServerOptions& options) {
  app.set_config("--config", "", "file with these options, as TOML: listen = \"127.0.0.1:7070\"");
  app.allow_config_extras(CLI::config_extras_mode::error);
  app.set_version_flag("--version", std::string(BuildString()));
  app.add_option("--listen", options.listen,
                 "host:port or unix:path for clients; may be repeated; port 0 picks one")
      ->capture_default_str();
  app.add_flag("--insecure", options.insecure,
               "allow addresses that other machines reach, without TLS or without users");
  AddAuthOptions(app, options);
  app.add_option("--data-dir", options.data_dir, "everything durable is kept here")
      ->capture_default_str();
  app.add_option("--workers", options.workers, "worker processes, one thread each; 0 runs no jobs")
      ->capture_default_str();
  app.add_option("--worker-binary", options.worker_binary,
                 "trainyard-worker; default: beside this program");
  app.add_option("--log-level", options.log_level, "debug, info, warning, error or off")
      ->check(CLI::IsMember({"debug", "info", "warning", "error", "off"}))
      ->capture_default_str();
  AddDuration(app, "--drain-timeout", options.drain_timeout,
              "how long calls may take to end after SIGTERM");
  app.add_option("--print-address", options.print_address,
                 "file that gets host:port once the server serves");
  AddMetricsOptions(app, options);
  AddLimitOptions(app, options);
  AddQueueOptions(app, options);
  AddCommands(app, options);
}

}  // namespace

ServerOptions ServerOptions::ForThisMachine() {
  ServerOptions options;
  options.workers =
      std::clamp(static_cast<int>(std::thread::hardware_concurrency()), 1, kWorkersMax);
  options.job_memory_bytes_max = std::max<int64_t>(
      int64_t{sysconf(_SC_PHYS_PAGES)} * sysconf(_SC_PAGE_SIZE), limits::kJobMemoryBytesMin);
  return options;
}

absl::StatusOr<std::optional<ServerOptions>> ParseOptions(int argc, const char* const* argv) {
  ServerOptions options = ServerOptions::ForThisMachine();
  CLI::App app("trainyard-server: trains multilayer perceptrons for clients over gRPC",
               "trainyard-server");
  AddOptions(app, options);
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& asked) {
    app.exit(asked, std::cout, std::cerr);
    return std::nullopt;
  } catch (const CLI::ParseError& error) {
    return MakeError(
        absl::StatusCode::kInvalidArgument, error.what(),
        {.reason = ErrorReason::kInvalidRequest, .hint = "see trainyard-server --help"});
  }
  TY_RETURN_IF_ERROR(ValidateOptions(options));
  return options;
}

bool IsUnixSocket(const std::string& address) { return absl::StartsWith(address, "unix:"); }

bool IsLocalAddress(const std::string& address) {
  return IsUnixSocket(address) || IsLoopback(SplitAddress(address).host);
}

absl::Status ValidateOptions(const ServerOptions& options) {
  std::vector<FieldViolation> violations;
  CheckListen(options, &violations);
  CheckTls(options.tls, &violations);
  if (options.data_dir.empty()) violations.push_back({"data-dir", "is empty; name a directory"});
  CheckLimits(options, &violations);
  if (violations.empty()) return absl::OkStatus();
  return MakeViolationsError(ErrorReason::kInvalidRequest, std::move(violations));
}

}  // namespace trainyard
