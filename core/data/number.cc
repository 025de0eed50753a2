#include "core/data/number.h"

#include <charconv>
#include <cmath>
#include <cstdint>

#include "absl/strings/numbers.h"

namespace trainyard {
namespace {

bool IsBlank(char c) { return c == ' ' || c == '\t'; }
bool IsDigit(char c) { return c >= '0' && c <= '9'; }

// Powers of ten that are exact as doubles.
constexpr double kExactPowers[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                   1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                   1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};

// Digits with at most one point and no exponent, at most 15 digits: the value is then an exact
// integer divided by an exact power of ten, which IEEE division rounds correctly (Clinger 1990).
// Most cells are of this kind.
std::optional<double> ParseShortDecimal(absl::string_view digits) {
  if (digits.size() > 16) return std::nullopt;
  uint64_t mantissa = 0;
  size_t digit_count = 0;
  size_t point = digits.size();
  for (size_t i = 0; i < digits.size(); ++i) {
    if (IsDigit(digits[i])) {
      mantissa = mantissa * 10 + static_cast<uint64_t>(digits[i] - '0');
      ++digit_count;
      continue;
    }
    if (digits[i] != '.' || point != digits.size()) return std::nullopt;
    point = i;
  }
  if (digit_count == 0 || digit_count > 15) return std::nullopt;
  const size_t fraction_digits = point == digits.size() ? 0 : digits.size() - point - 1;
  return static_cast<double>(mantissa) / kExactPowers[fraction_digits];
}

// Everything else. `digits` has no sign.
std::optional<double> ParseAnyDecimal(absl::string_view digits) {
  const bool number_like = IsDigit(digits[0]) || (digits[0] == '.' && digits.size() > 1);
  if (!number_like) return std::nullopt;  // "inf", "nan", a second sign
  double value = 0;
  const char* const end = digits.data() + digits.size();
  const std::from_chars_result result = std::from_chars(digits.data(), end, value);
  if (result.ptr != end || result.ec == std::errc::invalid_argument) return std::nullopt;
  if (result.ec == std::errc()) return value;
  // Out of range: too small is 0 or subnormal, too large is no finite number. from_chars does not
  // say which.
  if (!absl::SimpleAtod(digits, &value) || !std::isfinite(value)) return std::nullopt;
  return value;
}

template <typename Float>
std::string FewestDigits(Float value) {
  const double magnitude = std::fabs(static_cast<double>(value));
  const bool plain = magnitude == 0 || (magnitude >= 1e-5 && magnitude < 1e16);
  char text[40];
  const std::to_chars_result end =
      std::to_chars(text, text + sizeof text, value,
                    plain ? std::chars_format::fixed : std::chars_format::scientific);
  return std::string(text, end.ptr);
}

}  // namespace

absl::string_view TrimCell(absl::string_view text) {
  while (!text.empty() && IsBlank(text.front())) text.remove_prefix(1);
  while (!text.empty() && IsBlank(text.back())) text.remove_suffix(1);
  return text;
}

std::optional<double> ParseNumber(absl::string_view text) {
  if (text.empty()) return std::nullopt;
  const bool negative = text[0] == '-';
  const absl::string_view digits = negative || text[0] == '+' ? text.substr(1) : text;
  if (digits.empty()) return std::nullopt;
  std::optional<double> value = ParseShortDecimal(digits);
  if (!value.has_value()) value = ParseAnyDecimal(digits);
  if (!value.has_value()) return std::nullopt;
  return negative ? 0.0 - *value : *value;  // 0.0 - 0.0 is +0
}

std::string NumberText(double value) { return FewestDigits(value); }

std::string NumberText(float value) { return FewestDigits(value); }

}  // namespace trainyard
