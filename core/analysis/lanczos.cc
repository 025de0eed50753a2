#include "core/analysis/lanczos.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <utility>

#include "core/base/check.h"

namespace trainyard {
namespace {

using Vector = std::vector<double>;

// A vector shorter than this share of the product it came from is rounding: the space is complete.
constexpr double kRoundingShare = 1e-12;
// Halvings of an interval: all digits of a double.
constexpr int kBisections = 100;
// Inverse iterations next to an eigenvalue: each multiplies the share of its vector by far more
// than a thousand.
constexpr int kInverseIterations = 4;

double Dot(const Vector& a, const Vector& b) {
  return std::inner_product(a.begin(), a.end(), b.begin(), 0.0);
}

double Length(const Vector& v) { return std::sqrt(Dot(v, v)); }

void Scale(double factor, Vector* v) {
  for (double& x : *v) x *= factor;
}

void AddScaled(double factor, const Vector& x, Vector* y) {
  for (size_t i = 0; i < x.size(); ++i) (*y)[i] += factor * x[i];
}

// The symmetric tridiagonal matrix with `diagonal` [n] and beside[0, n - 1) next to it.
struct Tridiagonal {
  Vector diagonal;
  Vector beside;

  size_t size() const { return diagonal.size(); }
  double Square(size_t i) const { return i == 0 ? 0 : beside[i - 1] * beside[i - 1]; }

  // Whether an eigenvalue is above x: a pivot of the elimination of T − x·I is (Sylvester).
  bool HasEigenvalueAbove(double x) const {
    double pivot = -1;
    for (size_t i = 0; i < size(); ++i) {
      pivot = diagonal[i] - x - Square(i) / pivot;
      if (pivot >= 0) return true;
    }
    return false;
  }

  // No eigenvalue is farther from 0 (Gershgorin).
  double Bound() const {
    double bound = 0;
    for (size_t i = 0; i < size(); ++i) {
      const double left = i == 0 ? 0 : std::fabs(beside[i - 1]);
      const double right = i + 1 == size() ? 0 : std::fabs(beside[i]);
      bound = std::max(bound, std::fabs(diagonal[i]) + left + right);
    }
    return bound;
  }

  // The largest eigenvalue, from above.
  double LargestEigenvalue() const {
    double high = Bound();
    high += std::max(high * std::numeric_limits<double>::epsilon(), 1e-300);
    double low = -high;
    for (int i = 0; i < kBisections; ++i) {
      const double middle = low + (high - low) / 2;
      (HasEigenvalueAbove(middle) ? low : high) = middle;
    }
    return high;
  }

  // Solves (T − x·I)·y = y in place. REQUIRES: no eigenvalue is above x.
  void SolveShifted(double x, Vector* y) const {
    Vector pivots(size());
    Vector& v = *y;
    const double least = -std::max(Bound() * std::numeric_limits<double>::epsilon(), 1e-300);
    for (size_t i = 0; i < size(); ++i) {
      const double factor = i == 0 ? 0 : beside[i - 1] / pivots[i - 1];
      pivots[i] = std::min(diagonal[i] - x - (i == 0 ? 0 : factor * beside[i - 1]), least);
      if (i > 0) v[i] -= factor * v[i - 1];
    }
    for (size_t i = size(); i-- > 0;) {
      const double next = i + 1 == size() ? 0 : beside[i] * v[i + 1];
      v[i] = (v[i] - next) / pivots[i];
    }
  }

  // The last component, without sign, of the eigenvector of length 1 of the largest eigenvalue.
  double LastComponent(double eigenvalue) const {
    Vector y(size(), 1 / std::sqrt(static_cast<double>(size())));
    for (int i = 0; i < kInverseIterations; ++i) {
      SolveShifted(eigenvalue, &y);
      const double largest = std::fabs(*std::max_element(
          y.begin(), y.end(), [](double a, double b) { return std::fabs(a) < std::fabs(b); }));
      Scale(1 / largest, &y);  // squares of it would overflow
      Scale(1 / Length(y), &y);
    }
    return std::fabs(y.back());
  }
};

}  // namespace

Lanczos::Lanczos(Vector first, int64_t dimension)
    : dimension_(dimension),
      basis_max_(std::max<size_t>(
          static_cast<size_t>(kBasisBytesMax) / (first.size() * sizeof(double)), 2)),
      vector_(std::move(first)) {
  const double length = Length(vector_);
  TY_CHECK(length > 0);
  Scale(1 / length, &vector_);
}

// Twice: what the first pass leaves of a large component is its rounding.
void Lanczos::Orthogonalize(Vector* v) const {
  for (int pass = 0; pass < 2; ++pass) {
    for (const Vector& earlier : basis_) AddScaled(-Dot(earlier, *v), earlier, v);
  }
}

bool Lanczos::Add(const Vector& product) {
  TY_CHECK(!complete_);
  const double length = Length(product);
  if (!std::isfinite(length)) return false;
  diagonal_.push_back(Dot(vector_, product));
  Vector next = product;
  const size_t place = (diagonal_.size() - 1) % basis_max_;
  if (basis_.size() == place) {
    basis_.push_back(std::move(vector_));
  } else {
    basis_[place] = std::move(vector_);
  }
  Orthogonalize(&next);
  const double beside = Length(next);
  complete_ = products() >= dimension_ || beside <= kRoundingShare * length;
  beside_.push_back(complete_ ? 0 : beside);
  vector_ = std::move(next);
  if (!complete_) Scale(1 / beside, &vector_);
  return true;
}

RitzValue Lanczos::Largest() const {
  TY_CHECK(!diagonal_.empty());
  const Tridiagonal matrix{diagonal_, beside_};
  const double value = matrix.LargestEigenvalue();
  return {.value = value, .residual = beside_.back() * matrix.LastComponent(value)};
}

// The largest of −T, whose eigenvectors have the same magnitudes with `beside` as it is.
RitzValue Lanczos::Smallest() const {
  TY_CHECK(!diagonal_.empty());
  Tridiagonal negative{diagonal_, beside_};
  Scale(-1, &negative.diagonal);
  const double value = negative.LargestEigenvalue();
  return {.value = -value, .residual = beside_.back() * negative.LastComponent(value)};
}

}  // namespace trainyard
