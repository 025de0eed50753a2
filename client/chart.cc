#include "client/chart.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "absl/strings/str_cat.h"
#include "client/render.h"
#include "core/base/check.h"

namespace trainyard {
namespace {

constexpr std::array<const char*, 7> kShades = {" ", "·", "░", "▒", "▓", "█", "█"};
constexpr size_t kShadeCount = 6;
// Dark blue over green to yellow, of the 256 colours.
constexpr std::array<int, 16> kColors = {17, 18,  19,  25,  31,  37,  36,  35,
                                         71, 107, 143, 179, 215, 221, 227, 229};
constexpr int kFaultColor = 196;
constexpr char kPlain[] = "\x1b[0m";

struct Range {
  double low = std::numeric_limits<double>::infinity();
  double high = -std::numeric_limits<double>::infinity();
  bool empty() const { return low > high; }
  void Add(double value) {
    if (!std::isfinite(value)) return;
    low = std::min(low, value);
    high = std::max(high, value);
  }
  // 0 to 1; 0 when there is only one value.
  double ShareOf(double value) const { return high > low ? (value - low) / (high - low) : 0; }
};

size_t UsableWidth(size_t width) { return std::clamp(width, kChartWidthMin, kChartWidthMax); }

// A grid scaled to cells of the screen: cell (0, 0) is at the top left.
class CellView {
 public:
  CellView(const Grid& grid, int64_t columns, int64_t rows)
      : grid_(grid), columns_(columns), rows_(rows) {
    for (const double value : grid.values) range_.Add(Scaled(value));
  }

  const Range& range() const { return range_; }
  int64_t columns() const { return columns_; }
  int64_t rows() const { return rows_; }

  // 0 to 1, or NaN for what is not finite.
  double ShareAt(int64_t column, int64_t row) const {
    const int64_t x = column * grid_.columns / columns_;
    const int64_t y = (rows_ - 1 - row) * grid_.rows / rows_;
    const double value = Scaled(grid_.values[static_cast<size_t>(y * grid_.columns + x)]);
    return std::isfinite(value) ? range_.ShareOf(value) : std::nan("");
  }

  // The sign over a cell; 0 for none.
  char MarkAt(int64_t column, int64_t row) const {
    for (const ChartMark& mark : grid_.marks) {
      const int64_t mark_column = CentreOf(mark.x, grid_.columns, columns_);
      const int64_t mark_row = rows_ - 1 - CentreOf(mark.y, grid_.rows, rows_);
      if (mark_column == column && mark_row == row) return mark.sign;
    }
    return 0;
  }

  // What a share of the range stands for.
  double ValueOf(double share) const {
    const double value = range_.low + share * (range_.high - range_.low);
    return grid_.logarithmic ? std::exp(value) : value;
  }

 private:
  static int64_t CentreOf(int64_t point, int64_t points, int64_t cells) {
    return (2 * point + 1) * cells / (2 * points);
  }
  double Scaled(double value) const { return grid_.logarithmic ? std::log(value) : value; }

