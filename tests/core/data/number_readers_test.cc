// Limits of the readers of number formats, and blocks larger than one: what golden files are too
// small for. Headers are written out by hand here.
#include <cstring>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "core/base/coding.h"
#include "core/base/error_info.h"
#include "core/base/limits.h"
#include "core/data/file_format.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/format_readers.h"
#include "tests/support/status_matchers.h"

namespace trainyard {
namespace {

using testing::HasSubstr;

std::string Npy(absl::string_view dict, absl::string_view data = "") {
  std::string text = absl::StrCat("\x93NUMPY\x01", absl::string_view("\0", 1));
  const auto size = static_cast<uint16_t>(dict.size());
  text.append(reinterpret_cast<const char*>(&size), sizeof size);
  return absl::StrCat(text, dict, data);
}

std::string Header(absl::string_view descr, absl::string_view shape, bool fortran = false) {
  return absl::StrCat("{'descr': '", descr, "', 'fortran_order': ", fortran ? "True" : "False",
                      ", 'shape': ", shape, ", }\n");
}

std::string Idx(std::vector<uint32_t> dimensions) {
  std::string bytes("\0\0\x08", 3);
  bytes.push_back(static_cast<char>(dimensions.size()));
  for (const uint32_t size : dimensions) {
    for (const int shift : {24, 16, 8, 0}) bytes.push_back(static_cast<char>(size >> shift));
  }
  return bytes;
}

absl::Status StatusOf(const std::string& bytes, FileFormat format) {
  return ReadFormat(bytes, format, bytes.size()).status;
}

TEST(NumberReadersTest, AnyOrderAndSpacingOfTheHeaderIsRead) {
  const std::string data("\1\2", 2);
  for (const char* dict : {
           "{'descr': '|u1', 'fortran_order': False, 'shape': (2,)}",
           "{\"shape\":(2,),\"fortran_order\":False,\"descr\":\"u1\"}",
           " { 'shape' : ( 2 , 1 , ) , 'descr':'<u1' ,'fortran_order' : True } \n",
       }) {
    SCOPED_TRACE(dict);
    const std::string bytes = Npy(dict, data);
    const Reading reading = ReadFormat(bytes, FileFormat::kNpy, bytes.size());
    EXPECT_THAT(reading.status, IsOk());
    EXPECT_THAT(reading.values, testing::ElementsAre(1, 2));
  }
}

TEST(NumberReadersTest, HeadersThatNumpyDoesNotWriteAreRefused) {
  for (const char* dict : {
           "",
           "{}",
           "{'descr': '<f8', 'fortran_order': False}",
           "{'descr': '<f8', 'fortran_order': False, 'shape': (2,), 'more': 1}",
           "{'descr': '<f8', 'fortran_order': False, 'shape': (2,), 'shape': (2,)}",
           "{'descr': '<f8', 'fortran_order': 0, 'shape': (2,)}",
           "{'descr': '<f8', 'fortran_order': False, 'shape': (2)}",
           "{'descr': '<f8', 'fortran_order': False, 'shape': [2]}",
           "{'descr': '<f8', 'fortran_order': False, 'shape': (-2,)}",
           "{'descr': '<f8', 'fortran_order': False, 'shape': (99999999999999999999,)}",
           "{'descr': '<f8', 'fortran_order': False, 'shape': (2,)} or 1",
           "{'descr': '<f8', 'fortran_order': False, 'shape': (2,)",
           "{'descr': '\\x3cf8', 'fortran_order': False, 'shape': (2,)}",
           "{'descr': [('a', '<f8', 'fortran_order': False, 'shape': (2,)}",
           "__import__('os')",
       }) {
    SCOPED_TRACE(dict);
    EXPECT_THAT(StatusOf(Npy(dict, std::string(16, '\0')), FileFormat::kNpy),
                StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("cannot read the header")));
  }
}

TEST(NumberReadersTest, SizesBeyondTheLimitsAreRefusedBeforeAnyMemory) {
  struct Case {
    std::string bytes;
    FileFormat format;
    const char* message;
  };
  const Case cases[] = {
      {Npy(Header("<f8", "(10000001, 2)")), FileFormat::kNpy, "more than 10000000 rows"},
      {Npy(Header("<f8", "(2, 10001)")), FileFormat::kNpy, "more than 10000 columns"},
      {Npy(Header("<f8", "(2, 101, 100)")), FileFormat::kNpy, "more than 10000 columns"},
      {Npy(Header("<f8", "(10000000, 200)")), FileFormat::kNpy, "more than 1073741824 cells"},
      {Npy(Header("<f8", "(2, 9000000000000000000, 9000000000000000000)")), FileFormat::kNpy,
       "more than 10000 columns"},
      {Npy(Header("<f8", "(100000, 1000)", true)), FileFormat::kNpy,
       "Fortran order and has 800000000 bytes; at most 268435456"},
      {Idx({10000001}), FileFormat::kIdx, "more than 10000000 rows"},
      {Idx({1, 0xFFFFFFFF, 0xFFFFFFFF, 0xFFFFFFFF}), FileFormat::kIdx, "more than 10000 columns"},
      {"1 10000:1\n", FileFormat::kSvmlight,
       "line 1 (byte 0): index 10000 makes a table of more than 10000 columns"},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.message);
    const absl::Status status = StatusOf(c.bytes, c.format);
    EXPECT_THAT(status, StatusIs(absl::StatusCode::kResourceExhausted, HasSubstr(c.message)));
    EXPECT_THAT(status, HasReason(ErrorReason::kTooLarge));
  }
}

