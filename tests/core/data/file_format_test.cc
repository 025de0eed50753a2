#include "core/data/file_format.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "core/base/error_info.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/status_matchers.h"

namespace trainyard {
namespace {

using testing::HasSubstr;

TEST(FileFormatTest, SvmlightIsToldFromCsv) {
  struct Case {
    const char* name;
    std::string head;
    FileFormat format;
  };
  const Case cases[] = {
      {"pairs", "1 1:2 3:4\n-1 2:0.5\n", FileFormat::kSvmlight},
      {"no line feed", "1 1:2", FileFormat::kSvmlight},
      {"comments and blank lines first", "# by hand\n\n+1 1:2 # one\n", FileFormat::kSvmlight},
      {"groups", "2 qid:3 1:2\n", FileFormat::kSvmlight},
      {"several labels, which its reader refuses", "1,2 1:2\n", FileFormat::kSvmlight},
      {"a row of zeros first", "0\n1 1:2\n", FileFormat::kSvmlight},
      {"missing", "1 1:nan\n", FileFormat::kSvmlight},
      {"byte order mark",
       "\xEF\xBB\xBF"
       "1 1:2\n",
       FileFormat::kSvmlight},
      {"numbers", "1 2 3\n4 5 6\n", FileFormat::kCsv},
      {"one column", "1\n2\n", FileFormat::kCsv},
      {"times", "time,value\n12:30,1\n", FileFormat::kCsv},
      {"a line without pairs between", "1 1:2\na,b\n", FileFormat::kCsv},
      {"text values", "1 a:b\n", FileFormat::kCsv},
      {"empty", "", FileFormat::kCsv},
      {"names", "a,b\n1,2\n", FileFormat::kCsv},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.name);
    EXPECT_EQ(DetectFormat(c.head), c.format);
  }
}

TEST(FileFormatTest, ALineLongerThanTheHeadCounts) {
  std::string line = "1";
  for (int i = 1; line.size() < 2 * kFormatHeadBytes; ++i) absl::StrAppend(&line, " ", i, ":0.5");
  for (size_t size = kFormatHeadBytes; size < kFormatHeadBytes + 12; ++size)
    EXPECT_EQ(DetectFormat(line.substr(0, size)), FileFormat::kSvmlight) << size;
}

TEST(FileFormatTest, IdxIsFoundWhateverItsFault) {
  EXPECT_EQ(DetectFormat(std::string("\0\0\x08\x03", 4)), FileFormat::kIdx);
  EXPECT_EQ(DetectFormat(std::string("\0\0\x0E\x09", 4)), FileFormat::kIdx);
  EXPECT_EQ(DetectFormat(std::string("\0\0\0\0", 4)), FileFormat::kCsv);
  EXPECT_EQ(DetectFormat(std::string("\0\0\x08", 3)), FileFormat::kCsv);
}

TEST(FileFormatTest, OtherFormatsAreNamedWithARemedy) {
  struct Case {
    std::string head;
    const char* message;
    const char* hint;
  };
  const Case cases[] = {
      {"PAR1\x15\x04", "a Parquet file", "to_csv"},
      {"\xFD"
       "7zXZ",
       "an xz file", "gzip or zstd"},
      {"\x1F\x8B\x08", "gzip inside another compression", "once"},
      {std::string("\xFF\xFE"
                   "a\0",
                   4),
       "text in UTF-16", "iconv"},
      {"\x80\x04\x95", "a Python pickle", "numpy.savez"},
      {std::string("table.csv") + std::string(248, '\0') + "ustar", "a tar archive", "unpack"},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.message);
    const absl::Status status = CheckFormatKnown(c.head);
    EXPECT_THAT(status, StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr(c.message)));
    EXPECT_THAT(status, HasReason(ErrorReason::kDatasetRejected));
    EXPECT_THAT(GetErrorInfo(status)->hint, HasSubstr(c.hint));
  }
}

TEST(FileFormatTest, TablesThatBeginLikeOtherFormatsAreFine) {
  for (const char* head :
       {"PAR1,PAR2\n1,2\n", "BZh,a\n1,2\n", "MATLAB score,b\n", "a,b\n", "", "\x93NUMPY"})
    EXPECT_THAT(CheckFormatKnown(head), IsOk()) << head;
}

}  // namespace
}  // namespace trainyard
