// A SubmissionRunner on a real database, with courses, datasets and jobs as a server has them.
// Workers are the test's: a training ends with a network that is right in as many rows as the test
// says.
#ifndef TRAINYARD_TESTS_SERVER_SUBMISSIONS_RUNNER_FIXTURE_H_
#define TRAINYARD_TESTS_SERVER_SUBMISSIONS_RUNNER_FIXTURE_H_

#include <atomic>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "core/model/bundle.h"
#include "server/grading/assignment_rules.h"
#include "server/grading/course_deliveries.h"
#include "server/grading/course_store.h"
#include "server/storage/dataset_store.h"
#include "server/submissions/evaluator.h"
#include "server/submissions/runner.h"
#include "server/wire/receipt.h"
#include "tests/server/grading/course_builder.h"
#include "tests/server/grading/course_events.h"
#include "tests/server/jobs/job_manager_fixture.h"
#include "tests/support/status_matchers.h"

namespace trainyard {

class RunnerTest : public JobManagerTest {
 protected:
  // Rows of both datasets. A row is positive from kPublicBorder on, in the sealed data from
  // kSealedBorder on.
  static constexpr int kRows = 100, kPublicBorder = 50, kSealedBorder = 40;

  RunnerTest() : key_(SigningKey::Generate()) {
    OpenStores();
    public_ = MakeDataset(kPublicBorder);
    sealed_ = MakeDataset(kSealedBorder);
    const std::string course =
        R"(course_created { name: "courses/dl" time_zone: "Europe/Moscow" })";
    v1::CourseEvent policy = EventOf("policy_set { version: 1 }");
    policy.mutable_policy_set()->set_digest(Sha256Digest("policy"));
    *policy.mutable_policy_set()->mutable_policy() = Policy();
    v1::CourseEvent roster;
    for (const char* user : {"ann", "bob", "eve"}) {
      v1::Enrolment& enrolment = *roster.mutable_roster_changed()->add_enrolments();
      enrolment.set_user(user);
      enrolment.set_role(v1::COURSE_ROLE_STUDENT);
      enrolment.mutable_external()->set_github_login(user);
    }
    TY_CHECK(courses_->Create("dl", "ivan", {EventOf(course), policy, roster}).ok());
    worker_.emplace();
    manager_->Connect(&*worker_);
  }
  ~RunnerTest() override {
    StopRunner();
    StopWorker();
  }

  void OpenStores() {
    auto courses = CourseStore::Open(database_.get());
    TY_CHECK(courses.ok());
    courses_ = *std::move(courses);
    courses_->Listen({.prepare = PrepareDeliveries, .written = [this] { ++wakes_; }});
    DatasetStore::Options options{.uploads_directory = Directory("uploads"),
                                  .rejects_directory = Directory("rejects"),
                                  .scratch_directory = Directory("scratch"),
                                  .dataset_bytes_max = 1 << 20};
    auto datasets = DatasetStore::Open(options, database_.get(), blobs_.get());
    TY_CHECK(datasets.ok());
    datasets_ = *std::move(datasets);
    models_.emplace(database_.get(), blobs_.get());
    evaluator_.emplace(&*models_, datasets_.get());
  }
  std::string Directory(const char* name) {
    std::filesystem::create_directories(directory_ / name);
    return (directory_ / name).string();
  }
  std::string MakeDataset(int border) {
    std::string csv = "x,y\n";
    for (int i = 0; i < kRows; ++i) absl::StrAppend(&csv, i, i < border ? ",no\n" : ",yes\n");
    const std::string name = datasets_->Create({}, "ivan", "")->name();
    {
      auto writer = datasets_->OpenUpload(name);
      TY_CHECK(writer.ok());
      TY_CHECK((*writer)->Append(csv).ok());
      TY_CHECK((*writer)->Commit().ok());
    }
    v1::FinalizeDatasetRequest request;
    request.set_name(name);
    TY_CHECK(datasets_->Finalize(request).ok());
    return name;
  }

  // The next version of the assignment hw1, `text` merged in.
  void Publish(const std::string& text = "") {
    v1::CourseEvent event;
    v1::PublishedAssignment& published = *event.mutable_assignment_published();
    v1::Assignment assignment = FromText<v1::Assignment>(R"(
        name: "courses/dl/assignments/hw1" max_points: 100 training_dataset: "datasets/d1" seed_count: 2
        replay_fraction: 0 score_rule { metric: SCORE_METRIC_ACCURACY
          steps { threshold: 0.5 points: 40 } steps { threshold: 0.8 points: 70 } steps { threshold: 0.9 points: 100 } })");
    assignment.set_public_dataset(public_);
    assignment.set_sealed_dataset(sealed_);
    assignment.MergeFrom(FromText<v1::Assignment>(text));
    assignment = ResolveAssignment(assignment, v1::TASK_BINARY);
    assignment.set_version(++version_);
    for (const char* role : {"training", "public", "sealed"}) {
      v1::DatasetCommitment& commitment = *assignment.add_commitments();
      commitment.set_role(role);
      commitment.set_commitment(Sha256Hex(role));
    }
    for (std::string* digest :
         {published.mutable_training_table_digest(), published.mutable_public_table_digest(),
          published.mutable_sealed_table_digest()}) {
      *digest = Sha256Digest("table");
    }
    *published.mutable_assignment() = std::move(assignment);
    AddEvent(event);
  }
  void AddEvent(const v1::CourseEvent& event) {
    EXPECT_THAT(courses_->Append("dl", "ivan",
                                 [&](const CourseState&) -> absl::StatusOr<CourseStore::Events> {
                                   return CourseStore::Events{event};
                                 }),
                IsOk());
  }

