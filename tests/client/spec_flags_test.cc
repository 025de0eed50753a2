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

absl::Status Apply(std::vector<std::string> arguments, v1::TrainingSpec* spec,
                   std::vector<std::string>* notes = nullptr) {
  CLI::App app;
  SpecFlags flags;
  AddSpecFlags(app, &flags);
  std::reverse(arguments.begin(), arguments.end());
  app.parse(arguments);
  return flags.ApplyTo(spec, notes);
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

TEST(SpecFlagsTest, TheCompleteEngineHasItsFlags) {
  v1::TrainingSpec spec;
  const absl::Status status = Apply({"--label",
                                     "a,b",
                                     "--weight-column",
                                     "w",
                                     "--hidden",
                                     "8,8",
                                     "--activation",
                                     "elu",
                                     "--alpha",
                                     "0.5,2",
                                     "--dropout",
                                     "0.25",
                                     "--batch-norm",
                                     "--no-bias",
                                     "--residual",
                                     "--input-dropout",
                                     "0.125",
                                     "--initial-model",
                                     "models/m",
                                     "--precision",
                                     "bf16",
                                     "--label-smoothing",
                                     "0.5",
                                     "--class-weight",
                                     "a=2,x=y=0.5",
                                     "--nesterov",
                                     "--beta1",
                                     "0.5",
                                     "--epsilon",
                                     "1e-6",
                                     "--l1",
                                     "0.25",
                                     "--clip-norm",
                                     "1",
                                     "--ema-decay",
                                     "0.5",
                                     "--schedule",
                                     "multi_step",
                                     "--milestones",
                                     "3,5",
                                     "--gamma",
                                     "0.5",
                                     "--warmup-steps",
                                     "7",
                                     "--early-stopping",
                                     "accuracy",
                                     "--patience",
                                     "3",
                                     "--max-steps",
                                     "100",
                                     "--seeds",
                                     "5",
                                     "--accumulation-steps",
                                     "4",
                                     "--evaluation-interval",
                                     "10",
                                     "--metrics",
                                     "roc_auc,brier",
                                     "--max-memory",
                                     "1000000000",
                                     "--step-event-interval",
                                     "2"},
                                    &spec);
  ASSERT_THAT(status, IsOk());
  EXPECT_EQ(spec.loss_options().class_weights().at("x=y"), 0.5);
  EXPECT_EQ(spec.loss_options().class_weights().at("a"), 2);
  spec.mutable_loss_options()->clear_class_weights();
  EXPECT_EQ(spec.SerializeAsString(),
            Spec(R"(label_columns: "a" label_columns: "b" weight_column: "w"
      layers { units: 8 activation: ACTIVATION_ELU alpha: 0.5 dropout: 0.25 bias: false
               normalization: NORMALIZATION_BATCH }
      layers { units: 8 activation: ACTIVATION_ELU alpha: 2 dropout: 0.25 bias: false
               normalization: NORMALIZATION_BATCH residual: true }
      input_dropout: 0.125 initial_model: "models/m" precision: PRECISION_BF16
      loss_options { label_smoothing: 0.5 }
      optimizer { nesterov: true beta1: 0.5 epsilon: 1e-6 l1: 0.25 clip_norm: 1 ema_decay: 0.5 }
      schedule { kind: MULTI_STEP milestones: 3 milestones: 5 gamma: 0.5 warmup_steps: 7 }
      early_stopping { metric: "accuracy" patience: 3 } max_steps: 100 seed_count: 5
      accumulation_steps: 4 evaluation_interval: 10 metrics: "roc_auc" metrics: "brier"
      max_memory_bytes: 1000000000 step_event_interval: 2)")
                .SerializeAsString());
}

TEST(SpecFlagsTest, RareFieldsHaveTheirFlagsToo) {
  const struct {
    std::vector<std::string> arguments;
    const char* spec;
  } cases[] = {
      {{"--min-delta", "0.5"}, "early_stopping { min_delta: 0.5 }"},
      {{"--restore-only"}, "early_stopping { restore_only: true }"},
      {{"--no-restore-best"}, "early_stopping { restore_best: false }"},
      {{"--dampening", "0.5"}, "optimizer { dampening: 0.5 }"},
      {{"--rho", "0.5"}, "optimizer { rho: 0.5 }"},
      {{"--centered"}, "optimizer { centered: true }"},
      {{"--momentum-decay", "0.5"}, "optimizer { momentum_decay: 0.5 }"},
      {{"--learning-rate-decay", "0.5"}, "optimizer { learning_rate_decay: 0.5 }"},
      {{"--history-size", "5"}, "optimizer { history_size: 5 }"},
      {{"--secondary-learning-rate", "0.5"}, "optimizer { secondary_learning_rate: 0.5 }"},
      {{"--gradient-noise", "0.5"}, "optimizer { gradient_noise: 0.5 }"},
      {{"--no-nesterov"}, "optimizer { nesterov: false }"},
      {{"--schedule-unit", "epochs"}, "schedule { unit: EPOCHS }"},
      {{"--schedule-power", "2"}, "schedule { power: 2 }"},
      {{"--schedule-period-factor", "2"}, "schedule { period_factor: 2 }"},
      {{"--schedule-warm-fraction", "0.5"}, "schedule { warm_fraction: 0.5 }"},
      {{"--schedule-patience", "2"}, "schedule { patience: 2 }"},
      {{"--schedule-metric", "accuracy"}, "schedule { metric: \"accuracy\" }"},
      {{"--init-gain", "2"}, "init_options { gain: 2 }"},
      {{"--init-scale", "2"}, "init_options { scale: 2 }"},
      {{"--no-output-bias"}, "output_bias: false"},
  };
  for (const auto& c : cases) {
    v1::TrainingSpec spec;
    ASSERT_THAT(Apply(c.arguments, &spec), IsOk());
    EXPECT_EQ(spec.ShortDebugString(), Spec(c.spec).ShortDebugString());
  }
}

TEST(SpecFlagsTest, DataAsPeopleHaveItHasItsFlags) {
  v1::TrainingSpec spec;
  ASSERT_THAT(Apply({"--scaling",
                     "min_max",
                     "--impute",
                     "constant",
                     "--fill-value",
                     "-1",
                     "--missing-indicator",
                     "--encoding",
                     "hashing",
                     "--categories-max",
                     "9",
                     "--hash-buckets",
                     "64",
                     "--unseen",
                     "refuse",
                     "--target-scaling",
                     "none",
                     "--group-column",
                     "patient",
                     "--time-column",
                     "day",
                     "--part-column",
                     "part",
                     "--folds",
                     "5",
                     "--test-dataset",
                     "datasets/t"},
                    &spec),
              IsOk());
  EXPECT_EQ(spec.ShortDebugString(), Spec(R"(scaling: SCALING_MIN_MAX
      split { group_column: "patient" time_column: "day" part_column: "part" fold_count: 5 }
      feature_defaults { imputation: IMPUTATION_CONSTANT fill_value: -1 missing_indicator: true
          encoding: ENCODING_HASHING categories_max: 9 hash_buckets: 64
          unseen: UNSEEN_CATEGORY_REFUSE }
      target_scaling: TARGET_SCALING_NONE test_dataset: "datasets/t")")
                                         .ShortDebugString());
}

TEST(SpecFlagsTest, FeaturesHaveTheirOwnOptions) {
  v1::TrainingSpec spec;
  ASSERT_THAT(Apply({"--feature", "age:scaling=robust,impute=median,missing-indicator", "--feature",
                     "grade:encoding=ordinal,categories=low|medium|high", "--feature",
                     "a:b:unseen=zeros", "--feature", "age:fill_value=2.5", "--feature",
                     "x:missing_indicator=false,hash-buckets=8"},
                    &spec),
              IsOk());
  EXPECT_EQ(spec.ShortDebugString(), Spec(R"(
      feature_options { column: "age" scaling: SCALING_ROBUST imputation: IMPUTATION_MEDIAN
                        fill_value: 2.5 missing_indicator: true }
      feature_options { column: "grade" encoding: ENCODING_ORDINAL
                        categories: "low" categories: "medium" categories: "high" }
      feature_options { column: "a:b" unseen: UNSEEN_CATEGORY_ZEROS }
      feature_options { column: "x" missing_indicator: false hash_buckets: 8 })")
                                         .ShortDebugString());
}

TEST(SpecFlagsTest, FeatureFlagsAreLaidOverTheFile) {
  v1::TrainingSpec spec = Spec(R"(feature_options { column: "age" scaling: SCALING_NONE
      categories: "x" imputation: IMPUTATION_MEAN } feature_options { column: "b" })");
  ASSERT_THAT(Apply({"--feature", "age:scaling=robust,categories=y|z"}, &spec), IsOk());
  EXPECT_EQ(spec.ShortDebugString(), Spec(R"(feature_options { column: "age" scaling: SCALING_ROBUST
      imputation: IMPUTATION_MEAN categories: "y" categories: "z" }
      feature_options { column: "b" })")
                                         .ShortDebugString());
}

