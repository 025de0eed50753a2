#include "core/base/crc32c.h"

#include <string>

#include "gtest/gtest.h"

namespace trainyard {
namespace {

std::string Ascending() {
  std::string bytes;
  for (int i = 0; i < 32; ++i) bytes.push_back(static_cast<char>(i));
  return bytes;
}

// RFC 3720, appendix B.4.
TEST(Crc32cTest, AgreesWithTheRfc) {
  EXPECT_EQ(crc32c::Value(std::string(32, '\0')), 0x8a9136aau);
  EXPECT_EQ(crc32c::Value(std::string(32, '\xff')), 0x62a8ab43u);
  EXPECT_EQ(crc32c::Value(Ascending()), 0x46dd794eu);
  const std::string ascending = Ascending();
  EXPECT_EQ(crc32c::Value(std::string(ascending.rbegin(), ascending.rend())), 0x113fdb5cu);
}

TEST(Crc32cTest, AgreesWithTheCheckValueOfTheCatalogue) {
  EXPECT_EQ(crc32c::Value("123456789"), 0xe3069283u);
}

TEST(Crc32cTest, AnySplitGivesTheSame) {
  const std::string bytes = Ascending() + "and 9 more";
  for (size_t cut = 0; cut <= bytes.size(); ++cut) {
    const uint32_t first = crc32c::Value(bytes.substr(0, cut));
    EXPECT_EQ(crc32c::Extend(first, bytes.substr(cut)), crc32c::Value(bytes)) << cut;
  }
}

// The definition, bit by bit.
uint32_t Slow(const std::string& bytes) {
  uint32_t state = 0xffffffffu;
  for (const char c : bytes) {
    state ^= static_cast<unsigned char>(c);
    for (int bit = 0; bit < 8; ++bit) state = state >> 1 ^ (state & 1 ? 0x82f63b78u : 0);
  }
  return ~state;
}

TEST(Crc32cTest, LongInputsAgreeWithTheDefinition) {
  std::string bytes;
  uint32_t noise = 1;
  for (int i = 0; i < 40'000; ++i) {
    bytes.push_back(static_cast<char>((noise = noise * 1664525u + 1013904223u) >> 24));
  }
  for (const size_t size : {12'287u, 12'288u, 12'289u, 24'576u, 24'583u, 40'000u}) {
    EXPECT_EQ(crc32c::Value(bytes.substr(0, size)), Slow(bytes.substr(0, size))) << size;
  }
}

}  // namespace
}  // namespace trainyard