TEST(NumberReadersTest, ALineBeyondTheLimitIsRefused) {
  const std::string line = "1 1:2 #" + std::string(limits::kRecordBytesMax, 'x');
  EXPECT_THAT(StatusOf("1 1:2\n" + line, FileFormat::kSvmlight),
              StatusIs(absl::StatusCode::kResourceExhausted, HasSubstr("line 2 (byte 6)")));
}

TEST(NumberReadersTest, CellsThatAreNotWrittenCountToo) {
  std::string file = "1 9999:1\n";
  for (int i = 0; i < 110'000; ++i) file += "0\n";
  EXPECT_THAT(StatusOf(file, FileFormat::kSvmlight),
              StatusIs(absl::StatusCode::kResourceExhausted, HasSubstr("1073741824 cells")));
}

// [rows, 3] of int32: the number of the element in C order.
std::string Elements(int64_t rows, bool fortran) {
  std::string data;
  for (int64_t i = 0; i < rows * 3; ++i) {
    const auto value = static_cast<int32_t>(fortran ? i % rows * 3 + i / rows : i);
    data.append(reinterpret_cast<const char*>(&value), sizeof value);
  }
  return data;
}

TEST(NumberReadersTest, ManyBlocksOfRowsAreWhole) {
  constexpr int64_t kRows = 70'001;
  for (const bool fortran : {false, true}) {
    SCOPED_TRACE(fortran);
    const std::string bytes =
        Npy(Header("<i4", absl::StrCat("(", kRows, ", 3)"), fortran), Elements(kRows, fortran));
    const Reading reading = ReadFormat(bytes, FileFormat::kNpy, 100'003);
    ASSERT_THAT(reading.status, IsOk());
    ASSERT_EQ(reading.values.size(), size_t{kRows * 3});
    for (size_t i = 0; i < reading.values.size(); ++i) ASSERT_EQ(reading.values[i], i);
  }
}

TEST(NumberReadersTest, ManyBlocksOfSparseRowsAreWhole) {
  constexpr int kRows = 1'000;
  constexpr size_t kColumns = 251;  // with the target
  std::string file;
  for (int i = 0; i < kRows; ++i) absl::StrAppend(&file, i, " ", 1 + i % 250, ":", 0.5 + i, "\n");
  const Reading reading = ReadFormat(file, FileFormat::kSvmlight, 777);
  ASSERT_THAT(reading.status, IsOk());
  ASSERT_EQ(reading.values.size(), kRows * kColumns);
  for (size_t i = 0; i < reading.values.size(); ++i) {
    const size_t row = i / kColumns;
    const size_t column = i % kColumns;
    const double written = column == 1 + row % 250 ? 0.5 + static_cast<double>(row) : 0;
    ASSERT_EQ(reading.values[i], column == 0 ? static_cast<double>(row) : written) << row;
  }
}

// A sink that has had enough.
class FullSink : public RowRecorder {
 public:
  absl::Status AddRows(std::span<const double>) override {
    return absl::ResourceExhaustedError("no space left");
  }
};

TEST(NumberReadersTest, ErrorsOfTheSinkComeThrough) {
  const std::string npy = Npy(Header("|u1", "(2,)"), "ab");
  for (const auto& [bytes, format] :
       {std::pair(npy, FileFormat::kNpy), std::pair(Idx({2}) + "ab", FileFormat::kIdx),
        std::pair(std::string("1 1:1"), FileFormat::kSvmlight)}) {
    FullSink sink;
    StringSource source(bytes);
    EXPECT_THAT(ReadWith(source, format, {}, sink),
                StatusIs(absl::StatusCode::kResourceExhausted, "no space left"));
  }
}

}  // namespace
}  // namespace trainyard
