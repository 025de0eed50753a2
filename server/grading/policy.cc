#include "server/grading/policy.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "core/base/check.h"
#include "core/base/error_info.h"
#include "core/base/nearest.h"
#include "core/base/status_macros.h"
#include "google/protobuf/text_format.h"
#include "google/protobuf/util/json_util.h"
#include "server/base/ids.h"
#include "server/grading/gradebook_limits.h"
#include "server/grading/policy_check.h"

namespace trainyard {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;

struct Preset {
  absl::string_view name;
  absl::string_view base;  // the preset it changes; empty for none
  const char* text;        // of a GradingPolicy
};

// A preset's base comes before it.
constexpr Preset kPresets[] = {{kPresetHse, "", R"(
time {
  tz: "Europe/Moscow"
  late_clock: LATE_CLOCK_ACCEPTED_AT
  # 23:59:59 in Moscow plus 6:05:01 is 03:05:00 UTC, what the course really enforces.
  grace { seconds: 21901 }
}
late {
  unit { seconds: 86400 }
  first_day_counts: true
  percent_per_unit: 10
  max_percent: 30
  apply_to: LATE_BASE_POINTS
  hard_close: HARD_CLOSE_NEVER
}
select { rule: SELECT_RULE_BEST by: SELECT_BY_POINTS_AFTER_PENALTY tie: SELECT_TIE_LATEST }
points { integer: POINTS_ROUNDING_FLOOR rescale_on_max_change: false }
homework {
  scale: 8
  denominator: HOMEWORK_DENOMINATOR_NON_BONUS_MAX
  bonus: BONUS_RULE_NUMERATOR
  rounding: HOMEWORK_ROUNDING_HUNDREDTHS_THEN_INTEGER
}
exams {
  items { id: "exam3" max: 10 weight_percent: 10 }
  items { id: "exam4" max: 10 weight_percent: 10 }
  cap: 2
  bonus_may_cover: false
}
admission { exam: "exam3" module: "3" by: "03-29 23:59" on_fail: ADMISSION_FAILURE_FLAG }
admission { exam: "exam4" module: "4" by: "06-16 23:59" on_fail: ADMISSION_FAILURE_FLAG }
final { cap: 10 rounding: FINAL_ROUNDING_HUNDREDTHS }
sanctions {
  plagiarism: SANCTION_EFFECT_ZERO_ALL_HOMEWORK
  tampering: SANCTION_EFFECT_ZERO_HOMEWORK
}
export { csv: GRADEBOOK_CSV_HSE csv_bom: true include_without_name: false }
arithmetic: GRADE_ARITHMETIC_EXACT
)"},
                               {kPresetHse2026Exact, kPresetHse, R"(
time { late_clock: LATE_CLOCK_FINISHED_AT }
arithmetic: GRADE_ARITHMETIC_HSE_2026_DOUBLE
)"}};

const Preset* FindPreset(absl::string_view name) {
  for (const Preset& preset : kPresets) {
    if (preset.name == name) return &preset;
  }
  return nullptr;
}

void ClearReplaced(const Message& over, Message* base);

void ClearReplacedField(const Message& over, const FieldDescriptor& field, Message* base) {
  const Reflection& reflection = *base->GetReflection();
  if (field.is_repeated()) return reflection.ClearField(base, &field);
  if (field.cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE) return;
  // A duration is one value: nanoseconds of the one must not be added to seconds of the other.
  if (field.message_type()->full_name() == "google.protobuf.Duration") {
    return reflection.ClearField(base, &field);
  }
  ClearReplaced(reflection.GetMessage(over, &field), reflection.MutableMessage(base, &field));
}

// Takes out of `base` what MergeFrom(over) would add to instead of replacing it.
void ClearReplaced(const Message& over, Message* base) {
  std::vector<const FieldDescriptor*> fields;
  over.GetReflection()->ListFields(over, &fields);
  for (const FieldDescriptor* field : fields) ClearReplacedField(over, *field, base);
}

void Overlay(const v1::GradingPolicy& over, v1::GradingPolicy* base) {
  ClearReplaced(over, base);
  base->MergeFrom(over);
}

v1::GradingPolicy PresetPolicy(const Preset& preset) {
  v1::GradingPolicy policy;
  if (const Preset* base = FindPreset(preset.base)) policy = PresetPolicy(*base);
  v1::GradingPolicy changes;
  TY_CHECK(google::protobuf::TextFormat::ParseFromString(preset.text, &changes));
  Overlay(changes, &policy);
  return policy;
}

// What the policy is given over. Of a name that is none, a fault and the preset that was probably
// meant, so that the faults of what was given come at once and no field counts as missing.
v1::GradingPolicy BaseOf(const std::string& name, std::vector<FieldViolation>* faults) {
  if (name.empty()) return {};
  const Preset* const preset = FindPreset(name);
  if (preset != nullptr) return PresetPolicy(*preset);
  const std::vector<std::string> known = PolicyPresets();
  const std::string guess = Nearest(name, known);
  faults->push_back(
      {"policy.preset",
       absl::StrCat("no preset has this name; there are ", absl::StrJoin(known, ", "),
                    guess.empty() ? "" : absl::StrCat(" (did you mean \"", guess, "\"?)"))});
  return PresetPolicy(*FindPreset(guess.empty() ? kPresetHse : absl::string_view(guess)));
}

absl::Status StatusOf(std::vector<FieldViolation> faults) {
  if (faults.empty()) return absl::OkStatus();
  return MakeViolationsError(ErrorReason::kInvalidRequest, std::move(faults));
}

}  // namespace

std::vector<std::string> PolicyPresets() {
  std::vector<std::string> names;
  for (const Preset& preset : kPresets) names.emplace_back(preset.name);
  return names;
}

absl::StatusOr<v1::GradingPolicy> ParsePolicyJson(absl::string_view json) {
  if (json.size() > limits::kPolicyBytesMax) {
    return MakeError(absl::StatusCode::kInvalidArgument,
                     absl::StrCat("the policy has ", json.size(), " bytes"),
                     {.reason = ErrorReason::kTooLarge,
                      .hint = "take out what is not needed",
                      .in_force = absl::StrCat("at most ", limits::kPolicyBytesMax, " bytes")});
  }
  v1::GradingPolicy policy;
  const auto parsed = google::protobuf::util::JsonStringToMessage(
      google::protobuf::StringPiece(json.data(), json.size()), &policy);
  if (!parsed.ok()) {
    return MakeViolationsError(ErrorReason::kInvalidRequest,
                               {{"policy", std::string(parsed.message())}});
  }
  return policy;
}

absl::StatusOr<v1::GradingPolicy> ResolvePolicy(const v1::GradingPolicy& given) {
  std::vector<FieldViolation> faults;
  v1::GradingPolicy policy = BaseOf(given.preset(), &faults);
  Overlay(given, &policy);
  for (FieldViolation& fault : NewPolicyFaults(policy)) faults.push_back(std::move(fault));
  TY_RETURN_IF_ERROR(StatusOf(std::move(faults)));
  return policy;
}

absl::Status ValidatePolicy(const v1::GradingPolicy& resolved) {
  return StatusOf(PolicyFaults(resolved));
}

std::string PolicyJson(const v1::GradingPolicy& policy) {
  google::protobuf::util::JsonPrintOptions options;
  options.preserve_proto_field_names = true;
  std::string json;
  TY_CHECK(google::protobuf::util::MessageToJsonString(policy, &json, options).ok());
  return json;
}

std::string PolicyDigest(const v1::GradingPolicy& policy) {
  return Sha256Digest(PolicyJson(policy));
}

}  // namespace trainyard
