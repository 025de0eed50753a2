// Optional fields of a message and members of a struct that mean the same, as one table for both
// directions: what is in the table cannot be forgotten in one of them.
//
//   constexpr Field<InitConfig> kInitFields[] = {{"gain", &InitConfig::gain}, {"scale",
//   &InitConfig::scale}}; ReadFields(spec.init_options(), kInitFields, &config.init);
//   WriteFields(config.init, kInitFields, spec.mutable_init_options());
//
// A member that is no std::optional keeps its value where the message has none, and is always
// written. REQUIRES: every name is a singular field of the message, of a type that goes into its
// member. Thread-safety: pure functions.
#ifndef TRAINYARD_SERVER_WIRE_FIELD_TABLE_H_
#define TRAINYARD_SERVER_WIRE_FIELD_TABLE_H_

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <type_traits>
#include <variant>

#include "google/protobuf/descriptor.h"
#include "google/protobuf/message.h"

namespace trainyard {

template <typename Struct>
struct Field {
  const char* name;
  std::variant<std::optional<double> Struct::*, std::optional<int64_t> Struct::*,
               std::optional<bool> Struct::*, double Struct::*, int64_t Struct::*,
               uint64_t Struct::*, bool Struct::*, std::string Struct::*>
      member;
};

namespace field_table_internal {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

template <typename T>
struct Plain {
  using Type = T;
};
template <typename T>
struct Plain<std::optional<T>> {
  using Type = T;
};

template <typename T>
T Get(const Message& message, const FieldDescriptor* field) {
  const google::protobuf::Reflection& reflection = *message.GetReflection();
  if constexpr (std::is_same_v<T, double>) return reflection.GetDouble(message, field);
  if constexpr (std::is_same_v<T, bool>) return reflection.GetBool(message, field);
  if constexpr (std::is_same_v<T, uint64_t>) return reflection.GetUInt64(message, field);
  if constexpr (std::is_same_v<T, std::string>) return reflection.GetString(message, field);
  if constexpr (std::is_same_v<T, int64_t>) {
    return field->cpp_type() == FieldDescriptor::CPPTYPE_INT32
               ? reflection.GetInt32(message, field)
               : reflection.GetInt64(message, field);
  }
}

inline void Set(double value, const FieldDescriptor* field, Message* message) {
  message->GetReflection()->SetDouble(message, field, value);
}
inline void Set(bool value, const FieldDescriptor* field, Message* message) {
  message->GetReflection()->SetBool(message, field, value);
}
inline void Set(uint64_t value, const FieldDescriptor* field, Message* message) {
  message->GetReflection()->SetUInt64(message, field, value);
}
inline void Set(const std::string& value, const FieldDescriptor* field, Message* message) {
  message->GetReflection()->SetString(message, field, value);
}
inline void Set(int64_t value, const FieldDescriptor* field, Message* message) {
  const google::protobuf::Reflection& reflection = *message->GetReflection();
  if (field->cpp_type() == FieldDescriptor::CPPTYPE_INT32) {
    return reflection.SetInt32(message, field, static_cast<int32_t>(value));
  }
  reflection.SetInt64(message, field, value);
}
template <typename T>
void Set(const std::optional<T>& value, const FieldDescriptor* field, Message* message) {
  if (value.has_value()) Set(*value, field, message);
}

}  // namespace field_table_internal

template <typename Struct>
void ReadFields(const google::protobuf::Message& message, std::span<const Field<Struct>> fields,
                Struct* out) {
  for (const Field<Struct>& field : fields) {
    const auto* descriptor = message.GetDescriptor()->FindFieldByName(field.name);
    if (!message.GetReflection()->HasField(message, descriptor)) continue;
    std::visit(
        [&](auto member) {
          using Value = std::remove_reference_t<decltype(out->*member)>;
          using Type = typename field_table_internal::Plain<Value>::Type;
          out->*member = field_table_internal::Get<Type>(message, descriptor);
        },
        field.member);
  }
}

template <typename Struct>
void WriteFields(const Struct& in, std::span<const Field<Struct>> fields,
                 google::protobuf::Message* message) {
  for (const Field<Struct>& field : fields) {
    const auto* descriptor = message->GetDescriptor()->FindFieldByName(field.name);
    std::visit([&](auto member) { field_table_internal::Set(in.*member, descriptor, message); },
               field.member);
  }
}

}  // namespace trainyard

#endif  // TRAINYARD_SERVER_WIRE_FIELD_TABLE_H_
