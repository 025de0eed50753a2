#include "core/data/order_statistics.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

#include "core/base/check.h"
#include "core/base/limits.h"
#include "core/tensor/multiversion.h"

namespace trainyard {
namespace {

// Integers of a range up to this are counted in an array of 4 MiB.
constexpr int64_t kArrayRange = int64_t{1} << 20;
// Of a smaller range in two arrays in turn: the same value twice in a row would wait for its own
// count.
constexpr int64_t kTwoArraysRange = 4096;
// Different values that are "few": their table has 256 KiB, a part of the second-level cache.
constexpr int64_t kTableValues = 4096;
constexpr int kTableBits = 14;
// Buckets of one pass: as many streams as the translation buffer has pages, with room.
constexpr int kBucketsMax = 1024;
// Numbers that a bucket should have, and that it may have before it is divided again.
// Few, so that the set of its different numbers is in the first-level cache.
constexpr int64_t kBucketNumbers = 1024;
constexpr int64_t kBucketNumbersMax = 32 * kBucketNumbers;
// Beyond it a bucket is sorted: only numbers made for it get there.
constexpr int kDepthMax = 4;
// Indices of a bucket's numbers are of 16 bits.
static_assert(kBucketNumbersMax <= int64_t{1} << 16);
constexpr int kSampleSize = 512;
constexpr int64_t kBlock = 1024;
constexpr uint64_t kHashFactor = 0x9E3779B97F4A7C15u;  // 2^64 by the golden ratio
constexpr uint64_t kEmpty = ~uint64_t{0};              // the bits of a NaN

// -0 + 0 is 0.
[[gnu::always_inline]] inline uint64_t BitsOf(double x) { return std::bit_cast<uint64_t>(x + 0.0); }

// Where a number's bucket is: a linear map of the number, or of its bits, cut off at both ends.
// Either keeps the order.
struct BucketMap {
  double begin = 0;
  double scale = 0;
  int32_t last = 0;      // the last bucket; missing numbers go to the one after it
  bool by_bits = false;  // for numbers of many magnitudes: bits grow with the logarithm
};

// Ascends as the numbers do; 0 for 0.
double OrderedBits(double x) {
  const auto bits = std::bit_cast<int64_t>(x + 0.0);
  return static_cast<double>(bits >= 0 ? bits : std::numeric_limits<int64_t>::min() - bits);
}

TY_MULTIVERSION void FindBuckets(const double* x, int64_t count, const BucketMap& map,
                                 int32_t* buckets) {
  const double begin = map.begin;
  const double scale = map.scale;
  const double last = map.last;
  const int32_t missing = map.last + 1;
  for (int64_t i = 0; i < count; ++i) {
    const double position = (x[i] - begin) * scale;
    const double low = position > 0 ? position : 0.0;
    const double cut = low < last ? low : last;
    buckets[i] = x[i] == x[i] ? static_cast<int32_t>(cut) : missing;
  }
}

TY_MULTIVERSION void FindHashes(const double* x, int64_t count, uint64_t factor, int shift,
                                uint32_t* places) {
  for (int64_t i = 0; i < count; ++i)
    places[i] = static_cast<uint32_t>((BitsOf(x[i]) * factor) >> shift);
}

// REQUIRES: count at most kBlock.
void FindPlaces(const double* x, int64_t count, const BucketMap& map, int32_t* places) {
  if (!map.by_bits) return FindBuckets(x, count, map, places);
  double bits[kBlock];
  for (int64_t i = 0; i < count; ++i) bits[i] = std::isnan(x[i]) ? x[i] : OrderedBits(x[i]);
  FindBuckets(bits, count, map, places);
}

// Bounds between which all but the outermost numbers of a sample lie, so that a few far ones do not
// leave the buckets in between empty; of bits when half of the sample is within a small part of the
// way. False when there is no way.
bool ChooseMap(std::span<const double> numbers, int64_t bucket_count, BucketMap* map) {
  double sample[kSampleSize];
  int size = 0;
  const size_t step = std::max<size_t>(1, numbers.size() / kSampleSize);
  for (size_t i = 0; i < numbers.size() && size < kSampleSize; i += step) {
    if (!std::isnan(numbers[i])) sample[size++] = numbers[i];
  }
  if (size < 2) return false;
  std::sort(sample, sample + size);
  double begin = sample[size / 64];
  double end = sample[size - 1 - size / 64];
  if (begin == end) {
    begin = sample[0];
    end = sample[size - 1];
  }
  map->by_bits = !(sample[size * 3 / 4] - sample[size / 4] > (end - begin) / 64);
  if (map->by_bits) {
    begin = OrderedBits(begin);
    end = OrderedBits(end);
  }
  map->begin = begin;
  map->last = static_cast<int32_t>(bucket_count - 1);
  map->scale = static_cast<double>(bucket_count) / (end - begin);
  return begin < end && map->scale > 0 && std::isfinite(map->scale);
}

double* CopyNumbers(std::span<const double> numbers, double* out) {
  return std::copy_if(numbers.begin(), numbers.end(), out, [](double x) { return !std::isnan(x); });
}

}  // namespace

struct OrderStatistics::Search {
  std::span<const int64_t> ranks;
  int64_t rank = 0;  // of the first number of what comes next
  Result result;

