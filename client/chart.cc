#include "client/chart.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/string_view.h"
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

constexpr double kShortFrom = 10'000;  // of numbers below a chart
constexpr char kPanelGap[] = "  ";
constexpr size_t kPanelGapWidth = sizeof kPanelGap - 1;

std::string ColorCode(int color) {
  return color == 0 ? kPlain : absl::StrCat("\x1b[38;5;", color, "m");
}

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
      : columns_(columns), lines_(lines), dots_(columns * lines, 0), colors_(columns * lines, 0) {}

  int64_t width() const { return static_cast<int64_t>(columns_) * 2; }
  int64_t height() const { return static_cast<int64_t>(lines_) * 4; }

  // (0, 0) is at the bottom left.
  void Set(int64_t x, int64_t y, int color) {
    constexpr std::array<std::array<uint8_t, 2>, 4> kBits = {
        {{0x01, 0x08}, {0x02, 0x10}, {0x04, 0x20}, {0x40, 0x80}}};
    const int64_t top = height() - 1 - y;
    const auto cell = static_cast<size_t>(top / 4) * columns_ + static_cast<size_t>(x / 2);
    dots_[cell] |= kBits[static_cast<size_t>(top % 4)][static_cast<size_t>(x % 2)];
    colors_[cell] = color;  // of the curve that was drawn last
  }

  std::string Row(size_t line, bool color) const {
    std::string text;
    int now = 0;
    for (size_t column = 0; column < columns_; ++column) {
      const size_t cell = line * columns_ + column;
      const unsigned bits = dots_[cell];
      if (color && bits != 0 && colors_[cell] != now) {
        now = colors_[cell];
        text += ColorCode(now);
      }
      // U+2800 + bits in UTF-8.
      text += static_cast<char>(0xE2);
      text += static_cast<char>(0xA0 | (bits >> 6));
      text += static_cast<char>(0x80 | (bits & 0x3F));
    }
    return now == 0 ? text : text + kPlain;
  }

 private:
  const size_t columns_;
  const size_t lines_;
  std::vector<uint8_t> dots_;
  std::vector<int> colors_;  // by cell
};

// Draws one curve: lines between points, of which a dotted curve leaves out every other pair of
// dots.
class Pen {
 public:
  Pen(const Curve& curve, Canvas* canvas) : curve_(curve), canvas_(canvas) {}

  void Lift() { x_ = -1; }
  void DrawTo(int64_t x, int64_t y) {
    const int64_t x0 = x_ < 0 ? x : x_;
    const int64_t y0 = x_ < 0 ? y : y_;
    const int64_t steps = std::max({std::abs(x - x0), std::abs(y - y0), int64_t{1}});
    for (int64_t i = 0; i <= steps; ++i) Dot(x0 + (x - x0) * i / steps, y0 + (y - y0) * i / steps);
  }

 private:
  void Dot(int64_t x, int64_t y) {
    // Many points may fall on one dot, which is counted once.
    if (x != x_ || y != y_) ++dots_;
    x_ = x;
    y_ = y;
    if (!curve_.dotted || dots_ % 4 < 2) canvas_->Set(x, y, curve_.color);
  }

  const Curve& curve_;
  Canvas* const canvas_;
  int64_t x_ = -1;  // below 0: lifted
  int64_t y_ = -1;
  int64_t dots_ = -1;  // drawn or left out, but for one
};

struct Frame {
  Range x, y;
  bool logarithmic_x = false;
  bool logarithmic_y = false;
  double ScaledX(double value) const { return logarithmic_x ? std::log(value) : value; }
  double ScaledY(double value) const { return logarithmic_y ? std::log(value) : value; }
  // Steps are often many: 39k, not 3.9e+04.
  std::string TextX(double scaled) const {
    const double value = logarithmic_x ? std::exp(scaled) : scaled;
    return value < kShortFrom ? FormatNumber(value) : FormatShort(value);
  }
  std::string TextY(double scaled) const {
    return FormatNumber(logarithmic_y ? std::exp(scaled) : scaled);
  }
  bool empty() const { return x.empty() || y.empty(); }
};

Frame EmptyFrame(const LineChartOptions& options) {
  return {.logarithmic_x = options.logarithmic_x, .logarithmic_y = options.logarithmic_y};
}

void Extend(const std::vector<Curve>& curves, Frame* frame) {
  for (const Curve& curve : curves) {
    for (const double x : curve.x) frame->x.Add(frame->ScaledX(x));
    for (const double y : curve.y) frame->y.Add(frame->ScaledY(y));
  }
}

void Draw(const Curve& curve, const Frame& frame, Canvas* canvas) {
  const auto dot = [](double share, int64_t size) {
    return static_cast<int64_t>(std::lround(share * static_cast<double>(size - 1)));
  };
  Pen pen(curve, canvas);
  for (size_t i = 0; i < std::min(curve.x.size(), curve.y.size()); ++i) {
    const double x = frame.ScaledX(curve.x[i]);
    const double y = frame.ScaledY(curve.y[i]);
    if (std::isfinite(x) && std::isfinite(y)) {
      pen.DrawTo(dot(frame.x.ShareOf(x), canvas->width()),
                 dot(frame.y.ShareOf(y), canvas->height()));
    } else {
      pen.Lift();
    }
  }
}

