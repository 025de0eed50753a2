#include "core/data/dataset.h"

#include <cmath>
#include <optional>
#include <span>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/base/rng.h"
#include "core/data/split.h"
#include "tests/support/data_builders.h"
#include "tests/support/status_matchers.h"

namespace trainyard {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

// 40 rows: features x and y, text "kind" (a, b in turn), a numeric "group" of 0, 1, 2 and a
// constant.
Table SampleTable() {
  std::string csv = "x,y,kind,group,same\n";
  for (int i = 0; i < 40; ++i) {
    absl::StrAppend(&csv, i * 0.5, ",", 100 - i, ",", i % 2 == 0 ? "b" : "a", ",", i % 3, ",5\n");
  }
  return TableOf(csv);
}

DataConfig SampleConfig() {
  DataConfig config;
  config.target_column = "kind";
  config.feature_columns = {"x", "y"};
  return config;
}

struct Resolution {
  DataConfig config;
  std::vector<FieldViolation> violations;
  std::vector<std::string> notes;
};

Resolution Resolve(const DataConfig& config, const Table& table = SampleTable()) {
  Resolution r;
  r.config = ResolveDataConfig(config, SchemaOf(table), &r.violations, &r.notes);
  return r;
}

TEST(ResolveDataTest, FillsInEveryChoice) {
  DataConfig config;
  config.target_column = "kind";
  config.exclude_columns = {"group"};
  config.scaling = Scaling::kUnspecified;
  const Resolution r = Resolve(config);
  EXPECT_THAT(r.violations, IsEmpty());
  EXPECT_EQ(r.config.task, Task::kBinary);
  EXPECT_EQ(r.config.scaling, Scaling::kStandardize);
  EXPECT_THAT(r.config.feature_columns, ElementsAre("x", "y", "same"));
  EXPECT_THAT(r.config.exclude_columns, IsEmpty());
  EXPECT_THAT(r.notes,
              testing::Contains(HasSubstr("task: binary, because target \"kind\" is text")));
  EXPECT_THAT(r.notes, testing::Contains(HasSubstr("\"same\"")));
}

struct FaultCase {
  const char* name;
  void (*change)(DataConfig*);
  const char* field;
  const char* description;
};

// Each case changes a config without faults and has exactly one.
void ExpectFaults(std::span<const FaultCase> cases) {
  for (const FaultCase& c : cases) {
    SCOPED_TRACE(c.name);
    DataConfig config = SampleConfig();
    c.change(&config);
    const Resolution r = Resolve(config);
    ASSERT_THAT(r.violations, SizeIs(1));
    EXPECT_EQ(r.violations[0].field, c.field);
    EXPECT_THAT(r.violations[0].description, HasSubstr(c.description));
  }
}

TEST(ResolveDataTest, EachFaultOfTheColumnsIsNamedWithItsField) {
  const FaultCase cases[] = {
      {"unknown target", [](DataConfig* c) { c->target_column = "knd"; }, "target_column",
       "did you mean \"kind\"?"},
      {"nothing near", [](DataConfig* c) { c->target_column = "qqqqqq"; }, "target_column",
       "the columns are \"x\", \"y\""},
      {"unknown feature",
       [](DataConfig* c) {
         c->feature_columns = {"x", "yy"};
       },
       "feature_columns[1]", "did you mean \"y\"?"},
      {"feature twice",
       [](DataConfig* c) {
         c->feature_columns = {"x", "x"};
       },
       "feature_columns[1]", "named twice"},
      {"target as feature", [](DataConfig* c) { c->feature_columns = {"kind"}; },
       "feature_columns[0]", "is the target"},
      {"both lists", [](DataConfig* c) { c->exclude_columns = {"same"}; }, "exclude_columns",
       "together"},
      {"nothing left",
       [](DataConfig* c) {
         c->feature_columns = {};
         c->exclude_columns = {"x", "y", "group", "same"};
       },
       "feature_columns", "no column is left"},
      {"unknown exclusion",
       [](DataConfig* c) {
         c->feature_columns = {};
         c->exclude_columns = {"grup"};
       },
       "exclude_columns[0]", "did you mean \"group\"?"},
  };
  ExpectFaults(cases);
}

TEST(ResolveDataTest, EachFaultOfTaskAndSplitIsNamedWithItsField) {
  const FaultCase cases[] = {
      {"few integers ask for the task", [](DataConfig* c) { c->target_column = "group"; }, "task",
       "set task to multiclass to predict one of them, or to regression"},
      {"one class",
       [](DataConfig* c) {
         c->target_column = "same";
         c->task = Task::kBinary;
       },
       "target_column", "has 1 class only"},
      {"binary with three",
       [](DataConfig* c) {
         c->target_column = "group";
         c->task = Task::kBinary;
       },
       "task", "has 3"},
      {"regression on text", [](DataConfig* c) { c->task = Task::kRegression; }, "task",
       "needs a numeric target"},
      {"fraction out of range", [](DataConfig* c) { c->split.test_fraction = 1; },
       "split.test_fraction", "below 1"},
      {"fraction not a number", [](DataConfig* c) { c->split.validation_fraction = NAN; },
       "split.validation_fraction", "at least 0"},
      {"fractions together",
       [](DataConfig* c) { c->split = {.validation_fraction = 0.5, .test_fraction = 0.5}; },
       "split", "together"},
      {"a part without rows", [](DataConfig* c) { c->split.test_fraction = 0.01; },
       "split.test_fraction", "is no row"},
      {"no training rows",
       [](DataConfig* c) { c->split = {.validation_fraction = 0.495, .test_fraction = 0.495}; },
       "split", "to train on"},
      {"stratified regression",
       [](DataConfig* c) {
         c->target_column = "x";
         c->feature_columns = {"y"};
         c->split.stratify = true;
       },
       "split.stratify", "regression"},
  };
  ExpectFaults(cases);
}

// A sample table with a text column of parts and one of patients.
Table SplitTableOf40() {
  std::string csv = "x,patient,day,part,w,kind\n";
  for (int i = 0; i < 40; ++i) {
    absl::StrAppend(&csv, i * 0.5, ",p", i % 8, ",", 100 - i, ",",
                    i % 5 == 0   ? "test"
                    : i % 5 == 1 ? "VAL"
                                 : "train",
                    ",1,", i % 2 == 0 ? "b" : "a", "\n");
  }
  return TableOf(csv);
}

TEST(ResolveSplitTest, ColumnsOfTheSplitAreNoFeaturesAndFractionsAreChosenWhereThereAreSome) {
  const Table table = SplitTableOf40();
  DataConfig config;
  config.exclude_columns = {"w", "part", "patient"};
  config.split.time_column = "day";
  const DataConfig by_time = Resolve(config, table).config;
  EXPECT_THAT(by_time.feature_columns, ElementsAre("x"));
  EXPECT_EQ(by_time.split.validation_fraction, 0.15);
  EXPECT_EQ(by_time.split.test_fraction, 0.15);

  config.exclude_columns = {"w", "day", "patient"};
  config.split = {.part_column = "part"};
  const DataConfig by_part = Resolve(config, table).config;
  EXPECT_THAT(by_part.feature_columns, ElementsAre("x"));
  EXPECT_EQ(by_part.split.validation_fraction, std::nullopt);
  EXPECT_EQ(by_part.split.test_fraction, std::nullopt);
  EXPECT_EQ(CountSplit(SchemaOf(table), by_part.split), (SplitCounts{24, 8, 8}));

  config.exclude_columns = {"w", "day", "part"};
  config.split = {.group_column = "patient", .fold_count = 4};
  const Resolution by_fold = Resolve(config, table);
  EXPECT_THAT(by_fold.violations, IsEmpty());
  EXPECT_EQ(by_fold.config.split.validation_fraction, std::nullopt);
  EXPECT_EQ(by_fold.config.split.test_fraction, 0);
  const Resolution again = Resolve(by_fold.config, table);
  EXPECT_THAT(again.violations, IsEmpty());
  EXPECT_THAT(again.notes, IsEmpty());

  config.split = {.group_column = "patient"};
  config.separate_test = true;
  const DataConfig separate = Resolve(config, table).config;
  EXPECT_EQ(separate.split.validation_fraction, 0.15);
  EXPECT_EQ(separate.split.test_fraction, std::nullopt);
}

// Each has exactly one fault, against SplitTableOf40.
void ExpectSplitFaults(std::span<const FaultCase> cases) {
  const Table table = SplitTableOf40();
  for (const FaultCase& c : cases) {
    SCOPED_TRACE(c.name);
    DataConfig config;
    config.target_column = "kind";
    config.feature_columns = {"x"};
    config.weight_column = "w";
    c.change(&config);
    const Resolution r = Resolve(config, table);
    ASSERT_THAT(r.violations, SizeIs(1));
    EXPECT_EQ(r.violations[0].field, c.field);
    EXPECT_THAT(r.violations[0].description, HasSubstr(c.description));
  }
}

TEST(ResolveSplitTest, EachFaultOfTheColumnsIsNamedWithItsField) {
  const FaultCase cases[] = {
      {"unknown", [](DataConfig* c) { c->split.group_column = "patiant"; }, "split.group_column",
       "did you mean \"patient\"?"},
      {"target", [](DataConfig* c) { c->split.group_column = "kind"; }, "split.group_column",
       "to be predicted"},
      {"weight", [](DataConfig* c) { c->split.time_column = "w"; }, "split.time_column",
       "is the weight_column"},
      {"feature", [](DataConfig* c) { c->split.time_column = "x"; }, "feature_columns[0]",
       "of the split"},
      {"group and time",
       [](DataConfig* c) {
         c->split.group_column = "patient";
         c->split.time_column = "day";
       },
       "split.time_column", "together with split.group_column"},
      {"stratify and group",
       [](DataConfig* c) {
         c->split.group_column = "patient";
         c->split.stratify = true;
       },
       "split.stratify", "together with split.group_column"},
      {"parts that are numbers", [](DataConfig* c) { c->split.part_column = "day"; },
       "split.part_column", "is numbers"},
      {"parts that are none", [](DataConfig* c) { c->split.part_column = "patient"; },
       "split.part_column", "has the value \"p0\" in 5 rows"},
      {"parts and a fraction",
       [](DataConfig* c) { c->split = {.test_fraction = 0.2, .part_column = "part"}; },
       "split.test_fraction", "split.part_column says"},
      {"parts and a test table",
       [](DataConfig* c) {
         c->split.part_column = "part";
         c->separate_test = true;
       },
       "split.part_column", "8 rows for \"test\""},
      {"a fraction and a test table",
       [](DataConfig* c) {
         c->split.test_fraction = 0.2;
         c->separate_test = true;
       },
       "split.test_fraction", "test_dataset"},
  };
  ExpectSplitFaults(cases);
}

TEST(ResolveSplitTest, EachFaultOfTheFoldsIsNamedWithItsField) {
  const FaultCase cases[] = {
      {"one fold", [](DataConfig* c) { c->split.fold_count = 1; }, "split.fold_count",
       "from 2 to 64"},
      {"negative", [](DataConfig* c) { c->split.fold_count = -3; }, "split.fold_count",
       "from 2 to 64"},
      {"more folds than rows", [](DataConfig* c) { c->split.fold_count = 41; }, "split.fold_count",
       "41 of 40 rows"},
      {"more folds than rows beside the test",
       [](DataConfig* c) { c->split = {.test_fraction = 0.5, .fold_count = 21}; },
       "split.fold_count", "leaves folds without a row"},
      {"validation fraction",
       [](DataConfig* c) { c->split = {.validation_fraction = 0.1, .fold_count = 4}; },
       "split.validation_fraction", "each of split.fold_count folds validates once"},
      {"time", [](DataConfig* c) { c->split = {.time_column = "day", .fold_count = 4}; },
       "split.fold_count", "together with time_column"},
      {"too few groups",
       [](DataConfig* c) { c->split = {.group_column = "patient", .fold_count = 9}; },
       "split.group_column", "has 8 different values, and each of 9 folds"},
  };
  ExpectSplitFaults(cases);
}

TEST(ResolveSplitTest, AClassOfFewerRowsThanFoldsIsNamed) {
  const Table table = SplitTableOf40();
  DataConfig both;
  both.target_column = "kind";
  both.feature_columns = {"x"};
  both.split = {.stratify = true, .fold_count = 21};
  const Resolution r = Resolve(both, table);
  ASSERT_THAT(r.violations, SizeIs(2));
  EXPECT_EQ(r.violations[0].field, "split.stratify");
  EXPECT_THAT(r.violations[0].description, HasSubstr("class \"a\" has 20 rows"));
}

TEST(ResolveTargetTest, IsInferredAndSaid) {
  const auto target_of = [](const std::string& header, DataConfig config = {}) {
    const Resolution r = Resolve(config, TableOf(header + "\n1.5,2.5,3.5\n2.5,3.5,4.5\n"));
    return std::pair(r.config.target_column, r.notes.empty() ? "" : r.notes[0]);
  };
  EXPECT_THAT(target_of("a,Class,c"),
              testing::Pair("Class", HasSubstr("the only column with the name of a target")));
  EXPECT_THAT(target_of("a,b,c"), testing::Pair("c", HasSubstr("because it is the last column")));
  EXPECT_THAT(target_of("y,outcome,c"), testing::Pair("c", HasSubstr("the last column")));
  DataConfig config;
  config.weight_column = "c";
  EXPECT_THAT(target_of("a,b,c", config), testing::Pair("b", HasSubstr("the last column")));
  config.weight_column = "";
  config.feature_columns = {"y"};
  EXPECT_THAT(target_of("y,label,c", config), testing::Pair("label", HasSubstr("\"label\"")));
  config.feature_columns = {"a", "b", "c"};
  const Resolution none = Resolve(config, TableOf("a,b,c\n1,2,3\n"));
  ASSERT_THAT(none.violations, testing::Not(IsEmpty()));
  EXPECT_EQ(none.violations[0].field, "target_column");
}

TEST(ResolveTargetTest, NumbersThatAreSaidToBeCategoriesAreClassified) {
  DataConfig config = SampleConfig();
  config.target_column = "group";
  Table table = SampleTable();
  table.columns[3].kind = ColumnKind::kCategory;
  EXPECT_EQ(Resolve(config, table).config.task, Task::kUnspecified);  // inferred, so it still asks
  table.columns[3].kind_given = true;
  const Resolution r = Resolve(config, table);
  EXPECT_THAT(r.violations, IsEmpty());
  EXPECT_EQ(r.config.task, Task::kMulticlass);
  EXPECT_THAT(r.notes, ElementsAre(HasSubstr("was said to be a category")));
}

TEST(ResolveDataTest, AllFaultsAtOnce) {
  DataConfig config;
  config.target_column = "nope";
  config.feature_columns = {"x", "x", "gone"};
  config.split.test_fraction = -1;
  const Resolution r = Resolve(config);
  std::vector<std::string> fields;
  for (const FieldViolation& v : r.violations) fields.push_back(v.field);
  EXPECT_THAT(fields, ElementsAre("target_column", "feature_columns[1]", "feature_columns[2]",
                                  "split.test_fraction"));
}

TEST(ResolveDataTest, MissingCellsAreFilledInButForTheTarget) {
  const Table table = TableOf("a,b,t\n1,,x\n2,3,y\n4,5,\n6,7,x\n");
  DataConfig config;
  config.target_column = "t";
  config.split = {.validation_fraction = 0, .test_fraction = 0};
  const Resolution r = Resolve(config, table);
  ASSERT_THAT(r.violations, SizeIs(1));
  EXPECT_EQ(r.violations[0].field, "target_column");
  EXPECT_THAT(r.violations[0].description, HasSubstr("1 missing"));
  EXPECT_THAT(r.notes, testing::Contains(HasSubstr("\"b\" (1)")));
}

TEST(ResolveDataTest, AClassTooSmallToStratifyIsFoundFromTheCounts) {
  std::string csv = "x,t\n";
  for (int i = 0; i < 30; ++i) absl::StrAppend(&csv, i, ",", i < 2 ? "rare" : "common", "\n");
  DataConfig config;
  config.target_column = "t";
  config.split.stratify = true;
  const Resolution r = Resolve(config, TableOf(csv));
  ASSERT_THAT(r.violations, SizeIs(1));
  EXPECT_EQ(r.violations[0].field, "split.stratify");
  EXPECT_THAT(r.violations[0].description, HasSubstr("class \"rare\" has 2 rows"));
  // Without the counts BuildDataset finds it.
  DataConfig resolved = r.config;
  EXPECT_THAT(BuildDataset(TableOf(csv), resolved, 1).status(),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("rare")));
}

