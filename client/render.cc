#include "client/render.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "core/base/check.h"

namespace trainyard {
namespace {

// Length of the well-formed UTF-8 sequence of a printable code point at the start of `text`; 0 if
// there is none.
size_t PrintableLength(absl::string_view text) {
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char lead = byte(0);
  if (lead < 0x80) return lead >= 0x20 && lead != 0x7F ? 1 : 0;
  const size_t length = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
  if (lead < 0xC2 || lead > 0xF4 || text.size() < length) return 0;
  for (size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xC0) != 0x80) return 0;
  }
  // Overlong forms, surrogates and numbers beyond Unicode.
  if ((lead == 0xE0 && byte(1) < 0xA0) || (lead == 0xED && byte(1) > 0x9F)) return 0;
  if ((lead == 0xF0 && byte(1) < 0x90) || (lead == 0xF4 && byte(1) > 0x8F)) return 0;
  // U+0080 to U+009F are control characters too; some terminals act on them.
  return lead == 0xC2 && byte(1) < 0xA0 ? 0 : length;
}

bool StartsCodePoint(char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }

constexpr size_t kColumnGap = 2;
constexpr size_t kNarrowCellMin = 8;  // of a cell that is cut because the terminal is narrow

// Of a table with these columns.
size_t LineWidth(const std::vector<std::optional<size_t>>& widths) {
  size_t total = 0;
  size_t shown = 0;
  for (const std::optional<size_t>& width : widths) {
    if (!width.has_value()) continue;
    total += *width;
    ++shown;
  }
  return total + (shown == 0 ? 0 : (shown - 1) * kColumnGap);
}

}  // namespace

std::string FormatCount(int64_t count) {
  std::string digits = absl::StrCat(count);
  const ptrdiff_t first = count < 0 ? 1 : 0;
  for (ptrdiff_t i = static_cast<ptrdiff_t>(digits.size()) - 3; i > first; i -= 3) {
    digits.insert(static_cast<size_t>(i), ",");
  }
  return digits;
}

std::string FormatBytes(int64_t bytes) {
  constexpr std::array<absl::string_view, 5> kUnits = {"KiB", "MiB", "GiB", "TiB", "PiB"};
  if (bytes < 1024) return absl::StrCat(bytes, " B");
  double value = static_cast<double>(bytes) / 1024;
  size_t unit = 0;
  // 1023.95 would print as 1024.0 of the smaller unit.
  while (value >= 1023.95 && unit + 1 < kUnits.size()) {
    value /= 1024;
    ++unit;
  }
  return absl::StrFormat("%.1f %s", value, kUnits[unit]);
}

std::string FormatShort(double value) {
  constexpr std::array<absl::string_view, 4> kSuffixes = {"", "k", "M", "G"};
  if (!std::isfinite(value)) return "?";
  size_t suffix = 0;
  // 999.5 would round to 1000 of the smaller suffix.
  while (std::abs(value) >= 999.5 && suffix + 1 < kSuffixes.size()) {
    value /= 1000;
    ++suffix;
  }
  return absl::StrFormat("%.3g%s", value, kSuffixes[suffix]);
}

std::string FormatNumber(double value) {
  if (std::isnan(value)) return "nan";
  return absl::StrFormat("%.4g", value);
}

std::string PercentText(double fraction) {
  const double percent = fraction * 100;
  if (percent > 0 && percent < 0.1) return "<0.1%";
  if (percent < 100 && percent > 99.9) return ">99.9%";
  return absl::StrFormat("%.1f%%", percent);
}

std::string DurationText(absl::Duration duration) {
  if (duration == absl::InfiniteDuration()) return "?";
  duration = std::max(duration, absl::ZeroDuration());
  if (duration < absl::Seconds(1)) {
    return absl::StrCat(absl::ToInt64Milliseconds(duration), "ms");
  }
  if (duration < absl::Seconds(10)) {
    return absl::StrFormat("%.1fs",
                           absl::ToDoubleSeconds(absl::Trunc(duration, absl::Milliseconds(100))));
  }
  const int64_t seconds = absl::ToInt64Seconds(duration);
  if (seconds < 60) return absl::StrCat(seconds, "s");
  if (seconds < 3600) return absl::StrFormat("%dm %02ds", seconds / 60, seconds % 60);
  if (seconds < 86400) return absl::StrFormat("%dh %02dm", seconds / 3600, seconds % 3600 / 60);
  return absl::StrFormat("%dd %02dh", seconds / 86400, seconds % 86400 / 3600);
}

std::string TimeText(absl::Time time) {
  if (time == absl::UnixEpoch()) return "-";
  return absl::FormatTime("%Y-%m-%d %H:%M:%SZ", time, absl::UTCTimeZone());
}

