#include "client/progress.h"

#include "client/render.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace trainyard {
namespace {

using testing::HasSubstr;

v1::JobEvent At(int64_t milliseconds) {
  v1::JobEvent event;
  event.mutable_create_time()->set_seconds(1'000'000 + milliseconds / 1000);
  event.mutable_create_time()->set_nanos(static_cast<int32_t>(milliseconds % 1000 * 1'000'000));
  return event;
}

v1::JobEvent StateAt(int64_t milliseconds, v1::JobState to) {
  v1::JobEvent event = At(milliseconds);
  event.mutable_state_change()->set_to(to);
  return event;
}

v1::JobEvent StepAt(int64_t milliseconds, int64_t step, int64_t rows) {
  v1::JobEvent event = At(milliseconds);
  event.mutable_step()->set_step(step);
  event.mutable_step()->set_rows_seen(rows);
  event.mutable_step()->set_loss(0.5);
  return event;
}

v1::JobEvent EpochAt(int64_t milliseconds, int32_t epoch, int64_t steps, int64_t rows) {
  v1::JobEvent event = At(milliseconds);
  event.mutable_epoch()->set_epoch(epoch);
  event.mutable_epoch()->set_steps_done(steps);
  event.mutable_epoch()->set_rows_seen(rows);
  event.mutable_epoch()->set_train_loss(0.25);
  v1::Metric* metric = event.mutable_epoch()->add_validation();
  metric->set_name("accuracy");
  metric->set_value(0.9375);
  return event;
}

// 4 epochs of 10 steps of 100 rows.
class ProgressTest : public testing::Test {
 protected:
  ProgressTest() {
    v1::TrainingJob job;
    job.set_state(v1::JOB_STATE_PENDING);
    job.mutable_progress()->set_epochs_total(4);
    job.mutable_progress()->set_steps_total(40);
    tracker_.OnSnapshot(job);
  }
  const ProgressState& state() { return tracker_.state(); }

