#include "server/metrics/grading_metrics.h"

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/metrics/metrics.h"
#include "tests/support/http_get.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_dir.h"

namespace trainyard {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::IsSupersetOf;
using ::testing::Not;
using ::testing::StartsWith;
using ::testing::UnorderedElementsAre;
using Outcome = GradingMetrics::Outcome;
using Refund = GradingMetrics::RefundCause;
using Delivery = GradingMetrics::DeliveryKind;
using Attempt = GradingMetrics::DeliveryOutcome;

constexpr char kMlp[] = "dl-2027/hw-mlp";
constexpr const char* kFamilies[] = {"trainyard_submission", "trainyard_attempts_refunded",
                                     "trainyard_grading", "trainyard_leak", "trainyard_deliver"};

class GradingMetricsTest : public testing::Test {
 protected:
  void SetUp() override { ASSERT_THAT(metrics_.Listen("127.0.0.1:0"), IsOk()); }
  // Of grading, as written: `name{labels} value`.
  std::vector<std::string> Samples() {
    std::vector<std::string> lines = absl::StrSplit(HttpGet(metrics_.port(), "/metrics"), '\n');
    std::erase_if(lines, [](const std::string& line) {
      return std::none_of(std::begin(kFamilies), std::end(kFamilies),
                          [&](const char* family) { return absl::StartsWith(line, family); });
    });
    return lines;
  }
  std::vector<std::string> Starting(const std::string& prefix) {
    std::vector<std::string> lines = Samples();
    std::erase_if(lines, [&](const std::string& line) { return !absl::StartsWith(line, prefix); });
    return lines;
  }
  // All that is not 0.
  std::vector<std::string> Moved() {
    std::vector<std::string> lines = Samples();
    std::erase_if(lines, [](const std::string& line) { return absl::EndsWith(line, " 0"); });
    return lines;
  }
  void UseAll() {
    grading_.SubmissionAccepted(kMlp, true);
    grading_.SubmissionRejected("queue_full");
    grading_.SubmissionFinished(kMlp, Outcome::kDone);
    grading_.AttemptRefunded(Refund::kCancelled);
    grading_.QueueWait(1);
    grading_.GradeLatency(1);
    grading_.InfraRetry();
    grading_.PointsReleased(kMlp, 86, 100);
    grading_.Replay(true);
    grading_.DeliveryAttempt(Delivery::kCheckRun, Attempt::kDelivered);
    grading_.DeliveryLatency(Delivery::kCheckRun, 1);
  }

