#include "core/base/raw_memory.h"

#include <sys/mman.h>

#include <cstdint>
#include <new>

#include "core/base/coding.h"

namespace trainyard {
namespace {

constexpr std::align_val_t kCacheLineBytes{64};
constexpr std::align_val_t kLargePage{kLargePageBytes};

// Arrays of several huge pages start on one, so that all of it but the tail can be backed by them.
bool IsLarge(size_t size_bytes) { return size_bytes >= 2 * kLargePageBytes; }

std::align_val_t AlignmentOf(bool large) { return large ? kLargePage : kCacheLineBytes; }

}  // namespace

void RawFree::operator()(char* p) const {
  if (reserved_bytes != 0) {
    munmap(p, reserved_bytes);
    return;
  }
  ::operator delete[](static_cast<void*>(p), AlignmentOf(large));
}

RawMemory AllocateRaw(size_t size_bytes) {
  const bool large = IsLarge(size_bytes);
  void* const p = ::operator new[](size_bytes, AlignmentOf(large));
  // Advice only: without huge pages the array works the same.
  if (large) madvise(p, size_bytes, MADV_HUGEPAGE);
  return RawMemory(static_cast<char*>(p), RawFree{.large = large});
}

RawMemory ReserveRaw(size_t size_bytes) {
  void* const p = mmap(nullptr, size_bytes, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (p == MAP_FAILED) return nullptr;
  return RawMemory(static_cast<char*>(p), RawFree{.reserved_bytes = size_bytes});
}

void AskForLargePages(char* begin, size_t size_bytes) {
  const auto address = reinterpret_cast<uintptr_t>(begin);
  const size_t skipped = AlignUp(address, kLargePageBytes) - address;
  if (skipped < size_bytes) madvise(begin + skipped, size_bytes - skipped, MADV_HUGEPAGE);
}

}  // namespace trainyard
