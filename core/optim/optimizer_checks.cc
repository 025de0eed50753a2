#include "core/optim/optimizer_checks.h"

#include <cmath>
#include <limits>
#include <optional>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/string_view.h"
#include "core/base/limits.h"
#include "core/data/number.h"

namespace trainyard {
namespace {

using Violations = std::vector<FieldViolation>;

constexpr double kRateMax = 1e6;          // of learning rates, λ and other coefficients
constexpr double kBoundMax = 1e30;        // of norms and values to clip at
constexpr int64_t kHistorySizeMax = 100;  // of L-BFGS
constexpr size_t kMilestonesMax = 1000;
constexpr int64_t kPeriodFactorMax = std::numeric_limits<int32_t>::max();

constexpr OptimizerKind kOptimizerKinds[] = {
    OptimizerKind::kSgd,      OptimizerKind::kAdam,    OptimizerKind::kAdagrad,
    OptimizerKind::kAdadelta, OptimizerKind::kRmsProp, OptimizerKind::kAdamW,
    OptimizerKind::kAmsGrad,  OptimizerKind::kNAdam,   OptimizerKind::kRAdam,
    OptimizerKind::kLion,     OptimizerKind::kMuon,    OptimizerKind::kLbfgs};
constexpr ScheduleKind kScheduleKinds[] = {
    ScheduleKind::kConstant,       ScheduleKind::kStep,       ScheduleKind::kMultiStep,
    ScheduleKind::kExponential,    ScheduleKind::kPolynomial, ScheduleKind::kCosine,
    ScheduleKind::kCosineRestarts, ScheduleKind::kOneCycle,   ScheduleKind::kCyclic,
    ScheduleKind::kReduceOnPlateau};

absl::string_view NameOf(OptimizerKind kind) {
  constexpr absl::string_view kNames[] = {
      "KIND_UNSPECIFIED", "SGD",   "ADAM",  "ADAGRAD", "ADADELTA", "RMSPROP", "ADAMW",
      "AMSGRAD",          "NADAM", "RADAM", "LION",    "MUON",     "LBFGS"};
  return kNames[static_cast<size_t>(kind)];
}

absl::string_view NameOf(ScheduleKind kind) {
  constexpr absl::string_view kNames[] = {"KIND_UNSPECIFIED", "CONSTANT",         "STEP",
                                          "MULTI_STEP",       "EXPONENTIAL",      "POLYNOMIAL",
                                          "COSINE",           "COSINE_RESTARTS",  "ONE_CYCLE",
                                          "CYCLIC",           "REDUCE_ON_PLATEAU"};
  return kNames[static_cast<size_t>(kind)];
}

std::string Text(double value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value > 0 ? "infinity" : "-infinity";
  return NumberText(value);
}
std::string Text(int64_t value) { return absl::StrCat(value); }
std::string Text(bool value) { return value ? "true" : "false"; }

// The numbers a field may have. NaN is in no range.
struct Range {
  double min = 0;
  double max = 0;
  bool min_in = true;
  bool max_in = true;
  absl::string_view words;

