#include "client/describe_dataset.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "gmock/gmock.h"
#include "google/protobuf/text_format.h"
#include "gtest/gtest.h"

namespace trainyard {
namespace {

using testing::HasSubstr;
using testing::Not;

v1::Dataset Dataset(const char* text) {
  v1::Dataset dataset;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &dataset));
  return dataset;
}

// 200 rows of people.
v1::Dataset People() {
  return Dataset(R"(
    name: "datasets/p" state: READY row_count: 200 size_bytes: 2048
    format: FILE_FORMAT_CSV compression: COMPRESSION_GZIP
    csv { delimiter: "\t" header: PRESENT decimal_mark: COMMA quote: DOUBLE
          missing_markers: "?" missing_markers: "NA" }
    columns { name: "age" type: COLUMN_TYPE_NUMERIC kind: COLUMN_KIND_NUMERIC
              missing_count: 10 distinct_count: 60 min: 17 max: 90 mean: 38.5
              standard_deviation: 13.25
              quantiles { probability: 0.01 value: 18 } quantiles { probability: 0.05 value: 19 }
              quantiles { probability: 0.25 value: 28 } quantiles { probability: 0.5 value: 37 }
              quantiles { probability: 0.75 value: 48 } quantiles { probability: 0.95 value: 63 }
              quantiles { probability: 0.99 value: 74 } }
    columns { name: "work" type: COLUMN_TYPE_TEXT kind: COLUMN_KIND_CATEGORY kind_given: true
              distinct_count: 5
              top_values { value: "private" count: 100 } top_values { value: "state" count: 50 }
              top_values { value: "self" count: 25 } top_values { value: "none" count: 15 }
              top_values { value: "other" count: 10 } }
    columns { name: "id" type: COLUMN_TYPE_TEXT kind: COLUMN_KIND_IDENTIFIER distinct_count: 200
              top_values { value: "a1" count: 1 } }
    columns { name: "rich" type: COLUMN_TYPE_NUMERIC kind: COLUMN_KIND_BOOLEAN
              distinct_count: 2 missing_count: 1 min: 0 max: 1 mean: 0.25 integers: true
              top_values { value: "0" count: 150 } top_values { value: "1" count: 49 } }
    warnings { code: IDENTIFIER_COLUMN column: "id" message: "a value of its own in every row" }
    warnings { code: DUPLICATE_ROWS message: "3 rows occur more than once" })");
}

TEST(DescribeDatasetTest, SaysHowItWasReadAndWhatIsInIt) {
  const std::string text = DescribeDataset(People());
  for (const char* line :
       {"datasets/p  READY\n", "  rows           200 (0 dropped as bad)\n",
        "  columns        4: 1 numeric, 1 category, 1 boolean, 1 identifier\n",
        "  read as        csv, gzip, delimiter tab, header present, decimal mark comma, quote "
        "double\n",
        "  missing cells  empty, ?, NA\n"}) {
    EXPECT_THAT(text, HasSubstr(line));
  }
  EXPECT_THAT(text, HasSubstr("warning: column \"id\": a value of its own in every row\n"
                              "warning: 3 rows occur more than once\n"));
}

TEST(DescribeDatasetTest, NumbersHaveTheirFiguresAndCategoriesTheirCounts) {
  const std::string text = DescribeDataset(People());
  EXPECT_THAT(
      text,
      HasSubstr(
          "#  COLUMN  KIND       MISSING  DISTINCT  MIN  5%  MEDIAN  95%  MAX  MEAN  STDDEV\n"
          "0  age     numeric  10 (5.0%)        60   17  19      37   63   90  38.5   13.25\n"));
  for (const char* line : {"1  work    category (given)         0         5  private      100  50.0%",
                           "state         50  25.0%", "and 2 more    25  12.5%", "2  id      identifier",
                           "3  rich    boolean"}) {
    EXPECT_THAT(text, HasSubstr(line));
  }
}

TEST(DescribeDatasetTest, OnANarrowTerminalFiguresAreLeftOutNotWrapped) {
  for (const size_t width : {60, 80, 100}) {
    const std::string text = DescribeDataset(People(), {.width = width});
    const size_t table = text.find("#  COLUMN");
    const std::vector<std::string> lines =
        absl::StrSplit(text.substr(table, text.find("warning:") - table), '\n');
    for (const std::string& line : lines) EXPECT_LE(DisplayWidth(line), width) << line;
  }
  EXPECT_THAT(DescribeDataset(People(), {.width = 60}), Not(HasSubstr("95%")));
  EXPECT_THAT(DescribeDataset(People(), {.width = 100}), HasSubstr("95%"));
}

