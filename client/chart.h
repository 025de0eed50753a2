// Pictures in characters: a grid of numbers as shades, curves as dots, a histogram as one word. It
// knows nothing of the contract (analysis_picture.h does) nor of where the text goes.
//
//   out << HeatMap({.values = losses, .columns = 25, .rows = 25, .logarithmic = true}, {.width =
//   80}); out << LineChart({{axis, losses}}, {.width = 80});
//   out << Panels({{"first", {train, validation}}, {"second", {other}}}, {.width = 120});
//
// Thread-safety: pure functions.
#ifndef TRAINYARD_CLIENT_CHART_H_
#define TRAINYARD_CLIENT_CHART_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace trainyard {

struct ChartStyle {
  size_t width = 80;   // columns that may be used; at least kChartWidthMin are taken
  bool color = false;  // 256 colours, two points per character; else shades
};
inline constexpr size_t kChartWidthMin = 24;
inline constexpr size_t kChartWidthMax = 96;

// A character drawn over the point (x, y) of a grid.
struct ChartMark {
  int64_t x = 0;
  int64_t y = 0;
  char sign = '+';
};

struct Grid {
  std::vector<double> values;  // row-major [rows, columns]; row 0 is drawn at the bottom
  int64_t columns = 0;
  int64_t rows = 0;
  bool logarithmic = false;  // shades by the logarithm; values are > 0 then, others are drawn as !
  std::vector<ChartMark> marks;
};

// Shades from the least (light) to the greatest (dark, or yellow in colour), a legend of what they
// stand for below. What is not finite is a '!'. Steps between shades are contour lines. REQUIRES:
// rows and columns ≥ 1 and as many values.
std::string HeatMap(const Grid& grid, const ChartStyle& style);

struct Curve {
  std::vector<double> x;  // ascending
  std::vector<double> y;  // a point of which x or y is not finite is a gap
  std::string name = "";  // for a legend
  bool dotted = false;
  int color = 0;  // of 256, where there are colours; 0: the terminal's own
};

struct LineChartOptions {
  size_t width = 80;
  size_t height = 12;          // lines
  bool logarithmic_x = false;  // what is not > 0 is a gap then
  bool logarithmic_y = false;  // likewise
  bool color = false;
};

// All curves in one frame of Braille dots, with the range of y at the left and that of x below.
std::string LineChart(const std::vector<Curve>& curves, const LineChartOptions& options);

// One of several charts that are to be compared.
struct Panel {
  std::string title;
  std::vector<Curve> curves;
};
inline constexpr size_t kPanelWidthMin = 36;
// Lines of a panel beside those of its frame: title, range of x, legend.
inline constexpr size_t kPanelExtraLines = 3;

// How many panels stand beside each other.
size_t PanelsPerRow(size_t panel_count, size_t width);

// Charts of one scale, so that they can be compared: beside each other as far as they are
// kPanelWidthMin wide, then below. A legend names each curve with its last value. `height` is that
// of one frame. Lines are at most `width` columns wide, or kPanelWidthMin.
std::string Panels(const std::vector<Panel>& panels, const LineChartOptions& options);

// "▁▃█▄▁": one character per count, the greatest full.
std::string Bars(std::span<const int64_t> counts);

}  // namespace trainyard

#endif  // TRAINYARD_CLIENT_CHART_H_
