// Results made by hand: what a person reads of each kind.
#include "client/analysis_picture.h"

#include <cmath>
#include <fstream>
#include <limits>
#include <sstream>

#include "client/exit_code.h"
#include "client/plot.h"
#include "gmock/gmock.h"
#include "google/protobuf/text_format.h"
#include "gtest/gtest.h"
#include "tests/support/status_matchers.h"

namespace trainyard {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

v1::AnalysisResult Result(const char* text) {
  v1::AnalysisResult result;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &result));
  return result;
}

// exp(3 (a² + b²)) on [-1, 1]².
v1::AnalysisResult Landscape() {
  v1::AnalysisResult result;
  for (int i = 0; i < 25; ++i) result.mutable_loss_landscape()->add_axis((i - 12) / 12.0);
  for (const double b : result.loss_landscape().axis()) {
    for (const double a : result.loss_landscape().axis()) {
      result.mutable_loss_landscape()->add_losses(std::exp(3 * (a * a + b * b)));
    }
  }
  result.mutable_loss_landscape()->set_losses(0, std::numeric_limits<double>::infinity());
  result.mutable_loss_landscape()->set_centre(1);
  result.set_row_count(399);
  return result;
}

v1::AnalysisResult Boundary() {
  return Result(R"(decision_boundary {
    x_axis: 0 x_axis: 1 x_axis: 2 y_axis: 0 y_axis: 5
    values: 0 values: 0.5 values: 1 values: 0.25 values: 0.75 values: 1
    class_indices: 0 class_indices: 0 class_indices: 1
    class_indices: 0 class_indices: 1 class_indices: 1
    classes: "no" classes: "yes" points { x: 2 y: 5 class_index: 1 } } row_count: 10)");
}

v1::AnalysisResult Finder() {
  return Result(R"(learning_rate_finder {
    learning_rates: 0.001 learning_rates: 0.01 learning_rates: 0.1
    losses: 1 losses: 0.5 losses: 9 smoothed_losses: 1 smoothed_losses: 0.6 smoothed_losses: 4
    suggestion: 0.01 diverged: true } row_count: 64)");
}

v1::AnalysisResult Line() {
  return Result("loss_line { axis: 0 axis: 0.5 axis: 1 losses: 1 losses: 3 losses: 1 barrier: 2 }");
}

TEST(AnalysisPictureTest, ALandscapeIsShadedRoundItsCentre) {
  const std::string text = DescribeAnalysis(Landscape(), {.width = 50});
  EXPECT_THAT(text, HasSubstr("each -1 to 1, shaded by its logarithm"));
  EXPECT_THAT(text, HasSubstr("  +  "));
  EXPECT_THAT(text, HasSubstr("!"));
  EXPECT_THAT(text, HasSubstr("loss there 1\non 399 rows\n"));
}

TEST(AnalysisPictureTest, TheLogarithmIsForLossesOfManySizes) {
  google::protobuf::RepeatedField<double> losses;
  for (const double loss : {1.0, 2.0, 19.0}) losses.Add(loss);
  EXPECT_FALSE(WantsLogarithm(losses));
  losses.Add(21);
  EXPECT_TRUE(WantsLogarithm(losses));
  losses.Add(0);
  EXPECT_FALSE(WantsLogarithm(losses));
  EXPECT_FALSE(WantsLogarithm({}));
}

TEST(AnalysisPictureTest, EveryKindSaysWhatItMeans) {
  const struct {
    v1::AnalysisResult result;
    const char* part;
  } cases[] = {
      {Line(), "barrier 2: the loss rises between them"},
      {Finder(), "suggestion: --learning-rate 0.01 (where it falls fastest); diverged"},
      {Boundary(), "signs are rows by their class: 0 no 1 yes"},
      {Result(R"(gradient_check { passed: true tensors { name: "layers[0] weights"
                 checked_count: 50 error_max: 1e-6 } })"),
       "passed: backpropagation agrees"},
      {Result("gradient_check { passed: false }"), "FAILED"},
      {Result(R"(linear_collapse { linear: false reason: "layers[0] is RELU" })"),
       "not linear: layers[0] is RELU"},
      {Result(R"(linear_collapse { linear: true weights: 1.5 weights: -2 biases: 0.25
                 parameter_count: 21 collapsed_parameter_count: 3 })"),
       "feature 1        -2"},
      {Result("hessian { eigenvalue_max: 4 eigenvalue_min: -0.5 converged: true iterations: 9 }"),
       "not convex"},
      {Result("hessian { eigenvalue_max: 4 eigenvalue_min: 0.5 }"), "up to learning rate 0.5"},
      {Result(R"(layer_statistics { layers { name: "output" dead_unit_fraction: 0.125
                 weights { histogram: 1 histogram: 9 } } })"),
       "▁█"},
  };
  for (const auto& c : cases) {
    EXPECT_THAT(DescribeAnalysis(c.result, {}), HasSubstr(c.part));
  }
}

