// How fast the product's own Trainer trains:
//
//   train_bench WORKLOAD [--threads N] [--precision fp32|bf16] [--seconds S] [--repeats R]
//
// One JSON line with the median of the repeats. Workloads are synthetic; the last, shorter batch
// counts. Everything a job pays for inside the engine is paid here: shuffling, loss values, finite
// checks, the observer. gemm_peak_fraction is the share of what one large matrix product of the
// same precision and threads does in this process, measured before each repeat.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "core/base/status_macros.h"
#include "core/train/trainer.h"
#include "tests/bench/gemm_peak.h"
#include "tests/support/synthetic_data.h"

namespace trainyard {
namespace {

using Clock = std::chrono::steady_clock;

struct Workload {
  absl::string_view name;
  int64_t rows;
  int64_t features;
  std::vector<int64_t> hidden;
  Activation activation;
  int64_t classes;  // 1: one logit
  int64_t batch;
  OptimizerKind optimizer;
  double dropout = 0;
};

std::vector<Workload> Workloads() {
  const Activation relu = Activation::kRelu;
  const OptimizerKind sgd = OptimizerKind::kSgd;
  const OptimizerKind adam = OptimizerKind::kAdam;
  return {{"logreg", 569, 30, {}, relu, 1, 32, sgd},
          {"tiny", 1000, 2, {3}, Activation::kSigmoid, 1, 16, sgd},
          {"seminar", 100, 2, {100, 100}, relu, 1, 100, sgd},
          {"fmnist", 60000, 784, {256, 128}, relu, 10, 128, adam},
          {"fmnistdo", 60000, 784, {100, 100}, relu, 10, 128, adam, 0.3},
          {"higgs100", 100000, 28, {300, 300, 300, 300}, relu, 1, 100, sgd},
          {"higgs1024", 102400, 28, {300, 300, 300, 300}, relu, 1, 1024, sgd},
          {"wide", 4096, 1024, {4096, 4096}, relu, 10, 512, adam}};
}

struct Options {
  std::string workload;
  int64_t threads = 1;
  Precision precision = Precision::kFp32;
  double seconds = 2;
  int64_t repeats = 5;
};

// Asks the run to stop when its time is over. The clock is read every kStride steps: reading it at
// each would be a few percent of the smallest workloads.
class Stopwatch : public TrainObserver {
 public:
  Stopwatch(double seconds, StopFlag* stop) : seconds_(seconds), stop_(stop) {}
  void OnStep(const StepRecord& /*step*/) override {}
  void OnEpoch(const EpochRecord& /*epoch*/) override { LookAtClock(); }
  void OnProgress(int64_t steps_done, int64_t /*rows_seen*/) override {
    if (steps_done % kStride == 0) LookAtClock();
  }

 private:
  static constexpr int64_t kStride = 16;
  void LookAtClock() {
    const std::chrono::duration<double> elapsed = Clock::now() - begin_;
    if (elapsed.count() >= seconds_) stop_->Request(StopCause::kRuntimeLimit);
  }

