// Results made by hand: what a person reads of each kind.
#include "client/analysis_picture.h"

#include <signal.h>
#include <sys/stat.h>

#include <cmath>
#include <cstdio>
#include <fstream>
#include <limits>
#include <sstream>

#include "absl/strings/str_cat.h"
#include "client/exit_code.h"
#include "client/plot.h"
#include "gmock/gmock.h"
#include "google/protobuf/text_format.h"
#include "gtest/gtest.h"
#include "tests/support/status_matchers.h"

namespace trainyard {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

v1::AnalysisResult Result(const char* text) {
  v1::AnalysisResult result;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &result));
  return result;
}

std::string ReadFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::stringstream bytes;
  bytes << file.rdbuf();
  return bytes.str();
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

// Three classes, of which the model is equally sure everywhere.
v1::AnalysisResult Regions() {
  v1::AnalysisResult result = Boundary();
  v1::DecisionBoundaryResult& boundary = *result.mutable_decision_boundary();
  boundary.add_classes("perhaps");
  boundary.set_class_indices(0, 2);
  for (double& value : *boundary.mutable_values()) value = 1;
  return result;
}

v1::AnalysisResult Plane() {
  return Result(R"(decision_boundary { x_axis: 0 x_axis: 1 y_axis: 0 y_axis: 1
    values: 1 values: 2 values: 3 values: 4 points { x: 0.5 y: 0.5 value: 2.5 } } row_count: 4)");
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
  const std::string text = DescribeAnalysis(Landscape(), {}, {.width = 50});
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
      {Result("hessian { eigenvalue_max: 4 eigenvalue_min: 0.5 converged: true }"),
       "up to learning rate 0.5"},
      {Result(R"(layer_statistics { layers { name: "output" dead_unit_fraction: 0.125
                 weights { histogram: 1 histogram: 9 } } })"),
       "▁█"},
  };
  for (const auto& c : cases) {
    EXPECT_THAT(DescribeAnalysis(c.result, {}, {}), HasSubstr(c.part));
  }
}

TEST(AnalysisPictureTest, CurvatureIsToldAsFarAsItIsKnown) {
  const struct {
    const char* result;
    const char* answer;
  } cases[] = {
      {"eigenvalue_max: 4 eigenvalue_min: -0.5 converged: true", "not convex here"},
      {"eigenvalue_max: -1 eigenvalue_min: -2 converged: true", "not convex here"},
      {"eigenvalue_max: 4 eigenvalue_min: 0.5 converged: true", "curves up in every direction"},
      {"eigenvalue_max: 4 eigenvalue_min: 3.9e-4 converged: true", "some are flat"},
      {"eigenvalue_max: 4 eigenvalue_min: -3.9e-4 converged: true", "some are flat"},
      {"eigenvalue_max: 4 eigenvalue_min: -4.1e-4 converged: true", "not convex here"},
      {"converged: true", "some are flat"},
      {"eigenvalue_max: 4 eigenvalue_min: -0.5", "unknown: not converged"},
      {"eigenvalue_max: nan eigenvalue_min: -0.5 converged: true", "unknown: not converged"},
      {"eigenvalue_max: 4 eigenvalue_min: nan converged: true", "unknown: not converged"},
  };
  for (const auto& c : cases) {
    const std::string text =
        DescribeAnalysis(Result(absl::StrCat("hessian { ", c.result, " }").c_str()), {}, {});
    EXPECT_THAT(text, HasSubstr(c.answer)) << c.result;
    const bool unknown = text.find("unknown") != std::string::npos;
    EXPECT_FALSE(unknown && text.find("learning rate") != std::string::npos) << c.result;
  }
}

TEST(AnalysisPictureTest, ABoundarySaysOfWhatItIsAProbability) {
  const AnalysisContext context{.task = v1::TASK_BINARY, .x_feature = "age", .y_feature = "size"};
  EXPECT_THAT(DescribeAnalysis(Boundary(), context, {}),
              StartsWith("shade is the probability of yes; x: age 0 to 2, y: size 0 to 5\n"));
  EXPECT_THAT(DescribeAnalysis(Regions(), {.task = v1::TASK_MULTICLASS}, {}),
              AllOf(StartsWith("shade is the predicted class;"), HasSubstr(" 2 perhaps\n")));
  EXPECT_THAT(DescribeAnalysis(Plane(), {.task = v1::TASK_REGRESSION}, {}),
              StartsWith("shade is the predicted value;"));
}

TEST(AnalysisPictureTest, OfSeveralLabelsTheFirstIsThereOrNot) {
  for (const v1::AnalysisResult& result : {Boundary(), Regions()}) {
    const std::string text = DescribeAnalysis(result, {.task = v1::TASK_MULTILABEL}, {});
    EXPECT_THAT(text, StartsWith("shade is the probability of no;"));
    EXPECT_THAT(text, HasSubstr("signs are rows by their class: 0 not no 1 no\n"));
  }
}

