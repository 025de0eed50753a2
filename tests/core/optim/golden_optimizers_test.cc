// Optimizers × schedules × losses against PyTorch, 50 steps each, and every option of an optimizer
// alone: losses within 1e-4, parameters within 1e-3. Files and their format:
// tests/golden/make_optimizers.py.
#include <algorithm>
#include <cmath>
#include <fstream>
#include <functional>
#include <map>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include "core/nn/loss.h"
#include "core/nn/mlp.h"
#include "core/optim/lbfgs.h"
#include "core/optim/optimizer.h"
#include "core/optim/schedule.h"
#include "core/tensor/kernels.h"
#include "gtest/gtest.h"
#include "tests/support/status_matchers.h"

namespace trainyard {
namespace {

using Words = std::vector<std::string>;

Words WordsOf(const std::string& line) {
  std::istringstream stream(line);
  Words words;
  for (std::string word; stream >> word;) words.push_back(word);
  return words;
}

template <typename T>
std::vector<T> NumbersOf(const Words& words, size_t first) {
  std::vector<T> numbers;
  for (size_t i = first; i < words.size(); ++i) {
    numbers.push_back(static_cast<T>(std::stod(words[i])));
  }
  return numbers;
}

// KEY=VALUE words by key.
std::map<std::string, std::string> FieldsOf(const Words& words) {
  std::map<std::string, std::string> fields;
  for (const std::string& word : words) {
    const size_t equals = word.find('=');
    if (equals != std::string::npos) fields[word.substr(0, equals)] = word.substr(equals + 1);
  }
  return fields;
}

OptimizerConfig OptimizerOf(const Words& words) {
  OptimizerConfig config;
  const std::map<std::string, std::optional<double>*> numbers = {
      {"learning_rate", &config.learning_rate},
      {"momentum", &config.momentum},
      {"beta1", &config.beta1},
      {"beta2", &config.beta2},
      {"weight_decay", &config.weight_decay},
      {"dampening", &config.dampening},
      {"learning_rate_decay", &config.learning_rate_decay},
      {"momentum_decay", &config.momentum_decay},
      {"secondary_learning_rate", &config.secondary_learning_rate},
      {"l1", &config.l1},
      {"max_norm", &config.max_norm},
      {"clip_norm", &config.clip_norm},
      {"clip_value", &config.clip_value},
      {"ema_decay", &config.ema_decay}};
  for (const auto& [key, value] : FieldsOf(words)) {
    if (key == "kind") {
      config.kind = static_cast<OptimizerKind>(std::stoi(value));
    } else if (key == "nesterov") {
      config.nesterov = value == "1";
    } else if (key == "centered") {
      config.centered = value == "1";
    } else if (key == "history_size") {
      config.history_size = std::stoi(value);
    } else {
      *numbers.at(key) = std::stod(value);
    }
  }
  return WithDefaults(config);
}

ScheduleConfig ScheduleOf(const Words& words, double learning_rate) {
  ScheduleConfig config{.unit = ScheduleUnit::kSteps};
  for (const auto& [key, value] : FieldsOf(words)) {
    if (key == "kind") config.kind = static_cast<ScheduleKind>(std::stoi(value));
    if (key == "period") config.period = std::stoi(value);
    if (key == "gamma") config.gamma = std::stod(value);
    if (key == "power") config.power = std::stod(value);
    if (key == "final_ratio") config.final_learning_rate = std::stod(value) * learning_rate;
    if (key == "period_factor") config.period_factor = std::stoi(value);
    if (key == "patience") config.patience = std::stoi(value);
    if (key == "warmup_steps") config.warmup_steps = std::stoi(value);
    if (key != "milestones") continue;
    std::istringstream list(value);
    for (std::string one; std::getline(list, one, ',');)
      config.milestones.push_back(std::stoi(one));
  }
  return WithDefaults(config, learning_rate, {});
}

LossConfig LossOf(const std::string& name) {
  const std::map<std::string, LossKind> kinds = {
      {"binary_cross_entropy", LossKind::kBinaryCrossEntropy},
      {"softmax_cross_entropy", LossKind::kSoftmaxCrossEntropy},
      {"mean_squared_error", LossKind::kMeanSquaredError},
      {"mean_absolute_error", LossKind::kMeanAbsoluteError},
      {"huber", LossKind::kHuber},
      {"quantile", LossKind::kQuantile},
      {"poisson", LossKind::kPoisson},
      {"hinge", LossKind::kHinge},
      {"multi_margin", LossKind::kHinge}};
  return {.kind = kinds.at(name), .delta = 0.7, .quantile = 0.3};
}

struct Curve {
  std::string optimizer;
  std::string schedule;
  std::vector<double> losses;
  std::vector<float> final;
};

struct GoldenFile {
  std::string loss;
  std::map<std::string, int64_t> sizes;
  std::vector<float> x;  // [rows, features]
  std::vector<float> y;
  std::map<std::string, std::vector<float>> initial;
  std::map<std::string, Words> optimizers;
  std::map<std::string, Words> schedules;
  std::vector<Curve> curves;
};

GoldenFile ReadGoldenFile(const std::string& name) {
  std::ifstream in(std::string(TY_SOURCE_DIR) + "/tests/golden/optimizers/" + name + ".txt");
  EXPECT_TRUE(in.good()) << name;
  GoldenFile file;
  for (std::string line; std::getline(in, line);) {
    const Words words = WordsOf(line);
    const std::string& key = words[0];
    if (key == "#") continue;
    if (key == "loss") {
      file.loss = words[1];
    } else if (key == "x") {
      const std::vector<float> row = NumbersOf<float>(words, 1);
      file.x.insert(file.x.end(), row.begin(), row.end());
    } else if (key == "y") {
      file.y = NumbersOf<float>(words, 1);
    } else if (key == "initial") {
      file.initial[words[1]] = NumbersOf<float>(words, 2);
    } else if (key == "optimizer") {
      file.optimizers[words[1]] = words;
    } else if (key == "schedule") {
      file.schedules[words[1]] = words;
    } else if (key == "curve") {
      file.curves.push_back({words[1], words[2], NumbersOf<double>(words, 3), {}});
    } else if (key == "final") {
      file.curves.back().final = NumbersOf<float>(words, 1);
    } else {
      file.sizes[key] = std::stoll(words[1]);
    }
  }
  return file;
}

// Layer by layer, weights before biases, as the files have them.
void SetWeights(const std::vector<float>& values, MlpWeights* weights) {
  auto next = values.begin();
  const auto take = [&next](std::vector<float>* to) {
    std::copy_n(next, to->size(), to->begin());
    next += static_cast<int64_t>(to->size());
  };
  for (LayerWeights& layer : *weights) {
    take(&layer.weights);
    take(&layer.biases);
  }
  ASSERT_TRUE(next == values.end());
}

std::vector<float> Flat(const MlpWeights& weights) {
  std::vector<float> values;
  for (const LayerWeights& layer : weights) {
    values.insert(values.end(), layer.weights.begin(), layer.weights.end());
    values.insert(values.end(), layer.biases.begin(), layer.biases.end());
  }
  return values;
}

// Runs one curve of a file with the engine's own pieces.
class CurveRun {
 public:
  CurveRun(const GoldenFile& file, const Curve& curve)
      : file_(file),
        optimizer_(OptimizerOf(file.optimizers.at(curve.optimizer))),
        schedule_(ScheduleOf(file.schedules.at(curve.schedule), *optimizer_.learning_rate)),
        loss_(LossOf(file.loss)),
        lbfgs_(optimizer_.kind == OptimizerKind::kLbfgs),
        batch_(lbfgs_ ? file.sizes.at("rows") : file.sizes.at("batch_size")),
        kernels_(CreateFastKernels()),
        classes_(file.y.begin(), file.y.end()) {
    MlpConfig shape{.features = file.sizes.at("features"), .outputs = file.sizes.at("outputs")};
    if (!lbfgs_) shape.layers = {{file.sizes.at("hidden"), Activation::kTanh}};
    auto mlp = Mlp::Create(shape, *kernels_, {.train = {batch_}});
    EXPECT_TRUE(mlp.ok()) << mlp.status();
    mlp_ = *std::move(mlp);
    MlpWeights weights = ZeroWeights(shape);
    SetWeights(file.initial.at(lbfgs_ ? "linear" : "hidden"), &weights);
    EXPECT_TRUE(mlp_->LoadWeights(weights).ok());
  }

