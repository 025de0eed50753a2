#include "core/data/plain_cells.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/str_join.h"
#include "core/base/rng.h"
#include "core/data/number.h"
#include "core/data/padded_number.h"
#include "gtest/gtest.h"

namespace trainyard {
namespace {

constexpr double kNotSet = -12345;

// Cells in a row with what ParsePlainCells makes of them.
struct Parsed {
  std::vector<double> numbers;  // kNotSet: unusual
  std::vector<uint32_t> unusual;
};

Parsed Parse(const std::vector<std::string>& cells, char decimal_mark) {
  // Digits around the cells, which must not become part of them.
  const std::string before(CellRun::kPaddingBefore, '7');
  const std::string text =
      before + ";" + absl::StrJoin(cells, ";") + ";" + std::string(kNumberPadding, '7');
  std::vector<uint32_t> ends = {static_cast<uint32_t>(before.size())};
  for (const std::string& cell : cells)
    ends.push_back(ends.back() + 1 + static_cast<uint32_t>(cell.size()));
  Parsed parsed{std::vector<double>(cells.size()), std::vector<uint32_t>(cells.size())};
  const size_t count = ParsePlainCells({text.data(), ends.data() + 1, cells.size()}, decimal_mark,
                                       parsed.numbers.data(), parsed.unusual.data());
  parsed.unusual.resize(count);
  for (const uint32_t i : parsed.unusual) parsed.numbers[i] = kNotSet;
  return parsed;
}

TEST(PlainCellsTest, UsualNumbersAreAllPlain) {
  const std::vector<std::string> cells = {"0",
                                          "7",
                                          "-7",
                                          "+7",
                                          "007",
                                          ".5",
                                          "5.",
                                          "-.5",
                                          "0.1",
                                          "-0.0",
                                          "1969",
                                          "740749552",
                                          "-15314.1",
                                          "0.000894031",
                                          "1.5",
                                          "+5.",
                                          "12",
                                          "-12345678",
                                          "0.02424544",
                                          "-0",
                                          "9007199254740992",
                                          "123456",
                                          "1.25",
                                          "3",
                                          "0.00000000000001"};
  const Parsed parsed = Parse(cells, '.');
  EXPECT_TRUE(parsed.unusual.empty());
  for (size_t i = 0; i < cells.size(); ++i) {
    EXPECT_EQ(std::bit_cast<uint64_t>(parsed.numbers[i]),
              std::bit_cast<uint64_t>(*ParseNumber(cells[i])))
        << cells[i];
  }
}

TEST(PlainCellsTest, WhatIsNoPlainNumberIsUnusualInItsPlaceOnly) {
  const std::vector<std::string> unusual = {"",
                                            "-",
                                            "+",
                                            ".",
                                            "-.",
                                            "nan",
                                            "--1",
                                            "+-1",
                                            "1e3",
                                            "1,5",
                                            "1.2.3",
                                            " 1",
                                            "1 ",
                                            "1\r",
                                            "9007199254740993",
                                            "1..",
                                            "..",
                                            "1-",
                                            "1+",
                                            "a",
                                            "12345678901234567",
                                            std::string(272, '1'),
                                            std::string(255, '1'),
                                            std::string(70'000, '1'),
                                            std::string("1\0", 2),
                                            "\xC3\xA9",
                                            "/",
                                            ":"};
  for (const std::string& text : unusual) {
    for (size_t place = 0; place < 10; ++place) {
      std::vector<std::string> cells(10, "1.5");
      cells[place] = text;
      std::vector<double> expected(10, 1.5);
      expected[place] = kNotSet;
      const Parsed parsed = Parse(cells, '.');
      ASSERT_EQ(parsed.numbers, expected) << text.substr(0, 20);
      ASSERT_EQ(parsed.unusual, std::vector<uint32_t>({static_cast<uint32_t>(place)}));
    }
  }
}

// Digits mostly, and what may be among them.
std::string RandomCell(Rng* rng) {
  constexpr absl::string_view kAlphabet = "0123456789012345678901234567890123456789..,-+e/: \r";
  std::string cell;
  const uint64_t size = rng->Below(20);
  if (rng->Below(4) == 0) cell = rng->Below(3) == 0 ? "+" : "-";
  const uint64_t letters = rng->Below(3) == 0 ? kAlphabet.size() : 10;
  while (cell.size() < size) cell.push_back(kAlphabet[rng->Below(letters)]);
  if (rng->Below(2) == 0 && !cell.empty()) cell[rng->Below(cell.size())] = '.';
  return cell;
}

TEST(PlainCellsTest, WhatIsPlainIsWhatParseNumberReads) {
  Rng rng(26, RngStream::kAnalysis);
  for (int round = 0; round < 3000; ++round) {
    std::vector<std::string> cells(rng.Below(50));
    for (std::string& cell : cells) cell = RandomCell(&rng);
    const char decimal_mark = round % 4 == 0 ? ',' : '.';
    const Parsed parsed = Parse(cells, decimal_mark);
    ASSERT_TRUE(std::is_sorted(parsed.unusual.begin(), parsed.unusual.end()));
    for (size_t i = 0; i < cells.size(); ++i) {
      if (std::binary_search(parsed.unusual.begin(), parsed.unusual.end(), i)) continue;
      const std::optional<double> expected = ParseNumber(cells[i], decimal_mark);
      ASSERT_TRUE(expected.has_value()) << cells[i];
      ASSERT_EQ(std::bit_cast<uint64_t>(parsed.numbers[i]), std::bit_cast<uint64_t>(*expected))
          << cells[i];
    }
  }
}

}  // namespace
}  // namespace trainyard
