#include "server/grading/spec_space.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "core/data/number.h"
#include "google/protobuf/descriptor.h"
#include "google/protobuf/duration.pb.h"
#include "google/protobuf/message.h"
#include "server/wire/unknown_fields.h"

namespace trainyard {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::EnumValueDescriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;

using Rules = absl::btree_map<std::string, SpecRule>;
using Violations = std::vector<FieldViolation>;

bool IsDuration(const FieldDescriptor& field) {
  return field.cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE &&
         field.message_type() == google::protobuf::Duration::descriptor();
}

// Whether the field has fields of its own that rules name.
bool HasFields(const FieldDescriptor& field) {
  return field.cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE && !field.is_map() &&
         !IsDuration(field);
}

// The field that holds what a rule of `field` is about: of a map its values.
const FieldDescriptor& ValueField(const FieldDescriptor& field) {
  return field.is_map() ? *field.message_type()->map_value() : field;
}

enum class ValueKind { kNumber, kEnum, kText, kBool, kMessage };

ValueKind KindOf(const FieldDescriptor& field) {
  if (HasFields(field)) return ValueKind::kMessage;
  switch (ValueField(field).cpp_type()) {
    case FieldDescriptor::CPPTYPE_ENUM:
      return ValueKind::kEnum;
    case FieldDescriptor::CPPTYPE_STRING:
      return ValueKind::kText;
    case FieldDescriptor::CPPTYPE_BOOL:
      return ValueKind::kBool;
    default:
      return ValueKind::kNumber;
  }
}

// "relu" for ACTIVATION_RELU of Activation, "adam" for ADAM of Kind: as YAML has it.
std::string EnumWord(const EnumValueDescriptor& value) {
  std::string prefix;
  for (const char c : value.type()->name()) {
    if (absl::ascii_isupper(static_cast<unsigned char>(c)) && !prefix.empty()) prefix += '_';
    prefix += absl::ascii_toupper(static_cast<unsigned char>(c));
  }
  absl::string_view name = value.name();
  absl::ConsumePrefix(&name, prefix + "_");
  return absl::AsciiStrToLower(name);
}

bool IsNamed(const EnumValueDescriptor& value, absl::string_view name) {
  return name == value.name() || name == EnumWord(value);
}

bool HasValue(const google::protobuf::EnumDescriptor& type, absl::string_view name) {
  for (int i = 0; i < type.value_count(); ++i) {
    if (IsNamed(*type.value(i), name)) return true;
  }
  return false;
}

// What a rule's path names.
struct Named {
  const FieldDescriptor* field = nullptr;  // null: nothing
  bool is_count = false;                   // "layers[]"

  ValueKind kind() const { return is_count ? ValueKind::kNumber : KindOf(*field); }
};

Named FindNamed(absl::string_view path) {
  const Descriptor* message = v1::TrainingSpec::descriptor();
  Named named;
  for (absl::string_view part : absl::StrSplit(path, '.')) {
    if (message == nullptr) return {};
    named.is_count = absl::ConsumeSuffix(&part, "[]");
    named.field = message->FindFieldByName(std::string(part));
    if (named.field == nullptr) return {};
    const bool messages = HasFields(*named.field) && named.field->is_repeated();
    if (named.is_count && !messages) return {};
    // "layers.units" is no path.
    const bool descends = HasFields(*named.field) && messages == named.is_count;
    message = descends ? named.field->message_type() : nullptr;
  }
  return named;
}

std::string BoundsText(const SpecRule& rule) {
  if (rule.min.has_value() && rule.max.has_value()) {
    return absl::StrCat(NumberText(*rule.min), " to ", NumberText(*rule.max));
  }
  if (rule.min.has_value()) return absl::StrCat("at least ", NumberText(*rule.min));
  if (rule.max.has_value()) return absl::StrCat("at most ", NumberText(*rule.max));
  return absl::StrJoin(rule.values, ", ");
}

// Collects what is wrong with rules, one after another.
class RuleCheck {
 public:
  RuleCheck(std::string path, Violations* violations)
      : path_(std::move(path)), violations_(*violations) {}

  void Check(const SpecRule& rule) {
    const Named named = FindNamed(rule.path);
    if (named.field == nullptr) {
      Add("path", absl::StrCat("\"", absl::CEscape(rule.path),
                               "\" is no field of a training spec; give one such as "
                               "layers[].units or optimizer.learning_rate"));
      return;
    }
    CheckBounds(rule, named.kind());
    CheckValues(rule, named);
  }

