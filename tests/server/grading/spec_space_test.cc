#include "server/grading/spec_space.h"

#include <cmath>

#include "google/protobuf/text_format.h"
#include "google/protobuf/util/message_differencer.h"
#include "tests/support/status_matchers.h"

namespace trainyard {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

v1::TrainingSpec Parse(const std::string& text) {
  v1::TrainingSpec spec;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &spec)) << text;
  return spec;
}

SpecSpace Space(std::vector<SpecRule> rules) {
  auto space = SpecSpace::Create(std::move(rules), "rules");
  EXPECT_THAT(space, IsOk());
  return *std::move(space);
}

SpecSpace UsualSpace() {
  return Space({{.path = "layers[]", .max = 3},
                {.path = "layers[].units", .min = 1, .max = 64},
                {.path = "layers[].activation", .values = {"relu", "ACTIVATION_TANH"}},
                {.path = "layers[].dropout", .min = 0.125, .max = 0.5},
                {.path = "optimizer.kind", .values = {"adam", "SGD"}},
                {.path = "optimizer.learning_rate", .min = 1e-4, .max = 0.1},
                {.path = "optimizer.nesterov", .values = {"false"}},
                {.path = "early_stopping.patience"},
                {.path = "early_stopping.metric", .values = {"loss", "accuracy"}},
                {.path = "loss_options.class_weights", .max = 10},
                {.path = "schedule.milestones", .min = 5},
                {.path = "max_runtime", .max = 60},
                {.path = "epochs", .max = 100}});
}

std::vector<std::string> Fields(const std::vector<FieldViolation>& violations) {
  std::vector<std::string> fields;
  for (const FieldViolation& v : violations) fields.push_back(v.field);
  return fields;
}

std::vector<FieldViolation> Submitted(const SpecSpace& space, const std::string& text) {
  std::vector<FieldViolation> violations;
  space.CheckSubmitted(Parse(text), &violations);
  return violations;
}

std::vector<std::string> Resolved(const SpecSpace& space, const std::string& text) {
  std::vector<FieldViolation> violations;
  space.CheckResolved(Parse(text), &violations);
  return Fields(violations);
}

TEST(SpecSpaceTest, WhatIsListedMayBeSet) {
  const std::vector<FieldViolation> violations = Submitted(
      UsualSpace(),
      "layers { units: 64 activation: ACTIVATION_RELU dropout: 0.5 } layers { units: 1 "
      "activation: ACTIVATION_TANH } optimizer { kind: SGD learning_rate: 0.1 nesterov: false } "
      "early_stopping {} loss_options { class_weights { key: 'a' value: 10 } } "
      "schedule { milestones: 5 milestones: 9 } max_runtime { seconds: 60 } epochs: 100");
  EXPECT_THAT(Fields(violations), IsEmpty());
  EXPECT_THAT(Submitted(Space({}), ""), IsEmpty());
}

TEST(SpecSpaceTest, WhatIsNotListedIsNamedOnceWithWhatMayBeSet) {
  const std::vector<FieldViolation> violations =
      Submitted(Space({{.path = "layers[].units", .max = 64}, {.path = "epochs", .min = 2}}),
                "layers { units: 3 } layers { units: 4 dropout: 0.1 } seed: 0 epochs: 7 "
                "early_stopping {} split { test_fraction: 0.1 stratify: true } "
                "initial_weights { weights: 1 } max_runtime { seconds: 1 }");
  EXPECT_THAT(Fields(violations),
              UnorderedElementsAre("spec.layers[1].dropout", "spec.seed", "spec.early_stopping",
                                   "spec.split", "spec.initial_weights", "spec.max_runtime"));
  EXPECT_THAT(violations[0].description,
              HasSubstr("epochs (at least 2), layers[].units (at most 64)"));
  EXPECT_THAT(Submitted(Space({}), "epochs: 1")[0].description, HasSubstr("set: nothing"));
}

TEST(SpecSpaceTest, EveryValueOutOfItsRuleIsNamed) {
  const std::vector<FieldViolation> violations = Submitted(
      UsualSpace(),
      "layers { units: 65 activation: ACTIVATION_GELU dropout: 0.1 } layers { units: -1 } "
      "layers {} layers {} optimizer { kind: MUON learning_rate: nan nesterov: true } "
      "early_stopping { metric: 'roc_auc' patience: 1 } epochs: 101 "
      "loss_options { class_weights { key: 'a' value: 11 } } "
      "schedule { milestones: 5 milestones: 4 } max_runtime { seconds: 60 nanos: 1 }");
  EXPECT_THAT(Fields(violations),
              UnorderedElementsAre(
                  "spec.layers", "spec.layers[0].units", "spec.layers[0].activation",
                  "spec.layers[0].dropout", "spec.layers[1].units", "spec.optimizer.kind",
                  "spec.optimizer.learning_rate", "spec.optimizer.nesterov",
                  "spec.early_stopping.metric", "spec.epochs", "spec.loss_options.class_weights",
                  "spec.schedule.milestones[1]", "spec.max_runtime"));
  for (const FieldViolation& v : violations) {
    EXPECT_THAT(v.description, HasSubstr("the assignment takes ")) << v.field;
    if (v.field == "spec.optimizer.kind") {
      EXPECT_EQ(v.description, "is \"muon\"; the assignment takes adam, SGD");
    }
  }
}

TEST(SpecSpaceTest, ARuleOfACountAllowsNothingInside) {
  EXPECT_THAT(Fields(Submitted(Space({{.path = "layers[]", .max = 2}}), "layers { units: 1 }")),
              ElementsAre("spec.layers[0].units"));
}