TEST(SpecFlagsTest, FaultsOfAFeatureSayWhatIsKnown) {
  const struct {
    const char* text;
    const char* fault;
  } cases[] = {
      {"age", "expected COLUMN:WORD=VALUE"},
      {":scaling=none", "expected COLUMN:WORD=VALUE"},
      {"age:scalin=none", "column \"age\": unknown word \"scalin\" (did you mean \"scaling\"?)"},
      {"age:scaling=robst", "did you mean \"robust\"?"},
      {"age:impute", "\"impute\" needs a value"},
      {"age:", "unknown word \"\""},
      {"age:scaling=none,", "unknown word \"\""},
      {"age:categories-max=many", "expected a whole number"},
  };
  for (const auto& c : cases) {
    v1::TrainingSpec spec;
    const absl::Status status = Apply({"--feature", c.text}, &spec);
    EXPECT_TRUE(IsUsageError(status)) << c.text;
    ASSERT_TRUE(GetErrorInfo(status).has_value());
    EXPECT_THAT(GetErrorInfo(status)->violations,
                testing::ElementsAre(
                    FieldViolation{"--feature", GetErrorInfo(status)->violations[0].description}));
    EXPECT_THAT(GetErrorInfo(status)->violations[0].description, HasSubstr(c.fault));
  }
}

