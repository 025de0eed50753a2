#include "core/nn/orthogonal.h"

#include <cmath>
#include <utility>
#include <vector>

#include "core/base/rng.h"
#include "gtest/gtest.h"

namespace trainyard {
namespace {

double Dot(const std::vector<double>& vectors, int64_t a, int64_t b, int64_t length) {
  double sum = 0;
  for (int64_t i = 0; i < length; ++i) sum += vectors[a * length + i] * vectors[b * length + i];
  return sum;
}

TEST(OrthogonalTest, RandomRowsBecomeOrthonormal) {
  Rng rng(1, RngStream::kAnalysis);
  for (const auto& [count, length] :
       {std::pair<int64_t, int64_t>{1, 1}, {1, 9}, {5, 7}, {16, 16}, {17, 40}, {150, 150}}) {
    std::vector<double> vectors(static_cast<size_t>(count * length));
    for (double& v : vectors) v = rng.Normal();
    const std::vector<double> before(vectors.begin(), vectors.begin() + length);
    Orthonormalize(count, length, vectors.data());
    for (int64_t a = 0; a < count; ++a) {
      for (int64_t b = 0; b <= a; ++b) {
        ASSERT_NEAR(Dot(vectors, a, b, length), a == b ? 1 : 0, 1e-9) << a << " " << b;
      }
    }
    // The first vector keeps its direction.
    const double ratio = vectors[0] / before[0];
    EXPECT_GT(ratio, 0);
    for (int64_t i = 0; i < length; ++i) EXPECT_NEAR(vectors[i], ratio * before[i], 1e-12);
  }
}

TEST(OrthogonalTest, ByHand) {
  std::vector<double> vectors = {3, 4, 1, 2};
  Orthonormalize(2, 2, vectors.data());
  EXPECT_NEAR(vectors[0], 0.6, 1e-15);
  EXPECT_NEAR(vectors[1], 0.8, 1e-15);
  EXPECT_NEAR(vectors[2], -0.8, 1e-15);
  EXPECT_NEAR(vectors[3], 0.6, 1e-15);
}

}  // namespace
}  // namespace trainyard