  bool Has(double value) const {
    return (min_in ? value >= min : value > min) && (max_in ? value <= max : value < max);
  }
};
// Smaller numbers are 0 as float32.
constexpr double kSmallestPositive = 1e-30;
constexpr Range kPositiveRate = {kSmallestPositive, kRateMax, true, true,
                                 "above 0 (1e-30 or more) and at most 1e6"};
constexpr Range kCoefficient = {0, kRateMax, true, true, "at least 0 and at most 1e6"};
constexpr Range kDecay = {0, 1, true, false, "at least 0 and below 1"};
constexpr Range kToOne = {0, 1, false, true, "above 0 and at most 1"};
constexpr Range kInsideOne = {0, 1, false, false, "above 0 and below 1"};
constexpr Range kBound = {kSmallestPositive, kBoundMax, true, true,
                          "above 0 (1e-30 or more) and at most 1e30"};

template <typename Config>
struct NumberField {
  absl::string_view name;
  std::optional<double> Config::*field;
  Range range;
  absl::string_view remedy;
};

constexpr NumberField<OptimizerConfig> kOptimizerNumbers[] = {
    {"learning_rate", &OptimizerConfig::learning_rate, kPositiveRate,
     "0.001 is usual for ADAM, 0.01 for SGD"},
    {"momentum", &OptimizerConfig::momentum, kDecay, "0.9 is usual"},
    {"beta1", &OptimizerConfig::beta1, kDecay, "0.9 is usual"},
    {"beta2", &OptimizerConfig::beta2, kDecay, "0.999 is usual"},
    {"epsilon", &OptimizerConfig::epsilon, kToOne, "1e-8 is usual"},
    {"weight_decay", &OptimizerConfig::weight_decay, kCoefficient, "1e-4 is usual, 0 turns it off"},
    {"dampening", &OptimizerConfig::dampening, kDecay, "0 turns it off"},
    {"rho", &OptimizerConfig::rho, kDecay, "0.99 is usual for RMSPROP, 0.9 for ADADELTA"},
    {"learning_rate_decay", &OptimizerConfig::learning_rate_decay, kCoefficient, "0 turns it off"},
    {"momentum_decay", &OptimizerConfig::momentum_decay, kCoefficient, "0.004 is usual"},
    {"secondary_learning_rate", &OptimizerConfig::secondary_learning_rate, kPositiveRate,
     "0.001 is usual"},
};

// Of every kind that takes one step per gradient.
constexpr NumberField<OptimizerConfig> kGradientNumbers[] = {
    {"max_norm", &OptimizerConfig::max_norm, kBound, "3 is usual, leave it out for no limit"},
    {"clip_norm", &OptimizerConfig::clip_norm, kBound, "1 is usual, leave it out for no limit"},
    {"clip_value", &OptimizerConfig::clip_value, kBound, "1 is usual, leave it out for no limit"},
    {"gradient_noise", &OptimizerConfig::gradient_noise, kCoefficient,
     "0.01 is usual, 0 turns it off"},
    {"ema_decay", &OptimizerConfig::ema_decay, kDecay, "0.999 is usual, leave it out for none"},
};

constexpr NumberField<ScheduleConfig> kScheduleNumbers[] = {
    {"gamma", &ScheduleConfig::gamma, kToOne, "0.1 is usual, 0.95 for EXPONENTIAL"},
    {"power", &ScheduleConfig::power, kPositiveRate, "1 is a straight line"},
    {"warm_fraction", &ScheduleConfig::warm_fraction, kInsideOne, "0.3 is usual"},
};

void CheckRange(absl::string_view path, double value, const Range& range, absl::string_view remedy,
                Violations* violations) {
  if (range.Has(value)) return;
  violations->push_back({std::string(path), absl::StrCat("is ", Text(value), "; must be ",
                                                         range.words, ": ", remedy)});
}

std::string OwnerFault(absl::string_view what, absl::string_view kind, absl::string_view name,
                       const std::vector<absl::string_view>& owners) {
  return absl::StrCat(" but the ", what, " is ", kind, ", which has no ", name,
                      ": leave it out, or choose kind ", absl::StrJoin(owners, " or "));
}

// The kinds that set the field in WithDefaults: those it belongs to.
template <typename T>
std::vector<absl::string_view> OwnersOf(std::optional<T> OptimizerConfig::*field) {
  std::vector<absl::string_view> owners;
  for (const OptimizerKind kind : kOptimizerKinds) {
    if ((WithDefaults(OptimizerConfig{.kind = kind}).*field).has_value())
      owners.push_back(NameOf(kind));
  }
  return owners;
}

template <typename T>
std::vector<absl::string_view> OwnersOf(std::optional<T> ScheduleConfig::*field) {
  std::vector<absl::string_view> owners;
  for (const ScheduleKind kind : kScheduleKinds) {
    const ScheduleConfig full = WithDefaults(ScheduleConfig{.kind = kind}, 1, {});
    if ((full.*field).has_value()) owners.push_back(NameOf(kind));
  }
  return owners;
}

// Whether a field that was given belongs to the kind; a fault otherwise.
template <typename Config, typename T>
bool CheckOwner(absl::string_view what, absl::string_view name, const Config& config,
                const Config& defaults, std::optional<T> Config::*field, Violations* violations) {
  if ((defaults.*field).has_value()) return true;
  const std::string fault = OwnerFault(what, NameOf(defaults.kind), name, OwnersOf(field));
  violations->push_back(
      {absl::StrCat(what, ".", name), absl::StrCat("is ", Text(*(config.*field)), fault)});
  return false;
}

// Every number of the table that was given: belongs to the kind, and in its range.
template <typename Config, size_t kCount>
void CheckNumbers(absl::string_view what, const NumberField<Config> (&fields)[kCount],
                  const Config& config, const Config& defaults, Violations* violations) {
  for (const NumberField<Config>& entry : fields) {
    const std::optional<double>& value = config.*(entry.field);
    if (!value.has_value()) continue;
    if (!CheckOwner(what, entry.name, config, defaults, entry.field, violations)) continue;
    CheckRange(absl::StrCat(what, ".", entry.name), *value, entry.range, entry.remedy, violations);
  }
}

template <typename Config, typename T>
bool CheckOwnerIfSet(absl::string_view what, absl::string_view name, const Config& config,
                     const Config& defaults, std::optional<T> Config::*field,
                     Violations* violations) {
  if (!(config.*field).has_value()) return true;
  return CheckOwner(what, name, config, defaults, field, violations);
}

// A count that belongs to the kind, and is in [min, max].
template <typename Config>
void CheckCount(absl::string_view what, absl::string_view name, const Config& config,
                const Config& defaults, std::optional<int64_t> Config::*field, int64_t min,
                int64_t max, absl::string_view remedy, Violations* violations) {
  const std::optional<int64_t>& value = config.*field;
  if (!CheckOwnerIfSet(what, name, config, defaults, field, violations)) return;
  if (!value.has_value() || (*value >= min && *value <= max)) return;
  violations->push_back(
      {absl::StrCat(what, ".", name),
       absl::StrCat("is ", *value, "; must be from ", min, " to ", max, ": ", remedy)});
}

// What is done to a gradient once a step, or to the weights after it, has no place in a line
// search.
void CheckGradientNumbers(const OptimizerConfig& config, bool lbfgs, Violations* violations) {
  for (const NumberField<OptimizerConfig>& entry : kGradientNumbers) {
    const std::optional<double>& value = config.*(entry.field);
    if (!value.has_value()) continue;
    const std::string path = absl::StrCat("optimizer.", entry.name);
    CheckRange(path, *value, entry.range, entry.remedy, violations);
    if (!lbfgs || !entry.range.Has(*value) || *value == 0) continue;
    violations->push_back(
        {path, absl::StrCat("is ", Text(*value), " but the optimizer is LBFGS, which has no ",
                            entry.name, ": leave it out, or choose another kind")});
  }
}

// SGD's forms that need a momentum, and exclude each other.
void CheckSgdForms(const OptimizerConfig& full, Violations* violations) {
  if (full.kind != OptimizerKind::kSgd) return;
  const bool has_momentum = *full.momentum > 0;
  if (*full.nesterov && !has_momentum) {
    violations->push_back({"optimizer.nesterov",
                           "is true but momentum is 0; Nesterov's form is one of momentum: set "
                           "optimizer.momentum, e.g. to 0.9, or leave nesterov out"});
  }
  if (*full.dampening > 0 && !has_momentum) {
    violations->push_back(
        {"optimizer.dampening",
         absl::StrCat("is ", Text(*full.dampening),
                      " but momentum is 0, so there is nothing to dampen: set "
                      "optimizer.momentum, e.g. to 0.9, or leave dampening out")});
  }
  if (!*full.nesterov || !has_momentum || !(*full.dampening > 0)) return;
  violations->push_back(
      {"optimizer.dampening", absl::StrCat("is ", Text(*full.dampening),
                                           " together with nesterov, which must have dampening 0: "
                                           "leave one of the two out")});
}

void CheckMilestones(const ScheduleConfig& config, Violations* violations) {
  const std::vector<int64_t>& milestones = config.milestones;
  if (config.kind != ScheduleKind::kMultiStep) {
    if (milestones.empty()) return;
    violations->push_back(
        {"schedule.milestones", absl::StrCat("has ", milestones.size(),
                                             " entries but the schedule is ", NameOf(config.kind),
                                             ", which has no milestones: leave them out, or choose "
                                             "kind MULTI_STEP")});
    return;
  }
  if (milestones.empty() || milestones.size() > kMilestonesMax) {
    violations->push_back(
        {"schedule.milestones",
         absl::StrCat("has ", milestones.size(), " entries; must have from 1 to ", kMilestonesMax,
                      ": the epochs or steps at which the learning rate drops, e.g. [30, 60]")});
  }
  for (size_t i = 0; i < milestones.size(); ++i) {
    const int64_t least = i == 0 ? 0 : milestones[i - 1] + 1;
    if (milestones[i] >= least && milestones[i] <= limits::kMaxStepsMax) continue;
    violations->push_back({absl::StrCat("schedule.milestones[", i, "]"),
                           absl::StrCat("is ", milestones[i], "; must be from ", least, " to ",
                                        limits::kMaxStepsMax, ": list them in ascending order")});
    return;
  }
}

void CheckPlateauAndUnit(const ScheduleConfig& config, Violations* violations) {
  const bool plateau = config.kind == ScheduleKind::kReduceOnPlateau;
  if (plateau && config.gamma == 1) {
    violations->push_back({"schedule.gamma",
                           "is 1 with REDUCE_ON_PLATEAU, which would reduce nothing; must be below "
                           "1: 0.1 is usual"});
  }
  const bool counts = !plateau && config.kind != ScheduleKind::kConstant;
  if (counts || config.unit != ScheduleUnit::kEpochs) return;
  violations->push_back(
      {"schedule.unit", absl::StrCat("is EPOCHS but the schedule is ", NameOf(config.kind),
                                     ", which counts neither epochs nor steps: leave it out")});
}

void CheckFinalLearningRate(const ScheduleConfig& config, const ScheduleConfig& defaults,
                            double learning_rate, Violations* violations) {
  const std::optional<double>& value = config.final_learning_rate;
  if (!value.has_value()) return;
  if (!CheckOwner("schedule", "final_learning_rate", config, defaults,
                  &ScheduleConfig::final_learning_rate, violations)) {
    return;
  }
  // A learning rate out of range has a fault of its own; it says nothing about this field.
  const double max = learning_rate > 0 ? learning_rate : kRateMax;
  const std::string words = absl::StrCat("from 0 to optimizer.learning_rate, ", Text(max));
  CheckRange("schedule.final_learning_rate", *value, {.min = 0, .max = max, .words = words},
             "0 is usual", violations);
}

}  // namespace

void CheckOptimizer(const OptimizerConfig& config, std::vector<FieldViolation>* violations) {
  const OptimizerConfig defaults = WithDefaults(OptimizerConfig{.kind = config.kind});
  CheckNumbers("optimizer", kOptimizerNumbers, config, defaults, violations);
  CheckOwnerIfSet("optimizer", "nesterov", config, defaults, &OptimizerConfig::nesterov,
                  violations);
  CheckOwnerIfSet("optimizer", "centered", config, defaults, &OptimizerConfig::centered,
                  violations);
  CheckCount("optimizer", "history_size", config, defaults, &OptimizerConfig::history_size, 1,
             kHistorySizeMax, "10 is usual", violations);
  if (config.l1) {
    CheckRange("optimizer.l1", *config.l1, kCoefficient, "1e-4 is usual, 0 turns it off",
               violations);
  }
  CheckGradientNumbers(config, defaults.kind == OptimizerKind::kLbfgs, violations);
  CheckSgdForms(WithDefaults(config), violations);
}

void CheckSchedule(const ScheduleConfig& config, double learning_rate,
                   std::vector<FieldViolation>* violations) {
  ScheduleConfig given = config;
  if (given.kind == ScheduleKind::kUnspecified) given.kind = ScheduleKind::kConstant;
  const ScheduleConfig defaults = WithDefaults(ScheduleConfig{.kind = given.kind}, 1, {});
  CheckNumbers("schedule", kScheduleNumbers, given, defaults, violations);
  CheckCount("schedule", "period", given, defaults, &ScheduleConfig::period, 1,
             limits::kMaxStepsMax, "leave it out for the default of the kind", violations);
  CheckCount("schedule", "period_factor", given, defaults, &ScheduleConfig::period_factor, 1,
             kPeriodFactorMax, "1 or 2 is usual", violations);
  CheckCount("schedule", "patience", given, defaults, &ScheduleConfig::patience, 0,
             limits::kPatienceMax, "10 is usual", violations);
  CheckCount("schedule", "warmup_steps", given, defaults, &ScheduleConfig::warmup_steps, 0,
             limits::kMaxStepsMax, "0 turns it off", violations);
  CheckMilestones(given, violations);
  CheckFinalLearningRate(given, defaults, learning_rate, violations);
  CheckPlateauAndUnit(given, violations);
  if (given.metric.empty() || given.kind == ScheduleKind::kReduceOnPlateau) return;
  violations->push_back(
      {"schedule.metric",
       absl::StrCat("is \"", given.metric, "\" but the schedule is ", NameOf(given.kind),
                    ", which has no metric: leave it out, or choose kind REDUCE_ON_PLATEAU")});
}

}  // namespace trainyard
