#include "core/train/stepper.h"

#include <algorithm>
#include <cmath>
#include <new>
#include <span>
#include <system_error>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "core/base/check.h"
#include "core/base/error_info.h"
#include "core/base/status_macros.h"
#include "core/data/number.h"
#include "core/nn/init.h"
#include "core/tensor/kernels.h"
#include "core/tensor/vector_ops.h"
#include "core/train/config_checks.h"
#include "core/train/evaluate.h"
#include "core/train/layer_monitor.h"

namespace trainyard {
namespace {

absl::Status CheckTargets(const TrainConfig& config, const Dataset& dataset) {
  const bool classes = !dataset.train.classes.empty();
  const bool multiclass = config.data.task == Task::kMulticlass;
  const bool one_output = dataset.output_count() == 1 || config.data.task == Task::kMultilabel;
  const bool fits = LossFits(config.loss.kind, config.data.task);
  if (fits && classes == multiclass && (multiclass || one_output)) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("loss ", static_cast<int>(config.loss.kind),
                                                 " does not fit a dataset with ",
                                                 dataset.output_count(), " outputs"));
}

// The Poisson loss needs counts.
absl::Status CheckTargetValues(const TrainConfig& config, const Dataset& dataset) {
  for (const Part* part : {&dataset.train, &dataset.validation, &dataset.test}) {
    if (config.data.task != Task::kRegression) continue;
    const int64_t row = FirstUnfitTarget(config.loss.kind, part->targets.data(), part->rows());
    if (row < 0) continue;
    return MakeViolationsError(
        ErrorReason::kInvalidSpec,
        {{"spec.loss",
          absl::StrCat("is POISSON but \"", config.data.target_column, "\" has the value ",
                       NumberText(part->targets[static_cast<size_t>(row)]),
                       "; every target must be 0 or more: mend the data, or choose "
                       "MEAN_SQUARED_ERROR")}});
  }
  return absl::OkStatus();
}

// Training rows that all weigh 0 have no loss and no gradient.
absl::Status CheckClassesCount(const TrainConfig& config, const Dataset& dataset) {
  if (config.class_weights.by_name.empty()) return absl::OkStatus();
  const double weight = BatchWeight(LossConfigOf(config, dataset), TargetsOf(dataset.train),
                                    dataset.train.rows(), dataset.output_count());
  if (weight > 0) return absl::OkStatus();
  return MakeViolationsError(
      ErrorReason::kInvalidSpec,
      {{"spec.loss_options.class_weights",
        absl::StrCat("are 0 for all classes of the ", dataset.train.rows(),
                     " training rows, so there is nothing to learn from: give one a weight above "
                     "0")}});
}

// Names that the schema did not list are compared with the classes only here.
absl::Status CheckClassNames(const TrainConfig& config, const Dataset& dataset) {
  std::vector<FieldViolation> violations;
  for (const auto& [name, weight] : config.class_weights.by_name) {
    const std::vector<std::string>& classes = dataset.classes;
    if (std::find(classes.begin(), classes.end(), name) != classes.end()) continue;
    violations.push_back({absl::StrCat("spec.loss_options.class_weights[\"", name, "\"]"),
                          absl::StrCat("is no class of \"", config.data.target_column,
                                       "\": name the classes as the table does")});
  }
  if (violations.empty()) return absl::OkStatus();
  return MakeViolationsError(ErrorReason::kInvalidSpec, std::move(violations));
}

// How many rows a split by groups leaves for training is known only here.
absl::Status CheckBatchesFit(const TrainConfig& config, const Dataset& dataset) {
  std::vector<FieldViolation> violations;
  CheckBatches(config, dataset.train.rows(), &violations);
  if (violations.empty()) return absl::OkStatus();
  for (FieldViolation& violation : violations) {
    violation.field = absl::StrCat("spec.", violation.field);
  }
  return MakeViolationsError(ErrorReason::kInvalidSpec, std::move(violations));
}

absl::Status CheckFits(const TrainConfig& config, const Dataset& dataset) {
  if (dataset.train.rows() == 0) {
    return absl::InvalidArgumentError("the dataset has no training rows");
  }
  if (!SupportsPrecision(config.precision)) {
    return MakeViolationsError(
        ErrorReason::kInvalidSpec,
        {{"spec.precision",
          "is BF16 but the CPU of the worker has no bfloat16 arithmetic: leave it out for FP32"}});
  }
  TY_RETURN_IF_ERROR(CheckBatchesFit(config, dataset));
  TY_RETURN_IF_ERROR(CheckTargets(config, dataset));
  TY_RETURN_IF_ERROR(CheckTargetValues(config, dataset));
  TY_RETURN_IF_ERROR(CheckClassNames(config, dataset));
  return CheckClassesCount(config, dataset);
}

BatchSizes BatchSizesOf(const TrainConfig& config, const Dataset& dataset) {
  const int64_t rows = dataset.train.rows();
  const int64_t batch = std::min(config.batch_size, rows);
  BatchSizes sizes{.train = {batch}};
  if (rows % batch > 0) sizes.train.push_back(rows % batch);
  for (const Part* part : {&dataset.validation, &dataset.test}) {
    for (const int64_t size : EvalBatchSizes(part->rows())) sizes.forward.push_back(size);
  }
  const int64_t watched = LayerMonitor::RowCount(config, rows);
  if (watched > 0) sizes.forward.push_back(watched);
  return sizes;
}

absl::Status DoesNotFit(std::string field, std::string description) {
  return MakeViolationsError(ErrorReason::kInvalidSpec,
                             {{std::move(field), std::move(description)}});
}

// What could not be checked before the training rows had said how many features there are.
absl::Status CheckFirstLayer(const MlpConfig& shape) {
  if (shape.layers.empty()) return absl::OkStatus();
  const LayerConfig& first = shape.layers[0];
  if (!first.residual || first.units == shape.features) return absl::OkStatus();
  return DoesNotFit(
      "layers[0].residual",
      absl::StrCat("is true for a layer of ", first.units, " units, and the training rows make ",
                   shape.features, " features; use as many units, or leave residual out"));
}

// The weights a user gave. Gains of a normalisation start at one, shifts at zero.
absl::StatusOr<MlpWeights> GivenWeights(const MlpConfig& shape,
                                        const std::vector<InitialLayerConfig>& given) {
  MlpWeights weights = ZeroWeights(shape);
  if (given.size() != weights.size())
    return DoesNotFit("initial_weights", "are not as many as the layers");
  for (size_t i = 0; i < weights.size(); ++i) {
    const size_t expected = weights[i].weights.size();
    if (given[i].weights.size() != expected) {
      return DoesNotFit(absl::StrCat("initial_weights[", i, "].weights"),
                        absl::StrCat("has ", given[i].weights.size(), " values; must have ",
                                     expected, ", as there are ", shape.features, " features"));
    }
    weights[i].weights = given[i].weights;
    if (!given[i].biases.empty()) weights[i].biases = given[i].biases;
  }
  return weights;
}

absl::Status LoadInitial(const TrainConfig& config, const MlpWeights* initial, Mlp* network) {
  if (initial != nullptr) return network->LoadWeights(*initial);
  if (config.initial_weights.empty()) {
    return network->LoadWeights(InitialWeights(network->config(), config.seed));
  }
  TY_ASSIGN_OR_RETURN(const MlpWeights given,
                      GivenWeights(network->config(), config.initial_weights));
  return network->LoadWeights(given);
}

absl::StatusOr<std::unique_ptr<Shards>> BuildShards(const TrainConfig& config,
                                                    const Dataset& dataset,
                                                    const MlpWeights* initial,
                                                    const Kernels* kernels) {
  const MlpConfig shape = MlpConfigOf(config, dataset.feature_count(), dataset.output_count());
  TY_RETURN_IF_ERROR(CheckFirstLayer(shape));
  const std::unique_ptr<Kernels> fast = CreateFastKernels();
  TY_ASSIGN_OR_RETURN(
      std::unique_ptr<Shards> shards,
      Shards::Create(shape, kernels != nullptr ? *kernels : *fast, BatchSizesOf(config, dataset),
                     LossConfigOf(config, dataset), config.threads));
  TY_RETURN_IF_ERROR(LoadInitial(config, initial, &shards->network()));
  return shards;
}

absl::Status OutOfMemoryError(const TrainConfig& config, const Dataset& dataset) {
  const MlpConfig shape = MlpConfigOf(config, dataset.feature_count(), dataset.output_count());
  return MakeError(
      absl::StatusCode::kResourceExhausted,
      absl::StrCat("no memory for a network of ", ParameterCount(shape),
                   " parameters at batch_size ", std::min(config.batch_size, dataset.train.rows())),
      {.reason = ErrorReason::kOutOfMemory,
       .hint = "use fewer or narrower layers, or a smaller batch_size",
       .in_force = absl::StrCat(config.layers.size(), " hidden layers, batch_size ",
                                config.batch_size, ", threads ", config.threads)});
}

LossTargets TargetsOf(const Batch& batch) {
  return {.values = batch.targets, .classes = batch.classes, .weights = batch.weights};
}

}  // namespace

