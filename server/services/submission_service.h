// SubmissionService: the rpcs of trainyard.v1.SubmissionService. Checks who may; SubmissionAdmission checks specs, SubmissionRunner does the rest.
// Thread-safety: all methods from any thread. REQUIRES: what it is given outlives it.
#ifndef TRAINYARD_SERVER_SERVICES_SUBMISSION_SERVICE_H_
#define TRAINYARD_SERVER_SERVICES_SUBMISSION_SERVICE_H_

#include <string>

#include "server/grading/course_store.h"
#include "server/rpc/call_scope.h"
#include "server/rpc/serve.h"
#include "server/services/regrades.h"
#include "server/services/submission_admission.h"
#include "server/storage/database.h"
#include "server/submissions/runner.h"
#include "server/wire/signature.h"
#include "trainyard/v1/submission.grpc.pb.h"

namespace trainyard {

class SubmissionService final : public v1::SubmissionService::CallbackService {
 public:
  struct Parts {
    Database* database = nullptr;
    CourseStore* courses = nullptr;
    const SubmissionAdmission* admission = nullptr;
    SubmissionRunner* runner = nullptr;
    Regrades* regrades = nullptr;
    const SigningKey* key = nullptr;
    std::string pseudonym_secret;
  };
  SubmissionService(const RpcContext& rpc, const Parts& parts) : rpc_(rpc), parts_(parts) {}

  grpc::ServerUnaryReactor* CreateSubmission(grpc::CallbackServerContext* call,
                                             const v1::CreateSubmissionRequest* request,
                                             v1::Submission* response) override;
  grpc::ServerUnaryReactor* GetSubmission(grpc::CallbackServerContext* call,
                                          const v1::GetSubmissionRequest* request,
                                          v1::Submission* response) override;
  grpc::ServerUnaryReactor* ListSubmissions(grpc::CallbackServerContext* call,
                                            const v1::ListSubmissionsRequest* request,
                                            v1::ListSubmissionsResponse* response) override;
  grpc::ServerUnaryReactor* CancelSubmission(grpc::CallbackServerContext* call,
                                             const v1::CancelSubmissionRequest* request,
                                             v1::Submission* response) override;
  grpc::ServerUnaryReactor* WaitSubmission(grpc::CallbackServerContext* call,
                                           const v1::WaitSubmissionRequest* request,
                                           v1::Submission* response) override;
  grpc::ServerUnaryReactor* NominateSubmission(grpc::CallbackServerContext* call,
                                               const v1::NominateSubmissionRequest* request,
                                               v1::Submission* response) override;
  grpc::ServerUnaryReactor* GetReceipt(grpc::CallbackServerContext* call,
                                       const v1::GetReceiptRequest* request,
                                       v1::Receipt* response) override;
  grpc::ServerUnaryReactor* GetSigningKey(grpc::CallbackServerContext* call,
                                          const v1::GetSigningKeyRequest* request,
                                          v1::SigningKey* response) override;
  grpc::ServerUnaryReactor* GetStanding(grpc::CallbackServerContext* call,
                                        const v1::GetStandingRequest* request,
                                        v1::Standing* response) override;
  grpc::ServerUnaryReactor* GetLeaderboard(grpc::CallbackServerContext* call,
                                           const v1::GetLeaderboardRequest* request,
                                           v1::Leaderboard* response) override;
  grpc::ServerUnaryReactor* GetIntegrityReport(grpc::CallbackServerContext* call,
                                               const v1::GetIntegrityReportRequest* request,
                                               v1::IntegrityReport* response) override;
  grpc::ServerUnaryReactor* CreateRegrade(grpc::CallbackServerContext* call,
                                          const v1::CreateRegradeRequest* request,
                                          v1::Regrade* response) override;
  grpc::ServerUnaryReactor* GetRegrade(grpc::CallbackServerContext* call,
                                       const v1::GetRegradeRequest* request,
                                       v1::Regrade* response) override;
  grpc::ServerUnaryReactor* ApplyRegrade(grpc::CallbackServerContext* call,
                                         const v1::ApplyRegradeRequest* request,
                                         v1::Regrade* response) override;

 private:
  absl::StatusOr<v1::Submission> Create(const v1::CreateSubmissionRequest& request,
                                        const Principal& principal, absl::Time now);
  // The assignment's newest version, and whether `student` may submit to it now.
  absl::StatusOr<v1::PublishedAssignment> FindOpen(const AssignmentName& name,
                                                   const std::string& student, absl::Time now) const;
  // Whose submission it is, when the caller may see it; whether as staff.
  struct Seen {
    StoredSubmission stored;
    bool staff = false;
  };
  absl::StatusOr<Seen> Find(const std::string& name, const Principal& principal) const;
  absl::StatusOr<v1::Submission> Get(const std::string& name, const Principal& principal) const;
  absl::StatusOr<v1::ListSubmissionsResponse> List(const v1::ListSubmissionsRequest& request,
                                                   const Principal& principal) const;
  absl::StatusOr<v1::Submission> Nominate(const std::string& name, const Principal& principal);
  absl::StatusOr<v1::Receipt> ReadReceipt(const v1::GetReceiptRequest& request,
                                          const Principal& principal) const;
  absl::StatusOr<v1::Standing> Stand(const v1::GetStandingRequest& request,
                                     const Principal& principal) const;
  absl::StatusOr<v1::Leaderboard> Rank(const v1::GetLeaderboardRequest& request,
                                       const Principal& principal) const;
  absl::StatusOr<v1::IntegrityReport> Report(const v1::GetIntegrityReportRequest& request,
                                             const Principal& principal) const;

  const RpcContext rpc_;
  const Parts parts_;
};

}  // namespace trainyard

#endif  // TRAINYARD_SERVER_SERVICES_SUBMISSION_SERVICE_H_
