// WithDefaults of OptimizerConfig: one row a kind.
#include "core/optim/optimizer.h"

namespace trainyard {
namespace {

// The kind with all its fields, and no other, set: also the answer to which field belongs where.
OptimizerConfig DefaultsOf(OptimizerKind kind) {
  switch (kind) {
    case OptimizerKind::kSgd:
      return {.learning_rate = 0.01, .momentum = 0, .nesterov = false, .dampening = 0};
    case OptimizerKind::kAdagrad:
      return {.learning_rate = 0.01, .epsilon = 1e-10, .learning_rate_decay = 0};
    case OptimizerKind::kAdadelta:
      return {.learning_rate = 1, .epsilon = 1e-6, .rho = 0.9};
    case OptimizerKind::kRmsProp:
      return {
          .learning_rate = 0.01, .momentum = 0, .epsilon = 1e-8, .rho = 0.99, .centered = false};
    case OptimizerKind::kUnspecified:
    case OptimizerKind::kAdam:
    case OptimizerKind::kAdamW:
    case OptimizerKind::kAmsGrad:
    case OptimizerKind::kRAdam:
      return {.learning_rate = 0.001, .beta1 = 0.9, .beta2 = 0.999, .epsilon = 1e-8};
    case OptimizerKind::kNAdam:
      return {.learning_rate = 0.002,
              .beta1 = 0.9,
              .beta2 = 0.999,
              .epsilon = 1e-8,
              .momentum_decay = 0.004};
    case OptimizerKind::kLion:
      return {.learning_rate = 0.0001, .beta1 = 0.9, .beta2 = 0.99};
    case OptimizerKind::kMuon:
      return {.learning_rate = 0.02,
              .momentum = 0.95,
              .beta1 = 0.9,
              .beta2 = 0.95,
              .epsilon = 1e-8,
              .nesterov = true,
              .secondary_learning_rate = 0.001};
    case OptimizerKind::kLbfgs:
      return {.learning_rate = 1, .history_size = 10};
  }
  return {};
}

template <typename T>
void SetIfAbsent(std::optional<T>& field, const std::optional<T>& value) {
  if (!field.has_value()) field = value;
}

}  // namespace

OptimizerConfig WithDefaults(const OptimizerConfig& config) {
  OptimizerConfig full = config;
  if (full.kind == OptimizerKind::kUnspecified) full.kind = OptimizerKind::kAdam;
  const OptimizerConfig defaults = DefaultsOf(full.kind);
  SetIfAbsent(full.learning_rate, defaults.learning_rate);
  SetIfAbsent(full.momentum, defaults.momentum);
  SetIfAbsent(full.beta1, defaults.beta1);
  SetIfAbsent(full.beta2, defaults.beta2);
  SetIfAbsent(full.epsilon, defaults.epsilon);
  SetIfAbsent(full.nesterov, defaults.nesterov);
  SetIfAbsent(full.dampening, defaults.dampening);
  SetIfAbsent(full.rho, defaults.rho);
  SetIfAbsent(full.centered, defaults.centered);
  SetIfAbsent(full.learning_rate_decay, defaults.learning_rate_decay);
  SetIfAbsent(full.momentum_decay, defaults.momentum_decay);
  SetIfAbsent(full.history_size, defaults.history_size);
  SetIfAbsent(full.secondary_learning_rate, defaults.secondary_learning_rate);
  if (!full.weight_decay) full.weight_decay = full.kind == OptimizerKind::kAdamW ? 0.01 : 0;
  return full;
}

}  // namespace trainyard
