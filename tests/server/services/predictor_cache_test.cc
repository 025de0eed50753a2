#include "server/services/predictor_cache.h"

#include "server/base/ids.h"
#include "server/storage/blob_store.h"
#include "server/storage/database.h"
#include "tests/support/data_builders.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_dir.h"

namespace trainyard {
namespace {

class PredictorCacheTest : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_OK_AND_ASSIGN(database_, Database::Open(":memory:"));
    ASSERT_OK_AND_ASSIGN(blobs_, BlobStore::Open(directory_.path()));
    models_ = std::make_unique<ModelStore>(database_.get(), blobs_.get());
  }

  // A stored bundle with weights drawn from `seed`.
  v1::Model StoreModel(uint64_t seed) {
    const std::string bytes =
        EncodeBundle(RandomBundle(Task::kRegression, 2, {3}, Activation::kRelu, 0, seed));
    v1::Model model;
    model.set_digest(*blobs_->Put(bytes));
    model.set_size_bytes(static_cast<int64_t>(bytes.size()));
    return model;
  }

  TempDir directory_;
  std::unique_ptr<Database> database_;
  std::unique_ptr<BlobStore> blobs_;
  std::unique_ptr<ModelStore> models_;
};

TEST_F(PredictorCacheTest, TheSameDigestGivesTheSamePredictor) {
  PredictorCache cache({}, models_.get());
  const v1::Model model = StoreModel(1);
  ASSERT_OK_AND_ASSIGN(const auto first, cache.Get(model));
  ASSERT_OK_AND_ASSIGN(const auto second, cache.Get(model));
  EXPECT_EQ(first, second);
  EXPECT_EQ(cache.size(), 1u);
}

TEST_F(PredictorCacheTest, TheOneUsedLongestAgoGoesAndStaysUsable) {
  PredictorCache cache({.entries_max = 2}, models_.get());
  const v1::Model a = StoreModel(1), b = StoreModel(2), c = StoreModel(3);
  ASSERT_OK_AND_ASSIGN(const auto first_a, cache.Get(a));
  ASSERT_OK_AND_ASSIGN(const auto first_b, cache.Get(b));
  ASSERT_OK_AND_ASSIGN(const auto again_a, cache.Get(a));
  ASSERT_THAT(cache.Get(c).status(), IsOk());
  EXPECT_EQ(cache.size(), 2u);
  EXPECT_EQ(*cache.Get(a), first_a);
  EXPECT_NE(*cache.Get(b), first_b);
  const double row[] = {1, 2};
  EXPECT_THAT(first_b->Predict(row), IsOk());
}

TEST_F(PredictorCacheTest, BytesAreBoundedToo) {
  const v1::Model a = StoreModel(1), b = StoreModel(2);
  PredictorCache two({.bytes_max = 2 * a.size_bytes()}, models_.get());
  ASSERT_THAT(two.Get(a).status(), IsOk());
  ASSERT_THAT(two.Get(b).status(), IsOk());
  EXPECT_EQ(two.size(), 2u);
  PredictorCache none({.bytes_max = a.size_bytes() - 1}, models_.get());
  ASSERT_THAT(none.Get(a).status(), IsOk());
  EXPECT_EQ(none.size(), 0u);
}

TEST_F(PredictorCacheTest, AMissingOrForeignBundleIsDataLoss) {
  PredictorCache cache({}, models_.get());
  v1::Model model;
  model.set_digest(*blobs_->Put("no bundle"));
  model.set_size_bytes(9);
  EXPECT_THAT(cache.Get(model), StatusIs(absl::StatusCode::kDataLoss, testing::_));
}

}  // namespace
}  // namespace trainyard