TEST(ResolveDataTest, ANumericTargetWithManyOrFractionalValuesIsARegression) {
  DataConfig config = SampleConfig();
  config.target_column = "x";
  config.feature_columns = {"y"};
  EXPECT_EQ(Resolve(config).config.task, Task::kRegression);
  config.target_column = "y";
  config.feature_columns = {"x"};
  const Resolution r = Resolve(config);
  EXPECT_EQ(r.config.task, Task::kRegression);
  EXPECT_THAT(r.notes, ElementsAre(HasSubstr("40 different values")));
}

TEST(DatasetTest, BinaryClassesAreSortedAndTheSecondIsOne) {
  const Table table = SampleTable();
  const Resolution r = Resolve(SampleConfig(), table);
  ASSERT_OK_AND_ASSIGN(const Dataset dataset, BuildDataset(table, r.config, 3));
  EXPECT_THAT(dataset.classes, ElementsAre("a", "b"));
  EXPECT_EQ(dataset.output_count(), 1);
  EXPECT_EQ(dataset.feature_count(), 2);
  EXPECT_EQ(dataset.train.rows(), 28);
  EXPECT_EQ(dataset.validation.rows(), 6);
  EXPECT_EQ(dataset.test.rows(), 6);
  const RowSplit split = SplitRows(40, r.config.split, {}, 3);
  for (size_t i = 0; i < split.train.size(); ++i) {
    const bool is_b = split.train[i] % 2 == 0;
    EXPECT_EQ(dataset.train.targets[i], is_b ? 1 : 0);
    const double raw[] = {static_cast<double>(split.train[i]) * 0.5,
                          100.0 - static_cast<double>(split.train[i])};
    float scaled[2];
    dataset.preprocessor.Apply(raw, scaled);
    EXPECT_EQ(dataset.train.features.row(static_cast<int64_t>(i))[0], scaled[0]);
    EXPECT_EQ(dataset.train.features.row(static_cast<int64_t>(i))[1], scaled[1]);
  }
}