void StepOutcome::TransferState(StateArchive* archive) {
  archive->Value(&loss);
  archive->Value(&gradient_norm);
  archive->Value(&weight);
  archive->Count(&rows);
  archive->Value(&finite);
  archive->Value(&moved);
}

absl::StatusOr<std::unique_ptr<Stepper>> Stepper::Create(const TrainConfig& config,
                                                         const Dataset& dataset,
                                                         const MlpWeights* initial,
                                                         const Kernels* kernels) {
  TY_RETURN_IF_ERROR(CheckFits(config, dataset));
  try {
    TY_ASSIGN_OR_RETURN(std::unique_ptr<Shards> shards,
                        BuildShards(config, dataset, initial, kernels));
    return std::unique_ptr<Stepper>(new Stepper(config, dataset, std::move(shards)));
  } catch (const std::bad_alloc&) {
    return OutOfMemoryError(config, dataset);
  } catch (const std::system_error&) {  // no more threads
    return OutOfMemoryError(config, dataset);
  }
}

Stepper::Stepper(const TrainConfig& config, const Dataset& dataset, std::unique_ptr<Shards> shards)
    : loss_(LossConfigOf(config, dataset)),
      seed_(config.seed),
      accumulation_steps_(config.accumulation_steps),
      steps_per_epoch_(StepsPerEpoch(config, dataset.train.rows())),
      outputs_(dataset.output_count()),
      shards_(std::move(shards)),
      batcher_(dataset.train, config.batch_size, config.seed) {
  const ParameterTensors& tensors = network().tensors();
  if (config.optimizer.kind == OptimizerKind::kLbfgs) {
    lbfgs_ = std::make_unique<Lbfgs>(config.optimizer, tensors);
  } else {
    optimizer_ = std::make_unique<Optimizer>(config.optimizer, tensors, config.seed);
  }
  if (accumulation_steps_ > 1) accumulated_.resize(network().gradients().size());
}

