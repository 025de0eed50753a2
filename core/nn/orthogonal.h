// Orthonormal vectors from random ones: the Q of a QR decomposition whose R has a positive
// diagonal. From normal numbers it is uniform over all such matrices (Saxe et al. 2013; Mezzadri
// 2007).
//
//   Orthonormalize(/*count=*/3, /*length=*/5, vectors);   // [3, 5]: rows of length 1, at right
//   angles
//
// Cost: 2·count²·length operations in double, about 1 s for 1024 x 1024 on one core.
// Thread-safety: pure functions. The bits are the same on every machine.
#ifndef TRAINYARD_CORE_NN_ORTHOGONAL_H_
#define TRAINYARD_CORE_NN_ORTHOGONAL_H_

#include <cstdint>

namespace trainyard {

// Makes the rows of `vectors` orthonormal, each staying in the span of itself and those before it.
// vectors: [count, length], row-major. REQUIRES: count ≤ length and the rows are independent, as
// random ones are.
void Orthonormalize(int64_t count, int64_t length, double* vectors);

}  // namespace trainyard

#endif  // TRAINYARD_CORE_NN_ORTHOGONAL_H_
