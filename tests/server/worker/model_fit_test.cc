#include "server/worker/model_fit.h"

#include "tests/support/status_matchers.h"

namespace trainyard {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

// 2·a' + 3·b' + 1 of features a' = (a - 1) / 2 and b' = 0, which was constant.
Bundle Line() {
  Bundle bundle;
  bundle.feature_columns = {"a", "b"};
  bundle.preprocessor = Preprocessor({1, 2}, {0.5, 0});
  bundle.weights = {{.in = 2, .out = 1, .weights = {2, 3}, .biases = {1}}};
  return bundle;
}

TEST(RescaleTest, PredictionsStayTheSame) {
  Bundle bundle = Line();
  ASSERT_THAT(Rescale("models/a", Preprocessor({3, 7}, {0.25, 1}), &bundle), IsOk());
  // At a = 11: 2·5 + 1 before, and 4·2 + 3.
  EXPECT_THAT(bundle.weights[0].weights, ElementsAre(4, 0));
  EXPECT_THAT(bundle.weights[0].biases, ElementsAre(3));
  EXPECT_THAT(bundle.preprocessor.offsets(), ElementsAre(3, 7));
}

TEST(RescaleTest, TheSameScalingChangesNothing) {
  Bundle bundle = Line();
  bundle.weights[0].residual = true;
  ASSERT_THAT(Rescale("models/a", Line().preprocessor, &bundle), IsOk());
  EXPECT_THAT(bundle.weights[0].weights, ElementsAre(2, 3));
}

TEST(RescaleTest, ARunningMeanTakesUpWhatABiasWould) {
  Bundle bundle = Line();
  LayerWeights& layer = bundle.weights[0];
  layer.biases.clear();
  layer.normalization = Normalization::kBatch;
  layer.running_means = {1};
  ASSERT_THAT(Rescale("models/a", Preprocessor({3, 7}, {0.25, 1}), &bundle), IsOk());
  EXPECT_THAT(layer.running_means, ElementsAre(-1));
}

TEST(RescaleTest, WithoutBiasesOnlyFactorsMayDiffer) {
  Bundle bundle = Line();
  bundle.weights[0].biases.clear();
  ASSERT_THAT(Rescale("models/a", Preprocessor({1, 2}, {0.25, 0}), &bundle), IsOk());
  EXPECT_THAT(bundle.weights[0].weights, ElementsAre(4, 0));
  EXPECT_THAT(Rescale("models/a", Preprocessor({3, 2}, {0.25, 0}), &bundle),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("no biases")));
}

TEST(RescaleTest, ValuesStayTheSameForAnotherUnitOfTheTarget) {
  Bundle bundle = Line();
  bundle.loss.target_offset = 100;
  bundle.loss.target_scale = 8;
  ASSERT_THAT(RescaleTarget("models/a", {.offset = 60, .scale = 4}, &bundle), IsOk());
  // z of 2: a value of 116 before, and 14·4 + 60.
  EXPECT_THAT(bundle.weights[0].weights, ElementsAre(4, 6));
  EXPECT_THAT(bundle.weights[0].biases, ElementsAre(12));
  EXPECT_EQ(bundle.loss.target_offset, 60);
  EXPECT_EQ(bundle.loss.target_scale, 4);
  bundle.weights[0].biases.clear();
  ASSERT_THAT(RescaleTarget("models/a", {.offset = 60, .scale = 8}, &bundle), IsOk());
  EXPECT_THAT(RescaleTarget("models/a", {.offset = 61, .scale = 8}, &bundle),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("no bias")));
}

// 2·a' + 5·missing + 3·Rome + 1, where a' = (a - 1) / 2 and a missing a is 7.
Bundle Columns() {
  Bundle bundle;
  bundle.feature_columns = {"city", "a"};
  bundle.preprocessor =
      Preprocessor({{.encoding = Encoding::kOneHot, .categories = {"Rome"}},
                    {.offset = 1, .scale = 0.5, .fill = 7, .missing_indicator = true}});
  bundle.weights = {{.in = 3, .out = 1, .weights = {3, 2, 5}, .biases = {1}}};
  return bundle;
}

TEST(RescaleTest, TheIndicatorTakesUpAnotherFill) {
  Bundle bundle = Columns();
  std::vector<ColumnTransform> to = bundle.preprocessor.transforms();
  to[1].offset = 3;
  to[1].scale = 0.25;
  to[1].fill = 11;
  ASSERT_THAT(Rescale("models/a", Preprocessor(to), &bundle), IsOk());
  EXPECT_THAT(bundle.weights[0].weights, ElementsAre(3, 4, 1));
  // Of a missing cell: 2·3 + 5 + 1 before, and 4·2 + 1 + 3.
  EXPECT_THAT(bundle.weights[0].biases, ElementsAre(3));
}

TEST(RescaleTest, OtherCategoriesOrFillsAreRefused) {
  Bundle bundle = Columns();
  std::vector<ColumnTransform> to = bundle.preprocessor.transforms();
  to[0].categories = {"Oslo"};
  EXPECT_THAT(Rescale("models/a", Preprocessor(to), &bundle),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("\"city\" has other")));
  bundle.preprocessor = Preprocessor(std::vector<ColumnTransform>{{.fill = 1}});
  bundle.feature_columns = {"a"};
  EXPECT_THAT(Rescale("models/a", Preprocessor(std::vector<ColumnTransform>{{.fill = 2}}), &bundle),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("missing cells filled in")));
}

TEST(RescaleTest, WhatIsLostByScalingCannotBeRewritten) {
  Bundle bundle = Line();
  const absl::Status status = Rescale("models/a", Preprocessor({1, 2}, {0, 0}), &bundle);
  EXPECT_THAT(status, HasReason(ErrorReason::kInvalidSpec));
  EXPECT_THAT(status, StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("\"a\" is constant")));
  bundle = Line();
  bundle.weights[0].residual = true;
  EXPECT_THAT(Rescale("models/a", Preprocessor({3, 7}, {0.25, 1}), &bundle),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("residual")));
}

}  // namespace
}  // namespace trainyard
