#include "server/services/job_spec.h"

#include <algorithm>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"
#include "core/base/error_info.h"
#include "core/base/limits.h"
#include "core/base/status_macros.h"
#include "core/data/resolve_features.h"
#include "core/train/estimate.h"
#include "core/train/train_config.h"
#include "server/wire/convert.h"
#include "server/wire/unknown_fields.h"

namespace trainyard {
namespace {

constexpr absl::Duration kRuntimeMin = absl::Milliseconds(100);
// W' and b' as doubles, and 1 KiB for the rest of a result.
constexpr int64_t kCollapsedNumbersMax = (limits::kAnswerBytesMax - 1024) / 8;

absl::Status CheckSize(const v1::TrainingSpec& spec) {
  const size_t size = spec.ByteSizeLong();
  if (size <= static_cast<size_t>(limits::kSpecBytesMax)) return absl::OkStatus();
  return MakeError(absl::StatusCode::kResourceExhausted,
                   absl::StrCat("the spec has ", size, " bytes"),
                   {.reason = ErrorReason::kTooLarge,
                    .hint = spec.initial_weights_size() > 0
                                ? "start from a stored model with initial_model instead of "
                                  "initial_weights"
                                : "name fewer columns, e.g. with exclude_columns",
                    .in_force = absl::StrCat("at most ", limits::kSpecBytesMax, " bytes")});
}

// Returns the runtime in force.
absl::Duration CheckRuntime(const v1::TrainingSpec& spec, const ServiceLimits& limits,
                            std::vector<FieldViolation>* violations) {
  if (!spec.has_max_runtime()) return limits.job_runtime_max;
  const absl::Duration runtime = DurationFromProto(spec.max_runtime());
  if (runtime >= kRuntimeMin && runtime <= limits.job_runtime_max) return runtime;
  violations->push_back(
      {"spec.max_runtime", absl::StrCat("is ", absl::FormatDuration(runtime), "; give ",
                                        absl::FormatDuration(kRuntimeMin), " to ",
                                        absl::FormatDuration(limits.job_runtime_max))});
  return limits.job_runtime_max;
}

void CheckMemory(const v1::TrainingSpec& spec, const ServiceLimits& limits,
                 std::vector<FieldViolation>* violations) {
  if (!spec.has_max_memory_bytes()) return;
  const int64_t bytes = spec.max_memory_bytes();
  const bool over = limits.job_memory_bytes_max > 0 && bytes > limits.job_memory_bytes_max;
  if (bytes >= limits::kJobMemoryBytesMin && !over) return;
  const std::string upper = limits.job_memory_bytes_max > 0
                                ? absl::StrCat(" to ", limits.job_memory_bytes_max)
                                : std::string(" or more");
  violations->push_back({"spec.max_memory_bytes",
                         absl::StrCat("is ", bytes, "; give ", limits::kJobMemoryBytesMin, upper)});
}

void CheckThreads(const v1::TrainingSpec& spec, const ServiceLimits& limits,
                  std::vector<FieldViolation>* violations) {
  // Values that no server takes are found by ResolveTrainConfig.
  const bool everywhere_wrong = spec.threads() < 1 || spec.threads() > limits::kThreadsMax;
  if (!spec.has_threads() || everywhere_wrong || spec.threads() <= limits.job_threads_max) return;
  violations->push_back(
      {"spec.threads",
       absl::StrCat("is ", spec.threads(), ", but this server has ", limits.job_threads_max,
                    " worker slots; give at most as many")});
}

// Where two networks differ first, e.g. "layers[1] has 16 units there and 32 here"; empty: nowhere.
std::string DifferenceOf(const TrainConfig& there, const TrainConfig& here) {
  if (there.layers.size() != here.layers.size()) {
    return absl::StrCat("it has ", there.layers.size(), " hidden layers and the spec ",
                        here.layers.size());
  }
  for (size_t i = 0; i < here.layers.size(); ++i) {
    const LayerConfig& a = there.layers[i];
    const LayerConfig& b = here.layers[i];
    if (a.units != b.units) {
      return absl::StrCat("layers[", i, "] has ", a.units, " units there and ", b.units, " here");
    }
    const bool same = a.activation == b.activation && a.alpha == b.alpha && a.bias == b.bias &&
                      a.normalization == b.normalization && a.residual == b.residual;
    if (!same) {
      return absl::StrCat("layers[", i,
                          "] differs in activation, alpha, bias, normalization or residual");
    }
  }
  if (there.output_bias != here.output_bias) return "output_bias differs";
  if (there.data.task != here.data.task) {
    return absl::StrCat("its task is ", TaskWord(there.data.task), " and the spec's ",
                        TaskWord(here.data.task));
  }
  return "";
}

absl::flat_hash_map<std::string, v1::ColumnType> TypesOf(const v1::Dataset& dataset) {
  absl::flat_hash_map<std::string, v1::ColumnType> types;
  for (const v1::Column& column : dataset.columns()) types.emplace(column.name(), column.type());
  return types;
}

bool IsLinear(const TrainConfig& config) {
  return std::all_of(config.layers.begin(), config.layers.end(), [](const LayerConfig& layer) {
    return layer.activation == Activation::kIdentity &&
           layer.normalization != Normalization::kLayer;
  });
}

// How long a training goes on, and what is seen of it.
void ClearCourse(v1::TrainingSpec* spec) {
  spec->set_epochs(1);
  spec->clear_max_steps();
  spec->clear_schedule();
  spec->clear_early_stopping();
  spec->clear_evaluation_interval();
  spec->clear_seed_count();
  spec->clear_step_event_interval();
  spec->clear_metrics();
}

// How a step is done. A batch of everything leaves no last one too small for normalisation.
void ClearSteps(v1::TrainingSpec* spec) {
  spec->set_batch_size(limits::kBatchSizeMax);
  spec->clear_accumulation_steps();
  spec->clear_optimizer();
  spec->clear_precision();
}

// ResolveTrainConfig does not know where in a request its config came from.
void AddSpecPrefix(std::vector<FieldViolation>* violations, size_t from) {
  for (size_t i = from; i < violations->size(); ++i) {
    FieldViolation& violation = (*violations)[i];
    violation.field = absl::StrCat("spec.", violation.field);
  }
}

}  // namespace

void CheckEstimate(const v1::TrainingJob& job, const ServiceLimits& limits,
                   std::vector<FieldViolation>* violations) {
  const v1::ResourceEstimate& estimate = job.estimate();
  const int64_t memory_bytes_max = job.resolved_spec().max_memory_bytes();
  if (memory_bytes_max > 0 && estimate.memory_bytes() > memory_bytes_max) {
    violations->push_back(
        {"spec.max_memory_bytes",
         absl::StrCat("is ", memory_bytes_max, ", and training would take about ",
                      estimate.memory_bytes(), " bytes (", estimate.parameter_count(),
                      " parameters); use fewer or narrower layers, or a smaller batch_size")});
  }
  if (limits.job_flops_max > 0 && estimate.flops() > limits.job_flops_max) {
    violations->push_back(
        {"spec.epochs",
         absl::StrCat("make ", estimate.flops(), " floating-point operations with ",
                      estimate.parameter_count(), " parameters; at most ", limits.job_flops_max,
                      " are allowed here: use fewer epochs, or a smaller network")});
  }
}

void CheckModelFits(const v1::Model& model, const v1::TrainingSpec& resolved,
                    const std::string& field, std::vector<FieldViolation>* violations) {
  std::vector<FieldViolation> ignored;  // both were checked when they were resolved
  const TrainConfig there = TrainConfigFromProto(model.spec(), &ignored);
  const TrainConfig here = TrainConfigFromProto(resolved, &ignored);
  const auto add = [&](absl::string_view why) {
    violations->push_back({field, absl::StrCat(model.name(), " is another network: ", why)});
  };
  if (there.data.feature_columns != here.data.feature_columns) {
    add("its feature columns, or their order, are others; give feature_columns as the model has "
        "them");
  }
  if (there.data.label_columns != here.data.label_columns) add("its label_columns are others");
  const std::string difference = DifferenceOf(there, here);
  if (!difference.empty()) add(difference);
}

void CheckTestFits(const v1::TrainingSpec& resolved, const v1::Dataset& dataset,
                   const v1::Dataset& test, std::vector<FieldViolation>* violations) {
  std::vector<std::string> used(resolved.feature_columns().begin(),
                                resolved.feature_columns().end());
  used.insert(used.end(), resolved.label_columns().begin(), resolved.label_columns().end());
  if (!resolved.target_column().empty()) used.push_back(resolved.target_column());
  if (!resolved.weight_column().empty()) used.push_back(resolved.weight_column());
  const absl::flat_hash_map<std::string, v1::ColumnType> here = TypesOf(dataset);
  const absl::flat_hash_map<std::string, v1::ColumnType> there = TypesOf(test);
  for (const std::string& name : used) {
    const auto wanted = here.find(name);
    const auto found = there.find(name);
    if (wanted == here.end()) continue;  // a fault of its own
    if (found != there.end() && found->second == wanted->second) continue;
    violations->push_back(
        {"spec.test_dataset",
         absl::StrCat(test.name(), found == there.end() ? " has no column \"" : " has a column \"",
                      name, found == there.end() ? "\", which is used" : "\" of another type")});
  }
}

void CheckCollapseFits(const v1::TrainingSpec& resolved, const v1::Dataset& dataset,
                       std::vector<FieldViolation>* violations) {
  std::vector<FieldViolation> ignored;
  const TrainConfig config = TrainConfigFromProto(resolved, &ignored);
  const Schema schema = SchemaFromProto(dataset);
  const int64_t features = FeatureCountMax(config.data, schema);
  const int64_t outputs = OutputCountOf(config, schema);
  const int64_t count = (features + 1) * outputs;
  // A network that is not linear has a reason as its result, whatever its size.
  if (count <= kCollapsedNumbersMax || !IsLinear(config)) return;
  violations->push_back(
      {"analysis.linear_collapse",
       absl::StrCat("would leave ", count, " numbers (", features, " features and a bias for ",
                    outputs, " outputs); at most ", kCollapsedNumbersMax,
                    " fit into an answer: analyse a network with fewer features or outputs")});
}

v1::TrainingSpec SpecOf(const v1::Model& model, const v1::AnalysisSpec& analysis,
                        const v1::TrainingSpec& wanted, const ServiceLimits& limits) {
  v1::TrainingSpec spec = model.spec();
  spec.clear_initial_model();
  spec.clear_initial_weights();
  spec.clear_test_dataset();
  spec.mutable_split()->clear_fold_count();
  spec.clear_max_runtime();
  spec.clear_max_memory_bytes();
  ClearCourse(&spec);
  if (!analysis.has_learning_rate_finder()) ClearSteps(&spec);
  spec.set_threads(std::clamp(spec.threads(), 1, std::max(limits.job_threads_max, 1)));
  if (wanted.has_threads()) spec.set_threads(wanted.threads());
  if (wanted.has_max_runtime()) *spec.mutable_max_runtime() = wanted.max_runtime();
  if (wanted.has_max_memory_bytes()) spec.set_max_memory_bytes(wanted.max_memory_bytes());
  return spec;
}

void CheckBesideModel(const v1::TrainingSpec& wanted, std::vector<FieldViolation>* violations) {
  v1::TrainingSpec rest = wanted;
  rest.clear_threads();
  rest.clear_max_runtime();
  rest.clear_max_memory_bytes();
  std::vector<const google::protobuf::FieldDescriptor*> fields;
  rest.GetReflection()->ListFields(rest, &fields);
  for (const google::protobuf::FieldDescriptor* field : fields) {
    violations->push_back({absl::StrCat("spec.", field->name()),
                           "is given together with analysis.model, which has one; leave one of "
                           "both out"});
    rest.GetReflection()->ClearField(&rest, field);
  }
  AddUnknowns(rest, "spec", violations);  // nothing else is left
}

absl::StatusOr<JobSpec> ResolveJobSpec(const v1::TrainingSpec& spec, const v1::Dataset& dataset,
                                       const ServiceLimits& limits,
                                       const v1::Model* initial_model) {
  std::vector<FieldViolation> violations;
  absl::StatusOr<JobSpec> job = ResolveJobSpec(spec, dataset, limits, initial_model, &violations);
  if (!job.ok() || violations.empty()) return job;
  return MakeViolationsError(ErrorReason::kInvalidSpec, std::move(violations));
}

absl::StatusOr<JobSpec> ResolveJobSpec(const v1::TrainingSpec& spec, const v1::Dataset& dataset,
                                       const ServiceLimits& limits, const v1::Model* initial_model,
                                       std::vector<FieldViolation>* violations) {
  TY_RETURN_IF_ERROR(CheckSize(spec));
  const size_t before = violations->size();
  TrainConfig config = TrainConfigFromProto(spec, violations);
  // Checked here, with this server's limit; core then sees a value that is right for it and reports
  // nothing twice.
  config.runtime_seconds_max = absl::ToDoubleSeconds(CheckRuntime(spec, limits, violations));
  CheckMemory(spec, limits, violations);
  CheckThreads(spec, limits, violations);
  JobSpec job;
  const size_t own = violations->size();
  const Schema schema = SchemaFromProto(dataset);
  config = ResolveTrainConfig(config, schema, violations, &job.warnings);
  AddSpecPrefix(violations, own);
  if (!spec.initial_model().empty() && spec.initial_weights_size() > 0) {
    violations->push_back(
        {"spec.initial_weights", "are given together with initial_model; leave one of both out"});
  }
  job.resolved = TrainConfigToProto(config);
  job.resolved.set_initial_model(spec.initial_model());
  job.resolved.set_test_dataset(spec.test_dataset());
  // A network that is faulty itself is not compared with another one.
  if (violations->size() == before && initial_model != nullptr) {
    CheckModelFits(*initial_model, job.resolved, "spec.initial_model", violations);
  }
  if (spec.has_max_memory_bytes()) {
    job.resolved.set_max_memory_bytes(spec.max_memory_bytes());
  } else if (limits.job_memory_bytes_max > 0) {
    job.resolved.set_max_memory_bytes(limits.job_memory_bytes_max);
  }
  if (violations->size() > before) return job;
  const ResourceEstimate estimate = EstimateResources(config, schema);
  job.estimate = EstimateToProto(estimate);
  job.steps_total = estimate.steps;
  job.epochs_total = config.epochs * RunCountOf(config);
  return job;
}

}  // namespace trainyard
