// GradeService: the rpcs of trainyard.v1.GradeService. Grades are computed at each call from the
// course's events; nothing that is kept is authoritative. Once grades were published, students see
// the newest published ones only; published grades that cannot be computed again as they were are
// told to nobody (INTERNAL, and snapshot_differs in the log). Thread-safety: all methods from any
// thread. REQUIRES: what it is given outlives it.
#ifndef TRAINYARD_SERVER_SERVICES_GRADE_SERVICE_H_
#define TRAINYARD_SERVER_SERVICES_GRADE_SERVICE_H_

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "server/grading/course_gradebook.h"
#include "server/grading/course_store.h"
#include "server/grading/delivery_queue.h"
#include "server/rpc/call_scope.h"
#include "server/rpc/serve.h"
#include "server/storage/database.h"
#include "trainyard/v1/grades.grpc.pb.h"

namespace trainyard {

// The grades that a snapshot froze, computed again.
struct FrozenBook {
  Gradebook book;
  bool digest_matches = false;  // they are those that were published
};
// `state` is the course as of the snapshot's sequence, `policy` the snapshot's. A pure function.
// Errors: those of BookOf.
absl::StatusOr<FrozenBook> ComputeFrozen(const CourseState& state, const v1::GradingPolicy& policy,
                                         const PublishedSnapshot& snapshot);

class GradeService final : public v1::GradeService::CallbackService {
 public:
  GradeService(const RpcContext& rpc, Database* database, CourseStore* courses,
               DeliveryQueue* deliveries)
      : rpc_(rpc), database_(database), courses_(courses), deliveries_(deliveries) {}

  grpc::ServerUnaryReactor* GetGradebook(grpc::CallbackServerContext* call,
                                         const v1::GetGradebookRequest* request,
                                         v1::Gradebook* response) override;
  grpc::ServerUnaryReactor* CreateAdjustment(grpc::CallbackServerContext* call,
                                             const v1::CreateAdjustmentRequest* request,
                                             v1::Adjustment* response) override;
  grpc::ServerUnaryReactor* RevokeAdjustment(grpc::CallbackServerContext* call,
                                             const v1::RevokeAdjustmentRequest* request,
                                             v1::Adjustment* response) override;
  grpc::ServerUnaryReactor* ConfirmAdjustment(grpc::CallbackServerContext* call,
                                              const v1::ConfirmAdjustmentRequest* request,
                                              v1::Adjustment* response) override;
  grpc::ServerUnaryReactor* ListAdjustments(grpc::CallbackServerContext* call,
                                            const v1::ListAdjustmentsRequest* request,
                                            v1::ListAdjustmentsResponse* response) override;
  grpc::ServerUnaryReactor* RecordMarks(grpc::CallbackServerContext* call,
                                        const v1::RecordMarksRequest* request,
                                        v1::RecordMarksResponse* response) override;
  grpc::ServerUnaryReactor* PublishSnapshot(grpc::CallbackServerContext* call,
                                            const v1::PublishSnapshotRequest* request,
                                            v1::Snapshot* response) override;
  grpc::ServerUnaryReactor* ListSnapshots(grpc::CallbackServerContext* call,
                                          const v1::ListSnapshotsRequest* request,
                                          v1::ListSnapshotsResponse* response) override;
  grpc::ServerUnaryReactor* DiffSnapshot(grpc::CallbackServerContext* call,
                                         const v1::DiffSnapshotRequest* request,
                                         v1::DiffSnapshotResponse* response) override;
  grpc::ServerUnaryReactor* ExportGradebook(grpc::CallbackServerContext* call,
                                            const v1::ExportGradebookRequest* request,
                                            v1::ExportGradebookResponse* response) override;
  grpc::ServerUnaryReactor* ListCourseEvents(grpc::CallbackServerContext* call,
                                             const v1::ListCourseEventsRequest* request,
                                             v1::ListCourseEventsResponse* response) override;
  grpc::ServerUnaryReactor* SetDeliveryTarget(grpc::CallbackServerContext* call,
                                              const v1::SetDeliveryTargetRequest* request,
                                              v1::DeliveryTarget* response) override;
  grpc::ServerUnaryReactor* ListDeliveries(grpc::CallbackServerContext* call,
                                           const v1::ListDeliveriesRequest* request,
                                           v1::ListDeliveriesResponse* response) override;
  grpc::ServerUnaryReactor* RetryDelivery(grpc::CallbackServerContext* call,
                                          const v1::RetryDeliveryRequest* request,
                                          v1::Delivery* response) override;

