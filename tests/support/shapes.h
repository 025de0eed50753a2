// The shared table of layer shapes that go wrong first: ones, primes, around vector widths, tall,
// wide.
#ifndef TRAINYARD_TESTS_SUPPORT_SHAPES_H_
#define TRAINYARD_TESTS_SUPPORT_SHAPES_H_

#include <array>
#include <cstdint>

namespace trainyard {

struct LayerCase {
  int64_t batch, in, out;
};

inline constexpr std::array kLayerCases = {
    LayerCase{1, 1, 1},    LayerCase{1, 7, 1},    LayerCase{2, 1, 5},     LayerCase{17, 3, 2},
    LayerCase{3, 17, 3},   LayerCase{16, 16, 16}, LayerCase{15, 17, 31},  LayerCase{33, 31, 29},
    LayerCase{32, 30, 1},  LayerCase{1, 64, 10},  LayerCase{128, 65, 63}, LayerCase{1000, 3, 2},
    LayerCase{257, 1, 33}, LayerCase{2, 300, 1},  LayerCase{5, 2, 1031},  LayerCase{7, 1031, 2},
    LayerCase{8, 48, 48},  LayerCase{9, 49, 47},
};

}  // namespace trainyard

#endif  // TRAINYARD_TESTS_SUPPORT_SHAPES_H_
