#include "server/wire/canonical_json.h"

#include <cstddef>
#include <optional>
#include <set>

#include "absl/status/status.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "core/base/check.h"
#include "core/base/error_info.h"
#include "core/base/status_macros.h"

namespace trainyard {
namespace {

constexpr absl::string_view kReplacement = "\xEF\xBF\xBD";  // U+FFFD

unsigned char Byte(char c) { return static_cast<unsigned char>(c); }

// How many bytes after a lead byte belong to its character; nullopt: it is no lead byte.
std::optional<size_t> TrailingBytes(unsigned char lead) {
  if (lead < 0x80) return 0;
  if (lead >= 0xC2 && lead <= 0xDF) return 1;
  if (lead >= 0xE0 && lead <= 0xEF) return 2;
  if (lead >= 0xF0 && lead <= 0xF4) return 3;
  return std::nullopt;
}

// Unicode, table 3-7: the second byte's range keeps out overlong forms, surrogates and what is
// above U+10FFFF.
bool SecondByteFits(unsigned char lead, unsigned char second) {
  if (lead == 0xE0) return second >= 0xA0 && second <= 0xBF;
  if (lead == 0xED) return second >= 0x80 && second <= 0x9F;
  if (lead == 0xF0) return second >= 0x90 && second <= 0xBF;
  if (lead == 0xF4) return second >= 0x80 && second <= 0x8F;
  return second >= 0x80 && second <= 0xBF;
}

// Bytes of the character that `text` starts with; 0: it starts with none. REQUIRES: not empty.
size_t CharacterBytes(absl::string_view text) {
  const std::optional<size_t> trailing = TrailingBytes(Byte(text[0]));
  if (!trailing.has_value() || text.size() <= *trailing) return 0;
  if (*trailing > 0 && !SecondByteFits(Byte(text[0]), Byte(text[1]))) return 0;
  for (size_t i = 2; i <= *trailing; ++i) {
    if ((Byte(text[i]) & 0xC0) != 0x80) return 0;
  }
  return *trailing + 1;
}

// Bytes at the start of `text` that stand for themselves in a string.
size_t PlainBytes(absl::string_view text) {
  size_t count = 0;
  const auto is_plain = [](char c) {
    return Byte(c) >= 0x20 && Byte(c) < 0x80 && c != '"' && c != '\\';
  };
  while (count < text.size() && is_plain(text[count])) ++count;
  return count;
}

void AppendUtf8(uint32_t code, std::string* out) {
  const auto add = [out](uint32_t byte) { out->push_back(static_cast<char>(byte)); };
  if (code < 0x80) return add(code);
  if (code < 0x800) {
    add(0xC0 | (code >> 6));
    return add(0x80 | (code & 0x3F));
  }
  if (code < 0x10000) {
    add(0xE0 | (code >> 12));
  } else {
    add(0xF0 | (code >> 18));
    add(0x80 | ((code >> 12) & 0x3F));
  }
  add(0x80 | ((code >> 6) & 0x3F));
  add(0x80 | (code & 0x3F));
}

// The escape of a character that must have one; empty otherwise.
std::string EscapeOf(char c) {
  switch (c) {
    case '"':
      return "\\\"";
    case '\\':
      return "\\\\";
    case '\b':
      return "\\b";
    case '\t':
      return "\\t";
    case '\n':
      return "\\n";
    case '\f':
      return "\\f";
    case '\r':
      return "\\r";
    default:
      return Byte(c) < 0x20 ? absl::StrCat("\\u", absl::Hex(Byte(c), absl::kZeroPad4))
                            : std::string();
  }
}

void AppendString(absl::string_view text, std::string* out) {
  out->push_back('"');
  while (true) {
    const size_t plain = PlainBytes(text);
    absl::StrAppend(out, text.substr(0, plain));
    text.remove_prefix(plain);
    if (text.empty()) break;
    const size_t size = CharacterBytes(text);
    const std::string escape = size == 1 ? EscapeOf(text[0]) : std::string();
    const absl::string_view literal = size == 0 ? kReplacement : text.substr(0, size);
    absl::StrAppend(out, escape.empty() ? literal : absl::string_view(escape));
    text.remove_prefix(size == 0 ? 1 : size);
  }
  out->push_back('"');
}

void AppendValue(const Json& value, std::string* out);

void AppendArray(const Json::Array& array, std::string* out) {
  absl::string_view separator = "[";
  for (const Json& value : array) {
    absl::StrAppend(out, separator);
    AppendValue(value, out);
    separator = ",";
  }
  absl::StrAppend(out, array.empty() ? "[]" : "]");
}

void AppendObject(const Json::Object& object, std::string* out) {
  absl::string_view separator = "{";
  for (const auto& [key, value] : object) {
    absl::StrAppend(out, separator);
    AppendString(key, out);
    out->push_back(':');
    AppendValue(value, out);
    separator = ",";
  }
  absl::StrAppend(out, object.empty() ? "{}" : "}");
}

void AppendValue(const Json& value, std::string* out) {
  if (value.boolean() != nullptr) return absl::StrAppend(out, *value.boolean() ? "true" : "false");
  if (value.integer() != nullptr) return absl::StrAppend(out, *value.integer());
  if (value.text() != nullptr) return AppendString(*value.text(), out);
  if (value.array() != nullptr) return AppendArray(*value.array(), out);
  AppendObject(*value.object(), out);
}

absl::Status TooLarge(absl::string_view what, absl::string_view in_force) {
  return MakeError(absl::StatusCode::kInvalidArgument, what,
                   {.reason = ErrorReason::kTooLarge,
                    .hint = "check that this is the right file",
                    .in_force = std::string(in_force)});
}

// "-0" is none: RFC 8785 has no negative zero.
bool IsCanonicalInteger(absl::string_view token, int64_t* value) {
  if (token.find_first_of(".eE") != absl::string_view::npos || token == "-0") return false;
  return absl::SimpleAtoi(token, value) && *value >= -kJsonIntegerMax && *value <= kJsonIntegerMax;
}

size_t CountDigits(absl::string_view text) {
  const size_t end = text.find_first_not_of("0123456789");
  return end == absl::string_view::npos ? text.size() : end;
}

// Bytes of the number that `text` starts with, by JSON's grammar; 0: none.
size_t NumberBytes(absl::string_view text) {
  size_t at = absl::StartsWith(text, "-") ? 1 : 0;
  const size_t whole = CountDigits(text.substr(at));
  const bool leading_zero = whole > 1 && text[at] == '0';
  if (whole == 0 || leading_zero) return 0;
  at += whole;
  if (absl::StartsWith(text.substr(at), ".")) {
    const size_t fraction = CountDigits(text.substr(at + 1));
    if (fraction == 0) return 0;
    at += 1 + fraction;
  }
  const bool has_exponent = at < text.size() && (text[at] == 'e' || text[at] == 'E');
  if (!has_exponent) return at;
  const bool has_sign = at + 1 < text.size() && (text[at + 1] == '+' || text[at + 1] == '-');
  const size_t sign = has_sign ? 1 : 0;
  const size_t exponent = CountDigits(text.substr(at + 1 + sign));
  return exponent == 0 ? 0 : at + 1 + sign + exponent;
}

class Parser {
 public:
  Parser(absl::string_view text, const JsonParseOptions& options)
      : text_(text), options_(options) {}