TEST(DatasetTest, NumericClassesSortByValue) {
  std::string csv = "x,t\n";
  for (int i = 0; i < 30; ++i)
    absl::StrAppend(&csv, i, ",", i % 3 == 0 ? 10 : i % 3 == 1 ? 9 : -1, "\n");
  DataConfig config;
  config.target_column = "t";
  config.task = Task::kMulticlass;
  const Table table = TableOf(csv);
  ASSERT_OK_AND_ASSIGN(const Dataset dataset,
                       BuildDataset(table, Resolve(config, table).config, 1));
  EXPECT_THAT(dataset.classes, ElementsAre("-1", "9", "10"));
  EXPECT_EQ(dataset.output_count(), 3);
  EXPECT_THAT(dataset.train.classes, SizeIs(dataset.train.rows()));
  EXPECT_THAT(dataset.train.targets, IsEmpty());
}

// A column's cells are read-only, so that it gets new ones.
template <typename Draw>
void SetNumbers(const std::vector<int64_t>& rows, Draw draw, Column* column) {
  std::vector<double> numbers(column->numbers.begin(), column->numbers.end());
  for (const int64_t row : rows) numbers[row] = draw();
  column->numbers = std::move(numbers);
}

TEST(DatasetTest, ValidationAndTestRowsDoNotReachThePreprocessor) {
  Rng rng(9, RngStream::kAnalysis);
  for (uint64_t seed = 0; seed < 20; ++seed) {
    Table table = SampleTable();
    const DataConfig config = Resolve(SampleConfig(), table).config;
    ASSERT_OK_AND_ASSIGN(const Dataset before, BuildDataset(table, config, seed));
    const RowSplit split = SplitRows(40, config.split, {}, seed);
    SetNumbers(
        split.validation, [&] { return rng.Normal() * 1e6; }, &table.columns[0]);
    SetNumbers(
        split.test, [&] { return rng.Normal() * 1e6; }, &table.columns[1]);
    ASSERT_OK_AND_ASSIGN(const Dataset after, BuildDataset(table, config, seed));
    EXPECT_EQ(before.preprocessor.offsets(), after.preprocessor.offsets());
    EXPECT_EQ(before.preprocessor.scales(), after.preprocessor.scales());
  }
}

