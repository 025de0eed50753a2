#include "server/worker/prepared_store.h"

#include <chrono>
#include <filesystem>
#include <fstream>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_dir.h"

namespace trainyard {
namespace {

namespace fs = std::filesystem;

constexpr int64_t kCols = 1'024;
constexpr int64_t kRows = 2'100;  // a bit more than PreparedStore::kBytesMin

PreparedData Data(float first) {
  PreparedData prepared;
  Dataset& dataset = prepared.dataset;
  dataset.train.features = Matrix(kRows, kCols);
  dataset.train.features.data()[0] = first;
  dataset.train.targets.assign(kRows, 1.0F);
  dataset.preprocessor =
      Preprocessor(std::vector<double>(kCols, 0.0), std::vector<double>(kCols, 1.0));
  prepared.notes = {"noted"};
  return prepared;
}

class PreparedStoreTest : public testing::Test {
 protected:
  void SetUp() override { store_.Use(dir_.path() + "/prepared", int64_t{1} << 30); }
  std::string PathOf(const std::string& key) const { return dir_.path() + "/prepared/" + key; }
  bool IsThere(const std::string& key) const { return fs::exists(PathOf(key)); }

  TempDir dir_;
  PreparedStore store_;
};

TEST_F(PreparedStoreTest, WhatIsKeptIsFoundByAnotherProcess) {
  EXPECT_FALSE(store_.Find("k", {}).has_value());
  store_.Keep("k", Data(7));
  PreparedStore other;
  other.Use(dir_.path() + "/prepared", int64_t{1} << 30);
  const std::optional<PreparedData> found = other.Find("k", {});
  ASSERT_TRUE(found.has_value());
  EXPECT_EQ(found->dataset.train.features.data()[0], 7.0F);
  EXPECT_EQ(found->dataset.train.rows(), kRows);
  EXPECT_THAT(found->notes, testing::ElementsAre("noted"));
  EXPECT_THAT(other.CheckUsed(), IsOk());
}

TEST_F(PreparedStoreTest, ScratchIsBesideWhatIsKept) {
  const fs::path scratch = store_.ScratchPath();
  EXPECT_TRUE(fs::is_directory(scratch.parent_path()));
  EXPECT_EQ(scratch.parent_path(), dir_.path() + "/prepared");
  store_.Use("", int64_t{1} << 30);
  EXPECT_EQ(store_.ScratchPath(), "");
}

TEST_F(PreparedStoreTest, SmallDataIsNotKept) {
  EXPECT_TRUE(store_.Keep("large", Data(1)));
  PreparedData small = Data(1);
  small.dataset.train.features = Matrix(10, kCols);
  EXPECT_FALSE(store_.Keep("k", small));
  EXPECT_FALSE(IsThere("k"));
}

TEST_F(PreparedStoreTest, NothingIsKeptWithoutRoomOrDirectory) {
  store_.Use(dir_.path() + "/prepared", 0);
  store_.Keep("k", Data(1));
  EXPECT_FALSE(IsThere("k"));
  EXPECT_NE(store_.ScratchPath(), "");
  store_.Use("", int64_t{1} << 30);
  store_.Keep("k", Data(1));
  EXPECT_FALSE(store_.Find("k", {}).has_value());
}

TEST_F(PreparedStoreTest, TheLeastRecentlyUsedGoesFirst) {
  const int64_t size = kRows * kCols * 4;
  store_.Use(dir_.path() + "/prepared", 2 * size + size / 2);
  store_.Keep("a", Data(1));
  store_.Keep("b", Data(2));
  const auto now = fs::file_time_type::clock::now();
  fs::last_write_time(PathOf("a"), now - std::chrono::hours(2));
  fs::last_write_time(PathOf("b"), now - std::chrono::hours(1));
  ASSERT_TRUE(store_.Find("a", {}).has_value());  // now the one used last
  store_.Keep("c", Data(3));
  EXPECT_TRUE(IsThere("a"));
  EXPECT_FALSE(IsThere("b"));
  EXPECT_TRUE(IsThere("c"));
}

TEST_F(PreparedStoreTest, ADamagedFileFailsTheCheckAndIsGone) {
  store_.Keep("k", Data(7));
  std::fstream file(PathOf("k"), std::ios::in | std::ios::out | std::ios::binary);
  file.seekp(-100, std::ios::end);
  file.put('!');
  file.close();
  ASSERT_TRUE(store_.Find("k", {}).has_value());
  EXPECT_THAT(store_.CheckUsed(), StatusIs(absl::StatusCode::kDataLoss, testing::_));
  EXPECT_FALSE(IsThere("k"));
  EXPECT_THAT(store_.CheckUsed(), IsOk());  // nothing is left to look at
}

TEST_F(PreparedStoreTest, AFileThatIsNoneOfOursIsAsGoodAsNone) {
  fs::create_directories(dir_.path() + "/prepared");
  std::ofstream(PathOf("k")) << "something else";
  EXPECT_FALSE(store_.Find("k", {}).has_value());
  store_.Keep("k", Data(7));
  EXPECT_TRUE(store_.Find("k", {}).has_value());
}

TEST_F(PreparedStoreTest, TheKeyIsOfWhatDecidesTheData) {
  v1::JobAssignment assignment;
  assignment.set_table_digest("sha256:aa");
  assignment.mutable_resolved_spec()->set_target_column("y");
  const std::string key = PreparedStore::KeyOf(assignment, 0);
  assignment.mutable_resolved_spec()->set_epochs(7);
  assignment.mutable_resolved_spec()->mutable_optimizer()->set_learning_rate(0.5);
  EXPECT_EQ(PreparedStore::KeyOf(assignment, 0), key);
  EXPECT_NE(PreparedStore::KeyOf(assignment, 1), key);
  for (const auto& change : std::vector<std::function<void(v1::JobAssignment*)>>{
           [](v1::JobAssignment* a) { a->set_table_digest("sha256:bb"); },
           [](v1::JobAssignment* a) { a->set_test_table_digest("sha256:bb"); },
           [](v1::JobAssignment* a) { a->mutable_resolved_spec()->set_seed(1); },
           [](v1::JobAssignment* a) { a->mutable_resolved_spec()->add_feature_columns("x"); },
           [](v1::JobAssignment* a) { a->mutable_resolved_spec()->mutable_split()->set_stratify(true); },
           [](v1::JobAssignment* a) {
             a->mutable_resolved_spec()->add_feature_options()->set_column("x");
           }}) {
    v1::JobAssignment changed = assignment;
    change(&changed);
    EXPECT_NE(PreparedStore::KeyOf(changed, 0), key);
  }
}

}  // namespace
}  // namespace trainyard
