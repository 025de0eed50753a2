#include "client/proto_yaml.h"

#include <algorithm>
#include <cstdlib>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/time/time.h"
#include "client/describe.h"
#include "client/proto_text.h"
#include "google/protobuf/duration.pb.h"
#include "google/protobuf/timestamp.pb.h"

namespace trainyard {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;

constexpr size_t kIndent = 2;

bool IsPlain(absl::string_view text) {
  if (text.empty() || text[0] == '-' || absl::AsciiStrToLower(text) == "null") return false;
  return std::all_of(text.begin(), text.end(), [](unsigned char c) {
    return absl::ascii_isalnum(c) || c == '_' || c == '.' || c == '-' || c == '/';
  });
}

// U+0080 to U+009F: control characters of two bytes, by the last of them.
bool IsC1(absl::string_view text, size_t i) {
  constexpr unsigned char kLead = 0xC2, kLast = 0x9F;
  return static_cast<unsigned char>(text[i]) == kLead && i + 1 < text.size() &&
         static_cast<unsigned char>(text[i + 1]) <= kLast;
}

std::string Quoted(absl::string_view text) {
  std::string quoted = "\"";
  for (size_t i = 0; i < text.size(); ++i) {
    const auto c = static_cast<unsigned char>(text[i]);
    if (c == '"' || c == '\\') {
      absl::StrAppend(&quoted, "\\", text.substr(i, 1));
    } else if (absl::ascii_iscntrl(c)) {
      absl::StrAppendFormat(&quoted, "\\x%02X", c);
    } else if (IsC1(text, i)) {
      absl::StrAppendFormat(&quoted, "\\x%02X", static_cast<unsigned char>(text[++i]));
    } else {
      quoted += text[i];
    }
  }
  return quoted + "\"";
}

std::string TextOf(absl::string_view text) {
  return IsPlain(text) ? std::string(text) : Quoted(text);
}

// As few digits as read back as the same number.
std::string NumberText(double value) {
  constexpr int kDigitsMin = 15, kDigitsMax = 17;
  std::string text;
  for (int digits = kDigitsMin; digits <= kDigitsMax; ++digits) {
    text = absl::StrFormat("%.*g", digits, value);
    if (std::strtod(text.c_str(), nullptr) == value) return text;
  }
  return text;
}

std::string NumberText(float value) {
  constexpr int kDigitsMin = 6, kDigitsMax = 9;
  std::string text;
  for (int digits = kDigitsMin; digits <= kDigitsMax; ++digits) {
    text = absl::StrFormat("%.*g", digits, value);
    if (std::strtof(text.c_str(), nullptr) == value) return text;
  }
  return text;
}

std::string SpanOrTime(const Message& message) {
  if (message.GetDescriptor()->full_name() == "google.protobuf.Duration") {
    return absl::FormatDuration(
        ToDuration(static_cast<const google::protobuf::Duration&>(message)));
  }
  const absl::Time time = ToTime(static_cast<const google::protobuf::Timestamp&>(message));
  return Quoted(absl::FormatTime("%Y-%m-%dT%H:%M:%E*SZ", time, absl::UTCTimeZone()));
}

// One value of `field`; of a repeated one that at `i`.
std::string ScalarText(const Message& message, const FieldDescriptor& field, int i) {
  const Reflection& r = *message.GetReflection();
  const bool many = field.is_repeated();
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_INT32:
      return absl::StrCat(many ? r.GetRepeatedInt32(message, &field, i)
                               : r.GetInt32(message, &field));
    case FieldDescriptor::CPPTYPE_INT64:
      return absl::StrCat(many ? r.GetRepeatedInt64(message, &field, i)
                               : r.GetInt64(message, &field));
    case FieldDescriptor::CPPTYPE_UINT32:
      return absl::StrCat(many ? r.GetRepeatedUInt32(message, &field, i)
                               : r.GetUInt32(message, &field));
    case FieldDescriptor::CPPTYPE_UINT64:
      return absl::StrCat(many ? r.GetRepeatedUInt64(message, &field, i)
                               : r.GetUInt64(message, &field));
    case FieldDescriptor::CPPTYPE_DOUBLE:
      return NumberText(many ? r.GetRepeatedDouble(message, &field, i)
                             : r.GetDouble(message, &field));
    case FieldDescriptor::CPPTYPE_FLOAT:
      return NumberText(many ? r.GetRepeatedFloat(message, &field, i)
                             : r.GetFloat(message, &field));
    case FieldDescriptor::CPPTYPE_BOOL:
      return (many ? r.GetRepeatedBool(message, &field, i) : r.GetBool(message, &field)) ? "true"
                                                                                         : "false";
    case FieldDescriptor::CPPTYPE_ENUM:
      return EnumWord(*field.enum_type(), many ? r.GetRepeatedEnumValue(message, &field, i)
                                               : r.GetEnumValue(message, &field));
    case FieldDescriptor::CPPTYPE_STRING:
      return TextOf(many ? r.GetRepeatedString(message, &field, i) : r.GetString(message, &field));
    case FieldDescriptor::CPPTYPE_MESSAGE:
      return SpanOrTime(many ? r.GetRepeatedMessage(message, &field, i)
                             : r.GetMessage(message, &field));
  }
  return "";
}