TEST(SpecFlagsTest, InitialWeightsComeOutOfAnNpzFile) {
  // tests/golden/make_weights_npz.py.
  const std::string path = TY_SOURCE_DIR "/tests/golden/weights.npz";
  v1::TrainingSpec spec = Spec("initial_weights { weights: 9 }");
  ASSERT_THAT(Apply({"--initial-weights", path, "--epochs", "3"}, &spec), IsOk());
  EXPECT_EQ(spec.ShortDebugString(), Spec(R"(
      initial_weights { weights: [1.5, -2, 0.25, 3, 0.5, -1] biases: [0, 1, -1] }
      initial_weights { weights: [2, -0.5, 4] } epochs: 3)")
                                         .ShortDebugString());
  for (const std::string& no_npz :
       {std::string(TY_SOURCE_DIR "/tests/golden/layers.txt"), std::string("/no/such.npz")}) {
    const absl::Status status = Apply({"--initial-weights", no_npz}, &spec);
    EXPECT_TRUE(IsUsageError(status)) << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr(no_npz));
  }
}

TEST(SpecFlagsTest, ANetworkThatNobodyDescribedIsChosenAndTold) {
  const struct {
    std::vector<std::string> arguments;
    const char* layers;
    bool told;
  } cases[] = {
      {{}, "layers { units: 100 }", true},
      {{"--init", "normal"}, "layers { units: 100 } init: INIT_NORMAL", true},
      {{"--activation", "tanh"}, "layers { units: 100 activation: ACTIVATION_TANH }", true},
      {{"--hidden", "none"}, "", false},
      {{"--hidden", "8"}, "layers { units: 8 }", false},
      {{"--init", "zeros"}, "init: INIT_ZEROS", false},
      {{"--initial-model", "models/m"}, "initial_model: 'models/m'", false},
  };
  for (const auto& c : cases) {
    v1::TrainingSpec spec;
    std::vector<std::string> notes;
    ASSERT_THAT(Apply(c.arguments, &spec, &notes), IsOk());
    EXPECT_EQ(spec.ShortDebugString(), Spec(c.layers).ShortDebugString());
    EXPECT_EQ(notes.size(), c.told ? 1 : 0);
  }
}

TEST(SpecFlagsTest, ContradictionsAreUsage) {
  v1::TrainingSpec spec;
  for (const std::vector<std::string>& flags :
       {std::vector<std::string>{"--hidden", "8", "--batch-norm", "--layer-norm"},
        {"--nesterov", "--no-nesterov"},
        {"--restore-only", "--no-restore-best"},
        {"--initial-weights", "a.npz", "--initial-model", "models/m"}}) {
    EXPECT_THROW(Apply(flags, &spec).IgnoreError(), CLI::ExcludesError) << flags.back();
  }
}

TEST(SpecFlagsTest, EarlyStoppingNeedsNoMetric) {
  v1::TrainingSpec spec;
  ASSERT_THAT(Apply({"--early-stopping", "--epochs", "3"}, &spec), IsOk());
  EXPECT_EQ(spec.early_stopping().metric(), "loss");
  EXPECT_EQ(spec.epochs(), 3);
  ASSERT_THAT(Apply({"--early-stopping=accuracy"}, &spec), IsOk());
  EXPECT_EQ(spec.early_stopping().metric(), "accuracy");
}

TEST(SpecFlagsTest, WhatDoesNotFitTheLayersIsAFault) {
  v1::TrainingSpec spec;
  EXPECT_THAT(Apply({"--hidden", "8,4", "--residual"}, &spec),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("as wide as")));
  EXPECT_THAT(Apply({"--hidden", "none", "--dropout", "0.5"}, &spec),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("0 hidden layers")));
  EXPECT_THAT(Apply({"--class-weight", "a"}, &spec),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("NAME=VALUE")));
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
