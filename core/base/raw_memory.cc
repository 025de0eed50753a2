#include "core/base/raw_memory.h"

#include <sys/mman.h>

#include <new>

namespace trainyard {
namespace {

constexpr std::align_val_t kCacheLineBytes{64};
constexpr std::align_val_t kHugePageBytes{size_t{2} << 20};

// Arrays of several huge pages start on one, so that all of it but the tail can be backed by them.
bool IsLarge(size_t size_bytes) { return size_bytes >= 2 * static_cast<size_t>(kHugePageBytes); }

std::align_val_t AlignmentOf(bool large) { return large ? kHugePageBytes : kCacheLineBytes; }

}  // namespace

void RawFree::operator()(char* p) const {
  ::operator delete[](static_cast<void*>(p), AlignmentOf(large));
}

RawMemory AllocateRaw(size_t size_bytes) {
  const bool large = IsLarge(size_bytes);
  void* const p = ::operator new[](size_bytes, AlignmentOf(large));
  // Advice only: without huge pages the array works the same.
  if (large) madvise(p, size_bytes, MADV_HUGEPAGE);
  return RawMemory(static_cast<char*>(p), RawFree{large});
}

}  // namespace trainyard