TEST(DatasetTest, RegressionKeepsTheTargetsUnit) {
  DataConfig config = SampleConfig();
  config.target_column = "y";
  config.feature_columns = {"x"};
  const Table table = SampleTable();
  ASSERT_OK_AND_ASSIGN(const Dataset dataset,
                       BuildDataset(table, Resolve(config, table).config, 2));
  EXPECT_THAT(dataset.classes, IsEmpty());
  EXPECT_EQ(dataset.output_count(), 1);
  const RowSplit split = SplitRows(40, config.split, {}, 2);
  EXPECT_EQ(dataset.train.targets[0], 100.0f - static_cast<float>(split.train[0]));
}

// y = 1e6 + row², whose float32 has no digit to lose: scaled from the doubles, by training rows.
TEST(DatasetTest, TheTargetIsScaledByTheTrainingRows) {
  std::string csv = "x,y\n";
  for (int i = 0; i < 40; ++i) absl::StrAppend(&csv, i, ",", 1000000 + i * i, ".125\n");
  const Table table = TableOf(csv);
  DataConfig config;
  config.target_column = "y";
  config.target_scaling = TargetScaling::kStandardize;
  config = Resolve(config, table).config;
  ASSERT_OK_AND_ASSIGN(const Dataset dataset, BuildDataset(table, config, 2));
  const RowSplit split = SplitRows(40, config.split, {}, 2);
  const auto y = [](int64_t row) { return 1e6 + static_cast<double>(row * row) + 0.125; };
  double mean = 0;
  double variance = 0;
  for (const int64_t row : split.train) mean += y(row) / 28;
  for (const int64_t row : split.train) variance += (y(row) - mean) * (y(row) - mean) / 28;
  EXPECT_NEAR(dataset.target_offset, mean, 1e-9);
  EXPECT_NEAR(dataset.target_scale, std::sqrt(variance), 1e-9);
  for (size_t i = 0; i < split.test.size(); ++i) {
    const double expected = (y(split.test[i]) - mean) / std::sqrt(variance);
    EXPECT_NEAR(dataset.test.targets[i], expected, 2e-7 * std::fabs(expected));
  }
}

