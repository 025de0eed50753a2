#include "core/data/dataset_codec.h"

#include <fstream>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/data_builders.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_dir.h"

namespace trainyard {
namespace {

using ::testing::ElementsAre;
using ::testing::ElementsAreArray;
using ::testing::HasSubstr;

// Three classes, a text feature, a missing cell, weights.
constexpr char kCsv[] =
    "size,colour,w,kind\n1,red,1,a\n2,blue,2,b\n,red,1,c\n4,green,1,a\n5,red,3,b\n6,blue,1,c\n"
    "7,red,1,a\n8,blue,1,b\n9,green,2,c\n10,red,1,a\n";

DataConfig Config() {
  const Table table = TableOf(kCsv);
  DataConfig config;
  config.target_column = "kind";
  config.weight_column = "w";
  config.split.validation_fraction = 0.2;
  config.split.test_fraction = 0.2;
  std::vector<FieldViolation> violations;
  std::vector<std::string> notes;
  config = ResolveDataConfig(config, SchemaOf(table), &violations, &notes);
  TY_CHECK(violations.empty());
  return config;
}

PreparedData Prepared() {
  absl::StatusOr<Dataset> dataset = BuildDataset(TableOf(kCsv), Config(), /*seed=*/3);
  TY_CHECK(dataset.ok());
  return {*std::move(dataset), {"a note", "another"}};
}

std::string Bytes(const PreparedData& prepared) {
  std::string bytes;
  const absl::Status encoded = EncodeDataset(prepared, [&](absl::string_view piece) {
    bytes.append(piece.data(), piece.size());
    return absl::OkStatus();
  });
  TY_CHECK(encoded.ok());
  return bytes;
}

class DatasetCodecTest : public testing::Test {
 protected:
  absl::StatusOr<PreparedFile> Open(const std::string& bytes) {
    std::ofstream(path_, std::ios::binary) << bytes;
    return OpenPrepared(path_, Config());
  }
  TempDir dir_;
  const std::string path_ = dir_.path() + "/prepared";
};

void ExpectSamePart(const Part& a, const Part& b) {
  ASSERT_EQ(a.features.rows(), b.features.rows());
  ASSERT_EQ(a.features.cols(), b.features.cols());
  EXPECT_THAT(std::span(a.features.data(), static_cast<size_t>(a.features.size())),
              ElementsAreArray(b.features.data(), static_cast<size_t>(b.features.size())));
  EXPECT_EQ(a.targets, b.targets);
  EXPECT_EQ(a.classes, b.classes);
  EXPECT_EQ(a.weights, b.weights);
}

TEST_F(DatasetCodecTest, WhatIsReadIsWhatWasWritten) {
  const PreparedData prepared = Prepared();
  ASSERT_GT(prepared.dataset.validation.rows(), 0);
  ASSERT_OK_AND_ASSIGN(const PreparedFile file, Open(Bytes(prepared)));
  const Dataset& back = file.prepared.dataset;
  EXPECT_THAT(file.prepared.notes, ElementsAre("a note", "another"));
  EXPECT_EQ(back.classes, prepared.dataset.classes);
  EXPECT_TRUE(back.preprocessor == prepared.dataset.preprocessor);
  EXPECT_EQ(back.config.feature_columns, prepared.dataset.config.feature_columns);
  ExpectSamePart(back.train, prepared.dataset.train);
  ExpectSamePart(back.validation, prepared.dataset.validation);
  ExpectSamePart(back.test, prepared.dataset.test);
  EXPECT_THAT(file.CheckCells(), IsOk());
}

TEST_F(DatasetCodecTest, MatricesAreViewsAndOutliveTheFile) {
  Dataset dataset;
  {
    ASSERT_OK_AND_ASSIGN(PreparedFile file, Open(Bytes(Prepared())));
    dataset = std::move(file.prepared.dataset);
  }
  std::remove(path_.c_str());
  ExpectSamePart(dataset.train, Prepared().dataset.train);
  EXPECT_EQ(reinterpret_cast<uintptr_t>(dataset.train.features.data()) % 64, 0u);
}

TEST_F(DatasetCodecTest, EveryChangedByteIsFound) {
  const std::string bytes = Bytes(Prepared());
  for (size_t i = 0; i < bytes.size(); ++i) {
    std::string damaged = bytes;
    damaged[i] = static_cast<char>(damaged[i] ^ 0x20);
    const absl::StatusOr<PreparedFile> file = Open(damaged);
    // Padding holds nothing.
    const bool padding = bytes[i] == '\0' && file.ok() && file->CheckCells().ok();
    if (padding) continue;
    const absl::Status status = file.ok() ? file->CheckCells() : file.status();
    EXPECT_THAT(status, StatusIs(absl::StatusCode::kDataLoss, testing::_)) << "byte " << i;
  }
}

TEST_F(DatasetCodecTest, EveryCutIsFound) {
  const std::string bytes = Bytes(Prepared());
  for (size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_THAT(Open(bytes.substr(0, size)), StatusIs(absl::StatusCode::kDataLoss, testing::_)) << size;
  }
  EXPECT_THAT(Open(bytes + "x"), StatusIs(absl::StatusCode::kDataLoss, HasSubstr("parts")));
}

TEST_F(DatasetCodecTest, PartsWhoseTargetsAreNotOneARowAreRefused) {
  for (const int fault : {0, 1, 2}) {
    PreparedData prepared = Prepared();
    Part& part = prepared.dataset.validation;
    if (fault == 0) part.classes.pop_back();
    if (fault == 1) part.weights.push_back(1);
    if (fault == 2) part.targets.push_back(1);
    EXPECT_THAT(Open(Bytes(prepared)), StatusIs(absl::StatusCode::kDataLoss, HasSubstr("parts")))
        << fault;
  }
}

TEST_F(DatasetCodecTest, NoFileIsNotFound) {
  EXPECT_THAT(OpenPrepared(dir_.path() + "/none", Config()), StatusIs(absl::StatusCode::kNotFound, testing::_));
}

}  // namespace
}  // namespace trainyard