TEST(SpecSpaceTest, ARuleOfAMessageAllowsAllThatIsInIt) {
  const SpecSpace space = Space({{.path = "layers"},
                                 {.path = "optimizer"},
                                 {.path = "optimizer.momentum", .max = 0.9},
                                 {.path = "layers[].units", .max = 5},
                                 {.path = "initial_weights"}});
  EXPECT_THAT(Submitted(space,
                        "layers { units: 5 dropout: 0.9 bias: false } optimizer { kind: LION "
                        "momentum: 0.5 } initial_weights { weights: 1 biases: 2 }"),
              IsEmpty());
  EXPECT_THAT(Fields(Submitted(space,
                               "layers { units: 6 dropout: 0.9 } optimizer { momentum: 1 } "
                               "epochs: 1 schedule { gamma: 1 }")),
              UnorderedElementsAre("spec.layers[0].units", "spec.optimizer.momentum", "spec.epochs",
                                   "spec.schedule"));
  EXPECT_THAT(Resolved(space, "layers { units: 6 } optimizer { momentum: 1 } epochs: 3"),
              UnorderedElementsAre("spec.layers[0].units", "spec.optimizer.momentum"));
}

TEST(SpecSpaceTest, UnknownFieldsAndEnumsAreViolations) {
  v1::TrainingSpec spec;
  ASSERT_TRUE(spec.ParseFromString("\xf8\x3f\x01"));  // field 1023: 1
  spec.mutable_optimizer()->set_kind(static_cast<v1::OptimizerSpec::Kind>(99));
  std::vector<FieldViolation> violations;
  UsualSpace().CheckSubmitted(spec, &violations);
  EXPECT_THAT(Fields(violations), ElementsAre("spec", "spec.optimizer.kind"));
}

// A default is nobody's choice, but it counts.
TEST(SpecSpaceTest, ResolvedSpecsAreCheckedWhoeverSetThem) {
  const SpecSpace space = UsualSpace();
  EXPECT_THAT(Submitted(space, "layers { units: 5 }"), IsEmpty());
  EXPECT_THAT(Resolved(space, "layers { units: 5 activation: ACTIVATION_RELU }"),
              ElementsAre("spec.layers[0].dropout"));
  EXPECT_THAT(Resolved(space,
                       "layers { units: 5 dropout: 0.2 activation: ACTIVATION_RELU } "
                       "optimizer { kind: ADAM learning_rate: 0.2 } seed: 7 epochs: 200 "
                       "split { test_fraction: 0.15 }"),
              UnorderedElementsAre("spec.optimizer.learning_rate", "spec.epochs"));
}

TEST(SpecSpaceTest, EveryFaultOfRulesIsNamed) {
  const auto space = SpecSpace::Create(
      {{.path = "layers[].unit"},
       {.path = "layers.units"},
       {.path = "layers[]."},
       {.path = "optimizer", .max = 1},
       {.path = "epochs[]"},
       {.path = ""},
       {.path = "epochs", .min = 3, .max = 2},
       {.path = "epochs"},
       {.path = "batch_size", .min = NAN, .max = INFINITY},
       {.path = "loss", .min = 1},
       {.path = "threads", .values = {"one"}},
       {.path = "layers", .values = {"one"}},
       {.path = "init", .values = {"zeros", "gaussian"}},
       {.path = "output_bias", .values = {"yes"}},
       {.path = "max_runtime.seconds"},
       {.path = "initial_model",
        .values = std::vector<std::string>(static_cast<size_t>(kSpecRuleValuesMax) + 1, "x")}},
      "rules");
  EXPECT_THAT(ViolatedFields(space.status()),
              ElementsAre("rules[0].path", "rules[1].path", "rules[2].path", "rules[3].min",
                          "rules[4].path", "rules[5].path", "rules[6].min", "rules[7].path",
                          "rules[8].min", "rules[8].max", "rules[9].min", "rules[10].values",
                          "rules[11].values", "rules[12].values[1]", "rules[13].values[0]",
                          "rules[14].path", "rules[15].values"));
  const std::vector<SpecRule> many(kSpecRulesMax + 1, {.path = "epochs"});
  EXPECT_THAT(ViolatedFields(SpecSpace::Create(many, "rules").status()), ElementsAre("rules"));
}

TEST(SpecSpaceTest, TheStudentsFieldsLieOverTheAssignments) {
  const v1::TrainingSpec merged = MergeSpec(
      Parse("layers { units: 1 } layers { units: 2 } optimizer { kind: SGD momentum: 0.5 } "
            "epochs: 5 loss_options { label_smoothing: 0.1 class_weights { key: 'a' value: 1 } } "
            "max_runtime { seconds: 5 nanos: 7 } exclude_columns: 'id' batch_size: 16"),
      Parse("layers { units: 9 } optimizer { momentum: 0 learning_rate: 0.1 } epochs: 6 "
            "loss_options { class_weights { key: 'b' value: 2 } } max_runtime { seconds: 3 } "
            "early_stopping {}"));
  const v1::TrainingSpec expected = Parse(
      "layers { units: 9 } optimizer { kind: SGD momentum: 0 learning_rate: 0.1 } epochs: 6 "
      "loss_options { label_smoothing: 0.1 class_weights { key: 'b' value: 2 } } "
      "max_runtime { seconds: 3 } exclude_columns: 'id' batch_size: 16 early_stopping {}");
  EXPECT_TRUE(google::protobuf::util::MessageDifferencer::Equals(merged, expected))
      << merged.DebugString();
}

}  // namespace
}  // namespace trainyard