std::string ListLine(const Message& message, const FieldDescriptor& field) {
  std::vector<std::string> items;
  for (int i = 0; i < message.GetReflection()->FieldSize(message, &field); ++i) {
    items.push_back(ScalarText(message, field, i));
  }
  return absl::StrCat(" [", absl::StrJoin(items, ", "), "]\n");
}

std::string PairLines(const Message& message, const FieldDescriptor& field, size_t indent) {
  std::vector<std::string> lines;
  for (int i = 0; i < message.GetReflection()->FieldSize(message, &field); ++i) {
    const Message& pair = message.GetReflection()->GetRepeatedMessage(message, &field, i);
    lines.push_back(absl::StrCat(std::string(indent, ' '),
                                 ScalarText(pair, *field.message_type()->map_key(), 0), ": ",
                                 ScalarText(pair, *field.message_type()->map_value(), 0), "\n"));
  }
  std::sort(lines.begin(), lines.end());  // a map has no order of its own
  return absl::StrCat("\n", absl::StrJoin(lines, ""));
}

// The first line of each element has a dash where the others are indented.
std::string ElementLines(const Message& message, const FieldDescriptor& field, size_t indent) {
  std::string text = "\n";
  for (int i = 0; i < message.GetReflection()->FieldSize(message, &field); ++i) {
    std::string lines =
        ToYaml(message.GetReflection()->GetRepeatedMessage(message, &field, i), indent + kIndent);
    if (lines.empty()) lines = absl::StrCat(std::string(indent + kIndent, ' '), "{}\n");
    lines[indent] = '-';
    text += lines;
  }
  return text;
}

std::string ChildLines(const Message& child, size_t indent) {
  const std::string lines = ToYaml(child, indent);
  return lines.empty() ? " {}\n" : absl::StrCat("\n", lines);
}

std::string ValueLines(const Message& message, const FieldDescriptor& field, size_t indent) {
  if (field.is_map()) return PairLines(message, field, indent);
  if (IsScalar(field)) {
    if (field.is_repeated()) return ListLine(message, field);
    return absl::StrCat(" ", ScalarText(message, field, 0), "\n");
  }
  if (field.is_repeated()) return ElementLines(message, field, indent);
  return ChildLines(message.GetReflection()->GetMessage(message, &field), indent);
}

}  // namespace

std::string ToYaml(const Message& message, size_t indent) {
  std::vector<const FieldDescriptor*> fields;
  message.GetReflection()->ListFields(message, &fields);
  std::string text;
  for (const FieldDescriptor* field : fields) {
    absl::StrAppend(&text, std::string(indent, ' '), field->name(), ":",
                    ValueLines(message, *field, indent + kIndent));
  }
  return text;
}

}  // namespace trainyard
