#include "server/server.h"

#include <grpcpp/ext/proto_server_reflection_plugin.h>
#include <grpcpp/grpcpp.h>
#include <grpcpp/health_check_service_interface.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/clock.h"
#include "core/base/error_info.h"
#include "core/base/limits.h"
#include "core/base/status_macros.h"
#include "core/tensor/engine_info.h"
#include "server/base/ids.h"
#include "server/base/log.h"
#include "server/base/steady_clock.h"
#include "server/base/version.h"
#include "server/metrics/store_observers.h"
#include "server/storage/blob_references.h"

namespace trainyard {
namespace {

constexpr int kKeepaliveMs = 60'000;
constexpr int kKeepaliveTimeoutMs = 20'000;
constexpr int kClientPingIntervalMinMs = 10'000;
constexpr int kQuickThreads = 16;
constexpr int kHeavyThreads = 8;
constexpr int kStreamThreads = 4;
constexpr int kWorkerThreads = 4;
constexpr size_t kQueueMax = 4'096;
// Each watch and wait has one entry at most, each worker one for its stream and some for blobs.
constexpr size_t kStreamQueueMax = 131'072;

// Where trainyard-worker is. FAILED_PRECONDITION when it is not there.
absl::StatusOr<std::string> FindWorker(const ServerOptions& options) {
  std::string path = options.worker_binary;
  if (path.empty()) {
    std::error_code error;
    path =
        std::filesystem::read_symlink("/proc/self/exe", error).parent_path() / "trainyard-worker";
  }
  if (access(path.c_str(), X_OK) == 0) return path;
  return MakeError(
      absl::StatusCode::kFailedPrecondition, absl::StrCat(path, " is not there, or cannot be run"),
      {.reason = ErrorReason::kInvalidState,
       .hint = "install it beside trainyard-server, or say where it is with --worker-binary",
       .in_force = absl::StrCat("workers ", options.workers)});
}

absl::Status CannotListen(const std::string& address) {
  return MakeError(absl::StatusCode::kInvalidArgument, absl::StrCat("cannot listen on ", address),
                   {.reason = ErrorReason::kInvalidRequest,
                    .hint = "another program may use the port, or the host is not this machine's; "
                            "choose another --listen",
                    .in_force = absl::StrCat("listen ", address)});
}

void SetArguments(grpc::ServerBuilder* builder) {
  builder->SetMaxReceiveMessageSize(static_cast<int>(limits::kMessageBytesMax));
  builder->AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS, kKeepaliveMs);
  builder->AddChannelArgument(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, kKeepaliveTimeoutMs);
  builder->AddChannelArgument(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  builder->AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS,
                              kClientPingIntervalMinMs);
  // Two servers on one port would each get half of the calls.
  builder->AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
}

int64_t FileBytes(const std::string& path) {
  std::error_code error;
  const auto size = std::filesystem::file_size(path, error);
  return error ? 0 : static_cast<int64_t>(size);
}

// What running jobs leave: else each scrape of a busy server would drop some of the finished ones.
size_t FinishedSeriesMax(const ServerOptions& options) {
  const auto running = static_cast<size_t>(std::max(options.workers, 0));
  return options.metrics_max_job_series_jobs -
         std::min(running, options.metrics_max_job_series_jobs);
}

int64_t DiskBytes(const std::string& path) {
  std::error_code error;
  const std::filesystem::space_info space = std::filesystem::space(path, error);
  return error ? 0 : static_cast<int64_t>(space.capacity);
}

std::string HostOf(const std::string& address) { return address.substr(0, address.rfind(':')); }

std::shared_ptr<grpc::ServerCredentials> TlsCredentials(const TlsFiles& files) {
  grpc::SslServerCredentialsOptions options(
      files.client_ca.empty() ? GRPC_SSL_DONT_REQUEST_CLIENT_CERTIFICATE
                              : GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY);
  options.pem_root_certs = files.client_ca;
  options.pem_key_cert_pairs.push_back({files.key, files.certificate});
  return grpc::SslServerCredentials(options);
}

bool IsReachedByOthers(const ServerOptions& options) {
  return !std::all_of(options.listen.begin(), options.listen.end(), IsLocalAddress);
}

// Whoever reaches a server without users may do everything.
absl::Status CheckHasUsers(const ServerOptions& options, const Users& users) {
  if (!users.open() || options.insecure || !IsReachedByOthers(options)) return absl::OkStatus();
  return MakeError(
      absl::StatusCode::kFailedPrecondition,
      "there is no user, so everyone who reaches this server might do everything",
      {.reason = ErrorReason::kInvalidState,
       .hint = "run `trainyard-server add-admin NAME` with the same --data-dir first, listen on "
               "127.0.0.1, or add --insecure if the network is trusted",
       .in_force = absl::StrCat("listen ", absl::StrJoin(options.listen, ", "))});
}

void WarnOfInsecurity(const ServerOptions& options, const Users& users) {
  if (!options.insecure || !IsReachedByOthers(options)) return;
  const bool has_tls = !options.tls.certificate.empty();
  if (has_tls && !users.open()) return;
  Log::Warning("insecure", {{"listen", absl::StrJoin(options.listen, ",")},
                            {"tls", has_tls ? "on" : "OFF: tokens and data can be read on the way"},
                            {"users", users.open() ? "NONE: everyone may do everything" : "yes"}});
}

void WarnOfOpenMetrics(const ServerOptions& options) {
  if (options.metrics_listen.empty() || IsLocalAddress(options.metrics_listen)) return;
  const bool full = options.metrics_job_level == JobSeriesLevel::kFull;
  Log::Warning("insecure", {{"metrics_listen", options.metrics_listen},
                            {"tls", "OFF"},
                            {"users", full ? "NONE: everyone may read the metrics, and who trains "
                                             "what (--metrics-job-level full)"
                                           : "NONE: everyone may read the metrics"}});
}

}  // namespace