  const Grid& grid_;
  const int64_t columns_;
  const int64_t rows_;
  Range range_;
};

size_t LevelOf(double share, size_t levels) {
  return std::min(static_cast<size_t>(share * static_cast<double>(levels)), levels - 1);
}

int ColorOf(double share) {
  return std::isnan(share) ? kFaultColor : kColors[LevelOf(share, kColors.size())];
}

std::string ShadeOf(double share) {
  return std::isnan(share) ? "!" : kShades[LevelOf(share, kShadeCount)];
}

std::string PlainRows(const CellView& view) {
  std::string text;
  for (int64_t row = 0; row < view.rows(); ++row) {
    for (int64_t column = 0; column < view.columns(); ++column) {
      const char mark = view.MarkAt(column, row);
      text += mark != 0 ? std::string(1, mark) : ShadeOf(view.ShareAt(column, row));
    }
    text.erase(text.find_last_not_of(' ') + 1);
    text += "\n";
  }
  return text;
}

// One character of two cells: the upper one's colour in front of the lower one's.
std::string HalfBlocks(const CellView& view, int64_t column, int64_t row) {
  const char upper_mark = view.MarkAt(column, row);
  const char mark = upper_mark != 0 ? upper_mark : view.MarkAt(column, row + 1);
  const int lower = ColorOf(view.ShareAt(column, row + 1));
  if (mark != 0) return absl::StrCat("\x1b[97;48;5;", lower, "m", std::string(1, mark));
  return absl::StrCat("\x1b[38;5;", ColorOf(view.ShareAt(column, row)), ";48;5;", lower, "m▀");
}

std::string ColoredRows(const CellView& view) {
  std::string text;
  for (int64_t row = 0; row + 1 < view.rows(); row += 2) {
    for (int64_t column = 0; column < view.columns(); ++column) {
      text += HalfBlocks(view, column, row);
    }
    absl::StrAppend(&text, kPlain, "\n");
  }
  return text;
}

// "  ≤ 0.1  · ≤ 0.2 …": where each shade ends.
std::string Legend(const CellView& view, bool color) {
  if (view.range().empty()) return "no finite value\n";
  if (color) {
    std::string scale;
    for (const int number : kColors) absl::StrAppend(&scale, "\x1b[48;5;", number, "m ");
    return absl::StrCat(FormatNumber(view.ValueOf(0)), " ", scale, kPlain, " ",
                        FormatNumber(view.ValueOf(1)), "\n");
  }
  std::string text = absl::StrCat(FormatNumber(view.ValueOf(0)), " ");
  for (size_t i = 0; i < kShadeCount; ++i) {
    const double end = static_cast<double>(i + 1) / static_cast<double>(kShadeCount);
    absl::StrAppend(&text, "[", kShades[i], "] ", FormatNumber(view.ValueOf(end)), " ");
  }
  text.pop_back();
  return text + "\n";
}

// Dots of a frame: each character is 2 dots wide and 4 high.
class Canvas {
 public:
  Canvas(size_t columns, size_t lines)
      : columns_(columns), lines_(lines), dots_(columns * lines, 0) {}

  int64_t width() const { return static_cast<int64_t>(columns_) * 2; }
  int64_t height() const { return static_cast<int64_t>(lines_) * 4; }

  // (0, 0) is at the bottom left.
  void Set(int64_t x, int64_t y) {
    constexpr std::array<std::array<uint8_t, 2>, 4> kBits = {
        {{0x01, 0x08}, {0x02, 0x10}, {0x04, 0x20}, {0x40, 0x80}}};
    const int64_t top = height() - 1 - y;
    const auto cell = static_cast<size_t>(top / 4) * columns_ + static_cast<size_t>(x / 2);
    dots_[cell] |= kBits[static_cast<size_t>(top % 4)][static_cast<size_t>(x % 2)];
  }

  void Line(int64_t x0, int64_t y0, int64_t x1, int64_t y1) {
    const int64_t steps = std::max({std::abs(x1 - x0), std::abs(y1 - y0), int64_t{1}});
    for (int64_t i = 0; i <= steps; ++i) {
      Set(x0 + (x1 - x0) * i / steps, y0 + (y1 - y0) * i / steps);
    }
  }

  std::string Row(size_t line) const {
    std::string text;
    for (size_t column = 0; column < columns_; ++column) {
      const unsigned bits = dots_[line * columns_ + column];
      // U+2800 + bits in UTF-8.
      text += static_cast<char>(0xE2);
      text += static_cast<char>(0xA0 | (bits >> 6));
      text += static_cast<char>(0x80 | (bits & 0x3F));
    }
    return text;
  }