TEST(DescribeDatasetTest, AWideTableIsBounded) {
  v1::Dataset wide;
  wide.set_name("datasets/w");
  wide.set_state(v1::Dataset::READY);
  wide.set_row_count(3);
  for (int i = 0; i < 784; ++i) {
    v1::Column* const column = wide.add_columns();
    column->set_name(absl::StrCat("c", i));
    column->set_type(v1::COLUMN_TYPE_NUMERIC);
    column->set_kind(v1::COLUMN_KIND_NUMERIC);
  }
  const std::string text = DescribeDataset(wide);
  EXPECT_THAT(text, HasSubstr("\n49  c49 "));
  EXPECT_THAT(text, Not(HasSubstr("c50 ")));
  EXPECT_THAT(text, HasSubstr("and 734 more columns: trainyard dataset show datasets/w --all"));
  EXPECT_THAT(DescribeDataset(wide, {.all = true}), HasSubstr("\n783  c783 "));
}

TEST(DescribeDatasetTest, ADatasetFromBeforeKindsIsShownByItsTypes) {
  const std::string text = DescribeDataset(Dataset(R"(
    name: "datasets/o" state: READY row_count: 2 csv { delimiter: "," }
    columns { name: "x" type: COLUMN_TYPE_NUMERIC distinct_count: 2 min: 1 max: 2 }
    columns { name: "t" type: COLUMN_TYPE_TEXT distinct_count: 1
              top_values { value: "a" count: 2 } })"));
  EXPECT_THAT(text, HasSubstr("read as        delimiter \",\"\n"));
  EXPECT_THAT(text, HasSubstr("0  x       numeric        0         2    1   -       -    -    2"));
  EXPECT_THAT(text, HasSubstr("1  t       text        0         1  a         2  100.0%  █"));
}

TEST(DescribeDatasetTest, WhatIsMissingEverywhereHasNoFigures) {
  const std::string text = DescribeDataset(Dataset(R"(
    name: "datasets/e" state: READY row_count: 2
    columns { name: "x" type: COLUMN_TYPE_NUMERIC kind: COLUMN_KIND_CONSTANT missing_count: 2 })"));
  EXPECT_THAT(text, HasSubstr("2 (100.0%)         0    -   -       -    -    -     -       -\n"));
}

TEST(DescribeDatasetTest, DroppedRowsAreListedAFewOfThem) {
  v1::Dataset dataset = People();
  for (int i = 0; i < 100; ++i) {
    v1::RejectedCell* const cell = dataset.add_rejected_cells();
    cell->set_line(i + 2);
    cell->set_column("age");
    cell->set_expected("a number");
    cell->set_actual("\x1b[2J");
  }
  const std::string text = DescribeDataset(dataset);
  EXPECT_THAT(text,
              HasSubstr("LINE  COLUMN  EXPECTED  ACTUAL\n   2  age     a number  \\x1B[2J\n"));
  EXPECT_THAT(text, HasSubstr("  11  age"));
  EXPECT_THAT(text, Not(HasSubstr("  12  age")));
  EXPECT_THAT(text, HasSubstr("all of them: trainyard dataset rejects datasets/p\n"));
}

TEST(DescribeColumnTest, HasAllQuantilesAndAllValues) {
  const v1::Dataset people = People();
  EXPECT_EQ(DescribeColumn(people, people.columns(0)),
            "age  numeric\n"
            "  type           numeric\n"
            "  rows           200\n"
            "  missing        10 (5.0%)\n"
            "  distinct       60\n"
            "  min                    17\n"
            "  1%                     18\n"
            "  5%                     19\n"
            "  25%                    28\n"
            "  50%                    37\n"
            "  75%                    48\n"
            "  95%                    63\n"
            "  99%                    74\n"
            "  max                    90\n"
            "  mean                 38.5\n"
            "  standard deviation  13.25\n");
  const std::string work = DescribeColumn(people, people.columns(1));
  EXPECT_THAT(work, HasSubstr("other      10   5.0%  ▊\n"));
  EXPECT_THAT(work, Not(HasSubstr("more")));
  EXPECT_THAT(DescribeColumn(people, people.columns(2)), HasSubstr("a value of its own"));
}

TEST(ClassBalanceTest, NamesTheRarestClassAndTheMissingRows) {
  const v1::Dataset people = People();
  const std::string text = DescribeClassBalance(people, people.columns(3));
  EXPECT_THAT(text, HasSubstr("\"rich\" in 200 rows:\n"
                              "CLASS    ROWS  SHARE\n"
                              "0         150  75.0%  ████████████\n"
                              "1          49  24.5%  ███▉\n"
                              "missing     1   0.5%  ▏\n"));
  EXPECT_THAT(text,
              HasSubstr("the rarest class has 49 rows; the most frequent has 3.061 times as many"));
}

TEST(ClassBalanceTest, AQuantityIsSaidToBeOne) {
  const v1::Dataset people = People();
  const std::string text = DescribeClassBalance(people, people.columns(0));
  EXPECT_THAT(text, HasSubstr("\"age\" in 200 rows: a quantity of 60 different values\n"));
  EXPECT_THAT(text, HasSubstr("  50%                    37\n"));
}

}  // namespace
}  // namespace trainyard