absl::StatusOr<std::unique_ptr<Server>> Server::Create(const ServerOptions& options) {
  TY_RETURN_IF_ERROR(ValidateOptions(options));
  auto server = std::unique_ptr<Server>(new Server(options));
  const absl::Time start = SteadyNow();
  TY_RETURN_IF_ERROR(server->OpenStores());
  TY_RETURN_IF_ERROR(server->OpenAuth());
  TY_RETURN_IF_ERROR(server->StartJobs());
  server->metrics_.StoreReplayed(absl::ToDoubleSeconds(SteadyNow() - start));
  server->MakePools();
  TY_RETURN_IF_ERROR(server->StartGrading());
  TY_RETURN_IF_ERROR(server->StartMetrics());
  server->MakeServices();
  TY_RETURN_IF_ERROR(server->ServeWorkers());
  TY_RETURN_IF_ERROR(server->ServeClients());
  if (options.workers > 0) TY_RETURN_IF_ERROR(server->pool_->Start());
  const RetentionOptions retention = RetentionOf(options);
  if (!retention.deletes_nothing()) {
    server->retention_ = std::make_unique<Retention>(
        retention, server->database_.get(), server->jobs_.get(), server->datasets_.get());
  }
  Log::Info("serving", {{"version", BuildString()},
                        {"listen", server->addresses_.front()},
                        {"metrics", server->metrics_address_},
                        {"data_dir", server->directory_->path()},
                        {"workers", options.workers}});
  return server;
}

RetentionOptions RetentionOf(const ServerOptions& options) {
  return {.finished_job_ttl = options.finished_job_ttl,
          .finished_jobs_max = options.finished_jobs_max,
          .unused_dataset_ttl = options.unused_dataset_ttl};
}

absl::Status Server::OpenStores() {
  files_ = std::make_shared<PosixFileSystem>();
  TY_ASSIGN_OR_RETURN(directory_, DataDirectory::Open(options_.data_dir));
  TY_ASSIGN_OR_RETURN(database_,
                      Database::Open(directory_->database(), ObserveDatabase(&metrics_)));
  TY_ASSIGN_OR_RETURN(blobs_, BlobStore::Open(directory_->blobs(), files_));
  TY_ASSIGN_OR_RETURN(const int64_t swept, SweepBlobs(*database_, *blobs_));
  if (swept > 0) Log::Info("blobs_swept", {{"count", swept}});
  const DatasetStore::Options datasets{.uploads_directory = directory_->uploads(),
                                       .rejects_directory = directory_->rejects(),
                                       .scratch_directory = directory_->scratch(),
                                       .dataset_bytes_max = options_.dataset_bytes_max,
                                       .free_bytes_floor = options_.free_bytes_floor,
                                       .files = files_};
  TY_ASSIGN_OR_RETURN(datasets_, DatasetStore::Open(datasets, database_.get(), blobs_.get(),
                                                    ObserveDatasets(&metrics_)));
  models_ = std::make_unique<ModelStore>(database_.get(), blobs_.get());
  return absl::OkStatus();
}

