#include "client/spec_yaml.h"

#include "client/exit_code.h"
#include "core/base/error_info.h"
#include "core/base/limits.h"
#include "gmock/gmock.h"
#include "google/protobuf/text_format.h"
#include "gtest/gtest.h"
#include "tests/support/status_matchers.h"
#include "trainyard/v1/spec.pb.h"

namespace trainyard {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::Field;
using testing::HasSubstr;

std::vector<FieldViolation> FaultsOf(absl::string_view yaml) {
  v1::TrainingSpec spec;
  const absl::Status status = ParseYaml(yaml, &spec);
  EXPECT_TRUE(!status.ok() && IsUsageError(status)) << status;
  return GetErrorInfo(status).value_or(ErrorInfo()).violations;
}

auto Fault(const char* field, const char* part) {
  return AllOf(Field(&FieldViolation::field, field),
               Field(&FieldViolation::description, HasSubstr(part)));
}

TEST(SpecYamlTest, KeysOfTheFileAreTold) {
  v1::TrainingSpec spec;
  std::set<std::string> keys;
  ASSERT_THAT(ParseYaml("layers: []\nsplit: {stratify: true}\n", &spec, &keys), IsOk());
  EXPECT_THAT(keys, ElementsAre("layers", "split"));
}

TEST(SpecYamlTest, EveryKindOfFieldIsRead) {
  v1::TrainingSpec spec;
  ASSERT_THAT(ParseYaml("target_column: diagnosis\n"
                        "feature_columns: [a, \"b c\"]\n"
                        "task: binary\n"
                        "layers:\n"
                        "  - {units: 64, activation: relu}\n"
                        "  - {units: 32, activation: tanh}\n"
                        "init: he_normal\n"
                        "optimizer: {kind: adam, learning_rate: 1e-3}\n"
                        "batch_size: 32\n"
                        "seed: 18446744073709551615\n"
                        "split: {test_fraction: 0.2, stratify: true}\n"
                        "max_runtime: 1m30s\n"
                        "max_memory_bytes: 5000000000\n",
                        &spec),
              IsOk());
  v1::TrainingSpec expected;
  ASSERT_TRUE(google::protobuf::TextFormat::ParseFromString(
      R"(target_column: "diagnosis" feature_columns: "a" feature_columns: "b c" task: TASK_BINARY
         layers { units: 64 activation: ACTIVATION_RELU }
         layers { units: 32 activation: ACTIVATION_TANH }
         init: INIT_HE_NORMAL optimizer { kind: ADAM learning_rate: 0.001 } batch_size: 32
         seed: 18446744073709551615 split { test_fraction: 0.2 stratify: true }
         max_runtime { seconds: 90 } max_memory_bytes: 5000000000)",
      &expected));
  EXPECT_EQ(spec.SerializeAsString(), expected.SerializeAsString());
}

TEST(SpecYamlTest, DurationsMayBeSeconds) {
  v1::TrainingSpec spec;
  ASSERT_THAT(ParseYaml("max_runtime: 2.5", &spec), IsOk());
  EXPECT_EQ(spec.max_runtime().seconds(), 2);
  EXPECT_EQ(spec.max_runtime().nanos(), 500'000'000);
}

TEST(SpecYamlTest, AllFaultsComeAtOnceWithPathAndLine) {
  EXPECT_THAT(
      FaultsOf("epochz: 3\n"
               "layers:\n"
               "  - {units: many}\n"
               "  - {units: 8, activation: rellu}\n"
               "optimizer:\n"
               "  learning_rate: .nan\n"
               "batch_size: [1]\n"
               "feature_columns: a\n"
               "split: 3\n"),
      ElementsAre(Fault("epochz", "line 1, column 1: unknown key (did you mean \"epochs\"?)"),
                  Fault("layers[0].units", "line 3, column 13: expected a whole number"),
                  Fault("layers[1].activation", "did you mean \"relu\"?"),
                  Fault("optimizer.learning_rate", "line 6, column 18: expected a finite"),
                  Fault("batch_size", "expected a single value, found a list"),
                  Fault("feature_columns", "expected a list, found a single value"),
                  Fault("split", "expected a mapping")));
}

TEST(SpecYamlTest, NumbersMustFit) {
  EXPECT_THAT(FaultsOf("epochs: 3000000000\nseed: -1\nbatch_size: 1.5\nmax_runtime: 5 apples\n"),
              ElementsAre(Fault("epochs", "32 bits"), Fault("seed", "from 0"),
                          Fault("batch_size", "1.5"), Fault("max_runtime", "a duration")));
}

TEST(SpecYamlTest, AKeyGivenTwiceIsAFault) {
  EXPECT_THAT(FaultsOf("epochs: 3\nseed: 1\nepochs: 4\n"),
              ElementsAre(Fault("epochs", "line 3, column 1: given twice, first in line 1")));
}

TEST(SpecYamlTest, EmptyValuesAndEmptyFilesAreFaults) {
  EXPECT_THAT(FaultsOf("epochs:\n"), ElementsAre(Fault("epochs", "found nothing")));
  EXPECT_THAT(FaultsOf(""), ElementsAre(Fault("", "expected a mapping")));
  EXPECT_THAT(FaultsOf("- a\n- b\n"), ElementsAre(Fault("", "found a list")));
}

