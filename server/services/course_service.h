// CourseService: the rpcs of trainyard.v1.CourseService. Checks who may, and what can be; CourseStore keeps it.
// Thread-safety: all methods from any thread. REQUIRES: what it is given outlives it.
#ifndef TRAINYARD_SERVER_SERVICES_COURSE_SERVICE_H_
#define TRAINYARD_SERVER_SERVICES_COURSE_SERVICE_H_

#include <string>
#include <vector>

#include "server/grading/course_store.h"
#include "server/rpc/call_scope.h"
#include "server/rpc/serve.h"
#include "server/services/submission_admission.h"
#include "server/storage/database.h"
#include "server/storage/dataset_store.h"
#include "trainyard/v1/course.grpc.pb.h"

namespace trainyard {

class Users;

class CourseService final : public v1::CourseService::CallbackService {
 public:
  CourseService(const RpcContext& rpc, Database* database, CourseStore* courses,
                DatasetStore* datasets, const SubmissionAdmission* admission, const Users* users)
      : rpc_(rpc),
        database_(database),
        courses_(courses),
        datasets_(datasets),
        admission_(admission),
        users_(users) {}

  grpc::ServerUnaryReactor* CreateCourse(grpc::CallbackServerContext* call,
                                         const v1::CreateCourseRequest* request,
                                         v1::Course* response) override;
  grpc::ServerUnaryReactor* GetCourse(grpc::CallbackServerContext* call,
                                      const v1::GetCourseRequest* request,
                                      v1::Course* response) override;
  grpc::ServerUnaryReactor* ListCourses(grpc::CallbackServerContext* call,
                                        const v1::ListCoursesRequest* request,
                                        v1::ListCoursesResponse* response) override;
  grpc::ServerUnaryReactor* UpdateRoster(grpc::CallbackServerContext* call,
                                         const v1::UpdateRosterRequest* request,
                                         v1::Roster* response) override;
  grpc::ServerUnaryReactor* GetRoster(grpc::CallbackServerContext* call,
                                      const v1::GetRosterRequest* request,
                                      v1::Roster* response) override;
  grpc::ServerUnaryReactor* SetPolicy(grpc::CallbackServerContext* call,
                                      const v1::SetPolicyRequest* request,
                                      v1::SetPolicyResponse* response) override;
  grpc::ServerUnaryReactor* GetPolicy(grpc::CallbackServerContext* call,
                                      const v1::GetPolicyRequest* request,
                                      v1::PolicyVersion* response) override;
  grpc::ServerUnaryReactor* PublishAssignment(grpc::CallbackServerContext* call,
                                              const v1::PublishAssignmentRequest* request,
                                              v1::Assignment* response) override;
  grpc::ServerUnaryReactor* GetAssignment(grpc::CallbackServerContext* call,
                                          const v1::GetAssignmentRequest* request,
                                          v1::Assignment* response) override;
  grpc::ServerUnaryReactor* ListAssignments(grpc::CallbackServerContext* call,
                                            const v1::ListAssignmentsRequest* request,
                                            v1::ListAssignmentsResponse* response) override;
  grpc::ServerUnaryReactor* RevealCommitments(grpc::CallbackServerContext* call,
                                              const v1::RevealCommitmentsRequest* request,
                                              v1::Assignment* response) override;

 private:
  absl::StatusOr<v1::Course> Create(const v1::CreateCourseRequest& request,
                                    const Principal& principal);
  absl::StatusOr<v1::Course> Get(const std::string& course, const Principal& principal) const;
  v1::ListCoursesResponse List(const Principal& principal) const;
  absl::StatusOr<v1::Roster> Update(const v1::UpdateRosterRequest& request,
                                    const Principal& principal);
  absl::StatusOr<v1::Roster> ReadRoster(const std::string& course) const;
  absl::StatusOr<v1::SetPolicyResponse> Set(const v1::SetPolicyRequest& request,
                                            const Principal& principal);
  absl::StatusOr<v1::PolicyVersion> ReadPolicy(const v1::GetPolicyRequest& request,
                                               const Principal& principal) const;
  absl::StatusOr<v1::Assignment> Publish(const v1::PublishAssignmentRequest& request,
                                         const Principal& principal);
  // All that a version has, but its number and commitments; its faults, and what to look at.
  absl::StatusOr<v1::PublishedAssignment> Prepare(const v1::Assignment& assignment) const;
  // Whether the caller may read its datasets. Those that the `newest` version has may stay: who
  // changes a deadline need not own the data.
  absl::Status CheckMayUse(const v1::Assignment& assignment, const v1::Assignment& newest,
                           const Principal& principal) const;
  absl::Status CheckData(const v1::TrainingSpec& resolved, v1::PublishedAssignment* published,
                         std::vector<FieldViolation>* violations) const;
  // Salts go to the secrets, in the transaction of the version.
  absl::Status Commit(v1::PublishedAssignment* published,
                      std::vector<std::pair<std::string, std::string>>* salts) const;
  absl::StatusOr<v1::Assignment> ReadAssignment(const v1::GetAssignmentRequest& request,
                                                const Principal& principal) const;
  absl::StatusOr<v1::Assignment> Reveal(const v1::RevealCommitmentsRequest& request,
                                        const Principal& principal);

  const RpcContext rpc_;
  Database* const database_;
  CourseStore* const courses_;
  DatasetStore* const datasets_;
  const SubmissionAdmission* const admission_;
  const Users* const users_;
};

}  // namespace trainyard

#endif  // TRAINYARD_SERVER_SERVICES_COURSE_SERVICE_H_
