#include "client/spec_yaml.h"

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "client/exit_code.h"
#include "client/proto_text.h"
#include "client/render.h"
#include "core/base/error_info.h"
#include "core/base/limits.h"
#include "yaml-cpp/yaml.h"

namespace trainyard {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

// Walks a YAML tree along a message's descriptor. Recursion is bounded by the nesting of message
// types, not by the file: a list in a list or a mapping in a scalar is a fault, so a file of
// anchors cannot blow up.
class Mapper {
 public:
  void MapMessage(const YAML::Node& node, const std::string& path, Message* message);
  std::vector<FieldViolation> TakeFaults() { return std::move(faults_); }

 private:
  void MapEntry(const YAML::Node& key, const YAML::Node& value, const std::string& path,
                std::map<std::string, int>* first_lines, Message* message);
  void MapField(const YAML::Node& node, const std::string& path, const FieldDescriptor& field,
                Message* message);
  void MapElement(const YAML::Node& node, const std::string& path, const FieldDescriptor& field,
                  Message* message);
  // A map of the contract: its keys are the user's words.
  void MapPairs(const YAML::Node& node, const std::string& path, const FieldDescriptor& field,
                Message* message);
  void AddFault(const YAML::Node& node, const std::string& path, absl::string_view what);

  std::vector<FieldViolation> faults_;
};

absl::string_view KindOf(const YAML::Node& node) {
  if (node.IsMap()) return "a mapping";
  if (node.IsSequence()) return "a list";
  if (node.IsScalar()) return "a single value";
  return "nothing";
}

void Mapper::AddFault(const YAML::Node& node, const std::string& path, absl::string_view what) {
  if (faults_.size() > kYamlFaultsMax) return;
  if (faults_.size() == kYamlFaultsMax) {
    faults_.push_back({"", "and more faults; mend these first"});
    return;
  }
  const YAML::Mark mark = node.Mark();
  const std::string where =
      mark.is_null() ? ""
                     : absl::StrCat("line ", mark.line + 1, ", column ", mark.column + 1, ": ");
  faults_.push_back({path, absl::StrCat(where, what)});
}

void Mapper::MapMessage(const YAML::Node& node, const std::string& path, Message* message) {
  const Descriptor& type = *message->GetDescriptor();
  if (!node.IsMap()) {
    AddFault(node, path,
             absl::StrCat("expected a mapping with the keys ",
                          absl::StrJoin(FieldNames(type), ", "), "; found ", KindOf(node)));
    return;
  }
  std::map<std::string, int> first_lines;
  for (const auto& entry : node) MapEntry(entry.first, entry.second, path, &first_lines, message);
}

void Mapper::MapEntry(const YAML::Node& key, const YAML::Node& value, const std::string& path,
                      std::map<std::string, int>* first_lines, Message* message) {
  if (!key.IsScalar()) return AddFault(key, path, "a key must be a field name");
  const std::string& name = key.Scalar();
  const std::string key_path = absl::StrCat(path, path.empty() ? "" : ".", Printable(name));
  const Descriptor& type = *message->GetDescriptor();
  const FieldDescriptor* field = type.FindFieldByName(name);
  if (field == nullptr) {
    const std::vector<std::string> known = FieldNames(type);
    const std::string guess = DidYouMean(name, known);
    return AddFault(key, key_path,
                    absl::StrCat("unknown key", guess.empty() ? "; known here: " : guess,
                                 guess.empty() ? absl::StrJoin(known, ", ") : ""));
  }
  const auto [first, is_new] = first_lines->emplace(name, key.Mark().line + 1);
  if (!is_new) {
    return AddFault(key, key_path, absl::StrCat("given twice, first in line ", first->second));
  }
  MapField(value, key_path, *field, message);
}

void Mapper::MapField(const YAML::Node& node, const std::string& path, const FieldDescriptor& field,
                      Message* message) {
  if (!field.is_repeated()) return MapElement(node, path, field, message);
  if (field.is_map()) return MapPairs(node, path, field, message);
  if (!node.IsSequence()) {
    return AddFault(node, path, absl::StrCat("expected a list, found ", KindOf(node)));
  }
  for (size_t i = 0; i < node.size(); ++i) {
    MapElement(node[i], absl::StrCat(path, "[", i, "]"), field, message);
  }
}

void Mapper::MapPairs(const YAML::Node& node, const std::string& path, const FieldDescriptor& field,
                      Message* message) {
  if (!node.IsMap()) {
    return AddFault(node, path,
                    absl::StrCat("expected a mapping of names to values, found ", KindOf(node)));
  }
  std::map<std::string, int> first_lines;
  for (const auto& pair : node) {
    if (!pair.first.IsScalar()) {
      AddFault(pair.first, path, "a key must be a single value");
      continue;
    }
    const std::string pair_path = absl::StrCat(path, "[\"", Printable(pair.first.Scalar()), "\"]");
    const auto [first, is_new] =
        first_lines.emplace(pair.first.Scalar(), pair.first.Mark().line + 1);
    if (!is_new) {
      AddFault(pair.first, pair_path, absl::StrCat("given twice, first in line ", first->second));
      continue;
    }
    Message* const entry = message->GetReflection()->AddMessage(message, &field);
    MapElement(pair.first, pair_path, *field.message_type()->map_key(), entry);
    MapElement(pair.second, pair_path, *field.message_type()->map_value(), entry);
  }
}

void Mapper::MapElement(const YAML::Node& node, const std::string& path,
                        const FieldDescriptor& field, Message* message) {
  if (IsScalar(field)) {
    if (!node.IsScalar()) {
      return AddFault(node, path, absl::StrCat("expected a single value, found ", KindOf(node)));
    }
    const std::string fault = SetScalar(message, field, node.Scalar());
    if (!fault.empty()) AddFault(node, path, fault);
    return;
  }
  const auto& reflection = *message->GetReflection();
  Message* child = field.is_repeated() ? reflection.AddMessage(message, &field)
                                       : reflection.MutableMessage(message, &field);
  MapMessage(node, path, child);
}

std::set<std::string> KeysOf(const YAML::Node& node) {
  std::set<std::string> keys;
  if (!node.IsMap()) return keys;  // a fault of its own
  for (const auto& entry : node) {
    if (entry.first.IsScalar()) keys.insert(entry.first.Scalar());
  }
  return keys;
}

absl::Status FaultsError(std::vector<FieldViolation> faults) {
  return AsUsageError(MakeViolationsError(ErrorReason::kInvalidSpec, std::move(faults)));
}

}  // namespace

absl::Status ParseYaml(absl::string_view text, Message* message, std::set<std::string>* keys) {
  if (static_cast<int64_t>(text.size()) > limits::kSpecBytesMax) {
    return UsageError(
        absl::StrCat("the spec has ", text.size(), " bytes, more than ", limits::kSpecBytesMax),
        {.reason = ErrorReason::kTooLarge, .hint = "give a smaller file"});
  }
  Mapper mapper;
  std::set<std::string> given;
  try {
    const YAML::Node root = YAML::Load(std::string(text));
    mapper.MapMessage(root, "", message);
    given = KeysOf(root);
  } catch (const YAML::Exception& e) {
    // Syntax: the parser stops at the first fault, so there is only one.
    return FaultsError({{"", absl::StrCat("line ", e.mark.line + 1, ", column ", e.mark.column + 1,
                                          ": not YAML: ", Printable(e.msg))}});
  }
  std::vector<FieldViolation> faults = mapper.TakeFaults();
  if (!faults.empty()) return FaultsError(std::move(faults));
  if (keys != nullptr) *keys = std::move(given);
  return absl::OkStatus();
}

}  // namespace trainyard
