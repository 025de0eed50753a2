#include "core/data/resolve_features.h"

#include <cmath>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/support/status_matchers.h"

namespace trainyard {
namespace {

using testing::AllOf;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

ColumnInfo Number(std::string name, int64_t missing, int64_t distinct) {
  return {.name = std::move(name),
          .missing_count = missing,
          .distinct_count = distinct,
          .kind = ColumnKind::kNumeric};
}

ColumnInfo Text(std::string name, ColumnKind kind, int64_t distinct, int64_t missing = 0) {
  return {.name = std::move(name),
          .type = ColumnType::kText,
          .missing_count = missing,
          .distinct_count = distinct,
          .kind = kind};
}

Schema SampleSchema() {
  ColumnInfo code = Number("code", 0, 5);
  code.kind = ColumnKind::kCategory;
  ColumnInfo target = Text("target", ColumnKind::kCategory, 2);
  target.values = {"a", "b"};
  target.value_counts = {500, 500};
  ColumnInfo row = Number("row", 0, 1000);
  row.kind = ColumnKind::kIdentifier;
  return {
      .rows = 1000,
      .columns = {Number("age", 0, 70), Number("income", 12, 900),
                  Text("city", ColumnKind::kCategory, 300, 3), Text("sex", ColumnKind::kBoolean, 2),
                  code, row, Text("note", ColumnKind::kFreeText, 999),
                  Text("same", ColumnKind::kConstant, 1), target}};
}

struct Resolution {
  DataConfig config;
  std::vector<FieldViolation> violations;
  std::vector<std::string> notes;

