// Canonical JSON (RFC 8785) of values without fractions: the same value always has the same bytes,
// so it can be hashed and signed. For receipts (receipt.h) and exports.
//
//   Json::Object object;
//   object["points"] = int64_t{86};
//   object["student"] = "m-orlova";
//   CanonicalJson(Json(std::move(object)));          // {"points":86,"student":"m-orlova"}
//
//   value  = "true" | "false" | integer | string | "[" values "]" | "{" members "}"
//   No white space. Members are sorted by key, as UTF-16 code units. Integers are those that a
//   double holds exactly, -(2^53-1) to 2^53-1; greater ones and fractions are strings. Strings are
//   UTF-8 with the shortest escapes. There is no null.
//
// Thread-safety: values and pure functions. Errors: INVALID_ARGUMENT/INVALID_REQUEST saying what is
// wrong at which byte; TOO_LARGE beyond a limit.
#ifndef TRAINYARD_SERVER_WIRE_CANONICAL_JSON_H_
#define TRAINYARD_SERVER_WIRE_CANONICAL_JSON_H_

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace trainyard {

inline constexpr int64_t kJsonIntegerMax = (int64_t{1} << 53) - 1;
// Of a text that is parsed.
inline constexpr int64_t kJsonBytesMax = int64_t{4} << 20;
// Arrays and objects inside each other.
inline constexpr int kJsonDepthMax = 32;

// The order of keys: as UTF-16 code units, which is that of bytes except between U+E000..U+FFFF and
// what is above.
struct Utf16Less {
  using is_transparent = void;
  bool operator()(absl::string_view a, absl::string_view b) const;
};

class Json {
 public:
  using Array = std::vector<Json>;
  using Object = std::map<std::string, Json, Utf16Less>;

  // A value is a Json. Out of line because of GCC 12 (CMakeLists.txt).
  Json();            // ""
  Json(bool value);  // NOLINT
  // REQUIRES: -kJsonIntegerMax ≤ value ≤ kJsonIntegerMax.
  Json(int64_t value);     // NOLINT
  Json(int value);         // NOLINT
  Json(const char* text);  // NOLINT
  Json(std::string text);  // NOLINT
  Json(Array values);      // NOLINT
  Json(Object members);    // NOLINT
  Json(const Json&);
  Json(Json&&) noexcept;
  Json& operator=(const Json&);
  Json& operator=(Json&&) noexcept;
  ~Json();

  // The value if it is of the kind; else nullptr.
  const bool* boolean() const { return std::get_if<bool>(&value_); }
  const int64_t* integer() const { return std::get_if<int64_t>(&value_); }
  const std::string* text() const { return std::get_if<std::string>(&value_); }
  const Array* array() const { return std::get_if<Array>(&value_); }
  const Object* object() const { return std::get_if<Object>(&value_); }

  bool operator==(const Json&) const = default;

 private:
  std::variant<bool, int64_t, std::string, Array, Object> value_;
};

// Malformed UTF-8 in a string becomes U+FFFD, so that the result is always JSON.
std::string CanonicalJson(const Json& value);
std::string CanonicalJson(const Json::Object& members);
// `text` as a JSON string, in its quotes.
std::string JsonString(absl::string_view text);
bool IsValidUtf8(absl::string_view text);

struct JsonParseOptions {
  // A number that is no integer within the limits becomes a string of its digits, as they stand.
  // For JSON that others write (protobuf's). Otherwise it is an error.
  bool numbers_as_text = false;
  // A member whose value is null is left out, as if it were not there. For JSON that others write.
  // Otherwise, and everywhere but in an object, null is an error.
  bool null_is_absent = false;
};

// One JSON value and nothing after it; white space between tokens is skipped. Refused: null, a key
// that comes twice, malformed UTF-8, half a surrogate pair, and what kJsonBytesMax and
// kJsonDepthMax forbid.
absl::StatusOr<Json> ParseJson(absl::string_view text, const JsonParseOptions& options = {});

}  // namespace trainyard

#endif  // TRAINYARD_SERVER_WIRE_CANONICAL_JSON_H_
