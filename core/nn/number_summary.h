// What a set of numbers looks like: of weights, gradients or activations.
//
//   NumberSummary summary = Summarize(weights, count, /*bins=*/30);
//
//   Summarizer summarizer(30);               // of numbers that come in pieces: twice over
//   for (…) summarizer.Add(piece, count);
//   for (…) summarizer.Count(piece, count);
//   NumberSummary summary = std::move(summarizer).Take();
//
// Thread-safety: values.
#ifndef TRAINYARD_CORE_NN_NUMBER_SUMMARY_H_
#define TRAINYARD_CORE_NN_NUMBER_SUMMARY_H_

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <utility>
#include <vector>

namespace trainyard {

struct NumberSummary {
  double mean = 0;
  double standard_deviation = 0;
  double min = 0;
  double max = 0;
  double zero_fraction = 0;
  std::vector<int64_t> histogram;  // equal bins from min to max
};

// Gathers a NumberSummary in two passes: Add everything, then Count everything into bins.
class Summarizer {
 public:
  explicit Summarizer(int64_t bins) : histogram_(static_cast<size_t>(bins)) {}

  // Mean and spread by Welford's update: no cancellation however far from zero the numbers are.
  template <typename Number>
  void Add(const Number* numbers, int64_t count) {
    for (int64_t i = 0; i < count; ++i) {
      const double x = numbers[i];
      min_ = std::min(min_, x);
      max_ = std::max(max_, x);
      if (x == 0) ++zeros_;
      const double distance = x - mean_;
      mean_ += distance / static_cast<double>(++count_);
      square_sum_ += distance * (x - mean_);
    }
  }

  // REQUIRES: all numbers were added before the first is counted.
  template <typename Number>
  void Count(const Number* numbers, int64_t count) {
    const double width = max_ - min_;
    const auto bins = static_cast<int64_t>(histogram_.size());
    for (int64_t i = 0; i < count; ++i) {
      const double share = width > 0 ? (numbers[i] - min_) / width : 0;
      const auto bin =
          std::isfinite(share) ? static_cast<int64_t>(share * static_cast<double>(bins)) : 0;
      ++histogram_[static_cast<size_t>(std::clamp<int64_t>(bin, 0, bins - 1))];
    }
  }

  NumberSummary Take() && {
    const auto count = static_cast<double>(std::max<int64_t>(count_, 1));
    return {.mean = mean_,
            .standard_deviation = std::sqrt(square_sum_ / count),
            .min = min_,
            .max = max_,
            .zero_fraction = static_cast<double>(zeros_) / count,
            .histogram = std::move(histogram_)};
  }

 private:
  std::vector<int64_t> histogram_;
  int64_t count_ = 0;
  int64_t zeros_ = 0;
  double mean_ = 0;
  double square_sum_ = 0;
  double min_ = std::numeric_limits<double>::infinity();
  double max_ = -std::numeric_limits<double>::infinity();
};

template <typename Number>
NumberSummary Summarize(const Number* numbers, int64_t count, int64_t bins) {
  Summarizer summarizer(bins);
  summarizer.Add(numbers, count);
  summarizer.Count(numbers, count);
  return std::move(summarizer).Take();
}

template <typename Number>
double SquareSum(const Number* numbers, int64_t count) {
  double squares = 0;
  for (int64_t i = 0; i < count; ++i) squares += static_cast<double>(numbers[i]) * numbers[i];
  return squares;
}

}  // namespace trainyard

#endif  // TRAINYARD_CORE_NN_NUMBER_SUMMARY_H_
