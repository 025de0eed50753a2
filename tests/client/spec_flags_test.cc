#include "client/spec_flags.h"

#include "CLI/CLI.hpp"
#include "client/exit_code.h"
#include "gmock/gmock.h"
#include "google/protobuf/text_format.h"
#include "gtest/gtest.h"
#include "tests/support/status_matchers.h"

namespace trainyard {
namespace {

using testing::Field;
using testing::HasSubstr;

absl::Status Apply(std::vector<std::string> arguments, v1::TrainingSpec* spec) {
  CLI::App app;
  SpecFlags flags;
  AddSpecFlags(app, &flags);
  std::reverse(arguments.begin(), arguments.end());
  app.parse(arguments);
  return flags.ApplyTo(spec);
}

v1::TrainingSpec Spec(const char* text) {
  v1::TrainingSpec spec;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &spec));
  return spec;
}

TEST(SpecFlagsTest, EachFlagSetsItsField) {
  v1::TrainingSpec spec;
  ASSERT_THAT(Apply({"--target",
                     "y",
                     "--features",
                     "a,b",
                     "--task",
                     "regression",
                     "--hidden",
                     "64,32",
                     "--activation",
                     "tanh",
                     "--epochs",
                     "5",
                     "--batch-size",
                     "16",
                     "--optimizer",
                     "sgd",
                     "--learning-rate",
                     "0.1",
                     "--momentum",
                     "0.9",
                     "--weight-decay",
                     "0.01",
                     "--loss",
                     "mean_squared_error",
                     "--init",
                     "xavier_normal",
                     "--seed",
                     "7",
                     "--scaling",
                     "none",
                     "--validation-fraction",
                     "0.1",
                     "--test-fraction",
                     "0.2",
                     "--stratify",
                     "--threads",
                     "2",
                     "--max-runtime",
                     "5m"},
                    &spec),
              IsOk());
  EXPECT_EQ(
      spec.SerializeAsString(),
      Spec(R"(target_column: "y" feature_columns: "a" feature_columns: "b" task: TASK_REGRESSION
              layers { units: 64 activation: ACTIVATION_TANH }
              layers { units: 32 activation: ACTIVATION_TANH }
              init: INIT_XAVIER_NORMAL loss: LOSS_MEAN_SQUARED_ERROR
              optimizer { kind: SGD learning_rate: 0.1 momentum: 0.9 weight_decay: 0.01 }
              batch_size: 16 epochs: 5 seed: 7 scaling: SCALING_NONE
              split { validation_fraction: 0.1 test_fraction: 0.2 stratify: true }
              threads: 2 max_runtime { seconds: 300 })")
          .SerializeAsString());
}

TEST(SpecFlagsTest, FlagsReplaceWhatTheFileSaysAndKeepTheRest) {
  v1::TrainingSpec spec =
      Spec(R"(exclude_columns: "x" layers { units: 8 } epochs: 9 optimizer { learning_rate: 1 })");
  ASSERT_THAT(Apply({"--exclude", "p,q", "--hidden", "none", "--optimizer", "sgd"}, &spec), IsOk());
  EXPECT_EQ(spec.SerializeAsString(), Spec(R"(exclude_columns: "p" exclude_columns: "q" epochs: 9
                    optimizer { kind: SGD learning_rate: 1 })")
                                          .SerializeAsString());
}

TEST(SpecFlagsTest, ActivationsAreOnePerLayerOrOneForAll) {
  v1::TrainingSpec spec;
  ASSERT_THAT(Apply({"--hidden", "4,2", "--activation", "relu,sigmoid"}, &spec), IsOk());
  EXPECT_EQ(spec.layers(1).activation(), v1::ACTIVATION_SIGMOID);
  EXPECT_THAT(
      Apply({"--hidden", "4,2,1", "--activation", "relu,tanh"}, &spec),
      StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("2 given for 3 hidden layers")));
}

TEST(SpecFlagsTest, FaultsNameTheFlagAndComeAtOnce) {
  v1::TrainingSpec spec;
  const absl::Status status =
      Apply({"--epochs", "many", "--hidden", "8,x", "--optimizer", "adan"}, &spec);
  ASSERT_TRUE(!status.ok());
  EXPECT_TRUE(IsUsageError(status));
  EXPECT_THAT(GetErrorInfo(status)->violations,
              testing::UnorderedElementsAre(Field(&FieldViolation::field, "--epochs"),
                                            Field(&FieldViolation::field, "--hidden"),
                                            Field(&FieldViolation::field, "--optimizer")));
  EXPECT_THAT(std::string(status.message()), HasSubstr("did you mean \"adam\"?"));
}

}  // namespace
}  // namespace trainyard
