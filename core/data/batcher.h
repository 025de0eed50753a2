// Batcher deals the rows of a Part out in shuffled mini-batches. The order of an epoch is a pure
// function of (seed, epoch): a Fisher-Yates shuffle of the row numbers drawn from Rng(seed,
// kShuffle, epoch).
//
//   Batcher batcher(dataset.train, /*batch_size=*/32, /*seed=*/7);
//   batcher.StartEpoch(0);
//   while (const Batch* batch = batcher.Next()) { ... }   // the last one is shorter when 32 does
//   not divide the rows
//
// Each batch is gathered into one reused aligned buffer; permuting a whole epoch in advance was
// measured to save nothing. Thread-safety: none. Lifetime: the Part must outlive the Batcher; a
// batch is valid until the next call of Next(). Memory: one batch and 4 bytes a row of the part;
// nothing is allocated after construction.
#ifndef TRAINYARD_CORE_DATA_BATCHER_H_
#define TRAINYARD_CORE_DATA_BATCHER_H_

#include <cstdint>
#include <vector>

#include "core/base/slices.h"
#include "core/data/dataset.h"
#include "core/tensor/matrix.h"

namespace trainyard {

struct Batch {
  int64_t rows = 0;
  const float* features = nullptr;   // [rows, features]
  const float* targets = nullptr;    // [rows], or [rows, labels]; null for multiclass
  const int32_t* classes = nullptr;  // [rows]; null unless multiclass
  const float* weights = nullptr;    // [rows]; null without a weight column
};

class Batcher {
 public:
  // REQUIRES: batch_size ≥ 1; the part has at least one row and at most limits::kDatasetRowsMax.
  Batcher(const Part& part, int64_t batch_size, uint64_t seed);

  // Draws the epoch's order and goes to its first batch, or past the first `batches_done`. 0-based.
  void StartEpoch(int64_t epoch, int64_t batches_done = 0);

  // nullptr at the end of the epoch. Large batches are gathered by `slices` when there are any.
  const Batch* Next(Slices* slices = nullptr);

  int64_t batch_size() const { return batch_size_; }
  // Rows of the shorter last batch; 0 when there is none.
  int64_t last_batch_size() const { return part_.rows() % batch_size_; }

 private:
  void GatherFeatures(int64_t begin, int64_t rows, Slices* slices);
  void GatherTargets(int64_t begin, int64_t rows);

  // Constant after construction.
  const Part& part_;
  const int64_t batch_size_;  // at most the part's rows
  const uint64_t seed_;

  std::vector<int32_t> order_;  // [part rows] row numbers in this epoch's order
  int64_t next_ = 0;            // index into order_
  Matrix features_;             // [batch_size, features]
  int64_t values_per_row_ = 0;  // in targets_; 0 for multiclass
  std::vector<float> targets_;  // [batch_size, values_per_row]
  std::vector<int32_t> classes_;
  std::vector<float> weights_;
  Batch batch_;
};

}  // namespace trainyard

#endif  // TRAINYARD_CORE_DATA_BATCHER_H_