  const FeatureOptions& of(const std::string& column) const {
    for (const FeatureOptions& options : config.feature_options) {
      if (options.column == column) return options;
    }
    ADD_FAILURE() << column << " has no options";
    return config.feature_options.front();
  }
};

DataConfig SampleConfig() {
  DataConfig config;
  config.target_column = "target";
  return config;
}

Resolution Resolve(const DataConfig& config, const Schema& schema = SampleSchema()) {
  Resolution r;
  r.config = ResolveDataConfig(config, schema, &r.violations, &r.notes);
  return r;
}

TEST(ResolveFeaturesTest, EveryColumnGetsWhatFitsIt) {
  const Resolution r = Resolve(SampleConfig());
  EXPECT_THAT(r.violations, IsEmpty());
  EXPECT_THAT(r.config.feature_columns, ElementsAre("age", "income", "city", "sex", "code"));
  ASSERT_THAT(r.config.feature_options, SizeIs(5));
  EXPECT_EQ(r.of("age").encoding, Encoding::kNumber);
  EXPECT_EQ(r.of("age").scaling, Scaling::kStandardize);
  EXPECT_EQ(r.of("age").imputation, Imputation::kRefuse);
  EXPECT_EQ(r.of("income").imputation, Imputation::kMean);
  EXPECT_EQ(r.of("city").encoding, Encoding::kOneHot);
  EXPECT_EQ(r.of("city").categories_max, 64);
  EXPECT_EQ(r.of("city").unseen, UnseenCategory::kOther);
  EXPECT_EQ(r.of("sex").encoding, Encoding::kOneHot);
  EXPECT_EQ(r.of("sex").unseen, UnseenCategory::kZeros);
  EXPECT_EQ(r.of("code").encoding, Encoding::kOneHot);
  EXPECT_THAT(r.notes, Contains(AllOf(HasSubstr("\"row\" (an identifier)"), HasSubstr("\"note\""),
                                      HasSubstr("\"same\""))));
  EXPECT_THAT(r.notes, Contains(HasSubstr("mean of the training rows: \"income\" (12)")));
  EXPECT_THAT(r.notes, Contains(HasSubstr("share one feature: \"city\" (300)")));
}

TEST(ResolveFeaturesTest, WhatIsNamedIsAFeature) {
  DataConfig config = SampleConfig();
  config.feature_columns = {"note", "row", "same"};
  const Resolution named = Resolve(config);
  EXPECT_THAT(named.violations, IsEmpty());
  EXPECT_EQ(named.of("note").encoding, Encoding::kHashing);
  EXPECT_EQ(named.of("note").hash_buckets, 32);
  EXPECT_EQ(named.of("row").encoding, Encoding::kNumber);
  EXPECT_THAT(named.notes, Contains(HasSubstr("teach nothing: \"same\"")));
  config.feature_columns.clear();
  config.feature_options = {{.column = "note", .hash_buckets = 8}};
  const Resolution optioned = Resolve(config);
  EXPECT_THAT(optioned.config.feature_columns,
              ElementsAre("age", "income", "city", "sex", "code", "note"));
  EXPECT_EQ(optioned.of("note").hash_buckets, 8);
}

TEST(ResolveFeaturesTest, OptionsGoBeforeDefaultsAndTheseBeforeScaling) {
  DataConfig config = SampleConfig();
  config.scaling = Scaling::kNone;
  config.feature_defaults = {
      .imputation = Imputation::kMedian, .missing_indicator = true, .encoding = Encoding::kOrdinal};
  config.feature_options = {{.column = "age", .scaling = Scaling::kRobust},
                            {.column = "sex", .encoding = Encoding::kOneHot}};
  const Resolution r = Resolve(config);
  EXPECT_THAT(r.violations, IsEmpty());
  EXPECT_EQ(r.of("age").scaling, Scaling::kRobust);
  EXPECT_EQ(r.of("income").scaling, Scaling::kNone);
  EXPECT_EQ(r.of("age").imputation, Imputation::kMedian);
  EXPECT_EQ(r.of("income").missing_indicator, true);
  EXPECT_EQ(r.of("sex").encoding, Encoding::kOneHot);
  EXPECT_EQ(r.of("city").encoding, Encoding::kOrdinal);
  EXPECT_EQ(r.of("city").scaling, Scaling::kNone);
}

TEST(ResolveFeaturesTest, ResolvingAgainChangesNothing) {
  DataConfig config = SampleConfig();
  config.feature_defaults.scaling = Scaling::kMinMax;
  config.feature_options = {
      {.column = "income", .imputation = Imputation::kConstant, .missing_indicator = true},
      {.column = "code", .encoding = Encoding::kOrdinal, .categories = {"5.0", "1"}},
      {.column = "note", .encoding = Encoding::kHashing}};
  const Resolution once = Resolve(config);
  EXPECT_THAT(once.violations, IsEmpty());
  EXPECT_THAT(once.of("code").categories, ElementsAre("5", "1"));
  EXPECT_EQ(once.of("income").fill_value, 0);
  const Resolution twice = Resolve(once.config);
  EXPECT_THAT(twice.violations, IsEmpty());
  EXPECT_EQ(twice.config.feature_columns, once.config.feature_columns);
  ASSERT_EQ(twice.config.feature_options.size(), once.config.feature_options.size());
  for (size_t i = 0; i < once.config.feature_options.size(); ++i) {
    const FeatureOptions& a = once.config.feature_options[i];
    const FeatureOptions& b = twice.config.feature_options[i];
    SCOPED_TRACE(a.column);
    EXPECT_EQ(a.column, b.column);
    EXPECT_EQ(a.scaling, b.scaling);
    EXPECT_EQ(a.imputation, b.imputation);
    EXPECT_EQ(a.fill_value, b.fill_value);
    EXPECT_EQ(a.missing_indicator, b.missing_indicator);
    EXPECT_EQ(a.encoding, b.encoding);
    EXPECT_EQ(a.categories_max, b.categories_max);
    EXPECT_EQ(a.hash_buckets, b.hash_buckets);
    EXPECT_EQ(a.unseen, b.unseen);
    EXPECT_EQ(a.categories, b.categories);
  }
}

struct FaultCase {
  FeatureOptions options;
  const char* field;
  const char* description;
};

// Each case is the options of one column, with exactly one fault.
void ExpectFaults(std::span<const FaultCase> cases) {
  for (const FaultCase& c : cases) {
    SCOPED_TRACE(absl::StrCat(c.options.column, " ", c.field, ": ", c.description));
    DataConfig config = SampleConfig();
    config.feature_options = {c.options};
    const Resolution r = Resolve(config);
    ASSERT_THAT(r.violations, SizeIs(1));
    EXPECT_EQ(r.violations[0].field, absl::StrCat("feature_options[0].", c.field));
    EXPECT_THAT(r.violations[0].description, HasSubstr(c.description));
  }
}

TEST(ResolveFeaturesTest, EachFaultOfAColumnIsNamedWithItsField) {
  const FaultCase cases[] = {
      {{}, "column", "is required"},
      {{.column = "agee"}, "column", "did you mean \"age\"?"},
      {{.column = "target"}, "column", "is the target"},
      {{.column = "age", .encoding = Encoding::kOneHot, .categories_max = 0},
       "categories_max",
       "from 1 to 1000"},
      {{.column = "note", .hash_buckets = 1}, "hash_buckets", "from 2 to 4096"},
      {{.column = "income", .fill_value = 1}, "fill_value", "for imputation constant"},
      {{.column = "income", .imputation = Imputation::kConstant, .fill_value = INFINITY},
       "fill_value",
       "not a finite"},
      {{.column = "income", .imputation = Imputation::kRefuse}, "imputation", "12 missing cells"},
      {{.column = "age", .imputation = Imputation::kRefuse, .missing_indicator = true},
       "missing_indicator",
       "with imputation refuse"},
      {{.column = "age", .missing_indicator = true},
       "missing_indicator",
       "has no missing cells, and refuses them"},
      {{.column = "city", .encoding = Encoding::kNumber}, "encoding", "is text"},
  };
  ExpectFaults(cases);
}

TEST(ResolveFeaturesTest, AnOptionThatWouldDoNothingIsAFault) {
  const FaultCase cases[] = {
      {{.column = "city", .scaling = Scaling::kNone}, "scaling", "number and ordinal"},
      {{.column = "city", .imputation = Imputation::kMean}, "imputation", "does nothing"},
      {{.column = "city", .missing_indicator = true}, "missing_indicator", "does nothing"},
      {{.column = "age", .categories_max = 5}, "categories_max", "it is for one_hot"},
      {{.column = "city", .hash_buckets = 5}, "hash_buckets", "encoding one_hot"},
      {{.column = "age", .unseen = UnseenCategory::kZeros}, "unseen", "encoding number"},
      {{.column = "note", .unseen = UnseenCategory::kZeros}, "unseen", "encoding hashing"},
      {{.column = "age", .categories = {"1"}}, "categories", "encoding number"},
      {{.column = "city", .categories_max = 5, .categories = {"Rome"}},
       "categories_max",
       "where categories are named"},
  };
  ExpectFaults(cases);
}

TEST(ResolveFeaturesTest, EachFaultOfCategoriesIsNamed) {
  const FaultCase cases[] = {
      {{.column = "city", .categories = {"Rome", "Rome"}}, "categories[1]", "named twice"},
      {{.column = "city", .categories = {""}}, "categories[0]", "is empty"},
      {{.column = "city", .categories = {" Rome"}}, "categories[0]", "no spaces around"},
      {{.column = "code", .categories = {"1", "x"}}, "categories[1]", "holds numbers"},
      {{.column = "code", .categories = {"1", "1.0"}}, "categories[1]", "named twice"},
      {{.column = "city", .unseen = UnseenCategory::kRefuse}, "unseen", "has 300"},
      {{.column = "city", .encoding = Encoding::kOrdinal, .unseen = UnseenCategory::kOther},
       "unseen",
       "is other"},
  };
  ExpectFaults(cases);
  FaultCase many{{.column = "city"}, "categories", "at most 1000"};
  for (int i = 0; i < 1001; ++i) many.options.categories.push_back(absl::StrCat(i));
  ExpectFaults({&many, 1});
}

TEST(ResolveFeaturesTest, AllFaultsAtOnce) {
  DataConfig config = SampleConfig();
  config.feature_columns = {"age", "city"};
  config.feature_defaults = {.column = "age", .hash_buckets = 1, .categories = {"a"}};
  config.feature_options = {{.column = "age"}, {.column = "age"}, {.column = "sex"}};
  std::vector<std::string> fields;
  for (const FieldViolation& v : Resolve(config).violations) fields.push_back(v.field);
  EXPECT_THAT(fields, ElementsAre("feature_defaults.column", "feature_defaults.categories",
                                  "feature_defaults.hash_buckets", "feature_options[1].column",
                                  "feature_options[2].column"));
}

TEST(ResolveFeaturesTest, TooManyFeaturesAreRefused) {
  Schema schema = SampleSchema();
  for (int i = 0; i < 80; ++i)
    schema.columns.push_back(Text(absl::StrCat("t", i), ColumnKind::kCategory, 950));
  DataConfig config = SampleConfig();
  config.feature_defaults.categories_max = 1000;
  const Resolution wide = Resolve(config, schema);
  ASSERT_THAT(wide.violations, SizeIs(1));
  EXPECT_THAT(wide.violations[0].description, HasSubstr("at most 65536"));
  config.feature_defaults.categories_max = 500;
  schema.rows = 10'000'000;
  EXPECT_THAT(Resolve(config, schema).violations[0].description, HasSubstr("10000000 rows"));
}

TEST(ResolveFeaturesTest, FeaturesAreCountedWhereTheCellsDoNotDecide) {
  DataConfig config = SampleConfig();
  config.feature_columns = {"age", "income", "code", "sex"};
  config.feature_options = {{.column = "income", .missing_indicator = true},
                            {.column = "code", .encoding = Encoding::kHashing},
                            {.column = "sex", .categories = {"m", "f", "x"}}};
  const Resolution r = Resolve(config);
  EXPECT_EQ(FeatureCountIfKnown(r.config, SampleSchema()), 1 + 2 + 32 + 3);
  const Resolution by_cells = Resolve(SampleConfig());
  EXPECT_EQ(FeatureCountIfKnown(by_cells.config, SampleSchema()), std::nullopt);
  EXPECT_EQ(FeatureCountMax(by_cells.config, SampleSchema()), 1 + 1 + (64 + 1 + 1) + 2 + 5);
}

}  // namespace
}  // namespace trainyard