TEST(DatasetTest, AGivenUnitOfTheTargetIsKept) {
  DataConfig config = SampleConfig();
  config.target_column = "y";
  config.feature_columns = {"x"};
  config = Resolve(config).config;
  const TargetUnit unit{.offset = 100, .scale = 0.5};
  ASSERT_OK_AND_ASSIGN(const Dataset dataset,
                       BuildDataset(SampleTable(), config, 2, {.target_unit = &unit}));
  EXPECT_EQ(dataset.target_offset, 100);
  EXPECT_EQ(dataset.target_scale, 0.5);
  const RowSplit split = SplitRows(40, config.split, {}, 2);
  EXPECT_EQ(dataset.train.targets[0], -2 * static_cast<float>(split.train[0]));
}

TEST(DatasetTest, AConstantTargetHasScaleOne) {
  const int64_t rows[] = {0, 1, 2};
  const auto unit = [&](std::vector<double> numbers) {
    Column target;
    target.numbers = std::move(numbers);
    return FitTargetUnit(target, rows);
  };
  EXPECT_EQ(unit({0.1, 0.1, 0.1, 7}).scale, 1);
  EXPECT_EQ(unit({0.1, 0.1, 0.1, 7}).offset, 0.1);
  // Losses would be given in squares of 1e-200, which are no numbers.
  EXPECT_EQ(unit({1e-200, 2e-200, 3e-200}).scale, 1);
  EXPECT_EQ(unit({-1, 1, -1, 7}).offset, -1.0 / 3);
}

