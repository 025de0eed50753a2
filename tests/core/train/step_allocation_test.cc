// A steady training step allocates nothing of ours. oneDNN's own bookkeeping of a call is not ours
// to mend, so the kernels here are our own; with oneDNN the test asserts that what a step allocates
// it also frees.
#include <atomic>
#include <cstdlib>
#include <memory>
#include <new>
#include <string>
#include <utility>
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

// 33 steps in one epoch, the last one shorter, batches of 32 rows and 5.
void Train(const TrainConfig& config, const Kernels* kernels, CountingObserver& observer) {
  const Dataset dataset = SyntheticDataset({.rows = 32 * 32 * config.accumulation_steps + 5,
                                            .features = 40,
                                            .task = config.data.task,
                                            .classes = 3});
  ASSERT_OK_AND_ASSIGN(std::unique_ptr<Trainer> trainer,
                       Trainer::Create(config, dataset, nullptr, kernels));
  ASSERT_THAT(trainer->Run(observer, StopFlag()), IsOk());
  ASSERT_EQ(observer.allocated.size(), 33u);
}

TrainConfig ThreeLayers(Task task, const OptimizerConfig& optimizer = {}) {
  TrainConfig config = ResolvedConfig(task, optimizer);
  config.layers = {{33, Activation::kRelu}, {7, Activation::kSigmoid}, {5, Activation::kTanh}};
  return config;
}

void ExpectNoAllocation(const TrainConfig& config, const std::string& what) {
  CountingObserver observer;
  Train(config, CreateTiledKernels().get(), observer);
  EXPECT_EQ(observer.allocated.front(), observer.allocated.back()) << what;
  EXPECT_EQ(observer.freed.front(), observer.freed.back()) << what;
}

TEST(StepAllocationTest, OurOwnStepAllocatesNothing) {
  for (const Task task : {Task::kBinary, Task::kMulticlass, Task::kRegression}) {
    ExpectNoAllocation(ThreeLayers(task), "task");
  }
}

TEST(StepAllocationTest, NoLayerAllocates) {
  for (int i = 1; i <= static_cast<int>(kActivationLast); ++i) {
    TrainConfig config = ThreeLayers(Task::kBinary);
    for (LayerConfig& layer : config.layers) layer.activation = static_cast<Activation>(i);
    config.input_dropout = 0.1;
    config.layers[0].dropout = 0.3;
    config.layers[0].normalization = Normalization::kBatch;
    config.layers[1].normalization = Normalization::kLayer;
    config.layers[1].bias = false;
    config.layers[2].units = 7;
    config.layers[2].residual = true;
    ExpectNoAllocation(config, "activation " + std::to_string(i));
  }
}

TEST(StepAllocationTest, NoOptimizerAllocates) {
  for (int i = 1; i < static_cast<int>(OptimizerKind::kLbfgs); ++i) {
    OptimizerConfig optimizer{.kind = static_cast<OptimizerKind>(i),
                              .learning_rate = 1e-3,
                              .weight_decay = 1e-3,
                              .l1 = 1e-4,
                              .max_norm = 2,
                              .clip_norm = 1,
                              .clip_value = 0.5,
                              .gradient_noise = 1e-4,
                              .ema_decay = 0.9};
    ExpectNoAllocation(ThreeLayers(Task::kBinary, optimizer), "optimizer " + std::to_string(i));
  }
  ExpectNoAllocation(
      ThreeLayers(Task::kBinary, {.kind = OptimizerKind::kSgd, .momentum = 0.9, .nesterov = true}),
      "nesterov");
}

TEST(StepAllocationTest, NoScheduleAllocates) {
  for (int i = 1; i <= static_cast<int>(ScheduleKind::kReduceOnPlateau); ++i) {
    TrainConfig config = ThreeLayers(Task::kBinary);
    config.schedule.kind = static_cast<ScheduleKind>(i);
    if (config.schedule.kind == ScheduleKind::kMultiStep) config.schedule.milestones = {3, 9};
    config.schedule.warmup_steps = 3;
    ExpectNoAllocation(config, "schedule " + std::to_string(i));
  }
}

TEST(StepAllocationTest, NoLossAllocates) {
  const std::pair<Task, LossKind> losses[] = {
      {Task::kRegression, LossKind::kMeanAbsoluteError},
      {Task::kRegression, LossKind::kHuber},
      {Task::kRegression, LossKind::kQuantile},
      {Task::kBinary, LossKind::kHinge},
      {Task::kMulticlass, LossKind::kHinge},
  };
  for (const auto& [task, loss] : losses) {
    TrainConfig config = ThreeLayers(task);
    config.loss.kind = loss;
    config.class_weights.balanced = task != Task::kRegression;
    ExpectNoAllocation(config, "loss " + std::to_string(static_cast<int>(loss)));
  }
  TrainConfig smoothed = ThreeLayers(Task::kMulticlass);
  smoothed.loss.label_smoothing = 0.1;
  ExpectNoAllocation(smoothed, "label smoothing");
}

TEST(StepAllocationTest, NeitherAccumulationNorThreadsAllocate) {
  TrainConfig config = ThreeLayers(Task::kBinary);
  config.accumulation_steps = 3;
  ExpectNoAllocation(config, "accumulation");
  config.threads = 3;
  ExpectNoAllocation(config, "threads");
}

TEST(StepAllocationTest, AStepWithOneDnnKeepsNothing) {
  CountingObserver observer;
  Train(ThreeLayers(Task::kBinary), CreateDnnlKernels().get(), observer);
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
