// Text for people: numbers with units, aligned tables, a bar. It knows nothing of terminals or of
// the contract (describe.h turns messages into text, screen.h knows where the text goes).
//
//   TextTable table({{"NAME"}, {"ROWS", TextTable::Align::kRight}});
//   table.AddRow({"datasets/abc", FormatCount(569)});
//   out << table.Render();
//
// Everything that comes from a server or a file passes through Printable(), so that a cell cannot
// move the cursor.
//
// Thread-safety: pure functions and values.
#ifndef TRAINYARD_CLIENT_RENDER_H_
#define TRAINYARD_CLIENT_RENDER_H_

#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace trainyard {

// 12345678 → "12,345,678".
std::string FormatCount(int64_t count);
// 1536 → "1.5 KiB"; below 1 KiB whole bytes.
std::string FormatBytes(int64_t bytes);
// 1234567 → "1.23M"; three significant digits. For rates: "1.23M rows/s".
std::string FormatShort(double value);
// Four significant digits, as a person reads a loss: 0.1235, 1.235e-05, "nan".
std::string FormatNumber(double value);
// A share of a whole: "5.7%"; "<0.1%" and ">99.9%" for what would look like none or all of it.
std::string PercentText(double fraction);
// "850ms", "3.2s", "1m 05s", "2h 03m", "3d 04h"; negative durations as zero, infinite ones as "?".
std::string DurationText(absl::Duration duration);
// "2026-01-02 03:04:05Z"; "-" for the epoch itself, which is an absent timestamp.
std::string TimeText(absl::Time time);

// `text` with control characters and malformed UTF-8 as \xNN.
std::string Printable(absl::string_view text);
// Columns that printable `text` takes: one per code point.
size_t DisplayWidth(absl::string_view text);
// The first `width` columns of printable `text`; the last one is "…" when something was cut.
std::string Ellipsize(absl::string_view text, size_t width);

// "[#####-----]" of `width` characters in all. `fraction` is cut to [0, 1]; NaN is 0. REQUIRES:
// width ≥ 3.
std::string Bar(double fraction, size_t width);

// "██████▍": at most `width` characters, in steps of an eighth of one, without spaces. What is more
// than nothing is seen. `fraction` is cut to [0, 1]; NaN is 0.
std::string ShareBar(double fraction, size_t width);

// "  rows     569": one line per pair, values aligned and printable. Pairs without value are left
// out.
std::string KeyValueLines(const std::vector<std::pair<std::string, std::string>>& pairs);

// Wider than any terminal.
inline constexpr size_t kWidthUnlimited = std::numeric_limits<size_t>::max();

class TextTable {
 public:
  enum class Align { kLeft, kRight };
  struct Column {
    std::string title;
    Align align = Align::kLeft;
    // Columns with the greatest number are left out first where there is no room; 0: never.
    int dispensable = 0;
  };
  // Wider cells are cut.
  static constexpr size_t kCellWidthMax = 60;

  explicit TextTable(std::vector<Column> columns) : columns_(std::move(columns)) {}

  // REQUIRES: as many cells as columns.
  void AddRow(std::vector<std::string> cells);

  // Title line and rows, two spaces between columns, no spaces at line ends. Without rows: the
  // title line. In lines of more than `width` columns, dispensable columns are left out, then the
  // widest left-aligned cells cut; numbers never are, so lines may still be longer.
  std::string Render(size_t width = kWidthUnlimited) const;

 private:
  // A width per column; a column without one is left out.
  using Widths = std::vector<std::optional<size_t>>;
  Widths FullWidths() const;
  void Narrow(size_t width, Widths* widths) const;
  std::string RenderRow(const std::vector<std::string>& cells, const Widths& widths) const;

  std::vector<Column> columns_;
  std::vector<std::vector<std::string>> rows_;
};

}  // namespace trainyard

#endif  // TRAINYARD_CLIENT_RENDER_H_