 private:
  const size_t columns_;
  const size_t lines_;
  std::vector<uint8_t> dots_;
};

struct Frame {
  Range x, y;
  bool logarithmic_x = false;
  double ScaledX(double value) const { return logarithmic_x ? std::log(value) : value; }
};

Frame FrameOf(const std::vector<Curve>& curves, bool logarithmic_x) {
  Frame frame{.logarithmic_x = logarithmic_x};
  for (const Curve& curve : curves) {
    for (const double x : curve.x) frame.x.Add(frame.ScaledX(x));
    for (const double y : curve.y) frame.y.Add(y);
  }
  return frame;
}

void Draw(const Curve& curve, const Frame& frame, Canvas* canvas) {
  const auto dot = [](double share, int64_t size) {
    return static_cast<int64_t>(std::lround(share * static_cast<double>(size - 1)));
  };
  int64_t last_x = -1;
  int64_t last_y = -1;
  for (size_t i = 0; i < std::min(curve.x.size(), curve.y.size()); ++i) {
    const double scaled_x = frame.ScaledX(curve.x[i]);
    if (!std::isfinite(scaled_x) || !std::isfinite(curve.y[i])) {
      last_x = -1;
      continue;
    }
    const int64_t x = dot(frame.x.ShareOf(scaled_x), canvas->width());
    const int64_t y = dot(frame.y.ShareOf(curve.y[i]), canvas->height());
    canvas->Line(last_x < 0 ? x : last_x, last_x < 0 ? y : last_y, x, y);
    last_x = x;
    last_y = y;
  }
}

std::string PadLeft(const std::string& text, size_t width) {
  const size_t taken = DisplayWidth(text);
  return absl::StrCat(std::string(width > taken ? width - taken : 0, ' '), text);
}

}  // namespace

std::string HeatMap(const Grid& grid, const ChartStyle& style) {
  TY_CHECK(grid.columns >= 1);
  TY_CHECK(grid.rows >= 1);
  TY_CHECK(static_cast<int64_t>(grid.values.size()) == grid.columns * grid.rows);
  // A character is about twice as high as wide: a square takes half as many lines as columns.
  const auto columns = static_cast<int64_t>(UsableWidth(style.width));
  const CellView view(grid, columns, style.color ? columns / 2 * 2 : columns / 2);
  return absl::StrCat(style.color ? ColoredRows(view) : PlainRows(view), Legend(view, style.color));
}

std::string LineChart(const std::vector<Curve>& curves, const LineChartOptions& options) {
  const Frame frame = FrameOf(curves, options.logarithmic_x);
  if (frame.x.empty() || frame.y.empty()) return "no finite value\n";
  const std::string top = FormatNumber(frame.y.high);
  const std::string bottom = FormatNumber(frame.y.low);
  const size_t margin = std::max(DisplayWidth(top), DisplayWidth(bottom));
  const size_t columns = UsableWidth(options.width) - margin - 2;
  const size_t lines = std::max<size_t>(options.height, 2);
  Canvas canvas(columns, lines);
  for (const Curve& curve : curves) Draw(curve, frame, &canvas);
  std::string text;
  for (size_t line = 0; line < lines; ++line) {
    const std::string label = line == 0 ? top : line + 1 == lines ? bottom : "";
    absl::StrAppend(&text, PadLeft(label, margin), " │", canvas.Row(line), "\n");
  }
  const auto x_text = [&](double x) { return FormatNumber(frame.logarithmic_x ? std::exp(x) : x); };
  const std::string left = x_text(frame.x.low);
  return absl::StrCat(text, std::string(margin + 2, ' '), left,
                      PadLeft(x_text(frame.x.high), columns - DisplayWidth(left)), "\n");
}

std::string Bars(std::span<const int64_t> counts) {
  constexpr std::array<const char*, 9> kBars = {" ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
  const int64_t most = counts.empty() ? 0 : *std::max_element(counts.begin(), counts.end());
  std::string text;
  for (const int64_t count : counts) {
    const bool none = most <= 0 || count <= 0;
    text +=
        kBars[none ? 0 : static_cast<size_t>(1 + (count - 1) * 7 / std::max<int64_t>(most - 1, 1))];
  }
  return text;
}

}  // namespace trainyard
