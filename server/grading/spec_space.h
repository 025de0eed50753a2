// SpecSpace is which training specs an assignment takes: a list of the fields that a student may
// set, each with what it may be. What is not on the list belongs to the assignment's own spec.
//
//   TY_ASSIGN_OR_RETURN(SpecSpace space, SpecSpace::Create({{.path = "layers[]", .max = 3},
//                                                            {.path = "layers[].units", .max = 64},
//                                                            {.path = "optimizer.kind",
//                                                             .values = {"adam", "sgd"}}},
//                                                           "spec_rules"));
//   space.CheckSubmitted(student_spec, &violations);
//   v1::TrainingSpec spec = MergeSpec(assignment_spec, student_spec);
//   space.CheckResolved(resolved, &violations);      // defaults are within the rules, too
//
// A path is one of trainyard.v1.TrainingSpec, in its words: names of fields joined by '.', and "[]"
// after the name of a repeated message. It names
// - a field that has a value ("layers[].units"): a number, a text, an enum, a bool, each value of a
//   list or of a map, a duration in seconds; or
// - a message ("optimizer", "layers"): everything in it is allowed, within the rules that name
//   something in it; or
// - how many there are of a repeated message ("layers[]"), which allows nothing in them.
// A message that is present without any field ("early_stopping: {}") is allowed where something in
// it is.
//
// Thread-safety: immutable. The fields of a message are found by protobuf's reflection, so a field
// that is new in the contract is forbidden until a rule names it.
#ifndef TRAINYARD_SERVER_GRADING_SPEC_SPACE_H_
#define TRAINYARD_SERVER_GRADING_SPEC_SPACE_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "core/base/error_info.h"
#include "trainyard/v1/spec.pb.h"

namespace trainyard {

inline constexpr int64_t kSpecRulesMax = 200;
inline constexpr int64_t kSpecRuleValuesMax = 1000;

struct SpecRule {
  std::string path;
  // Of numbers, seconds, and how many of a repeated message; both inclusive.
  std::optional<double> min;
  std::optional<double> max;
  // Texts and enums; empty: any. Enums by their name or as YAML has them ("KIND_UNSPECIFIED" and
  // "ADAM", or "adam"; "ACTIVATION_RELU", or "relu").
  std::vector<std::string> values;
};

class SpecSpace {
 public:
  // Errors: INVALID_ARGUMENT/INVALID_REQUEST with every fault of every rule: a path that is not in
  // the contract or given twice, min or max that is NaN, min above max, bounds of a text or a
  // message, values of a number, a value that the enum does not have, too many rules or values.
  // Fields are
  // "{path}[i].min".
  static absl::StatusOr<SpecSpace> Create(std::vector<SpecRule> rules, absl::string_view path);

  // Every field that is set and not allowed ("spec.layers[1].dropout", with what may be set), every
  // value that its rule does not take, every field and enum value that is not in this contract.
  void CheckSubmitted(const v1::TrainingSpec& spec, std::vector<FieldViolation>* violations) const;

  // Every value of a resolved spec that its rule does not take, whoever set it: a default may be
  // outside of what a student may choose.
  void CheckResolved(const v1::TrainingSpec& resolved,
                     std::vector<FieldViolation>* violations) const;

  // What may be set, for people: "layers[] (at most 3), layers[].units (1 to 64), optimizer.kind
  // (adam, sgd)"; "nothing" when that is so.
  std::string Describe() const;

 private:
  SpecSpace() = default;

  absl::btree_map<std::string, SpecRule> rules_;  // by path
};

// The assignment's spec with what the student set laid over it, field by field: in a message that
// both have the student's fields win and the others stay; a list or a map that the student set
// replaces the assignment's as a whole, and so does a duration.
v1::TrainingSpec MergeSpec(const v1::TrainingSpec& assignment, const v1::TrainingSpec& student);

}  // namespace trainyard

#endif  // TRAINYARD_SERVER_GRADING_SPEC_SPACE_H_
