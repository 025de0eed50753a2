#include "core/optim/optimizer.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>

#include "core/base/check.h"
#include "core/base/rng.h"
#include "core/optim/muon.h"
#include "core/optim/update_rules.h"
#include "core/tensor/matrix.h"
#include "core/tensor/multiversion.h"
#include "core/tensor/vector_ops.h"

namespace trainyard {
namespace {

// PyTorch's clip_grad_norm_ and renorm.
constexpr double kClipEpsilon = 1e-6;
constexpr float kMaxNormEpsilon = 1e-7F;
// Neelakantan et al. 2015.
constexpr double kNoiseExponent = 0.55;

TY_MULTIVERSION void Clamp(float limit, int64_t count, float* x) {
  for (int64_t i = 0; i < count; ++i) {
    x[i] = x[i] > limit ? limit : (x[i] < -limit ? -limit : x[i]);
  }
}

// e = keep·e + rest·x.
TY_MULTIVERSION void Average(float keep, float rest, int64_t count, const float* __restrict x,
                             float* __restrict e) {
  for (int64_t i = 0; i < count; ++i) e[i] = keep * e[i] + rest * x[i];
}

// sums[c] = Σ_r w[r, c]². w: [rows, cols].
TY_MULTIVERSION void SumColumnSquares(const float* __restrict w, int64_t rows, int64_t cols,
                                      float* __restrict sums) {
  for (int64_t c = 0; c < cols; ++c) sums[c] = 0;
  for (int64_t r = 0; r < rows; ++r) {
    for (int64_t c = 0; c < cols; ++c) sums[c] += w[r * cols + c] * w[r * cols + c];
  }
}

TY_MULTIVERSION void ScaleColumns(const float* __restrict factors, int64_t rows, int64_t cols,
                                  float* __restrict w) {
  for (int64_t r = 0; r < rows; ++r) {
    for (int64_t c = 0; c < cols; ++c) w[r * cols + c] *= factors[c];
  }
}

// Squared norms of columns become what brings the columns down to at most `max`. Answers whether
// any is above it.
bool ToFactors(float max, int64_t cols, float* sums) {
  bool any = false;
  for (int64_t c = 0; c < cols; ++c) {
    const float norm = std::sqrt(sums[c]);
    any = any || norm > max;
    const float factor = norm > max ? max / (norm + kMaxNormEpsilon) : 1;
    // A norm that is no float would make 0 of weights that have run away: they are to be seen.
    sums[c] = std::isfinite(norm) ? factor : std::numeric_limits<float>::quiet_NaN();
  }
  return any;
}

UpdateRule RuleOf(const OptimizerConfig& config) {
  switch (config.kind) {
    case OptimizerKind::kSgd:
      return SgdRule(config);
    case OptimizerKind::kAdagrad:
    case OptimizerKind::kAdadelta:
    case OptimizerKind::kRmsProp:
      return AdaptiveRule(config);
    case OptimizerKind::kLion:
      return LionRule(config);
    default:
      return AdamRule(config);
  }
}

bool IsDecoupled(OptimizerKind kind) {
  return kind == OptimizerKind::kAdamW || kind == OptimizerKind::kLion ||
         kind == OptimizerKind::kMuon;
}

int64_t WidestOf(const ParameterTensors& tensors) {
  int64_t widest = 0;
  for (const ParameterTensor& tensor : tensors) widest = std::max(widest, tensor.cols);
  return widest;
}

}  // namespace

int64_t StateArrayCount(const OptimizerConfig& config) {
  if (config.kind == OptimizerKind::kLbfgs) return 2 * *config.history_size + 4;
  const UpdateRule rule = RuleOf(config);
  const int64_t states = std::count_if(rule.states.begin(), rule.states.end(),
                                       [](const char* name) { return name != nullptr; });
  return states + (config.ema_decay ? 1 : 0);
}

class Optimizer::Impl {
 public:
  Impl(const OptimizerConfig& config, const ParameterTensors& tensors, uint64_t seed);

  double PrepareGradients(std::span<float> gradients);
  void Step(double learning_rate, std::span<const float> gradients, std::span<float> parameters,
            Slices* slices);
  std::span<const float> averaged_parameters() const;
  std::vector<StateArray> state_arrays();
  int64_t steps_done() const { return steps_done_; }
  void set_steps_done(int64_t steps_done) { steps_done_ = steps_done; }

