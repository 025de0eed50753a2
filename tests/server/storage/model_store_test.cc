#include "server/storage/model_store.h"

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/storage/blob_references.h"
#include "server/storage/blob_store.h"
#include "server/storage/database.h"
#include "tests/support/mem_file_system.h"
#include "tests/support/status_matchers.h"

namespace trainyard {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class ModelStoreTest : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_OK_AND_ASSIGN(db_, Database::Open(":memory:"));
    ASSERT_OK_AND_ASSIGN(blobs_, BlobStore::Open("/blobs", files_));
    models_ = std::make_unique<ModelStore>(db_.get(), blobs_.get());
  }
  v1::Model Add(const std::string& name, const std::string& bundle, size_t padding_bytes = 0) {
    v1::Model model;
    model.set_name(name);
    model.set_owner("ann");
    model.set_display_name(std::string(padding_bytes, 'x'));
    model.set_training_job("trainingJobs/j");
    model.set_digest(*blobs_->Put(bundle));
    EXPECT_THAT(db_->Write([&](Connection& c) { return ModelStore::Insert(c, model); }), IsOk());
    return model;
  }
  std::vector<std::string> Names(const v1::ListModelsResponse& response) {
    std::vector<std::string> names;
    for (const v1::Model& model : response.models()) names.push_back(model.name());
    return names;
  }

  std::shared_ptr<MemFileSystem> files_ = std::make_shared<MemFileSystem>();
  std::unique_ptr<Database> db_;
  std::unique_ptr<BlobStore> blobs_;
  std::unique_ptr<ModelStore> models_;
};

TEST_F(ModelStoreTest, GetGivesWhatWasInserted) {
  const v1::Model model = Add("models/a", "bundle");
  ASSERT_OK_AND_ASSIGN(const v1::Model found, models_->Get("models/a"));
  EXPECT_EQ(found.SerializeAsString(), model.SerializeAsString());
  EXPECT_EQ(*models_->LoadBundle(found), "bundle");
}

TEST_F(ModelStoreTest, UnknownAndMalformedNames) {
  EXPECT_THAT(models_->Get("models/none"), HasReason(ErrorReason::kNotFound));
  EXPECT_THAT(models_->Delete("models/none"), HasReason(ErrorReason::kNotFound));
  EXPECT_THAT(models_->Get("datasets/a"), HasReason(ErrorReason::kInvalidRequest));
}

TEST_F(ModelStoreTest, ListIsNewestFirstInPages) {
  for (const char* name : {"models/a", "models/b", "models/c"}) Add(name, name);
  v1::ListModelsRequest request;
  request.set_page_size(2);
  ASSERT_OK_AND_ASSIGN(const v1::ListModelsResponse first, models_->List(request, ""));
  EXPECT_THAT(Names(first), ElementsAre("models/c", "models/b"));
  // What is made or deleted in between does not move the pages.
  Add("models/d", "d");
  ASSERT_THAT(models_->Delete("models/b"), IsOk());
  request.set_page_token(first.next_page_token());
  ASSERT_OK_AND_ASSIGN(const v1::ListModelsResponse second, models_->List(request, ""));
  EXPECT_THAT(Names(second), ElementsAre("models/a"));
  EXPECT_THAT(second.next_page_token(), IsEmpty());
  request.set_page_token("nonsense");
  EXPECT_THAT(models_->List(request, ""), HasReason(ErrorReason::kInvalidRequest));
}

TEST_F(ModelStoreTest, APageOfLargeModelsStaysSmall) {
  for (int i = 0; i < 10; ++i) Add(absl::StrCat("models/m", i), absl::StrCat(i), 500'000);
  v1::ListModelsRequest request;
  int seen = 0;
  do {
    ASSERT_OK_AND_ASSIGN(const v1::ListModelsResponse page, models_->List(request, ""));
    EXPECT_LT(page.ByteSizeLong(), size_t{4} << 20);
    ASSERT_GT(page.models_size(), 0);
    seen += page.models_size();
    request.set_page_token(page.next_page_token());
  } while (!request.page_token().empty());
  EXPECT_EQ(seen, 10);
}

TEST_F(ModelStoreTest, ABundleLivesAsLongAsAModelHasIt) {
  const std::string digest = Add("models/a", "same").digest();
  Add("models/b", "same");
  ASSERT_THAT(models_->Delete("models/a"), IsOk());
  EXPECT_THAT(blobs_->Path(digest), IsOk());
  ASSERT_THAT(models_->Delete("models/b"), IsOk());
  EXPECT_TRUE(absl::IsNotFound(blobs_->Path(digest).status()));
}

TEST_F(ModelStoreTest, SweepKeepsWhatModelsHave) {
  const std::string digest = Add("models/a", "bundle").digest();
  ASSERT_THAT(blobs_->Put("of a job that died"), IsOk());
  EXPECT_EQ(*SweepBlobs(*db_, *blobs_), 1);
  EXPECT_THAT(blobs_->Path(digest), IsOk());
}

TEST_F(ModelStoreTest, ABundleThatIsGoneOrDamagedIsDataLoss) {
  const v1::Model model = Add("models/a", "bundle");
  files_->FlipByte(*blobs_->Path(model.digest()), 2);
  EXPECT_THAT(models_->LoadBundle(model),
              StatusIs(absl::StatusCode::kDataLoss, HasSubstr("models/a")));
  ASSERT_THAT(blobs_->Remove(model.digest()), IsOk());
  EXPECT_THAT(models_->LoadBundle(model),
              StatusIs(absl::StatusCode::kDataLoss, HasSubstr("models/a")));
}

}  // namespace
}  // namespace trainyard
