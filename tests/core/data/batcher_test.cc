#include "core/data/batcher.h"

#include <algorithm>
#include <cstdint>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace trainyard {
namespace {

// Row r is {r, 10·r}, its target r, so that a batch shows which rows it is made of.
Part NumberedRows(int64_t rows) {
  Part part{.features = Matrix(rows, 2)};
  for (int64_t r = 0; r < rows; ++r) {
    part.features.row(r)[0] = static_cast<float>(r);
    part.features.row(r)[1] = static_cast<float>(10 * r);
    part.targets.push_back(static_cast<float>(r));
  }
  return part;
}

struct Epoch {
  std::vector<int64_t> rows;   // row numbers in the order they came
  std::vector<int64_t> sizes;  // of the batches
};

Epoch ReadEpoch(Batcher& batcher, int64_t epoch) {
  Epoch read;
  batcher.StartEpoch(epoch);
  while (const Batch* batch = batcher.Next()) {
    read.sizes.push_back(batch->rows);
    EXPECT_EQ(batch->classes, nullptr);
    for (int64_t i = 0; i < batch->rows; ++i) {
      read.rows.push_back(static_cast<int64_t>(batch->features[2 * i]));
      EXPECT_EQ(batch->features[2 * i + 1], 10 * batch->features[2 * i]);
      EXPECT_EQ(batch->targets[i], batch->features[2 * i]);
    }
  }
  EXPECT_EQ(batcher.Next(), nullptr);
  return read;
}

TEST(BatcherTest, AnEpochIsAPermutationInBatches) {
  for (const int64_t rows : {1, 2, 31, 32, 33, 100}) {
    const Part part = NumberedRows(rows);
    Batcher batcher(part, 32, /*seed=*/1);
    Epoch epoch = ReadEpoch(batcher, 0);
    for (size_t i = 0; i + 1 < epoch.sizes.size(); ++i) EXPECT_EQ(epoch.sizes[i], 32);
    EXPECT_EQ(batcher.batch_size(), std::min<int64_t>(rows, 32));
    const int64_t last = batcher.last_batch_size();
    EXPECT_EQ(epoch.sizes.back(), last == 0 ? batcher.batch_size() : last);
    std::sort(epoch.rows.begin(), epoch.rows.end());
    ASSERT_EQ(static_cast<int64_t>(epoch.rows.size()), rows);
    for (int64_t r = 0; r < rows; ++r) EXPECT_EQ(epoch.rows[r], r);
  }
}

TEST(BatcherTest, TheOrderIsAFunctionOfSeedAndEpochAlone) {
  const Part part = NumberedRows(100);
  Batcher one(part, 32, /*seed=*/1);
  Batcher same(part, 7, /*seed=*/1);
  Batcher other(part, 32, /*seed=*/2);
  const std::vector<int64_t> third = ReadEpoch(one, 3).rows;
  EXPECT_EQ(ReadEpoch(same, 3).rows, third);  // whatever came before and however it is cut
  EXPECT_NE(ReadEpoch(one, 4).rows, third);
  EXPECT_NE(ReadEpoch(other, 3).rows, third);
  EXPECT_EQ(ReadEpoch(one, 3).rows, third);
}

TEST(BatcherTest, EveryPlaceIsEquallyLikely) {
  constexpr int kRows = 5;
  constexpr int kEpochs = 5000;
  const Part part = NumberedRows(kRows);
  Batcher batcher(part, kRows, /*seed=*/3);
  std::vector<int> counts(kRows * kRows);
  for (int epoch = 0; epoch < kEpochs; ++epoch) {
    const std::vector<int64_t> rows = ReadEpoch(batcher, epoch).rows;
    for (int place = 0; place < kRows; ++place) ++counts[place * kRows + rows[place]];
  }
  for (const int count : counts) EXPECT_NEAR(count, kEpochs / kRows, 5 * 28);  // σ = 28
}

TEST(BatcherTest, ClassesTravelWithTheirRows) {
  Part part = NumberedRows(50);
  part.targets.clear();
  for (int32_t r = 0; r < 50; ++r) part.classes.push_back(r % 3);
  Batcher batcher(part, 8, /*seed=*/1);
  batcher.StartEpoch(0);
  while (const Batch* batch = batcher.Next()) {
    EXPECT_EQ(batch->targets, nullptr);
    for (int64_t i = 0; i < batch->rows; ++i) {
      EXPECT_EQ(batch->classes[i], static_cast<int32_t>(batch->features[2 * i]) % 3);
    }
  }
}

// Labels are rows of their own width, and weights go with their rows.
TEST(BatcherTest, LabelsAndWeightsComeWithTheirRows) {
  constexpr int64_t kRows = 11;
  Part part = NumberedRows(kRows);
  part.targets.clear();
  for (int64_t r = 0; r < kRows; ++r) {
    const auto row = static_cast<float>(r);
    part.targets.insert(part.targets.end(), {row + 0.25f, row + 0.5f, row + 0.75f});
    part.weights.push_back(100 + row);
  }
  Batcher batcher(part, 4, /*seed=*/5);
  batcher.StartEpoch(1);
  int64_t seen = 0;
  while (const Batch* batch = batcher.Next()) {
    for (int64_t i = 0; i < batch->rows; ++i) {
      const float row = batch->features[2 * i];
      for (int64_t j = 0; j < 3; ++j) {
        EXPECT_EQ(batch->targets[3 * i + j], row + 0.25f * static_cast<float>(j + 1));
      }
      EXPECT_EQ(batch->weights[i], 100 + row);
    }
    seen += batch->rows;
  }
  EXPECT_EQ(seen, kRows);
}

TEST(BatcherTest, NoWeightColumnIsNoWeights) {
  const Part part = NumberedRows(3);
  Batcher batcher(part, 2, /*seed=*/5);
  batcher.StartEpoch(0);
  EXPECT_EQ(batcher.Next()->weights, nullptr);
}

}  // namespace
}  // namespace trainyard