  const double seconds_;
  StopFlag* const stop_;
  const Clock::time_point begin_ = Clock::now();
};

TrainConfig ConfigOf(const Workload& workload, const Options& options) {
  TrainConfig config;
  config.data.task = workload.classes > 1 ? Task::kMulticlass : Task::kBinary;
  config.data.split = {.validation_fraction = 0, .test_fraction = 0};
  for (const int64_t units : workload.hidden) {
    config.layers.push_back(
        {.units = units, .activation = workload.activation, .dropout = workload.dropout});
  }
  config.loss.kind = LossOf(config.data.task);
  config.optimizer.kind = workload.optimizer;
  if (workload.optimizer == OptimizerKind::kSgd) config.optimizer.momentum = 0.9;
  config.optimizer = WithDefaults(config.optimizer);
  config.batch_size = workload.batch;
  config.epochs = limits::kEpochsMax;
  config.threads = options.threads;
  config.precision = options.precision;
  config.schedule = WithDefaults(config.schedule, *config.optimizer.learning_rate, {});
  config.step_event_interval = 100;
  return config;
}

// Steps per second of one run.
absl::StatusOr<double> Measure(const TrainConfig& config, const Dataset& dataset, double seconds) {
  TY_ASSIGN_OR_RETURN(std::unique_ptr<Trainer> trainer, Trainer::Create(config, dataset));
  StopFlag stop;
  const Clock::time_point begin = Clock::now();
  Stopwatch stopwatch(seconds, &stop);
  TY_ASSIGN_OR_RETURN(const TrainResult result, trainer->Run(stopwatch, stop));
  const std::chrono::duration<double> elapsed = Clock::now() - begin;
  return static_cast<double>(result.steps_done) / elapsed.count();
}

double Median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

absl::Status Run(const Options& options) {
  std::optional<Workload> workload;
  for (const Workload& w : Workloads()) {
    if (w.name == options.workload) workload = w;
  }
  if (!workload) return absl::InvalidArgumentError(absl::StrCat("no workload ", options.workload));
  const Dataset dataset =
      SyntheticDataset({.rows = workload->rows,
                        .features = workload->features,
                        .task = workload->classes > 1 ? Task::kMulticlass : Task::kBinary,
                        .classes = workload->classes});
  const TrainConfig config = ConfigOf(*workload, options);
  std::vector<double> speeds;
  std::vector<double> peaks;
  for (int64_t i = 0; i < options.repeats; ++i) {
    TY_ASSIGN_OR_RETURN(const double peak, GemmPeakFlops(options.threads, options.precision));
    peaks.push_back(peak);
    TY_ASSIGN_OR_RETURN(const double speed, Measure(config, dataset, options.seconds));
    speeds.push_back(speed);
  }
  const double steps_per_s = Median(speeds);
  const double rows_per_step = static_cast<double>(workload->rows) /
                               static_cast<double>(StepsTotal(config, {.rows = workload->rows})) *
                               static_cast<double>(config.epochs);
  const MlpConfig shape = MlpConfigOf(config, dataset.feature_count(), dataset.output_count());
  const double samples_per_s = steps_per_s * rows_per_step;
  const double flops = samples_per_s * static_cast<double>(TrainFlopsPerRow(shape));
  std::printf(
      "{\"workload\":\"%s\",\"threads\":%lld,\"precision\":\"%s\",\"steps_per_s\":%.1f,"
      "\"samples_per_s\":%.1f,\"gflops\":%.2f,\"gemm_peak_fraction\":%.3f}\n",
      options.workload.c_str(), static_cast<long long>(options.threads),
      options.precision == Precision::kBf16 ? "bf16" : "fp32", steps_per_s, samples_per_s,
      flops * 1e-9, flops / Median(peaks));
  return absl::OkStatus();
}

bool SetOption(absl::string_view name, const char* value, Options* options) {
  if (name == "--threads")
    return absl::SimpleAtoi(value, &options->threads) && options->threads > 0;
  if (name == "--precision") {
    const absl::string_view word = value;
    options->precision = word == "bf16" ? Precision::kBf16 : Precision::kFp32;
    return word == "bf16" || word == "fp32";
  }
  if (name == "--seconds") return absl::SimpleAtod(value, &options->seconds);
  if (name == "--repeats")
    return absl::SimpleAtoi(value, &options->repeats) && options->repeats > 0;
  return false;
}

bool Parse(int argc, char** argv, Options* options) {
  if (argc < 2 || argc % 2 != 0) return false;
  options->workload = argv[1];
  for (int i = 2; i < argc; i += 2) {
    if (!SetOption(argv[i], argv[i + 1], options)) return false;
  }
  return true;
}

}  // namespace
}  // namespace trainyard

int main(int argc, char** argv) {
  trainyard::Options options;
  if (!trainyard::Parse(argc, argv, &options)) {
    std::fprintf(stderr,
                 "usage: train_bench WORKLOAD [--threads N] [--precision fp32|bf16] [--seconds S] "
                 "[--repeats R]\n");
    return EXIT_FAILURE;
  }
  const absl::Status status = trainyard::Run(options);
  if (status.ok()) return EXIT_SUCCESS;
  std::fprintf(stderr, "train_bench: %s\n", status.ToString().c_str());
  return EXIT_FAILURE;
}
