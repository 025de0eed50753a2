// What is beyond the golden files: limits, rewinding, size of pieces. zlib and zstd themselves make
// the large files.
#include "core/data/decompressing_source.h"

#include <zlib.h>
#include <zstd.h>

#include <string>

#include "core/base/error_info.h"
#include "core/base/rng.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/format_readers.h"
#include "tests/support/status_matchers.h"

namespace trainyard {
namespace {

using testing::HasSubstr;

std::string Gzip(const std::string& bytes) {
  z_stream stream = {};
  EXPECT_EQ(deflateInit2(&stream, 9, Z_DEFLATED, MAX_WBITS + 16, 9, Z_DEFAULT_STRATEGY), Z_OK);
  std::string out(deflateBound(&stream, bytes.size()), '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
  stream.avail_in = static_cast<uInt>(bytes.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  EXPECT_EQ(deflate(&stream, Z_FINISH), Z_STREAM_END);
  out.resize(out.size() - stream.avail_out);
  deflateEnd(&stream);
  return out;
}

std::string Zstd(const std::string& bytes) {
  std::string out(ZSTD_compressBound(bytes.size()), '\0');
  out.resize(ZSTD_compress(out.data(), out.size(), bytes.data(), bytes.size(), 3));
  return out;
}

absl::StatusOr<std::string> ReadAll(ByteSource& source) {
  std::string all;
  while (true) {
    const auto bytes = source.Next();
    if (!bytes.ok()) return bytes.status();
    if (bytes->empty()) return all;
    EXPECT_LE(bytes->size(), size_t{1} << 20);
    all.append(bytes->data(), bytes->size());
  }
}

// Text that compresses a little.
std::string Table(size_t size) {
  Rng rng(3, RngStream::kInit);
  std::string text;
  for (int i = 0; text.size() < size; ++i)
    text += std::to_string(rng.Below(1000)) + (i % 9 == 8 ? "\n" : ",");
  return text;
}

TEST(DecompressingSourceTest, LongFilesComeInPiecesAndCanBeRewound) {
  const std::string table = Table(3'500'000);
  const std::string files[] = {Gzip(table), Zstd(table), table};
  for (const std::string& file : files) {
    for (const size_t chunk_size : {size_t{1} << 20, size_t{997}}) {
      ChunkedSource chunks(file, chunk_size);
      DecompressingSource source(chunks, DetectCompression(file));
      ASSERT_OK_AND_ASSIGN(const std::string first, ReadAll(source));
      EXPECT_TRUE(first == table);
      ASSERT_THAT(source.Rewind(), IsOk());
      ASSERT_THAT(source.Next(), IsOk());
      ASSERT_THAT(source.Rewind(), IsOk());
      ASSERT_OK_AND_ASSIGN(const std::string second, ReadAll(source));
      EXPECT_TRUE(second == table);
    }
  }
}

TEST(DecompressingSourceTest, ABombIsRefusedByItsRatio) {
  const std::string equal_rows = std::string(20 << 20, '7');
  for (const std::string& file : {Gzip(equal_rows), Zstd(equal_rows)}) {
    ViewSource bytes(file);
    DecompressingSource source(bytes, DetectCompression(file));
    const auto all = ReadAll(source);
    EXPECT_THAT(all, StatusIs(absl::StatusCode::kResourceExhausted,
                              HasSubstr("decompresses to more than 1000 times its size")));
    EXPECT_THAT(all, HasReason(ErrorReason::kTooLarge));
    EXPECT_EQ(source.Next().status(), all.status()) << "the error stays";
    ASSERT_THAT(source.Rewind(), IsOk());
    EXPECT_THAT(source.Next(), IsOk());
  }
}

TEST(DecompressingSourceTest, SmallFilesMayHaveAnyRatio) {
  const std::string equal_rows = std::string(15 << 20, '7');
  const std::string file = Zstd(equal_rows);
  ASSERT_LT(file.size() * 1000, equal_rows.size());
  ViewSource bytes(file);
  DecompressingSource source(bytes, Compression::kZstd);
  ASSERT_OK_AND_ASSIGN(const std::string all, ReadAll(source));
  EXPECT_TRUE(all == equal_rows);
}

TEST(DecompressingSourceTest, ATotalIsRefused) {
  const std::string file = Gzip(Table(3'000'000));
  ViewSource bytes(file);
  DecompressingSource source(bytes, Compression::kGzip, {.bytes_max = 2'000'000});
  EXPECT_THAT(ReadAll(source), StatusIs(absl::StatusCode::kResourceExhausted,
                                        HasSubstr("decompresses to more than 2000000 bytes")));
}

TEST(DecompressingSourceTest, EveryCutOfAFileIsAnError) {
  const std::string table = Table(300);
  for (const std::string& file : {Gzip(table), Zstd(table)}) {
    for (size_t size = 4; size < file.size(); ++size) {
      ViewSource bytes(absl::string_view(file).substr(0, size));
      DecompressingSource source(bytes, DetectCompression(file));
      EXPECT_THAT(ReadAll(source),
                  StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("cut off")));
    }
  }
}

}  // namespace
}  // namespace trainyard
