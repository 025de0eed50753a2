#include "server/services/job_admission.h"

#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "core/base/error_info.h"
#include "core/base/status_macros.h"
#include "server/base/ids.h"
#include "server/services/job_spec.h"
#include "server/services/request_checks.h"
#include "server/wire/analysis_convert.h"
#include "server/wire/convert.h"
#include "server/wire/error_detail.h"
#include "server/wire/names.h"

namespace trainyard {
namespace {

using Violations = std::vector<FieldViolation>;

void CheckDatasetName(absl::string_view field, const std::string& name, Violations* violations) {
  if (ParseName(kDatasets, name).ok()) return;
  violations->push_back(
      {std::string(field), absl::StrCat("\"", name.substr(0, 100),
                                        "\" is no dataset; give datasets/{id} of a READY one")});
}

// An empty name says that there is none.
void CheckModelName(absl::string_view field, const std::string& name, Violations* violations) {
  if (name.empty() || ParseName(kModels, name).ok()) return;
  violations->push_back({std::string(field), absl::StrCat("\"", name.substr(0, 100),
                                                          "\" is no model; give models/{id}")});
}

absl::Status CheckTraining(const v1::CreateTrainingJobRequest& request) {
  const v1::TrainingJob& job = request.training_job();
  Violations violations;
  CheckDisplayName("training_job.display_name", job.display_name(), &violations);
  CheckRequestId(request.request_id(), &violations);
  CheckDatasetName("training_job.dataset", job.dataset(), &violations);
  if (!v1::JobPriority_IsValid(job.priority())) {
    violations.push_back(
        {"training_job.priority", absl::StrCat("is ", static_cast<int>(job.priority()),
                                               "; give INTERACTIVE, NORMAL or BATCH")});
  }
  CheckModelName("training_job.spec.initial_model", job.spec().initial_model(), &violations);
  if (!job.spec().test_dataset().empty()) {
    CheckDatasetName("training_job.spec.test_dataset", job.spec().test_dataset(), &violations);
  }
  return InvalidRequest(std::move(violations));
}

// Names of what must be looked up before anything else can be checked.
void CheckAnalysisNames(const v1::CreateAnalysisRequest& request, Violations* violations) {
  const v1::AnalysisSpec& analysis = request.analysis();
  // With a model it may be left out.
  if (analysis.model().empty() || !request.dataset().empty()) {
    CheckDatasetName("dataset", request.dataset(), violations);
  }
  CheckModelName("spec.initial_model", request.spec().initial_model(), violations);
  CheckModelName("analysis.model", analysis.model(), violations);
  CheckModelName("analysis.loss_line.other_model", analysis.loss_line().other_model(), violations);
}

void CheckAnalysisForm(const v1::CreateAnalysisRequest& request, Violations* violations) {
  const v1::AnalysisSpec& analysis = request.analysis();
  CheckDisplayName("display_name", request.display_name(), violations);
  CheckRequestId(request.request_id(), violations);
  if (!analysis.model().empty()) CheckBesideModel(request.spec(), violations);
  if (analysis.has_loss_line() && analysis.loss_line().other_model().empty()) {
    violations->push_back({"analysis.loss_line.other_model", "is missing; give models/{id}"});
  }
}

// Whether the caller may use all that a spec and its job name.
absl::Status CheckSpecAccess(const Access& access, const Principal& principal,
                             const std::string& dataset, const v1::TrainingSpec& spec) {
  for (const std::string& name : {dataset, spec.test_dataset(), spec.initial_model()}) {
    TY_RETURN_IF_ERROR(access.CheckReadIfNamed(principal, name));
  }
  return absl::OkStatus();
}

template <typename Request>
std::string DigestOf(Request request) {
  request.clear_request_id();
  return MessageDigest(request);
}

}  // namespace

absl::StatusOr<v1::TrainingJob> JobAdmission::CreateTraining(
    const v1::CreateTrainingJobRequest& request, const Principal& principal) {
  return Submit({.owner = principal.owner,
                 .request_id = request.request_id(),
                 .digest = DigestOf(request),
                 .validate_only = request.validate_only(),
                 .reuse = request.reuse()},
                [&] { return PrepareTraining(request, principal); });
}

absl::StatusOr<v1::TrainingJob> JobAdmission::CreateGraded(const GradedTraining& training) {
  const auto prepare = [&]() -> absl::StatusOr<v1::TrainingJob> {
    Violations violations;
    TY_ASSIGN_OR_RETURN(v1::TrainingJob job,
                        NewJob(training.spec, training.dataset, training.display_name,
                               {.owner = training.owner}, &violations));
    if (!violations.empty()) {
      return MakeViolationsError(ErrorReason::kInvalidSpec, std::move(violations));
    }
    job.set_priority(training.priority);
    job.set_submission(training.submission);
    return job;
  };
  return Submit({.owner = training.owner,
                 .request_id = training.request_id,
                 .digest = Sha256Digest(absl::StrCat("CreateGraded ", training.submission, " ",
                                                     training.request_id))},
                prepare);
}

absl::StatusOr<v1::TrainingJob> JobAdmission::CreateAnalysis(
    const v1::CreateAnalysisRequest& request, const Principal& principal) {
  return Submit({.owner = principal.owner,
                 .request_id = request.request_id(),
                 // Both calls share their request ids: a training must not look like an analysis.
                 .digest = Sha256Digest(absl::StrCat("CreateAnalysis ", DigestOf(request))),
                 .validate_only = request.validate_only()},
                [&] { return PrepareAnalysis(request, principal); });
}

absl::StatusOr<v1::TrainingJob> JobAdmission::Submit(const Submission& submission,
                                                     const Prepare& prepare) {
  TY_ASSIGN_OR_RETURN(
      std::optional<v1::TrainingJob> before,
      jobs_->FindSubmitted(submission.owner, submission.request_id, submission.digest));
  if (before.has_value()) return *std::move(before);
  absl::StatusOr<v1::TrainingJob> job = prepare();
  if (!job.ok()) {
    // JobManager counts what it refuses itself.
    metrics_->JobRejected(absl::AsciiStrToLower(ErrorReasonName(ErrorInfoOf(job.status()).reason)));
  }
  if (!job.ok()) return job;
  if (submission.validate_only) {
    jobs_->AddDuration(&*job);
    job->clear_progress();
    return job;
  }
  if (submission.reuse) {
    TY_ASSIGN_OR_RETURN(std::optional<v1::TrainingJob> finished, jobs_->FindFinished(*job));
    if (finished.has_value()) return *std::move(finished);
  }
  return jobs_->Submit(*std::move(job), submission.request_id, submission.digest);
}

absl::StatusOr<v1::TrainingJob> JobAdmission::PrepareTraining(
    const v1::CreateTrainingJobRequest& request, const Principal& principal) {
  TY_RETURN_IF_ERROR(CheckTraining(request));
  const v1::TrainingJob& wanted = request.training_job();
  TY_RETURN_IF_ERROR(CheckSpecAccess(*access_, principal, wanted.dataset(), wanted.spec()));
  Violations violations;
  TY_ASSIGN_OR_RETURN(v1::TrainingJob job, NewJob(wanted.spec(), wanted.dataset(),
                                                  wanted.display_name(), principal, &violations));
  const bool chosen = wanted.priority() != v1::JOB_PRIORITY_UNSPECIFIED;
  job.set_priority(chosen ? wanted.priority() : v1::JOB_PRIORITY_NORMAL);
  if (violations.empty()) CheckEstimate(job, limits_, &violations);
  if (violations.empty()) return job;
  return MakeViolationsError(ErrorReason::kInvalidSpec, std::move(violations));
}

absl::StatusOr<v1::TrainingJob> JobAdmission::PrepareAnalysis(
    const v1::CreateAnalysisRequest& request, const Principal& principal) {
  Violations violations;
  CheckAnalysisNames(request, &violations);
  const bool can_look_up = violations.empty();
  CheckAnalysisForm(request, &violations);
  if (!can_look_up) return InvalidRequest(std::move(violations));
  const bool well_formed = violations.empty();

  TY_ASSIGN_OR_RETURN(const Subject subject, FindSubject(request, principal));
  const size_t before = violations.size();
  TY_ASSIGN_OR_RETURN(v1::TrainingJob job, NewJob(subject.spec, subject.dataset,
                                                  request.display_name(), principal, &violations));
  const bool spec_ok = violations.size() == before;
  job.clear_estimate();  // it is that of a training, as are its steps
  job.clear_progress();
  job.set_priority(v1::JOB_PRIORITY_INTERACTIVE);
  *job.mutable_analysis() = ResolveAnalysis(request.analysis(), job.resolved_spec(), &violations);
  if (spec_ok) TY_RETURN_IF_ERROR(CheckSubject(subject, job, &violations));
  if (violations.empty()) return job;
  return MakeViolationsError(well_formed ? ErrorReason::kInvalidSpec : ErrorReason::kInvalidRequest,
                             std::move(violations));
}

absl::Status JobAdmission::CheckSubject(const Subject& subject, const v1::TrainingJob& job,
                                        Violations* violations) {
  const v1::TrainingSpec& resolved = job.resolved_spec();
  const std::string& other_model = job.analysis().loss_line().other_model();
  if (!other_model.empty()) {
    TY_ASSIGN_OR_RETURN(const v1::Model other, models_->Get(other_model));
    CheckModelFits(other, resolved, "analysis.loss_line.other_model", violations);
  }
  if (subject.model.has_value()) {
    CheckModelFits(*subject.model, resolved, "analysis.model", violations);
  }
  if (!job.analysis().has_linear_collapse()) return absl::OkStatus();
  TY_ASSIGN_OR_RETURN(const v1::Dataset dataset, datasets_->Get(job.dataset()));
  CheckCollapseFits(resolved, dataset, violations);
  return absl::OkStatus();
}

absl::StatusOr<JobAdmission::Subject> JobAdmission::FindSubject(
    const v1::CreateAnalysisRequest& request, const Principal& principal) {
  const std::string& name = request.analysis().model();
  const std::string& other_model = request.analysis().loss_line().other_model();
  TY_RETURN_IF_ERROR(access_->CheckReadIfNamed(principal, name));
  TY_RETURN_IF_ERROR(access_->CheckReadIfNamed(principal, other_model));
  TY_RETURN_IF_ERROR(CheckSpecAccess(*access_, principal, request.dataset(), request.spec()));
  if (name.empty()) return Subject{request.spec(), request.dataset(), std::nullopt};
  TY_ASSIGN_OR_RETURN(v1::Model model, models_->Get(name));
  Subject subject{SpecOf(model, request.analysis(), request.spec(), limits_), request.dataset(),
                  std::nullopt};
  if (subject.dataset.empty()) {
    const absl::StatusOr<v1::TrainingJob> job = jobs_->Get(model.training_job());
    if (absl::IsNotFound(job.status())) {
      return InvalidRequest(
          "dataset", absl::StrCat("is missing, and ", model.training_job(), ", which made ", name,
                                  ", was deleted; give datasets/{id}"));
    }
    TY_RETURN_IF_ERROR(job.status());
    subject.dataset = job->dataset();
    TY_RETURN_IF_ERROR(access_->CheckRead(principal, subject.dataset));
  }
  subject.model = std::move(model);
  return subject;
}

absl::StatusOr<v1::TrainingJob> JobAdmission::NewJob(const v1::TrainingSpec& spec,
                                                     const std::string& dataset_name,
                                                     const std::string& display_name,
                                                     const Principal& principal,
                                                     Violations* violations) {
  TY_ASSIGN_OR_RETURN(const v1::Dataset dataset, datasets_->Get(dataset_name));
  TY_RETURN_IF_ERROR(CheckReady(dataset));
  v1::Model initial;
  if (!spec.initial_model().empty()) {
    TY_ASSIGN_OR_RETURN(initial, models_->Get(spec.initial_model()));
  }
  TY_ASSIGN_OR_RETURN(
      JobSpec resolved,
      ResolveJobSpec(spec, dataset, limits_, spec.initial_model().empty() ? nullptr : &initial,
                     violations));
  v1::Dataset test;
  if (!spec.test_dataset().empty()) {
    TY_ASSIGN_OR_RETURN(test, datasets_->Get(spec.test_dataset()));
    TY_RETURN_IF_ERROR(CheckReady(test));
    CheckTestFits(resolved.resolved, dataset, test, violations);
  }
  v1::TrainingJob job;
  job.set_owner(principal.owner);
  job.set_display_name(display_name);
  job.set_dataset(dataset.name());
  *job.mutable_spec() = spec;
  *job.mutable_resolved_spec() = std::move(resolved.resolved);
  *job.mutable_estimate() = std::move(resolved.estimate);
  job.mutable_progress()->set_steps_total(resolved.steps_total);
  job.mutable_progress()->set_epochs_total(static_cast<int32_t>(resolved.epochs_total));
  for (std::string& warning : resolved.warnings) job.add_warnings(std::move(warning));
  v1::JobReceipt& receipt = *job.mutable_receipt();
  receipt.set_dataset_digest(dataset.digest());
  receipt.set_test_dataset_digest(test.digest());
  receipt.set_spec_digest(SpecDigest(job.resolved_spec()));
  receipt.set_seed(job.resolved_spec().seed());
  receipt.set_threads(job.resolved_spec().threads());
  return job;
}

}  // namespace trainyard
