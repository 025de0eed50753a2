// The life of a few jobs on a disk that fails, and on a server that is killed, at each change that
// SQLite makes to a file in turn: whatever a caller was told holds, nothing is done twice, and what
// was not over goes on to its end.
#include <map>
#include <set>
#include <system_error>

#include "absl/strings/match.h"
#include "absl/strings/str_split.h"
#include "gmock/gmock.h"
#include "tests/server/jobs/job_manager_fixture.h"
#include "tests/support/faulty_vfs.h"

namespace trainyard {
namespace {

const std::vector<double> kLosses = {0.9, 0.8, 0.7, 0.6};
constexpr int64_t kCheckpointStep = 2;

// What callers were told so far, by the request that made the job.
struct Told {
  std::set<std::string> asked;                 // to make a job
  std::map<std::string, std::string> names;    // of jobs that were made
  std::map<std::string, v1::JobState> states;  // of those that are over
  std::set<std::string> asked_to_delete, deleted;
  std::map<std::string, std::string> logs;  // as a watcher has seen them
};

class Story : public JobManagerTest {
 public:
  explicit Story(const FaultyVfs* vfs) : vfs_(vfs) {}
  // The server that comes after one that was killed, and left `directory`.
  explicit Story(std::filesystem::path directory)
      : JobManagerTest(std::move(directory)), vfs_(nullptr) {}
  void TestBody() override {}

  // A job that trains to its end with a checkpoint on the way, one that is cancelled, one that is
  // paused and goes on, and a deletion. Calls that fail are repeated, as clients do.
  void Play() {
    {
      Make("first");  // before there is a worker, whose start is a commit of its own
      FakeWorkerSession worker;
      manager_->Connect(&worker);
      const v1::JobAssignment assignment = Assigned(worker);
      TrainAndSave(worker, assignment, {kLosses.begin(), kLosses.begin() + kCheckpointStep},
                   "after two");
      Train(worker, assignment, {kLosses.begin() + kCheckpointStep, kLosses.end()},
            kCheckpointStep);
      Succeed(worker, assignment);
      IsOver("first", v1::JOB_STATE_SUCCEEDED);
      manager_->Disconnect(&worker, v1::ERROR_REASON_UNSPECIFIED);
    }
    const std::string cancelled = Make("second");
    UntilOk([&] { return manager_->Cancel(cancelled, "ann").status(); });
    IsOver("second", v1::JOB_STATE_CANCELLED);
    const std::string paused = Make("third");
    UntilOk([&] { return manager_->Pause(paused, "ann").status(); });
    UntilOk([&] { return manager_->Resume(paused, "ann").status(); });
    UntilOk([&] {
      return manager_->SetPriority(paused, v1::JOB_PRIORITY_INTERACTIVE, "ann").status();
    });
    Delete("second", cancelled);
  }

  // All that `told` says is true here, and the rest of the story can be told.
  void Check(const Told& told) {
    for (const auto& [request, name] : told.names) CheckJob(told, request, name);
    std::set<std::string> names;
    for (const std::string& request : told.asked) {
      if (told.asked_to_delete.contains(request)) continue;
      const absl::StatusOr<v1::TrainingJob> again = manager_->Submit(NewJob(), request, "body");
      ASSERT_THAT(again, IsOk()) << request;
      const auto before = told.names.find(request);
      if (before != told.names.end()) {
        EXPECT_EQ(again->name(), before->second);
      }
      names.insert(again->name());
    }
    const size_t listed = Jobs().size();
    EXPECT_GE(listed, names.size());
    EXPECT_LE(listed, names.size() + told.asked_to_delete.size() - told.deleted.size());
    Finish();
  }

  Told told() {
    absl::MutexLock lock(&mu_);
    return told_;
  }
  const std::filesystem::path& directory() const { return directory_; }

 private:
  std::string Make(const std::string& request) {
    {
      absl::MutexLock lock(&mu_);
      told_.asked.insert(request);
    }
    std::string name;
    UntilOk([&] {
      const absl::StatusOr<v1::TrainingJob> job = manager_->Submit(NewJob(), request, "body");
      if (job.ok()) name = job->name();
      return job.status();
    });
    absl::MutexLock lock(&mu_);
    told_.names[request] = name;
    return name;
  }

  void IsOver(const std::string& request, v1::JobState state) {
    const std::string name = told().names.at(request);
    WaitFor(name, state);
    const std::string log = LogOf(name);
    absl::MutexLock lock(&mu_);
    told_.states[request] = state;
    told_.logs[request] = log;
  }

  void Delete(const std::string& request, const std::string& name) {
    {
      absl::MutexLock lock(&mu_);
      told_.asked_to_delete.insert(request);
    }
    UntilOk([&] {
      const absl::Status status = manager_->Delete(name);
      return absl::IsNotFound(status) ? absl::OkStatus() : status;
    });
    absl::MutexLock lock(&mu_);
    told_.deleted.insert(request);
  }

  template <typename Call>
  void UntilOk(const Call& call) {
    absl::Status status = call();
    for (int i = 0; i < 10 && !status.ok(); ++i) status = call();
    ASSERT_THAT(status, IsOk());
    EXPECT_TRUE(vfs_ == nullptr || vfs_->LogIsSynced()) << "told before it was durable";
  }

