#include "server/metrics/metrics.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <ctime>
#include <fstream>
#include <set>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/metrics/store_observers.h"
#include "server/storage/blob_store.h"
#include "tests/support/http_get.h"
#include "tests/support/mem_file_system.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_dir.h"

namespace trainyard {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

constexpr char kGet[] = "/trainyard.v1.JobService/GetTrainingJob";
constexpr char kWatch[] = "/trainyard.v1.JobService/WatchTrainingJob";

class MetricsTest : public testing::Test {
 protected:
  void SetUp() override { ASSERT_THAT(metrics_.Listen("127.0.0.1:0"), IsOk()); }
  std::string Scrape() { return HttpGet(metrics_.port(), "/metrics"); }
  std::string ScrapeJobs() { return HttpGet(metrics_.port(), "/metrics/jobs"); }
  // The value of the series that is written so, e.g. `name{a="b"}`.
  double Value(const std::string& page, const std::string& series) {
    for (const absl::string_view line : absl::StrSplit(page, '\n')) {
      double value = 0;
      if (absl::StartsWith(line, series + " ") &&
          absl::SimpleAtod(line.substr(series.size() + 1), &value)) {
        return value;
      }
    }
    ADD_FAILURE() << "no series " << series;
    return -1;
  }
  void ShowJob(JobSeriesLevel level) {
    metrics_.SetJobSeries({.level = level}, [] {
      return std::vector<Metrics::JobSeries>{{.job_id = "j1",
                                              .owner = "ann",
                                              .display_name = "odd \"name\"\nwith \\",
                                              .queue = v1::JOB_PRIORITY_BATCH,
                                              .train_loss = 0.25,
                                              .validation_loss = 0.5,
                                              .objective = 0.75,
                                              .learning_rate = 0.125,
                                              .last_update_seconds = 1234.5}};
    });
  }
  void ExpectValues(const std::vector<std::pair<std::string, double>>& expected) {
    const std::string page = Scrape();
    for (const auto& [series, value] : expected) EXPECT_EQ(Value(page, series), value) << series;
  }
  // Uses everything once, so that every family has a series.
  void UseAll() {
    metrics_.SetBuildInfo("0.1.0", "abc123", "2.6.3", "avx2");
    metrics_.SetSnapshot([] { return Metrics::Snapshot{.workers = 2}; });
    ShowJob(JobSeriesLevel::kFull);
    metrics_.RpcStarted(kGet, "unary");
    metrics_.RpcHandled(kGet, "unary", "OK", 0.002);
    metrics_.RpcMessageReceived(kGet, "unary");
    metrics_.RpcMessageSent(kGet, "unary");
  }

