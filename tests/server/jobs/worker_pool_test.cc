#include "server/jobs/worker_pool.h"

#include <signal.h>
#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/clock.h"
#include "gtest/gtest.h"
#include "server/base/ids.h"
#include "server/base/steady_clock.h"
#include "tests/support/status_matchers.h"

namespace trainyard {
namespace {

using testing::HasSubstr;

// Children are shell scripts that write what they were given, and then do as the test says.
class WorkerPoolTest : public testing::Test {
 protected:
  WorkerPoolTest()
      : directory_(std::filesystem::temp_directory_path() /
                   absl::StrCat("ty-pool-", NewId()).c_str()) {
    std::filesystem::create_directories(directory_);
    options_.socket_path = "/nowhere/socket";
    options_.token = "s3cret";
    options_.respawn_delay_min = absl::Milliseconds(5);
    options_.memory_poll_interval = absl::Milliseconds(10);
  }
  ~WorkerPoolTest() override { std::filesystem::remove_all(directory_); }

  void Script(const std::string& body) {
    options_.binary = (directory_ / "worker.sh").string();
    std::ofstream(options_.binary) << "#!/bin/sh\n" << body << "\n";
    chmod(options_.binary.c_str(), 0755);
  }
  std::string FileText(const char* name) {
    std::ifstream file(directory_ / name);
    return std::string(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
  }
  static bool Eventually(const std::function<bool()>& condition) {
    const absl::Time deadline = absl::Now() + absl::Seconds(10);
    while (!condition() && absl::Now() < deadline) absl::SleepFor(absl::Milliseconds(2));
    return condition();
  }

  const std::filesystem::path directory_;
  WorkerPoolOptions options_;
};

TEST_F(WorkerPoolTest, ChildrenGetSlotSocketAndToken) {
  Script(absl::StrCat("echo \"$TRAINYARD_WORKER_TOKEN $*\" > ", directory_.string(),
                      "/seen; exec sleep 1000"));
  WorkerPool pool(options_, [](int, int64_t) {});
  ASSERT_THAT(pool.Start(), IsOk());
  ASSERT_TRUE(Eventually([&] { return absl::StrContains(FileText("seen"), "\n"); }));
  EXPECT_THAT(FileText("seen"), HasSubstr("s3cret --socket=/nowhere/socket --slot=0"));
  EXPECT_THAT(FileText("seen"), HasSubstr(absl::StrCat("--parent=", getpid())));
}

TEST_F(WorkerPoolTest, AChildThatEndsIsReplacedMoreAndMoreSlowly) {
  Script("exit 3");
  options_.respawn_delay_max = absl::Milliseconds(40);
  WorkerPool pool(options_, [](int, int64_t) {});
  const absl::Time started = absl::Now();
  ASSERT_THAT(pool.Start(), IsOk());
  ASSERT_TRUE(Eventually([&] { return pool.respawns() >= 4; }));
  EXPECT_GE(absl::Now() - started, absl::Milliseconds(5 + 10 + 20 + 40));
}

TEST_F(WorkerPoolTest, AKilledSlotGetsANewProcess) {
  Script("exec sleep 1000");
  options_.slots = 2;
  WorkerPool pool(options_, [](int, int64_t) {});
  ASSERT_THAT(pool.Start(), IsOk());
  ASSERT_TRUE(Eventually([&] { return pool.pid(0) != 0 && pool.pid(1) != 0; }));
  const pid_t zero = pool.pid(0), one = pool.pid(1);
  pool.Kill(1);
  pool.Kill(17);
  ASSERT_TRUE(Eventually([&] { return pool.pid(1) != 0 && pool.pid(1) != one; }));
  EXPECT_EQ(pool.pid(0), zero);
  EXPECT_EQ(pool.respawns(), 1);
}

TEST_F(WorkerPoolTest, MemoryIsReportedFromACallbackThatMayKill) {
  Script("exec sleep 1000");
  absl::Mutex mu;
  constexpr int64_t kGrown = 100'000;
  int64_t resident = 0;
  WorkerPool* killer = nullptr;
  WorkerPool pool(options_, [&](int slot, int64_t bytes) {
    absl::MutexLock lock(&mu);
    resident = std::max(resident, bytes);
    if (killer == nullptr || bytes < kGrown) return;  // in the middle of exec it is tiny
    killer->Kill(slot);
    killer = nullptr;
  });
  {
    absl::MutexLock lock(&mu);
    killer = &pool;
  }
  ASSERT_THAT(pool.Start(), IsOk());
  ASSERT_TRUE(Eventually([&] { return pool.respawns() == 1; }));
  pool.Stop(SteadyNow());
  EXPECT_GE(resident, kGrown);
  EXPECT_LT(resident, 100'000'000);
}

TEST_F(WorkerPoolTest, StopAsksFirst) {
  Script(absl::StrCat("trap 'echo bye > ", directory_.string(), "/bye; exit 0' TERM\necho up > ",
                      directory_.string(), "/up\nwhile :; do sleep 0.01; done"));
  WorkerPool pool(options_, [](int, int64_t) {});
  ASSERT_THAT(pool.Start(), IsOk());
  ASSERT_TRUE(Eventually([&] { return FileText("up") == "up\n"; }));
  pool.Stop(SteadyNow() + absl::Seconds(10));
  EXPECT_EQ(FileText("bye"), "bye\n");
  EXPECT_EQ(pool.pid(0), 0);
}

TEST_F(WorkerPoolTest, StopKillsWhoDoesNotListen) {
  Script(absl::StrCat("trap '' TERM\necho up > ", directory_.string(),
                      "/up\nwhile :; do sleep 0.01; done"));
  WorkerPool pool(options_, [](int, int64_t) {});
  ASSERT_THAT(pool.Start(), IsOk());
  ASSERT_TRUE(Eventually([&] { return FileText("up") == "up\n"; }));
  const pid_t pid = pool.pid(0);
  pool.Stop(SteadyNow() + absl::Milliseconds(50));
  EXPECT_EQ(kill(pid, 0), -1);
}

TEST_F(WorkerPoolTest, AMissingBinarySaysSo) {
  options_.binary = (directory_ / "none").string();
  WorkerPool pool(options_, [](int, int64_t) {});
  EXPECT_THAT(pool.Start(),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("No such file")));
}

}  // namespace
}  // namespace trainyard