  absl::StatusOr<Json> Parse() {
    TY_ASSIGN_OR_RETURN(Json value, Value(0));
    SkipSpace();
    if (!rest().empty()) return Fault("expected nothing more after the value");
    return value;
  }

 private:
  absl::string_view rest() const { return text_.substr(at_); }

  absl::Status Fault(absl::string_view what) const {
    const std::string found =
        rest().empty() ? "the end"
                       : absl::StrCat("\"", absl::CHexEscape(rest().substr(0, 10)), "\"");
    return MakeError(absl::StatusCode::kInvalidArgument,
                     absl::StrCat("byte ", at_, ": ", what, ", found ", found),
                     {.reason = ErrorReason::kInvalidRequest,
                      .hint = "give JSON in UTF-8 as the service wrote it"});
  }

  void SkipSpace() {
    const size_t next = text_.find_first_not_of(" \t\r\n", at_);
    at_ = next == absl::string_view::npos ? text_.size() : next;
  }

  bool Consume(absl::string_view token) {
    SkipSpace();
    if (!absl::StartsWith(rest(), token)) return false;
    at_ += token.size();
    return true;
  }

  absl::StatusOr<Json> Value(int depth) {
    if (depth > kJsonDepthMax) {
      return TooLarge(absl::StrCat("byte ", at_, ": too many values inside each other"),
                      absl::StrCat("depth at most ", kJsonDepthMax));
    }
    SkipSpace();
    if (rest().empty()) return Fault("expected a value");
    if (rest()[0] == '{') return ObjectValue(depth);
    if (rest()[0] == '[') return ArrayValue(depth);
    if (rest()[0] == '"') return TextValue();
    if (Consume("true")) return Json(true);
    if (Consume("false")) return Json(false);
    return Number();
  }

