#include "server/base/steady_clock.h"

#include <atomic>
#include <chrono>
#include <thread>
#include <vector>

#include "absl/time/clock.h"
#include "gtest/gtest.h"
#include "tests/support/jumping_clock.h"

namespace trainyard {
namespace {

TEST(SteadyClockTest, DoesNotJump) {
  const absl::Time wall = absl::Now();
  const absl::Time start = SteadyNow();
  const ClockJump jump(absl::Hours(24));
  EXPECT_GT(absl::Now() - wall, absl::Hours(23));  // the jump is one
  EXPECT_LT(SteadyNow() - start, absl::Hours(1));
  EXPECT_GE(SteadyNow(), start);
}

TEST(AwaitForTest, GivesUpAtItsTimeWhateverTheWallClockSays) {
  for (const absl::Duration by : {absl::ZeroDuration(), absl::Hours(24), -absl::Hours(24)}) {
    const ClockJump jump(by);
    absl::Mutex mutex;
    const bool never = false;
    const absl::Time start = SteadyNow();
    absl::MutexLock lock(&mutex);
    EXPECT_FALSE(AwaitFor(mutex, absl::Condition(&never), absl::Milliseconds(30)));
    EXPECT_GE(SteadyNow() - start, absl::Milliseconds(30));
    EXPECT_LT(SteadyNow() - start, absl::Seconds(10));
  }
}

TEST(AwaitForTest, IsOverWhenTheConditionIsTrue) {
  absl::Mutex mutex;
  bool done = true;
  {
    absl::MutexLock lock(&mutex);
    EXPECT_TRUE(AwaitFor(mutex, absl::Condition(&done), -absl::Seconds(1)));
    done = false;
    EXPECT_FALSE(AwaitFor(mutex, absl::Condition(&done), absl::ZeroDuration()));
  }
  std::thread other([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
    absl::MutexLock lock(&mutex);
    done = true;
  });
  {
    absl::MutexLock lock(&mutex);
    EXPECT_TRUE(AwaitFor(mutex, absl::Condition(&done), absl::InfiniteDuration()));
  }
  other.join();
}

// Conditions that become true at about the time when the wait gives up.
TEST(AwaitForTest, ManyThreadsWaitAtOnce) {
  std::atomic<int> given_up{0}, met{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&, i] {
      for (int round = 0; round < 50; ++round) {
        absl::Mutex mutex;  // gone when the wait is over
        bool done = false;
        std::thread other([&] {
          std::this_thread::sleep_for(std::chrono::microseconds(200 * (i % 4)));
          absl::MutexLock lock(&mutex);
          done = true;
        });
        {
          absl::MutexLock lock(&mutex);
          ++(AwaitFor(mutex, absl::Condition(&done), absl::Microseconds(400)) ? met : given_up);
        }
        other.join();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(met + given_up, 400);
  EXPECT_GT(met, 0);
}

}  // namespace
}  // namespace trainyard