TEST(AnalysisPictureTest, ResultsThatDoNotFitAreToldNotDrawn) {
  for (const char* text :
       {"loss_landscape { axis: 1 axis: 2 losses: 3 }", "loss_landscape {}",
        "loss_line { axis: 1 }", "decision_boundary { x_axis: 1 y_axis: 1 }",
        "linear_collapse { linear: true weights: 1 weights: 2 weights: 3 biases: 1 biases: 2 }",
        "learning_rate_finder { learning_rates: 1 }"}) {
    EXPECT_THAT(DescribeAnalysis(Result(text), {}), HasSubstr("do not fit each other")) << text;
  }
  EXPECT_THAT(DescribeAnalysis({}, {}), HasSubstr("does not know"));
}

TEST(PlotTest, KindAndEndingAreCheckedFirst) {
  using Kind = v1::AnalysisResult::KindCase;
  EXPECT_THAT(CheckPlot(Kind::kLossLandscape, {.path = "a.svg", .surface = true}), IsOk());
  EXPECT_THAT(CheckPlot(Kind::kLossLine, {.path = "a.png"}), IsOk());
  for (const absl::Status& status :
       {CheckPlot(Kind::kLossLandscape, {.path = "a.pdf"}),
        CheckPlot(Kind::kHessian, {.path = "a.svg"}),
        CheckPlot(Kind::kLossLine, {.path = "a.svg", .surface = true})}) {
    EXPECT_TRUE(IsUsageError(status)) << status;
  }
}

TEST(PlotTest, NamesCannotBecomeCommands) {
  const std::string program = PlotProgram(
      Boundary(), {.path = "a.svg", .x_label = "a\"\n!touch /tmp/x\n", .y_label = "b\\"});
  EXPECT_THAT(program, HasSubstr("set xlabel \"a\\\"\\\\x0A!touch /tmp/x\\\\x0A\"\n"));
  EXPECT_THAT(program, HasSubstr("set ylabel \"b\\\\\"\n"));
}

TEST(PlotTest, PicturesAreDrawn) {
  for (const v1::AnalysisResult& result : {Landscape(), Boundary(), Finder(), Line()}) {
    for (const std::string ending : {".svg", ".png"}) {
      for (const bool surface : {false, true}) {
        if (surface && !result.has_loss_landscape()) continue;
        const std::string path = testing::TempDir() + "/picture" + ending;
        ASSERT_THAT(WritePlot(result, {.path = path, .surface = surface}), IsOk());
        std::ifstream file(path, std::ios::binary);
        std::stringstream bytes;
        bytes << file.rdbuf();
        EXPECT_THAT(bytes.str(), StartsWith(ending == ".svg" ? "<?xml" : "\x89PNG"));
        EXPECT_GT(bytes.str().size(), 2000u);
      }
    }
  }
}

TEST(PlotTest, AMissingProgramSaysHowToGetIt) {
  const absl::Status status =
      WritePlot(Line(), {.path = testing::TempDir() + "/none.svg", .program = "no-such-gnuplot"});
  EXPECT_TRUE(IsUsageError(status));
  EXPECT_THAT(std::string(status.message()), HasSubstr("cannot start no-such-gnuplot"));
  EXPECT_THAT(GetErrorInfo(status)->hint, HasSubstr("gnuplot-nox"));
  EXPECT_FALSE(std::ifstream(testing::TempDir() + "/none.svg").good());
}

TEST(PlotTest, AProgramThatFailsIsQuoted) {
  const absl::Status status =
      WritePlot(Line(), {.path = testing::TempDir() + "/none.svg", .program = "false"});
  EXPECT_THAT(std::string(status.message()), HasSubstr("false cannot draw"));
}

}  // namespace
}  // namespace trainyard
