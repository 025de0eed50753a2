#include "core/analysis/lanczos.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "core/base/rng.h"
#include "gtest/gtest.h"

namespace trainyard {
namespace {

using Vector = std::vector<double>;

Vector RandomVector(size_t size) {
  Rng rng(/*seed=*/5, RngStream::kAnalysis);
  Vector v(size);
  for (double& x : v) x = rng.Normal();
  return v;
}

// Multiplies by diag(eigenvalues) until both ends have a residual below `accuracy`.
Lanczos OfDiagonal(const Vector& eigenvalues, double accuracy, int products_max) {
  Lanczos lanczos(RandomVector(eigenvalues.size()), static_cast<int64_t>(eigenvalues.size()));
  Vector product(eigenvalues.size());
  for (int i = 0; i < products_max && !lanczos.complete(); ++i) {
    for (size_t k = 0; k < product.size(); ++k) product[k] = eigenvalues[k] * lanczos.vector()[k];
    EXPECT_TRUE(lanczos.Add(product));
    if (lanczos.Largest().residual < accuracy && lanczos.Smallest().residual < accuracy) break;
  }
  return lanczos;
}

// A single negative eigenvalue beside a thousand near 0, as networks have them: power iteration
// shifted by the largest one would stop in the bulk.
TEST(LanczosTest, FindsASmallNegativeEndBesideABulk) {
  for (const double smallest : {-3.0, -1.0, -0.2}) {
    Vector eigenvalues = {10, smallest};
    for (int i = 0; i < 1000; ++i) eigenvalues.push_back(0.05 * i / 1000);
    const Lanczos lanczos = OfDiagonal(eigenvalues, 1e-6, 100);
    EXPECT_NEAR(lanczos.Largest().value, 10, 1e-6);
    EXPECT_NEAR(lanczos.Smallest().value, smallest, 1e-6);
    EXPECT_LT(lanczos.products(), 60);
  }
}

TEST(LanczosTest, KnowsAWholeSmallSpace) {
  const Lanczos lanczos = OfDiagonal({4, -1, 2.5}, 0, 100);
  EXPECT_TRUE(lanczos.complete());
  EXPECT_EQ(lanczos.products(), 3);
  EXPECT_NEAR(lanczos.Largest().value, 4, 1e-12);
  EXPECT_NEAR(lanczos.Smallest().value, -1, 1e-12);
  EXPECT_EQ(lanczos.Largest().residual, 0);
}

// λ and −λ: the Rayleigh quotient of power iteration would be any mix of both.
TEST(LanczosTest, TellsOppositeEndsApart) {
  const Lanczos lanczos = OfDiagonal({7, -7, 1, 0.5, 0.25}, 1e-9, 100);
  EXPECT_NEAR(lanczos.Largest().value, 7, 1e-8);
  EXPECT_NEAR(lanczos.Smallest().value, -7, 1e-8);
}

// The residual is that of an eigenpair: no eigenvalue is farther away than it says.
TEST(LanczosTest, TheResidualBoundsTheError) {
  Vector eigenvalues;
  for (int i = 0; i < 200; ++i) eigenvalues.push_back(std::cos(i));
  for (int products = 1; products < 60; products += 7) {
    const RitzValue largest = OfDiagonal(eigenvalues, 0, products).Largest();
    double nearest = std::numeric_limits<double>::infinity();
    for (const double e : eigenvalues) nearest = std::min(nearest, std::fabs(e - largest.value));
    EXPECT_LE(nearest, largest.residual + 1e-12) << products;
  }
}

TEST(LanczosTest, ZeroIsASpectrumToo) {
  const Lanczos lanczos = OfDiagonal(Vector(10), 0, 100);
  EXPECT_TRUE(lanczos.complete());
  EXPECT_NEAR(lanczos.Largest().value, 0, 1e-290);
  EXPECT_NEAR(lanczos.Smallest().value, 0, 1e-290);
}

TEST(LanczosTest, RefusesWhatIsNotFinite) {
  Lanczos lanczos({1, 1}, 2);
  EXPECT_FALSE(lanczos.Add({std::nan(""), 0}));
  EXPECT_EQ(lanczos.products(), 0);
}

}  // namespace
}  // namespace trainyard
