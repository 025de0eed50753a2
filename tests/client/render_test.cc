#include "client/render.h"

#include <cmath>
#include <limits>

#include "gtest/gtest.h"

namespace trainyard {
namespace {

TEST(FormatTest, CountsAreGroupedByThousands) {
  EXPECT_EQ(FormatCount(0), "0");
  EXPECT_EQ(FormatCount(999), "999");
  EXPECT_EQ(FormatCount(1000), "1,000");
  EXPECT_EQ(FormatCount(12345678), "12,345,678");
  EXPECT_EQ(FormatCount(-123456), "-123,456");
  EXPECT_EQ(FormatCount(std::numeric_limits<int64_t>::min()), "-9,223,372,036,854,775,808");
}

TEST(FormatTest, BytesNeverShow1024OfAUnit) {
  EXPECT_EQ(FormatBytes(1023), "1023 B");
  EXPECT_EQ(FormatBytes(1536), "1.5 KiB");
  EXPECT_EQ(FormatBytes((1 << 20) - 1), "1.0 MiB");
  EXPECT_EQ(FormatBytes(int64_t{4} << 30), "4.0 GiB");
}

TEST(FormatTest, RatesHaveThreeDigitsAndASuffix) {
  EXPECT_EQ(FormatShort(12.34), "12.3");
  EXPECT_EQ(FormatShort(999.6), "1k");
  EXPECT_EQ(FormatShort(1234567), "1.23M");
  EXPECT_EQ(FormatShort(std::nan("")), "?");
}

TEST(FormatTest, DurationsUseTheUnitAPersonWould) {
  EXPECT_EQ(DurationText(absl::Milliseconds(850)), "850ms");
  EXPECT_EQ(DurationText(absl::Milliseconds(9990)), "9.9s");
  EXPECT_EQ(DurationText(absl::Seconds(65)), "1m 05s");
  EXPECT_EQ(DurationText(absl::Hours(2) + absl::Minutes(3)), "2h 03m");
  EXPECT_EQ(DurationText(absl::Hours(76)), "3d 04h");
  EXPECT_EQ(DurationText(-absl::Seconds(1)), "0ms");
  EXPECT_EQ(DurationText(absl::InfiniteDuration()), "?");
}

TEST(PrintableTest, NothingThatMovesTheCursorGetsThrough) {
  EXPECT_EQ(Printable("a\x1b[2J\tb\n"), "a\\x1B[2J\\x09b\\x0A");
  EXPECT_EQ(Printable("naïve ≤ 😀"), "naïve ≤ 😀");
  EXPECT_EQ(Printable("\xC2\x9B"), "\\xC2\\x9B");           // CSI as U+009B
  EXPECT_EQ(Printable("\xC3"), "\\xC3");                    // cut off
  EXPECT_EQ(Printable("\xE0\x80\xAF"), "\\xE0\\x80\\xAF");  // overlong
  EXPECT_EQ(Printable("\xED\xA0\x80"), "\\xED\\xA0\\x80");  // surrogate
}

TEST(EllipsizeTest, CutsByCodePointNotByByte) {
  EXPECT_EQ(Ellipsize("äöü", 3), "äöü");
  EXPECT_EQ(Ellipsize("äöüß", 3), "äö…");
  EXPECT_EQ(Ellipsize("abc", 1), "…");
  EXPECT_EQ(Ellipsize("abc", 0), "");
}

TEST(BarTest, IsFullOnlyAtTheEnd) {
  EXPECT_EQ(Bar(0, 12), "[----------]");
  EXPECT_EQ(Bar(0.999, 12), "[#########-]");
  EXPECT_EQ(Bar(1, 12), "[##########]");
  EXPECT_EQ(Bar(7, 12), "[##########]");
  EXPECT_EQ(Bar(std::nan(""), 12), "[----------]");
}

TEST(TextTableTest, AlignsByWidthOnScreen) {
  TextTable table({{"NAME"}, {"ROWS", TextTable::Align::kRight}, {"NOTE"}});
  table.AddRow({"größe", "7", ""});
  table.AddRow({"x", "12,345", "a\nb"});
  EXPECT_EQ(table.Render(),
            "NAME     ROWS  NOTE\n"
            "größe       7\n"
            "x      12,345  a\\x0Ab\n");
}

TEST(FormatTest, SharesNeverLookLikeNoneOrAllOfIt) {
  EXPECT_EQ(PercentText(0), "0.0%");
  EXPECT_EQ(PercentText(0.0004), "<0.1%");
  EXPECT_EQ(PercentText(0.0573), "5.7%");
  EXPECT_EQ(PercentText(0.9996), ">99.9%");
  EXPECT_EQ(PercentText(1), "100.0%");
}

TEST(ShareBarTest, ShowsEighthsAndWhateverIsThere) {
  EXPECT_EQ(ShareBar(0, 16), "");
  EXPECT_EQ(ShareBar(1e-9, 16), "▏");
  EXPECT_EQ(ShareBar(0.5, 16), "████████");
  EXPECT_EQ(ShareBar(0.25 + 3.0 / 128, 16), "████▍");
  EXPECT_EQ(ShareBar(2, 4), "████");
  EXPECT_EQ(ShareBar(std::nan(""), 4), "");
}

TEST(KeyValueLinesTest, LeavesOutWhatHasNoValue) {
  EXPECT_EQ(KeyValueLines({{"rows", "5\n"}, {"longer", ""}}), "  rows    5\\x0A\n");
}

TEST(TextTableTest, LeavesOutColumnsThenCutsTextToFit) {
  TextTable table({{"NAME"},
                   {"A", TextTable::Align::kRight, 1},
                   {"B", TextTable::Align::kRight, 2},
                   {"C", TextTable::Align::kRight}});
  table.AddRow({"a name of some length", "1", "22", "333"});
  EXPECT_EQ(table.Render(),
            "NAME                   A   B    C\na name of some length  1  22  333\n");
  EXPECT_EQ(table.Render(29), "NAME                   A    C\na name of some length  1  333\n");
  EXPECT_EQ(table.Render(26), "NAME                     C\na name of some length  333\n");
  EXPECT_EQ(table.Render(15), "NAME          C\na name of…  333\n");
  EXPECT_EQ(table.Render(1), "NAME        C\na name …  333\n");
}

TEST(TextTableTest, CutsLongCells) {
  TextTable table({{"A"}});
  table.AddRow({std::string(1000, 'x')});
  EXPECT_EQ(DisplayWidth(table.Render()), 2 + TextTable::kCellWidthMax + 1);
}

}  // namespace
}  // namespace trainyard