absl::StatusOr<StepOutcome> Stepper::Step(double learning_rate) {
  if (lbfgs_ != nullptr) return StepLbfgs(learning_rate);
  StepOutcome outcome;
  TY_RETURN_IF_ERROR(Compute(&outcome));
  Mlp& mlp = network();
  outcome.gradient_norm = optimizer_->PrepareGradients(mlp.gradients());
  outcome.finite = std::isfinite(outcome.loss) && std::isfinite(outcome.gradient_norm);
  if (!outcome.finite) return outcome;
  optimizer_->Step(learning_rate, mlp.gradients(), mlp.parameters(), shards_->slices());
  return outcome;
}

absl::StatusOr<StepOutcome> Stepper::StepLbfgs(double learning_rate) {
  const Batch* batch = batcher_.Next(shards_->slices());
  TY_CHECK(batch != nullptr);
  StepOutcome last;
  // Its line search compares values with slopes: both must be those of the scaled target.
  const double unit = LossUnit(loss_);
  const auto evaluate = [this, batch, unit, &last]() -> absl::StatusOr<Lbfgs::Evaluation> {
    TY_RETURN_IF_ERROR(ComputeBatch(*batch, &last));
    return Lbfgs::Evaluation{.loss = last.loss / unit, .gradients = network().gradients()};
  };
  TY_ASSIGN_OR_RETURN(const Lbfgs::Outcome found,
                      lbfgs_->Step(learning_rate, evaluate, network().parameters()));
  return StepOutcome{.loss = found.loss * unit,
                     .gradient_norm = found.gradient_norm,
                     .weight = last.weight,
                     .rows = last.rows,
                     .finite = std::isfinite(found.loss) && std::isfinite(found.gradient_norm),
                     .moved = found.moved};
}

