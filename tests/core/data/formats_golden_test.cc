// Files that numpy, scikit-learn, gzip, zipfile and zstd made, and what they read from them
// themselves: tests/golden/formats.txt, by make_formats.py.
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <numeric>
#include <string>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "core/base/error_info.h"
#include "core/data/file_format.h"
#include "core/data/npz_reader.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/format_readers.h"
#include "tests/support/golden_blocks.h"
#include "tests/support/status_matchers.h"

namespace trainyard {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::SizeIs;

struct GoldenFile {
  explicit GoldenFile(const GoldenBlock& block)
      : name(block.Text("name")),
        format(block.Text("format")),
        compression(block.Text("compression")),
        bytes(absl::HexStringToBytes(block.Text("bytes"))) {
    if (block.lines.contains("arrays")) npz.arrays = block.Words("arrays");
    if (block.lines.contains("error")) error = block.Text("error");
    if (block.lines.contains("hint")) hint = block.Text("hint");
  }
  FileFormat format_number() const {
    for (const FileFormat number :
         {FileFormat::kNpy, FileFormat::kNpz, FileFormat::kIdx, FileFormat::kSvmlight}) {
      if (FormatName(number) == format) return number;
    }
    return FileFormat::kUnspecified;
  }

  std::string name;
  std::string format;
  std::string compression;
  std::string bytes;
  NpzOptions npz;
  std::string error;
  std::string hint;
};

std::vector<GoldenBlock> Blocks(bool weights, bool errors) {
  std::vector<GoldenBlock> blocks;
  for (const GoldenBlock& block : ReadGoldenBlocks("formats.txt")) {
    const bool is_weights = block.Text("format") == "weights";
    if (is_weights == weights && block.lines.contains("error") == errors) blocks.push_back(block);
  }
  return blocks;
}

// "nan" too, which a stream does not read.
std::vector<double> Values(const GoldenBlock& block, const std::string& key) {
  std::vector<double> values;
  for (const std::string& word : block.Words(key))
    values.push_back(std::strtod(word.c_str(), nullptr));
  return values;
}

std::string TestData(const std::string& name) {
  std::ifstream file(std::string(TY_SOURCE_DIR) + "/tests/data/" + name, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

Reading Expected(const GoldenBlock& block) {
  return {.names = block.Words("columns"), .values = Values(block, "values")};
}

TEST(FormatsGoldenTest, FormatAndCompressionAreDetected) {
  for (const GoldenBlock& block : Blocks(/*weights=*/false, /*errors=*/false)) {
    const GoldenFile file(block);
    SCOPED_TRACE(file.name);
    const Compression compression = DetectCompression(file.bytes);
    EXPECT_EQ(CompressionName(compression), file.compression);
    ChunkedSource source(file.bytes, 3);
    DecompressingSource plain(source, compression);
    ASSERT_OK_AND_ASSIGN(const std::string head, ReadHead(plain, kFormatHeadBytes));
    EXPECT_EQ(FormatName(DetectFormat(head)), file.format);
    EXPECT_THAT(CheckFormatKnown(head), IsOk());
  }
}

TEST(FormatsGoldenTest, WhatOthersReadIsRead) {
  const std::vector<GoldenBlock> blocks = Blocks(/*weights=*/false, /*errors=*/false);
  EXPECT_GT(blocks.size(), 80u);
  for (const GoldenBlock& block : blocks) {
    const GoldenFile file(block);
    for (const size_t chunk_size : {size_t{1} << 20, size_t{1}, size_t{7}, size_t{100}}) {
      SCOPED_TRACE(absl::StrCat(file.name, " in chunks of ", chunk_size));
      const Reading reading = ReadFormat(file.bytes, file.format_number(), chunk_size, file.npz);
      ASSERT_THAT(reading.status, IsOk());
      const Reading expected = Expected(block);
      EXPECT_EQ(reading.names, expected.names);
      EXPECT_TRUE(reading == expected) << testing::PrintToString(reading.values);
    }
  }
}

TEST(FormatsGoldenTest, WhatIsWrongIsSaid) {
  const std::vector<GoldenBlock> blocks = Blocks(/*weights=*/false, /*errors=*/true);
  EXPECT_GT(blocks.size(), 60u);
  for (const GoldenBlock& block : blocks) {
    const GoldenFile file(block);
    SCOPED_TRACE(file.name);
    const Reading whole = ReadFormat(file.bytes, file.format_number(), file.bytes.size(), file.npz);
    EXPECT_FALSE(whole.status.ok());
    EXPECT_THAT(std::string(whole.status.message()), HasSubstr(file.error));
    const auto info = GetErrorInfo(whole.status);
    EXPECT_THAT(info->hint, HasSubstr(file.hint));
    for (const size_t chunk_size : {1, 7, 100})
      EXPECT_TRUE(whole == ReadFormat(file.bytes, file.format_number(), chunk_size, file.npz));
  }
}

// The first of MNIST's test images; sums and labels are numpy's.
TEST(FormatsGoldenTest, AnMnistPairIsRead) {
  const Reading images =
      ReadFormat(TestData("mnist-60-images-idx3-ubyte.gz"), FileFormat::kIdx, 999);
  ASSERT_THAT(images.status, IsOk());
  EXPECT_THAT(images.names, SizeIs(28 * 28));
  EXPECT_EQ(images.names.back(), "c783");
  ASSERT_THAT(images.values, SizeIs(60 * 28 * 28));
  EXPECT_EQ(std::accumulate(images.values.begin(), images.values.end(), 0.0), 1374181);
  EXPECT_EQ(std::accumulate(images.values.end() - 28 * 28, images.values.end(), 0.0), 12322);
  const Reading labels = ReadFormat(TestData("mnist-60-labels-idx1-ubyte.gz"), FileFormat::kIdx, 3);
  ASSERT_THAT(labels.status, IsOk());
  EXPECT_THAT(labels.names, ElementsAre("label"));
  EXPECT_THAT(labels.values, SizeIs(60));
  const std::vector<double> first(labels.values.begin(), labels.values.begin() + 10);
  EXPECT_THAT(first, ElementsAre(7, 2, 1, 0, 4, 1, 4, 9, 5, 9));
}

TEST(FormatsGoldenTest, WeightsKeepTheirShapes) {
  for (const GoldenBlock& block : Blocks(/*weights=*/true, /*errors=*/false)) {
    ASSERT_OK_AND_ASSIGN(const std::vector<NpzArray> arrays,
                         ReadNpzArrays(GoldenFile(block).bytes));
    const std::vector<std::string> names = block.Words("columns");
    ASSERT_EQ(arrays.size(), names.size());
    for (size_t i = 0; i < names.size(); ++i) {
      SCOPED_TRACE(names[i]);
      EXPECT_EQ(arrays[i].name, names[i]);
      EXPECT_EQ(arrays[i].shape, block.Numbers<int64_t>("shape." + names[i]));
      EXPECT_EQ(arrays[i].values, block.Numbers<float>("values." + names[i]));
    }
  }
}

TEST(FormatsGoldenTest, WeightsThatAreNoneAreRefused) {
  for (const GoldenBlock& block : Blocks(/*weights=*/true, /*errors=*/true)) {
    const GoldenFile file(block);
    SCOPED_TRACE(file.name);
    const auto arrays = ReadNpzArrays(file.bytes);
    EXPECT_THAT(arrays, StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr(file.error)));
    EXPECT_THAT(GetErrorInfo(arrays.status())->hint, HasSubstr(file.hint));
  }
}

}  // namespace
}  // namespace trainyard
