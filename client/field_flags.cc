#include "client/field_flags.h"

#include <utility>

#include "CLI/CLI.hpp"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "client/proto_text.h"
#include "core/base/check.h"

namespace trainyard {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using Texts = std::vector<std::string>;

const FieldDescriptor& FieldOf(const Descriptor& type, absl::string_view name) {
  const FieldDescriptor* const field = type.FindFieldByName(std::string(name));
  TY_CHECK(field != nullptr);
  return *field;
}

const FieldDescriptor& FieldAt(const Descriptor& type, absl::string_view path) {
  const std::pair<absl::string_view, absl::string_view> parts =
      absl::StrSplit(path, absl::MaxSplits('.', 1));
  const FieldDescriptor& field = FieldOf(type, parts.first);
  return parts.second.empty() ? field : FieldAt(*field.message_type(), parts.second);
}

// The message that holds the last field of `path`, made on the way.
std::pair<Message*, const FieldDescriptor*> Resolve(Message* message, absl::string_view path) {
  const std::vector<absl::string_view> names = absl::StrSplit(path, '.');
  for (size_t i = 0; i + 1 < names.size(); ++i) {
    const FieldDescriptor& step = FieldOf(*message->GetDescriptor(), names[i]);
    message = message->GetReflection()->MutableMessage(message, &step);
  }
  return {message, &FieldOf(*message->GetDescriptor(), names.back())};
}

// NAME=VALUE; the name may have = itself.
std::string AddPair(Message* message, const FieldDescriptor& field, absl::string_view text) {
  const size_t border = text.rfind('=');
  if (border == absl::string_view::npos) {
    return absl::StrCat("expected NAME=VALUE, found \"", text, "\"");
  }
  Message* const entry = message->GetReflection()->AddMessage(message, &field);
  const Descriptor& type = *field.message_type();
  const std::string fault = SetScalar(entry, *type.map_key(), text.substr(0, border));
  if (!fault.empty()) return fault;
  return SetScalar(entry, *type.map_value(), text.substr(border + 1));
}

void AddFlag(CLI::App& app, const std::string& group, const FlagSpec& spec,
             const FieldDescriptor& field, FieldFlags* flags) {
  const auto set = [flags, &spec](Texts values) {
    flags->Set(spec.flag, spec.path, std::move(values));
  };
  if (field.is_repeated()) {
    app.add_option_function<Texts>(spec.flag, set, spec.help)
        ->delimiter(',')
        ->allow_extra_args(false)
        ->type_name(spec.type)
        ->group(group);
    return;
  }
  if (field.cpp_type() == FieldDescriptor::CPPTYPE_BOOL) {
    app.add_flag_callback(
           spec.flag, [set, &spec] { set({spec.bare != nullptr ? spec.bare : "true"}); }, spec.help)
        ->group(group);
    return;
  }
  CLI::Option* const option = app.add_option_function<std::string>(
      spec.flag,
      [set, &spec](const std::string& value) {
        set({value.empty() && spec.bare != nullptr ? spec.bare : value});
      },
      spec.help);
  option->type_name(spec.type)->group(group);
  if (spec.bare != nullptr) option->expected(0, 1);
}

}  // namespace

void FieldFlags::Set(absl::string_view flag, absl::string_view path,
                     std::vector<std::string> values) {
  entries_.push_back({std::string(flag), std::string(path), std::move(values)});
}

void FieldFlags::ApplyTo(Message* message, std::vector<FieldViolation>* faults) const {
  for (const Entry& entry : entries_) {
    const auto [holder, field] = Resolve(message, entry.path);
    if (field->is_repeated()) holder->GetReflection()->ClearField(holder, field);
    for (const std::string& value : entry.values) {
      std::string fault =
          field->is_map() ? AddPair(holder, *field, value) : SetScalar(holder, *field, value);
      if (!fault.empty()) faults->push_back({entry.flag, std::move(fault)});
    }
  }
}

void AddFieldFlags(CLI::App& app, const std::string& group, std::span<const FlagSpec> table,
                   const Descriptor& type, FieldFlags* flags) {
  for (const FlagSpec& spec : table) {
    AddFlag(app, group, spec, FieldAt(type, spec.path), flags);
  }
}

}  // namespace trainyard