  void CheckJob(const Told& told, const std::string& request, const std::string& name) {
    const absl::StatusOr<v1::TrainingJob> job = manager_->Get(name);
    EXPECT_TRUE(!told.deleted.contains(request) || absl::IsNotFound(job.status()));
    if (told.asked_to_delete.contains(request)) return;
    ASSERT_THAT(job, IsOk()) << request;
    const auto state = told.states.find(request);
    if (state == told.states.end()) return;
    EXPECT_EQ(job->state(), state->second) << request;
    EXPECT_EQ(LogOf(name), told.logs.at(request));
    EXPECT_EQ(!job->model().empty(), state->second == v1::JOB_STATE_SUCCEEDED);
  }

  std::vector<v1::TrainingJob> Jobs() {
    const absl::StatusOr<JobManager::JobPage> page = manager_->List({});
    EXPECT_THAT(page, IsOk());
    return page->jobs;
  }

  // Trains whatever is queued; every job's log then has each step once.
  void Finish() {
    FakeWorkerSession worker;
    for (const v1::TrainingJob& job : Jobs()) {
      if (job.state() == v1::JOB_STATE_PAUSED) {
        ASSERT_THAT(manager_->Resume(job.name(), "ann"), IsOk());
      }
    }
    manager_->Connect(&worker);
    while (manager_->Counts().pending + manager_->Counts().running > 0) {
      const v1::JobAssignment assignment = Assigned(worker);
      const int64_t from = assignment.checkpoints().empty() ? 0 : assignment.checkpoints(0).step();
      ASSERT_LE(from, kCheckpointStep);
      Train(worker, assignment, {kLosses.begin() + from, kLosses.end()}, from);
      Succeed(worker, assignment);
      WaitFor(assignment.job(), v1::JOB_STATE_SUCCEEDED);
    }
    manager_->Disconnect(&worker, v1::ERROR_REASON_UNSPECIFIED);
    for (const v1::TrainingJob& job : Jobs()) {
      if (job.state() == v1::JOB_STATE_SUCCEEDED) CheckSteps(job.name());
    }
  }

  void CheckSteps(const std::string& name) {
    std::vector<std::string> steps;
    for (const absl::string_view word : absl::StrSplit(LogOf(name), ' ')) {
      if (absl::StartsWith(word, "step")) steps.emplace_back(word);
    }
    EXPECT_THAT(steps, testing::ElementsAre("step0=0.9", "step1=0.8", "step2=0.7", "step3=0.6"));
  }

  const FaultyVfs* const vfs_;  // null: nobody looks
  absl::Mutex mu_;
  Told told_ ABSL_GUARDED_BY(mu_);
};

// A change that fails once, and one that fails together with the next few.
class JobFaultsTest : public testing::TestWithParam<int64_t> {};

INSTANTIATE_TEST_SUITE_P(OnceAndForAWhile, JobFaultsTest, testing::Values(1, 3));

TEST_P(JobFaultsTest, TheDiskFailsAtEachChange) {
  FaultyVfs vfs;
  for (int64_t nth = 1;; ++nth) {
    SCOPED_TRACE(nth);
    Story story(&vfs);
    vfs.FailFrom(nth, GetParam());
    story.Play();
    const bool failed = vfs.Failed();
    vfs.FailFrom(0, 0);
    story.Check(story.told());
    if (testing::Test::HasFailure()) return;
    if (failed) continue;
    EXPECT_GT(nth, 20);  // the loop has really failed something
    return;
  }
}

// A copy of a data directory that somebody is writing to, without the index that SQLite makes again
// at each start. Blobs that are being removed meanwhile may be missed: so a kill leaves them.
void CopyDirectory(const std::filesystem::path& from, const std::filesystem::path& to) {
  std::filesystem::create_directories(to);
  std::error_code ignored;
  for (auto entry = std::filesystem::recursive_directory_iterator(from);
       entry != std::filesystem::recursive_directory_iterator(); entry.increment(ignored)) {
    const std::filesystem::path target = to / std::filesystem::relative(entry->path(), from);
    if (entry->path().filename() == "db-shm") continue;
    std::filesystem::copy(entry->path(), target, ignored);
  }
}

TEST(JobKillsTest, TheServerIsKilledBeforeEachChange) {
  FaultyVfs vfs;
  struct Killed {
    std::filesystem::path directory;
    Told told;
  };
  std::vector<Killed> kills;
  Story story(&vfs);
  vfs.Watch([&](int64_t) {
    const std::filesystem::path copy =
        std::filesystem::temp_directory_path() / absl::StrCat("ty-killed-", NewId());
    const Told told = story.told();  // before the copy: all of it is on disk
    CopyDirectory(story.directory(), copy);
    kills.push_back({copy, told});
  });
  story.Play();
  vfs.Watch({});
  EXPECT_GT(kills.size(), 20);
  for (size_t i = 0; i < kills.size(); ++i) {
    SCOPED_TRACE(i);
    Story next(kills[i].directory);
    next.Check(kills[i].told);
  }
}

}  // namespace
}  // namespace trainyard