TEST(DatasetTest, ATargetBeyondFloat32OnceScaledIsNamed) {
  const Table table = TableOf("x,y\n1,1e30\n2,2\n");
  const TargetUnit unit{.offset = 0, .scale = 1e-30};
  EXPECT_THAT(EncodeTargets(table.columns[1], Task::kRegression, {}, unit).status(),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("row 0, column \"y\"")));
}

TEST(DatasetTest, AValueBeyondFloat32IsAnErrorWithItsPlace) {
  Table table = TableOf("x,t\n1e200,1.5\n2,2.5\n3,3.5\n");
  DataConfig config;
  config.target_column = "t";
  config.scaling = Scaling::kNone;
  config.split = {.validation_fraction = 0, .test_fraction = 0};
  EXPECT_THAT(BuildDataset(table, Resolve(config, table).config, 0).status(),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("row 0, column \"x\"")));
}

TEST(DatasetTest, AClassTheModelDoesNotKnowIsNamed) {
  const Table table = SampleTable();
  EXPECT_THAT(EncodeTargets(*table.FindColumn("kind"), Task::kBinary, {"b", "c"}).status(),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       HasSubstr("row 1, column \"kind\": the model has no class \"a\"")));
}

// 30 rows: feature x, labels "red" and "big", weights 0, 0.5, 1 in turn.
Table LabelTable() {
  std::string csv = "x,red,big,w\n";
  for (int i = 0; i < 30; ++i) {
    absl::StrAppend(&csv, i, ",", i % 2, ",", i % 3 == 0 ? 1 : 0, ",", i % 3 * 0.5, "\n");
  }
  return TableOf(csv);
}

DataConfig LabelConfig() {
  DataConfig config;
  config.label_columns = {"big", "red"};
  config.weight_column = "w";
  return config;
}