 private:
  void AddNoise(std::span<float> gradients) const;
  void StepMuon(double learning_rate, const float* gradients, float* parameters);
  void StepRule(double learning_rate, const float* gradients, float* parameters, Slices* slices);
  void StepRange(int64_t begin, int64_t end, const float* gradients, float* parameters,
                 Slices* slices);
  void LimitNorms(float* parameters);
  void UpdateAverage(const float* parameters);
  void SetWeightFactors(double learning_rate);
  size_t parameter_count() const { return static_cast<size_t>(parameter_count_); }

  // Constant after construction.
  const OptimizerConfig config_;
  const ParameterTensors tensors_;
  const UpdateRule rule_;
  const uint64_t seed_;
  const int64_t parameter_count_;
  const int64_t weight_count_;
  const bool regularized_;  // weights move otherwise than the rest

  int64_t steps_done_ = 0;
  UpdateFactors factors_;
  float product_ = 1;  // of UpdateRule::set_factors
  std::array<AlignedFloats, kRuleStatesMax> states_;
  AlignedFloats average_;
  AlignedFloats column_factors_;
  std::optional<Muon> muon_;
};

Optimizer::Impl::Impl(const OptimizerConfig& config, const ParameterTensors& tensors, uint64_t seed)
    : config_(config),
      tensors_(tensors),
      rule_(RuleOf(config)),
      seed_(seed),
      parameter_count_(ArenaSizeOf(tensors)),
      weight_count_(WeightCountOf(tensors)),
      regularized_(*config.weight_decay > 0 || config.l1.value_or(0) > 0) {
  TY_CHECK(config.kind != OptimizerKind::kLbfgs);
  for (size_t i = 0; i < kRuleStatesMax; ++i) {
    if (rule_.states[i] != nullptr) states_[i] = AllocateFloats(parameter_count_);
  }
  if (config.ema_decay) average_ = AllocateFloats(parameter_count_);
  if (config.max_norm) column_factors_ = AllocateFloats(WidestOf(tensors));
  if (config.kind == OptimizerKind::kMuon) muon_.emplace(config, tensors);
}

double Optimizer::Impl::PrepareGradients(std::span<float> gradients) {
  const auto count = static_cast<int64_t>(gradients.size());
  factors_.scale = 1;
  const double norm = std::sqrt(SumOfSquares(gradients.data(), count));
  if (!std::isfinite(norm)) return norm;
  const bool noisy = config_.gradient_noise.value_or(0) > 0;
  if (noisy) AddNoise(gradients);
  if (config_.clip_value) Clamp(static_cast<float>(*config_.clip_value), count, gradients.data());
  if (!config_.clip_norm) return norm;
  const bool changed = noisy || config_.clip_value;
  const double now = changed ? std::sqrt(SumOfSquares(gradients.data(), count)) : norm;
  // The next Step multiplies by it as it reads the gradient: no pass of its own.
  factors_.scale = static_cast<float>(std::min(*config_.clip_norm / (now + kClipEpsilon), 1.0));
  return norm;
}

// The gaps between tensors must stay zero.
void Optimizer::Impl::AddNoise(std::span<float> gradients) const {
  Rng rng(seed_, RngStream::kGradientNoise, static_cast<uint64_t>(steps_done_));
  const double decay = std::pow(1 + static_cast<double>(steps_done_), kNoiseExponent);
  const double deviation = std::sqrt(*config_.gradient_noise / decay);
  for (const ParameterTensor& tensor : tensors_) {
    for (int64_t i = tensor.begin; i < tensor.begin + tensor.size(); ++i) {
      gradients[static_cast<size_t>(i)] += static_cast<float>(deviation * rng.Normal());
    }
  }
}

void Optimizer::Impl::Step(double learning_rate, std::span<const float> gradients,
                           std::span<float> parameters, Slices* slices) {
  TY_CHECK(gradients.size() == parameter_count());
  TY_CHECK(parameters.size() == parameter_count());
  ++steps_done_;
  if (muon_) StepMuon(learning_rate, gradients.data(), parameters.data());
  const double ratio = muon_ ? *config_.secondary_learning_rate / *config_.learning_rate : 1;
  StepRule(learning_rate * ratio, gradients.data(), parameters.data(), slices);
  factors_.scale = 1;
  if (config_.max_norm) LimitNorms(parameters.data());
  if (average_ != nullptr) UpdateAverage(parameters.data());
}

void Optimizer::Impl::SetWeightFactors(double learning_rate) {
  const double decay = *config_.weight_decay;
  factors_.l1 = static_cast<float>(config_.l1.value_or(0));
  if (IsDecoupled(config_.kind)) {
    factors_.shrink = static_cast<float>(1 - learning_rate * decay);
  } else {
    factors_.decay = static_cast<float>(decay);
  }
}

void Optimizer::Impl::StepMuon(double learning_rate, const float* gradients, float* parameters) {
  SetWeightFactors(learning_rate);
  muon_->Step(learning_rate, factors_, gradients, parameters, states_[0].get());
}

void Optimizer::Impl::StepRule(double learning_rate, const float* gradients, float* parameters,
                               Slices* slices) {
  int64_t begin = muon_ ? muon_->end() : 0;
  rule_.set_factors(config_, learning_rate, steps_done_, &product_, &factors_);
  if (regularized_) {
    SetWeightFactors(learning_rate);
    StepRange(begin, weight_count_, gradients, parameters, slices);
    begin = weight_count_;
  }
  factors_.decay = 0;
  factors_.l1 = 0;
  factors_.shrink = 1;
  StepRange(begin, parameter_count_, gradients, parameters, slices);
}

void Optimizer::Impl::StepRange(int64_t begin, int64_t end, const float* gradients,
                                float* parameters, Slices* slices) {
  ForSlices(slices, end - begin, [&](int64_t from, int64_t to) {
    const int64_t first = begin + from;
    UpdateArrays arrays{.gradients = gradients + first, .parameters = parameters + first};
    for (size_t i = 0; i < kRuleStatesMax && states_[i] != nullptr; ++i) {
      arrays.states[i] = states_[i].get() + first;
    }
    rule_.loop(factors_, to - from, arrays);
  });
}

void Optimizer::Impl::LimitNorms(float* parameters) {
  const auto max = static_cast<float>(*config_.max_norm);
  for (const ParameterTensor& tensor : tensors_) {
    if (tensor.kind != TensorKind::kWeights) continue;
    float* weights = parameters + tensor.begin;
    SumColumnSquares(weights, tensor.rows, tensor.cols, column_factors_.get());
    if (!ToFactors(max, tensor.cols, column_factors_.get())) continue;
    ScaleColumns(column_factors_.get(), tensor.rows, tensor.cols, weights);
  }
}

// The first average is the parameters themselves, as PyTorch's AveragedModel.
void Optimizer::Impl::UpdateAverage(const float* parameters) {
  const double keep = steps_done_ == 1 ? 0 : *config_.ema_decay;
  Average(static_cast<float>(keep), static_cast<float>(1 - keep), parameter_count_, parameters,
          average_.get());
}

std::span<const float> Optimizer::Impl::averaged_parameters() const {
  if (average_ == nullptr) return {};
  return {average_.get(), parameter_count()};
}

std::vector<Optimizer::StateArray> Optimizer::Impl::state_arrays() {
  std::vector<StateArray> arrays;
  for (size_t i = 0; i < kRuleStatesMax; ++i) {
    if (states_[i] == nullptr) continue;
    arrays.push_back({rule_.states[i], {states_[i].get(), parameter_count()}});
  }
  if (config_.kind == OptimizerKind::kNAdam) arrays.push_back({"momentum_product", {&product_, 1}});
  if (average_ != nullptr) arrays.push_back({"average", {average_.get(), parameter_count()}});
  return arrays;
}

Optimizer::Optimizer(const OptimizerConfig& config, const ParameterTensors& tensors, uint64_t seed)
    : impl_(std::make_unique<Impl>(config, tensors, seed)) {}
Optimizer::~Optimizer() = default;

double Optimizer::PrepareGradients(std::span<float> gradients) {
  return impl_->PrepareGradients(gradients);
}

void Optimizer::Step(double learning_rate, std::span<const float> gradients,
                     std::span<float> parameters, Slices* slices) {
  impl_->Step(learning_rate, gradients, parameters, slices);
}

std::span<const float> Optimizer::averaged_parameters() const {
  return impl_->averaged_parameters();
}
int64_t Optimizer::steps_done() const { return impl_->steps_done(); }
std::vector<Optimizer::StateArray> Optimizer::state_arrays() { return impl_->state_arrays(); }
void Optimizer::set_steps_done(int64_t steps_done) { impl_->set_steps_done(steps_done); }

}  // namespace trainyard
