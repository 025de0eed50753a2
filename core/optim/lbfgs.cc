#include "core/optim/lbfgs.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "core/base/check.h"
#include "core/base/status_macros.h"
#include "core/optim/line_search.h"
#include "core/tensor/matrix.h"
#include "core/tensor/multiversion.h"

namespace trainyard {
namespace {

// Independent sums that run side by side, in double: directions of a long arena are inaccurate in
// float.
constexpr int64_t kLanes = 16;
// A pair is kept when the function curves upwards along it by more than rounding.
constexpr double kCurvatureMin = 1e-10;

TY_MULTIVERSION double Dot(const float* __restrict a, const float* __restrict b, int64_t count) {
  double lanes[kLanes] = {};
  int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes) {
    for (int64_t lane = 0; lane < kLanes; ++lane) {
      lanes[lane] += static_cast<double>(a[i + lane]) * static_cast<double>(b[i + lane]);
    }
  }
  double sum = 0;
  for (; i < count; ++i) sum += static_cast<double>(a[i]) * static_cast<double>(b[i]);
  for (const double lane : lanes) sum += lane;
  return sum;
}

// y += a·x.
TY_MULTIVERSION void AddScaled(float a, const float* __restrict x, int64_t count,
                               float* __restrict y) {
  for (int64_t i = 0; i < count; ++i) y[i] += a * x[i];
}

// y = a·x.
TY_MULTIVERSION void SetScaled(float a, const float* __restrict x, int64_t count,
                               float* __restrict y) {
  for (int64_t i = 0; i < count; ++i) y[i] = a * x[i];
}

// y = x - z; y may be z.
TY_MULTIVERSION void Subtract(const float* x, const float* z, int64_t count, float* y) {
  for (int64_t i = 0; i < count; ++i) y[i] = x[i] - z[i];
}

double SumOfMagnitudes(const float* x, int64_t count) {
  double sum = 0;
  for (int64_t i = 0; i < count; ++i) sum += std::fabs(static_cast<double>(x[i]));
  return sum;
}

double LargestMagnitude(const float* x, int64_t count) {
  float largest = 0;
  for (int64_t i = 0; i < count; ++i) largest = std::max(largest, std::fabs(x[i]));
  return largest;
}

// A direction promises half its slope: less than this part of the value is far below its rounding.
constexpr double kFallMin = 1e-10;

// How θ moved between two iterations, and the gradient with it.
struct Pair {
  AlignedFloats move;    // s
  AlignedFloats change;  // y
  double inverse = 0;    // 1 / yᵀs
};

static_assert(kLbfgsEvaluationsMax == 1 + kLineProbesMax);

}  // namespace

class Lbfgs::Impl {
 public:
  Impl(const OptimizerConfig& config, const ParameterTensors& tensors);
  absl::StatusOr<Outcome> Step(double learning_rate, const Evaluate& evaluate,
                               std::span<float> parameters);
  void TransferState(StateArchive* archive);

 private:
  double AddPenalties(const float* parameters, double loss);
  absl::StatusOr<double> EvaluateAt(const Evaluate& evaluate, const float* parameters,
                                    Outcome* outcome);
  void Remember(const float* parameters);
  void SetDirection();
  absl::StatusOr<bool> Search(double learning_rate, double value, const Evaluate& evaluate,
                              float* parameters, Outcome* outcome);
  void MoveTo(double length, float* parameters) const;
  Pair& pair(int64_t age) { return pairs_[static_cast<size_t>((newest_ - age) % history_)]; }

  // Constant after construction.
  const int64_t history_;
  const double weight_decay_;
  const double l1_;
  const int64_t parameter_count_;
  const int64_t weight_count_;

  std::vector<Pair> pairs_;  // a ring
  int64_t pairs_kept_ = 0;
  int64_t newest_ = 0;
  double inverse_curvature_ = 1;  // yᵀs / yᵀy of the newest pair
  bool has_previous_ = false;
  double raw_loss_ = 0;  // of the last evaluation, without penalties
  AlignedFloats gradients_, direction_;
  AlignedFloats previous_parameters_, previous_gradients_;
  std::vector<double> alphas_;
};

