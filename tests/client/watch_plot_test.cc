// Curves as a person sees them, at several sizes.
#include "client/watch_plot.h"

#include <cmath>

#include "absl/strings/str_split.h"
#include "client/loss_curves.h"
#include "client/render.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/client/event_builders.h"

namespace trainyard {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;

std::vector<std::string> Names(const std::vector<Curve>& curves) {
  std::vector<std::string> names;
  for (const Curve& curve : curves) names.push_back(curve.name);
  return names;
}

PlottedJob Job(const std::string& title, const std::vector<v1::JobEvent>& events) {
  PlottedJob job{.title = title};
  v1::TrainingJob snapshot;
  snapshot.set_state(v1::JOB_STATE_RUNNING);
  snapshot.mutable_progress()->set_epochs_total(4);
  snapshot.mutable_progress()->set_steps_total(40);
  job.tracker.OnSnapshot(snapshot);
  for (const v1::JobEvent& event : events) AddEvent(event, &job);
  return job;
}

// Training falls from 4 by halves, validation falls and turns up.
std::vector<v1::JobEvent> Overfitting() {
  return {EpochEvent(10, 4, 4.5), EpochEvent(20, 2, 3.0), EpochEvent(30, 1, 2.5),
          EpochEvent(40, 0.5, 3.0)};
}

v1::JobEvent Warning() {
  v1::JobEvent event = NewEvent();
  event.mutable_note()->set_message("validation loss rises.");
  event.mutable_note()->set_warning(v1::TRAINING_WARNING_OVERFITTING);
  event.mutable_note()->set_remedy("--early-stopping");
  return event;
}

TEST(LossCurvesTest, EpochsAndEvaluationsMakeTheCurves) {
  v1::JobEvent evaluation = NewEvent();
  evaluation.mutable_evaluation()->set_steps_done(15);
  AddMetric("accuracy", 0.5, evaluation.mutable_evaluation()->mutable_validation());
  AddMetric("loss", 3.5, evaluation.mutable_evaluation()->mutable_validation());
  const std::vector<Curve> curves =
      LossCurves({StepEvent(1, 9), EpochEvent(10, 4, 4.5), evaluation, EpochEvent(20, 2, 3.0)});
  ASSERT_THAT(Names(curves), ElementsAre("train", "validation"));
  EXPECT_THAT(curves[0].x, ElementsAre(10, 20));
  EXPECT_THAT(curves[0].y, ElementsAre(4, 2));
  EXPECT_THAT(curves[1].x, ElementsAre(10, 15, 20));
  EXPECT_THAT(curves[1].y, ElementsAre(4.5, 3.5, 3));
}

TEST(LossCurvesTest, BatchesStandInUntilThereAreTwoEpochs) {
  const std::vector<Curve> curves =
      LossCurves({StepEvent(1, 9), StepEvent(2, 8), EpochEvent(2, 8.5)});
  ASSERT_THAT(Names(curves), ElementsAre("batch"));
  EXPECT_THAT(curves[0].y, ElementsAre(9, 8));
  EXPECT_THAT(LossCurves({}), IsEmpty());
}

TEST(LossCurvesTest, TheNextSeedIsNoContinuation) {
  const std::vector<Curve> curves =
      LossCurves({EpochEvent(10, 4, 0), EpochEvent(20, 2, 0), EpochEvent(30, 3, 1)});
  ASSERT_THAT(Names(curves), ElementsAre("train"));
  EXPECT_THAT(curves[0].y, ElementsAre(4, 2, testing::IsNan(), 3));
}

TEST(WatchPlotTest, OneJobFillsTheScreen) {
  EXPECT_EQ(PlotPicture({Job("trainingJobs/a first", Overfitting())}, {.width = 48, .height = 12}),
            R"(trainingJobs/a first
4.5 │⠉⠀⠢⠀⣀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀
    │⠉⠒⠤⣀⠀⠀⠒⠀⢄⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀
    │⠀⠀⠀⠀⠉⠒⠤⡀⠀⠀⠑⠀⠤⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀
    │⠀⠀⠀⠀⠀⠀⠀⠈⠑⠢⢄⡀⠀⠀⠉⠀⠉⠀⠉⠀⠒⠀⠒⠀⠤⠀⠤⠀⢄⠀⣀⠀⣀⠀⠤⠀⠤⠀⠒⠀⠒⠀⠊
    │⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠈⠑⠢⣀⣀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀
    │⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠉⠉⠒⠢⠤⢄⣀⡀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀
    │⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠈⠉⠒⠒⠤⢄⣀⣀⣀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀
0.5 │⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠉⠉⠉⠑⠒⠒⠒⠤⠤⠤⢄
     10                                       40
── train 0.5  ╌╌ validation 3
epoch 1/4 [#########] 100%  loss 0.5  val_loss 3
)");
}

TEST(WatchPlotTest, TheLogarithmMakesHalvesALine) {
  EXPECT_EQ(
      PlotPicture({Job("a", Overfitting())}, {.width = 40, .height = 10, .logarithmic = true}),
      R"(a
4.5 │⠛⠒⠭⢄⣒⠀⠤⠀⠤⠀⣀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀
    │⠀⠀⠀⠀⠀⠉⠉⠒⠢⠤⣀⡀⠉⠀⠉⠀⠉⠀⠒⠀⠒⠀⠒⠀⠤⠀⠤⠀⠤⠀⠒⠀⠒⠀⠊
    │⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠈⠉⠒⠢⠤⣀⡀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀
    │⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠈⠉⠒⠢⠤⣀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀
    │⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠉⠉⠒⠢⠤⣀⣀⠀⠀⠀⠀⠀
0.5 │⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠉⠑⠒⠤⢄
     10                               40
── train 0.5  ╌╌ validation 3
epoch 1/4 [#############] 100%  loss 0.5
)");
}

TEST(WatchPlotTest, JobsStandBesideEachOtherInOneScaleThenBelow) {
  const std::vector<PlottedJob> jobs = {
      Job("a", Overfitting()), Job("b", {EpochEvent(10, 8), EpochEvent(20, 6)}), Job("c", {})};
  EXPECT_EQ(PlotPicture(jobs, {.width = 78, .height = 24}),
            R"(a                                       b
  8 │⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀    8 │⠉⠉⠒⠢⠤⣀⡀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀
    │⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀      │⠀⠀⠀⠀⠀⠀⠈⠉⠒⠢⠤⡀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀
    │⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀      │⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀
    │⠶⢄⣢⠀⢄⠀⣀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀      │⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀
    │⠀⠀⠀⠉⠑⠢⠤⣀⡉⠀⠒⠀⠤⠀⠤⠀⢄⠀⣀⠀⣀⠀⠀⠀⠀⠀⠀⠀⣀⠀⣀⠀⡠      │⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀
    │⠀⠀⠀⠀⠀⠀⠀⠀⠈⠉⠒⠤⠤⠤⢄⣀⣀⣀⠀⠀⠀⠀⠉⠀⠉⠀⠉⠀⠀⠀⠀⠀⠀      │⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀
0.5 │⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠉⠉⠉⠑⠒⠒⠒⠒⠒⠤⠤⠤⠤⠤⢄  0.5 │⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀
     10                             40       10                             40
── train 0.5  ╌╌ validation 3           ── train 6
c
  8 │⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀
    │⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀
    │⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀
    │⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀
    │⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀
    │⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀
0.5 │⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀
     10                             40

a  epoch 1/4 [##############################] 100%  loss 0.5  val_loss 3
b  epoch 1/4 [###############---------------] 50%  loss 6
c  epoch 0/4 [------------------------------] 0%
)");
}

TEST(WatchPlotTest, APointAndAGapAndNothing) {
  EXPECT_EQ(PlotPicture({Job("one", {EpochEvent(10, 1, 2.0)})}, {.width = 36, .height = 8}), R"(one
2 │⠁⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀
  │⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀
  │⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀
1 │⡀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀
   10                             10
── train 1  ╌╌ validation 2
epoch 1/4 [###---------] 25%  loss 1
)");
  EXPECT_EQ(PlotPicture({Job("gap", {EpochEvent(10, 1), EpochEvent(20, NAN), EpochEvent(30, 1),
                                     EpochEvent(40, 2)})},
                        {.width = 36, .height = 8}),
            R"(gap
2 │⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⢀⡠⠊
  │⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⢀⡠⠒⠁⠀⠀
  │⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⢀⡠⠒⠁⠀⠀⠀⠀⠀
1 │⡀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⢀⡠⠒⠁⠀⠀⠀⠀⠀⠀⠀⠀
   10                             40
── train 2
epoch 1/4 [###########] 100%  loss 2
)");
  EXPECT_THAT(PlotPicture({Job("none", {})}, {}), HasSubstr("nothing to draw yet"));
}

TEST(WatchPlotTest, ARewindTakesTheCurveBack) {
  EXPECT_EQ(
      PlotPicture(
          {Job("a", {EpochEvent(10, 4), EpochEvent(20, 9), RewindEvent(10), EpochEvent(20, 2)})},
          {.width = 40, .height = 8}),
      PlotPicture({Job("a", {EpochEvent(10, 4), EpochEvent(20, 2)})}, {.width = 40, .height = 8}));
}

TEST(WatchPlotTest, WarningsStandBelowTheNewestLast) {
  std::vector<v1::JobEvent> events = Overfitting();
  for (int i = 0; i < 5; ++i) events.push_back(Warning());
  const std::string picture = PlotPicture({Job("a", events)}, {.width = 60, .height = 20});
  EXPECT_THAT(picture,
              testing::EndsWith("\nwarning: validation loss rises. Try: --early-stopping\n"));
  EXPECT_THAT(std::vector<std::string>(absl::StrSplit(picture, '\n')), SizeIs(20 + 1));
  EXPECT_THAT(PlotPicture({Job("a", events)}, {.warning_width = 20}),
              testing::EndsWith("\nwarning: validation…\n"));
}

TEST(WatchPlotTest, EveryPictureFitsItsScreen) {
  for (const size_t width : {36, 60, 79, 80, 200}) {
    for (const size_t count : {1, 2, 5}) {
      const std::vector<PlottedJob> jobs(
          count, Job("a very long title for a panel of 36 columns", Overfitting()));
      const std::string picture = PlotPicture(jobs, {.width = width, .height = 60});
      const std::vector<std::string> lines = absl::StrSplit(picture, '\n');
      EXPECT_LE(lines.size(), 60 + 1) << width << " " << count;
      for (const std::string& line : lines) EXPECT_LE(DisplayWidth(line), width) << line;
    }
  }
}

TEST(WatchPlotTest, ColoursAreForTerminals) {
  const std::vector<PlottedJob> jobs = {Job("a", Overfitting())};
  EXPECT_THAT(PlotPicture(jobs, {}), Not(HasSubstr("\x1b")));
  EXPECT_THAT(PlotPicture(jobs, {.color = true}), HasSubstr("\x1b[38;5;214m╌╌\x1b[0m validation"));
}

}  // namespace
}  // namespace trainyard
