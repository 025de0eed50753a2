// OrderStatistics answers how many different numbers an array has and which value stands at given
// ranks, both exactly and without sorting all of it. NaN is missing.
//
//   OrderStatistics order;
//   const OrderStatistics::Result result = order.Compute(numbers, moments, {0, 17, 18});
//   result.distinct_count; result.at_ranks[1];
//
// Three ways, by what the numbers are like: integers of a small range are counted in an array; few
// different values in a hash table; all others are put into buckets in the order of their values by
// one pass, small enough for the second-level cache, where hashes count what is different and
// a selection finds ranks. Thread-safety: none; an object keeps its memory (up to the array's size)
// from one call to the next.
#ifndef TRAINYARD_CORE_DATA_ORDER_STATISTICS_H_
#define TRAINYARD_CORE_DATA_ORDER_STATISTICS_H_

#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "core/base/raw_memory.h"
#include "core/data/moments.h"

namespace trainyard {

class OrderStatistics {
 public:
  struct Result {
    int64_t distinct_count = 0;    // -0 equals 0
    std::vector<double> at_ranks;  // as many as ranks asked for
    // Each value and how often it occurs, ascending; only when there are at most
    // limits::kTopValuesMax of them.
    std::vector<std::pair<double, int64_t>> counts;
  };

  // `ranks`, counted from 0 among the numbers that are not NaN, ascend. REQUIRES: `moments` are
  // those of the numbers; ranks are below moments.count; at most 2^31 - 1 numbers, no infinities.
  Result Compute(std::span<const double> numbers, const Moments& moments,
                 std::span<const int64_t> ranks);

 private:
  struct ValueCount {
    double value;
    int64_t count;
  };
  struct Search;  // what is still to be found, and what was

  bool CountInArray(std::span<const double> numbers, const Moments& moments);
  bool CountInTable(std::span<const double> numbers);
  void SearchCounts(Search* search) const;
  // Room for `count` numbers, which is only made, not taken back: the next column is likely as
  // long.
  double* BucketsAt(int depth, size_t count);
  void SearchBuckets(std::span<const double> numbers, int depth, Search* search);
  void SearchBucket(std::span<double> bucket, int depth, Search* search);
  static void SearchSorted(std::span<double> numbers, Search* search);
  // REQUIRES: as many numbers as a bucket has at most.
  int64_t DistinctOf(std::span<const double> numbers);
  size_t DistinctRound(std::span<const double> numbers, uint64_t factor, double* rest,
                       int64_t* distinct);

  std::vector<ValueCount> counts_;  // of the first two ways, ascending
  std::vector<uint32_t> array_;
  // Of DistinctOf.
  std::vector<uint32_t> places_;  // of each number
  std::vector<uint16_t> owners_;  // of each place: the number that was there last
  std::vector<double> rests_[2];  // of one round and the next
  // The numbers, bucket by bucket.
  struct Buckets {
    RawMemory numbers;
    size_t room = 0;
  };
  std::vector<Buckets> buckets_;  // [depth]
};

}  // namespace trainyard

#endif  // TRAINYARD_CORE_DATA_ORDER_STATISTICS_H_
