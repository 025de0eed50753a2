#include "core/nn/normalization.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "core/base/rng.h"
#include "gtest/gtest.h"

namespace trainyard {
namespace {

// Beyond a strip of columns and a block of rows, and no multiple of either.
constexpr int64_t kRows = 531;
constexpr int64_t kUnits = 149;

std::vector<float> Normal(int64_t count, double mean, uint64_t substream) {
  Rng rng(7, RngStream::kAnalysis, substream);
  std::vector<float> values;
  for (int64_t i = 0; i < count; ++i) values.push_back(static_cast<float>(mean + rng.Normal()));
  return values;
}

// Mean and biased variance of `count` values, `stride` apart.
struct Moments {
  double mean = 0;
  double variance = 0;
};
Moments MomentsOf(const float* x, int64_t count, int64_t stride) {
  Moments moments;
  for (int64_t i = 0; i < count; ++i) moments.mean += x[i * stride];
  moments.mean /= static_cast<double>(count);
  for (int64_t i = 0; i < count; ++i) {
    moments.variance += std::pow(x[i * stride] - moments.mean, 2) / static_cast<double>(count);
  }
  return moments;
}

TEST(NormalizationTest, ColumnsHaveMeanZeroAndVarianceOne) {
  for (const double mean : {0.0, 50.0}) {
    const std::vector<float> z = Normal(kRows * kUnits, mean, 1);
    std::vector<float> x_hat = z, inverses(kUnits), means(kUnits, 0), variances(kUnits, 1);
    NormalizeColumns(x_hat.data(), kRows, kUnits, inverses.data(),
                     {means.data(), variances.data()});
    for (int64_t c = 0; c < kUnits; ++c) {
      const Moments before = MomentsOf(z.data() + c, kRows, kUnits);
      const Moments after = MomentsOf(x_hat.data() + c, kRows, kUnits);
      ASSERT_NEAR(after.mean, 0, 2e-6 * (1 + mean)) << c;
      ASSERT_NEAR(after.variance, before.variance / (before.variance + 1e-5), 1e-5) << c;
      ASSERT_NEAR(inverses[c] * std::sqrt(before.variance + 1e-5), 1, 1e-5) << c;
      ASSERT_NEAR(means[c], 0.1 * before.mean, 1e-5 * (1 + mean)) << c;
      const double unbiased = before.variance * kRows / (kRows - 1);
      ASSERT_NEAR(variances[c], 0.9 + 0.1 * unbiased, 1e-5) << c;
    }
  }
}

TEST(NormalizationTest, AOneRowBatchBecomesZeroAndTeachesNothing) {
  std::vector<float> z = {3, -4}, inverses(2), means = {1, 2}, variances = {5, 6};
  NormalizeColumns(z.data(), 1, 2, inverses.data(), {means.data(), variances.data()});
  EXPECT_EQ(z, (std::vector<float>{0, 0}));
  EXPECT_EQ(means, (std::vector<float>{1, 2}));
  EXPECT_EQ(variances, (std::vector<float>{5, 6}));
}

TEST(NormalizationTest, AConstantColumnBecomesZero) {
  std::vector<float> z = {7, 7, 7}, inverses(1), means = {0}, variances = {1};
  NormalizeColumns(z.data(), 3, 1, inverses.data(), {means.data(), variances.data()});
  EXPECT_EQ(z, (std::vector<float>{0, 0, 0}));
}

TEST(NormalizationTest, EvaluationUsesTheGivenMoments) {
  std::vector<float> z = {3, 10, 5, 30}, inverses(2), means = {1, 10}, variances = {4, 100};
  NormalizeColumnsBy({means.data(), variances.data()}, z.data(), 2, 2, inverses.data());
  EXPECT_NEAR(z[0], 1, 1e-5);
  EXPECT_NEAR(z[1], 0, 1e-5);
  EXPECT_NEAR(z[2], 2, 1e-5);
  EXPECT_NEAR(z[3], 2, 1e-5);
}

TEST(NormalizationTest, RowsHaveMeanZeroAndVarianceOne) {
  for (const int64_t units : {int64_t{1}, int64_t{2}, int64_t{16}, kUnits}) {
    const std::vector<float> z = Normal(kRows * units, 20, 2);
    std::vector<float> x_hat = z, inverses(kRows);
    NormalizeRows(x_hat.data(), kRows, units, inverses.data());
    for (int64_t r = 0; r < kRows; ++r) {
      const Moments before = MomentsOf(z.data() + r * units, units, 1);
      const Moments after = MomentsOf(x_hat.data() + r * units, units, 1);
      // The mean is good to a rounding of 20, 1e-6; then it is stretched.
      ASSERT_NEAR(after.mean, 0, 4e-6 * inverses[r]) << units << " " << r;
      ASSERT_NEAR(after.variance, before.variance / (before.variance + 1e-5), 1e-3) << r;
    }
  }
}

TEST(NormalizationTest, GradientsAreSumsOverRows) {
  const std::vector<float> dy = Normal(kRows * kUnits, 0.1, 3);
  const std::vector<float> x_hat = Normal(kRows * kUnits, 0, 4);
  std::vector<float> gains(kUnits), shifts(kUnits);
  NormalizationGradients(dy.data(), x_hat.data(), kRows, kUnits, gains.data(), shifts.data());
  for (int64_t c = 0; c < kUnits; ++c) {
    double gain = 0, shift = 0;
    for (int64_t i = c; i < kRows * kUnits; i += kUnits) {
      gain += static_cast<double>(dy[i]) * x_hat[i];
      shift += dy[i];
    }
    ASSERT_NEAR(gains[c], gain, 1e-4) << c;
    ASSERT_NEAR(shifts[c], shift, 1e-4) << c;
  }
}

// A normalised layer does not notice when a constant is added to its input, nor, but for ε, when it
// is stretched: the gradient must be at right angles to both.
TEST(NormalizationTest, GradientsAreAtRightAnglesToWhatDoesNotMatter) {
  const std::vector<float> gains(kUnits, 1);
  std::vector<float> inverses(std::max(kRows, kUnits)), means(kUnits), variances(kUnits);
  for (const bool columns : {true, false}) {
    std::vector<float> x_hat = Normal(kRows * kUnits, 3, 5), dz = Normal(kRows * kUnits, 1, 6);
    if (columns) {
      std::vector<float> d_gains(kUnits), d_shifts(kUnits);
      NormalizeColumns(x_hat.data(), kRows, kUnits, inverses.data(),
                       {means.data(), variances.data()});
      NormalizationGradients(dz.data(), x_hat.data(), kRows, kUnits, d_gains.data(),
                             d_shifts.data());
      ColumnsBackward(x_hat.data(), kRows, kUnits, inverses.data(), gains.data(), d_gains.data(),
                      d_shifts.data(), dz.data());
    } else {
      NormalizeRows(x_hat.data(), kRows, kUnits, inverses.data());
      RowsBackward(x_hat.data(), kRows, kUnits, inverses.data(), gains.data(), dz.data());
    }
    const int64_t groups = columns ? kUnits : kRows;
    const int64_t members = columns ? kRows : kUnits;
    for (int64_t group = 0; group < groups; ++group) {
      double constant = 0, stretch = 0;
      for (int64_t m = 0; m < members; ++m) {
        const int64_t i = columns ? m * kUnits + group : group * kUnits + m;
        constant += dz[i];
        stretch += static_cast<double>(dz[i]) * x_hat[i];
      }
      ASSERT_NEAR(constant, 0, 1e-3) << columns << " " << group;
      ASSERT_NEAR(stretch, 0, 1e-3) << columns << " " << group;
    }
  }
}

}  // namespace
}  // namespace trainyard