TEST(SpecYamlTest, BrokenYamlSaysWhere) {
  EXPECT_THAT(FaultsOf("epochs: 3\nlayers: [\n"), ElementsAre(Fault("", "not YAML")));
}

TEST(SpecYamlTest, UnspecifiedIsNoChoice) {
  EXPECT_THAT(FaultsOf("task: unspecified"),
              ElementsAre(Fault("task", "one of binary, multiclass")));
}

TEST(SpecYamlTest, FaultsAndFilesAreBounded) {
  std::string yaml;
  for (int i = 0; i < 1000; ++i) yaml += "unknown" + std::to_string(i) + ": 1\n";
  EXPECT_EQ(FaultsOf(yaml).size(), kYamlFaultsMax + 1);
  v1::TrainingSpec spec;
  const std::string huge(static_cast<size_t>(limits::kSpecBytesMax) + 1, '#');
  EXPECT_THAT(ParseYaml(huge, &spec), HasReason(ErrorReason::kTooLarge));
}

TEST(SpecYamlTest, AliasesThatContainThemselvesEnd) {
  EXPECT_THAT(FaultsOf("layers: &a [*a, *a]\n"), testing::Not(testing::IsEmpty()));
}

TEST(SpecYamlTest, MapsListsAndNestedMessagesOfNumbersAreRead) {
  v1::TrainingSpec spec;
  const absl::Status status = ParseYaml(R"(
loss_options: {class_weights: {benign: 1, "yes": 2.5}, label_smoothing: 0.1}
layers: [{units: 2, activation: leaky_relu, alpha: 0.2, normalization: layer, residual: true}]
initial_weights:
  - {weights: [1, -2.5, 3e-3, 0], biases: [0.5, 0]}
  - weights: [1, 2]
schedule: {kind: multi_step, milestones: [3, 5]}
early_stopping: {metric: accuracy, patience: 4}
metrics: [roc_auc]
)",
                                        &spec);
  ASSERT_TRUE(status.ok()) << status;
  EXPECT_EQ(spec.loss_options().class_weights().at("yes"), 2.5);
  EXPECT_EQ(spec.loss_options().class_weights().at("benign"), 1);
  EXPECT_EQ(spec.initial_weights(0).weights(1), -2.5f);
  EXPECT_EQ(spec.initial_weights(1).weights_size(), 2);
  EXPECT_EQ(spec.schedule().milestones(1), 5);
  EXPECT_EQ(spec.layers(0).normalization(), v1::NORMALIZATION_LAYER);
}

TEST(SpecYamlTest, ListsOfMessagesWithListsAreRead) {
  v1::TrainingSpec spec;
  ASSERT_THAT(ParseYaml(R"(
feature_defaults: {imputation: median, unseen: other}
feature_options:
  - {column: age, scaling: robust, fill_value: 0, missing_indicator: false}
  - column: grade
    encoding: ordinal
    categories: [low, "a, b", "?"]
target_scaling: standardize
test_dataset: datasets/t
split: {group_column: patient, fold_count: 5}
)",
                        &spec),
              IsOk());
  v1::TrainingSpec expected;
  ASSERT_TRUE(google::protobuf::TextFormat::ParseFromString(
      R"(split { group_column: "patient" fold_count: 5 }
         feature_defaults { imputation: IMPUTATION_MEDIAN unseen: UNSEEN_CATEGORY_OTHER }
         feature_options { column: "age" scaling: SCALING_ROBUST fill_value: 0
                           missing_indicator: false }
         feature_options { column: "grade" encoding: ENCODING_ORDINAL categories: "low"
                           categories: "a, b" categories: "?" }
         target_scaling: TARGET_SCALING_STANDARDIZE test_dataset: "datasets/t")",
      &expected));
  EXPECT_EQ(spec.SerializeAsString(), expected.SerializeAsString());
  EXPECT_THAT(FaultsOf("feature_options:\n"
                       "  - {column: a, scalling: none}\n"
                       "  - {column: b, categories: {x: 1}}\n"
                       "  - c\n"),
              ElementsAre(Fault("feature_options[0].scalling", "did you mean \"scaling\"?"),
                          Fault("feature_options[1].categories", "expected a list"),
                          Fault("feature_options[2]", "expected a mapping")));
}

TEST(SpecYamlTest, FaultsInAMapNameItsKeys) {
  v1::TrainingSpec spec;
  const absl::Status status =
      ParseYaml("loss_options: {class_weights: {a: heavy, b: 1, b: 2, c: [1]}}", &spec);
  const ErrorInfo info = GetErrorInfo(status).value_or(ErrorInfo{});
  std::vector<std::string> fields;
  for (const FieldViolation& v : info.violations) fields.push_back(v.field);
  EXPECT_THAT(fields, testing::ElementsAre("loss_options.class_weights[\"a\"]",
                                           "loss_options.class_weights[\"b\"]",
                                           "loss_options.class_weights[\"c\"]"));
  v1::TrainingSpec list;
  EXPECT_FALSE(ParseYaml("loss_options: {class_weights: [1, 2]}", &list).ok());
}

}  // namespace
}  // namespace trainyard
