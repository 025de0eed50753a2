// A steady training step allocates nothing of ours. oneDNN's own bookkeeping of a call is not ours
// to mend, so the kernels here are our own; with oneDNN the test asserts that what a step allocates
// it also frees.
#include <atomic>
#include <cstdlib>
#include <memory>
#include <new>
#include <vector>

#include "core/train/trainer.h"
#include "gtest/gtest.h"
#include "tests/support/status_matchers.h"
#include "tests/support/synthetic_data.h"
#include "tests/support/train_configs.h"

namespace {

std::atomic<int64_t> allocated_count{0};
std::atomic<int64_t> freed_count{0};

void* CountedAllocate(size_t size_bytes, size_t alignment) {
  ++allocated_count;
  const size_t rounded = (size_bytes + alignment - 1) / alignment * alignment;
  void* p = std::aligned_alloc(alignment, rounded == 0 ? alignment : rounded);
  if (p == nullptr) throw std::bad_alloc();
  return p;
}

void CountedFree(void* p) {
  if (p != nullptr) ++freed_count;
  std::free(p);
}

}  // namespace

void* operator new(size_t size) { return CountedAllocate(size, 16); }
void* operator new[](size_t size) { return CountedAllocate(size, 16); }
void* operator new(size_t size, std::align_val_t a) {
  return CountedAllocate(size, static_cast<size_t>(a));
}
void* operator new[](size_t size, std::align_val_t a) {
  return CountedAllocate(size, static_cast<size_t>(a));
}
void operator delete(void* p) noexcept { CountedFree(p); }
void operator delete[](void* p) noexcept { CountedFree(p); }
void operator delete(void* p, size_t) noexcept { CountedFree(p); }
void operator delete[](void* p, size_t) noexcept { CountedFree(p); }
void operator delete(void* p, std::align_val_t) noexcept { CountedFree(p); }
void operator delete[](void* p, std::align_val_t) noexcept { CountedFree(p); }
void operator delete(void* p, size_t, std::align_val_t) noexcept { CountedFree(p); }
void operator delete[](void* p, size_t, std::align_val_t) noexcept { CountedFree(p); }

namespace trainyard {
namespace {

// Counters after each step, in memory reserved beforehand.
class CountingObserver : public TrainObserver {
 public:
  CountingObserver() {
    allocated.reserve(1000);
    freed.reserve(1000);
  }
  void OnStep(const StepRecord& /*step*/) override {}
  void OnEpoch(const EpochRecord& /*epoch*/) override {}
  void OnProgress(int64_t /*steps_done*/, int64_t /*rows_seen*/) override {
    allocated.push_back(allocated_count);
    freed.push_back(freed_count);
  }

  std::vector<int64_t> allocated;
  std::vector<int64_t> freed;
};

// 33 steps in one epoch, the last one shorter.
void Train(const Kernels& kernels, Task task, CountingObserver& observer) {
  const Dataset dataset =
      SyntheticDataset({.rows = 32 * 32 + 5, .features = 40, .task = task, .classes = 3});
  TrainConfig config = ResolvedConfig(task);
  config.layers = {{33, Activation::kRelu}, {7, Activation::kSigmoid}, {5, Activation::kTanh}};
  ASSERT_OK_AND_ASSIGN(std::unique_ptr<Trainer> trainer,
                       Trainer::Create(config, dataset, nullptr, &kernels));
  ASSERT_THAT(trainer->Run(observer, StopFlag()), IsOk());
  ASSERT_EQ(observer.allocated.size(), 33u);
}

TEST(StepAllocationTest, OurOwnStepAllocatesNothing) {
  for (const Task task : {Task::kBinary, Task::kMulticlass, Task::kRegression}) {
    CountingObserver observer;
    Train(*CreateSmallKernels(), task, observer);
    EXPECT_EQ(observer.allocated.front(), observer.allocated.back());
    EXPECT_EQ(observer.freed.front(), observer.freed.back());
  }
}

TEST(StepAllocationTest, AStepWithOneDnnKeepsNothing) {
  CountingObserver observer;
  Train(*CreateDnnlKernels(), Task::kBinary, observer);
  const int64_t allocated = observer.allocated[31] - observer.allocated[1];
  const int64_t freed = observer.freed[31] - observer.freed[1];
  EXPECT_EQ(allocated, freed);
}

TEST(StepAllocationTest, TheCounterCounts) {
  const int64_t before = allocated_count;
  const auto p = std::make_unique<std::vector<int>>(100);
  EXPECT_EQ(allocated_count - before, 2);
}

}  // namespace
}  // namespace trainyard