  void Go() {
    const double alpha = *optimizer_.learning_rate;
    PlateauTracker plateau(schedule_, alpha, /*higher_is_better=*/false);
    const int64_t batches = file_.sizes.at("rows") / file_.sizes.at("batch_size");
    std::function<double(int64_t, double)> step = StepFunction();
    for (int64_t t = 0; t < file_.sizes.at("steps"); ++t) {
      const double rate =
          LearningRateAt(schedule_, alpha, {.step = t, .plateau_factor = plateau.factor()});
      losses_.push_back(step(t, rate));
      if ((t + 1) % batches == 0) plateau.Add(losses_.back());
    }
    if (stochastic_ == nullptr || stochastic_->averaged_parameters().empty()) return;
    const std::span<const float> average = stochastic_->averaged_parameters();
    std::copy(average.begin(), average.end(), mlp_->parameters().begin());
  }

  const std::vector<double>& losses() const { return losses_; }
  std::vector<float> final() const { return Flat(mlp_->ToWeights()); }

 private:
  // Loss of a batch, with its gradients in the network.
  double Evaluate(int64_t row) {
    const float* x = file_.x.data() + row * file_.sizes.at("features");
    const int64_t outputs = file_.sizes.at("outputs");
    const LossTargets all = outputs > 1 ? LossTargets{.classes = classes_.data()}
                                        : LossTargets{.values = file_.y.data()};
    const LossTargets targets = all.From(row);
    EXPECT_TRUE(mlp_->ForwardTrain(x, batch_, {}).ok());
    const double loss = LossAndGradient(loss_, mlp_->logits(), targets, batch_, outputs,
                                        static_cast<double>(batch_), mlp_->logit_gradients());
    EXPECT_TRUE(mlp_->Backward(x, batch_).ok());
    return loss;
  }

