#include "core/tensor/matrix.h"

#include <algorithm>
#include <cstdint>
#include <utility>

#include "gtest/gtest.h"

namespace trainyard {
namespace {

bool IsAligned(const float* p, uintptr_t size_bytes) {
  return reinterpret_cast<uintptr_t>(p) % size_bytes == 0;
}

bool IsZero(const Matrix& m) {
  return std::all_of(m.data(), m.data() + m.size(), [](float x) { return x == 0; });
}

TEST(MatrixTest, IsAlignedAndZero) {
  for (const int64_t cols : {1, 3, 17, 1000}) {
    const Matrix m(5, cols);
    EXPECT_TRUE(IsAligned(m.data(), 64)) << cols;
    EXPECT_TRUE(IsZero(m)) << cols;
  }
}

TEST(MatrixTest, ALargeOneStartsOnAHugePageAndIsZero) {
  const Matrix m(1 << 11, 1 << 10);  // 8 MiB
  EXPECT_TRUE(IsAligned(m.data(), 2 << 20));
  EXPECT_TRUE(IsZero(m));
}

TEST(MatrixTest, RowsAreSlices) {
  Matrix m(3, 4);
  m.row(2)[1] = 7;
  EXPECT_EQ(m.data()[2 * 4 + 1], 7);
  EXPECT_EQ(m.row(0).size(), 4u);
}

TEST(MatrixTest, NoRowsIsAMatrixToo) {
  const Matrix m(0, 4);
  EXPECT_EQ(m.rows(), 0);
  EXPECT_EQ(m.cols(), 4);
  EXPECT_EQ(m.size(), 0);
}

TEST(MatrixTest, MovingKeepsTheMemory) {
  Matrix a(2, 2);
  a.row(1)[1] = 5;
  const float* data = a.data();
  const Matrix b = std::move(a);
  EXPECT_EQ(b.data(), data);
  EXPECT_EQ(b.row(1)[1], 5);
}

}  // namespace
}  // namespace trainyard
