// GradingServices builds what grading is made of, in order, and takes it down in reverse: secrets, evaluator, outbox, runner, and the services of courses,
// submissions and grades.
//
//   TY_ASSIGN_OR_RETURN(grading_, GradingServices::Create(rpc, parts));
//   grading_->RegisterOn(&builder);
//
// Thread-safety: Create and the destructor from one thread; the rest from any. REQUIRES: what it is given outlives it.
#ifndef TRAINYARD_SERVER_SERVICES_GRADING_SERVICES_H_
#define TRAINYARD_SERVER_SERVICES_GRADING_SERVICES_H_

#include <grpcpp/server_builder.h>

#include <memory>
#include <optional>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "server/grading/course_store.h"
#include "server/grading/delivery_queue.h"
#include "server/jobs/job_manager.h"
#include "server/metrics/grading_metrics.h"
#include "server/rpc/call_scope.h"
#include "server/services/course_service.h"
#include "server/services/grade_service.h"
#include "server/services/job_admission.h"
#include "server/services/regrades.h"
#include "server/services/service_limits.h"
#include "server/services/submission_admission.h"
#include "server/services/submission_service.h"
#include "server/storage/database.h"
#include "server/storage/dataset_store.h"
#include "server/storage/model_store.h"
#include "server/submissions/evaluator.h"
#include "server/submissions/parts.h"
#include "server/submissions/runner.h"
#include "server/wire/signature.h"

namespace trainyard {

class Users;

class GradingServices {
 public:
  struct Parts {
    Database* database = nullptr;
    CourseStore* courses = nullptr;
    const Users* users = nullptr;
    DatasetStore* datasets = nullptr;
    ModelStore* models = nullptr;
    JobManager* jobs = nullptr;
    JobAdmission* admission = nullptr;
    ServiceLimits limits;
    DeliveryOptions deliveries;
  };

  static absl::StatusOr<std::unique_ptr<GradingServices>> Create(const RpcContext& rpc,
                                                                 const Parts& parts);
  GradingServices(const GradingServices&) = delete;
  GradingServices& operator=(const GradingServices&) = delete;

  void RegisterOn(grpc::ServerBuilder* builder);
  // Full names, for health.
  static std::vector<const char*> Names();
  GradingMetrics::Snapshot TakeSnapshot() const;
  SubmissionRunner* runner() { return runner_.get(); }

 private:
  GradingServices(const RpcContext& rpc, const Parts& parts, SigningKey key, std::string secret);
  DeliveryObserver ObserveDeliveries();
  LtiAccess GiveLtiAccess() const;
  void CountAttempt(const v1::Delivery& delivery);

  const RpcContext rpc_;
  const Parts parts_;
  const SigningKey key_;
  Evaluator evaluator_;
  const SubmissionAdmission submissions_;
  mutable absl::Mutex mu_;
  DeliveryStats delivery_stats_ ABSL_GUARDED_BY(mu_);
  absl::Time delivery_stats_time_ ABSL_GUARDED_BY(mu_) = absl::InfinitePast();
  DeliveryQueue deliveries_;
  std::unique_ptr<SubmissionRunner> runner_;
  std::optional<Regrades> regrades_;
  std::unique_ptr<CourseService> course_service_;
  std::unique_ptr<SubmissionService> submission_service_;
  std::unique_ptr<GradeService> grade_service_;
};

}  // namespace trainyard

#endif  // TRAINYARD_SERVER_SERVICES_GRADING_SERVICES_H_