  // Whether a rank to be found is among the next `count` numbers.
  bool NeedsNext(int64_t count) const {
    const size_t next = result.at_ranks.size();
    return next < ranks.size() && ranks[next] < rank + count;
  }
};

OrderStatistics::Result OrderStatistics::Compute(std::span<const double> numbers,
                                                 const Moments& moments,
                                                 std::span<const int64_t> ranks) {
  Search search;
  search.ranks = ranks;
  if (moments.count == 0) return {};
  if (CountInArray(numbers, moments) || CountInTable(numbers)) {
    SearchCounts(&search);
    const bool few = counts_.size() <= static_cast<size_t>(limits::kTopValuesMax);
    for (size_t i = 0; few && i < counts_.size(); ++i)
      search.result.counts.emplace_back(counts_[i].value, counts_[i].count);
  } else {
    SearchBuckets(numbers, 0, &search);
  }
  TY_CHECK(search.result.at_ranks.size() == ranks.size());
  return std::move(search.result);
}

bool OrderStatistics::CountInArray(std::span<const double> numbers, const Moments& moments) {
  const double range = moments.max - moments.min;  // of integers below 2^53 exact; above, large
  const double size_max = static_cast<double>(
      std::min<int64_t>(kArrayRange, std::max<int64_t>(kTwoArraysRange, 8 * moments.count)));
  if (!moments.integers || !(range < size_max) || std::fabs(moments.max) > 0x1p52 ||
      std::fabs(moments.min) > 0x1p52)
    return false;
  const auto first = static_cast<int64_t>(moments.min);
  const auto size = static_cast<size_t>(range) + 1;
  const size_t arrays = size <= static_cast<size_t>(kTwoArraysRange) ? 2 : 1;
  const BucketMap map{moments.min, 1, static_cast<int32_t>(size - 1)};
  const size_t stride = size + 1;  // the last one counts what is missing
  array_.assign(stride * arrays, 0);
  uint32_t* const even = array_.data();
  uint32_t* const odd = array_.data() + (arrays == 2 ? stride : 0);
  int32_t places[kBlock];
  for (size_t begin = 0; begin < numbers.size(); begin += kBlock) {
    const int64_t count = std::min<int64_t>(kBlock, static_cast<int64_t>(numbers.size() - begin));
    FindPlaces(numbers.data() + begin, count, map, places);
    for (int64_t i = 0; i + 1 < count; i += 2) {
      ++even[places[i]];
      ++odd[places[i + 1]];
    }
    if (count % 2 != 0) ++even[places[count - 1]];
  }
  counts_.clear();
  // Of a range of a million values a vector that grows would copy them twice.
  if (arrays == 1) counts_.reserve(size - static_cast<size_t>(std::count(even, even + size, 0U)));
  for (size_t i = 0; i < size; ++i) {
    const int64_t count = int64_t{even[i]} + (arrays == 2 ? odd[i] : 0);
    if (count > 0) counts_.push_back({static_cast<double>(first + static_cast<int64_t>(i)), count});
  }
  return true;
}

bool OrderStatistics::CountInTable(std::span<const double> numbers) {
  struct Slot {
    uint64_t bits;
    int64_t count;
  };
  const int bits_count = std::min(kTableBits, static_cast<int>(std::bit_width(4 * numbers.size())));
  const size_t mask = (size_t{1} << bits_count) - 1;
  std::vector<Slot> slots(mask + 1, {kEmpty, 0});
  int64_t distinct = 0;
  for (const double x : numbers) {
    if (std::isnan(x)) continue;
    const uint64_t bits = BitsOf(x);
    size_t place = (bits * kHashFactor) >> (64 - bits_count);
    while (slots[place].bits != bits && slots[place].bits != kEmpty) place = (place + 1) & mask;
    ++slots[place].count;
    if (slots[place].bits == bits) continue;
    slots[place].bits = bits;
    if (++distinct > kTableValues) return false;
  }
  counts_.clear();
  for (const Slot& slot : slots) {
    if (slot.bits != kEmpty) counts_.push_back({std::bit_cast<double>(slot.bits), slot.count});
  }
  std::sort(counts_.begin(), counts_.end(),
            [](const ValueCount& a, const ValueCount& b) { return a.value < b.value; });
  return true;
}

void OrderStatistics::SearchCounts(Search* search) const {
  search->result.distinct_count += static_cast<int64_t>(counts_.size());
  for (const ValueCount& c : counts_) {
    while (search->NeedsNext(c.count)) search->result.at_ranks.push_back(c.value);
    search->rank += c.count;
  }
}

double* OrderStatistics::BucketsAt(int depth, size_t count) {
  if (buckets_.size() <= static_cast<size_t>(depth)) buckets_.resize(depth + 1);
  Buckets& buckets = buckets_[depth];
  if (buckets.room < count) buckets = {AllocateRaw(count * sizeof(double)), count};
  return reinterpret_cast<double*>(buckets.numbers.get());
}

void OrderStatistics::SearchBuckets(std::span<const double> numbers, int depth, Search* search) {
  const auto size = static_cast<int64_t>(numbers.size());
  const auto bucket_count = static_cast<int32_t>(
      std::clamp<uint64_t>(std::bit_ceil(numbers.size() / kBucketNumbers), 1, kBucketsMax));
  double* const out = BucketsAt(depth, numbers.size());
  BucketMap map;
  if (depth == kDepthMax || !ChooseMap(numbers, bucket_count, &map)) {
    return SearchSorted({out, CopyNumbers(numbers, out)}, search);
  }
  std::vector<int64_t> ends(bucket_count + 2, 0);
  int32_t places[kBlock];
  for (int64_t begin = 0; begin < size; begin += kBlock) {
    const int64_t count = std::min(kBlock, size - begin);
    FindPlaces(numbers.data() + begin, count, map, places);
    for (int64_t i = 0; i < count; ++i) ++ends[places[i] + 1];
  }
  // ends[b + 1] counts bucket b; summed up, ends[b] is where it starts, and after filling where it
  // ends.
  for (int32_t b = 0; b <= bucket_count; ++b) ends[b + 1] += ends[b];
  for (int64_t begin = 0; begin < size; begin += kBlock) {
    const int64_t count = std::min(kBlock, size - begin);
    FindPlaces(numbers.data() + begin, count, map, places);
    for (int64_t i = 0; i < count; ++i) out[ends[places[i]]++] = numbers[begin + i];
  }
  int64_t begin = 0;
  for (int32_t b = 0; b < bucket_count; ++b) {
    SearchBucket({out + begin, out + ends[b]}, depth, search);
    begin = ends[b];
  }
}

void OrderStatistics::SearchBucket(std::span<double> bucket, int depth, Search* search) {
  const auto count = static_cast<int64_t>(bucket.size());
  if (count > kBucketNumbersMax) {
    if (CountInTable(bucket)) return SearchCounts(search);
    return SearchBuckets(bucket, depth + 1, search);
  }
  search->result.distinct_count += DistinctOf(bucket);
  auto begin = bucket.begin();
  while (search->NeedsNext(count)) {
    const int64_t rank = search->ranks[search->result.at_ranks.size()] - search->rank;
    const auto nth = bucket.begin() + rank;
    if (nth >= begin) std::nth_element(begin, nth, bucket.end());
    begin = nth;
    search->result.at_ranks.push_back(*nth);
  }
  search->rank += count;
}

// In rounds without a branch per number: each writes its index to the place of its hash, and the
// one that stands there in the end stands for all that equal it. Those that differ from it go to a
// next round with another hash: a fifth of different numbers do, then a twentieth. Numbers made to
// share their places go on to others in a few rounds, since two of them share the top bits of a
// product with each of five factors at most by chance.
int64_t OrderStatistics::DistinctOf(std::span<const double> numbers) {
  places_.resize(std::max(places_.size(), numbers.size()));
  for (std::vector<double>& rest : rests_) rest.resize(places_.size());
  int64_t distinct = 0;
  uint64_t factor = kHashFactor;
  std::span<const double> left = numbers;
  for (int round = 0; !left.empty(); ++round) {
    std::vector<double>& rest = rests_[round % 2];
    left = {rest.data(), DistinctRound(left, factor, rest.data(), &distinct)};
    factor *= kHashFactor;
  }
  return distinct;
}

// Adds to *distinct how many different numbers are done with, and gives how many others are in
// `rest`, which has room for all.
size_t OrderStatistics::DistinctRound(std::span<const double> numbers, uint64_t factor,
                                      double* rest, int64_t* distinct) {
  // More room would leave fewer for the next round, but not in the first-level cache.
  const auto bits = static_cast<int>(std::bit_width(2 * numbers.size()));
  const auto count = static_cast<int64_t>(numbers.size());
  owners_.resize(std::max(owners_.size(), size_t{1} << bits));
  const double* const x = numbers.data();
  uint16_t* const owners = owners_.data();
  uint32_t* const places = places_.data();
  FindHashes(x, count, factor, 64 - bits, places);
  for (int64_t i = 0; i < count; ++i) owners[places[i]] = static_cast<uint16_t>(i);
  size_t rest_size = 0;
  int64_t owner_count = 0;
  for (int64_t i = 0; i < count; ++i) {
    const int64_t owner = owners[places[i]];
    owner_count += owner == i ? 1 : 0;
    rest[rest_size] = x[i];
    rest_size += x[owner] != x[i] ? 1 : 0;
  }
  *distinct += owner_count;
  return rest_size;
}

void OrderStatistics::SearchSorted(std::span<double> numbers, Search* search) {
  std::sort(numbers.begin(), numbers.end());
  const auto count = static_cast<int64_t>(numbers.size());
  for (int64_t i = 0; i < count; ++i) {
    if (i == 0 || numbers[i] != numbers[i - 1]) ++search->result.distinct_count;
  }
  while (search->NeedsNext(count)) {
    search->result.at_ranks.push_back(
        numbers[search->ranks[search->result.at_ranks.size()] - search->rank]);
  }
  search->rank += count;
}

}  // namespace trainyard