TEST(LabelsTest, AreEncodedInTheirOrderWithTheWeights) {
  const Table table = LabelTable();
  const Resolution r = Resolve(LabelConfig(), table);
  ASSERT_THAT(r.violations, IsEmpty());
  EXPECT_EQ(r.config.task, Task::kMultilabel);
  EXPECT_THAT(r.config.feature_columns, ElementsAre("x"));
  EXPECT_THAT(r.notes, testing::Contains(HasSubstr("task: multilabel")));
  ASSERT_OK_AND_ASSIGN(const Dataset dataset, BuildDataset(table, r.config, 3));
  EXPECT_THAT(dataset.classes, ElementsAre("big", "red"));
  EXPECT_EQ(dataset.output_count(), 2);
  const RowSplit split = SplitRows(30, r.config.split, {}, 3);
  ASSERT_THAT(dataset.train.targets, SizeIs(2 * split.train.size()));
  ASSERT_THAT(dataset.train.weights, SizeIs(split.train.size()));
  for (size_t i = 0; i < split.train.size(); ++i) {
    const int64_t row = split.train[i];
    EXPECT_EQ(dataset.train.targets[2 * i], row % 3 == 0 ? 1 : 0);
    EXPECT_EQ(dataset.train.targets[2 * i + 1], row % 2);
    EXPECT_EQ(dataset.train.weights[i], static_cast<float>(row % 3) * 0.5f);
  }
  EXPECT_THAT(dataset.test.weights, SizeIs(split.test.size()));
}

struct LabelFaultCase {
  const char* name;
  void (*change)(DataConfig*);
  const char* field;
  const char* description;
};

TEST(LabelsTest, EachFaultIsNamedWithItsField) {
  const LabelFaultCase cases[] = {
      {"target too", [](DataConfig* c) { c->target_column = "red"; }, "target_column", "together"},
      {"another task", [](DataConfig* c) { c->task = Task::kBinary; }, "task", "is binary"},
      {"unknown label", [](DataConfig* c) { c->label_columns = {"bigg"}; }, "label_columns[0]",
       "did you mean \"big\"?"},
      {"label twice",
       [](DataConfig* c) {
         c->label_columns = {"big", "big"};
       },
       "label_columns[1]", "named twice"},
      {"a label of many values",
       [](DataConfig* c) {
         c->label_columns = {"big", "x"};
         c->feature_columns = {"red"};
       },
       "label_columns[1]", "other values than 0 and 1 (from 0 to 29)"},
      {"a label of fractions",
       [](DataConfig* c) {
         c->label_columns = {"w"};
         c->weight_column = "";
       },
       "label_columns[0]", "other values than 0 and 1"},
      {"label as feature",
       [](DataConfig* c) {
         c->feature_columns = {"x", "red"};
       },
       "feature_columns[1]", "is a label"},
      {"weight as feature",
       [](DataConfig* c) {
         c->feature_columns = {"w", "x"};
       },
       "feature_columns[0]", "is the weight"},
      {"label as weight", [](DataConfig* c) { c->weight_column = "red"; }, "weight_column",
       "to be predicted"},
      {"unknown weight", [](DataConfig* c) { c->weight_column = "ww"; }, "weight_column",
       "no column \"ww\""},
      {"stratified labels", [](DataConfig* c) { c->split.stratify = true; }, "split.stratify",
       "multilabel has no classes"},
      {"no labels",
       [](DataConfig* c) {
         c->label_columns = {};
         c->task = Task::kMultilabel;
         c->feature_columns = {"x"};
       },
       "label_columns", "required with task multilabel"},
  };
  const Table table = LabelTable();
  for (const LabelFaultCase& c : cases) {
    SCOPED_TRACE(c.name);
    DataConfig config = LabelConfig();
    c.change(&config);
    const Resolution r = Resolve(config, table);
    ASSERT_THAT(r.violations, SizeIs(1));
    EXPECT_EQ(r.violations[0].field, c.field);
    EXPECT_THAT(r.violations[0].description, HasSubstr(c.description));
  }
}

TEST(LabelsTest, ACellThatIsNoLabelIsNamed) {
  const Table table = TableOf("a,b\n0,1\n1,0\n1,2\n");
  const Column* const labels[] = {&table.columns[0], &table.columns[1]};
  EXPECT_THAT(EncodeLabels(labels).status(),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       HasSubstr("row 2, column \"b\": the label is 2; must be 0 or 1")));
}

TEST(WeightsTest, FaultsOfTheSchemaAreFoundWithoutCells) {
  const Table table = TableOf(
      "x,text,gap,negative,zero,t\n1,a,1,1,0,0.5\n2,b,,2,0,1.5\n3,c,3,-0.5,0,2.5\n4,d,4,1,0,3.5\n");
  const std::pair<const char*, const char*> cases[] = {{"text", "is text"},
                                                       {"gap", "has 1 missing"},
                                                       {"negative", "down to -0.5"},
                                                       {"zero", "is 0 in every row"},
                                                       {"t", "to be predicted"}};
  for (const auto& [column, description] : cases) {
    DataConfig config;
    config.target_column = "t";
    config.feature_columns = {"x"};
    config.weight_column = column;
    config.split = {.validation_fraction = 0, .test_fraction = 0};
    const Resolution r = Resolve(config, table);
    ASSERT_THAT(r.violations, SizeIs(1)) << column;
    EXPECT_EQ(r.violations[0].field, "weight_column");
    EXPECT_THAT(r.violations[0].description, HasSubstr(description));
  }
}