std::string Printable(absl::string_view text) {
  std::string safe;
  while (!text.empty()) {
    const size_t length = PrintableLength(text);
    if (length > 0) {
      safe.append(text.data(), length);
    } else {
      absl::StrAppendFormat(&safe, "\\x%02X", static_cast<unsigned char>(text[0]));
    }
    text.remove_prefix(std::max<size_t>(length, 1));
  }
  return safe;
}

size_t DisplayWidth(absl::string_view text) {
  return static_cast<size_t>(std::count_if(text.begin(), text.end(), StartsCodePoint));
}

std::string Ellipsize(absl::string_view text, size_t width) {
  if (DisplayWidth(text) <= width) return std::string(text);
  if (width == 0) return "";
  size_t end = 0;
  size_t taken = 0;
  for (; end < text.size(); ++end) {
    if (StartsCodePoint(text[end]) && taken++ == width - 1) break;
  }
  return absl::StrCat(text.substr(0, end), "…");
}

std::string Bar(double fraction, size_t width) {
  TY_CHECK(width >= 3);
  const double cut = std::isnan(fraction) ? 0 : std::clamp(fraction, 0.0, 1.0);
  const size_t inner = width - 2;
  const size_t done = static_cast<size_t>(cut * static_cast<double>(inner));
  return absl::StrCat("[", std::string(done, '#'), std::string(inner - done, '-'), "]");
}

std::string ShareBar(double fraction, size_t width) {
  constexpr std::array<absl::string_view, 8> kEighths = {"", "▏", "▎", "▍", "▌", "▋", "▊", "▉"};
  const double cut = std::isnan(fraction) ? 0 : std::clamp(fraction, 0.0, 1.0);
  const double eighths = std::round(cut * static_cast<double>(width * kEighths.size()));
  const size_t shown = std::max<size_t>(static_cast<size_t>(eighths), cut > 0 ? 1 : 0);
  std::string bar;
  for (size_t i = 0; i < shown / kEighths.size(); ++i) bar += "█";
  return absl::StrCat(bar, kEighths[shown % kEighths.size()]);
}

std::string KeyValueLines(const std::vector<std::pair<std::string, std::string>>& pairs) {
  size_t width = 0;
  for (const auto& [key, value] : pairs) width = std::max(width, key.size());
  std::string text;
  for (const auto& [key, value] : pairs) {
    if (value.empty()) continue;
    absl::StrAppend(&text, "  ", key, std::string(width - key.size() + 2, ' '), Printable(value),
                    "\n");
  }
  return text;
}

void TextTable::AddRow(std::vector<std::string> cells) {
  TY_CHECK(cells.size() == columns_.size());
  for (std::string& cell : cells) cell = Ellipsize(Printable(cell), kCellWidthMax);
  rows_.push_back(std::move(cells));
}

TextTable::Widths TextTable::FullWidths() const {
  Widths widths;
  for (const Column& column : columns_) widths.push_back(DisplayWidth(column.title));
  for (const auto& row : rows_) {
    for (size_t i = 0; i < row.size(); ++i) {
      widths[i] = std::max(*widths[i], DisplayWidth(row[i]));
    }
  }
  return widths;
}

void TextTable::Narrow(size_t width, Widths* widths) const {
  int last = 0;
  for (const Column& column : columns_) last = std::max(last, column.dispensable);
  for (int rank = last; rank > 0 && LineWidth(*widths) > width; --rank) {
    for (size_t i = 0; i < columns_.size(); ++i) {
      if (columns_[i].dispensable == rank) (*widths)[i].reset();
    }
  }
  while (LineWidth(*widths) > width) {
    std::optional<size_t>* widest = nullptr;
    for (size_t i = 0; i < columns_.size(); ++i) {
      const bool may_be_cut = columns_[i].align == Align::kLeft && (*widths)[i] > kNarrowCellMin;
      if (may_be_cut && (widest == nullptr || (*widths)[i] > *widest)) widest = &(*widths)[i];
    }
    if (widest == nullptr) return;
    --**widest;
  }
}

std::string TextTable::Render(size_t width) const {
  std::vector<std::string> titles;
  for (const Column& column : columns_) titles.push_back(column.title);
  Widths widths = FullWidths();
  Narrow(width, &widths);
  std::string text = RenderRow(titles, widths);
  for (const auto& row : rows_) text += RenderRow(row, widths);
  return text;
}

std::string TextTable::RenderRow(const std::vector<std::string>& cells,
                                 const Widths& widths) const {
  std::string line;
  absl::string_view gap;
  for (size_t i = 0; i < cells.size(); ++i) {
    if (!widths[i].has_value()) continue;
    const std::string cell = Ellipsize(cells[i], *widths[i]);
    const std::string padding(*widths[i] - DisplayWidth(cell), ' ');
    const bool right = columns_[i].align == Align::kRight;
    absl::StrAppend(&line, gap, right ? padding : "", cell, right ? "" : padding);
    gap = "  ";
  }
  line.erase(line.find_last_not_of(' ') + 1);
  return line + "\n";
}

}  // namespace trainyard
