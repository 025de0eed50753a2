// Matrix is a dense row-major float32 array of two dimensions, 64-byte aligned, zeroed at creation.
// Large ones ask for 2 MiB pages. It is storage only: arithmetic is in kernels.h and vector_ops.h.
//
//   Matrix x(rows, cols);           // [rows, cols]
//   std::span<float> r = x.row(3);  // [cols]
//
// Thread-safety: as a value; const methods may run concurrently. Ownership: owns its memory, or shares in that of a view;
// move-only.
#ifndef TRAINYARD_CORE_TENSOR_MATRIX_H_
#define TRAINYARD_CORE_TENSOR_MATRIX_H_

#include <cstdint>
#include <memory>
#include <span>

namespace trainyard {

struct AlignedFree {
  bool large = false;                 // allocated on a 2 MiB border
  std::shared_ptr<const void> owner;  // of memory that is only looked at: nothing is freed then
  void operator()(float* p) const;
};
using AlignedFloats = std::unique_ptr<float[], AlignedFree>;

// `count` zeros, 64-byte aligned; nullptr for 0. Out of memory is std::bad_alloc, as for any
// container.
AlignedFloats AllocateFloats(int64_t count);

class Matrix {
 public:
  Matrix() = default;
  Matrix(int64_t rows, int64_t cols);
  // Looks at [rows, cols] numbers that `owner` keeps, e.g. a mapped file. REQUIRES: 64-byte aligned; nobody writes to the matrix
  // unless the memory may be written.
  static Matrix View(int64_t rows, int64_t cols, const float* numbers,
                     std::shared_ptr<const void> owner);

  // Whether it is one.
  bool is_view() const { return data_.get_deleter().owner != nullptr; }

  int64_t rows() const { return rows_; }
  int64_t cols() const { return cols_; }
  int64_t size() const { return rows_ * cols_; }
  float* data() { return data_.get(); }
  const float* data() const { return data_.get(); }
  std::span<float> row(int64_t r) { return {data_.get() + r * cols_, static_cast<size_t>(cols_)}; }
  std::span<const float> row(int64_t r) const {
    return {data_.get() + r * cols_, static_cast<size_t>(cols_)};
  }

 private:
  int64_t rows_ = 0;
  int64_t cols_ = 0;
  AlignedFloats data_;
};

}  // namespace trainyard

#endif  // TRAINYARD_CORE_TENSOR_MATRIX_H_
