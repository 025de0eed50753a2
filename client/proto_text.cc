#include "client/proto_text.h"

#include <cmath>
#include <cstdint>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "client/render.h"
#include "core/base/check.h"
#include "core/base/nearest.h"
#include "google/protobuf/duration.pb.h"
#include "google/protobuf/timestamp.pb.h"

namespace trainyard {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::EnumDescriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;

constexpr size_t kFoundBytesMax = 60;            // of a faulty text, in a message
constexpr double kSecondsMax = 315'576'000'000;  // of google.protobuf.Duration: 10 000 years

std::string Expected(absl::string_view what, absl::string_view found) {
  return absl::StrCat("expected ", what, ", found \"", Ellipsize(Printable(found), kFoundBytesMax),
                      "\"");
}

// "ACTIVATION_" for Activation when its values start so; nested enums of the contract have no
// prefix.
std::string EnumPrefix(const EnumDescriptor& type) {
  const std::string& zero = type.FindValueByNumber(0)->name();
  constexpr absl::string_view kZero = "UNSPECIFIED";
  TY_CHECK(absl::EndsWith(zero, kZero));
  const std::string prefix = zero.substr(0, zero.size() - kZero.size());
  for (int i = 0; i < type.value_count(); ++i) {
    if (!absl::StartsWith(type.value(i)->name(), prefix)) return "";
  }
  return prefix;
}

bool IsOf(const FieldDescriptor& field, absl::string_view message) {
  return field.message_type() != nullptr && field.message_type()->full_name() == message;
}

bool IsDuration(const FieldDescriptor& field) { return IsOf(field, "google.protobuf.Duration"); }
bool IsTimestamp(const FieldDescriptor& field) { return IsOf(field, "google.protobuf.Timestamp"); }

std::string SetDuration(Message* message, const FieldDescriptor& field, absl::string_view text) {
  const std::optional<absl::Duration> span = ParseSpan(text);
  if (!span.has_value()) {
    return Expected("a duration such as 30s, 5m, 1h30m or a number of seconds", text);
  }
  // Through the generated class: Duration is linked into every binary, so the factory has no other.
  auto* duration = static_cast<google::protobuf::Duration*>(
      message->GetReflection()->MutableMessage(message, &field));
  absl::Duration rest;
  duration->set_seconds(absl::IDivDuration(*span, absl::Seconds(1), &rest));
  duration->set_nanos(static_cast<int32_t>(absl::ToInt64Nanoseconds(rest)));
  return "";
}

std::string SetTimestamp(Message* message, const FieldDescriptor& field, absl::string_view text) {
  absl::Time time;
  std::string error;
  if (!absl::ParseTime(absl::RFC3339_full, text, &time, &error)) {
    return Expected("a time such as 2027-02-10T18:42:07Z or 2027-02-10T21:42:07+03:00", text);
  }
  const absl::Time second = absl::FromUnixSeconds(absl::ToUnixSeconds(time));
  auto* timestamp = static_cast<google::protobuf::Timestamp*>(
      message->GetReflection()->MutableMessage(message, &field));
  timestamp->set_seconds(absl::ToUnixSeconds(second));
  timestamp->set_nanos(static_cast<int32_t>(absl::ToInt64Nanoseconds(time - second)));
  return "";
}

std::string SetEnum(Message* message, const FieldDescriptor& field, absl::string_view text) {
  const EnumDescriptor& type = *field.enum_type();
  const std::string upper = absl::AsciiStrToUpper(text);
  const auto* value = type.FindValueByName(absl::StrCat(EnumPrefix(type), upper));
  if (value == nullptr) value = type.FindValueByName(upper);
  if (value == nullptr || value->number() == 0) {
    const std::vector<std::string> words = EnumWords(type);
    return absl::StrCat(Expected(absl::StrCat("one of ", absl::StrJoin(words, ", ")), text),
                        DidYouMean(absl::AsciiStrToLower(text), words));
  }
  const Reflection& reflection = *message->GetReflection();
  if (field.is_repeated()) {
    reflection.AddEnum(message, &field, value);
  } else {
    reflection.SetEnum(message, &field, value);
  }
  return "";
}

// Sets or adds `value` by whichever reflection call fits.
template <typename T>
void Put(Message* message, const FieldDescriptor& field, T value,
         void (Reflection::*set)(Message*, const FieldDescriptor*, T) const,
         void (Reflection::*add)(Message*, const FieldDescriptor*, T) const) {
  const auto call = field.is_repeated() ? add : set;
  (message->GetReflection()->*call)(message, &field, std::move(value));
}

template <typename T>
std::string SetInteger(Message* message, const FieldDescriptor& field, absl::string_view text,
                       void (Reflection::*set)(Message*, const FieldDescriptor*, T) const,
                       void (Reflection::*add)(Message*, const FieldDescriptor*, T) const) {
  T value = 0;
  if (!absl::SimpleAtoi(text, &value)) {
    const absl::string_view what =
        std::is_unsigned_v<T> ? "a whole number from 0" : "a whole number";
    return Expected(absl::StrCat(what, " of at most ", sizeof(T) * 8, " bits"), text);
  }
  Put(message, field, value, set, add);
  return "";
}

std::string SetDouble(Message* message, const FieldDescriptor& field, absl::string_view text) {
  double value = 0;
  if (!absl::SimpleAtod(text, &value) || !std::isfinite(value)) {
    return Expected("a finite number", text);
  }
  Put(message, field, value, &Reflection::SetDouble, &Reflection::AddDouble);
  return "";
}

std::string SetFloat(Message* message, const FieldDescriptor& field, absl::string_view text) {
  float value = 0;
  if (!absl::SimpleAtof(text, &value) || !std::isfinite(value)) {
    return Expected("a finite number within the range of float32", text);
  }
  Put(message, field, value, &Reflection::SetFloat, &Reflection::AddFloat);
  return "";
}

std::string SetBool(Message* message, const FieldDescriptor& field, absl::string_view text) {
  if (text != "true" && text != "false") return Expected("true or false", text);
  Put(message, field, text == "true", &Reflection::SetBool, &Reflection::AddBool);
  return "";
}

}  // namespace

