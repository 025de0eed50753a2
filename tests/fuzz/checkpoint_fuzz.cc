// Any bytes as a checkpoint, and any edits of a real training's state, whose checksum then is
// right: a training that is to go on from it refuses it or trains to an end, and never crashes.
#include <algorithm>
#include <cstdint>
#include <string>

#include "core/base/check.h"
#include "core/base/error_info.h"
#include "core/train/checkpoint.h"
#include "core/train/seed_runs.h"
#include "tests/support/recording_observer.h"
#include "tests/support/synthetic_data.h"
#include "tests/support/train_configs.h"

namespace trainyard {
namespace {

constexpr absl::string_view kIdentity = "fuzz";

class LastSink : public CheckpointSink {
 public:
  bool IsDue(bool /*at_epoch_start*/) override { return true; }
  void Save(int64_t steps_done, const StateTransfer& transfer) override {
    bytes = EncodeCheckpoint(kIdentity, steps_done, transfer);
  }
  std::string bytes;
};

TrainConfig Config(bool lbfgs) {
  TrainConfig config = ResolvedConfig(Task::kBinary);
  config.layers = {{.units = 3, .normalization = Normalization::kBatch}};
  config.epochs = 4;
  config.seed_count = 2;
  config.early_stopping = {.enabled = true, .metric = "loss", .patience = 3, .restore_best = true};
  if (!lbfgs) return config;
  config.layers[0].normalization = Normalization::kNone;
  config.optimizer = WithDefaults({.kind = OptimizerKind::kLbfgs, .history_size = 2});
  config.batch_size = 40;
  return config;
}

const Dataset& Data() {
  static const Dataset* const data = new Dataset(
      SyntheticDataset({.rows = 40, .validation_rows = 20, .test_rows = 20, .features = 3}));
  return *data;
}

std::string RealState(bool lbfgs) {
  LastSink sink;
  RecordingObserver observer;

  TY_CHECK(TrainSeeds(Config(lbfgs), Data(), nullptr, observer, StopFlag(), {.sink = &sink}).ok());
  return std::string(*DecodeCheckpoint(sink.bytes, kIdentity));
}

// Whatever a state says, training on ends: it cannot ask for more than the config's epochs.
void GoOn(bool lbfgs, absl::string_view state) {
  if (state.empty()) return;
  RecordingObserver observer;
  TrainSeeds(Config(lbfgs), Data(), nullptr, observer, StopFlag(), {.state = state})
      .status()
      .IgnoreError();
}

// Pairs of a position, of two bytes, and the byte to put there; a rest cuts the state off.
std::string Edited(std::string state, absl::string_view edits) {
  for (; edits.size() >= 3; edits.remove_prefix(3)) {
    const size_t position = static_cast<uint8_t>(edits[0]) + 256U * static_cast<uint8_t>(edits[1]);
    state[position % state.size()] = edits[2];
  }
  if (edits.size() == 1) state.resize(state.size() * static_cast<uint8_t>(edits[0]) / 256);
  return state;
}

}  // namespace
}  // namespace trainyard

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace trainyard;
  static const std::string* const by_adam = new std::string(RealState(false));
  static const std::string* const by_lbfgs = new std::string(RealState(true));
  const absl::string_view bytes(reinterpret_cast<const char*>(data), size);
  const absl::StatusOr<absl::string_view> state = DecodeCheckpoint(bytes, kIdentity);
  TY_CHECK(state.ok() || GetErrorInfo(state.status())->reason == ErrorReason::kCorruptCheckpoint);
  GoOn(false, bytes);
  GoOn(false, Edited(*by_adam, bytes));
  GoOn(true, Edited(*by_lbfgs, bytes));
  return 0;
}
