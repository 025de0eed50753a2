// RawMemory is an array of bytes whose contents nobody set: 64-byte aligned, and large ones ask for
// 2 MiB pages. The first touch of a 4 KiB page costs a fault of up to 16 µs in a virtual machine,
// as much as reading 100 KB; of the large pages one fault does for 512 of them.
//
//   RawMemory cells = AllocateRaw(rows * sizeof(double));
//   auto* numbers = reinterpret_cast<double*>(cells.get());
//
// Thread-safety: none. Ownership: owns its memory; move-only. Errors: out of memory is
// std::bad_alloc, as for any container.
#ifndef TRAINYARD_CORE_BASE_RAW_MEMORY_H_
#define TRAINYARD_CORE_BASE_RAW_MEMORY_H_

#include <cstddef>
#include <memory>

namespace trainyard {

struct RawFree {
  bool large = false;         // allocated on a 2 MiB border
  size_t reserved_bytes = 0;  // of address space; 0: allocated
  void operator()(char* p) const;
};
using RawMemory = std::unique_ptr<char[], RawFree>;

RawMemory AllocateRaw(size_t size_bytes);

inline constexpr size_t kLargePageBytes = size_t{2} << 20;

// Address space on a page's border, which takes memory where it is written to, in small pages
// unless AskForLargePages. Null when the system does not give so much: there is no promise that it
// does, even if little of it will be used.
RawMemory ReserveRaw(size_t size_bytes);
// For the whole large pages in [begin, begin + size_bytes) of memory reserved. Advice only.
void AskForLargePages(char* begin, size_t size_bytes);

}  // namespace trainyard

#endif  // TRAINYARD_CORE_BASE_RAW_MEMORY_H_
