#include "server/wire/analysis_convert.h"

#include <google/protobuf/unknown_field_set.h>

#include <limits>
#include <utility>

#include "server/wire/convert.h"
#include "tests/support/status_matchers.h"

namespace trainyard {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

v1::TrainingSpec Spec() {
  TrainConfig config;
  config.data.feature_columns = {"height", "weight"};
  config.optimizer.kind = OptimizerKind::kAdam;
  return TrainConfigToProto(config);
}

std::vector<FieldViolation> FaultsOf(const v1::AnalysisSpec& analysis) {
  std::vector<FieldViolation> violations;
  ResolveAnalysis(analysis, Spec(), &violations);
  return violations;
}

TEST(AnalysisConvertTest, DefaultsOfEveryKindAreThoseOfTheContract) {
  v1::AnalysisSpec analysis;
  analysis.mutable_decision_boundary()->set_x_feature("height");
  analysis.mutable_decision_boundary()->set_y_feature("weight");
  std::vector<FieldViolation> violations;
  v1::AnalysisSpec resolved = ResolveAnalysis(analysis, Spec(), &violations);
  EXPECT_EQ(resolved.part(), v1::DATASET_PART_TRAIN);
  EXPECT_EQ(resolved.rows_max(), 10'000);
  EXPECT_EQ(resolved.decision_boundary().resolution(), 81);
  EXPECT_EQ(resolved.decision_boundary().rows_shown(), 300);
  EXPECT_EQ(resolved.decision_boundary().x_feature(), "height");
  analysis.mutable_gradient_check();
  resolved = ResolveAnalysis(analysis, Spec(), &violations);
  EXPECT_EQ(resolved.gradient_check().parameters_per_tensor(), 50);
  EXPECT_EQ(resolved.gradient_check().epsilon(), 1e-5);
  EXPECT_EQ(resolved.gradient_check().tolerance(), 1e-3);
  EXPECT_EQ(resolved.gradient_check().batch_size(), 64);
  analysis.mutable_loss_landscape();
  resolved = ResolveAnalysis(analysis, Spec(), &violations);
  EXPECT_EQ(resolved.loss_landscape().resolution(), 25);
  EXPECT_EQ(resolved.loss_landscape().range(), 1);
  analysis.mutable_loss_line();
  resolved = ResolveAnalysis(analysis, Spec(), &violations);
  EXPECT_EQ(resolved.loss_line().points(), 51);
  EXPECT_EQ(resolved.loss_line().from(), -0.5);
  EXPECT_EQ(resolved.loss_line().to(), 1.5);
  analysis.mutable_layer_statistics();
  EXPECT_EQ(ResolveAnalysis(analysis, Spec(), &violations).layer_statistics().bins(), 30);
  analysis.mutable_hessian();
  resolved = ResolveAnalysis(analysis, Spec(), &violations);
  EXPECT_EQ(resolved.hessian().iterations_max(), 100);
  EXPECT_EQ(resolved.hessian().tolerance(), 1e-3);
  analysis.mutable_learning_rate_finder();
  resolved = ResolveAnalysis(analysis, Spec(), &violations);
  EXPECT_EQ(resolved.learning_rate_finder().start(), 1e-7);
  EXPECT_EQ(resolved.learning_rate_finder().end(), 10);
  EXPECT_EQ(resolved.learning_rate_finder().steps(), 100);
  EXPECT_TRUE(violations.empty()) << violations.front().field;
}

TEST(AnalysisConvertTest, WhatIsGivenStays) {
  v1::AnalysisSpec analysis;
  analysis.set_part(v1::DATASET_PART_TEST);
  analysis.set_rows_max(7);
  v1::LossLandscapeSpec& landscape = *analysis.mutable_loss_landscape();
  landscape.set_resolution(5);
  landscape.set_range(0.5);
  landscape.set_seed(9);
  std::vector<FieldViolation> violations;
  const v1::AnalysisSpec resolved = ResolveAnalysis(analysis, Spec(), &violations);
  EXPECT_EQ(resolved.SerializeAsString(), analysis.SerializeAsString());
  const LossLandscapeOptions options = OptionsFromProto(landscape);
  EXPECT_EQ(options.resolution, 5);
  EXPECT_EQ(options.range, 0.5);
  EXPECT_EQ(options.seed, 9u);
}

TEST(AnalysisConvertTest, EveryFaultAtOnceWithItsPath) {
  EXPECT_EQ(FaultsOf({}).at(0).field, "analysis");
  v1::AnalysisSpec analysis;
  analysis.set_rows_max(0);
  analysis.set_part(static_cast<v1::DatasetPart>(9));
  analysis.mutable_decision_boundary()->set_x_feature("heigth");
  analysis.mutable_decision_boundary()->set_y_feature("weight");
  analysis.GetReflection()->MutableUnknownFields(&analysis)->AddVarint(900, 1);
  std::vector<std::string> fields;
  for (const FieldViolation& violation : FaultsOf(analysis)) fields.push_back(violation.field);
  EXPECT_THAT(fields,
              testing::UnorderedElementsAre("analysis", "analysis.part", "analysis.rows_max",
                                            "analysis.decision_boundary.x_feature"));
}

TEST(AnalysisConvertTest, AnUnknownPartIsAFaultWhateverItsNumber) {
  for (const int number : {99, 255, 256, -1}) {
    v1::AnalysisSpec analysis;
    analysis.set_part(static_cast<v1::DatasetPart>(number));
    analysis.mutable_hessian();
    const std::vector<FieldViolation> faults = FaultsOf(analysis);
    ASSERT_EQ(faults.size(), 1u);
    EXPECT_EQ(faults[0].field, "analysis.part");
  }
}

TEST(AnalysisConvertTest, TheLearningRateFinderChoosesNoRows) {
  v1::AnalysisSpec analysis;
  analysis.mutable_learning_rate_finder();
  std::vector<FieldViolation> violations;
  const v1::AnalysisSpec resolved = ResolveAnalysis(analysis, Spec(), &violations);
  EXPECT_TRUE(violations.empty());
  EXPECT_TRUE(FaultsOf(resolved).empty());  // resolves to itself
  analysis.set_part(v1::DATASET_PART_TRAIN);
  analysis.set_rows_max(10);
  std::vector<std::string> fields;
  for (const FieldViolation& violation : FaultsOf(analysis)) fields.push_back(violation.field);
  EXPECT_THAT(fields, testing::UnorderedElementsAre("analysis.part", "analysis.rows_max"));
}

TEST(AnalysisConvertTest, LinesAndRatesHaveBounds) {
  constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
  const std::pair<double, double> lines[] = {{-1000.5, 0}, {kNan, 0}, {0, 1000.5},
                                             {0, kNan},    {1, 1},    {-1e308, 1e308}};
  for (const auto& [from, to] : lines) {
    v1::AnalysisSpec analysis;
    analysis.mutable_loss_line()->set_from(from);
    analysis.mutable_loss_line()->set_to(to);
    ASSERT_FALSE(FaultsOf(analysis).empty()) << from << " to " << to;
    EXPECT_THAT(FaultsOf(analysis)[0].field, testing::StartsWith("analysis.loss_line."));
    EXPECT_THAT(FaultsOf(analysis)[0].description, testing::HasSubstr("1000"));
  }
  v1::AnalysisSpec line;
  line.mutable_loss_line()->set_from(-1000);
  line.mutable_loss_line()->set_to(1000);
  EXPECT_TRUE(FaultsOf(line).empty());

  v1::AnalysisSpec finder;
  finder.mutable_learning_rate_finder()->set_start(1e-30);
  finder.mutable_learning_rate_finder()->set_end(1e6);
  EXPECT_TRUE(FaultsOf(finder).empty());
  finder.mutable_learning_rate_finder()->set_start(9e-31);
  ASSERT_EQ(FaultsOf(finder).size(), 1u);
  EXPECT_EQ(FaultsOf(finder)[0].field, "analysis.learning_rate_finder.start");
  EXPECT_THAT(FaultsOf(finder)[0].description, testing::HasSubstr("1e-30"));
}

TEST(AnalysisConvertTest, FeaturesOfAFaultySpecAreNotHeldAgainstAPicture) {
  v1::TrainingSpec spec = Spec();
  spec.clear_feature_columns();
  v1::AnalysisSpec analysis;
  analysis.mutable_decision_boundary()->set_x_feature("height");
  analysis.mutable_decision_boundary()->set_y_feature("height");
  std::vector<FieldViolation> violations;
  ResolveAnalysis(analysis, spec, &violations);
  ASSERT_EQ(violations.size(), 1u);
  EXPECT_EQ(violations[0].field, "analysis.decision_boundary.y_feature");
}

// Every singular field of the message is set, and every repeated one has entries.
void ExpectAllSet(const Message& message, const std::string& path) {
  for (int i = 0; i < message.GetDescriptor()->field_count(); ++i) {
    const FieldDescriptor* field = message.GetDescriptor()->field(i);
    const auto& reflection = *message.GetReflection();
    const std::string here = path + "." + field->name();
    if (field->is_repeated()) {
      ASSERT_GT(reflection.FieldSize(message, field), 0) << here;
    } else {
      EXPECT_TRUE(reflection.HasField(message, field)) << here;
    }
    if (field->cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE) continue;
    ExpectAllSet(field->is_repeated() ? reflection.GetRepeatedMessage(message, field, 0)
                                      : reflection.GetMessage(message, field),
                 here);
  }
}

template <typename Result>
void ExpectWhole(const Result& result) {
  v1::AnalysisResult proto;
  ResultToProto(result, &proto);
  const FieldDescriptor* kind = proto.GetReflection()->GetOneofFieldDescriptor(
      proto, v1::AnalysisResult::descriptor()->FindOneofByName("kind"));
  ASSERT_NE(kind, nullptr);
  ExpectAllSet(proto.GetReflection()->GetMessage(proto, kind), kind->name());
}

TEST(AnalysisConvertTest, NoFieldOfAResultIsForgotten) {
  ExpectWhole(GradientCheckResult{.tensors = {{"layers[0] weights", 5, 1, 0.5, 3, 0.25, 0.75}},
                                  .passed = true,
                                  .row_count = 9});
  ExpectWhole(LossLandscapeResult{{-1, 0, 1}, {1, 2, 3}, 2, 9});
  ExpectWhole(LossLineResult{{0, 1}, {1, 2}, 0.5, 9});
  ExpectWhole(LinearCollapseResult{true, "because", {1}, {2}, 0.5, 3, 4, 9});
  const NumberSummary summary{1, 2, 3, 4, 0.5, {6}};
  ExpectWhole(LayerStatisticsResult{
      .layers = {{"output", summary, summary, summary, 1, 2, 0.25, 0.5}}, .row_count = 9});
  ExpectWhole(DecisionBoundaryResult{.x_axis = {1},
                                     .y_axis = {2},
                                     .values = {3},
                                     .class_indices = {1},
                                     .classes = {"a"},
                                     .points = {{1, 2, 3, 4}},
                                     .row_count = 9});
  ExpectWhole(HessianResult{2, -1, 7, true, 0.5, 0.25, 9});
  ExpectWhole(LearningRateFinderResult{{1}, {2}, {3}, 0.5, true});
}

TEST(AnalysisConvertTest, ALandscapeKeepsItsOrder) {
  v1::AnalysisResult proto;
  ResultToProto(LossLandscapeResult{{-1, 0, 1}, {1, 2, 3, 4, 5, 6, 7, 8, 9}, 5, 9}, &proto);
  EXPECT_EQ(proto.row_count(), 9);
  EXPECT_THAT(proto.loss_landscape().axis(), testing::ElementsAre(-1, 0, 1));
  EXPECT_EQ(proto.loss_landscape().losses(5), 6);
  EXPECT_EQ(proto.loss_landscape().centre(), 5);
}

TEST(AnalysisConvertTest, PartsHaveTheNumbersOfTheContract) {
  EXPECT_EQ(static_cast<int>(DatasetPart::kTrain), v1::DATASET_PART_TRAIN);
  EXPECT_EQ(static_cast<int>(DatasetPart::kValidation), v1::DATASET_PART_VALIDATION);
  EXPECT_EQ(static_cast<int>(DatasetPart::kTest), v1::DATASET_PART_TEST);
}

}  // namespace
}  // namespace trainyard