TEST(AnalysisPictureTest, ResultsThatDoNotFitAreToldNotDrawn) {
  for (const char* text :
       {"loss_landscape { axis: 1 axis: 2 losses: 3 }", "loss_landscape {}",
        "loss_line { axis: 1 }", "decision_boundary { x_axis: 1 y_axis: 1 }",
        "linear_collapse { linear: true weights: 1 weights: 2 weights: 3 biases: 1 biases: 2 }",
        "learning_rate_finder { learning_rates: 1 smoothed_losses: 1 }",
        "learning_rate_finder { learning_rates: 1 losses: 1 }",
        R"(decision_boundary { x_axis: 1 y_axis: 1 values: 1 classes: "a" })"}) {
    EXPECT_THAT(DescribeAnalysis(Result(text), {}, {}), HasSubstr("do not fit each other")) << text;
  }
  EXPECT_THAT(DescribeAnalysis({}, {}, {}), HasSubstr("does not know"));
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

// A name that a shell or gnuplot would run if it were read as anything but text.
std::string Evil(const std::string& file) {
  return absl::StrCat("`touch ", file, "`'.system('touch ", file, "').'\"$(touch ", file,
                      ")@x\n!touch ", file, "\n\\");
}

TEST(PlotTest, NamesCannotBecomeCommands) {
  const std::string file = testing::TempDir() + "/made_by_a_name";
  std::remove(file.c_str());
  v1::AnalysisResult result = Boundary();
  result.mutable_decision_boundary()->set_classes(1, Evil(file));
  const PlotOptions options{.path = testing::TempDir() + "/evil.svg",
                            .context = {.x_feature = Evil(file), .y_feature = Evil(file)}};
  EXPECT_THAT(
      PlotProgram(result, options),
      HasSubstr(absl::StrCat("set xlabel '`touch ", file, "`''.system(''touch ", file,
                             "'').''\"$(touch ", file, ")@x\\x0A!touch ", file, "\\x0A\\'\n")));
  ASSERT_THAT(WritePlot(result, options), IsOk());
  EXPECT_FALSE(std::ifstream(file).good());
  // As they are, the names are in the picture: both axes and the key.
  const std::string picture = ReadFile(options.path);
  size_t count = 0;
  for (size_t at = picture.find("`touch"); at != std::string::npos;) {
    ++count;
    at = picture.find("`touch", at + 1);
  }
  EXPECT_EQ(count, 3u);
}

TEST(PlotTest, NumbersHaveAllTheirDigits) {
  v1::AnalysisResult result = Line();
  result.mutable_loss_line()->set_losses(1, 0.69314718055994531);
  EXPECT_THAT(PlotProgram(result, {.path = "a.svg"}), HasSubstr("0.5 0.69314718055994529 "));
}

TEST(PlotTest, PicturesAreDrawn) {
  for (const v1::AnalysisResult& result :
       {Landscape(), Boundary(), Regions(), Plane(), Finder(), Line()}) {
    for (const std::string ending : {".svg", ".png"}) {
      for (const bool surface : {false, true}) {
        if (surface && !result.has_loss_landscape()) continue;
        const std::string path = testing::TempDir() + "/picture" + ending;
        ASSERT_THAT(WritePlot(result, {.path = path, .surface = surface}), IsOk());
        const std::string bytes = ReadFile(path);
        EXPECT_THAT(bytes, StartsWith(ending == ".svg" ? "<?xml" : "\x89PNG"));
        EXPECT_GT(bytes.size(), 2000u);
      }
    }
  }
}

TEST(PlotTest, RegionsHaveTheColoursOfTheirClasses) {
  const std::string program = PlotProgram(Regions(), {.path = "a.svg"});
  // Equally sure everywhere, so alike where and only where the class is.
  const std::string third = "0 0 89 192 164\n", first = "1 0 89 163 205\n";
  EXPECT_THAT(program, HasSubstr(third + first));
  EXPECT_THAT(program, HasSubstr("title 'perhaps'"));
  EXPECT_THAT(PlotProgram(Regions(), {.path = "a.svg", .context = {.task = v1::TASK_MULTILABEL}}),
              AllOf(HasSubstr("title 'not no'"), Not(HasSubstr("perhaps"))));
}

TEST(PlotTest, NothingFiniteIsToldAsSuch) {
  v1::AnalysisResult result = Line();
  for (double& loss : *result.mutable_loss_line()->mutable_losses()) loss = NAN;
  const std::string path = testing::TempDir() + "/nothing.svg";
  const absl::Status status = WritePlot(result, {.path = path});
  EXPECT_THAT(std::string(status.message()), HasSubstr("no finite value to draw"));
  EXPECT_FALSE(std::ifstream(path).good());
}

TEST(PlotTest, AMalformedResultIsRefused) {
  const absl::Status status =
      WritePlot(Result("loss_landscape { axis: 1 axis: 2 losses: 3 }"), {.path = "a.svg"});
  EXPECT_THAT(std::string(status.message()), HasSubstr("axis and losses do not fit"));
}

TEST(PlotTest, TheProgramIsTriedBeforeItIsNeeded) {
  EXPECT_THAT(CheckPlotProgram({.path = "a.svg"}), IsOk());
  EXPECT_THAT(CheckPlotProgram({.path = "a.png"}), IsOk());
  EXPECT_TRUE(IsUsageError(CheckPlotProgram({.path = "a.svg", .program = "no-such-gnuplot"})));
  EXPECT_TRUE(IsUsageError(CheckPlotProgram({.path = "a.svg", .program = "false"})));
}

TEST(PlotTest, AChildMayBeInterrupted) {
  sigset_t blocked, before;
  sigemptyset(&blocked);
  sigaddset(&blocked, SIGINT);
  sigaddset(&blocked, SIGTERM);
  ASSERT_EQ(pthread_sigmask(SIG_BLOCK, &blocked, &before), 0);
  const std::string script = testing::TempDir() + "/mask.sh";
  std::ofstream(script) << "#!/bin/sh\ngrep SigBlk /proc/self/status >&2\nexit 1\n";
  ASSERT_EQ(chmod(script.c_str(), 0700), 0);
  const absl::Status status = CheckPlotProgram({.path = "a.svg", .program = script});
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  EXPECT_THAT(std::string(status.message()), HasSubstr("0000000000000000"));
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