std::string PadLeft(const std::string& text, size_t width) {
  const size_t taken = DisplayWidth(text);
  return absl::StrCat(std::string(width > taken ? width - taken : 0, ' '), text);
}

std::string PadRight(absl::string_view text, size_t width) {
  const std::string cut = Ellipsize(text, width);
  return absl::StrCat(cut, std::string(width - DisplayWidth(cut), ' '));
}

// The frame and the range of x below, each line `width` columns wide. REQUIRES: the frame is not
// empty.
std::vector<std::string> ChartLines(const std::vector<Curve>& curves, const Frame& frame,
                                    size_t width, const LineChartOptions& options) {
  const std::string top = frame.TextY(frame.y.high);
  const std::string bottom = frame.TextY(frame.y.low);
  const size_t margin = std::max(DisplayWidth(top), DisplayWidth(bottom));
  const size_t columns = width - margin - 2;
  const size_t height = std::max<size_t>(options.height, 2);
  Canvas canvas(columns, height);
  for (const Curve& curve : curves) Draw(curve, frame, &canvas);
  std::vector<std::string> lines;
  for (size_t line = 0; line < height; ++line) {
    const std::string label = line == 0 ? top : line + 1 == height ? bottom : "";
    lines.push_back(absl::StrCat(PadLeft(label, margin), " │", canvas.Row(line, options.color)));
  }
  const std::string left = frame.TextX(frame.x.low);
  lines.push_back(absl::StrCat(std::string(margin + 2, ' '), left,
                               PadLeft(frame.TextX(frame.x.high), columns - DisplayWidth(left))));
  return lines;
}

std::string LastValue(const Curve& curve) {
  const auto last = std::find_if(curve.y.rbegin(), curve.y.rend(),
                                 [](double value) { return std::isfinite(value); });
  return last == curve.y.rend() ? "-" : FormatNumber(*last);
}

// "── train 0.0201  ╌╌ validation 0.116", as many as fit, `width` columns wide.
std::string CurveLegend(const std::vector<Curve>& curves, size_t width, bool color) {
  std::string text;
  size_t taken = 0;
  for (const Curve& curve : curves) {
    const std::string words = absl::StrCat(" ", Printable(curve.name), " ", LastValue(curve), "  ");
    const size_t columns = 2 + DisplayWidth(words);
    if (taken + columns > width) break;
    const bool colored = color && curve.color != 0;
    absl::StrAppend(&text, colored ? ColorCode(curve.color) : "", curve.dotted ? "╌╌" : "──",
                    colored ? kPlain : "", words);
    taken += columns;
  }
  return absl::StrCat(text, std::string(width - taken, ' '));
}

std::vector<std::string> PanelLines(const Panel& panel, const Frame& frame, size_t width,
                                    const LineChartOptions& options) {
  std::vector<std::string> lines = {PadRight(Printable(panel.title), width)};
  if (frame.empty()) {
    lines.push_back(PadRight("nothing to draw yet", width));
    lines.resize(std::max<size_t>(options.height, 2) + kPanelExtraLines, std::string(width, ' '));
    return lines;
  }
  for (std::string& line : ChartLines(panel.curves, frame, width, options)) {
    lines.push_back(std::move(line));
  }
  lines.push_back(CurveLegend(panel.curves, width, options.color));
  return lines;
}

// REQUIRES: panels of one height.
void AppendRow(const std::vector<std::vector<std::string>>& row, std::string* text) {
  for (size_t line = 0; line < row.front().size(); ++line) {
    std::vector<absl::string_view> parts;
    for (const std::vector<std::string>& lines : row) parts.push_back(lines[line]);
    absl::StrAppend(text, absl::StrJoin(parts, kPanelGap));
    text->erase(text->find_last_not_of(' ') + 1);
    absl::StrAppend(text, "\n");
  }
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
  Frame frame = EmptyFrame(options);
  Extend(curves, &frame);
  if (frame.empty()) return "no finite value\n";
  return absl::StrCat(
      absl::StrJoin(ChartLines(curves, frame, UsableWidth(options.width), options), "\n"), "\n");
}

size_t PanelsPerRow(size_t panel_count, size_t width) {
  const size_t fitting = (width + kPanelGapWidth) / (kPanelWidthMin + kPanelGapWidth);
  return std::clamp<size_t>(panel_count, 1, std::max<size_t>(fitting, 1));
}

std::string Panels(const std::vector<Panel>& panels, const LineChartOptions& options) {
  Frame frame = EmptyFrame(options);
  for (const Panel& panel : panels) Extend(panel.curves, &frame);
  const size_t per_row = PanelsPerRow(panels.size(), options.width);
  const size_t width = (options.width - (per_row - 1) * kPanelGapWidth) / per_row;
  std::string text;
  std::vector<std::vector<std::string>> row;
  for (const Panel& panel : panels) {
    row.push_back(PanelLines(panel, frame, std::max(width, kPanelWidthMin), options));
    if (row.size() < per_row && &panel != &panels.back()) continue;
    AppendRow(row, &text);
    row.clear();
  }
  return text;
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
