#include "client/csv_flags.h"

#include <algorithm>

#include "gmock/gmock.h"
#include "google/protobuf/text_format.h"
#include "gtest/gtest.h"

namespace trainyard {
namespace {

using testing::HasSubstr;

v1::FinalizeDatasetRequest Parse(std::vector<std::string> arguments) {
  CLI::App app;
  v1::FinalizeDatasetRequest request;
  AddTableFlags(&app, &request);
  AddCsvFlags(&app, request.mutable_csv());
  std::reverse(arguments.begin(), arguments.end());
  app.parse(arguments);
  return request;
}

void ExpectRequest(const std::vector<std::string>& arguments, const char* expected) {
  v1::FinalizeDatasetRequest request;
  ASSERT_TRUE(google::protobuf::TextFormat::ParseFromString(expected, &request));
  request.mutable_csv();
  EXPECT_EQ(Parse(arguments).ShortDebugString(), request.ShortDebugString());
}

TEST(CsvFlagsTest, EachFlagSetsItsField) {
  ExpectRequest({}, "");
  ExpectRequest({"--delimiter", "tab", "--header", "present", "--quote", "single", "--decimal-mark",
                 "comma", "--comment", "%", "--bad-rows-max", "7"},
                R"(csv { delimiter: "\t" header: PRESENT quote: SINGLE decimal_mark: COMMA
                         comment: "%" bad_rows_max: 7 })");
  ExpectRequest({"--delimiter", "space", "--no-header"},
                R"(csv { delimiter: " " header: ABSENT })");
  ExpectRequest({"--delimiter", ";", "--quote", "detect"}, R"(csv { delimiter: ";" })");
  ExpectRequest({"--format", "svmlight"}, "format: FILE_FORMAT_SVMLIGHT");
  ExpectRequest({"--npz-array", "X", "--npz-array", "y"}, R"(npz_arrays: "X" npz_arrays: "y")");
  ExpectRequest({"--no-missing-markers"}, "csv { no_missing_markers: true }");
}

TEST(CsvFlagsTest, MarkersMayLookLikeFlagsAndHaveCommas) {
  ExpectRequest({"--missing-marker", "-", "--missing-marker", "-999", "--missing-marker", "a,b"},
                R"(csv { missing_markers: "-" missing_markers: "-999" missing_markers: "a,b" })");
}

TEST(CsvFlagsTest, ColumnKindsAreByNameOrIndex) {
  ExpectRequest({"--column-kind", "quality=category", "--column-kind", "#3=free_text",
                 "--column-kind", "a=b=numeric", "--column-kind", "#x=identifier"},
                R"(column_overrides { name: "quality" kind: COLUMN_KIND_CATEGORY }
                   column_overrides { index: 3 kind: COLUMN_KIND_FREE_TEXT }
                   column_overrides { name: "a=b" kind: COLUMN_KIND_NUMERIC }
                   column_overrides { name: "#x" kind: COLUMN_KIND_IDENTIFIER })");
  v1::ColumnOverride column;
  EXPECT_THAT(ParseColumnKind("quality=categry", &column), HasSubstr("did you mean \"category\"?"));
  EXPECT_THAT(ParseColumnKind("quality", &column), HasSubstr("expected NAME=KIND"));
  EXPECT_THAT(ParseColumnKind("=category", &column), HasSubstr("expected NAME=KIND"));
}

TEST(CsvFlagsTest, WrongWordsAndContradictionsAreUsage) {
  EXPECT_THROW(Parse({"--column-kind", "quality=big"}), CLI::ValidationError);
  EXPECT_THROW(Parse({"--quote", "triple"}), CLI::ValidationError);
  EXPECT_THROW(Parse({"--format", "unspecified"}), CLI::ValidationError);
  EXPECT_THROW(Parse({"--header", "present", "--no-header"}), CLI::ExcludesError);
  EXPECT_THROW(Parse({"--missing-marker", "x", "--no-missing-markers"}), CLI::ExcludesError);
}

}  // namespace
}  // namespace trainyard
