// Loss curves as picture files by a real gnuplot.
#include <cmath>
#include <fstream>
#include <sstream>

#include "client/exit_code.h"
#include "client/plot.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_dir.h"

namespace trainyard {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

std::string ReadFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::stringstream bytes;
  bytes << file.rdbuf();
  return bytes.str();
}

CurvePlot Losses() {
  return {.title = "it's `mine`",
          .curves = {{{10, 20, 30}, {1, 0.5, 0.25}, "train"},
                     {{10, 20, 30}, {1, NAN, 0.5}, "validation", /*dotted=*/true}}};
}

TEST(CurvePlotTest, ProgramHasTheNumbersAndNamesAsTextOnly) {
  const std::string program = CurveProgram(Losses(), {.path = "a.svg"});
  EXPECT_THAT(program,
              AllOf(HasSubstr("$curve1 << EOD\n10 1\n20 NaN\n30 0.5\nEOD\n"),
                    HasSubstr("set title 'it''s `mine`'\n"), Not(HasSubstr("logscale")),
                    HasSubstr("$curve1 using 1:2 with lines lw 2 dt 2 title 'validation'")));
  CurvePlot plot = Losses();
  plot.logarithmic = true;
  EXPECT_THAT(CurveProgram(plot, {.path = "a.svg"}), HasSubstr("set logscale y\n"));
}

TEST(CurvePlotTest, BothFormatsAreWritten) {
  const TempDir dir;
  ASSERT_THAT(WriteCurves(Losses(), {.path = dir.path() + "/a.svg"}), IsOk());
  EXPECT_THAT(ReadFile(dir.path() + "/a.svg"), AllOf(StartsWith("<?xml"), HasSubstr("validation")));
  ASSERT_THAT(WriteCurves(Losses(), {.path = dir.path() + "/a.png"}), IsOk());
  EXPECT_THAT(ReadFile(dir.path() + "/a.png"), StartsWith("\x89PNG"));
}

TEST(CurvePlotTest, WhatCannotBeDrawnIsAUsageError) {
  CurvePlot negative{.curves = {{{1, 2}, {-1, -2}, "train"}}, .logarithmic = true};
  for (const absl::Status& status :
       {WriteCurves(Losses(), {.path = "a.pdf"}), WriteCurves({}, {.path = "a.svg"}),
        WriteCurves(negative, {.path = "a.svg"})}) {
    EXPECT_EQ(ExitCodeOf(status), ExitCode::kUsage) << status;
  }
}

}  // namespace
}  // namespace trainyard
