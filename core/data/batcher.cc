#include "core/data/batcher.h"

#include <algorithm>
#include <cstring>
#include <numeric>
#include <utility>

#include "core/base/check.h"
#include "core/base/rng.h"

namespace trainyard {

Batcher::Batcher(const Part& part, int64_t batch_size, uint64_t seed)
    : part_(part),
      batch_size_(std::min(batch_size, part.rows())),
      seed_(seed),
      order_(static_cast<size_t>(part.rows())),
      features_(batch_size_, part.features.cols()) {
  TY_CHECK(batch_size_ >= 1);
  values_per_row_ = static_cast<int64_t>(part.targets.size()) / part.rows();
  targets_.resize(static_cast<size_t>(batch_size_ * values_per_row_));
  if (!part.classes.empty()) classes_.resize(static_cast<size_t>(batch_size_));
  if (!part.weights.empty()) weights_.resize(static_cast<size_t>(batch_size_));
}

void Batcher::StartEpoch(int64_t epoch, int64_t batches_done) {
  next_ = std::min(batches_done * batch_size_, part_.rows());
  std::iota(order_.begin(), order_.end(), 0);
  Rng rng(seed_, RngStream::kShuffle, static_cast<uint64_t>(epoch));
  for (size_t i = order_.size(); i > 1; --i) std::swap(order_[i - 1], order_[rng.Below(i)]);
}

const Batch* Batcher::Next(Slices* slices) {
  const int64_t rows = std::min(batch_size_, part_.rows() - next_);
  if (rows == 0) return nullptr;
  GatherFeatures(next_, rows, slices);
  GatherTargets(next_, rows);
  next_ += rows;
  batch_ = {.rows = rows,
            .features = features_.data(),
            .targets = targets_.empty() ? nullptr : targets_.data(),
            .classes = classes_.empty() ? nullptr : classes_.data(),
            .weights = weights_.empty() ? nullptr : weights_.data()};
  return &batch_;
}

void Batcher::GatherFeatures(int64_t begin, int64_t rows, Slices* slices) {
  const int64_t cols = part_.features.cols();
  const size_t row_bytes = static_cast<size_t>(cols) * sizeof(float);
  const int32_t* order = order_.data() + begin;
  const auto gather = [&](int64_t from, int64_t to) {
    for (int64_t i = from; i < to; ++i) {
      std::memcpy(features_.data() + i * cols, part_.features.data() + order[i] * cols, row_bytes);
    }
  };
  ForSlices(slices, rows, gather, /*cost=*/cols);
}

void Batcher::GatherTargets(int64_t begin, int64_t rows) {
  const int32_t* order = order_.data() + begin;
  if (values_per_row_ == 1) {
    for (int64_t i = 0; i < rows; ++i) targets_[i] = part_.targets[order[i]];
  } else {
    const size_t target_bytes = static_cast<size_t>(values_per_row_) * sizeof(float);
    for (int64_t i = 0; i < rows && target_bytes > 0; ++i) {
      std::memcpy(targets_.data() + i * values_per_row_,
                  part_.targets.data() + order[i] * values_per_row_, target_bytes);
    }
  }
  for (int64_t i = 0; i < rows && !classes_.empty(); ++i) classes_[i] = part_.classes[order[i]];
  for (int64_t i = 0; i < rows && !weights_.empty(); ++i) weights_[i] = part_.weights[order[i]];
}

}  // namespace trainyard