absl::Status Server::OpenAuth() {
  TY_ASSIGN_OR_RETURN(users_, Users::Open(database_.get()));
  TY_ASSIGN_OR_RETURN(audit_, Audit::Open(database_.get(), options_.audit_max_entries));
  authenticator_ = std::make_unique<Authenticator>(
      Authenticator::Options{.calls_per_second = options_.rate_limit}, users_.get());
  TY_ASSIGN_OR_RETURN(courses_, CourseStore::Open(database_.get()));
  grants_ = std::make_unique<CourseGrants>(database_.get(), courses_.get());
  access_ = std::make_unique<Access>(database_.get(), grants_.get());
  WarnOfInsecurity(options_, *users_);
  WarnOfOpenMetrics(options_);
  return CheckHasUsers(options_, *users_);
}

absl::Status Server::StartJobs() {
  WorkerPoolOptions pool{.socket_path = directory_->worker_socket(),
                         .token = NewToken(),
                         .log_level = options_.log_level,
                         .slots = options_.workers};
  worker_token_ = pool.token;
  if (options_.workers > 0) {
    TY_ASSIGN_OR_RETURN(pool.binary, FindWorker(options_));
  }
  pool_ = std::make_unique<WorkerPool>(std::move(pool), [this](int slot, int64_t resident_bytes) {
    jobs_->OnWorkerMemory(slot, resident_bytes);
  });
  const JobManagerOptions jobs{.worker_slots = options_.workers,
                               .queued_jobs_max = options_.queued_jobs_max,
                               .owner_jobs_max = options_.owner_jobs_max,
                               .job_memory_bytes_max = options_.job_memory_bytes_max,
                               .job_runtime_max = options_.job_runtime_max,
                               .checkpoint_interval = options_.checkpoint_interval,
                               .owner_running_max = options_.owner_running_max,
                               .preempt_after = options_.preempt_after,
                               .preempt_quantum = options_.preempt_quantum,
                               .storage_full = [this] { return IsStorageFull(); },
                               .on_storage_full = [this](bool full) { SetStorageHealth(full); },
                               .prepared_directory = directory_->prepared(),
                               .prepared_bytes_max = options_.prepared_bytes_max,
                               .finished_series_ttl = options_.metrics_job_series_ttl,
                               .finished_series_max = FinishedSeriesMax(options_)};
  TY_ASSIGN_OR_RETURN(jobs_, JobManager::Create(jobs, database_.get(), blobs_.get(), &metrics_,
                                                [this](int slot) { pool_->Kill(slot); }));
  return absl::OkStatus();
}

absl::Status Server::StartMetrics() {
  const EngineInfo engine = GetEngineInfo();
  metrics_.SetBuildInfo(Version(), Revision(), engine.onednn_version, engine.isa);
  metrics_.SetSnapshot([this] { return TakeSnapshot(); });
  metrics_.SetJobSeries(
      {.level = options_.metrics_job_level, .jobs_max = options_.metrics_max_job_series_jobs},
      [this] { return jobs_->LiveJobs(); });
  if (options_.metrics_listen.empty()) return absl::OkStatus();
  TY_RETURN_IF_ERROR(metrics_.Listen(options_.metrics_listen));
  metrics_address_ = absl::StrCat(HostOf(options_.metrics_listen), ":", metrics_.port());
  return absl::OkStatus();
}

// What cannot be told is no reason to stop.
bool Server::IsStorageFull() const {
  const absl::StatusOr<int64_t> free = files_->FreeBytes(directory_->path());
  return free.ok() && *free < options_.free_bytes_floor;
}

Metrics::Snapshot Server::TakeSnapshot() const {
  const JobCounts jobs = jobs_->Counts();
  const DatasetStore::Counts datasets = datasets_->Count().value_or(DatasetStore::Counts());
  const std::string database = directory_->database();
  return {.queues = jobs.queues,
          .queue_capacity = options_.queued_jobs_max,
          .workers = jobs.workers_connected,
          .workers_busy = jobs.workers_busy,
          .datasets_uploading = datasets.uploading,
          .datasets_ready = datasets.ready,
          .dataset_stored_bytes = datasets.stored_bytes,
          .store_size_bytes = FileBytes(database) + FileBytes(database + "-wal"),
          .storage_free_bytes = files_->FreeBytes(directory_->path()).value_or(0),
          .storage_size_bytes = DiskBytes(directory_->path()),
          .storage_full = jobs.storage_full};
}

