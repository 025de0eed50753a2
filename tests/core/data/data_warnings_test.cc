#include "core/data/data_warnings.h"

#include <cmath>
#include <functional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "core/base/limits.h"
#include "core/base/rng.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/data_builders.h"
#include "tests/support/status_matchers.h"

namespace trainyard {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;

// What is said of a dataset when `config` is resolved and built without faults.
std::vector<std::string> WarningsOf(const Table& table, const DataConfig& config,
                                    const Table* test_table = nullptr, uint64_t seed = 0) {
  std::vector<FieldViolation> violations;
  std::vector<std::string> notes;
  const DataConfig resolved = ResolveDataConfig(config, SchemaOf(table), &violations, &notes);
  EXPECT_THAT(violations, IsEmpty());
  std::vector<std::string> warnings;
  const auto dataset =
      BuildDataset(table, resolved, seed, {.test_table = test_table, .warnings = &warnings});
  EXPECT_THAT(dataset, IsOk());
  return warnings;
}

// A table of `rows` rows of three independent normal features, whatever `cells` adds to each row,
// and the target "y", which is a noisy function of the first.
struct Row {
  int64_t index = 0;
  double noise = 0;   // of the target
  double number = 0;  // the target of a regression
  bool yes = false;   // that of two classes
  Rng* rng = nullptr;
};
using Cells = std::function<std::string(const Row&)>;

std::string CsvOf(const std::string& header, int64_t rows, const Cells& cells,
                  const Cells& target) {
  Rng rng(17, RngStream::kAnalysis);
  std::string csv = absl::StrCat("a,b,c,", header, header.empty() ? "" : ",", "y\n");
  for (int64_t i = 0; i < rows; ++i) {
    const double a = rng.Normal();
    Row row{.index = i, .noise = rng.Normal(), .rng = &rng};
    row.number = 3 * a + row.noise;
    row.yes = row.number > 0.3;
    absl::StrAppend(&csv, a, ",", rng.Normal(), ",", rng.Normal(), ",");
    if (!header.empty()) absl::StrAppend(&csv, cells(row), ",");
    absl::StrAppend(&csv, target(row), "\n");
  }
  return csv;
}

std::string YesOrNo(const Row& row) { return row.yes ? "yes" : "no"; }
std::string Number(const Row& row) { return absl::StrCat(row.number); }
std::string Nothing(const Row& /*row*/) { return ""; }

Table Sample(const std::string& header = "", const Cells& cells = Nothing,
             const Cells& target = YesOrNo, int64_t rows = 400) {
  return TableOf(CsvOf(header, rows, cells, target));
}

TEST(DataWarningsTest, NothingIsSaidOfGoodData) {
  EXPECT_THAT(WarningsOf(Sample(), {}), IsEmpty());
  EXPECT_THAT(WarningsOf(Sample("", Nothing, Number), {}), IsEmpty());
  for (const char* name : {"iris", "wdbc"}) {
    const Table table =
        TableOf(ReadFileForTest(absl::StrCat(TY_SOURCE_DIR, "/tests/data/", name, ".csv")));
    DataConfig config;
    config.target_column = table.columns.back().name;
    for (uint64_t seed = 0; seed < 10; ++seed) {
      EXPECT_THAT(WarningsOf(table, config, nullptr, seed), IsEmpty()) << name << " " << seed;
    }
  }
}

TEST(TargetLeaksTest, ACopyAndANearCopyOfANumberAreFound) {
  const auto found = [](const Cells& cells) {
    return WarningsOf(Sample("leak", cells, Number), {});
  };
  EXPECT_THAT(found(Number), ElementsAre(AllOf(HasSubstr("column \"leak\" equals the target \"y\""),
                                               HasSubstr("in all 280 training rows"),
                                               HasSubstr("exclude_columns"))));
  EXPECT_THAT(
      found([](const Row& r) { return absl::StrCat(-2 * r.number + 0.05 * r.rng->Normal()); }),
      ElementsAre(HasSubstr("nearly determines the target \"y\": their correlation is -0.9"
                            "9")));
  // Correlation about 0.995.
  EXPECT_THAT(found([](const Row& r) { return absl::StrCat(r.number + 0.3 * r.rng->Normal()); }),
              IsEmpty());
}

TEST(TargetLeaksTest, ValuesThatTellTheClassAreFound) {
  const auto found = [](const Cells& cells) { return WarningsOf(Sample("leak", cells), {}); };
  EXPECT_THAT(found([](const Row& r) { return std::string(r.yes ? "7" : "3"); }),
              ElementsAre(HasSubstr("column \"leak\" nearly determines")));
  // Several values of each class, in no order, one of a thousand wrong.
  const auto code = [](const Row& r, double right) {
    const bool yes = r.rng->Uniform() < right ? r.yes : !r.yes;
    return absl::StrCat(r.index % 4 * 2 + (yes ? 0 : 1));
  };
  EXPECT_THAT(found([&](const Row& r) { return code(r, 0.999); }),
              ElementsAre(HasSubstr("its values tell the class of")));
  EXPECT_THAT(found([&](const Row& r) { return code(r, 0.95); }), IsEmpty());
  // Each value in one row: knows nothing of others.
  EXPECT_THAT(found([](const Row& r) { return absl::StrCat(r.yes ? 1000 : 2000 + r.index); }),
              Not(IsEmpty()));
  EXPECT_THAT(found([](const Row& r) { return absl::StrCat((r.yes ? 1000 : 2000) + r.index); }),
              IsEmpty());
}

TEST(TargetLeaksTest, ValuesThatTellOneOfManyClassesOrANumberAreFound) {
  const Cells kind = [](const Row& r) { return absl::StrCat("k", r.index * 7 % 5); };
  const Cells leak = [](const Row& r) { return absl::StrCat((r.index * 7 % 5) * 3 % 5); };
  EXPECT_THAT(WarningsOf(Sample("leak", leak, kind), {}),
              ElementsAre(AllOf(HasSubstr("column \"leak\" nearly determines the target"),
                                HasSubstr("100 % of the rows, a constant answer of"))));
  const Cells number = [](const Row& r) {
    return absl::StrCat(static_cast<double>((r.index * 7 % 5) * 3 % 5) + 0.01 * r.noise);
  };
  const Cells code = [](const Row& r) { return absl::StrCat(r.index * 7 % 5); };
  EXPECT_THAT(WarningsOf(Sample("leak", code, number), {}),
              ElementsAre(HasSubstr("of the variance in all 280")));
}

TEST(TargetLeaksTest, EachLabelIsComparedWithEachFeature) {
  const Table table = Sample(
      "leak,red", [](const Row& r) { return absl::StrCat(r.index % 2, ",", r.index % 2); },
      [](const Row& r) { return absl::StrCat(r.yes ? 1 : 0); });
  DataConfig config;
  config.label_columns = {"y", "red"};
  EXPECT_THAT(WarningsOf(table, config), ElementsAre(HasSubstr("equals the label \"red\"")));
}

TEST(TargetLeaksTest, FewRowsAgreeByChance) {
  const Table few = Sample("leak", Number, Number, 24);  // 16 training rows
  EXPECT_THAT(WarningsOf(few, {}), IsEmpty());
}

TEST(DuplicateRowsTest, RowsOfSeveralPartsAreCountedWithExamples) {
  std::string csv = CsvOf("", 300, Nothing, Number);
  const std::string body = csv.substr(csv.find('\n') + 1);
  EXPECT_THAT(
      WarningsOf(TableOf(csv + body), {}),
      testing::Contains(AllOf(HasSubstr(" of 90 test rows, "),
                              HasSubstr("have the features of a training or validation row: "
                                        "row "),
                              HasSubstr("split.group_column"))));
  // By groups nothing is in two parts.
  std::string grouped = "id,a,b,c,y\n";
  for (int copy = 0; copy < 2; ++copy) {
    int id = 0;
    for (size_t i = 0; i < body.size(); i = body.find('\n', i) + 1) {
      absl::StrAppend(&grouped, "id", id++, ",", body.substr(i, body.find('\n', i) - i), "\n");
    }
  }
  DataConfig config;
  config.split.group_column = "id";
  EXPECT_THAT(WarningsOf(TableOf(grouped), config), IsEmpty());
}

TEST(DuplicateRowsTest, AFewAreChance) {
  std::string csv = CsvOf("", 400, Nothing, Number);
  const size_t begin = csv.find('\n') + 1;
  const std::string row = csv.substr(begin, csv.find('\n', begin) + 1 - begin);
  EXPECT_THAT(WarningsOf(TableOf(csv + row + row), {}), IsEmpty());
}

TEST(DuplicateRowsTest, ASeparateTestTableIsComparedToo) {
  const auto csv_of = [](int64_t first, absl::string_view other) {
    std::string csv = "x,kind,y\n";
    for (int64_t i = first; i < first + 60; ++i) {
      absl::StrAppend(&csv, i * i % 1009, ",", i % 2 == 0 ? "b" : other, ",", static_cast<double>(i % 7) * 0.31, "\n");
    }
    return csv;
  };
  const Table table = TableOf(csv_of(0, "c"));
  DataConfig config;
  config.separate_test = true;
  config.feature_columns = {"x"};
  const Table same = TableOf(csv_of(0, "a"));
  EXPECT_THAT(WarningsOf(table, config, &same),
              testing::Contains(HasSubstr("60 of 60 test rows, 100 %")));
  const Table others = TableOf(csv_of(400, "a"));
  EXPECT_THAT(WarningsOf(table, config, &others), Not(testing::Contains(HasSubstr("test rows"))));
}

TEST(ClassWarningsTest, AClassWithFewerThanTwoRowsInAPartIsNamed) {
  const Cells rare = [](const Row& r) -> std::string {
    return r.index % 100 == 3 ? "rare" : YesOrNo(r);
  };
  const std::vector<std::string> warnings = WarningsOf(Sample("", Nothing, rare, 200), {});
  EXPECT_THAT(warnings, testing::Contains(AllOf(HasSubstr("fewer than 2 of the 30"),
                                                HasSubstr("are of class \"rare\" (0)"),
                                                HasSubstr("metrics say nothing about it"))));
}

TEST(ClassWarningsTest, SevereImbalanceIsToldWithTheAccuracyOfAConstantAnswer) {
  const Cells rare = [](const Row& r) -> std::string { return r.index % 200 < 1 ? "yes" : "no"; };
  DataConfig config;
  config.split.stratify = true;
  EXPECT_THAT(WarningsOf(Sample("", Nothing, rare, 4000), config),
              ElementsAre(AllOf(HasSubstr("class \"yes\" (0.5 %)"),
                                HasSubstr("answering always \"no\" is right in 99.5 %"))));
  const Cells fair = [](const Row& r) -> std::string { return r.index % 50 < 1 ? "yes" : "no"; };
  EXPECT_THAT(WarningsOf(Sample("", Nothing, fair, 4000), config), IsEmpty());
  // 150 classes of equal size are no imbalance.
  const Cells many = [](const Row& r) { return absl::StrCat("k", r.index % 150); };
  EXPECT_THAT(WarningsOf(Sample("", Nothing, many, 3000), config), IsEmpty());
}

TEST(ClassWarningsTest, ALabelThatAlmostNobodyHasAndANumberThatAlmostEveryRowHas) {
  const Table labels = Sample(
      "rare", [](const Row& r) { return absl::StrCat(r.index % 200 == 0 ? 1 : 0); },
      [](const Row& r) { return absl::StrCat(r.yes ? 1 : 0); }, 4000);
  DataConfig config;
  config.label_columns = {"y", "rare"};
  EXPECT_THAT(WarningsOf(labels, config), ElementsAre(HasSubstr("\"rare\" (0.")));
  const Cells zeros = [](const Row& r) { return r.index % 200 == 0 ? Number(r) : "0"; };
  EXPECT_THAT(WarningsOf(Sample("", Nothing, zeros, 4000), {}),
              ElementsAre(HasSubstr("the target is 0 in 99.")));
}

TEST(FeatureWarningsTest, FeaturesThatAreConstantInTheTrainingRowsAreNamed) {
  std::string csv = "a,flag,part,y\n";
  Rng rng(5, RngStream::kAnalysis);
  for (int i = 0; i < 100; ++i) {
    absl::StrAppend(&csv, rng.Normal(), ",", i % 4 == 0 ? 1 : 0, ",", i % 4 == 0 ? "val" : "train",
                    ",", rng.Normal(), "\n");
  }
  DataConfig config;
  config.split.part_column = "part";
  EXPECT_THAT(WarningsOf(TableOf(csv), config),
              ElementsAre(AllOf(HasSubstr("same in every training row"), HasSubstr("\"flag\""))));
}

TEST(FeatureWarningsTest, FarNumbersAreToldWhenScalingIsOff) {
  const Cells far = [](const Row& r) { return absl::StrCat(50'000 + 20'000 * r.rng->Normal()); };
  const Table table = Sample("wage", far, Number);
  EXPECT_THAT(WarningsOf(table, {}), IsEmpty());
  DataConfig config;
  config.scaling = Scaling::kNone;
  EXPECT_THAT(WarningsOf(table, config),
              ElementsAre(AllOf(HasSubstr("\"wage\" (mean "), HasSubstr("standardize"))));
  EXPECT_THAT(WarningsOf(Sample("", Nothing, Number), config), IsEmpty());
  const Cells tiny = [](const Row& r) { return absl::StrCat(1e-4 * r.rng->Normal()); };
  EXPECT_THAT(WarningsOf(Sample("tiny", tiny, Number), config),
              ElementsAre(HasSubstr("their deviations reach from ")));
}

TEST(DataWarningsTest, NoMoreThanTheLimitAreSaid) {
  std::string header = "l0";
  for (int i = 1; i < 30; ++i) absl::StrAppend(&header, ",l", i);
  const Cells leaks = [](const Row& r) {
    std::string cells = absl::StrCat(r.number);
    for (int i = 1; i < 30; ++i) absl::StrAppend(&cells, ",", r.number);
    return cells;
  };
  const std::vector<std::string> warnings = WarningsOf(Sample(header, leaks, Number), {});
  ASSERT_THAT(warnings, SizeIs(limits::kDataWarningsMax));
  EXPECT_THAT(warnings.front(), HasSubstr("column \"l0\""));
  EXPECT_THAT(warnings.back(), HasSubstr("left out"));
}

TEST(DataWarningsTest, OfManyRowsEvenlySpacedOnesAreLookedAt) {
  EXPECT_THAT(EvenlySpaced(4, 10), ElementsAre(0, 2, 5, 7));
  EXPECT_THAT(EvenlySpaced(3, 3), ElementsAre(0, 1, 2));
  EXPECT_THAT(EvenlySpaced(0, 5), IsEmpty());
  EXPECT_EQ(PercentText(0.12345), "12.35 %");
}

}  // namespace
}  // namespace trainyard
