// Counter-based random numbers: Philox 4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011).
// A value is a pure function of (seed, stream, counter), so splits, shuffles, weights and dropout are the same on
// every machine, in any order, and after a resume.
//
//   Rng rng(seed, RngStream::kShuffle, /*substream=*/epoch);
//   uint64_t k = rng.Below(n);      // uniform in [0, n), unbiased
//
// Thread-safety: an Rng is a value with a position; one per thread. Philox() is pure.
#ifndef TRAINYARD_CORE_BASE_RNG_H_
#define TRAINYARD_CORE_BASE_RNG_H_

#include <array>
#include <cstdint>

namespace trainyard {

// What the numbers are for: keeps the streams of one seed apart. Persisted by promise P2: do not change values.
enum class RngStream : uint32_t {
  kSplit = 1,
  kInit = 2,
  kShuffle = 3,
  kDropout = 4,
  kAnalysis = 5,
};

// Ten rounds of Philox 4x32 on `counter` under `key`.
std::array<uint32_t, 4> Philox(std::array<uint32_t, 4> counter, std::array<uint32_t, 2> key);

class Rng {
 public:
  // `substream` tells apart draws for one purpose, e.g. the epoch or the layer.
  Rng(uint64_t seed, RngStream stream, uint64_t substream = 0);

  // 64 uniform bits.
  uint64_t Next64();
  // Uniform in [0, 1), 53 bits.
  double Uniform();
  // Standard normal (Box-Muller).
  double Normal();
  // Uniform in [0, n), without modulo bias (Lemire 2019). REQUIRES: n > 0.
  uint64_t Below(uint64_t n);

 private:
  std::array<uint32_t, 2> key_;
  uint64_t substream_;
  uint64_t block_ = 0;              // counter of the next Philox block
  std::array<uint64_t, 2> buffer_;  // 128 bits of the last block
  int used_ = 2;                    // words of buffer_ already given out
  bool has_spare_ = false;
  double spare_ = 0;  // the second normal of a pair
};

}  // namespace trainyard

#endif  // TRAINYARD_CORE_BASE_RNG_H_
