#include "core/optim/schedule.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>

#include "core/base/check.h"

namespace trainyard {
namespace {

// PyTorch's div_factor and final_div_factor of OneCycleLR.
constexpr double kOneCycleStartDivisor = 25;
constexpr double kOneCycleEndDivisor = 25e4;
// PyTorch's threshold and eps of ReduceLROnPlateau.
constexpr double kPlateauThreshold = 1e-4;
constexpr double kPlateauSmallestChange = 1e-8;

bool CountsEpochs(ScheduleKind kind) {
  return kind == ScheduleKind::kStep || kind == ScheduleKind::kMultiStep ||
         kind == ScheduleKind::kExponential;
}

// The units of a run that are left to the schedule itself.
int64_t UnitsOf(const ScheduleConfig& config, const RunLength& length) {
  if (config.unit == ScheduleUnit::kEpochs) {
    return std::max<int64_t>(length.epochs - WarmupEpochs(config, length.steps_per_epoch), 1);
  }
  return std::max<int64_t>(length.steps - *config.warmup_steps, 1);
}

template <typename T, typename U>
void SetIfAbsent(std::optional<T>& field, U value) {
  if (!field.has_value()) field = static_cast<T>(value);
}

// From `from` at ratio 0 to `to` at ratio 1 along half a wave.
double CosineBetween(double from, double to, double ratio) {
  return to + (from - to) * (1 + std::cos(std::numbers::pi * ratio)) / 2;
}

double PolynomialAt(const ScheduleConfig& config, double alpha, double t) {
  const double rest = 1 - std::min(t / static_cast<double>(*config.period), 1.0);
  const double final = *config.final_learning_rate;
  return (alpha - final) * std::pow(rest, *config.power) + final;
}

double CosineAt(const ScheduleConfig& config, double alpha, double t) {
  const double ratio = std::min(t / static_cast<double>(*config.period), 1.0);
  return CosineBetween(alpha, *config.final_learning_rate, ratio);
}

double CosineRestartsAt(const ScheduleConfig& config, double alpha, double t) {
  double length = static_cast<double>(*config.period);
  const auto factor = static_cast<double>(*config.period_factor);
  if (*config.period_factor == 1) {
    return CosineBetween(alpha, *config.final_learning_rate, std::fmod(t, length) / length);
  }
  double begin = 0;
  while (t >= begin + length) {
    begin += length;
    length *= factor;
  }
  return CosineBetween(alpha, *config.final_learning_rate, (t - begin) / length);
}

// The borders are those of PyTorch's OneCycleLR, whose first and last step are numbers 0 and
// period - 1.
double OneCycleAt(const ScheduleConfig& config, double alpha, double t) {
  const auto period = static_cast<double>(*config.period);
  const double top = *config.warm_fraction * period - 1;
  const double end = period - 1;
  const double low = alpha / kOneCycleStartDivisor;
  if (top > 0 && t <= top) return CosineBetween(low, alpha, t / top);
  const double ratio = end > top ? std::min((t - top) / (end - top), 1.0) : 1;
  return CosineBetween(alpha, alpha / kOneCycleEndDivisor, ratio);
}

double CyclicAt(const ScheduleConfig& config, double alpha, double t) {
  const auto period = static_cast<double>(*config.period);
  const double position = std::fmod(t, 2 * period) / period;  // [0, 2)
  const double height = position <= 1 ? position : 2 - position;
  return *config.final_learning_rate + (alpha - *config.final_learning_rate) * height;
}

double MultiStepAt(const ScheduleConfig& config, double alpha, int64_t t) {
  const auto passed = std::upper_bound(config.milestones.begin(), config.milestones.end(), t);
  return alpha * std::pow(*config.gamma, passed - config.milestones.begin());
}

// Without warm-up, at `t` units.
double ScheduledAt(const ScheduleConfig& config, double alpha, int64_t t) {
  const auto time = static_cast<double>(t);
  switch (config.kind) {
    case ScheduleKind::kStep:
      return alpha * std::pow(*config.gamma, static_cast<double>(t / *config.period));
    case ScheduleKind::kMultiStep:
      return MultiStepAt(config, alpha, t);
    case ScheduleKind::kExponential:
      return alpha * std::pow(*config.gamma, time);
    case ScheduleKind::kPolynomial:
      return PolynomialAt(config, alpha, time);
    case ScheduleKind::kCosine:
      return CosineAt(config, alpha, time);
    case ScheduleKind::kCosineRestarts:
      return CosineRestartsAt(config, alpha, time);
    case ScheduleKind::kOneCycle:
      return OneCycleAt(config, alpha, time);
    case ScheduleKind::kCyclic:
      return CyclicAt(config, alpha, time);
    case ScheduleKind::kUnspecified:
    case ScheduleKind::kConstant:
    case ScheduleKind::kReduceOnPlateau:
      break;
  }
  return alpha;
}

void SetKindDefaults(double learning_rate, const RunLength& length, ScheduleConfig* config) {
  const int64_t whole = UnitsOf(*config, length);
  const int64_t tenth = std::max<int64_t>(whole / 10, 1);
  switch (config->kind) {
    case ScheduleKind::kStep:
      SetIfAbsent(config->period, 10);
      [[fallthrough]];
    case ScheduleKind::kMultiStep:
      return SetIfAbsent(config->gamma, 0.1);
    case ScheduleKind::kExponential:
      return SetIfAbsent(config->gamma, 0.95);
    case ScheduleKind::kPolynomial:
      SetIfAbsent(config->power, 1);
      [[fallthrough]];
    case ScheduleKind::kCosine:
      SetIfAbsent(config->period, whole);
      return SetIfAbsent(config->final_learning_rate, 0);
    case ScheduleKind::kCosineRestarts:
      SetIfAbsent(config->period, tenth);
      SetIfAbsent(config->period_factor, 1);
      return SetIfAbsent(config->final_learning_rate, 0);
    case ScheduleKind::kOneCycle:
      SetIfAbsent(config->period, whole);
      return SetIfAbsent(config->warm_fraction, 0.3);
    case ScheduleKind::kCyclic:
      SetIfAbsent(config->period, tenth);
      return SetIfAbsent(config->final_learning_rate, learning_rate / 10);
    case ScheduleKind::kReduceOnPlateau:
      SetIfAbsent(config->gamma, 0.1);
      SetIfAbsent(config->patience, 10);
      if (config->metric.empty()) config->metric = "loss";
      return SetIfAbsent(config->final_learning_rate, 0);
    case ScheduleKind::kUnspecified:
    case ScheduleKind::kConstant:
      return;
  }
}

}  // namespace

int64_t WarmupEpochs(const ScheduleConfig& config, int64_t steps_per_epoch) {
  return steps_per_epoch > 0 ? config.warmup_steps.value_or(0) / steps_per_epoch : 0;
}

ScheduleConfig WithDefaults(const ScheduleConfig& config, double learning_rate,
                            const RunLength& length) {
  ScheduleConfig full = config;
  if (full.kind == ScheduleKind::kUnspecified) full.kind = ScheduleKind::kConstant;
  if (full.unit == ScheduleUnit::kUnspecified) {
    full.unit = CountsEpochs(full.kind) ? ScheduleUnit::kEpochs : ScheduleUnit::kSteps;
  }
  SetIfAbsent(full.warmup_steps, 0);
  SetKindDefaults(learning_rate, length, &full);
  return full;
}

double LearningRateAt(const ScheduleConfig& config, double learning_rate,
                      const ScheduleTime& time) {
  TY_CHECK(time.step >= 0);
  TY_CHECK(time.epoch >= 0);
  const int64_t warmup = *config.warmup_steps;
  const bool epochs = config.unit == ScheduleUnit::kEpochs;
  if (time.step < warmup) {
    const double ratio = static_cast<double>(time.step + 1) / static_cast<double>(warmup + 1);
    return ScheduledAt(config, learning_rate, 0) * ratio * time.plateau_factor;
  }
  const int64_t t = epochs ? time.epoch : time.step - warmup;
  return ScheduledAt(config, learning_rate, t) * time.plateau_factor;
}

PlateauTracker::PlateauTracker(const ScheduleConfig& config, double learning_rate,
                               bool higher_is_better)
    : active_(config.kind == ScheduleKind::kReduceOnPlateau),
      gamma_(config.gamma.value_or(1)),
      patience_(config.patience.value_or(0)),
      lowest_(config.final_learning_rate.value_or(0)),
      learning_rate_(learning_rate),
      higher_is_better_(higher_is_better),
      best_(higher_is_better ? -std::numeric_limits<double>::infinity()
                             : std::numeric_limits<double>::infinity()) {}

void PlateauTracker::Add(double value) {
  if (!active_) return;
  const bool better = higher_is_better_ ? value > best_ * (1 + kPlateauThreshold)
                                        : value < best_ * (1 - kPlateauThreshold);
  if (better) {
    best_ = value;
    bad_count_ = 0;
    return;
  }
  if (++bad_count_ <= patience_) return;
  bad_count_ = 0;
  const double before = learning_rate_ * factor_;
  const double after = std::max(before * gamma_, lowest_);
  if (before - after > kPlateauSmallestChange) factor_ = after / learning_rate_;
}

void PlateauTracker::TransferState(StateArchive* archive) {
  archive->Value(&factor_);
  archive->Value(&best_);
  archive->Count(&bad_count_);
}

}  // namespace trainyard
