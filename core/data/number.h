// Numbers as text, one way for the whole engine: what counts as a number in a cell, and how a
// number is printed.
//
// Thread-safety: pure functions.
#ifndef TRAINYARD_CORE_DATA_NUMBER_H_
#define TRAINYARD_CORE_DATA_NUMBER_H_

#include <optional>
#include <string>

#include "absl/strings/string_view.h"

namespace trainyard {

// `text` without spaces and tabs around it.
inline absl::string_view TrimCell(absl::string_view text) {
  const auto is_blank = [](char c) { return c == ' ' || c == '\t'; };
  while (!text.empty() && is_blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_blank(text.back())) text.remove_suffix(1);
  return text;
}

// The value of a trimmed finite decimal number: [+-] digits [. digits] [e [+-] digits], where the
// digits before or after the point may be left out, and the point is `decimal_mark` ('.' or ',').
// nullopt for anything else: "nan", "inf", "0x10", "1e999", "1,5" with a point, "1.5" with a comma,
// "". The nearest double, and never -0.
std::optional<double> ParseNumber(absl::string_view text, char decimal_mark = '.');

// The same without the short way for the usual numbers; see padded_number.h. True: `*value` is set.
bool ParseAnyNumber(absl::string_view text, char decimal_mark, double* value);

// The fewest digits that read back as the same double or float; with an exponent only below 1e-5
// and from 1e16 on. A JSON number too. REQUIRES: finite.
std::string NumberText(double value);
std::string NumberText(float value);

}  // namespace trainyard

#endif  // TRAINYARD_CORE_DATA_NUMBER_H_
