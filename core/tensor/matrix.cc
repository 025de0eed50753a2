#include "core/tensor/matrix.h"

#include <cstring>
#include <utility>

#include "core/base/check.h"
#include "core/base/raw_memory.h"

namespace trainyard {

void AlignedFree::operator()(float* p) const {
  if (owner == nullptr) RawFree{.large = large}(reinterpret_cast<char*>(p));
}

AlignedFloats AllocateFloats(int64_t count) {
  TY_CHECK(count >= 0);
  if (count == 0) return AlignedFloats();
  const size_t size_bytes = static_cast<size_t>(count) * sizeof(float);
  RawMemory memory = AllocateRaw(size_bytes);
  std::memset(memory.get(), 0, size_bytes);
  const bool large = memory.get_deleter().large;
  return AlignedFloats(reinterpret_cast<float*>(memory.release()), AlignedFree{large, nullptr});
}

Matrix::Matrix(int64_t rows, int64_t cols)
    : rows_(rows), cols_(cols), data_(AllocateFloats(rows * cols)) {}

Matrix Matrix::View(int64_t rows, int64_t cols, const float* numbers,
                    std::shared_ptr<const void> owner) {
  Matrix view;
  view.rows_ = rows;
  view.cols_ = cols;
  view.data_ = AlignedFloats(const_cast<float*>(numbers), AlignedFree{false, std::move(owner)});
  return view;
}

}  // namespace trainyard