TEST(WeightsTest, ACellThatIsNoWeightIsNamed) {
  for (const auto& [cell, fault] :
       {std::pair("-1", "must be at least 0"), std::pair("1e200", "beyond the range of float32")}) {
    const Table table = TableOf(absl::StrCat("w,x\n1,1\n", cell, ",1\n"));
    EXPECT_THAT(EncodeWeights(table.columns[0]).status(),
                StatusIs(absl::StatusCode::kInvalidArgument,
                         testing::AllOf(HasSubstr("row 1, column \"w\""), HasSubstr(fault))));
  }
}

TEST(WeightsTest, TrainingRowsThatAllWeighNothingAreAnError) {
  DataConfig config = LabelConfig();
  Table table = LabelTable();
  const DataConfig resolved = Resolve(config, table).config;
  const RowSplit split = SplitRows(30, resolved.split, {}, 3);
  SetNumbers(
      split.train, [] { return 0.0; }, &table.columns[3]);
  EXPECT_THAT(BuildDataset(table, resolved, 3).status(),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       HasSubstr("column \"w\" is 0 in all 20 training rows")));
}

TEST(SeparateTestTest, AllRowsOfTheOtherTableAreTheTest) {
  const Table table = SampleTable();
  DataConfig config = SampleConfig();
  config.separate_test = true;
  config = Resolve(config, table).config;
  const Table test = TableOf("extra,kind,y,x\n0,b,98,1\n0,a,97,1.5\n0,b,7,100\n");
  ASSERT_OK_AND_ASSIGN(const Dataset dataset,
                       BuildDataset(table, config, 3, {.test_table = &test}));
  EXPECT_EQ(dataset.train.rows(), 34);
  EXPECT_EQ(dataset.validation.rows(), 6);
  ASSERT_EQ(dataset.test.rows(), 3);
  EXPECT_THAT(dataset.test.targets, ElementsAre(1, 0, 1));
  const double raw[] = {1.5, 97};
  float scaled[2];
  dataset.preprocessor.Apply(raw, scaled);
  EXPECT_EQ(dataset.test.features.row(1)[0], scaled[0]);
  EXPECT_EQ(dataset.test.features.row(1)[1], scaled[1]);
  ASSERT_OK_AND_ASSIGN(const Dataset without, BuildDataset(table, config, 3));
  EXPECT_EQ(without.preprocessor.offsets(), dataset.preprocessor.offsets());
  EXPECT_EQ(without.test.rows(), 0);
}

TEST(SeparateTestTest, WhatTheOtherTableLacksIsNamed) {
  const Table table = SampleTable();
  DataConfig config = SampleConfig();
  config.separate_test = true;
  config = Resolve(config, table).config;
  const Table other_class = TableOf("kind,y,x\nb,98,1\nc,97,1.5\n");
  EXPECT_THAT(BuildDataset(table, config, 3, {.test_table = &other_class}).status(),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       testing::AllOf(HasSubstr("test_dataset: row 1, column \"kind\""),
                                      HasSubstr("no class \"c\""))));
  const Table no_column = TableOf("kind,y\nb,98\na,97\n");
  EXPECT_THAT(BuildDataset(table, config, 3, {.test_table = &no_column}).status(),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       testing::AllOf(HasSubstr("test_dataset"), HasSubstr("\"x\""))));
}

TEST(FoldsTest, EachFoldIsFittedOnItsOwnTrainingRows) {
  const Table table = SampleTable();
  DataConfig config = SampleConfig();
  config.split = {.test_fraction = 0.1, .fold_count = 4};
  config = Resolve(config, table).config;
  for (int64_t fold = 0; fold < 4; ++fold) {
    ASSERT_OK_AND_ASSIGN(const Dataset dataset, BuildDataset(table, config, 3, {.fold = fold}));
    const RowSplit split = SplitRows(40, config.split, {}, 3, fold);
    double mean = 0;
    for (const int64_t row : split.train) mean += static_cast<double>(row) * 0.5 / 27;
    EXPECT_EQ(dataset.train.rows(), 27);
    EXPECT_EQ(dataset.validation.rows(), 9);
    EXPECT_NEAR(dataset.preprocessor.offsets()[0], mean, 1e-12);
  }
}

}  // namespace
}  // namespace trainyard
