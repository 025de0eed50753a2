// Server is the composition root: it builds every part by hand, in order, and takes them down in
// reverse.
//
//   TY_ASSIGN_OR_RETURN(std::unique_ptr<Server> server, Server::Create(options));   // now it
//   serves … wait for a signal … server->Shutdown(SteadyNow() + options.drain_timeout);
//
// Shutdown, in this order: (1) health says NOT_SERVING and new calls are refused, (2) watches and
// waits end with UNAVAILABLE/DRAINING, other calls have until the deadline, then they are cancelled
// (an upload keeps what was valid), (3) workers are stopped; their jobs are queued again for the
// next server, (4) pools finish what they have,
// (5) metrics stop, when there is nothing left to show, (6) jobs and stores close.
//
// Thread-safety: Create, Shutdown and the destructor from one thread; the rest from any.
#ifndef TRAINYARD_SERVER_SERVER_H_
#define TRAINYARD_SERVER_SERVER_H_

#include <grpcpp/server.h>

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "core/base/file_system.h"
#include "server/auth/access.h"
#include "server/auth/audit.h"
#include "server/auth/authenticator.h"
#include "server/auth/users.h"
#include "server/data_directory.h"
#include "server/jobs/job_manager.h"
#include "server/jobs/retention.h"
#include "server/jobs/worker_pool.h"
#include "server/metrics/metrics.h"
#include "server/options.h"
#include "server/rpc/call_scope.h"
#include "server/services/admin_service.h"
#include "server/services/analysis_service.h"
#include "server/services/auth_service.h"
#include "server/services/course_access.h"
#include "server/services/dataset_service.h"
#include "server/services/grading_services.h"
#include "server/services/job_admission.h"
#include "server/services/job_service.h"
#include "server/services/model_service.h"
#include "server/services/worker_service.h"
#include "server/storage/blob_store.h"
#include "server/storage/database.h"
#include "server/storage/dataset_store.h"
#include "server/storage/model_store.h"

namespace trainyard {

RetentionOptions RetentionOf(const ServerOptions& options);

class Server {
 public:
  // Errors: INVALID_ARGUMENT (options, an address that cannot be used), FAILED_PRECONDITION (the
  // data directory is in use, or of a newer version; no trainyard-worker; other machines would
  // reach a server without users), DATA_LOSS, INTERNAL.
  static absl::StatusOr<std::unique_ptr<Server>> Create(const ServerOptions& options);
  // Shutdown without delay, unless it was called.
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  // host:port of each --listen, with the port in use.
  const std::vector<std::string>& addresses() const { return addresses_; }
  // host:port for Prometheus, or empty.
  const std::string& metrics_address() const { return metrics_address_; }

  // Blocks until all is down. A second call does nothing.
  void Shutdown(absl::Time deadline);

  // For tests of what happens inside.
  JobManager* jobs() { return jobs_.get(); }
  SubmissionRunner* submissions() { return grading_->runner(); }
  BlobStore* blobs() { return blobs_.get(); }
  ModelStore* models() { return models_.get(); }

 private:
  explicit Server(const ServerOptions& options) : options_(options) {}
  absl::Status OpenStores();
  absl::Status OpenAuth();
  absl::Status StartJobs();
  absl::Status StartMetrics();
  void MakePools();
  // Before StartMetrics: a scrape asks it.
  absl::Status StartGrading();
  void MakeServices();
  absl::Status ServeWorkers();
  absl::Status ServeClients();
  void SetHealth(bool serving);
  // Called by JobManager: the services that take new data are not serving while the disk is full.
  void SetStorageHealth(bool full);
  bool IsStorageFull() const;
  Metrics::Snapshot TakeSnapshot() const;
  ServiceLimits Limits() const;
  RpcContext ClientContext();
  RpcContext WorkerContext();

  // Members are declared in the order they are built; destruction is the reverse. Do not reorder.
  const ServerOptions options_;
  std::shared_ptr<FileSystem> files_;
  Metrics metrics_;
  std::unique_ptr<DataDirectory> directory_;
  std::unique_ptr<Database> database_;
  std::unique_ptr<Users> users_;
  std::unique_ptr<Authenticator> authenticator_;
  std::unique_ptr<CourseStore> courses_;
  std::unique_ptr<CourseGrants> grants_;
  std::unique_ptr<Access> access_;
  std::unique_ptr<Audit> audit_;
  std::unique_ptr<BlobStore> blobs_;
  std::unique_ptr<DatasetStore> datasets_;
  std::unique_ptr<ModelStore> models_;
  std::unique_ptr<WorkerPool> pool_;  // before jobs_, which may ask it to kill; reports memory to
                                      // jobs_ between Start and Stop
  std::unique_ptr<JobManager> jobs_;
  std::unique_ptr<Retention> retention_;
  DrainSignal drain_;
  std::unique_ptr<JobAdmission> admission_;
  std::unique_ptr<DatasetService> dataset_service_;
  std::unique_ptr<JobService> job_service_;
  std::unique_ptr<AnalysisService> analysis_service_;
  std::unique_ptr<ModelService> model_service_;
  std::unique_ptr<AdminService> admin_service_;
  std::unique_ptr<IdentityExchange> exchange_;
  std::unique_ptr<AuthService> auth_service_;
  std::unique_ptr<GradingServices> grading_;
  std::unique_ptr<WorkerService> worker_service_;
  Ticker ticker_;
  // After the services: a body that is queued when the last call is over still uses them.
  std::unique_ptr<Executor> quick_, heavy_, streams_, workers_;
  std::unique_ptr<grpc::Server> worker_server_;
  std::unique_ptr<grpc::Server> client_server_;
  // Of client_server_; null before it serves and when it stops.
  std::atomic<grpc::HealthCheckServiceInterface*> health_{nullptr};
  std::vector<std::string> addresses_;
  std::string metrics_address_;
  std::string worker_token_;
  bool down_ = false;
};

}  // namespace trainyard

#endif  // TRAINYARD_SERVER_SERVER_H_
