// The server as the commands see it: stubs, deadlines, patience, and errors as absl::Status with
// their ErrorInfo. The only header of the client that includes gRPC.
//
//   TY_ASSIGN_OR_RETURN(v1::Dataset dataset,
//                       remote.Call(remote.datasets(), &v1::DatasetService::Stub::GetDataset,
//                       request));
//
// Patience: a server that never answered in this run is taken for a wrong address, and the call
// fails at once. One that has answered before is waited for with growing delays (RetryPolicy),
// since it is probably being restarted; every call of the contract that is made this way may be
// repeated.
//
// Thread-safety: Call, NewCall and ToStatus from one thread; a stream made with a stub follows
// gRPC's rules. Errors: the server's own, see the proto. UNAVAILABLE: it cannot be reached.
// DEADLINE_EXCEEDED: no answer in time. CANCELLED: interrupted here.
#ifndef TRAINYARD_CLIENT_REMOTE_H_
#define TRAINYARD_CLIENT_REMOTE_H_

#include <memory>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "client/credentials.h"
#include "client/interrupt.h"
#include "grpcpp/grpcpp.h"
#include "trainyard/v1/admin.grpc.pb.h"
#include "trainyard/v1/analysis.grpc.pb.h"
#include "trainyard/v1/auth.grpc.pb.h"
#include "trainyard/v1/course.grpc.pb.h"
#include "trainyard/v1/dataset.grpc.pb.h"
#include "trainyard/v1/grades.grpc.pb.h"
#include "trainyard/v1/job.grpc.pb.h"
#include "trainyard/v1/model.grpc.pb.h"
#include "trainyard/v1/submission.grpc.pb.h"

namespace trainyard {

// How long a server that went away is waited for: about a minute, which a restart takes at most.
struct RetryPolicy {
  absl::Duration delay_min = absl::Milliseconds(250);  // doubled after each try
  absl::Duration delay_max = absl::Seconds(5);
  int retries_max = 15;  // in a row, without any progress between
};

// The delays of one stretch of retries. `*interrupt` must outlive it.
class Backoff {
 public:
  Backoff(const RetryPolicy& policy, Interrupt* interrupt)
      : policy_(policy), interrupt_(interrupt) {}

  // Sleeps before the next try; false when there should be none: too many, or interrupted.
  bool Wait();
  // Something went well.
  void Reset() { retries_ = 0; }
  // What the next Wait() sleeps.
  absl::Duration delay() const;

 private:
  const RetryPolicy policy_;
  Interrupt* const interrupt_;
  int retries_ = 0;
};

struct RemoteOptions {
  std::string server;  // host:port, or unix:path
  std::optional<absl::Duration>
      timeout;  // of one call; without: kShortTimeout, and none for long calls
  RetryPolicy retry;
  Credentials credentials;
};

// How long an answer may take by its nature. Cleaning up has a few seconds, and Ctrl-C does not end
// it.
enum class Span { kShort, kLong, kCleanup };

inline constexpr absl::Duration kShortTimeout = absl::Seconds(30);
inline constexpr absl::Duration kCleanupTimeout = absl::Seconds(3);

// A ClientContext that ends on Ctrl-C.
class CallContext {
 public:
  explicit CallContext(Interrupt* interrupt) : hook_(interrupt, [this] { grpc_.TryCancel(); }) {}
  grpc::ClientContext* grpc() { return &grpc_; }
  void Cancel() { grpc_.TryCancel(); }

 private:
  grpc::ClientContext grpc_;
  Interrupt::Hook hook_;  // uses grpc_
};

class Remote {
 public:
  // `*interrupt` must outlive this object. Does not connect yet.
  Remote(const RemoteOptions& options, Interrupt* interrupt);

  v1::DatasetService::Stub& datasets() { return *datasets_; }
  v1::JobService::Stub& jobs() { return *jobs_; }
  v1::ModelService::Stub& models() { return *models_; }
  v1::AnalysisService::Stub& analyses() { return *analyses_; }
  v1::AdminService::Stub& admin() { return *admin_; }
  v1::CourseService::Stub& courses() { return *courses_; }
  v1::SubmissionService::Stub& submissions() { return *submissions_; }
  v1::AuthService::Stub& auth() { return *auth_; }
  v1::GradeService::Stub& grades() { return *grades_; }

  template <typename Stub, typename Request, typename Response>
  absl::StatusOr<Response> Call(Stub& stub,
                                grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&,
                                                             Response*),
                                const Request& request, Span span = Span::kShort);

  // With the token. For a stream. Long ones have no deadline unless --timeout was given; keepalive
  // finds a dead server.
  std::unique_ptr<CallContext> NewCall(Span span);
  absl::Status ToStatus(const grpc::Status& status);

  Backoff NewBackoff() { return Backoff(options_.retry, interrupt_); }
  // Whether `status` is worth another try: the server or the stream went away, and not by our
  // doing.
  bool IsTransient(const absl::Status& status) const;
  // Whether the server has answered in this run.
  bool reached() const { return reached_; }
  // A message came on a stream.
  void NoteAnswer() { reached_ = true; }
  Interrupt* interrupt() { return interrupt_; }
  // Of --timeout; nullopt: not given.
  std::optional<absl::Duration> timeout() const { return options_.timeout; }

 private:
  std::optional<absl::Duration> TimeoutOf(Span span) const;
  absl::Status Explain(const absl::Status& status) const;

  const RemoteOptions options_;
  Interrupt* const interrupt_;
  Interrupt never_;  // of calls that clean up
  std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<v1::DatasetService::Stub> datasets_;
  std::unique_ptr<v1::JobService::Stub> jobs_;
  std::unique_ptr<v1::ModelService::Stub> models_;
  std::unique_ptr<v1::AnalysisService::Stub> analyses_;
  std::unique_ptr<v1::AdminService::Stub> admin_;
  std::unique_ptr<v1::AuthService::Stub> auth_;
  std::unique_ptr<v1::CourseService::Stub> courses_;
  std::unique_ptr<v1::SubmissionService::Stub> submissions_;
  std::unique_ptr<v1::GradeService::Stub> grades_;
  bool reached_ = false;
};

template <typename Stub, typename Request, typename Response>
absl::StatusOr<Response> Remote::Call(Stub& stub,
                                      grpc::Status (Stub::*method)(grpc::ClientContext*,
                                                                   const Request&, Response*),
                                      const Request& request, Span span) {
  Backoff backoff = NewBackoff();
  while (true) {
    Response response;
    const std::unique_ptr<CallContext> call = NewCall(span);
    const absl::Status status = ToStatus((stub.*method)(call->grpc(), request, &response));
    if (status.ok()) return response;
    const bool again = reached_ && IsTransient(status);
    if (!again || !backoff.Wait()) return status;
  }
}

}  // namespace trainyard

#endif  // TRAINYARD_CLIENT_REMOTE_H_