  absl::StatusOr<Json> TextValue() {
    TY_ASSIGN_OR_RETURN(std::string text, String());
    return Json(std::move(text));
  }

  absl::StatusOr<Json> Number() {
    const absl::string_view token = rest().substr(0, NumberBytes(rest()));
    if (token.empty()) return Fault("expected an object, array, string, integer, true or false");
    int64_t value = 0;
    const bool is_integer = IsCanonicalInteger(token, &value);
    if (!is_integer && !options_.numbers_as_text) {
      return Fault("expected an integer from -(2^53-1) to 2^53-1, other numbers as strings");
    }
    at_ += token.size();
    return is_integer ? Json(value) : Json(std::string(token));
  }

  absl::StatusOr<Json> ArrayValue(int depth) {
    Json::Array values;
    ++at_;
    if (Consume("]")) return Json(std::move(values));
    do {
      TY_ASSIGN_OR_RETURN(Json value, Value(depth + 1));
      values.push_back(std::move(value));
    } while (Consume(","));
    if (!Consume("]")) return Fault("expected \",\" or \"]\"");
    return Json(std::move(values));
  }

  absl::StatusOr<Json> ObjectValue(int depth) {
    Json::Object members;
    std::set<std::string> keys;
    ++at_;
    if (Consume("}")) return Json(std::move(members));
    do {
      TY_RETURN_IF_ERROR(Member(depth, &members, &keys));
    } while (Consume(","));
    if (!Consume("}")) return Fault("expected \",\" or \"}\"");
    return Json(std::move(members));
  }

  // `keys` are those of all members, of absent ones, too.
  absl::Status Member(int depth, Json::Object* members, std::set<std::string>* keys) {
    SkipSpace();
    const size_t key_at = at_;
    TY_ASSIGN_OR_RETURN(std::string key, String());
    if (!keys->insert(key).second) {
      at_ = key_at;
      return Fault("expected each key once");
    }
    if (!Consume(":")) return Fault("expected \":\"");
    if (options_.null_is_absent && Consume("null")) return absl::OkStatus();
    TY_ASSIGN_OR_RETURN(Json value, Value(depth + 1));
    members->emplace(std::move(key), std::move(value));
    return absl::OkStatus();
  }

  absl::StatusOr<std::string> String() {
    if (!absl::StartsWith(rest(), "\"")) return Fault("expected a string");
    ++at_;
    std::string text;
    while (true) {
      const size_t plain = PlainBytes(rest());
      absl::StrAppend(&text, rest().substr(0, plain));
      at_ += plain;
      if (absl::StartsWith(rest(), "\"")) break;
      TY_RETURN_IF_ERROR(Character(&text));
    }
    ++at_;
    return text;
  }

  absl::Status Character(std::string* text) {
    if (rest().empty()) return Fault("expected the string's end");
    if (rest()[0] == '\\') return Escape(text);
    const size_t size = CharacterBytes(rest());
    if (size == 0) return Fault("expected UTF-8");
    if (Byte(rest()[0]) < 0x20) return Fault("expected an escape for a control character");
    absl::StrAppend(text, rest().substr(0, size));
    at_ += size;
    return absl::OkStatus();
  }

  absl::Status Escape(std::string* text) {
    constexpr absl::string_view kLetters = "\"\\/bfnrt";
    constexpr absl::string_view kMeanings = "\"\\/\b\f\n\r\t";
    if (absl::StartsWith(rest(), "\\u")) return UnicodeEscape(text);
    const size_t letter = rest().size() < 2 ? absl::string_view::npos : kLetters.find(rest()[1]);
    if (letter == absl::string_view::npos) return Fault("expected an escape of JSON");
    text->push_back(kMeanings[letter]);
    at_ += 2;
    return absl::OkStatus();
  }

