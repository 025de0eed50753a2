// The page of `trainyard top` for made-up servers.
#include "client/top_view.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace trainyard {
namespace {

using testing::AllOf;
using testing::ContainsRegex;
using testing::HasSubstr;
using testing::Not;

constexpr int64_t kNow = 1'000'000;  // seconds

void Running(const std::string& id, int64_t started_before_seconds, TopPage* page) {
  v1::TrainingJob* const job = page->running.add_training_jobs();
  job->set_name(absl::StrCat("trainingJobs/", id));
  job->set_display_name("wdbc");
  job->set_owner("ann");
  job->set_state(v1::JOB_STATE_RUNNING);
  job->mutable_resolved_spec()->set_threads(1);
  job->mutable_start_time()->set_seconds(kNow - started_before_seconds);
  job->mutable_progress()->set_epochs_done(5);
  job->mutable_progress()->set_epochs_total(20);
  job->mutable_progress()->set_steps_done(50);
  job->mutable_progress()->set_steps_total(200);
  job->mutable_progress()->set_rows_per_second(12'345);
  job->mutable_progress()->mutable_eta()->set_seconds(90);
  v1::Metric* const loss = job->add_latest_metrics();
  loss->set_name("train_loss");
  loss->set_value(0.125);
}

void Pending(const std::string& id, int64_t position, TopPage* page) {
  v1::TrainingJob* const job = page->pending.add_training_jobs();
  job->set_name(absl::StrCat("trainingJobs/", id));
  job->set_owner("bob");
  job->set_state(v1::JOB_STATE_PENDING);
  job->set_priority(v1::JOB_PRIORITY_BATCH);
  job->set_queue_position(position);
  job->set_pending_reason(v1::PENDING_REASON_QUEUED);
  job->mutable_create_time()->set_seconds(kNow - 65);
}

TopPage Page(int running, int pending) {
  TopPage page;
  page.now = absl::FromUnixSeconds(kNow);
  page.info.set_version("0.1.0");
  page.info.set_onednn_version("2.6.3");
  page.info.set_isa("avx512");
  page.info.mutable_start_time()->set_seconds(kNow - 7380);
  page.info.set_worker_slots(2);
  page.info.set_workers_connected(2);
  page.info.set_jobs_running(running);
  page.info.set_jobs_pending(pending);
  // As the server lists them: newest first.
  for (int i = 0; i < running; ++i) Running(absl::StrCat("run", i), i + 1, &page);
  for (int i = pending; i > 0; --i) Pending(absl::StrCat("wait", i), i, &page);
  return page;
}

size_t LineCount(const std::string& text) {
  return static_cast<size_t>(std::count(text.begin(), text.end(), '\n'));
}

TEST(TopViewTest, ServerRunningJobsAndQueueAreOnePage) {
  EXPECT_EQ(TopText(Page(1, 2), {}), R"(trainyard 0.1.0  oneDNN 2.6.3 avx512  up 2h 03m
slots  [###############---------------] 1 of 2 busy, 2 workers connected
jobs   1 running, 2 pending

RUNNING
JOB   NAME  OWNER  STATE    EPOCH  PROGRESS                 LOSS  VAL LOSS  ROWS/S  RUNS     ETA
run0  wdbc  ann    RUNNING   5/20  [#####---------------]  0.125             12.3k  1.0s  1m 30s

QUEUE
PLACE  JOB    NAME  OWNER  PRIORITY  WAITS FOR  WAITED  STARTS IN
    1  wait1        bob    batch     queued     1m 05s
    2  wait2        bob    batch     queued     1m 05s
)");
}

TEST(TopViewTest, AnIdleServerSaysSo) {
  EXPECT_THAT(TopText(Page(0, 0), {}), HasSubstr("\nRUNNING\nnone\n\nQUEUE\nnone\n"));
}

TEST(TopViewTest, TheLongestRunningAndTheFrontOfTheQueueComeFirst) {
  const std::string text = TopText(Page(3, 3), {.height = 60});
  EXPECT_THAT(text, AllOf(ContainsRegex("run2.*\n.*run1.*\n.*run0"),
                          ContainsRegex("wait1.*\n.*wait2.*\n.*wait3")));
}

TEST(TopViewTest, WhatHasNoRoomIsCounted) {
  TopPage page = Page(9, 40);
  page.info.set_jobs_pending(2000);  // more than were listed
  const std::string text = TopText(page, {.height = 24});
  EXPECT_EQ(LineCount(text), 23u);  // a line is kept for running jobs that have no room
  EXPECT_THAT(text, HasSubstr("and 1,996 more\n"));
  EXPECT_THAT(text, Not(HasSubstr("wait5")));
  for (const size_t height : {0, 10, 17, 18, 30, 100}) {
    EXPECT_LE(LineCount(TopText(page, {.height = height})), std::max<size_t>(height, 17)) << height;
  }
}

TEST(TopViewTest, ANarrowTerminalKeepsTheNumbers) {
  const std::string text = TopText(Page(2, 2), {.width = 60, .height = 24});
  EXPECT_THAT(text, Not(HasSubstr("PROGRESS")));
  EXPECT_THAT(text, HasSubstr("0.125"));
}

}  // namespace
}  // namespace trainyard
