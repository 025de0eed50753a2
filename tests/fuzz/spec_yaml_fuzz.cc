// Any bytes as a spec file: an error or a spec, never a crash; an error is always a usage error
// with at least one fault or a limit.
#include <cstdint>
#include <cstdlib>

#include "client/exit_code.h"
#include "client/spec_yaml.h"
#include "core/base/error_info.h"
#include "trainyard/v1/spec.pb.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace trainyard;
  v1::TrainingSpec spec;
  const absl::Status status =
      ParseYaml(absl::string_view(reinterpret_cast<const char*>(data), size), &spec);
  if (status.ok()) return 0;
  const auto info = GetErrorInfo(status);
  const bool explained = IsUsageError(status) && info.has_value() &&
                         (!info->violations.empty() || info->reason == ErrorReason::kTooLarge);
  if (!explained) std::abort();
  return 0;
}
