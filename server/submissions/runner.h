// SubmissionRunner takes accepted submissions to their end: it starts their trainings, one a seed, waits for them, has their models evaluated, and
// makes the outcome durable. It can be stopped at any instant: what is not finished is begun again by the next one, and trainings that
// were started are found by their request ids.
//
// A student's submissions to an assignment run one after another; between students the job queue is fair. A submission of which another one has the same
// cache key waits for that one and takes over what it measured.
//
//   TY_ASSIGN_OR_RETURN(std::unique_ptr<SubmissionRunner> runner, SubmissionRunner::Create(parts));
//   TY_ASSIGN_OR_RETURN(v1::Submission submission, runner->Accept(request));
//
// Thread-safety: all methods from any thread. REQUIRES: the parts outlive it.
#ifndef TRAINYARD_SERVER_SUBMISSIONS_RUNNER_H_
#define TRAINYARD_SERVER_SUBMISSIONS_RUNNER_H_

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "server/grading/attempt_bucket.h"
#include "server/grading/submission_store.h"
#include "server/jobs/event_log.h"
#include "server/metrics/metrics.h"
#include "server/rpc/executor.h"
#include "server/submissions/finisher.h"
#include "server/submissions/parts.h"
#include "trainyard/v1/submission.pb.h"

namespace trainyard {

// A record that trains the accepted spec of `record` again. Without a name.
v1::Submission AgainOf(const v1::Submission& record, v1::SubmissionCause cause);
// Whether a submission is in the share `fraction` of those that are replayed: decided by its name, which nobody chooses.
bool SampledForReplay(absl::string_view name, double fraction);

class SubmissionRunner {
 public:
  // Faults of the infrastructure after which a submission is given up.
  static constexpr int kInfraFailuresMax = 3;
  // What was submitted and is not finished, of all courses.
  static constexpr size_t kActiveMax = 50'000;
  // Regrades and replays that train at once, so that students' submissions come through.
  static constexpr size_t kAgainAtOnce = 64;
  // Of a student at an assignment; each further one costs its attempt.
  static constexpr int kFreeCancellationsMax = 50;
  // Evaluations end at a multiple of this after they began, so that how long one took says nothing of its data.
  static constexpr absl::Duration kEvaluationClass = absl::Milliseconds(100);

  struct NewSubmission {
    StoredSubmission submission;  // without id and state
    AssignmentName assignment;
    v1::AttemptLimits attempts;  // resolved
    bool supersede = false;
    std::string actor, request_id, body_digest;
  };

  // Loads what is not finished and goes on with it.
  static absl::StatusOr<std::unique_ptr<SubmissionRunner>> Create(const SubmissionParts& parts);
  ~SubmissionRunner();
  SubmissionRunner(const SubmissionRunner&) = delete;
  SubmissionRunner& operator=(const SubmissionRunner&) = delete;

  // The submission that the same request made before; nullopt: none. INVALID_ARGUMENT/REQUEST_ID_REUSED.
  absl::StatusOr<std::optional<v1::Submission>> FindAccepted(absl::string_view actor,
                                                             absl::string_view request_id,
                                                             absl::string_view body_digest);
  // Durable when it returns. The student's own submission of the same key, when there is one that is not cancelled or failed by us, is the answer
  // instead. RESOURCE_EXHAUSTED (ATTEMPTS_EXHAUSTED, QUEUE_FULL).
  absl::StatusOr<v1::Submission> Accept(NewSubmission request);
  // Of a regrade or replay: no attempts are counted. Insert them in a transaction (InsertSubmission), then give them here.
  void Take(std::vector<StoredSubmission> submissions);

  // As it is now, trainings included. `staff`: with the result, told or not.
  absl::StatusOr<v1::Submission> Get(absl::string_view name, bool staff);
  // Fills in what is known of trainings that run.
  void AddLive(v1::Submission* record);
  // FAILED_PRECONDITION/INVALID_STATE when it is finished, or being evaluated.
  absl::StatusOr<v1::Submission> Cancel(absl::string_view name);

  // How many attempts a student has now.
  absl::StatusOr<AttemptBucket> Attempts(const AssignmentName& assignment,
                                         absl::string_view student,
                                         const v1::AttemptLimits& limits, absl::Time now);

  // `listener` is called once the submission has ended; at once when it has. It must be quick.
  class Subscription {
   public:
    virtual ~Subscription() = default;
  };
  std::unique_ptr<Subscription> Subscribe(const std::string& name, std::function<void()> listener);

  struct Counts {
    int64_t queued = 0, running = 0, evaluating = 0;
    absl::Time oldest_accepted = absl::InfiniteFuture();
  };
  Counts CountActive() const;

  // Waits until nothing is active, for tests. False: it is not at the deadline, a time of SteadyNow.
  bool AwaitIdle(absl::Time deadline);

