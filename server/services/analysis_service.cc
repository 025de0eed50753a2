#include "server/services/analysis_service.h"

#include "absl/strings/str_cat.h"
#include "core/base/error_info.h"
#include "core/base/limits.h"
#include "core/base/status_macros.h"
#include "server/jobs/job.h"
#include "server/rpc/serve.h"
#include "server/storage/records.h"
#include "server/wire/names.h"

namespace trainyard {
namespace {

// Whether the job has a result to show.
absl::Status CheckHasResult(const v1::TrainingJob& job) {
  if (!job.has_analysis()) {
    return MakeError(absl::StatusCode::kFailedPrecondition,
                     absl::StrCat(job.name(), " is a training, and no analysis"),
                     {.reason = ErrorReason::kInvalidState,
                      .hint = "its result is a model; the job's `model` names it"});
  }
  if (job.state() == v1::JOB_STATE_SUCCEEDED) return absl::OkStatus();
  return MakeError(
      absl::StatusCode::kFailedPrecondition,
      absl::StrCat(job.name(), " is ", JobStateName(job.state()), " and has no result"),
      {.reason = ErrorReason::kInvalidState,
       .hint = IsTerminal(job.state()) ? "submit it again" : "wait until it has SUCCEEDED",
       .in_force = absl::StrCat("state ", JobStateName(job.state()))});
}

}  // namespace

grpc::ServerUnaryReactor* AnalysisService::CreateAnalysis(grpc::CallbackServerContext* call,
                                                          const v1::CreateAnalysisRequest* request,
                                                          v1::TrainingJob* response) {
  return Serve(rpc_, call, "/trainyard.v1.AnalysisService/CreateAnalysis", rpc_.quick, request,
               response, [=, this](const Principal& principal) {
                 return Store(admission_->CreateAnalysis(*request, principal), response);
               });
}

grpc::ServerUnaryReactor* AnalysisService::GetAnalysisResult(
    grpc::CallbackServerContext* call, const v1::GetAnalysisResultRequest* request,
    v1::AnalysisResult* response) {
  return Serve(rpc_, call, "/trainyard.v1.AnalysisService/GetAnalysisResult", rpc_.quick, response,
               [=, this](const Principal& principal) -> absl::Status {
                 TY_RETURN_IF_ERROR(rpc_.access->CheckRead(principal, request->name()));
                 return Store(Result(request->name()), response);
               });
}

absl::StatusOr<v1::AnalysisResult> AnalysisService::Result(const std::string& name) {
  TY_RETURN_IF_ERROR(ParseName(kTrainingJobs, name).status());
  TY_ASSIGN_OR_RETURN(const v1::TrainingJob job, jobs_->Get(name));
  TY_RETURN_IF_ERROR(CheckHasResult(job));
  const std::string& digest = job.receipt().result_digest();
  const absl::StatusOr<std::string> bytes = blobs_->Get(digest, limits::kAnswerBytesMax);
  // The job is there, so a missing blob is damage, not a wrong name.
  if (absl::IsNotFound(bytes.status())) return MissingBlob(name, digest);
  if (!bytes.ok()) return Annotate(bytes.status(), name);
  v1::AnalysisResult result;
  TY_RETURN_IF_ERROR(ParseRecord(*bytes, name, &result));
  return result;
}

}  // namespace trainyard
