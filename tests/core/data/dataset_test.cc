#include "core/data/dataset.h"

#include <cmath>
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
      {"no target", [](DataConfig* c) { c->target_column = ""; }, "target_column", "required"},
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
      {"text feature",
       [](DataConfig* c) {
         c->target_column = "group";
         c->task = Task::kMulticlass;
         c->feature_columns = {"kind"};
       },
       "feature_columns[0]", "is text"},
      {"text among all others",
       [](DataConfig* c) {
         c->target_column = "x";
         c->feature_columns = {};
       },
       "feature_columns", "these columns are text: \"kind\""},
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
       "set task to"},
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

TEST(ResolveDataTest, MissingCellsAreFaults) {
  const Table table = TableOf("a,b,t\n1,,x\n2,3,y\n4,5,\n6,7,x\n");
  DataConfig config;
  config.target_column = "t";
  config.split = {.validation_fraction = 0, .test_fraction = 0};
  const Resolution all_others = Resolve(config, table);
  ASSERT_THAT(all_others.violations, SizeIs(2));
  EXPECT_THAT(all_others.violations[0].description, HasSubstr("1 missing"));
  EXPECT_THAT(all_others.violations[1].description, HasSubstr("\"b\""));
  config.feature_columns = {"a", "b"};
  EXPECT_EQ(Resolve(config, table).violations[1].field, "feature_columns[1]");
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

TEST(DatasetTest, ValidationAndTestRowsDoNotReachThePreprocessor) {
  Rng rng(9, RngStream::kAnalysis);
  for (uint64_t seed = 0; seed < 20; ++seed) {
    Table table = SampleTable();
    const DataConfig config = Resolve(SampleConfig(), table).config;
    ASSERT_OK_AND_ASSIGN(const Dataset before, BuildDataset(table, config, seed));
    const RowSplit split = SplitRows(40, config.split, {}, seed);
    for (const int64_t row : split.validation) table.columns[0].numbers[row] = rng.Normal() * 1e6;
    for (const int64_t row : split.test) table.columns[1].numbers[row] = rng.Normal() * 1e6;
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
       "feature_columns[0]", "is a weight"},
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
  for (const int64_t row : split.train) table.columns[3].numbers[row] = 0;
  EXPECT_THAT(BuildDataset(table, resolved, 3).status(),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       HasSubstr("column \"w\" is 0 in all 20 training rows")));
}

}  // namespace
}  // namespace trainyard
