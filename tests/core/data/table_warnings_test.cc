#include "core/data/table_warnings.h"

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/data_builders.h"

namespace trainyard {
namespace {

using Code = TableWarning::Code;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Pair;
using ::testing::UnorderedElementsAre;

std::vector<std::pair<Code, std::string>> Found(const std::string& csv) {
  std::vector<std::pair<Code, std::string>> found;
  for (const TableWarning& warning : FindTableWarnings(TableOf(csv))) {
    EXPECT_FALSE(warning.message.empty());
    found.emplace_back(warning.code, warning.column);
  }
  return found;
}

// Rows 0 … count - 1, by a function of the row number.
template <typename RowText>
std::string Csv(const std::string& header, int count, RowText row) {
  std::string csv = header + "\n";
  for (int i = 0; i < count; ++i) absl::StrAppend(&csv, row(i), "\n");
  return csv;
}

TEST(TableWarningsTest, OrdinaryTablesHaveNone) {
  EXPECT_THAT(Found("a,b\n1.5,x\n2,y\n7,x\n3.25,y\n"), IsEmpty());
  const std::string wdbc = ReadFileForTest(TY_SOURCE_DIR "/tests/data/wdbc.csv");
  for (const TableWarning& warning : FindTableWarnings(TableOf(wdbc))) {
    ADD_FAILURE() << warning.column << ": " << warning.message;
  }
}

TEST(TableWarningsTest, ConstantAndMissingColumns) {
  EXPECT_THAT(Found("a,b,c\n1,5,\n2,5,\n3,5,\n4,5,9\n"),
              UnorderedElementsAre(Pair(Code::kConstantColumn, "b"),
                                   Pair(Code::kMostlyMissingColumn, "c")));
}

TEST(TableWarningsTest, IdentifiersAndFreeText) {
  const std::string csv = Csv("id,x,note", 300, [](int i) {
    return absl::StrCat(i, ",", (i * 37) % 101, ".5,", "words that say ", i * i, " things");
  });
  EXPECT_THAT(Found(csv), UnorderedElementsAre(Pair(Code::kIdentifierColumn, "id"),
                                               Pair(Code::kFreeTextColumn, "note")));
}

TEST(TableWarningsTest, EqualColumnsAreNamedWithTheFirst) {
  const std::vector<TableWarning> warnings =
      FindTableWarnings(TableOf("a,b,c,d\n1.5,x,1.5,x\n,y,,y\n2,y,2,x\n"));
  ASSERT_EQ(warnings.size(), 1u);
  EXPECT_EQ(warnings[0].code, Code::kDuplicateColumn);
  EXPECT_EQ(warnings[0].column, "c");
  EXPECT_THAT(warnings[0].message, HasSubstr("\"a\""));
}

TEST(TableWarningsTest, EqualRowsAreCounted) {
  const std::vector<TableWarning> warnings =
      FindTableWarnings(TableOf("a,b\n1.5,x\n2,y\n1.5,x\n2,z\n1.5,x\n"));
  ASSERT_EQ(warnings.size(), 1u);
  EXPECT_EQ(warnings[0].code, Code::kDuplicateRows);
  EXPECT_THAT(warnings[0].message, HasSubstr("2 rows are equal"));
  EXPECT_THAT(warnings[0].message, HasSubstr("row 2 to row 0"));
}

// Their hashes are looked at slice by slice: the first row is told all the same.
TEST(TableWarningsTest, EqualRowsAreFoundAmongManyAndColumnsAreGivenBack) {
  const Table table = TableOf(
      Csv("a,b", 5000, [](int i) { return absl::StrCat(i < 2000 ? i : i - 1000, ".5,x", i % 2); }));
  std::vector<std::string> read;
  const std::vector<TableWarning> warnings =
      FindTableWarnings(table, [&read](const Column& column) { read.push_back(column.name); });
  ASSERT_EQ(warnings.size(), 1u);
  EXPECT_THAT(warnings[0].message, HasSubstr("1000 rows are equal"));
  EXPECT_THAT(warnings[0].message, HasSubstr("row 2000 to row 1000"));
  EXPECT_THAT(read, ElementsAre("a", "b", "a", "b", "a", "b"));
}

TEST(TableWarningsTest, CodesForMissingLookExtreme) {
  const std::string csv =
      Csv("x", 200, [](int i) { return absl::StrCat(i == 77 ? -9999.0 : (i % 50) + i * 0.001); });
  EXPECT_THAT(Found(csv), ElementsAre(Pair(Code::kExtremeValues, "x")));
}

TEST(TableWarningsTest, CategoriesThatDifferInCaseOrSpaces) {
  const std::string csv = Csv("x,kind", 20, [](int i) {
    return absl::StrCat(i, ".5,", i == 3 ? "New  york" : i % 2 == 0 ? "New York" : "Oslo");
  });
  const std::vector<TableWarning> warnings = FindTableWarnings(TableOf(csv));
  ASSERT_EQ(warnings.size(), 1u);
  EXPECT_EQ(warnings[0].code, Code::kSimilarCategories);
  EXPECT_THAT(warnings[0].message, HasSubstr("New York"));
}

}  // namespace
}  // namespace trainyard
