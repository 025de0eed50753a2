#include "core/base/raw_memory.h"

#include <cstdint>
#include <cstring>
#include <limits>

#include "gtest/gtest.h"

namespace trainyard {
namespace {

size_t Misaligned(const RawMemory& memory, size_t alignment) {
  return reinterpret_cast<uintptr_t>(memory.get()) % alignment;
}

TEST(RawMemoryTest, SmallOnesStartOnACacheLineAndLargeOnesOnALargePage) {
  for (const size_t size : {size_t{0}, size_t{1}, size_t{4096}, 2 * kLargePageBytes - 1}) {
    EXPECT_EQ(Misaligned(AllocateRaw(size), 64), 0u) << size;
  }
  const size_t large = 2 * kLargePageBytes + 1;
  const RawMemory memory = AllocateRaw(large);
  EXPECT_EQ(Misaligned(memory, kLargePageBytes), 0u);
  std::memset(memory.get(), 1, large);
}

TEST(RawMemoryTest, ReservedMemoryIsZeroWhereNobodyWrote) {
  const size_t size = size_t{1} << 32;
  const RawMemory memory = ReserveRaw(size);
  ASSERT_NE(memory, nullptr);
  memory[0] = 1;
  AskForLargePages(memory.get() + 1, size - 1);
  AskForLargePages(memory.get() + 1, 1);  // no whole page: nothing to ask for
  memory[size - 1] = 2;
  EXPECT_EQ(memory[0], 1);
  EXPECT_EQ(memory[size / 2], 0);
  EXPECT_EQ(memory[size - 1], 2);
}

TEST(RawMemoryTest, MoreAddressSpaceThanThereIsGivesNull) {
  EXPECT_EQ(ReserveRaw(std::numeric_limits<size_t>::max() / 2), nullptr);
}

}  // namespace
}  // namespace trainyard