  // weight_decay / 2 · Σ w²
  double Penalty() {
    double squares = 0;
    const int64_t count = WeightCountOf(mlp_->tensors());
    for (const float w : mlp_->parameters().first(static_cast<size_t>(count))) squares += w * w;
    return *optimizer_.weight_decay / 2 * squares;
  }

  std::function<double(int64_t, double)> StepFunction() {
    if (lbfgs_) {
      full_ = std::make_unique<Lbfgs>(optimizer_, mlp_->tensors());
      return [this](int64_t /*step*/, double rate) {
        const auto evaluate = [this]() -> absl::StatusOr<Lbfgs::Evaluation> {
          const double loss = Evaluate(0);
          return Lbfgs::Evaluation{loss, mlp_->gradients()};
        };
        const double penalty = Penalty();
        return full_->Step(rate, evaluate, mlp_->parameters())->loss + penalty;
      };
    }
    stochastic_ = std::make_unique<Optimizer>(optimizer_, mlp_->tensors(), /*seed=*/0);
    return [this](int64_t step, double rate) {
      const double loss = Evaluate(step * batch_ % file_.sizes.at("rows"));
      stochastic_->PrepareGradients(mlp_->gradients());
      stochastic_->Step(rate, mlp_->gradients(), mlp_->parameters());
      return loss;
    };
  }

  const GoldenFile& file_;
  const OptimizerConfig optimizer_;
  const ScheduleConfig schedule_;
  const LossConfig loss_;
  const bool lbfgs_;
  const int64_t batch_;
  const std::unique_ptr<Kernels> kernels_;
  const std::vector<int32_t> classes_;
  std::unique_ptr<Mlp> mlp_;
  std::unique_ptr<Optimizer> stochastic_;
  std::unique_ptr<Lbfgs> full_;
  std::vector<double> losses_;
};

// Relative to the larger of the two and of `least`: a number next to zero has no relative error
// worth the name.
template <typename T>
double LargestError(const std::vector<T>& actual, const std::vector<T>& expected, double least) {
  EXPECT_EQ(actual.size(), expected.size());
  double largest = 0;
  for (size_t i = 0; i < std::min(actual.size(), expected.size()); ++i) {
    const double a = actual[i];
    const double b = expected[i];
    const double error = std::fabs(a - b) / std::max({std::fabs(a), std::fabs(b), least});
    largest = std::isfinite(error) ? std::max(largest, error) : 1;
  }
  return largest;
}

class GoldenOptimizersTest : public testing::TestWithParam<std::string> {};

TEST_P(GoldenOptimizersTest, FiftyStepsAsPyTorch) {
  const GoldenFile file = ReadGoldenFile(GetParam());
  EXPECT_GE(file.curves.size(), 20u);
  for (const Curve& curve : file.curves) {
    SCOPED_TRACE(curve.optimizer + ", " + curve.schedule);
    ASSERT_EQ(curve.losses.size(), 50u);
    CurveRun run(file, curve);
    run.Go();
    EXPECT_LT(LargestError(run.losses(), curve.losses, 1e-3), 1e-4);
    EXPECT_LT(LargestError(run.final(), curve.final, 0.01), 1e-3);
  }
}

INSTANTIATE_TEST_SUITE_P(Files, GoldenOptimizersTest,
                         testing::Values("binary_cross_entropy", "softmax_cross_entropy",
                                         "mean_squared_error", "mean_absolute_error", "huber",
                                         "quantile", "poisson", "hinge", "multi_margin", "options"),
                         [](const testing::TestParamInfo<std::string>& tested) {
                           return tested.param;
                         });

}  // namespace
}  // namespace trainyard