  grpc::ServerUnaryReactor* GetToolKey(grpc::CallbackServerContext* call,
                                       const v1::GetToolKeyRequest* request,
                                       v1::ToolKey* response) override;

 private:
  static constexpr size_t kBooksKept = 8;

  // Which grades: of when, by which policy.
  struct Basis {
    CourseState state;
    v1::PolicyVersion policy;
    absl::Time as_of;
  };
  absl::StatusOr<Basis> BasisOf(const std::string& course, int64_t sequence,
                                int policy_version) const;
  // What a book is computed from.
  struct Facts {
    GradebookInput input;
    v1::PolicyVersion policy;
    int64_t sequence = 0;
  };
  // Of the course as it is; the state is looked at, not copied. `options.as_of` is not read.
  absl::StatusOr<Facts> FactsNow(const std::string& course, int policy_version,
                                 BookOptions options) const;
  // Of then.
  absl::StatusOr<Facts> FactsThen(const v1::GetGradebookRequest& request, const std::string& course,
                                  BookOptions options) const;
  // The published grades that the answer is; nullopt: those of now, or of then.
  absl::StatusOr<std::optional<PublishedSnapshot>> SnapshotFor(
      const v1::GetGradebookRequest& request, const std::string& course, bool staff) const;
  // Of `courses/{c}/snapshots/{number}`; empty: the newest.
  absl::StatusOr<PublishedSnapshot> FindSnapshot(const std::string& course,
                                                 const std::string& name) const;
  // What a snapshot published; in its state, what students were not told yet is there.
  struct Published {
    Basis basis;
    FrozenBook frozen;
  };
  absl::StatusOr<Published> Recompute(const std::string& course,
                                      const PublishedSnapshot& snapshot) const;
  // INTERNAL when the digest does not match.
  absl::StatusOr<Published> RecomputeChecked(const std::string& course,
                                             const PublishedSnapshot& snapshot) const;
  // All rows. They never change, and students ask for them often: the last few are kept.
  absl::StatusOr<std::shared_ptr<const Gradebook>> PublishedBook(
      const std::string& course, const PublishedSnapshot& snapshot) const;

  absl::StatusOr<v1::Gradebook> Compute(const v1::GetGradebookRequest& request,
                                        const Principal& principal) const;
  absl::StatusOr<v1::Adjustment> Adjust(const v1::CreateAdjustmentRequest& request,
                                        const Principal& principal);
  absl::StatusOr<v1::Adjustment> Confirm(const v1::ConfirmAdjustmentRequest& request,
                                         const Principal& principal);
  absl::StatusOr<v1::Adjustment> Revoke(const v1::RevokeAdjustmentRequest& request,
                                        const Principal& principal);
  absl::StatusOr<v1::RecordMarksResponse> Record(const v1::RecordMarksRequest& request,
                                                 const Principal& principal);
  absl::StatusOr<v1::Snapshot> Publish(const v1::PublishSnapshotRequest& request,
                                       const Principal& principal);
  absl::StatusOr<v1::DiffSnapshotResponse> Diff(const v1::DiffSnapshotRequest& request,
                                                const Principal& principal) const;
  // Grades of now count points that students were not told yet, as staff see them; a warning says
  // so.
  absl::StatusOr<v1::ExportGradebookResponse> Export(const v1::ExportGradebookRequest& request,
                                                     const Principal& principal) const;
  absl::StatusOr<v1::ListCourseEventsResponse> ListEvents(
      const v1::ListCourseEventsRequest& request, const Principal& principal) const;
  absl::StatusOr<v1::DeliveryTarget> SetTarget(const v1::SetDeliveryTargetRequest& request,
                                               const Principal& principal);

  const RpcContext rpc_;
  Database* const database_;
  CourseStore* const courses_;
  DeliveryQueue* const deliveries_;
  mutable absl::Mutex books_mu_;
  // By name of the snapshot, the last asked for at the end.
  mutable std::vector<std::pair<std::string, std::shared_ptr<const Gradebook>>> books_
      ABSL_GUARDED_BY(books_mu_);
};

}  // namespace trainyard

#endif  // TRAINYARD_SERVER_SERVICES_GRADE_SERVICE_H_