  void StartRunner() {
    auto runner = SubmissionRunner::Create(
        {.database = database_.get(),
         .courses = courses_.get(),
         .jobs = manager_.get(),
         .evaluator = &*evaluator_,
         .metrics = metrics_.get(),
         .key = &key_,
         .start = [this](const GradedTraining& training) { return Start(training); }});
    TY_CHECK(runner.ok());
    runner_ = *std::move(runner);
  }
  void StopRunner() { runner_.reset(); }
  void StopWorker() {
    if (worker_.has_value()) manager_->Disconnect(&*worker_, v1::ERROR_REASON_UNSPECIFIED);
    worker_.reset();
  }
  // What a killed server leaves to the next one.
  void Restart() {
    StopRunner();
    StopWorker();
    evaluator_.reset();
    models_.reset();
    datasets_.reset();
    courses_.reset();
    Reopen();
    OpenStores();
    worker_.emplace();
    manager_->Connect(&*worker_);
    StartRunner();
  }

  // As the services do it: the same request is the same job.
  absl::StatusOr<v1::TrainingJob> Start(const GradedTraining& training) {
    absl::Status refusal;
    {
      absl::MutexLock lock(&starts_mu_);
      ++starting_;
      starts_mu_.Await(absl::Condition(&starts_go_));
      if (starts_until_refusal_ == 0) refusal = refusal_;
      if (starts_until_refusal_ > 0) --starts_until_refusal_;
    }
    if (!refusal.ok()) return refusal;
    auto before = manager_->FindSubmitted(training.owner, training.request_id, "digest");
    if (!before.ok()) return before.status();
    if (before->has_value()) return **std::move(before);
    v1::TrainingJob job = NewJob(1, training.owner);
    job.set_submission(training.submission);
    job.set_priority(training.priority);
    job.mutable_resolved_spec()->set_seed(training.spec.seed());
    job.mutable_receipt()->set_seed(training.spec.seed());
    job.mutable_receipt()->set_threads(1);
    {
      absl::MutexLock lock(&starts_mu_);
      started_.push_back(training);
    }
    return manager_->Submit(std::move(job), training.request_id, "digest");
  }
  // From here on `start` waits, or goes.
  void LetStart(bool go) {
    absl::MutexLock lock(&starts_mu_);
    starts_go_ = go;
  }
  // Calls of `start` so far.
  int starting() {
    absl::MutexLock lock(&starts_mu_);
    return starting_;
  }
  // From here on `start` says `status`, after `starts` more; OK: not any more.
  void RefuseStarts(const absl::Status& status, int starts = 0) {
    absl::MutexLock lock(&starts_mu_);
    refusal_ = status;
    starts_until_refusal_ = starts;
  }
  // New trainings so far.
  std::vector<GradedTraining> started() {
    absl::MutexLock lock(&starts_mu_);
    return started_;
  }
  // Transactions that put something into the outbox.
  int wakes() const { return wakes_; }

  static SubmissionRunner::NewSubmission RequestOf(const std::string& student,
                                                   const std::string& key, int version = 1) {
    SubmissionRunner::NewSubmission request{.assignment = {"dl", "hw1"},
                                            .attempts = ResolveAttempts({})};
    request.submission.cache_key = key;
    v1::Submission& record = request.submission.record;
    record.set_student(student);
    record.set_actor(student);
    *record.mutable_accepted_at() = ToTimestamp(absl::Now());
    *record.mutable_canonical_spec() = NewJob().resolved_spec();
    record.set_spec_digest(Sha256Digest(key));
    record.set_assignment_version(version);
    record.mutable_work()->set_parameters(2);
    request.submission.sealed.add_seeds(11);
    request.submission.sealed.add_seeds(12);
    request.actor = student;
    return request;
  }
  std::string Accept(const SubmissionRunner::NewSubmission& request) {
    absl::StatusOr<v1::Submission> record = runner_->Accept(request);
    EXPECT_THAT(record, IsOk());
    return record.ok() ? record->name() : "";
  }
  // A row that was not submitted here.
  StoredSubmission Insert(StoredSubmission stored, const std::string& id) {
    stored.record.set_name("courses/dl/assignments/hw1/submissions/" + id);
    EXPECT_THAT(database_->Write(
                    [&](Connection& connection) { return InsertSubmission(connection, &stored); }),
                IsOk());
    return stored;
  }
  std::string Accept(const std::string& student, const std::string& key) {
    return Accept(RequestOf(student, key));
  }

