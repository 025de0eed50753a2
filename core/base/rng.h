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
#include <cstddef>
#include <cstdint>

namespace trainyard {

// What the numbers are for: keeps the streams of one seed apart. Persisted by promise P2: do not change values.
enum class RngStream : uint32_t {
  kSplit = 1,
  kInit = 2,
  kShuffle = 3,
  kDropout = 4,
  kAnalysis = 5,
  kGradientNoise = 6,
};

// Ten rounds of Philox 4x32 on `counter` under `key`.
std::array<uint32_t, 4> Philox(std::array<uint32_t, 4> counter, std::array<uint32_t, 2> key);

using PhiloxKey = std::array<uint32_t, 2>;
PhiloxKey KeyOf(uint64_t seed, RngStream stream);

// Many blocks at once, where the machine has the instructions for it. A group is 8 consecutive
// blocks; its words are stored by word number, then block: words[32·g + 8·w + b] is word w of block
// 8·(first_group + g) + b. Block n has the counter {n's halves, substream's halves}. words:
// [32·groups].
inline constexpr int64_t kPhiloxGroupBlocks = 8;
inline constexpr int64_t kPhiloxGroupWords = 4 * kPhiloxGroupBlocks;
void FillPhilox(const PhiloxKey& key, uint64_t substream, uint64_t first_group, int64_t groups,
                uint32_t* words);

class Rng {
 public:
  // `substream` tells apart draws for one purpose, e.g. the epoch or the layer.
  Rng(uint64_t seed, RngStream stream, uint64_t substream = 0);

  // 64 uniform bits: of each block in turn its words 1:0, then 3:2. Inline because a shuffle draws
  // one for each row.
  uint64_t Next64() {
    if (used_ == kNumbers) Refill();
    const size_t low = (used_ % 2 * 2) * kPhiloxGroupBlocks + used_ / 2;
    ++used_;
    return uint64_t{buffer_[low + kPhiloxGroupBlocks]} << 32 | buffer_[low];
  }
  // Uniform in [0, 1), 53 bits.
  double Uniform();
  // Standard normal (Box-Muller).
  double Normal();
  // Uniform in [0, n), without modulo bias (Lemire 2019). REQUIRES: n > 0.
  uint64_t Below(uint64_t n);

 private:
  static constexpr size_t kNumbers = kPhiloxGroupWords / 2;

  void Refill();

  PhiloxKey key_;
  uint64_t substream_;
  uint64_t group_ = 0;  // of the next Philox blocks
  // One group, as FillPhilox leaves it.
  alignas(64) std::array<uint32_t, kPhiloxGroupWords> buffer_;
  size_t used_ = kNumbers;  // numbers of buffer_ already given out
  bool has_spare_ = false;
  double spare_ = 0;  // the second normal of a pair
};

}  // namespace trainyard

#endif  // TRAINYARD_CORE_BASE_RNG_H_
