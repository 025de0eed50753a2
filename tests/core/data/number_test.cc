#include "core/data/number.h"

#include <charconv>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <string>

#include "core/base/rng.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace trainyard {
namespace {

TEST(NumberTest, ReadsDecimalNumbers) {
  struct Case {
    const char* text;
    double value;
  };
  const Case cases[] = {
      {"0", 0},
      {"7", 7},
      {"-7", -7},
      {"+7", 7},
      {"007", 7},
      {".5", 0.5},
      {"5.", 5},
      {"-.5", -0.5},
      {"1e3", 1000},
      {"1E-2", 0.01},
      {"+1.5e+2", 150},
      {"0.1", 0.1},
      {"123456789012345", 123456789012345.0},
      {"12345678901234567", 12345678901234567.0},
      {"1e-400", 0},
      {"4.9e-324", 4.9e-324},
      {"1.7976931348623157e308", 1.7976931348623157e308},
  };
  for (const Case& c : cases) EXPECT_EQ(ParseNumber(c.text), c.value) << c.text;
}

TEST(NumberTest, RefusesWhatIsNotAFiniteDecimalNumber) {
  for (const char* text :
       {"",      "-",      "+",     ".",   "-.",  "nan", "NaN", "inf", "-inf", "infinity",
        "1e999", "-1e999", "0x10",  "1,5", "1 2", "--1", "+-1", "-+1", "1e",   "1e+",
        "e5",    "1.2.3",  "1_000", "5%",  "abc", " 1",  "1 ",  "1f"}) {
    EXPECT_EQ(ParseNumber(text), std::nullopt) << text;
  }
}

TEST(NumberTest, ZeroHasNoSign) {
  for (const char* text : {"-0", "-0.0", "-1e-400"}) {
    EXPECT_FALSE(std::signbit(*ParseNumber(text))) << text;
  }
}

TEST(NumberTest, ReadsTheNearestDoubleAsTheCLibraryDoes) {
  Rng rng(1, RngStream::kAnalysis);
  for (int round = 0; round < 20000; ++round) {
    char text[64];
    const double value = (rng.Uniform() - 0.5) * std::pow(10, static_cast<double>(rng.Below(12)));
    std::snprintf(text, sizeof text, "%.*f", static_cast<int>(rng.Below(12)), value);
    const double expected = std::strtod(text, nullptr);
    EXPECT_EQ(ParseNumber(text), expected) << text;
  }
}

// Of every count of digits on both sides of the mark, with exponents and without.
TEST(NumberTest, ReadsRandomDigitsAsTheCLibraryDoes) {
  Rng rng(3, RngStream::kAnalysis);
  const auto digits = [&rng](uint64_t count) {
    std::string text;
    for (uint64_t i = 0; i < count; ++i) text.push_back(static_cast<char>('0' + rng.Below(10)));
    return text;
  };
  for (int round = 0; round < 50000; ++round) {
    std::string text = rng.Below(2) == 0 ? "-" : "";
    text += digits(1 + rng.Below(12));
    if (rng.Below(4) != 0) text += "." + digits(rng.Below(12));
    if (rng.Below(4) == 0) text += (rng.Below(2) == 0 ? "e-" : "e+") + digits(1 + rng.Below(2));
    EXPECT_EQ(ParseNumber(text), std::strtod(text.c_str(), nullptr)) << text;
  }
}

TEST(NumberTest, PrintsWhatReadsBackTheSame) {
  Rng rng(2, RngStream::kAnalysis);
  for (int round = 0; round < 20000; ++round) {
    const uint64_t bits = rng.Next64();
    double value = 0;
    std::memcpy(&value, &bits, sizeof value);
    if (!std::isfinite(value)) continue;
    EXPECT_EQ(ParseNumber(NumberText(value)), value) << NumberText(value);
  }
}

TEST(NumberTest, PrintsFewDigitsWithoutExponentInTheCommonRange) {
  EXPECT_EQ(NumberText(100000.0), "100000");
  EXPECT_EQ(NumberText(0.1), "0.1");
  EXPECT_EQ(NumberText(0.1f), "0.1");
  EXPECT_EQ(NumberText(-3.25), "-3.25");
  EXPECT_EQ(NumberText(1e20), "1e+20");
  EXPECT_EQ(NumberText(1e-7), "1e-07");
}

TEST(NumberTest, TrimsSpacesAndTabs) {
  EXPECT_EQ(TrimCell(" \ta b\t "), "a b");
  EXPECT_EQ(TrimCell(" \t "), "");
}

}  // namespace
}  // namespace trainyard