  // A network that says yes from `border` on.
  static std::string BundleOf(int border) {
    Bundle bundle;
    bundle.task = Task::kBinary;
    bundle.loss.kind = LossKind::kBinaryCrossEntropy;
    bundle.target_column = "y";
    bundle.feature_columns = {"x"};
    bundle.classes = {"no", "yes"};
    bundle.preprocessor = Preprocessor(std::vector<double>{border - 0.5}, std::vector<double>{1.0});
    bundle.weights = {{1, 1, Activation::kIdentity, {1.0F}, {0.0F}}};
    TY_CHECK(CheckBundle(bundle).ok());
    return EncodeBundle(bundle);
  }
  void SucceedWith(const v1::JobAssignment& assignment, int border) {
    SucceedWith(assignment, BundleOf(border));
  }
  void SucceedWith(const v1::JobAssignment& assignment, const std::string& bundle) {
    v1::JobOutcome outcome = OutcomeOf(assignment);
    outcome.mutable_succeeded()->set_bundle_digest(blobs_->Put(bundle).value());
    outcome.mutable_succeeded()->set_bundle_size_bytes(static_cast<int64_t>(bundle.size()));
    outcome.mutable_succeeded()->set_stop_reason(v1::STOP_REASON_COMPLETED);
    manager_->OnOutcome(&*worker_, outcome);
  }
  // Obeys the server until it says nothing for a while: trainings that are taken back are stopped.
  // The one that is not.
  std::optional<v1::JobAssignment> StopWhatIsTakenBack() {
    std::optional<v1::JobAssignment> current;
    while (const auto message = worker_->Next(absl::Milliseconds(500))) {
      if (message->has_assignment()) current = message->assignment();
      if (!message->has_assignment() && current.has_value()) Stop(*worker_, *current);
      if (!message->has_assignment()) current.reset();
    }
    return current;
  }
  // The next trainings, one for each border.
  void TrainNext(const std::vector<int>& borders) {
    for (const int border : borders) SucceedWith(Assigned(*worker_), border);
  }

  v1::Submission Get(const std::string& name, bool staff = false) {
    absl::StatusOr<v1::Submission> record = runner_->Get(name, staff);
    EXPECT_THAT(record, IsOk());
    return record.ok() ? *record : v1::Submission();
  }
  StoredSubmission Stored(const std::string& name) {
    StoredSubmission stored;
    EXPECT_THAT(database_->Read([&](Connection& connection) -> absl::Status {
      auto found = FindSubmission(connection, name);
      if (found.ok()) stored = *found;
      return found.status();
    }),
                IsOk());
    return stored;
  }
  std::vector<StoredSubmission> Again() {
    std::vector<StoredSubmission> all;
    EXPECT_THAT(database_->Read([&](Connection& connection) {
      return VisitOfAssignment(connection, {"dl", "hw1"}, /*again=*/true,
                               [&](StoredSubmission stored) { all.push_back(std::move(stored)); });
    }),
                IsOk());
    return all;
  }
  // Once it has ended; fails the test after 20 s.
  v1::Submission WaitForEnd(const std::string& name) {
    absl::Mutex mu;
    bool ended = false;
    const auto subscription = runner_->Subscribe(name, [&] {
      absl::MutexLock lock(&mu);
      ended = true;
    });
    {
      absl::MutexLock lock(&mu);
      EXPECT_TRUE(AwaitFor(mu, absl::Condition(&ended), absl::Seconds(20))) << name;
    }
    return Get(name);
  }
  // Polls until `condition`; fails the test after 20 s.
  template <typename Condition>
  void WaitUntil(const Condition& condition) {
    const absl::Time deadline = SteadyNow() + absl::Seconds(20);
    while (!condition() && SteadyNow() < deadline) absl::SleepFor(absl::Milliseconds(5));
    EXPECT_TRUE(condition());
  }
  // When the trainings of so many runs have been started.
  void WaitForStarts(size_t count) {
    WaitUntil([&] { return started().size() >= count; });
  }
  void WaitForState(const std::string& name, v1::SubmissionState state) {
    WaitUntil([&] { return Get(name).state() == state; });
  }
  CourseState Course() { return courses_->At("dl", 0).value(); }

  SigningKey key_;
  std::unique_ptr<CourseStore> courses_;
  std::unique_ptr<DatasetStore> datasets_;
  std::optional<ModelStore> models_;
  std::optional<Evaluator> evaluator_;
  std::string public_, sealed_;
  int version_ = 0;
  std::optional<FakeWorkerSession> worker_;
  absl::Mutex starts_mu_;
  std::vector<GradedTraining> started_;
  absl::Status refusal_;
  int starts_until_refusal_ = 0;
  bool starts_go_ = true;
  int starting_ = 0;
  std::atomic<int> wakes_ = 0;
  std::unique_ptr<SubmissionRunner> runner_;
};

}  // namespace trainyard

#endif  // TRAINYARD_TESTS_SERVER_SUBMISSIONS_RUNNER_FIXTURE_H_
