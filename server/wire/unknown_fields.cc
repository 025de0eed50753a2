#include "server/wire/unknown_fields.h"

#include "absl/strings/str_cat.h"
#include "google/protobuf/descriptor.h"
#include "google/protobuf/unknown_field_set.h"

namespace trainyard {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;

using Violations = std::vector<FieldViolation>;

void AddUnknownEnum(const FieldDescriptor& field, int number, const std::string& path,
                    Violations* violations) {
  if (field.enum_type()->FindValueByNumber(number) != nullptr) return;
  violations->push_back(
      {path, absl::StrCat("value ", number, " is not known to this server; use one of ",
                          field.enum_type()->full_name(), ", or leave it unset")});
}

// One value of a field: `index` is -1 for a field that is not repeated.
void AddUnknownsOfValue(const Message& message, const FieldDescriptor& field, int index,
                        const std::string& path, Violations* violations) {
  const Reflection& reflection = *message.GetReflection();
  if (field.cpp_type() == FieldDescriptor::CPPTYPE_ENUM) {
    const int number = index < 0 ? reflection.GetEnumValue(message, &field)
                                 : reflection.GetRepeatedEnumValue(message, &field, index);
    AddUnknownEnum(field, number, path, violations);
  } else if (field.cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE) {
    AddUnknowns(index < 0 ? reflection.GetMessage(message, &field)
                          : reflection.GetRepeatedMessage(message, &field, index),
                path, violations);
  }
}

}  // namespace

void AddUnknowns(const Message& message, const std::string& path, Violations* violations) {
  const Reflection& reflection = *message.GetReflection();
  const auto& unknown = reflection.GetUnknownFields(message);
  for (int i = 0; i < unknown.field_count(); ++i) {
    violations->push_back(
        {path, absl::StrCat("field ", unknown.field(i).number(),
                            " is not known to this server; remove it, or use a newer server")});
  }
  std::vector<const FieldDescriptor*> fields;
  reflection.ListFields(message, &fields);
  for (const FieldDescriptor* field : fields) {
    const FieldDescriptor::CppType type = field->cpp_type();
    // Of a plain value nothing can be unknown, and there may be many (initial weights).
    if (type != FieldDescriptor::CPPTYPE_ENUM && type != FieldDescriptor::CPPTYPE_MESSAGE) continue;
    const std::string field_path = absl::StrCat(path, ".", field->name());
    if (!field->is_repeated()) {
      AddUnknownsOfValue(message, *field, -1, field_path, violations);
      continue;
    }
    const int count = reflection.FieldSize(message, field);
    for (int i = 0; i < count; ++i) {
      AddUnknownsOfValue(message, *field, i, absl::StrCat(field_path, "[", i, "]"), violations);
    }
  }
}

}  // namespace trainyard
