#include "core/base/rng.h"

#include <immintrin.h>

#include <cmath>
#include <numbers>

#include "core/base/check.h"

namespace trainyard {

namespace {

constexpr int kRounds = 10;
constexpr uint64_t kMul0 = 0xD2511F53u;
constexpr uint64_t kMul1 = 0xCD9E8D57u;
constexpr uint32_t kWeyl0 = 0x9E3779B9u;
constexpr uint32_t kWeyl1 = 0xBB67AE85u;

}  // namespace

std::array<uint32_t, 4> Philox(std::array<uint32_t, 4> c, std::array<uint32_t, 2> k) {
  for (int round = 0; round < kRounds; ++round) {
    const uint64_t p0 = kMul0 * c[0];
    const uint64_t p1 = kMul1 * c[2];
    c = {static_cast<uint32_t>(p1 >> 32) ^ c[1] ^ k[0], static_cast<uint32_t>(p1),
         static_cast<uint32_t>(p0 >> 32) ^ c[3] ^ k[1], static_cast<uint32_t>(p0)};
    k[0] += kWeyl0;
    k[1] += kWeyl1;
  }
  return c;
}

namespace {

// One group of FillPhilox, by plain arithmetic.
void FillGroup(const PhiloxKey& key, uint64_t substream, uint64_t group, uint32_t* words) {
  for (uint64_t b = 0; b < kPhiloxGroupBlocks; ++b) {
    const uint64_t block = group * kPhiloxGroupBlocks + b;
    const auto r = Philox({static_cast<uint32_t>(block), static_cast<uint32_t>(block >> 32),
                           static_cast<uint32_t>(substream), static_cast<uint32_t>(substream >> 32)},
                          key);
    for (size_t w = 0; w < r.size(); ++w) words[w * kPhiloxGroupBlocks + b] = r[w];
  }
}

// As FillGroup, a block in each of the eight lanes. Lanes are 64 bits wide because that is what the
// multiplication makes; only their low halves count, and it looks at no others.
__attribute__((target("avx512f"))) void FillGroupAvx512(const PhiloxKey& key, uint64_t substream,
                                                        uint64_t group, uint32_t* words) {
  const __m512i block = _mm512_add_epi64(_mm512_set1_epi64(static_cast<int64_t>(group * kPhiloxGroupBlocks)),
                                         _mm512_set_epi64(7, 6, 5, 4, 3, 2, 1, 0));
  const __m512i mul0 = _mm512_set1_epi64(kMul0);
  const __m512i mul1 = _mm512_set1_epi64(kMul1);
  __m512i c0 = block;
  __m512i c1 = _mm512_srli_epi64(block, 32);
  __m512i c2 = _mm512_set1_epi64(static_cast<int64_t>(substream));
  __m512i c3 = _mm512_set1_epi64(static_cast<int64_t>(substream >> 32));
  uint32_t k0 = key[0];
  uint32_t k1 = key[1];
  for (int round = 0; round < kRounds; ++round) {
    const __m512i p0 = _mm512_mul_epu32(mul0, c0);
    const __m512i p1 = _mm512_mul_epu32(mul1, c2);
    c0 = _mm512_xor_si512(_mm512_xor_si512(_mm512_srli_epi64(p1, 32), c1), _mm512_set1_epi64(k0));
    c2 = _mm512_xor_si512(_mm512_xor_si512(_mm512_srli_epi64(p0, 32), c3), _mm512_set1_epi64(k1));
    c1 = p1;
    c3 = p0;
    k0 += kWeyl0;
    k1 += kWeyl1;
  }
  const __m512i result[] = {c0, c1, c2, c3};
  for (int w = 0; w < 4; ++w) {
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(words + w * kPhiloxGroupBlocks),
                        _mm512_cvtepi64_epi32(result[w]));
  }
}

using GroupFiller = decltype(&FillGroup);

GroupFiller FillGroupOfThisMachine() {
  return __builtin_cpu_supports("avx512f") ? &FillGroupAvx512 : &FillGroup;
}

}  // namespace

void FillPhilox(const PhiloxKey& key, uint64_t substream, uint64_t first_group, int64_t groups,
                uint32_t* words) {
  const auto fill = FillGroupOfThisMachine();
  for (int64_t g = 0; g < groups; ++g) {
    fill(key, substream, first_group + static_cast<uint64_t>(g), words + g * kPhiloxGroupWords);
  }
}

// The stream goes into the key's high word, mixed so that seeds that differ only there do not meet another stream.
PhiloxKey KeyOf(uint64_t seed, RngStream stream) {
  return {static_cast<uint32_t>(seed),
          static_cast<uint32_t>(seed >> 32) ^ (static_cast<uint32_t>(stream) * 0x85EBCA6Bu)};
}

Rng::Rng(uint64_t seed, RngStream stream, uint64_t substream)
    : key_(KeyOf(seed, stream)), substream_(substream) {}

void Rng::Refill() {
  FillPhilox(key_, substream_, group_++, 1, buffer_.data());
  used_ = 0;
}

double Rng::Uniform() { return static_cast<double>(Next64() >> 11) * 0x1p-53; }

double Rng::Normal() {
  if (has_spare_) {
    has_spare_ = false;
    return spare_;
  }
  const double radius = std::sqrt(-2.0 * std::log(1.0 - Uniform()));
  const double angle = 2.0 * std::numbers::pi * Uniform();
  spare_ = radius * std::sin(angle);
  has_spare_ = true;
  return radius * std::cos(angle);
}

uint64_t Rng::Below(uint64_t n) {
  TY_CHECK(n > 0);
  unsigned __int128 product = static_cast<unsigned __int128>(Next64()) * n;
  if (static_cast<uint64_t>(product) < n) {
    const uint64_t threshold = -n % n;
    while (static_cast<uint64_t>(product) < threshold) {
      product = static_cast<unsigned __int128>(Next64()) * n;
    }
  }
  return static_cast<uint64_t>(product >> 64);
}

}  // namespace trainyard