 private:
  struct Active {
    StoredSubmission stored;
    std::vector<std::string> jobs;  // as far as they are started
    std::vector<std::unique_ptr<EventLog::Subscription>> subscriptions;
    bool claimed = false;    // trains for all of its key; once it is, until it has ended
    bool started = false;    // all its trainings are
    bool stepping = false;   // on the executor
    bool again = false;      // something happened meanwhile
    bool cancelled = false;  // by Cancel
    bool evaluating = false;
    int starts = 0;  // of its trainings; each has request ids of its own
  };
  using Key = std::pair<std::string, std::string>;  // assignment and student
  class Waiting;

  explicit SubmissionRunner(const SubmissionParts& parts);
  absl::Status Load();

  // Asks for a Step, unless one is waiting.
  void Wake(const std::string& name) ABSL_LOCKS_EXCLUDED(mu_);
  void Step(const std::string& name);
  void StepOnce(const std::string& name);
  // Whether it is its turn, among its student's and those of the same key; then the others of its
  // key wait for it. Of regrades and replays so many have it at once.
  bool ClaimTurn(const std::string& name, Active* active) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void SetClaimed(Active* active) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // A regrade or replay, of which enough have their turn.
  bool WaitsForRoom(const Active& active) const ABSL_SHARED_LOCKS_REQUIRED(mu_);
  // OK: all its trainings are there.
  absl::Status StartTrainings(const std::string& name, StoredSubmission stored, int starts);
  // What happens to its trainings wakes it from here on.
  void Follow(const std::string& name, const std::vector<std::string>& jobs);
  // Takes over what another submission measured. False: there is none.
  absl::StatusOr<bool> TakeOver(StoredSubmission* stored);
  void LookAtTrainings(const std::string& name, StoredSubmission stored,
                       const std::vector<std::string>& jobs);
  absl::Status EvaluateAll(const std::string& name, const std::vector<v1::TrainingJob>& jobs,
                           absl::Time begin, StoredSubmission* stored);
  void EndWithout(const std::string& name, v1::SubmissionState state, const v1::JobError& error,
                  StoredSubmission stored);
  // A fault of ours: again, or given up.
  void RetryOrGiveUp(const std::string& name, const v1::JobError& error, StoredSubmission stored);
  void CancelJobs(const std::vector<std::string>& jobs);
  std::vector<std::string> JobsOf(const std::string& name) const ABSL_LOCKS_EXCLUDED(mu_);
  // It has ended: forgets it, wakes what waited for it.
  void Ended(const std::string& name, const StoredSubmission& stored);
  absl::Status Replay(const StoredSubmission& stored);
  void CompareReplay(StoredSubmission* stored);
  void CountEnd(const StoredSubmission& stored);
  void RunSweep();
  bool Idle() const ABSL_SHARED_LOCKS_REQUIRED(mu_) { return active_.empty(); }
  // Accept, but what is superseded may not have ended yet.
  absl::StatusOr<v1::Submission> AcceptNext(NewSubmission request,
                                            std::vector<std::string>* superseded)
      ABSL_LOCKS_EXCLUDED(accept_mu_);
  absl::Status CheckRoom(const NewSubmission& request, const std::vector<EarlierSubmission>& before,
                         absl::Time now);
  // What the request supersedes, if there is room for it then.
  // `before` are all of its student.
  absl::StatusOr<std::vector<std::string>> MakeRoom(const NewSubmission& request,
                                                    std::vector<EarlierSubmission> before,
                                                    absl::Time now);
  // The first half of Cancel: it ends on the executor, unless it is being evaluated.
  void AskToEnd(const std::string& name) ABSL_LOCKS_EXCLUDED(mu_);
  // The second half. REQUIRES: the caller holds no mutex.
  void AwaitEnd(const std::string& name, absl::Time deadline) ABSL_LOCKS_EXCLUDED(mu_, accept_mu_);
  // Whether it was asked to end, and has not yet.
  bool IsCancelled(const std::string& name) const ABSL_LOCKS_EXCLUDED(mu_);
  void EndSubscriptions() ABSL_LOCKS_EXCLUDED(mu_);

  const SubmissionParts parts_;
  Finisher finisher_;
  const std::string cpu_family_;
  absl::Mutex accept_mu_ ABSL_ACQUIRED_BEFORE(mu_);  // attempts are counted and taken by one at a time
  mutable absl::Mutex mu_;
  std::map<std::string, Active> active_ ABSL_GUARDED_BY(mu_);  // by name
  std::map<Key, std::map<int64_t, std::string>> turns_ ABSL_GUARDED_BY(mu_);  // by number
  std::map<std::string, std::map<int64_t, std::string>> keys_ ABSL_GUARDED_BY(mu_);  // by cache key
  std::multimap<std::string, Waiting*> waiting_ ABSL_GUARDED_BY(mu_);
  // Of regrades and replays.
  size_t again_active_ ABSL_GUARDED_BY(mu_) = 0, again_claimed_ ABSL_GUARDED_BY(mu_) = 0;
  bool stopping_ ABSL_GUARDED_BY(mu_) = false;
  std::unique_ptr<Executor> executor_;
  std::thread sweeper_;
};

}  // namespace trainyard

#endif  // TRAINYARD_SERVER_SUBMISSIONS_RUNNER_H_