 private:
  void CheckBounds(const SpecRule& rule, ValueKind kind) {
    const bool bounded = rule.min.has_value() || rule.max.has_value();
    if (bounded && kind != ValueKind::kNumber) {
      Add("min", "and max are of numbers; name values, or bound what is in it by rules of its own");
    }
    if (rule.min.has_value() && !std::isfinite(*rule.min)) Add("min", "is not finite");
    if (rule.max.has_value() && !std::isfinite(*rule.max)) Add("max", "is not finite");
    if (!rule.min.has_value() || !rule.max.has_value() || !(*rule.min > *rule.max)) return;
    Add("min", absl::StrCat("is ", *rule.min, ", above max ", *rule.max, "; exchange them"));
  }

  void CheckValues(const SpecRule& rule, const Named& named) {
    const ValueKind kind = named.kind();
    if (rule.values.size() > static_cast<size_t>(kSpecRuleValuesMax)) {
      Add("values",
          absl::StrCat("are ", rule.values.size(), "; give at most ", kSpecRuleValuesMax));
      return;
    }
    if (!rule.values.empty() && (kind == ValueKind::kNumber || kind == ValueKind::kMessage)) {
      Add("values", "are of texts, enums and bools; give min and max instead");
      return;
    }
    for (size_t i = 0; i < rule.values.size(); ++i) {
      if (IsValue(*named.field, rule.values[i])) continue;
      Add(absl::StrCat("values[", i, "]"),
          absl::StrCat("\"", absl::CEscape(rule.values[i]), "\" is no value of ", rule.path));
    }
  }

  static bool IsValue(const FieldDescriptor& field, const std::string& value) {
    const ValueKind kind = KindOf(field);
    if (kind == ValueKind::kEnum) return HasValue(*ValueField(field).enum_type(), value);
    return kind == ValueKind::kText || value == "true" || value == "false";
  }

  void Add(absl::string_view field, std::string description) {
    violations_.push_back({absl::StrCat(path_, ".", field), std::move(description)});
  }

  const std::string path_;
  Violations& violations_;
};

// The violation of a value that its rule does not take; empty: it does.
std::string NumberFault(double value, const SpecRule& rule) {
  // A NaN is within no bounds.
  const bool within = !(rule.min.has_value() && !(value >= *rule.min)) &&
                      !(rule.max.has_value() && !(value <= *rule.max));
  if (within) return "";
  return absl::StrCat("is ", value, "; the assignment takes ", BoundsText(rule));
}

std::string TextFault(absl::string_view value, bool allowed, const SpecRule& rule) {
  if (allowed || rule.values.empty()) return "";
  return absl::StrCat("is \"", absl::CEscape(value), "\"; the assignment takes ", BoundsText(rule));
}

std::string EnumFault(int number, const FieldDescriptor& field, const SpecRule& rule) {
  const EnumValueDescriptor* value = field.enum_type()->FindValueByNumber(number);
  if (value == nullptr) return "";  // AddUnknowns says so
  const bool allowed = std::any_of(rule.values.begin(), rule.values.end(),
                                   [&](const std::string& name) { return IsNamed(*value, name); });
  return TextFault(EnumWord(*value), allowed, rule);
}

bool IsListed(absl::string_view text, const SpecRule& rule) {
  return std::find(rule.values.begin(), rule.values.end(), text) != rule.values.end();
}

double SecondsOf(const Message& message) {
  const auto& duration = static_cast<const google::protobuf::Duration&>(message);
  return static_cast<double>(duration.seconds()) + 1e-9 * duration.nanos();
}

// Of one number: `index` is -1 for a field that is not repeated.
double NumberOf(const Message& message, const FieldDescriptor& field, int index) {
  const Reflection& r = *message.GetReflection();
  const bool one = index < 0;
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_INT32:
      return one ? r.GetInt32(message, &field) : r.GetRepeatedInt32(message, &field, index);
    case FieldDescriptor::CPPTYPE_INT64:
      return static_cast<double>(one ? r.GetInt64(message, &field)
                                     : r.GetRepeatedInt64(message, &field, index));
    case FieldDescriptor::CPPTYPE_UINT32:
      return one ? r.GetUInt32(message, &field) : r.GetRepeatedUInt32(message, &field, index);
    case FieldDescriptor::CPPTYPE_UINT64:
      return static_cast<double>(one ? r.GetUInt64(message, &field)
                                     : r.GetRepeatedUInt64(message, &field, index));
    case FieldDescriptor::CPPTYPE_FLOAT:
      return one ? r.GetFloat(message, &field) : r.GetRepeatedFloat(message, &field, index);
    case FieldDescriptor::CPPTYPE_DOUBLE:
      return one ? r.GetDouble(message, &field) : r.GetRepeatedDouble(message, &field, index);
    default:
      return SecondsOf(one ? r.GetMessage(message, &field)
                           : r.GetRepeatedMessage(message, &field, index));
  }
}

