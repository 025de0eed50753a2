#include "core/tensor/matrix.h"

#include <sys/mman.h>

#include <cstring>
#include <new>
#include <utility>

#include "core/base/check.h"

namespace trainyard {
namespace {

constexpr std::align_val_t kCacheLineBytes{64};
constexpr std::align_val_t kHugePageBytes{size_t{2} << 20};

// Arrays of several huge pages start on one, so that all of it but the tail can be backed by them:
// page faults of 4 KiB pages otherwise cost more than the first pass of arithmetic over the array.
bool IsLarge(size_t size_bytes) { return size_bytes >= 2 * static_cast<size_t>(kHugePageBytes); }

std::align_val_t AlignmentOf(size_t size_bytes) {
  return IsLarge(size_bytes) ? kHugePageBytes : kCacheLineBytes;
}

}  // namespace

void AlignedFree::operator()(float* p) const {
  if (owner != nullptr) return;
  ::operator delete[](static_cast<void*>(p), large ? kHugePageBytes : kCacheLineBytes);
}

AlignedFloats AllocateFloats(int64_t count) {
  TY_CHECK(count >= 0);
  if (count == 0) return AlignedFloats();
  const size_t size_bytes = static_cast<size_t>(count) * sizeof(float);
  void* p = ::operator new[](size_bytes, AlignmentOf(size_bytes));
  // Advice only: without huge pages the array works the same.
  if (IsLarge(size_bytes)) madvise(p, size_bytes, MADV_HUGEPAGE);
  std::memset(p, 0, size_bytes);
  return AlignedFloats(static_cast<float*>(p), AlignedFree{IsLarge(size_bytes), nullptr});
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
