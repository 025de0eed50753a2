#include "core/data/number.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "absl/strings/numbers.h"
#include "core/data/padded_number.h"

namespace trainyard {
namespace {

bool IsDigit(char c) { return c >= '0' && c <= '9'; }

// `digits` has no sign, and a point as its decimal mark.
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

// Like ParseAnyNumber of `text` with a point in the place of its other decimal mark.
bool ParseWithPoint(absl::string_view text, char decimal_mark, double* value) {
  if (text.find('.') != absl::string_view::npos) return false;
  std::string with_point(text);
  std::replace(with_point.begin(), with_point.end(), decimal_mark, '.');
  return ParseAnyNumber(with_point, '.', value);
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

std::optional<double> ParseNumber(absl::string_view text, char decimal_mark) {
  double value = 0;
  if (text.size() <= kPlainNumberMax + 1) {
    char padded[kPlainNumberMax + 1 + kNumberPadding] = {};
    std::copy(text.begin(), text.end(), padded);
    if (ParsePlainNumber({padded, text.size()}, decimal_mark, &value)) return value;
  }
  if (ParseAnyNumber(text, decimal_mark, &value)) return value;
  return std::nullopt;
}

bool ParseAnyNumber(absl::string_view text, char decimal_mark, double* value) {
  if (decimal_mark != '.') return ParseWithPoint(text, decimal_mark, value);
  if (text.empty()) return false;
  const bool negative = text[0] == '-';
  const absl::string_view digits = negative || text[0] == '+' ? text.substr(1) : text;
  if (digits.empty()) return false;
  const std::optional<double> magnitude = ParseAnyDecimal(digits);
  if (magnitude.has_value()) *value = negative ? 0.0 - *magnitude : *magnitude;  // 0.0 - 0.0 is +0
  return magnitude.has_value();
}

std::string NumberText(double value) { return FewestDigits(value); }

std::string NumberText(float value) { return FewestDigits(value); }

}  // namespace trainyard