  ProgressTracker tracker_;
};

TEST_F(ProgressTest, SpeedAndRemainingTimeComeFromEventTimes) {
  tracker_.OnEvent(StateAt(0, v1::JOB_STATE_RUNNING));
  EXPECT_FALSE(state().rows_per_second.has_value());
  tracker_.OnEvent(EpochAt(2000, 0, 10, 1000));
  EXPECT_EQ(state().epochs_done, 1);
  tracker_.OnEvent(StepAt(2200, 10, 1100));
  EXPECT_DOUBLE_EQ(*state().rows_per_second, 500);
  EXPECT_EQ(*state().eta, absl::Milliseconds(5800));
}

TEST_F(ProgressTest, EventsOfOneCommitShareATimeAndCountTogether) {
  tracker_.OnEvent(StateAt(0, v1::JOB_STATE_RUNNING));
  for (int64_t step = 0; step < 10; ++step) tracker_.OnEvent(StepAt(1000, step, 100 * (step + 1)));
  EXPECT_FALSE(state().rows_per_second.has_value());  // more of that commit may come
  EXPECT_EQ(state().steps_done, 10);
  tracker_.OnEvent(StepAt(1100, 10, 1100));
  EXPECT_DOUBLE_EQ(*state().rows_per_second, 1000);
}

TEST_F(ProgressTest, SpeedForgetsWhatIsLongAgo) {
  tracker_.OnEvent(StateAt(0, v1::JOB_STATE_RUNNING));
  tracker_.OnEvent(StepAt(20'000, 9, 1000));   // 50 rows/s
  tracker_.OnEvent(StepAt(30'000, 29, 3000));  // 200 rows/s since
  tracker_.OnEvent(StepAt(30'500, 30, 3100));
  EXPECT_DOUBLE_EQ(*state().rows_per_second, 200);
}

TEST_F(ProgressTest, APauseIsNotSlowTraining) {
  tracker_.OnEvent(StateAt(0, v1::JOB_STATE_RUNNING));
  tracker_.OnEvent(StepAt(1000, 9, 1000));
  tracker_.OnEvent(StateAt(1000, v1::JOB_STATE_PAUSED));
  EXPECT_FALSE(state().eta.has_value());
  EXPECT_FALSE(state().rows_per_second.has_value());
  EXPECT_THAT(ProgressLine(state(), 60), HasSubstr("PAUSED epoch 0/4 ["));
  tracker_.OnEvent(StateAt(3'600'000, v1::JOB_STATE_RUNNING));
  tracker_.OnEvent(StepAt(3'601'000, 14, 1500));
  tracker_.OnEvent(StepAt(3'602'000, 24, 2500));
  tracker_.OnEvent(StepAt(3'602'100, 25, 2600));
  EXPECT_DOUBLE_EQ(*state().rows_per_second, 1000);
}

TEST_F(ProgressTest, ARewindTakesProgressBack) {
  tracker_.OnEvent(StateAt(0, v1::JOB_STATE_RUNNING));
  tracker_.OnEvent(EpochAt(1000, 2, 30, 3000));
  v1::JobEvent rewind = At(2000);
  rewind.mutable_rewind()->set_to_step(10);
  tracker_.OnEvent(rewind);
  EXPECT_EQ(state().steps_done, 10);
  EXPECT_EQ(state().epochs_done, 1);
}

TEST_F(ProgressTest, LineFitsTheWidthAndDropsTheLeastImportantFirst) {
  tracker_.OnEvent(StateAt(0, v1::JOB_STATE_RUNNING));
  tracker_.OnEvent(StepAt(1000, 4, 500));
  tracker_.OnEvent(EpochAt(2000, 0, 10, 1000));
  EXPECT_EQ(ProgressLine(state(), 100),
            "epoch 1/4 [#######-----------------------] 25%  loss 0.25  val_accuracy 0.9375  "
            "500 rows/s  ETA 6.0s");
  EXPECT_EQ(ProgressLine(state(), 45), "epoch 1/4 [####--------------] 25%  loss 0.25");
  for (size_t width = 0; width < 200; ++width) {
    EXPECT_LE(DisplayWidth(ProgressLine(state(), width)), width);
  }
}

TEST_F(ProgressTest, BeforeTrainingTheLineSaysTheState) {
  EXPECT_THAT(ProgressLine(state(), 60), HasSubstr("PENDING ["));
}

TEST_F(ProgressTest, EventsWorthALineHaveOne) {
  const v1::JobEvent epoch = EpochAt(2000, 0, 10, 1000);
  tracker_.OnEvent(StateAt(0, v1::JOB_STATE_RUNNING));
  tracker_.OnEvent(StepAt(1000, 4, 500));
  tracker_.OnEvent(epoch);
  EXPECT_EQ(EventLine(epoch, state()),
            "epoch 1/4  loss 0.25  val_accuracy 0.9375  500 rows/s  ETA 6.0s");
  v1::JobEvent failed = StateAt(0, v1::JOB_STATE_FAILED);
  failed.mutable_state_change()->set_message("NON_FINITE_LOSS");
  EXPECT_EQ(EventLine(failed, state()), "FAILED: NON_FINITE_LOSS");
  EXPECT_EQ(EventLine(StepAt(0, 1, 1), state()), "");
  v1::JobEvent note = At(0);
  note.mutable_note()->set_message("task inferred");
  EXPECT_EQ(EventLine(note, state()), "note: task inferred");
  note.mutable_note()->set_message("Half of layers[0] is dead.");
  note.mutable_note()->set_warning(v1::TRAINING_WARNING_DEAD_UNITS);
  note.mutable_note()->set_remedy("a smaller learning rate");
  EXPECT_EQ(EventLine(note, state()),
            "warning: Half of layers[0] is dead. Try: a smaller learning rate");
}

TEST_F(ProgressTest, SeedsAreCountedOverAllTheirEpochs) {
  v1::TrainingJob job;
  job.mutable_resolved_spec()->set_seed_count(2);
  job.mutable_progress()->set_epochs_total(4);
  job.mutable_progress()->set_steps_total(40);
  tracker_.OnSnapshot(job);
  tracker_.OnEvent(StateAt(0, v1::JOB_STATE_RUNNING));
  // The first of the second seed: core/train/seed_runs.cc counts on from the first seed's.
  v1::JobEvent epoch = EpochAt(1000, 2, 30, 3000);
  epoch.mutable_epoch()->set_run(1);
  tracker_.OnEvent(epoch);
  EXPECT_EQ(state().epochs_done, 3);
  EXPECT_THAT(ProgressLine(state(), 100), HasSubstr("epoch 3/4 (seed 2/2) ["));
}

TEST_F(ProgressTest, AnEvaluationBetweenEpochsShowsItsMetrics) {
  tracker_.OnEvent(StateAt(0, v1::JOB_STATE_RUNNING));
  v1::JobEvent event = At(500);
  event.mutable_evaluation()->set_steps_done(5);
  v1::Metric* metric = event.mutable_evaluation()->add_validation();
  metric->set_name("accuracy");
  metric->set_value(0.75);
  tracker_.OnEvent(event);
  EXPECT_THAT(ProgressLine(state(), 100), HasSubstr("val_accuracy 0.75"));
  EXPECT_EQ(EventLine(event, state()), "step 5  validation accuracy 0.75");
}

TEST_F(ProgressTest, AnAnalysisCountsPoints) {
  v1::TrainingJob job;
  job.mutable_analysis()->mutable_loss_landscape();
  tracker_.OnSnapshot(job);
  tracker_.OnEvent(StateAt(0, v1::JOB_STATE_RUNNING));
  for (const int64_t points : {100, 200, 300}) {
    v1::JobEvent event = At(points * 10);
    event.mutable_analysis_progress()->set_points_done(points);
    event.mutable_analysis_progress()->set_points_total(400);
    tracker_.OnEvent(event);
    EXPECT_EQ(EventLine(event, state()), "");
  }
  const std::string line = ProgressLine(state(), 100);
  EXPECT_THAT(line, testing::StartsWith("points 300/400 ["));
  EXPECT_THAT(line, HasSubstr("75%"));
  EXPECT_THAT(line, HasSubstr("ETA 1.0s"));
  EXPECT_THAT(line, testing::Not(HasSubstr("rows/s")));
}

}  // namespace
}  // namespace trainyard
