#include "client/chart.h"

#include <cmath>

#include "absl/strings/str_split.h"
#include "client/render.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace trainyard {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

std::vector<std::string> Lines(const std::string& text) {
  std::vector<std::string> lines = absl::StrSplit(text, '\n');
  lines.pop_back();
  return lines;
}

// Values that rise from left to right, and with the row.
Grid Slope(int64_t columns, int64_t rows) {
  Grid grid{.columns = columns, .rows = rows};
  for (int64_t y = 0; y < rows; ++y) {
    for (int64_t x = 0; x < columns; ++x) grid.values.push_back(static_cast<double>(x + 100 * y));
  }
  return grid;
}

TEST(HeatMapTest, ShadesRiseWithTheValueAndRowZeroIsBelow) {
  const std::vector<std::string> lines = Lines(HeatMap(Slope(2, 2), {.width = 24}));
  ASSERT_EQ(lines.size(), 12 + 1);
  EXPECT_EQ(lines[0], "████████████████████████");
  EXPECT_EQ(lines[11], "");  // the least value is a space
  EXPECT_THAT(lines[12], HasSubstr("[█] 101"));
}

TEST(HeatMapTest, LogarithmShowsDecadesAndFaultsAreSigns) {
  Grid grid{.values = {1, 10, 100, INFINITY}, .columns = 4, .rows = 1, .logarithmic = true};
  const std::vector<std::string> lines = Lines(HeatMap(grid, {.width = 24}));
  EXPECT_EQ(lines[0], "      ▒▒▒▒▒▒██████!!!!!!");
  EXPECT_EQ(lines.back(), "1 [ ] 2.154 [·] 4.642 [░] 10 [▒] 21.54 [▓] 46.42 [█] 100");
  grid.values.assign(4, NAN);
  EXPECT_EQ(Lines(HeatMap(grid, {.width = 24})).back(), "no finite value");
}

TEST(HeatMapTest, MarksStandOnTheirPoints) {
  Grid grid = Slope(25, 25);
  grid.marks = {{12, 12, '+'}, {0, 24, 'a'}};
  const std::vector<std::string> lines = Lines(HeatMap(grid, {.width = 25}));
  EXPECT_THAT(lines[0], testing::StartsWith("a"));
  EXPECT_THAT(lines[5] + lines[6], HasSubstr("+"));
}

TEST(HeatMapTest, WidthIsKeptWithAndWithoutColour) {
  for (const size_t width : {30, 61, 96}) {
    for (const std::string& line : Lines(HeatMap(Slope(25, 25), {.width = width}))) {
      const bool legend = line.find('[') != std::string::npos;
      EXPECT_TRUE(legend || DisplayWidth(line) <= width) << line;
    }
  }
  EXPECT_THAT(HeatMap(Slope(3, 3), {.width = 40}), Not(HasSubstr("\x1b")));
  const std::string colored = HeatMap(Slope(3, 3), {.width = 40, .color = true});
  EXPECT_THAT(Lines(colored), testing::SizeIs(21));
  EXPECT_THAT(colored, HasSubstr("▀"));
  for (const std::string& line : Lines(colored)) EXPECT_THAT(line, HasSubstr("\x1b[0m"));
}

TEST(LineChartTest, ARisingLineGoesFromBottomLeftToTopRight) {
  const std::vector<std::string> lines =
      Lines(LineChart({{{0, 1}, {2, 5}}}, {.width = 24, .height = 3}));
  ASSERT_EQ(lines.size(), 4u);
  EXPECT_THAT(lines[0], testing::StartsWith("5 │⠀"));
  EXPECT_THAT(lines[0], Not(testing::EndsWith("⠀")));
  EXPECT_THAT(lines[2], Not(testing::StartsWith("2 │⠀")));
  EXPECT_THAT(lines[2], testing::EndsWith("⠀"));
  EXPECT_EQ(lines[3], "   0                   1");
}

TEST(LineChartTest, GapsAndLogarithmsAndNothingAtAll) {
  const std::string chart = LineChart({{{1e-3, 1e-2, 1e-1}, {1, NAN, 3}}},
                                      {.width = 40, .height = 4, .logarithmic_x = true});
  EXPECT_THAT(chart, HasSubstr("0.001"));
  EXPECT_THAT(chart, HasSubstr("0.1"));
  EXPECT_EQ(LineChart({{{1, 2}, {NAN, NAN}}}, {}), "no finite value\n");
  // A point without an x, or without its logarithm, is a gap as well.
  for (const double x : {static_cast<double>(NAN), 0.0, -1.0}) {
    EXPECT_EQ(LineChart({{{1, x, 100}, {1, 2, 3}}}, {.logarithmic_x = true}),
              LineChart({{{1, 10, 100}, {1, NAN, 3}}}, {.logarithmic_x = true}));
  }
  EXPECT_EQ(LineChart({}, {}), "no finite value\n");
}

TEST(BarsTest, TheGreatestIsFullAndNoneIsBlank) {
  const int64_t counts[] = {0, 1, 5, 9};
  EXPECT_EQ(Bars(counts), " ▁▄█");
  EXPECT_EQ(Bars({}), "");
}

}  // namespace
}  // namespace trainyard