Lbfgs::Impl::Impl(const OptimizerConfig& config, const ParameterTensors& tensors)
    : history_(*config.history_size),
      weight_decay_(*config.weight_decay),
      l1_(config.l1.value_or(0)),
      parameter_count_(ArenaSizeOf(tensors)),
      weight_count_(WeightCountOf(tensors)),
      pairs_(static_cast<size_t>(history_)),
      gradients_(AllocateFloats(parameter_count_)),
      direction_(AllocateFloats(parameter_count_)),
      previous_parameters_(AllocateFloats(parameter_count_)),
      previous_gradients_(AllocateFloats(parameter_count_)),
      alphas_(static_cast<size_t>(history_)) {
  TY_CHECK(config.kind == OptimizerKind::kLbfgs);
  for (Pair& pair : pairs_) {
    pair.move = AllocateFloats(parameter_count_);
    pair.change = AllocateFloats(parameter_count_);
  }
}

double Lbfgs::Impl::AddPenalties(const float* parameters, double loss) {
  if (weight_decay_ == 0 && l1_ == 0) return loss;
  double squares = 0;
  double magnitudes = 0;
  for (int64_t i = 0; i < weight_count_; ++i) {
    const double w = parameters[i];
    const double sign = w > 0 ? 1 : (w < 0 ? -1 : 0);
    squares += w * w;
    magnitudes += std::fabs(w);
    gradients_[static_cast<size_t>(i)] += static_cast<float>(weight_decay_ * w + l1_ * sign);
  }
  return loss + weight_decay_ / 2 * squares + l1_ * magnitudes;
}

// Answers the value of the function; its gradient is in gradients_.
absl::StatusOr<double> Lbfgs::Impl::EvaluateAt(const Evaluate& evaluate, const float* parameters,
                                               Outcome* outcome) {
  TY_ASSIGN_OR_RETURN(const Evaluation evaluation, evaluate());
  TY_CHECK(static_cast<int64_t>(evaluation.gradients.size()) == parameter_count_);
  ++outcome->evaluations;
  raw_loss_ = evaluation.loss;
  std::copy(evaluation.gradients.begin(), evaluation.gradients.end(), gradients_.get());
  return AddPenalties(parameters, evaluation.loss);
}

// The step that led from the previous parameters to these becomes the newest pair.
void Lbfgs::Impl::Remember(const float* parameters) {
  if (!has_previous_) return;
  Pair& next = pairs_[static_cast<size_t>((newest_ + 1) % history_)];
  Subtract(parameters, previous_parameters_.get(), parameter_count_, next.move.get());
  Subtract(gradients_.get(), previous_gradients_.get(), parameter_count_, next.change.get());
  const double product = Dot(next.change.get(), next.move.get(), parameter_count_);
  const double move = Dot(next.move.get(), next.move.get(), parameter_count_);
  const double change = Dot(next.change.get(), next.change.get(), parameter_count_);
  if (!(product > kCurvatureMin * std::sqrt(move * change))) {
    // The ring's slot may have held its oldest pair.
    pairs_kept_ = std::min(pairs_kept_, history_ - 1);
    return;
  }
  next.inverse = 1 / product;
  inverse_curvature_ = product / change;
  ++newest_;
  pairs_kept_ = std::min(pairs_kept_ + 1, history_);
}

// The two loops of algorithm 7.4.
void Lbfgs::Impl::SetDirection() {
  const int64_t count = parameter_count_;
  float* d = direction_.get();
  SetScaled(-1, gradients_.get(), count, d);
  for (int64_t age = 0; age < pairs_kept_; ++age) {
    const Pair& p = pair(age);
    const double alpha = Dot(p.move.get(), d, count) * p.inverse;
    alphas_[static_cast<size_t>(age)] = alpha;
    AddScaled(static_cast<float>(-alpha), p.change.get(), count, d);
  }
  if (pairs_kept_ > 0) {
    for (int64_t i = 0; i < count; ++i) d[i] *= static_cast<float>(inverse_curvature_);
  }
  for (int64_t age = pairs_kept_ - 1; age >= 0; --age) {
    const Pair& p = pair(age);
    const double beta = Dot(p.change.get(), d, count) * p.inverse;
    const double alpha = alphas_[static_cast<size_t>(age)];
    AddScaled(static_cast<float>(alpha - beta), p.move.get(), count, d);
  }
}

void Lbfgs::Impl::MoveTo(double length, float* parameters) const {
  std::copy_n(previous_parameters_.get(), parameter_count_, parameters);
  if (length == 0) return;
  AddScaled(static_cast<float>(length), direction_.get(), parameter_count_, parameters);
}

