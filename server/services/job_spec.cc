#include "server/services/job_spec.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/base/error_info.h"
#include "core/base/limits.h"
#include "core/base/status_macros.h"
#include "core/train/train_config.h"
#include "server/wire/convert.h"

namespace trainyard {
namespace {

constexpr absl::Duration kRuntimeMin = absl::Milliseconds(100);

absl::Status CheckSize(const v1::TrainingSpec& spec) {
  const size_t size = spec.ByteSizeLong();
  if (size <= static_cast<size_t>(limits::kSpecBytesMax)) return absl::OkStatus();
  return MakeError(absl::StatusCode::kResourceExhausted,
                   absl::StrCat("the spec has ", size, " bytes"),
                   {.reason = ErrorReason::kTooLarge,
                    .hint = "name fewer columns, e.g. with exclude_columns",
                    .in_force = absl::StrCat("at most ", limits::kSpecBytesMax, " bytes")});
}

// Returns the runtime in force.
absl::Duration CheckRuntime(const v1::TrainingSpec& spec, const ServiceLimits& limits,
                            std::vector<FieldViolation>* violations) {
  if (!spec.has_max_runtime()) return limits.job_runtime_max;
  const absl::Duration runtime =
      absl::Seconds(spec.max_runtime().seconds()) + absl::Nanoseconds(spec.max_runtime().nanos());
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

// ResolveTrainConfig does not know where in a request its config came from.
void AddSpecPrefix(std::vector<FieldViolation>* violations, size_t from) {
  for (size_t i = from; i < violations->size(); ++i) {
    FieldViolation& violation = (*violations)[i];
    violation.field = absl::StrCat("spec.", violation.field);
  }
}

}  // namespace

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

v1::TrainingSpec SpecOf(const v1::Model& model, const ServiceLimits& limits) {
  v1::TrainingSpec spec = model.spec();
  spec.clear_initial_model();
  spec.clear_initial_weights();
  spec.clear_max_runtime();
  spec.clear_max_memory_bytes();
  spec.clear_step_event_interval();
  spec.set_threads(std::clamp(spec.threads(), 1, std::max(limits.job_threads_max, 1)));
  return spec;
}

absl::StatusOr<JobSpec> ResolveJobSpec(const v1::TrainingSpec& spec, const v1::Dataset& dataset,
                                       const ServiceLimits& limits,
                                       const v1::Model* initial_model) {
  TY_RETURN_IF_ERROR(CheckSize(spec));
  std::vector<FieldViolation> violations;
  TrainConfig config = TrainConfigFromProto(spec, &violations);
  // Checked here, with this server's limit; core then sees a value that is right for it and reports
  // nothing twice.
  config.runtime_seconds_max = absl::ToDoubleSeconds(CheckRuntime(spec, limits, &violations));
  CheckMemory(spec, limits, &violations);
  CheckThreads(spec, limits, &violations);
  JobSpec job;
  const size_t own = violations.size();
  config = ResolveTrainConfig(config, SchemaFromProto(dataset), &violations, &job.warnings);
  AddSpecPrefix(&violations, own);
  if (!spec.initial_model().empty() && spec.initial_weights_size() > 0) {
    violations.push_back(
        {"spec.initial_weights", "are given together with initial_model; leave one of both out"});
  }
  job.resolved = TrainConfigToProto(config);
  job.resolved.set_initial_model(spec.initial_model());
  // A network that is faulty itself is not compared with another one.
  if (violations.empty() && initial_model != nullptr) {
    CheckModelFits(*initial_model, job.resolved, "spec.initial_model", &violations);
  }
  if (!violations.empty()) {
    return MakeViolationsError(ErrorReason::kInvalidSpec, std::move(violations));
  }
  if (spec.has_max_memory_bytes()) {
    job.resolved.set_max_memory_bytes(spec.max_memory_bytes());
  } else if (limits.job_memory_bytes_max > 0) {
    job.resolved.set_max_memory_bytes(limits.job_memory_bytes_max);
  }
  return job;
}

}  // namespace trainyard