ServiceLimits Server::Limits() const {
  return {.dataset_bytes_max = options_.dataset_bytes_max,
          .queued_jobs_max = options_.queued_jobs_max,
          .owner_jobs_max = options_.owner_jobs_max,
          .job_runtime_max = options_.job_runtime_max,
          .job_memory_bytes_max = options_.job_memory_bytes_max,
          .job_flops_max = options_.job_flops_max,
          .job_threads_max = options_.workers};
}

RpcContext Server::ClientContext() {
  RpcContext rpc = WorkerContext();
  rpc.authenticator = authenticator_.get();
  rpc.access = access_.get();
  rpc.audit = audit_.get();
  rpc.refuse_when_draining = true;
  return rpc;
}

RpcContext Server::WorkerContext() {
  return {.metrics = &metrics_,
          .drain = &drain_,
          .ticker = &ticker_,
          .quick = quick_.get(),
          .heavy = heavy_.get(),
          .streams = streams_.get(),
          .refuse_when_draining = false};
}

void Server::MakePools() {
  const auto executor = [](const char* name, int threads, size_t queue_max) {
    return std::make_unique<Executor>(
        Executor::Options{.name = name, .threads = threads, .queue_max = queue_max});
  };
  quick_ = executor("ty-quick", kQuickThreads, kQueueMax);
  heavy_ = executor("ty-heavy", kHeavyThreads, kQueueMax);
  streams_ = executor("ty-streams", kStreamThreads, kStreamQueueMax);
  workers_ = executor("ty-workers", kWorkerThreads, kStreamQueueMax);
}

absl::Status Server::StartGrading() {
  admission_ = std::make_unique<JobAdmission>(Limits(), &metrics_, access_.get(), jobs_.get(),
                                              datasets_.get(), models_.get());
  TY_ASSIGN_OR_RETURN(grading_,
                      GradingServices::Create(ClientContext(), {.database = database_.get(),
                                                                .courses = courses_.get(),
                                                                .users = users_.get(),
                                                                .datasets = datasets_.get(),
                                                                .models = models_.get(),
                                                                .jobs = jobs_.get(),
                                                                .admission = admission_.get(),
                                                                .limits = Limits()}));
  metrics_.grading().SetSnapshot([this] { return grading_->TakeSnapshot(); });
  return absl::OkStatus();
}

void Server::MakeServices() {
  const RpcContext rpc = ClientContext();
  const WatchOptions watch{.heartbeat_interval = options_.heartbeat_interval,
                           .watchers_max = options_.watchers_max};
  dataset_service_ =
      std::make_unique<DatasetService>(rpc, datasets_.get());
  job_service_ = std::make_unique<JobService>(rpc, watch, jobs_.get(), admission_.get());
  analysis_service_ =
      std::make_unique<AnalysisService>(rpc, jobs_.get(), admission_.get(), blobs_.get());
  model_service_ = std::make_unique<ModelService>(rpc, PredictorCache::Options(), models_.get(),
                                                  datasets_.get(), jobs_.get());
  admin_service_ = std::make_unique<AdminService>(rpc, Limits(), metrics_address_, jobs_.get());
  exchange_ = std::make_unique<IdentityExchange>(
      IdentityProvider::Options{.issuer = options_.oidc_issuer, .audience = options_.oidc_audience},
      users_.get(), courses_.get());
  auth_service_ = std::make_unique<AuthService>(rpc, users_.get(), audit_.get(), exchange_.get());
  worker_service_ = std::make_unique<WorkerService>(
      WorkerContext(),
      WorkerAdmission{.token = worker_token_, .slots = options_.workers, .build = BuildString()},
      jobs_.get(), blobs_.get(), files_.get(), workers_.get());
}

absl::Status Server::ServeWorkers() {
  grpc::ServerBuilder builder;
  SetArguments(&builder);
  const std::string address = absl::StrCat("unix:", directory_->worker_socket());
  builder.AddListeningPort(address, grpc::InsecureServerCredentials());
  builder.RegisterService(worker_service_.get());
  worker_server_ = builder.BuildAndStart();
  return worker_server_ == nullptr ? CannotListen(address) : absl::OkStatus();
}