std::string ValueFault(const Message& message, const FieldDescriptor& field, int index,
                       const SpecRule& rule) {
  const Reflection& r = *message.GetReflection();
  switch (KindOf(field)) {
    case ValueKind::kEnum:
      return EnumFault(index < 0 ? r.GetEnumValue(message, &field)
                                 : r.GetRepeatedEnumValue(message, &field, index),
                       field, rule);
    case ValueKind::kText: {
      const std::string text =
          index < 0 ? r.GetString(message, &field) : r.GetRepeatedString(message, &field, index);
      return TextFault(text, IsListed(text, rule), rule);
    }
    case ValueKind::kBool: {
      const bool value =
          index < 0 ? r.GetBool(message, &field) : r.GetRepeatedBool(message, &field, index);
      const absl::string_view text = value ? "true" : "false";
      return TextFault(text, IsListed(text, rule), rule);
    }
    default:
      return NumberFault(NumberOf(message, field, index), rule);
  }
}

// Walks a spec beside the rules. Which fields it looks at is what differs between a spec that a
// student sent and a resolved one.
class SpecWalk {
 public:
  SpecWalk(const Rules& rules, std::string allowed, Violations* violations)
      : rules_(rules), allowed_(std::move(allowed)), violations_(*violations) {}

  // `pattern`: the message's path as rules have it, "layers[]."; `path`: as it is,
  // "spec.layers[2].". Looks at what is set; a value without presence that is 0 is not.
  void CheckSet(const Message& message, const std::string& pattern, const std::string& path) {
    std::vector<const FieldDescriptor*> fields;
    message.GetReflection()->ListFields(message, &fields);
    for (const FieldDescriptor* field : fields) {
      const std::string name = absl::StrCat(pattern, field->name());
      const std::string field_path = absl::StrCat(path, field->name());
      if (!IsAllowed(*field, name)) {
        violations_.push_back(
            {field_path, absl::StrCat("is not for submissions to set; remove it. What may be set: ",
                                      allowed_)});
        continue;
      }
      CheckField(message, *field, name, field_path);
    }
  }

  // Looks at every field that a rule names, but for those with presence that are not set.
  void CheckNamed(const Message& message, const std::string& pattern, const std::string& path) {
    const Descriptor& type = *message.GetDescriptor();
    for (int i = 0; i < type.field_count(); ++i) {
      const FieldDescriptor& field = *type.field(i);
      const std::string name = absl::StrCat(pattern, field.name());
      const bool absent =
          field.has_presence() && !message.GetReflection()->HasField(message, &field);
      if (absent || !IsAllowed(field, name)) continue;
      CheckField(message, field, name, absl::StrCat(path, field.name()), &SpecWalk::CheckNamed);
    }
  }

 private:
  using Descend = void (SpecWalk::*)(const Message&, const std::string&, const std::string&);

  // Whether a rule names it, a message that it is in, or anything in it.
  bool IsAllowed(const FieldDescriptor& field, const std::string& name) const {
    if (rules_.contains(name) || IsInAllowedMessage(name)) return true;
    if (!HasFields(field)) return false;
    const std::string prefix = absl::StrCat(name, field.is_repeated() ? "[]" : ".");
    const auto next = rules_.lower_bound(prefix);
    return next != rules_.end() && absl::StartsWith(next->first, prefix);
  }

  bool IsInAllowedMessage(absl::string_view name) const {
    for (size_t dot = name.rfind('.'); dot != absl::string_view::npos; dot = name.rfind('.')) {
      name = name.substr(0, dot);
      if (rules_.contains(std::string(absl::StripSuffix(name, "[]")))) return true;
    }
    return false;
  }

  // Null: anything goes.
  const SpecRule* RuleOf(const std::string& name) const {
    const auto rule = rules_.find(name);
    return rule == rules_.end() ? nullptr : &rule->second;
  }

  void CheckField(const Message& message, const FieldDescriptor& field, const std::string& name,
                  const std::string& path, Descend descend = &SpecWalk::CheckSet) {
    const SpecRule* rule = RuleOf(name);
    if (HasFields(field)) {
      CheckMessages(message, field, name, path, descend);
    } else if (rule != nullptr && field.is_map()) {
      CheckMap(message, field, *rule, path);
    } else if (rule != nullptr) {
      CheckValues(message, field, *rule, path);
    }
  }