bool IsScalar(const FieldDescriptor& field) {
  return field.cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE || IsDuration(field) ||
         IsTimestamp(field);
}

std::string SetScalar(Message* message, const FieldDescriptor& field, absl::string_view text) {
  TY_CHECK(IsScalar(field));
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_MESSAGE:
      return IsDuration(field) ? SetDuration(message, field, text)
                               : SetTimestamp(message, field, text);
    case FieldDescriptor::CPPTYPE_ENUM:
      return SetEnum(message, field, text);
    case FieldDescriptor::CPPTYPE_INT32:
      return SetInteger<int32_t>(message, field, text, &Reflection::SetInt32,
                                 &Reflection::AddInt32);
    case FieldDescriptor::CPPTYPE_INT64:
      return SetInteger<int64_t>(message, field, text, &Reflection::SetInt64,
                                 &Reflection::AddInt64);
    case FieldDescriptor::CPPTYPE_UINT64:
      return SetInteger<uint64_t>(message, field, text, &Reflection::SetUInt64,
                                  &Reflection::AddUInt64);
    case FieldDescriptor::CPPTYPE_DOUBLE:
      return SetDouble(message, field, text);
    case FieldDescriptor::CPPTYPE_FLOAT:
      return SetFloat(message, field, text);
    case FieldDescriptor::CPPTYPE_BOOL:
      return SetBool(message, field, text);
    case FieldDescriptor::CPPTYPE_STRING:
      Put(message, field, std::string(text), &Reflection::SetString, &Reflection::AddString);
      return "";
    default:
      return absl::StrCat("fields of type ", field.cpp_type_name(), " cannot be given as text");
  }
}

std::optional<absl::Duration> ParseSpan(absl::string_view text) {
  double seconds = 0;
  if (absl::SimpleAtod(text, &seconds)) {
    if (!(std::abs(seconds) <= kSecondsMax)) return std::nullopt;
    return absl::Seconds(seconds);
  }
  absl::Duration span;
  if (!absl::ParseDuration(text, &span)) return std::nullopt;
  if (absl::AbsDuration(span) > absl::Seconds(kSecondsMax)) return std::nullopt;
  return span;
}

std::vector<std::string> EnumWords(const EnumDescriptor& type) {
  std::vector<std::string> words;
  for (int i = 0; i < type.value_count(); ++i) {
    const int number = type.value(i)->number();
    if (number != 0) words.push_back(EnumWord(type, number));
  }
  return words;
}

std::string EnumWord(const EnumDescriptor& type, int number) {
  const auto* value = type.FindValueByNumber(number);
  if (value == nullptr) return absl::StrCat(number);
  if (number == 0) return "unspecified";
  return absl::AsciiStrToLower(value->name().substr(EnumPrefix(type).size()));
}

std::vector<std::string> FieldNames(const Descriptor& type) {
  std::vector<std::string> names;
  for (int i = 0; i < type.field_count(); ++i) names.push_back(type.field(i)->name());
  return names;
}

std::string DidYouMean(absl::string_view word, const std::vector<std::string>& candidates) {
  const std::string nearest = Nearest(word, candidates);
  return nearest.empty() ? "" : absl::StrCat(" (did you mean \"", nearest, "\"?)");
}

}  // namespace trainyard
