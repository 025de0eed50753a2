// Lanczos finds both ends of the spectrum of a symmetric operator that can only be applied: power
// iteration that keeps what it has seen (Golub and Van Loan, Matrix Computations, chapter 10). From
// one vector the products H·v, H²·v, … give a small tridiagonal matrix whose largest and smallest
// eigenvalues come near those of H, both from the same products.
//
//   Lanczos lanczos(first_vector, dimension);
//   while (!lanczos.complete()) {
//     …product = H · lanczos.vector()…
//     lanczos.Add(product);
//     if (lanczos.Largest().residual < …) break;
//   }
//
// Memory: kBasisBytesMax for earlier vectors, against which the next one is made orthogonal again.
// When a long vector leaves room for few, rounding lets copies of eigenvalues already found appear,
// which moves no end of the spectrum. Thread-safety: none.
#ifndef TRAINYARD_CORE_ANALYSIS_LANCZOS_H_
#define TRAINYARD_CORE_ANALYSIS_LANCZOS_H_

#include <cstddef>
#include <cstdint>
#include <vector>

namespace trainyard {

// An eigenvalue of the tridiagonal matrix, and how far from an eigenpair of H it may be: ‖H·y −
// value·y‖ of the vector y of length 1 that belongs to it.
struct RitzValue {
  double value = 0;
  double residual = 0;
};

class Lanczos {
 public:
  static constexpr int64_t kBasisBytesMax = 64 << 20;

  // `dimension`: of the space that H acts on; elements of the vectors that are always 0 do not
  // count. REQUIRES: first is not zero.
  Lanczos(std::vector<double> first, int64_t dimension);

  // Length 1: what to multiply by H next.
  const std::vector<double>& vector() const { return vector_; }

  // The whole space is known: no more products.
  bool complete() const { return complete_; }
  int64_t products() const { return static_cast<int64_t>(diagonal_.size()); }

  // H · vector(), [size]. Answers false, and takes nothing, when it is not finite.
  bool Add(const std::vector<double>& product);

  // REQUIRES: products() > 0.
  RitzValue Largest() const;
  RitzValue Smallest() const;

 private:
  void Orthogonalize(std::vector<double>* v) const;

  const int64_t dimension_;
  const size_t basis_max_;
  std::vector<double> vector_;
  std::vector<std::vector<double>> basis_;  // the newest basis_max_ vectors, a ring
  std::vector<double> diagonal_;
  std::vector<double> beside_;  // the last one leads out of the known space
  bool complete_ = false;
};

}  // namespace trainyard

#endif  // TRAINYARD_CORE_ANALYSIS_LANCZOS_H_
