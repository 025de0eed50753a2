#include "server/services/job_service.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "core/base/error_info.h"
#include "core/base/limits.h"
#include "core/base/status_macros.h"
#include "server/jobs/job.h"
#include "server/services/job_filter.h"
#include "server/services/request_checks.h"
#include "server/services/wait_reactor.h"
#include "server/storage/paging.h"
#include "server/wire/convert.h"
#include "server/wire/names.h"

namespace trainyard {
namespace {

constexpr int64_t kEventsPageDefault = 1'000;
constexpr int64_t kEventsPageMax = 10'000;
// Room for what an answer has around its entries.
constexpr size_t kListBytesMax = static_cast<size_t>(limits::kAnswerBytesMax) - 65'536;

}  // namespace

grpc::ServerUnaryReactor* JobService::CreateTrainingJob(grpc::CallbackServerContext* call,
                                                        const v1::CreateTrainingJobRequest* request,
                                                        v1::TrainingJob* response) {
  return Serve(rpc_, call, "/trainyard.v1.JobService/CreateTrainingJob", rpc_.quick, request,
               response, [=, this](const Principal& principal) {
                 return Store(admission_->CreateTraining(*request, principal), response);
               });
}

grpc::ServerUnaryReactor* JobService::GetTrainingJob(grpc::CallbackServerContext* call,
                                                     const v1::GetTrainingJobRequest* request,
                                                     v1::TrainingJob* response) {
  return Serve(rpc_, call, "/trainyard.v1.JobService/GetTrainingJob", rpc_.quick, response,
               [=, this](const Principal& principal) -> absl::Status {
                 TY_RETURN_IF_ERROR(ParseName(kTrainingJobs, request->name()).status());
                 TY_RETURN_IF_ERROR(rpc_.access->CheckRead(principal, request->name()));
                 return Store(jobs_->Get(request->name()), response);
               });
}

grpc::ServerUnaryReactor* JobService::ChangeJob(grpc::CallbackServerContext* call,
                                                const char* method, const std::string& name,
                                                const google::protobuf::Message* request,
                                                const google::protobuf::Message* response,
                                                UnaryBody body) {
  return Serve(rpc_, call, method, rpc_.quick, request, response,
               [this, name, body = std::move(body)](const Principal& principal) {
                 const absl::Status may = CheckMayChange(principal, name);
                 return may.ok() ? body(principal) : may;
               });
}

absl::Status JobService::CheckMayChange(const Principal& principal, const std::string& name) {
  TY_RETURN_IF_ERROR(ParseName(kTrainingJobs, name).status());
  TY_RETURN_IF_ERROR(rpc_.access->CheckWrite(principal, name));
  TY_ASSIGN_OR_RETURN(const v1::TrainingJob job, jobs_->Get(name));
  return CheckNotGraded(name, job);
}

grpc::ServerUnaryReactor* JobService::ListTrainingJobs(grpc::CallbackServerContext* call,
                                                       const v1::ListTrainingJobsRequest* request,
                                                       v1::ListTrainingJobsResponse* response) {
  return Serve(
      rpc_, call, "/trainyard.v1.JobService/ListTrainingJobs", rpc_.quick, response,
      [=, this](const Principal& principal) { return Store(List(*request, principal), response); });
}

absl::StatusOr<v1::ListTrainingJobsResponse> JobService::List(
    const v1::ListTrainingJobsRequest& request, const Principal& principal) {
  JobManager::ListQuery query;
  TY_ASSIGN_OR_RETURN(const PageQuery page_query,
                      ParsePage(request.page_size(), request.page_token()));
  query.page_size = page_query.size;
  query.before_number = page_query.before_number;
  TY_RETURN_IF_ERROR(ParseJobFilter(request.filter(), &query));
  TY_ASSIGN_OR_RETURN(query.owner, rpc_.access->ListOwner(principal, query.owner));
  while (true) {
    TY_ASSIGN_OR_RETURN(JobManager::JobPage page, jobs_->List(query));
    v1::ListTrainingJobsResponse response;
    for (v1::TrainingJob& job : page.jobs) *response.add_training_jobs() = std::move(job);
    if (page.next_before_number > 0) {
      response.set_next_page_token(absl::StrCat(page.next_before_number));
    }
    // Jobs with specs of many columns may not fit into one answer: a shorter page is an answer too.
    if (response.ByteSizeLong() <= kListBytesMax || query.page_size == 1) return response;
    query.page_size = std::max<int64_t>(query.page_size / 4, 1);
  }
}

grpc::ServerUnaryReactor* JobService::CancelTrainingJob(grpc::CallbackServerContext* call,
                                                        const v1::CancelTrainingJobRequest* request,
                                                        v1::TrainingJob* response) {
  return ChangeJob(call, "/trainyard.v1.JobService/CancelTrainingJob", request->name(), request,
                   response, [=, this](const Principal& principal) {
                     return Store(jobs_->Cancel(request->name(), principal.owner), response);
                   });
}

grpc::ServerUnaryReactor* JobService::PauseTrainingJob(grpc::CallbackServerContext* call,
                                                       const v1::PauseTrainingJobRequest* request,
                                                       v1::TrainingJob* response) {
  return ChangeJob(call, "/trainyard.v1.JobService/PauseTrainingJob", request->name(), request,
                   response, [=, this](const Principal& principal) {
                     return Store(jobs_->Pause(request->name(), principal.owner), response);
                   });
}

grpc::ServerUnaryReactor* JobService::ResumeTrainingJob(grpc::CallbackServerContext* call,
                                                        const v1::ResumeTrainingJobRequest* request,
                                                        v1::TrainingJob* response) {
  return ChangeJob(call, "/trainyard.v1.JobService/ResumeTrainingJob", request->name(), request,
                   response, [=, this](const Principal& principal) {
                     return Store(jobs_->Resume(request->name(), principal.owner), response);
                   });
}

grpc::ServerUnaryReactor* JobService::SetTrainingJobPriority(
    grpc::CallbackServerContext* call, const v1::SetTrainingJobPriorityRequest* request,
    v1::TrainingJob* response) {
  return ChangeJob(
      call, "/trainyard.v1.JobService/SetTrainingJobPriority", request->name(), request, response,
      [=, this](const Principal& principal) -> absl::Status {
        const bool known = v1::JobPriority_IsValid(request->priority()) &&
                           request->priority() != v1::JOB_PRIORITY_UNSPECIFIED;
        if (!known) {
          return InvalidRequest("priority", "is missing; give INTERACTIVE, NORMAL or BATCH");
        }
        return Store(jobs_->SetPriority(request->name(), request->priority(), principal.owner),
                     response);
      });
}

grpc::ServerUnaryReactor* JobService::DeleteTrainingJob(grpc::CallbackServerContext* call,
                                                        const v1::DeleteTrainingJobRequest* request,
                                                        google::protobuf::Empty* response) {
  return ChangeJob(call, "/trainyard.v1.JobService/DeleteTrainingJob", request->name(), request,
                   response,
                   [=, this](const Principal&) { return jobs_->Delete(request->name()); });
}

grpc::ServerWriteReactor<v1::WatchTrainingJobResponse>* JobService::WatchTrainingJob(
    grpc::CallbackServerContext* call, const v1::WatchTrainingJobRequest* request) {
  return WatchReactor::Start(rpc_, watch_, jobs_, &watchers_, call, request);
}

grpc::ServerUnaryReactor* JobService::ListJobEvents(grpc::CallbackServerContext* call,
                                                    const v1::ListJobEventsRequest* request,
                                                    v1::ListJobEventsResponse* response) {
  return Serve(rpc_, call, "/trainyard.v1.JobService/ListJobEvents", rpc_.quick, response,
               [=, this](const Principal& principal) {
                 return Store(ListEvents(*request, principal), response);
               });
}

absl::StatusOr<v1::ListJobEventsResponse> JobService::ListEvents(
    const v1::ListJobEventsRequest& request, const Principal& principal) {
  TY_RETURN_IF_ERROR(ParseName(kTrainingJobs, request.name()).status());
  TY_RETURN_IF_ERROR(rpc_.access->CheckRead(principal, request.name()));
  std::vector<FieldViolation> violations;
  if (request.page_size() < 0) violations.push_back({"page_size", "is negative; give 0 for 1000"});
  if (request.start_sequence() < 0) {
    violations.push_back({"start_sequence", "is negative; give 0 or 1 to start at the beginning"});
  }
  TY_RETURN_IF_ERROR(InvalidRequest(std::move(violations)));
  const int64_t count = request.page_size() == 0
                            ? kEventsPageDefault
                            : std::min<int64_t>(request.page_size(), kEventsPageMax);
  const int64_t start = std::max<int64_t>(request.start_sequence(), 1);
  // One more tells whether there is a next page.
  TY_ASSIGN_OR_RETURN(const std::vector<SharedEvent> events,
                      jobs_->events().Read(request.name(), start, count + 1));
  v1::ListJobEventsResponse response;
  size_t bytes = 0;
  for (const SharedEvent& event : events) {
    bytes += event->ByteSizeLong() + 8;
    if (response.events_size() == count || bytes > kListBytesMax) {
      response.set_next_sequence(event->sequence());
      break;
    }
    *response.add_events() = *event;
  }
  return response;
}

grpc::ServerUnaryReactor* JobService::WaitTrainingJob(grpc::CallbackServerContext* call,
                                                      const v1::WaitTrainingJobRequest* request,
                                                      v1::TrainingJob* response) {
  WaitPlan<v1::TrainingJob> plan;
  plan.method = "/trainyard.v1.JobService/WaitTrainingJob";
  if (request->has_timeout()) plan.timeout = DurationFromProto(request->timeout());
  plan.check = [=, this](const Principal& principal) -> absl::Status {
    TY_RETURN_IF_ERROR(ParseName(kTrainingJobs, request->name()).status());
    return rpc_.access->CheckRead(principal, request->name());
  };
  plan.subscribe = [=, this](std::function<void()> wake) -> std::shared_ptr<void> {
    return jobs_->events().Subscribe(request->name(),
                                     [wake = std::move(wake)](int64_t) { wake(); });
  };
  plan.look = [=, this](const Principal&) { return jobs_->Get(request->name()); };
  plan.done = [](const v1::TrainingJob& job) { return IsTerminal(job.state()); };
  return WaitReactor<v1::TrainingJob>::Start(rpc_, call, std::move(plan), response);
}

}  // namespace trainyard