  // The four hex digits of a \u at the start of `text`.
  static std::optional<uint32_t> HexUnit(absl::string_view text) {
    const absl::string_view digits = text.substr(0, 6);
    const bool shaped = digits.size() == 6 && absl::StartsWith(digits, "\\u") &&
                        digits.find_first_not_of("0123456789abcdefABCDEF", 2) == digits.npos;
    uint32_t unit = 0;
    if (!shaped || !absl::SimpleHexAtoi(digits.substr(2), &unit)) return std::nullopt;
    return unit;
  }

  absl::Status UnicodeEscape(std::string* text) {
    const std::optional<uint32_t> unit = HexUnit(rest());
    if (!unit.has_value()) return Fault("expected four hex digits after \\u");
    const bool is_surrogate = *unit >= 0xD800 && *unit <= 0xDFFF;
    if (!is_surrogate) {
      AppendUtf8(*unit, text);
      at_ += 6;
      return absl::OkStatus();
    }
    const std::optional<uint32_t> low = HexUnit(rest().substr(6));
    const bool paired = *unit < 0xDC00 && low.has_value() && *low >= 0xDC00 && *low <= 0xDFFF;
    if (!paired) return Fault("expected both halves of a surrogate pair");
    AppendUtf8(0x10000 + ((*unit - 0xD800) << 10) + (*low - 0xDC00), text);
    at_ += 12;
    return absl::OkStatus();
  }

  const absl::string_view text_;
  const JsonParseOptions options_;
  size_t at_ = 0;
};

}  // namespace

bool Utf16Less::operator()(absl::string_view a, absl::string_view b) const {
  size_t i = 0;
  while (i < a.size() && i < b.size() && a[i] == b[i]) ++i;
  if (i == a.size() || i == b.size()) return a.size() < b.size();
  // Characters from U+10000 on (lead byte F0 to F4) begin with a surrogate, D800 to DFFF, and so
  // come before U+E000 to U+FFFF (lead byte EE or EF).
  const bool a_above = Byte(a[i]) >= 0xF0, b_above = Byte(b[i]) >= 0xF0;
  const bool special = a_above != b_above && Byte(a[i]) >= 0xEE && Byte(b[i]) >= 0xEE;
  return special ? a_above : Byte(a[i]) < Byte(b[i]);
}

Json::Json() : value_(std::string()) {}
Json::Json(bool value) : value_(value) {}
Json::Json(int64_t value) : value_(value) {
  TY_CHECK(value >= -kJsonIntegerMax);
  TY_CHECK(value <= kJsonIntegerMax);
}
Json::Json(int value) : value_(int64_t{value}) {}
Json::Json(const char* text) : value_(std::string(text)) {}
Json::Json(std::string text) : value_(std::move(text)) {}
Json::Json(Array values) : value_(std::move(values)) {}
Json::Json(Object members) : value_(std::move(members)) {}
Json::Json(const Json&) = default;
Json::Json(Json&&) noexcept = default;
Json& Json::operator=(const Json&) = default;
Json& Json::operator=(Json&&) noexcept = default;
Json::~Json() = default;

std::string CanonicalJson(const Json& value) {
  std::string text;
  AppendValue(value, &text);
  return text;
}

std::string CanonicalJson(const Json::Object& members) {
  std::string text;
  AppendObject(members, &text);
  return text;
}

std::string JsonString(absl::string_view text) {
  std::string quoted;
  AppendString(text, &quoted);
  return quoted;
}

bool IsValidUtf8(absl::string_view text) {
  while (!text.empty()) {
    const size_t size = CharacterBytes(text);
    if (size == 0) return false;
    text.remove_prefix(size);
  }
  return true;
}

absl::StatusOr<Json> ParseJson(absl::string_view text, const JsonParseOptions& options) {
  if (static_cast<int64_t>(text.size()) > kJsonBytesMax) {
    return TooLarge(absl::StrCat("the document has ", text.size(), " bytes"),
                    absl::StrCat("at most ", kJsonBytesMax, " bytes"));
  }
  return Parser(text, options).Parse();
}

}  // namespace trainyard