  void CheckMessages(const Message& message, const FieldDescriptor& field, const std::string& name,
                     const std::string& path, Descend descend) {
    const Reflection& reflection = *message.GetReflection();
    if (!field.is_repeated()) {
      (this->*descend)(reflection.GetMessage(message, &field), name + ".", path + ".");
      return;
    }
    const int count = reflection.FieldSize(message, &field);
    if (const SpecRule* rule = RuleOf(name + "[]"); rule != nullptr) {
      std::string fault = NumberFault(count, *rule);
      if (!fault.empty()) Add(path, absl::StrCat("has a number of elements that ", fault));
    }
    for (int i = 0; i < count; ++i) {
      (this->*descend)(reflection.GetRepeatedMessage(message, &field, i), name + "[].",
                       absl::StrCat(path, "[", i, "]."));
    }
  }

  void CheckMap(const Message& message, const FieldDescriptor& field, const SpecRule& rule,
                const std::string& path) {
    const Reflection& reflection = *message.GetReflection();
    for (int i = 0; i < reflection.FieldSize(message, &field); ++i) {
      Add(path, ValueFault(reflection.GetRepeatedMessage(message, &field, i), ValueField(field), -1,
                           rule));
    }
  }

  void CheckValues(const Message& message, const FieldDescriptor& field, const SpecRule& rule,
                   const std::string& path) {
    if (!field.is_repeated()) {
      Add(path, ValueFault(message, field, -1, rule));
      return;
    }
    for (int i = 0; i < message.GetReflection()->FieldSize(message, &field); ++i) {
      Add(absl::StrCat(path, "[", i, "]"), ValueFault(message, field, i, rule));
    }
  }

  void Add(const std::string& path, std::string fault) {
    if (!fault.empty()) violations_.push_back({path, std::move(fault)});
  }

  const Rules& rules_;
  const std::string allowed_;
  Violations& violations_;
};

// Takes out of `message` what `over` will replace as a whole when it is merged into it.
void ClearReplaced(const Message& over, Message* message) {
  const Reflection& reflection = *over.GetReflection();
  std::vector<const FieldDescriptor*> fields;
  reflection.ListFields(over, &fields);
  for (const FieldDescriptor* field : fields) {
    if (field->is_repeated() || IsDuration(*field)) {
      reflection.ClearField(message, field);
    } else if (HasFields(*field)) {
      ClearReplaced(reflection.GetMessage(over, field), reflection.MutableMessage(message, field));
    }
  }
}

}  // namespace

absl::StatusOr<SpecSpace> SpecSpace::Create(std::vector<SpecRule> rules, absl::string_view path) {
  Violations violations;
  if (rules.size() > static_cast<size_t>(kSpecRulesMax)) {
    violations.push_back(
        {std::string(path), absl::StrCat("are ", rules.size(), "; give at most ", kSpecRulesMax)});
    return MakeViolationsError(ErrorReason::kInvalidRequest, std::move(violations));
  }
  SpecSpace space;
  for (size_t i = 0; i < rules.size(); ++i) {
    const std::string rule_path = absl::StrCat(path, "[", i, "]");
    RuleCheck(rule_path, &violations).Check(rules[i]);
    std::string name = rules[i].path;
    if (space.rules_.try_emplace(name, std::move(rules[i])).second) continue;
    violations.push_back(
        {absl::StrCat(rule_path, ".path"),
         absl::StrCat("\"", absl::CEscape(name), "\" has a rule already; keep one")});
  }
  if (violations.empty()) return space;
  return MakeViolationsError(ErrorReason::kInvalidRequest, std::move(violations));
}

void SpecSpace::CheckSubmitted(const v1::TrainingSpec& spec, Violations* violations) const {
  AddUnknowns(spec, "spec", violations);
  SpecWalk(rules_, Describe(), violations).CheckSet(spec, "", "spec.");
}

void SpecSpace::CheckResolved(const v1::TrainingSpec& resolved, Violations* violations) const {
  SpecWalk(rules_, Describe(), violations).CheckNamed(resolved, "", "spec.");
}

std::string SpecSpace::Describe() const {
  if (rules_.empty()) return "nothing";
  std::vector<std::string> texts;
  for (const auto& [path, rule] : rules_) {
    const std::string bounds = BoundsText(rule);
    texts.push_back(bounds.empty() ? path : absl::StrCat(path, " (", bounds, ")"));
  }
  return absl::StrJoin(texts, ", ");
}

v1::TrainingSpec MergeSpec(const v1::TrainingSpec& assignment, const v1::TrainingSpec& student) {
  v1::TrainingSpec spec = assignment;
  ClearReplaced(student, &spec);
  spec.MergeFrom(student);
  return spec;
}

}  // namespace trainyard
