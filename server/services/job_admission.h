// JobAdmission decides whether a training or an analysis is taken, and hands it to JobManager: what
// CreateTrainingJob and CreateAnalysis have in common.
//
//   absl::StatusOr<v1::TrainingJob> job = admission.CreateTraining(request, principal);
//
// Thread-safety: all methods from any thread. Errors: those of the two rpcs, with ErrorInfo.
// REQUIRES: what it is given outlives it.
#ifndef TRAINYARD_SERVER_SERVICES_JOB_ADMISSION_H_
#define TRAINYARD_SERVER_SERVICES_JOB_ADMISSION_H_

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "core/base/error_info.h"
#include "server/jobs/job_manager.h"
#include "server/metrics/metrics.h"
#include "server/rpc/call_scope.h"
#include "server/services/service_limits.h"
#include "server/storage/dataset_store.h"
#include "server/storage/model_store.h"
#include "server/submissions/parts.h"
#include "trainyard/v1/analysis.pb.h"
#include "trainyard/v1/job.pb.h"

namespace trainyard {

class JobAdmission {
 public:
  JobAdmission(const ServiceLimits& limits, Metrics* metrics, const Access* access,
               JobManager* jobs, DatasetStore* datasets, ModelStore* models)
      : limits_(limits),
        metrics_(metrics),
        access_(access),
        jobs_(jobs),
        datasets_(datasets),
        models_(models) {}

  absl::StatusOr<v1::TrainingJob> CreateTraining(const v1::CreateTrainingJobRequest& request,
                                                 const Principal& principal);
  // A training of a submission, which was checked when it was accepted: its owner need not be able to read the dataset. The same request_id gives the same
  // job.
  absl::StatusOr<v1::TrainingJob> CreateGraded(const GradedTraining& training);
  absl::StatusOr<v1::TrainingJob> CreateAnalysis(const v1::CreateAnalysisRequest& request,
                                                 const Principal& principal);

 private:
  struct Submission {
    std::string owner, request_id;
    std::string digest;  // of the request without its id
    bool validate_only = false;
    bool reuse = false;  // a finished job does as well
  };
  using Prepare = std::function<absl::StatusOr<v1::TrainingJob>()>;

  // The job of the same request before; else what `prepare` makes, checked and resolved, submitted.
  absl::StatusOr<v1::TrainingJob> Submit(const Submission& submission, const Prepare& prepare);
  absl::StatusOr<v1::TrainingJob> PrepareTraining(const v1::CreateTrainingJobRequest& request,
                                                  const Principal& principal);
  absl::StatusOr<v1::TrainingJob> PrepareAnalysis(const v1::CreateAnalysisRequest& request,
                                                  const Principal& principal);
  // Spec and dataset of an analysis, taken from its model where it has one.
  struct Subject {
    v1::TrainingSpec spec;
    std::string dataset;
    std::optional<v1::Model> model;
  };
  absl::StatusOr<Subject> FindSubject(const v1::CreateAnalysisRequest& request,
                                      const Principal& principal);
  // Whether models and result of an analysis go with its spec, which has no faults.
  absl::Status CheckSubject(const Subject& subject, const v1::TrainingJob& job,
                            std::vector<FieldViolation>* violations);
  // The record of a job that computes `spec` on `dataset`. Faults of the spec go to `violations`.
  absl::StatusOr<v1::TrainingJob> NewJob(const v1::TrainingSpec& spec, const std::string& dataset,
                                         const std::string& display_name,
                                         const Principal& principal,
                                         std::vector<FieldViolation>* violations);

  const ServiceLimits limits_;
  Metrics* const metrics_;
  const Access* const access_;
  JobManager* const jobs_;
  DatasetStore* const datasets_;
  ModelStore* const models_;
};

}  // namespace trainyard

#endif  // TRAINYARD_SERVER_SERVICES_JOB_ADMISSION_H_