  Metrics metrics_;
};

TEST_F(MetricsTest, CountersOfKnownLabelsStartAtZero) {
  const std::string page = Scrape();
  for (const char* series : {"trainyard_jobs_submitted_total{queue=\"interactive\"}",
                             "trainyard_jobs_submitted_total{queue=\"normal\"}",
                             "trainyard_jobs_submitted_total{queue=\"batch\"}",
                             "trainyard_job_submit_duplicates_total",
                             "trainyard_jobs_rejected_total{reason=\"queue_full\"}",
                             "trainyard_jobs_finished_total{queue=\"normal\"}",
                             "trainyard_jobs_failed_total{queue=\"normal\",reason=\"worker_lost\"}",
                             "trainyard_jobs_cancelled_total{queue=\"normal\"}",
                             "trainyard_job_attempts_total{queue=\"normal\"}",
                             "trainyard_jobs_recovered_total",
                             "trainyard_job_queue_wait_seconds_count{queue=\"normal\"}",
                             "trainyard_job_run_duration_seconds_count{queue=\"normal\"}",
                             "trainyard_job_cancel_latency_seconds_count",
                             "trainyard_training_samples_total",
                             "trainyard_training_steps_total",
                             "trainyard_training_busy_seconds_total",
                             "trainyard_training_nonfinite_total",
                             "trainyard_store_fsync_seconds_count",
                             "trainyard_store_errors_total",
                             "trainyard_store_appended_bytes_total",
                             "trainyard_dataset_upload_bytes_total",
                             "trainyard_dataset_rows_total",
                             "trainyard_dataset_rejected_rows_total{reason=\"bad_cell\"}",
                             "trainyard_dataset_rejected_rows_total{reason=\"bad_record\"}",
                             "trainyard_checkpoint_write_seconds_count",
                             "trainyard_checkpoint_bytes_total",
                             "trainyard_checkpoint_failures_total",
                             "trainyard_store_replay_duration_seconds",
                             "trainyard_dataset_dedup_hits_total",
                             "trainyard_dataset_ingest_seconds_count",
                             "trainyard_watch_streams",
                             "trainyard_watch_events_sent_total",
                             "trainyard_watch_resumes_total",
                             "trainyard_watch_coalesced_events_total",
                             "trainyard_predicted_rows_total",
                             "trainyard_job_series",
                             "trainyard_job_series_dropped_total"}) {
    EXPECT_EQ(Value(page, series), 0) << series;
  }
}

TEST_F(MetricsTest, EveryMethodOfJobsMovesItsSeries) {
  metrics_.JobSubmitted(v1::JOB_PRIORITY_UNSPECIFIED);
  metrics_.JobSubmitDuplicate();
  metrics_.JobRejected("queue_full");
  metrics_.JobFinished(v1::JOB_PRIORITY_INTERACTIVE);
  metrics_.JobFailed(v1::JOB_PRIORITY_NORMAL, "non_finite_loss");
  metrics_.JobCancelled(v1::JOB_PRIORITY_BATCH);
  metrics_.JobAttempt(v1::JOB_PRIORITY_NORMAL);
  metrics_.JobPreempted(v1::JOB_PRIORITY_BATCH);
  metrics_.JobsRecovered(4);
  metrics_.JobQueueWait(v1::JOB_PRIORITY_NORMAL, 0.2);
  metrics_.JobRunDuration(v1::JOB_PRIORITY_NORMAL, 7);
  metrics_.CheckpointSaved(1000, 0.02);
  metrics_.CheckpointFailures(2);
  metrics_.JobCancelLatency(0.02);
  metrics_.TrainingProgress(1000, 10, 0.5);
  metrics_.TrainingNonFinite();
  ExpectValues({{"trainyard_jobs_submitted_total{queue=\"normal\"}", 1},
                {"trainyard_job_submit_duplicates_total", 1},
                {"trainyard_jobs_rejected_total{reason=\"queue_full\"}", 1},
                {"trainyard_jobs_finished_total{queue=\"interactive\"}", 1},
                {"trainyard_jobs_finished_total{queue=\"normal\"}", 0},
                {"trainyard_jobs_failed_total{queue=\"normal\",reason=\"non_finite_loss\"}", 1},
                {"trainyard_jobs_cancelled_total{queue=\"batch\"}", 1},
                {"trainyard_job_attempts_total{queue=\"normal\"}", 1},
                {"trainyard_job_preemptions_total{queue=\"batch\"}", 1},
                {"trainyard_jobs_recovered_total", 4},
                {"trainyard_job_queue_wait_seconds_bucket{queue=\"normal\",le=\"0.1\"}", 0},
                {"trainyard_job_queue_wait_seconds_bucket{queue=\"normal\",le=\"0.5\"}", 1},
                {"trainyard_job_run_duration_seconds_sum{queue=\"normal\"}", 7},
                {"trainyard_checkpoint_write_seconds_bucket{le=\"0.01\"}", 0},
                {"trainyard_checkpoint_write_seconds_bucket{le=\"0.025\"}", 1},
                {"trainyard_checkpoint_bytes_total", 1000},
                {"trainyard_checkpoint_failures_total", 2},
                {"trainyard_job_cancel_latency_seconds_bucket{le=\"0.05\"}", 1},
                {"trainyard_training_samples_total", 1000},
                {"trainyard_training_steps_total", 10},
                {"trainyard_training_busy_seconds_total", 0.5},
                {"trainyard_training_nonfinite_total", 1}});
}

TEST_F(MetricsTest, EveryMethodOfStoresAndStreamsMovesItsSeries) {
  metrics_.StoreCommit(0.003);
  metrics_.StoreError();
  metrics_.StoreAppended(4096);
  metrics_.StoreReplayed(0.25);
  metrics_.DatasetUploaded(77);
  metrics_.DatasetIngested(0.2, 569);
  metrics_.DatasetRowsRejected("bad_record", 2);
  metrics_.DatasetDedupHit();
  metrics_.WatchStarted();
  metrics_.WatchStarted();
  metrics_.WatchEnded();
  metrics_.WatchEventsSent(5);
  metrics_.WatchResumed();
  metrics_.WatchCoalesced(6);
  metrics_.PredictedRows(8);
  ExpectValues({{"trainyard_store_fsync_seconds_bucket{le=\"0.0025\"}", 0},
                {"trainyard_store_fsync_seconds_bucket{le=\"0.005\"}", 1},
                {"trainyard_store_replay_duration_seconds", 0.25},
                {"trainyard_store_errors_total", 1},
                {"trainyard_store_appended_bytes_total", 4096},
                {"trainyard_dataset_upload_bytes_total", 77},
                {"trainyard_dataset_ingest_seconds_count", 1},
                {"trainyard_dataset_rows_total", 569},
                {"trainyard_dataset_rejected_rows_total{reason=\"bad_record\"}", 2},
                {"trainyard_dataset_dedup_hits_total", 1},
                {"trainyard_watch_streams", 1},
                {"trainyard_watch_events_sent_total", 5},
                {"trainyard_watch_resumes_total", 1},
                {"trainyard_watch_coalesced_events_total", 6},
                {"trainyard_predicted_rows_total", 8}});
}

TEST_F(MetricsTest, AReasonThatIsNotOnTheListMakesNoSeries) {
  metrics_.JobFailed(v1::JOB_PRIORITY_NORMAL, "line 41 of my file");
  const std::string page = Scrape();
  EXPECT_THAT(page, Not(HasSubstr("line 41")));
  EXPECT_EQ(Value(page, "trainyard_jobs_failed_total{queue=\"normal\",reason=\"unspecified\"}"), 1);
}

TEST_F(MetricsTest, GaugesAreReadAtEachScrape) {
  std::atomic<int64_t> pending = 3;
  metrics_.SetSnapshot([&] {
    return Metrics::Snapshot{.queues = {{{},
                                         {.jobs_pending = pending.load(),
                                          .jobs_running = 2,
                                          .jobs_cancelling = 1,
                                          .oldest_pending_timestamp_seconds = 1234.5},
                                         {.jobs_pending = 9}}},
                             .queue_capacity = 100'000,
                             .workers = 4,
                             .workers_busy = 2,
                             .datasets_uploading = 5,
                             .datasets_ready = 6,
                             .dataset_stored_bytes = 9,
                             .store_size_bytes = 10,
                             .storage_free_bytes = 7,
                             .storage_size_bytes = 8};
  });
  metrics_.SetBuildInfo("0.1.0", "abc", "2.6.3", "avx2");
  ExpectValues({{"trainyard_jobs{queue=\"normal\",state=\"pending\"}", 3},
                {"trainyard_jobs{queue=\"interactive\",state=\"pending\"}", 0},
                {"trainyard_jobs{queue=\"batch\",state=\"pending\"}", 9},
                {"trainyard_jobs{queue=\"normal\",state=\"running\"}", 2},
                {"trainyard_jobs{queue=\"normal\",state=\"cancelling\"}", 1},
                {"trainyard_queue_capacity_jobs{queue=\"normal\"}", 100'000},
                {"trainyard_queue_oldest_pending_timestamp_seconds{queue=\"normal\"}", 1234.5},
                {"trainyard_workers", 4},
                {"trainyard_workers_busy", 2},
                {"trainyard_datasets{state=\"uploading\"}", 5},
                {"trainyard_datasets{state=\"ready\"}", 6},
                {"trainyard_store_size_bytes", 10},
                {"trainyard_storage_free_bytes", 7},
                {"trainyard_storage_size_bytes", 8},
                {"trainyard_dataset_stored_bytes", 9},
                {"trainyard_build_info{version=\"0.1.0\",revision=\"abc\",onednn_version=\"2.6.3\","
                 "isa=\"avx2\"}",
                 1}});
  pending = 0;
  EXPECT_EQ(Value(Scrape(), "trainyard_jobs{queue=\"normal\",state=\"pending\"}"), 0);
}

TEST_F(MetricsTest, TheProcessShowsItself) {
  const std::string page = Scrape();
  EXPECT_GT(Value(page, "process_resident_memory_bytes"), 1e6);
  EXPECT_GT(Value(page, "process_virtual_memory_bytes"), 1e6);
  EXPECT_GE(Value(page, "process_cpu_seconds_total"), 0);
  EXPECT_GE(Value(page, "process_threads"), 2);
  EXPECT_GT(Value(page, "process_open_fds"), 2);
  EXPECT_GT(Value(page, "process_max_fds"), 2);
  const double started = Value(page, "process_start_time_seconds");
  const double now = static_cast<double>(time(nullptr));
  EXPECT_LE(started, now + 1);
  EXPECT_GT(started, now - 600);
}

TEST_F(MetricsTest, RpcsAreCountedUnderGoNames) {
  for (int i = 0; i < 3; ++i) {
    metrics_.RpcStarted(kGet, "unary");
    metrics_.RpcHandled(kGet, "unary", i == 0 ? "NotFound" : "OK", 0.002);
  }
  metrics_.RpcStarted(kWatch, "server_stream");
  metrics_.RpcMessageSent(kWatch, "server_stream");
  metrics_.RpcHandled(kWatch, "server_stream", "made up", 60);
  const std::string page = Scrape();
  const std::string get =
      "grpc_method=\"GetTrainingJob\",grpc_service=\"trainyard.v1.JobService\","
      "grpc_type=\"unary\"";
  const std::string watch =
      "grpc_method=\"WatchTrainingJob\",grpc_service=\"trainyard.v1.JobService\","
      "grpc_type=\"server_stream\"";
  EXPECT_EQ(Value(page, absl::StrCat("grpc_server_started_total{", get, "}")), 3);
  EXPECT_EQ(Value(page, absl::StrCat("grpc_server_handled_total{grpc_code=\"OK\",", get, "}")), 2);
  EXPECT_EQ(
      Value(page, absl::StrCat("grpc_server_handled_total{grpc_code=\"NotFound\",", get, "}")), 1);
  EXPECT_EQ(
      Value(page, absl::StrCat("grpc_server_handling_seconds_bucket{", get, ",le=\"0.0025\"}")), 3);
  EXPECT_EQ(Value(page, absl::StrCat("grpc_server_msg_sent_total{", watch, "}")), 1);
  EXPECT_EQ(Value(page, absl::StrCat("grpc_server_msg_received_total{", watch, "}")), 0);
  EXPECT_EQ(
      Value(page, absl::StrCat("grpc_server_handled_total{grpc_code=\"Unknown\",", watch, "}")), 1);
  EXPECT_THAT(page, Not(HasSubstr("grpc_server_handling_seconds_count{" + watch)));
}

TEST_F(MetricsTest, MethodsAreBounded) {
  for (int i = 0; i < 1'000; ++i) metrics_.RpcStarted(absl::StrCat("/s/m", i), "unary");
  metrics_.RpcStarted("no method", "unary");
  const std::vector<std::string> lines = absl::StrSplit(Scrape(), '\n');
  const auto series = std::count_if(lines.begin(), lines.end(), [](const std::string& line) {
    return absl::StartsWith(line, "grpc_server_started_total{");
  });
  EXPECT_EQ(series, 129);  // the limit of rpc_metrics.h, and "other"
}

TEST_F(MetricsTest, RunningJobsHaveTheirOwnPage) {
  UseAll();
  const std::string page = ScrapeJobs();
  EXPECT_EQ(Value(page, "trainyard_job_loss{job_id=\"j1\",split=\"train\"}"), 0.25);
  EXPECT_EQ(Value(page, "trainyard_job_loss{job_id=\"j1\",split=\"validation\"}"), 0.5);
  EXPECT_EQ(Value(page, "trainyard_job_objective{job_id=\"j1\"}"), 0.75);
  EXPECT_EQ(Value(page, "trainyard_job_learning_rate{job_id=\"j1\"}"), 0.125);
  EXPECT_EQ(Value(page, "trainyard_job_last_update_timestamp_seconds{job_id=\"j1\"}"), 1234.5);
  EXPECT_EQ(Value(page, "trainyard_job_epoch{job_id=\"j1\"}"), 0);
  EXPECT_EQ(Value(page, "trainyard_job_progress_ratio{job_id=\"j1\"}"), 0);
  EXPECT_EQ(Value(page,
                  "trainyard_job_info{job_id=\"j1\",queue=\"batch\",owner=\"ann\","
                  "display_name=\"odd \\\"name\\\"\\nwith \\\\\"}"),
            1);
  EXPECT_THAT(Scrape(), Not(HasSubstr("job_id=")));
}

TEST_F(MetricsTest, TheLevelSaysWhatIsShownOfJobs) {
  ShowJob(JobSeriesLevel::kId);
  EXPECT_EQ(Value(ScrapeJobs(), "trainyard_job_info{job_id=\"j1\",queue=\"batch\"}"), 1);
  EXPECT_THAT(ScrapeJobs(), Not(HasSubstr("ann")));
  ShowJob(JobSeriesLevel::kOff);
  EXPECT_THAT(ScrapeJobs(), Not(HasSubstr("j1")));
}

TEST_F(MetricsTest, AJobWithoutALossShowsNone) {
  metrics_.SetJobSeries({}, [] { return std::vector<Metrics::JobSeries>{{.job_id = "j1"}}; });
  EXPECT_THAT(ScrapeJobs(), AllOf(HasSubstr("trainyard_job_epoch{job_id=\"j1\"}"),
                                  Not(HasSubstr("trainyard_job_loss{")),
                                  Not(HasSubstr("trainyard_job_learning_rate{")),
                                  Not(HasSubstr("last_update_timestamp_seconds{"))));
}

TEST_F(MetricsTest, TwoHundredJobsAndAThousandLeaveNothing) {
  std::atomic<size_t> running = 1'000;
  metrics_.SetJobSeries({}, [&] {
    std::vector<Metrics::JobSeries> jobs(running);
    for (size_t i = 0; i < jobs.size(); ++i) jobs[i].job_id = absl::StrCat("j", i);
    return jobs;
  });
  const std::string page = ScrapeJobs();
  EXPECT_THAT(page, HasSubstr("job_id=\"j199\""));
  EXPECT_THAT(page, Not(HasSubstr("job_id=\"j200\"")));
  EXPECT_EQ(Value(Scrape(), "trainyard_job_series"), 200);
  EXPECT_EQ(Value(Scrape(), "trainyard_job_series_dropped_total"), 800);
  running = 0;
  EXPECT_THAT(ScrapeJobs(), Not(HasSubstr("job_id=")));
  EXPECT_EQ(Value(Scrape(), "trainyard_job_series"), 0);
}

// The real promtool, which must be there (Debian's package "prometheus").
TEST_F(MetricsTest, PromtoolFindsNoFault) {
  UseAll();
  TempDir dir;
  for (const std::string& page : {Scrape(), ScrapeJobs()}) {
    ASSERT_THAT(page, Not(StartsWith("failed")));
    std::ofstream(dir.path() + "/page") << page;
    const std::string command =
        absl::StrCat("promtool check metrics < ", dir.path(), "/page > ", dir.path(), "/said 2>&1");
    EXPECT_EQ(std::system(command.c_str()), 0)
        << std::ifstream(dir.path() + "/said").rdbuf() << "\n(is promtool installed?)";
  }
}

std::set<std::string> TypesOn(const std::string& page) {
  std::set<std::string> types;
  for (const absl::string_view line : absl::StrSplit(page, '\n')) {
    if (absl::StartsWith(line, "# TYPE ")) types.insert(std::string(line.substr(7)));
  }
  return types;
}

// Dashboards and alerts of other people depend on each of these.
constexpr const char* kServiceMetrics[] = {
    "grpc_server_handled_total counter",
    "grpc_server_handling_seconds histogram",
    "grpc_server_msg_received_total counter",
    "grpc_server_msg_sent_total counter",
    "grpc_server_started_total counter",
    "process_cpu_seconds_total counter",
    "process_max_fds gauge",
    "process_open_fds gauge",
    "process_resident_memory_bytes gauge",
    "process_start_time_seconds gauge",
    "process_threads gauge",
    "process_virtual_memory_bytes gauge",
    "trainyard_attempts_refunded_total counter",
    "trainyard_build_info gauge",
    "trainyard_checkpoint_bytes_total counter",
    "trainyard_checkpoint_failures_total counter",
    "trainyard_checkpoint_write_seconds histogram",
    "trainyard_dataset_dedup_hits_total counter",
    "trainyard_dataset_ingest_seconds histogram",
    "trainyard_dataset_rejected_rows_total counter",
    "trainyard_dataset_rows_total counter",
    "trainyard_dataset_stored_bytes gauge",
    "trainyard_dataset_upload_bytes_total counter",
    "trainyard_datasets gauge",
    "trainyard_deliveries_given_up gauge",
    "trainyard_deliveries_waiting gauge",
    "trainyard_delivery_attempts_total counter",
    "trainyard_delivery_oldest_waiting_timestamp_seconds gauge",
    "trainyard_delivery_seconds histogram",
    "trainyard_grading_replays_total counter",
    "trainyard_job_attempts_total counter",
    "trainyard_job_cancel_latency_seconds histogram",
    "trainyard_job_preemptions_total counter",
    "trainyard_job_queue_wait_seconds histogram",
    "trainyard_job_run_duration_seconds histogram",
    "trainyard_job_series gauge",
    "trainyard_job_series_dropped_total counter",
    "trainyard_job_submit_duplicates_total counter",
    "trainyard_jobs gauge",
    "trainyard_jobs_cancelled_total counter",
    "trainyard_jobs_failed_total counter",
    "trainyard_jobs_finished_total counter",
    "trainyard_jobs_recovered_total counter",
    "trainyard_jobs_rejected_total counter",
    "trainyard_jobs_submitted_total counter",
    "trainyard_leak_limit_used_ratio gauge",
    "trainyard_predicted_rows_total counter",
    "trainyard_queue_capacity_jobs gauge",
    "trainyard_queue_oldest_pending_timestamp_seconds gauge",
    "trainyard_storage_free_bytes gauge",
    "trainyard_storage_full gauge",
    "trainyard_storage_size_bytes gauge",
    "trainyard_store_appended_bytes_total counter",
    "trainyard_store_errors_total counter",
    "trainyard_store_fsync_seconds histogram",
    "trainyard_store_replay_duration_seconds gauge",
    "trainyard_store_size_bytes gauge",
    "trainyard_submission_grade_seconds histogram",
    "trainyard_submission_infra_retries_total counter",
    "trainyard_submission_oldest_active_timestamp_seconds gauge",
    "trainyard_submission_points_ratio histogram",
    "trainyard_submission_queue_wait_seconds histogram",
    "trainyard_submissions gauge",
    "trainyard_submissions_accepted_total counter",
    "trainyard_submissions_finished_total counter",
    "trainyard_submissions_rejected_total counter",
    "trainyard_training_busy_seconds_total counter",
    "trainyard_training_nonfinite_total counter",
    "trainyard_training_samples_total counter",
    "trainyard_training_steps_total counter",
    "trainyard_watch_coalesced_events_total counter",
    "trainyard_watch_events_sent_total counter",
    "trainyard_watch_resumes_total counter",
    "trainyard_watch_streams gauge",
    "trainyard_workers gauge",
    "trainyard_workers_busy gauge"};
constexpr const char* kJobMetrics[] = {"trainyard_job_epoch gauge",
                                       "trainyard_job_info gauge",
                                       "trainyard_job_last_update_timestamp_seconds gauge",
                                       "trainyard_job_learning_rate gauge",
                                       "trainyard_job_loss gauge",
                                       "trainyard_job_objective gauge",
                                       "trainyard_job_progress_ratio gauge"};

TEST_F(MetricsTest, NamesAndTypesAreTheDocumentedOnesAndNoOthers) {
  UseAll();
  std::set<std::string> service = TypesOn(Scrape());
  // The exposer's own.
  std::erase_if(service, [](const std::string& type) { return type.starts_with("exposer_"); });
  EXPECT_THAT(service, testing::ElementsAreArray(kServiceMetrics));
  std::set<std::string> jobs = TypesOn(ScrapeJobs());
  std::erase_if(jobs, [](const std::string& type) { return type.starts_with("exposer_"); });
  EXPECT_THAT(jobs, testing::ElementsAreArray(kJobMetrics));
}

TEST_F(MetricsTest, ThreadsMayCountWhileOthersScrape) {
  std::vector<std::thread> threads;
  for (int t = 0; t < 8; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 500; ++i) {
        metrics_.RpcStarted(absl::StrCat("/s/m", (i + t) % 50), "unary");
        metrics_.RpcHandled(absl::StrCat("/s/m", (i + t) % 50), "unary", "OK", 0.001);
        metrics_.JobSubmitted(v1::JOB_PRIORITY_NORMAL);
      }
    });
  }
  for (int i = 0; i < 5; ++i) EXPECT_THAT(Scrape(), Not(StartsWith("failed")));
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(Value(Scrape(), "trainyard_jobs_submitted_total{queue=\"normal\"}"), 4'000);
}

TEST_F(MetricsTest, NothingIsCalledAfterStop) {
  bool called = false;
  metrics_.SetSnapshot([&] {
    called = true;
    return Metrics::Snapshot{};
  });
  const int port = metrics_.port();
  metrics_.Stop();
  EXPECT_THAT(HttpGet(port, "/metrics"), StartsWith("failed"));
  EXPECT_FALSE(called);
}

// The library alone takes up to 2 s.
TEST_F(MetricsTest, StopIsQuickAlsoAfterScrapes) {
  ASSERT_THAT(Scrape(), Not(StartsWith("failed")));
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  const auto started = std::chrono::steady_clock::now();
  metrics_.Stop();
  metrics_.Stop();
  EXPECT_LT(std::chrono::steady_clock::now() - started, std::chrono::milliseconds(1'000));
}

TEST_F(MetricsTest, APortInUseIsAClearError) {
  Metrics second;
  const std::string address = absl::StrCat("127.0.0.1:", metrics_.port());
  const absl::Status status = second.Listen(address);
  EXPECT_THAT(status, StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr(address)));
  EXPECT_THAT(GetErrorInfo(status)->in_force, HasSubstr("--metrics-listen"));
}

TEST_F(MetricsTest, StoresReportThroughTheirObservers) {
  TempDir dir;
  const auto files = std::make_shared<MemFileSystem>();
  ASSERT_OK_AND_ASSIGN(const std::unique_ptr<Database> db,
                       Database::Open(dir.path() + "/db", ObserveDatabase(&metrics_)));
  ASSERT_OK_AND_ASSIGN(const std::unique_ptr<BlobStore> blobs, BlobStore::Open("/blobs", files));
  ASSERT_OK_AND_ASSIGN(
      const std::unique_ptr<DatasetStore> store,
      DatasetStore::Open(
          {.uploads_directory = "/uploads",
                            .rejects_directory = "/rejects",
                            .scratch_directory = "/scratch", .dataset_bytes_max = 1000, .files = files}, db.get(),
          blobs.get(), ObserveDatasets(&metrics_)));
  const std::string name = store->Create({}, "ann", "")->name();
  {
    ASSERT_OK_AND_ASSIGN(const std::unique_ptr<UploadWriter> writer, store->OpenUpload(name));
    ASSERT_THAT(writer->Append("a,b\n1,x\n2,y\n"), IsOk());
    ASSERT_THAT(writer->Commit(), IsOk());
  }
  v1::FinalizeDatasetRequest request;
  request.set_name(name);
  ASSERT_THAT(store->Finalize(request), IsOk());
  const std::string page = Scrape();
  EXPECT_EQ(Value(page, "trainyard_dataset_upload_bytes_total"), 12);
  EXPECT_EQ(Value(page, "trainyard_dataset_rows_total"), 2);
  EXPECT_GE(Value(page, "trainyard_store_fsync_seconds_count"), 3);
  EXPECT_GT(Value(page, "trainyard_store_appended_bytes_total"), 4096);
}

}  // namespace
}  // namespace trainyard