  Metrics metrics_;
  GradingMetrics& grading_ = metrics_.grading();
};

TEST_F(GradingMetricsTest, AllIsThereAndZeroBeforeAnythingIsGraded) {
  EXPECT_THAT(Moved(), IsEmpty());
  EXPECT_THAT(
      Samples(),
      IsSupersetOf({"trainyard_submissions_accepted_total{assignment=\"other\",cached=\"false\"} 0",
                    "trainyard_submissions_accepted_total{assignment=\"other\",cached=\"true\"} 0",
                    "trainyard_submissions_rejected_total{reason=\"unspecified\"} 0",
                    "trainyard_submissions_rejected_total{reason=\"attempts_exhausted\"} 0",
                    "trainyard_submissions_rejected_total{reason=\"assignment_closed\"} 0",
                    "trainyard_submission_queue_wait_seconds_count 0",
                    "trainyard_submission_grade_seconds_count 0",
                    "trainyard_submission_points_ratio_count{assignment=\"other\"} 0",
                    "trainyard_submission_infra_retries_total 0",
                    "trainyard_submission_oldest_active_timestamp_seconds 0",
                    "trainyard_delivery_seconds_count{kind=\"check_run\"} 0",
                    "trainyard_delivery_seconds_count{kind=\"lti_score\"} 0",
                    "trainyard_delivery_oldest_waiting_timestamp_seconds 0",
                    "trainyard_deliveries_waiting 0", "trainyard_deliveries_given_up 0"}));
}

TEST_F(GradingMetricsTest, LabelsThatAreKnownAreAllThereAndNoOthers) {
  EXPECT_THAT(Starting("trainyard_submissions_finished_total"),
              UnorderedElementsAre(
                  "trainyard_submissions_finished_total{assignment=\"other\",outcome=\"done\"} 0",
                  "trainyard_submissions_finished_total{assignment=\"other\","
                  "outcome=\"ungradable\"} 0",
                  "trainyard_submissions_finished_total{assignment=\"other\","
                  "outcome=\"infra_error\"} 0",
                  "trainyard_submissions_finished_total{assignment=\"other\","
                  "outcome=\"cancelled\"} 0"));
  EXPECT_THAT(Starting("trainyard_attempts_refunded_total"),
              UnorderedElementsAre("trainyard_attempts_refunded_total{outcome=\"ungradable\"} 0",
                                   "trainyard_attempts_refunded_total{outcome=\"infra_error\"} 0",
                                   "trainyard_attempts_refunded_total{outcome=\"cancelled\"} 0"));
  EXPECT_THAT(Starting("trainyard_grading_replays_total"),
              UnorderedElementsAre("trainyard_grading_replays_total{result=\"equal\"} 0",
                                   "trainyard_grading_replays_total{result=\"different\"} 0"));
  std::vector<std::string> attempts;
  for (const char* kind : {"check_run", "lti_score"}) {
    for (const char* outcome : {"delivered", "retry", "given_up"}) {
      attempts.push_back(absl::StrCat("trainyard_delivery_attempts_total{kind=\"", kind,
                                      "\",outcome=\"", outcome, "\"} 0"));
    }
  }
  EXPECT_THAT(Starting("trainyard_delivery_attempts_total"),
              testing::UnorderedElementsAreArray(attempts));
}

TEST_F(GradingMetricsTest, EveryMethodOfSubmissionsMovesItsSeriesAndNoOther) {
  for (int i = 0; i < 3; ++i) grading_.SubmissionAccepted(kMlp, false);
  grading_.SubmissionAccepted(kMlp, true);
  grading_.SubmissionRejected("rate_limited");
  grading_.SubmissionRejected("the name of ann");
  grading_.SubmissionFinished(kMlp, Outcome::kDone);
  grading_.SubmissionFinished(kMlp, Outcome::kDone);
  grading_.SubmissionFinished(kMlp, Outcome::kUngradable);
  grading_.SubmissionFinished("dl-2027/hw-cnn", Outcome::kInfraError);
  grading_.SubmissionFinished("dl-2027/hw-cnn", Outcome::kCancelled);
  grading_.AttemptRefunded(Refund::kUngradable);
  grading_.AttemptRefunded(Refund::kInfraError);
  grading_.AttemptRefunded(Refund::kCancelled);
  grading_.AttemptRefunded(Refund::kCancelled);
  grading_.InfraRetry();
  grading_.Replay(true);
  grading_.Replay(true);
  grading_.Replay(false);
  const std::string accepted = "trainyard_submissions_accepted_total{assignment=\"dl-2027/hw-mlp\"";
  const std::string mlp = "trainyard_submissions_finished_total{assignment=\"dl-2027/hw-mlp\"";
  const std::string cnn = "trainyard_submissions_finished_total{assignment=\"dl-2027/hw-cnn\"";
  EXPECT_THAT(Moved(), UnorderedElementsAre(
                           accepted + ",cached=\"false\"} 3", accepted + ",cached=\"true\"} 1",
                           "trainyard_submissions_rejected_total{reason=\"rate_limited\"} 1",
                           "trainyard_submissions_rejected_total{reason=\"unspecified\"} 1",
                           mlp + ",outcome=\"done\"} 2", mlp + ",outcome=\"ungradable\"} 1",
                           cnn + ",outcome=\"infra_error\"} 1", cnn + ",outcome=\"cancelled\"} 1",
                           "trainyard_attempts_refunded_total{outcome=\"ungradable\"} 1",
                           "trainyard_attempts_refunded_total{outcome=\"infra_error\"} 1",
                           "trainyard_attempts_refunded_total{outcome=\"cancelled\"} 2",
                           "trainyard_submission_infra_retries_total 1",
                           "trainyard_grading_replays_total{result=\"equal\"} 2",
                           "trainyard_grading_replays_total{result=\"different\"} 1"));
}

TEST_F(GradingMetricsTest, TimesAreObservedInSeconds) {
  grading_.QueueWait(0.2);
  grading_.QueueWait(20'000);
  grading_.GradeLatency(7);
  const std::string wait = "trainyard_submission_queue_wait_seconds";
  EXPECT_THAT(Starting(wait),
              ElementsAre(wait + "_count 2", wait + "_sum 20000.2", wait + "_bucket{le=\"0.1\"} 0",
                          wait + "_bucket{le=\"0.5\"} 1", wait + "_bucket{le=\"1\"} 1",
                          wait + "_bucket{le=\"5\"} 1", wait + "_bucket{le=\"15\"} 1",
                          wait + "_bucket{le=\"60\"} 1", wait + "_bucket{le=\"300\"} 1",
                          wait + "_bucket{le=\"900\"} 1", wait + "_bucket{le=\"1800\"} 1",
                          wait + "_bucket{le=\"3600\"} 1", wait + "_bucket{le=\"14400\"} 1",
                          wait + "_bucket{le=\"+Inf\"} 2"));
  const std::string grade = "trainyard_submission_grade_seconds";
  EXPECT_THAT(Starting(grade),
              IsSupersetOf({grade + "_count 1", grade + "_sum 7", grade + "_bucket{le=\"5\"} 0",
                            grade + "_bucket{le=\"15\"} 1", grade + "_bucket{le=\"14400\"} 1"}));
}

// 0 and each tenth are in the bucket that ends there, whatever the maximum.
TEST_F(GradingMetricsTest, PointsAreSharesOfTheMaximum) {
  for (int64_t tenth = 0; tenth <= 10; ++tenth) {
    grading_.PointsReleased(kMlp, tenth, 10);
    grading_.PointsReleased(kMlp, tenth * 30, 300);
  }
  grading_.PointsReleased(kMlp, 86, 100);
  std::vector<std::string> expected = {"_count{assignment=\"dl-2027/hw-mlp\"} 23",
                                       "_sum{assignment=\"dl-2027/hw-mlp\"} 11.86"};
  const char* const ends[] = {"0",   "0.1", "0.2", "0.3", "0.4", "0.5",
                              "0.6", "0.7", "0.8", "0.9", "1",   "+Inf"};
  const int counts[] = {2, 4, 6, 8, 10, 12, 14, 16, 18, 21, 23, 23};
  for (size_t i = 0; i < std::size(ends); ++i) {
    expected.push_back(
        absl::StrCat("_bucket{assignment=\"dl-2027/hw-mlp\",le=\"", ends[i], "\"} ", counts[i]));
  }
  for (std::string& line : expected) line.insert(0, "trainyard_submission_points_ratio");
  std::vector<std::string> shown = Starting("trainyard_submission_points_ratio");
  std::erase_if(shown, [](const std::string& line) { return absl::StrContains(line, "other"); });
  EXPECT_THAT(shown, testing::ElementsAreArray(expected));
}

TEST_F(GradingMetricsTest, DeliveriesAreCountedByKindAndOutcome) {
  grading_.DeliveryAttempt(Delivery::kCheckRun, Attempt::kRetry);
  grading_.DeliveryAttempt(Delivery::kCheckRun, Attempt::kRetry);
  grading_.DeliveryAttempt(Delivery::kCheckRun, Attempt::kDelivered);
  grading_.DeliveryAttempt(Delivery::kLtiScore, Attempt::kGivenUp);
  grading_.DeliveryLatency(Delivery::kLtiScore, 100'000);
  EXPECT_THAT(Moved(),
              UnorderedElementsAre(
                  "trainyard_delivery_attempts_total{kind=\"check_run\",outcome=\"retry\"} 2",
                  "trainyard_delivery_attempts_total{kind=\"check_run\",outcome=\"delivered\"} 1",
                  "trainyard_delivery_attempts_total{kind=\"lti_score\",outcome=\"given_up\"} 1",
                  "trainyard_delivery_seconds_count{kind=\"lti_score\"} 1",
                  "trainyard_delivery_seconds_sum{kind=\"lti_score\"} 100000",
                  "trainyard_delivery_seconds_bucket{kind=\"lti_score\",le=\"+Inf\"} 1"));
}

TEST_F(GradingMetricsTest, GaugesAreReadAtEachScrape) {
  std::atomic<int64_t> queued = 3;
  grading_.SetSnapshot([&] {
    return GradingMetrics::Snapshot{
        .submissions_queued = queued.load(),
        .submissions_running = 2,
        .submissions_evaluating = 1,
        .oldest_active_timestamp_seconds = 1234.5,
        .assignments = {{.assignment = kMlp, .leak_student_ratio = 0.75, .leak_class_ratio = 0.25}},
        .deliveries_waiting = 4,
        .oldest_waiting_delivery_timestamp_seconds = 1200,
        .deliveries_given_up = 5};
  });
  const std::string leak = "trainyard_leak_limit_used_ratio{assignment=\"dl-2027/hw-mlp\"";
  EXPECT_THAT(Moved(), UnorderedElementsAre(
                           "trainyard_submissions{state=\"queued\"} 3",
                           "trainyard_submissions{state=\"running\"} 2",
                           "trainyard_submissions{state=\"evaluating\"} 1",
                           "trainyard_submission_oldest_active_timestamp_seconds 1234.5",
                           leak + ",limit=\"student\"} 0.75", leak + ",limit=\"class\"} 0.25",
                           "trainyard_deliveries_waiting 4",
                           "trainyard_delivery_oldest_waiting_timestamp_seconds 1200",
                           "trainyard_deliveries_given_up 5"));
  queued = 0;
  EXPECT_THAT(Samples(), Contains("trainyard_submissions{state=\"queued\"} 0"));
  // That the snapshot names it has started its counters, so that rate() sees the first submission.
  EXPECT_THAT(Samples(),
              Contains("trainyard_submissions_finished_total{assignment=\"dl-2027/hw-mlp\",outcome="
                       "\"infra_error\"} 0"));
}

TEST_F(GradingMetricsTest, AssignmentsAreBounded) {
  for (int i = 0; i < 250; ++i) grading_.SubmissionAccepted(absl::StrCat("c/a", i), false);
  const std::vector<std::string> accepted = Starting("trainyard_submissions_accepted_total");
  EXPECT_EQ(accepted.size(), 2 * 101);  // cached or not, of 100 assignments and "other"
  EXPECT_THAT(
      accepted,
      IsSupersetOf(
          {"trainyard_submissions_accepted_total{assignment=\"c/a99\",cached=\"false\"} 1",
           "trainyard_submissions_accepted_total{assignment=\"other\",cached=\"false\"} 150"}));
  EXPECT_THAT(accepted, Not(Contains(HasSubstr("c/a100"))));
  // One that was among the first keeps its series.
  grading_.SubmissionAccepted("c/a7", false);
  EXPECT_THAT(
      Samples(),
      Contains("trainyard_submissions_accepted_total{assignment=\"c/a7\",cached=\"false\"} 2"));
}

TEST_F(GradingMetricsTest, LeaksOfTheOthersAreThatOfTheNearestToItsLimit) {
  grading_.SetSnapshot([] {
    GradingMetrics::Snapshot now;
    for (int i = 0; i < 103; ++i) now.assignments.push_back({.assignment = absl::StrCat("c/a", i)});
    now.assignments[99].leak_class_ratio = 0.99;
    now.assignments[100].leak_class_ratio = 0.5;
    now.assignments[101].leak_student_ratio = 0.875;
    now.assignments[102].leak_class_ratio = 0.125;
    return now;
  });
  const std::string leak = "trainyard_leak_limit_used_ratio{assignment=";
  EXPECT_EQ(Starting(leak).size(), 2 * 101);
  EXPECT_THAT(Moved(), UnorderedElementsAre(leak + "\"c/a99\",limit=\"class\"} 0.99",
                                            leak + "\"other\",limit=\"class\"} 0.5",
                                            leak + "\"other\",limit=\"student\"} 0.875"));
}

// The real promtool, which must be there (Debian's package "prometheus").
TEST_F(GradingMetricsTest, PromtoolFindsNoFault) {
  UseAll();
  TempDir dir;
  const std::string page = HttpGet(metrics_.port(), "/metrics");
  ASSERT_THAT(page, Not(StartsWith("failed")));
  std::ofstream(dir.path() + "/page") << page;
  const std::string command =
      absl::StrCat("promtool check metrics < ", dir.path(), "/page > ", dir.path(), "/said 2>&1");
  EXPECT_EQ(std::system(command.c_str()), 0)
      << std::ifstream(dir.path() + "/said").rdbuf() << "\n(is promtool installed?)";
}

TEST_F(GradingMetricsTest, ThreadsMayCountWhileOthersScrape) {
  std::vector<std::thread> threads;
  for (int t = 0; t < 8; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 500; ++i) {
        grading_.SubmissionAccepted(absl::StrCat("c/a", (i + t) % 150), i % 2 == 0);
      }
    });
  }
  for (int i = 0; i < 5; ++i) EXPECT_THAT(Samples(), Not(IsEmpty()));
  for (std::thread& thread : threads) thread.join();
  int64_t total = 0;
  for (const std::string& line : Starting("trainyard_submissions_accepted_total")) {
    total += std::atoi(line.substr(line.rfind(' ') + 1).c_str());
  }
  EXPECT_EQ(total, 4'000);
}

}  // namespace
}  // namespace trainyard
