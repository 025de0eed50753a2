// What a run takes beside its dataset: 4 × parameters (they, gradients, Adam's two moments) and 3 ×
// the activations of one batch. A binary of its own: the peak of a process never falls.
#include <cstdint>
#include <fstream>
#include <memory>
#include <string>

#include "core/base/stop_flag.h"
#include "core/train/trainer.h"
#include "gtest/gtest.h"
#include "tests/support/recording_observer.h"
#include "tests/support/status_matchers.h"
#include "tests/support/synthetic_data.h"
#include "tests/support/train_configs.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define TY_MEMORY_IS_NOT_OURS
#endif

namespace trainyard {
namespace {

// A line of /proc/self/status such as "VmHWM: 1234 kB", in bytes.
int64_t StatusBytes(const std::string& name) {
  std::ifstream status("/proc/self/status");
  for (std::string word; status >> word;) {
    if (word != name + ":") continue;
    int64_t kib = 0;
    status >> kib;
    return kib * 1024;
  }
  return -1;
}

TEST(TrainingMemoryTest, FourTimesTheParametersAndThreeTimesTheActivations) {
#ifdef TY_MEMORY_IS_NOT_OURS
  GTEST_SKIP() << "a sanitizer keeps shadows of everything";
#endif
  constexpr int64_t kBatch = 128;
  const Dataset dataset = SyntheticDataset(
      {.rows = 4 * kBatch, .features = 784, .task = Task::kMulticlass, .classes = 10});
  TrainConfig config = ResolvedConfig(Task::kMulticlass);  // Adam
  config.layers = {{2048, Activation::kRelu}, {2048, Activation::kRelu}};
  config.batch_size = kBatch;
  const int64_t before = StatusBytes("VmRSS");
  ASSERT_GT(before, 0);
  RecordingObserver observer;
  {
    ASSERT_OK_AND_ASSIGN(std::unique_ptr<Trainer> trainer, Trainer::Create(config, dataset));
    ASSERT_THAT(trainer->Run(observer, StopFlag()), IsOk());
  }
  const int64_t taken = StatusBytes("VmHWM") - before;
  const int64_t parameters = 4 * ParameterCount(MlpConfigOf(config, 784, 10));
  const int64_t activations = 4 * kBatch * (2048 + 2048 + 10);
  // The code of oneDNN, its scratch memory, and the process around it.
  constexpr int64_t kRest = 40 << 20;
  RecordProperty("taken_beyond_formula_mib",
                 std::to_string((taken - 4 * parameters - 3 * activations) >> 20));
  EXPECT_LT(taken, 4 * parameters + 3 * activations + kRest);
  EXPECT_GT(taken, 3 * parameters);  // that the measuring measures
}

}  // namespace
}  // namespace trainyard
