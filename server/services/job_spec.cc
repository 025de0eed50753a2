#include "server/services/job_spec.h"

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

// ResolveTrainConfig does not know where in a request its config came from.
void AddSpecPrefix(std::vector<FieldViolation>* violations, size_t from) {
  for (size_t i = from; i < violations->size(); ++i) {
    FieldViolation& violation = (*violations)[i];
    violation.field = absl::StrCat("spec.", violation.field);
  }
}

}  // namespace

absl::StatusOr<JobSpec> ResolveJobSpec(const v1::TrainingSpec& spec, const v1::Dataset& dataset,
                                       const ServiceLimits& limits) {
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
  if (!violations.empty()) {
    return MakeViolationsError(ErrorReason::kInvalidSpec, std::move(violations));
  }
  job.resolved = TrainConfigToProto(config);
  if (spec.has_max_memory_bytes()) {
    job.resolved.set_max_memory_bytes(spec.max_memory_bytes());
  } else if (limits.job_memory_bytes_max > 0) {
    job.resolved.set_max_memory_bytes(limits.job_memory_bytes_max);
  }
  return job;
}

}  // namespace trainyard