absl::Status Stepper::Compute(StepOutcome* outcome) {
  if (accumulation_steps_ > 1) return Accumulate(outcome);
  const Batch* batch = batcher_.Next(shards_->slices());
  TY_CHECK(batch != nullptr);
  return ComputeBatch(*batch, outcome);
}

absl::Status Stepper::ComputeBatch(const Batch& batch, StepOutcome* outcome) {
  const double weight = BatchWeight(loss_, TargetsOf(batch), batch.rows, outputs_);
  const TrainPass pass{.seed = seed_, .step = batches_done_++};
  TY_ASSIGN_OR_RETURN(outcome->loss, shards_->LossAndGradient(batch, weight, pass));
  outcome->weight = weight;
  outcome->rows = batch.rows;
  last_rows_ = batch.rows;
  return absl::OkStatus();
}

// The mean over the rows of all batches: that of one large batch. The last step of an epoch may
// have fewer batches.
absl::Status Stepper::Accumulate(StepOutcome* outcome) {
  const std::span<float> gradients = network().gradients();
  std::fill(accumulated_.begin(), accumulated_.end(), 0.0F);
  double loss_sum = 0;
  for (int64_t i = 0; i < accumulation_steps_; ++i) {
    const Batch* batch = batcher_.Next(shards_->slices());
    if (batch == nullptr) break;
    StepOutcome part;
    TY_RETURN_IF_ERROR(ComputeBatch(*batch, &part));
    const auto weight = static_cast<float>(part.weight);
    for (size_t k = 0; k < gradients.size(); ++k) accumulated_[k] += weight * gradients[k];
    loss_sum += part.weight * part.loss;
    outcome->weight += part.weight;
    outcome->rows += part.rows;
  }
  // Rows without weight have no gradient, nor a mean.
  const double scale = outcome->weight > 0 ? 1 / outcome->weight : 0;
  const auto factor = static_cast<float>(scale);
  for (size_t k = 0; k < gradients.size(); ++k) gradients[k] = factor * accumulated_[k];
  outcome->loss = loss_sum * scale;
  return absl::OkStatus();
}

std::span<const float> Stepper::averaged_parameters() const {
  if (optimizer_ == nullptr || optimizer_->steps_done() == 0) return {};
  return optimizer_->averaged_parameters();
}

bool Stepper::OptimizerIsFinite() {
  if (optimizer_ == nullptr) return true;
  const std::vector<Optimizer::StateArray> arrays = optimizer_->state_arrays();
  return std::all_of(arrays.begin(), arrays.end(), [](const Optimizer::StateArray& array) {
    return AllFinite(array.values.data(), static_cast<int64_t>(array.values.size()));
  });
}

std::string Stepper::FindNonFinite(bool parameters_only) const {
  return shards_->FindNonFinite(parameters_only ? 0 : last_rows_);
}

void Stepper::TransferState(StateArchive* archive) {
  archive->Values(network().parameters());
  archive->Values(network().running_statistics());
  archive->Count(&batches_done_);
  if (lbfgs_ != nullptr) return lbfgs_->TransferState(archive);
  int64_t steps_done = optimizer_->steps_done();
  archive->Count(&steps_done);
  if (archive->loading() && archive->ok()) optimizer_->set_steps_done(steps_done);
  for (const Optimizer::StateArray& array : optimizer_->state_arrays()) {
    archive->Values(array.values);
  }
}

void Stepper::ReleaseOptimizer() {
  optimizer_.reset();
  lbfgs_.reset();
  accumulated_ = {};
}

}  // namespace trainyard
