#include "server/rpc/executor.h"

#include <atomic>

#include "absl/synchronization/notification.h"
#include "tests/support/status_matchers.h"

namespace trainyard {
namespace {

TEST(ExecutorTest, RunsEverythingThatWasQueuedBeforeItIsDestroyed) {
  std::atomic<int> runs{0};
  {
    Executor executor({.name = "test", .threads = 3, .queue_max = 1000});
    for (int i = 0; i < 1000; ++i) ASSERT_TRUE(executor.Submit([&] { ++runs; }));
  }
  EXPECT_EQ(runs, 1000);
}

TEST(ExecutorTest, RefusesBeyondItsQueue) {
  absl::Notification started, go;
  Executor executor({.name = "test", .threads = 1, .queue_max = 2});
  ASSERT_TRUE(executor.Submit([&] {
    started.Notify();
    go.WaitForNotification();
  }));
  started.WaitForNotification();
  EXPECT_TRUE(executor.Submit([] {}));
  EXPECT_TRUE(executor.Submit([] {}));
  EXPECT_FALSE(executor.Submit([] { FAIL() << "was refused"; }));
  EXPECT_EQ(executor.queued(), 2u);
  go.Notify();
}

TEST(ExecutorTest, AllThreadsWorkAtOnce) {
  constexpr int kThreads = 4;
  std::atomic<int> inside{0};
  absl::Notification all;
  Executor executor({.name = "test", .threads = kThreads, .queue_max = kThreads});
  for (int i = 0; i < kThreads; ++i) {
    ASSERT_TRUE(executor.Submit([&] {
      if (++inside == kThreads) all.Notify();
      all.WaitForNotification();  // ends only when every thread is here
    }));
  }
  all.WaitForNotification();
}

TEST(ExecutorTest, BusyErrorSaysWhenToTryAgain) {
  EXPECT_THAT(BusyError(), HasReason(ErrorReason::kQueueFull));
  EXPECT_EQ(GetErrorInfo(BusyError())->metadata.front().first, "retry_after_seconds");
}

}  // namespace
}  // namespace trainyard
