// Slices shares a loop out over threads that somebody else owns, so that code which has a long
// elementwise loop need not know of threads:
//
//   ForSlices(slices, count, [&](int64_t begin, int64_t end) { …elements begin to end… });
//
// Short loops, and all loops without Slices (null), run in the caller. Only for loops whose
// elements do not depend on each other: the bits must not depend on the number of slices.
#ifndef TRAINYARD_CORE_BASE_SLICES_H_
#define TRAINYARD_CORE_BASE_SLICES_H_

#include <cstdint>

namespace trainyard {

class Slices {
 public:
  virtual ~Slices() = default;
  virtual int64_t count() const = 0;
  // Calls work(context, slice) for every slice, 0 in the calling thread, and waits for all.
  // REQUIRES: not called from inside `work`.
  virtual void Run(void (*work)(void* context, int64_t slice), void* context) = 0;
};

// Elements from which on a loop is worth the two meetings of the threads (about 1 µs).
inline constexpr int64_t kSlicedElementsMin = 1 << 15;
// Slices meet at multiples of so many elements: floats in a cache line.
inline constexpr int64_t kSliceBorder = 16;

// The first element of `slice` of `count`, a multiple of `border` but for the end.
inline int64_t SliceBegin(int64_t elements, int64_t slice, int64_t count, int64_t border) {
  return slice == count ? elements : elements / border * slice / count * border;
}

// `loop(begin, end)` for ranges that cover [0, elements). `cost`: floats that an element stands
// for.
template <typename Loop>
void ForSlices(Slices* slices, int64_t elements, const Loop& loop, int64_t cost = 1) {
  if (slices == nullptr || slices->count() == 1 || elements * cost < kSlicedElementsMin) {
    loop(int64_t{0}, elements);
    return;
  }
  struct Shared {
    const Loop& loop;
    int64_t elements;
    int64_t border;
    int64_t count;
  };
  Shared shared{loop, elements, cost == 1 ? kSliceBorder : 1, slices->count()};
  slices->Run(
      [](void* context, int64_t slice) {
        const Shared& s = *static_cast<Shared*>(context);
        const int64_t begin = SliceBegin(s.elements, slice, s.count, s.border);
        const int64_t end = SliceBegin(s.elements, slice + 1, s.count, s.border);
        if (begin < end) s.loop(begin, end);
      },
      &shared);
}

}  // namespace trainyard

#endif  // TRAINYARD_CORE_BASE_SLICES_H_