absl::Status Server::ServeClients() {
  // Both are process-wide switches of gRPC that concern the builders after them.
  grpc::EnableDefaultHealthCheckService(true);
  grpc::reflection::InitProtoReflectionServerBuilderPlugin();
  grpc::ServerBuilder builder;
  SetArguments(&builder);
  std::shared_ptr<grpc::ServerCredentials> credentials = grpc::InsecureServerCredentials();
  if (!options_.tls.certificate.empty()) {
    TY_ASSIGN_OR_RETURN(const TlsFiles files, LoadTls(options_.tls, absl::Now()));
    credentials = TlsCredentials(files);
  }
  std::vector<int> ports(options_.listen.size(), 0);
  for (size_t i = 0; i < ports.size(); ++i) {
    const bool is_socket = IsUnixSocket(options_.listen[i]);
    builder.AddListeningPort(
        options_.listen[i], is_socket ? grpc::InsecureServerCredentials() : credentials, &ports[i]);
  }
  builder.RegisterService(dataset_service_.get());
  builder.RegisterService(job_service_.get());
  builder.RegisterService(analysis_service_.get());
  builder.RegisterService(model_service_.get());
  builder.RegisterService(admin_service_.get());
  builder.RegisterService(auth_service_.get());
  grading_->RegisterOn(&builder);
  client_server_ = builder.BuildAndStart();
  for (size_t i = 0; i < ports.size(); ++i) {
    if (client_server_ == nullptr || ports[i] == 0) return CannotListen(options_.listen[i]);
    addresses_.push_back(IsUnixSocket(options_.listen[i])
                             ? options_.listen[i]
                             : absl::StrCat(HostOf(options_.listen[i]), ":", ports[i]));
  }
  health_ = client_server_->GetHealthCheckService();
  SetHealth(true);
  return absl::OkStatus();
}

void Server::SetStorageHealth(bool full) {
  grpc::HealthCheckServiceInterface* const health = health_;
  if (health == nullptr) return;
  for (const char* service :
       {v1::DatasetService::service_full_name(), v1::JobService::service_full_name(),
        v1::AnalysisService::service_full_name()}) {
    health->SetServingStatus(service, !full);
  }
}

void Server::SetHealth(bool serving) {
  grpc::HealthCheckServiceInterface* const health = health_;
  if (health == nullptr) return;
  health->SetServingStatus(serving);  // the empty name: the server as a whole
  for (const char* service :
       {v1::DatasetService::service_full_name(), v1::JobService::service_full_name(),
        v1::AnalysisService::service_full_name(), v1::ModelService::service_full_name(),
        v1::AdminService::service_full_name(), v1::AuthService::service_full_name()}) {
    health->SetServingStatus(service, serving);
  }
  for (const char* service : GradingServices::Names()) health->SetServingStatus(service, serving);
}

void Server::Shutdown(absl::Time deadline) {
  if (std::exchange(down_, true)) return;
  const bool served = client_server_ != nullptr;
  if (served) Log::Info("draining");
  SetHealth(false);
  health_ = nullptr;
  if (jobs_ != nullptr) jobs_->BeginDrain();
  drain_.Begin();
  if (client_server_ != nullptr) {
    client_server_->Shutdown(absl::ToChronoTime(absl::Now() + (deadline - SteadyNow())));
  }
  const bool idle = jobs_ == nullptr || jobs_->AwaitIdle(deadline);
  if (!idle) Log::Warning("jobs_did_not_yield", {{"why", "the deadline came first"}});
  if (pool_ != nullptr) pool_->Stop(std::max(deadline, SteadyNow() + absl::Seconds(1)));
  if (worker_server_ != nullptr) worker_server_->Shutdown(absl::ToChronoTime(absl::Now()));
  client_server_.reset();
  worker_server_.reset();
  workers_.reset();
  streams_.reset();
  heavy_.reset();
  quick_.reset();
  retention_.reset();
  metrics_.Stop();  // it asks jobs_, datasets_ and grading_ at each scrape
  grading_.reset();
  jobs_.reset();
  if (served) Log::Info("stopped");
  Log::Flush();
}

Server::~Server() { Shutdown(SteadyNow()); }

}  // namespace trainyard