// From the previous parameters along the direction. Answers whether it moved.
absl::StatusOr<bool> Lbfgs::Impl::Search(double learning_rate, double value,
                                         const Evaluate& evaluate, float* parameters,
                                         Outcome* outcome) {
  const int64_t count = parameter_count_;
  const double slope = Dot(previous_gradients_.get(), direction_.get(), count);
  if (!(-slope > kFallMin * std::fabs(value)) || !std::isfinite(slope)) return false;
  double first = learning_rate;
  if (pairs_kept_ == 0) {
    first *= std::min(1.0, 1 / SumOfMagnitudes(previous_gradients_.get(), count));
  }
  const auto probe = [&](double length) -> absl::StatusOr<LinePoint> {
    MoveTo(length, parameters);
    TY_ASSIGN_OR_RETURN(const double at, EvaluateAt(evaluate, parameters, outcome));
    const double slope_at = Dot(gradients_.get(), direction_.get(), count);
    const bool finite = std::isfinite(at) && std::isfinite(slope_at);
    return LinePoint{length, finite ? at : std::numeric_limits<double>::infinity(), slope_at};
  };
  const double largest = LargestMagnitude(direction_.get(), count);
  TY_ASSIGN_OR_RETURN(const LinePoint best,
                      StrongWolfeSearch({0, value, slope}, first, largest, probe));
  MoveTo(best.length, parameters);
  return !std::equal(parameters, parameters + count, previous_parameters_.get());
}

absl::StatusOr<Lbfgs::Outcome> Lbfgs::Impl::Step(double learning_rate, const Evaluate& evaluate,
                                                 std::span<float> parameters) {
  TY_CHECK(static_cast<int64_t>(parameters.size()) == parameter_count_);
  Outcome outcome;
  TY_ASSIGN_OR_RETURN(const double value, EvaluateAt(evaluate, parameters.data(), &outcome));
  outcome.loss = raw_loss_;
  outcome.gradient_norm = std::sqrt(Dot(gradients_.get(), gradients_.get(), parameter_count_));
  if (!std::isfinite(value) || !std::isfinite(outcome.gradient_norm)) return outcome;
  if (learning_rate == 0) {  // of a schedule, for now: no sign of an optimum
    outcome.moved = true;
    return outcome;
  }
  Remember(parameters.data());
  std::copy(parameters.begin(), parameters.end(), previous_parameters_.get());
  std::copy_n(gradients_.get(), parameter_count_, previous_gradients_.get());
  has_previous_ = true;
  // What the pairs know may mislead: without them the direction is that of steepest descent.
  do {
    SetDirection();
    TY_ASSIGN_OR_RETURN(outcome.moved,
                        Search(learning_rate, value, evaluate, parameters.data(), &outcome));
    if (outcome.moved || pairs_kept_ == 0) break;
    pairs_kept_ = 0;
    std::copy_n(previous_gradients_.get(), parameter_count_, gradients_.get());
  } while (true);
  if (!outcome.moved) has_previous_ = false;
  return outcome;
}

// Of the ring only the pairs that are kept: the first steps have few.
void Lbfgs::Impl::TransferState(StateArchive* archive) {
  const auto count = static_cast<size_t>(parameter_count_);
  archive->Count(&pairs_kept_);
  archive->Count(&newest_);
  archive->Value(&inverse_curvature_);
  archive->Value(&has_previous_);
  const bool possible = pairs_kept_ <= history_ && newest_ >= pairs_kept_;
  if (!archive->ok() || !possible) return archive->Fail();
  for (int64_t age = 0; age < pairs_kept_ && archive->ok(); ++age) {
    Pair& p = pair(age);
    archive->Value(&p.inverse);
    archive->Values(std::span(p.move.get(), count));
    archive->Values(std::span(p.change.get(), count));
  }
  archive->Values(std::span(previous_parameters_.get(), count));
  archive->Values(std::span(previous_gradients_.get(), count));
}

Lbfgs::Lbfgs(const OptimizerConfig& config, const ParameterTensors& tensors)
    : impl_(std::make_unique<Impl>(config, tensors)) {}
Lbfgs::~Lbfgs() = default;

absl::StatusOr<Lbfgs::Outcome> Lbfgs::Step(double learning_rate, const Evaluate& evaluate,
                                           std::span<float> parameters) {
  return impl_->Step(learning_rate, evaluate, parameters);
}
void Lbfgs::TransferState(StateArchive* archive) { impl_->TransferState(archive); }

}  // namespace trainyard
