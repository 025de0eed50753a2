// A grading policy as a document: text in, defaults filled in, every fault named, a digest out.
// What the fields mean stands in policy.proto; what they do, in gradebook.h.
//
//   TY_ASSIGN_OR_RETURN(const v1::GradingPolicy given, ParsePolicyJson(R"({"preset": "hse"})"));
//   TY_ASSIGN_OR_RETURN(const v1::GradingPolicy policy, ResolvePolicy(given));
//   const std::string digest = PolicyDigest(policy);  // names this version for good
//
// Presets are documents (policy.cc has them as text), not code: after ResolvePolicy nothing asks
// which preset a policy came from.
//
// Thread-safety: pure functions, but for the system's time zones, which are read from disk.
// Errors: INVALID_ARGUMENT/INVALID_REQUEST with every fault, its field path starting with "policy".
#ifndef TRAINYARD_SERVER_GRADING_POLICY_H_
#define TRAINYARD_SERVER_GRADING_POLICY_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "trainyard/v1/policy.pb.h"

namespace trainyard {

inline constexpr absl::string_view kPresetHse = "hse";
inline constexpr absl::string_view kPresetHse2026Exact = "hse-2026-exact";

// Names of all presets, sorted.
std::vector<std::string> PolicyPresets();

// Proto JSON (field names as in policy.proto, or in lowerCamelCase) of at most
// limits::kPolicyBytesMax. Unknown fields are a fault. What it says is not judged here.
absl::StatusOr<v1::GradingPolicy> ParsePolicyJson(absl::string_view json);

// `given` over its preset: a field that is given stays, messages are filled in field by field, a
// list that is given replaces the preset's. The result passes ValidatePolicy, and resolving it
// again changes nothing. With a preset that does not exist, the other fields are judged over the
// one that was probably meant. A module that no quiz can have is a fault, too: the condition would
// hold nobody.
absl::StatusOr<v1::GradingPolicy> ResolvePolicy(const v1::GradingPolicy& given);

// Whether every field is given, in its range, and no two contradict each other: OK, or all faults.
// What courses could set once stays valid here, since grades of then are computed by it.
absl::Status ValidatePolicy(const v1::GradingPolicy& resolved);

// The policy as one line of JSON, fields in the order of their numbers: equal policies have equal
// text.
std::string PolicyJson(const v1::GradingPolicy& policy);
// Sha256Digest (ids.h) of PolicyJson.
std::string PolicyDigest(const v1::GradingPolicy& policy);

}  // namespace trainyard

#endif  // TRAINYARD_SERVER_GRADING_POLICY_H_
