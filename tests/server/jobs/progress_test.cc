#include "server/jobs/progress.h"

#include <limits>

#include "gtest/gtest.h"

namespace trainyard {
namespace {

v1::JobEvent Epoch(int32_t epoch, double train_loss, double validation_loss) {
  v1::JobEvent event;
  event.mutable_epoch()->set_epoch(epoch);
  event.mutable_epoch()->set_train_loss(train_loss);
  v1::Metric& metric = *event.mutable_epoch()->add_validation();
  metric.set_name("loss");
  metric.set_value(validation_loss);
  return event;
}

TEST(ProgressTest, BestIsTheLowestValidationLossWithWhatWasMeasuredThen) {
  v1::TrainingJob job;
  ApplyEvent(Epoch(0, 0.9, 0.8), &job);
  ApplyEvent(Epoch(1, 0.7, 0.5), &job);
  ApplyEvent(Epoch(2, 0.6, 0.55), &job);
  ApplyEvent(Epoch(3, 0.6, std::numeric_limits<double>::quiet_NaN()), &job);
  EXPECT_EQ(FindMetric(job.best_metrics(), "validation_loss"), 0.5);
  EXPECT_EQ(FindMetric(job.best_metrics(), "train_loss"), 0.7);
  EXPECT_EQ(FindMetric(job.best_metrics(), "epoch"), 1);
  EXPECT_EQ(FindMetric(job.latest_metrics(), "train_loss"), 0.6);
  EXPECT_EQ(job.progress().epochs_done(), 4);
  ResetProgress(&job);
  EXPECT_EQ(job.best_metrics_size() + job.latest_metrics_size() + job.progress().epochs_done(), 0);
}

TEST(ProgressTest, WithoutValidationRowsThereIsNoBest) {
  v1::TrainingJob job;
  v1::JobEvent event = Epoch(0, 0.9, 0);
  event.mutable_epoch()->clear_validation();
  ApplyEvent(event, &job);
  EXPECT_EQ(job.best_metrics_size(), 0);
  EXPECT_EQ(FindMetric(job.latest_metrics(), "validation_loss"), std::nullopt);
}

TEST(AttemptCountersTest, SpeedIsThatOfTheLastSecondsAndEtaFollowsIt) {
  AttemptCounters counters;
  v1::JobProgress progress;
  progress.set_steps_total(1'000);
  v1::EventBatch batch;
  const auto add = [&](int64_t steps, double seconds) {
    batch.set_steps_done(steps);
    batch.set_rows_done(steps * 10);
    batch.set_busy_seconds(seconds);
    return counters.Add(batch, &progress);
  };
  EXPECT_EQ(add(10, 1).rows, 100);
  EXPECT_EQ(progress.rows_per_second(), 100);
  EXPECT_EQ(progress.eta().seconds(), 99);
  add(20, 2);
  add(40, 4);
  EXPECT_EQ(add(140, 5).steps, 100);  // the first two seconds are forgotten by now
  EXPECT_EQ(progress.rows_per_second(), 400);
  EXPECT_EQ(progress.steps_done(), 140);
  EXPECT_EQ(add(100, 3).steps, 0);  // a batch that arrives out of order counts nothing twice
  EXPECT_EQ(progress.steps_done(), 140);
}

TEST(ProgressTest, AnEvaluationBetweenEpochsCountsForLatestAndBest) {
  v1::TrainingJob job;
  ApplyEvent(Epoch(0, 0.9, 0.8), &job);
  v1::JobEvent event;
  event.mutable_evaluation()->set_epoch(1);
  *event.mutable_evaluation()->add_validation() = Epoch(1, 0, 0.3).epoch().validation(0);
  ApplyEvent(event, &job);
  EXPECT_EQ(FindMetric(job.latest_metrics(), "validation_loss"), 0.3);
  EXPECT_EQ(FindMetric(job.latest_metrics(), "train_loss"), 0.9);
  EXPECT_EQ(FindMetric(job.best_metrics(), "validation_loss"), 0.3);
  EXPECT_EQ(FindMetric(job.best_metrics(), "epoch"), 1);
  EXPECT_EQ(job.progress().epochs_done(), 1);  // epoch 1 is not over
}

TEST(ProgressTest, ATestBringsItsMatrixAndSeedsAndANewAttemptForgetsThem) {
  v1::TrainingJob job;
  v1::JobEvent event;
  event.mutable_test()->mutable_confusion()->add_classes("no");
  event.mutable_test()->add_seed_results()->set_seed(7);
  ApplyEvent(event, &job);
  EXPECT_EQ(job.test_confusion().classes(0), "no");
  EXPECT_EQ(job.seed_results(0).seed(), 7u);
  ResetProgress(&job);
  EXPECT_FALSE(job.has_test_confusion());
  EXPECT_EQ(job.seed_results_size(), 0);
}

TEST(ProgressTest, PointsOfAnAnalysisAreItsStepsAndNoMetrics) {
  v1::TrainingJob job;
  v1::JobEvent event;
  event.mutable_analysis_progress()->set_points_done(5);
  event.mutable_analysis_progress()->set_points_total(625);
  ApplyEvent(event, &job);
  EXPECT_EQ(job.progress().steps_total(), 625);
  EXPECT_EQ(job.latest_metrics_size() + job.best_metrics_size(), 0);
}

}  // namespace
}  // namespace trainyard
