#include "core/data/column_kind.h"

#include <functional>
#include <string>

#include "absl/strings/str_cat.h"
#include "core/data/column_stats.h"
#include "tests/support/status_matchers.h"

namespace trainyard {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

Column Numbers(const std::string& name, int64_t rows, const std::function<double(int64_t)>& at) {
  std::vector<double> numbers;
  for (int64_t i = 0; i < rows; ++i) numbers.push_back(at(i));
  Column column;
  column.name = name;
  column.numbers = std::move(numbers);
  column.stats = ComputeStats(column);
  return column;
}

// `values` different texts in turn, with `text` before each number.
Column Texts(const std::string& name, int64_t rows, int64_t values, const std::string& text) {
  Column column;
  column.name = name;
  column.type = ColumnType::kText;
  for (int64_t i = 0; i < values; ++i) column.categories.push_back(absl::StrCat(text, 10'000 + i));
  std::vector<int32_t> codes;
  for (int64_t i = 0; i < rows; ++i) codes.push_back(static_cast<int32_t>(i % values));
  column.codes = std::move(codes);
  column.stats = ComputeStats(column);
  return column;
}

Column TwoTexts(const std::string& a, const std::string& b) {
  Column column = Texts("c", 30, 2, "");
  column.categories = {a, b};
  return column;
}

struct Case {
  Column column;
  int64_t rows;
  ColumnKind kind;
};

void ExpectKinds(const std::vector<Case>& cases) {
  for (const Case& c : cases) {
    SCOPED_TRACE(absl::StrCat(c.column.name, ", ", c.rows, " rows, ", c.column.stats.distinct_count,
                              " different"));
    EXPECT_EQ(KindName(InferKind(c.column, c.rows)), KindName(c.kind));
  }
}

TEST(ColumnKindTest, Numbers) {
  const auto counter = [](double first) {
    return [=](int64_t i) { return first + static_cast<double>(i); };
  };
  const auto turns = [](int64_t n) {
    return [=](int64_t i) { return static_cast<double>(i % n); };
  };
  const auto halves = [](int64_t i) { return 0.5 * static_cast<double>(i); };
  ExpectKinds({
      {Numbers("one", 9, [](int64_t) { return 7.0; }), 9, ColumnKind::kConstant},
      {Numbers("none", 9, [](int64_t) { return Column::kMissingNumber; }), 9,
       ColumnKind::kConstant},
      {Numbers("one or missing", 9, [](int64_t i) { return i > 2 ? 1 : Column::kMissingNumber; }),
       9, ColumnKind::kNumeric},
      {Numbers("flag", 9, turns(2)), 9, ColumnKind::kBoolean},
      {Numbers("sign", 9, [](int64_t i) { return i % 2 == 0 ? -1.0 : 1.0; }), 9,
       ColumnKind::kBoolean},
      {Numbers("one two", 300, [](int64_t i) { return i % 2 == 0 ? 1.0 : 2.0; }), 300,
       ColumnKind::kIntegerCategory},
      {Numbers("twenty", 200, turns(20)), 200, ColumnKind::kIntegerCategory},
      {Numbers("twenty", 199, turns(20)), 199, ColumnKind::kNumeric},
      {Numbers("twenty-one", 200, turns(21)), 200, ColumnKind::kNumeric},
      {Numbers("halves", 200, [](int64_t i) { return 0.5 * static_cast<double>(i % 3); }), 200,
       ColumnKind::kNumeric},
      {Numbers("row names", 20, counter(500)), 20, ColumnKind::kIdentifier},
      {Numbers("id", 19, counter(0)), 19, ColumnKind::kNumeric},
      {Numbers("id", 20, turns(19)), 20, ColumnKind::kNumeric},
      {Numbers("id", 20, halves), 20, ColumnKind::kNumeric},
      {Numbers("x", 200, counter(1)), 200, ColumnKind::kIdentifier},
      {Numbers("x", 199, counter(1)), 199, ColumnKind::kNumeric},
      {Numbers("year", 300, counter(1700)), 300, ColumnKind::kNumeric},
      {Numbers("income", 300, [](int64_t i) { return static_cast<double>(i * i); }), 300,
       ColumnKind::kNumeric},
      {Numbers("weight", 300, halves), 300, ColumnKind::kNumeric},
  });
}

TEST(ColumnKindTest, Texts) {
  ExpectKinds({
      {Texts("same", 9, 1, "a"), 9, ColumnKind::kConstant},
      {TwoTexts("No", "Yes"), 30, ColumnKind::kBoolean},
      {TwoTexts("T", "f"), 30, ColumnKind::kBoolean},
      {TwoTexts("female", "male"), 30, ColumnKind::kCategory},
      {Texts("job", 30, 7, "job "), 30, ColumnKind::kCategory},
      {Texts("code", 49, 49, "a"), 49, ColumnKind::kCategory},
      {Texts("code", 50, 50, "a"), 50, ColumnKind::kIdentifier},
      {Texts("code", 100, 95, "a"), 100, ColumnKind::kCategory},
      {Texts("code", 100, 96, "a"), 100, ColumnKind::kIdentifier},
      {Texts("sentence", 100, 100, "it was "), 100, ColumnKind::kCategory},
      {Texts("sentence", 200, 200, "it was "), 200, ColumnKind::kFreeText},
      {Texts("order_id", 25, 25, "no "), 25, ColumnKind::kIdentifier},
      {Texts("city", 200, 100, "x"), 200, ColumnKind::kCategory},
      {Texts("city", 200, 101, "x"), 200, ColumnKind::kFreeText},
      {Texts("city", 9000, 1000, "x"), 9000, ColumnKind::kCategory},
      {Texts("city", 9000, 1001, "x"), 9000, ColumnKind::kFreeText},
  });
}

TEST(ColumnKindTest, NamesOfIdentifiers) {
  for (const char* name :
       {"id", "ID", "PassengerId", "customer_id", "case-id", "uuid", "Unnamed: 0", "index", "row",
        "row_number", "RowNumber", "session key", "rowid"}) {
    EXPECT_TRUE(LooksLikeIdentifier(name)) << name;
  }
  for (const char* name : {"paid", "grid", "idea", "consumer price index", "monkey", "rows",
                           "humid", "", "width", "id count", "arrow"}) {
    EXPECT_FALSE(LooksLikeIdentifier(name)) << name;
  }
}

TEST(ColumnOverrideTest, ByNameAndByIndex) {
  ASSERT_OK_AND_ASSIGN(const std::vector<ColumnKind> kinds,
                       ResolveOverrides({{"age"}, {"job", ColumnType::kText}, {"zip"}},
                                        {{.name = "zip", .kind = ColumnKind::kCategory},
                                         {.index = 1, .kind = ColumnKind::kFreeText}}));
  EXPECT_THAT(kinds,
              ElementsAre(ColumnKind::kUnspecified, ColumnKind::kFreeText, ColumnKind::kCategory));
}

TEST(ColumnOverrideTest, AllFaultsAtOnce) {
  const absl::Status status = ResolveOverrides({{"age"}, {"job", ColumnType::kText}},
                                               {{.name = "agr", .kind = ColumnKind::kCategory},
                                                {.index = 2, .kind = ColumnKind::kCategory},
                                                {.name = "job", .kind = ColumnKind::kNumeric},
                                                {.name = "age", .kind = ColumnKind::kFreeText},
                                                {.name = "age", .kind = ColumnKind::kCategory},
                                                {.index = 0, .kind = ColumnKind::kNumeric},
                                                {.name = "job"},
                                                {.kind = ColumnKind::kCategory}})
                                  .status();
  EXPECT_THAT(status, HasReason(ErrorReason::kInvalidRequest));
  const auto info = GetErrorInfo(status);
  const auto is = [](int i, const char* words) {
    return testing::AllOf(
        testing::Field(&FieldViolation::field, absl::StrCat("column_overrides[", i, "]")),
        testing::Field(&FieldViolation::description, HasSubstr(words)));
  };
  EXPECT_THAT(info->violations,
              ElementsAre(is(0, "did you mean \"age\""), is(1, "no column 2; the table has 2"),
                          is(2, "cannot be numeric"), is(3, "cannot be free text"),
                          is(5, "a kind twice"), is(6, "which kind"), is(7, "name a column")));
}

}  // namespace
}  // namespace trainyard
