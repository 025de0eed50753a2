#include "client/top_view.h"

#include <algorithm>
#include <cstdint>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "client/describe.h"
#include "client/proto_text.h"

namespace trainyard {
namespace {

using Align = TextTable::Align;
using Jobs = std::vector<v1::TrainingJob>;

constexpr size_t kBarWidth = 22;
constexpr size_t kSlotBarWidth = 32;
// Lines that are no rows of a table: three of the server, two titles, two headers, two blanks and
// two counts of what is left out.
constexpr size_t kFixedLines = 11;

std::string IdText(const v1::TrainingJob& job) {
  return std::string(absl::StripPrefix(job.name(), "trainingJobs/"));
}

std::string PriorityWord(const v1::TrainingJob& job) {
  if (job.priority() == v1::JOB_PRIORITY_UNSPECIFIED) return "normal";
  return EnumWord(*v1::JobPriority_descriptor(), job.priority());
}

std::string MetricText(const v1::TrainingJob& job, absl::string_view name) {
  for (const v1::Metric& metric : job.latest_metrics()) {
    if (metric.name() == name) return FormatNumber(metric.value());
  }
  return "";
}

std::string SpanText(const google::protobuf::Duration& span, bool known) {
  return known ? DurationText(ToDuration(span)) : "";
}

double FractionDone(const v1::JobProgress& progress) {
  if (progress.steps_total() <= 0) return 0;
  return static_cast<double>(progress.steps_done()) / static_cast<double>(progress.steps_total());
}

int64_t SlotsBusy(const Jobs& running) {
  int64_t slots = 0;
  for (const v1::TrainingJob& job : running) slots += std::max(job.resolved_spec().threads(), 1);
  return slots;
}

std::string ServerLines(const TopPage& page, const Jobs& running) {
  const v1::ServerInfo& info = page.info;
  const int64_t busy = SlotsBusy(running);
  const double share = info.worker_slots() == 0
                           ? 0
                           : static_cast<double>(busy) / static_cast<double>(info.worker_slots());
  return absl::StrCat(
      "trainyard ", Printable(info.version()), "  oneDNN ", Printable(info.onednn_version()), " ",
      Printable(info.isa()), "  up ", DurationText(page.now - ToTime(info.start_time())),
      "\nslots  ", Bar(share, kSlotBarWidth), " ", busy, " of ", info.worker_slots(), " busy, ",
      info.workers_connected(), " workers connected\njobs   ", FormatCount(info.jobs_running()),
      " running, ", FormatCount(info.jobs_pending()), " pending\n");
}

TextTable RunningTable(const Jobs& jobs, absl::Time now) {
  TextTable table({{"JOB"},
                   {"NAME", Align::kLeft, 2},
                   {"OWNER", Align::kLeft, 3},
                   {"STATE", Align::kLeft, 4},
                   {"EPOCH", Align::kRight},
                   {"PROGRESS", Align::kLeft, 5},
                   {"LOSS", Align::kRight},
                   {"VAL LOSS", Align::kRight},
                   {"ROWS/S", Align::kRight, 1},
                   {"RUNS", Align::kRight, 1},
                   {"ETA", Align::kRight}});
  for (const v1::TrainingJob& job : jobs) {
    const v1::JobProgress& progress = job.progress();
    table.AddRow({IdText(job), job.display_name(), job.owner(), StateWord(job.state()),
                  absl::StrCat(progress.epochs_done(), "/", progress.epochs_total()),
                  Bar(FractionDone(progress), kBarWidth), MetricText(job, "train_loss"),
                  MetricText(job, "validation_loss"),
                  progress.rows_per_second() > 0 ? FormatShort(progress.rows_per_second()) : "",
                  DurationText(now - ToTime(job.start_time())),
                  SpanText(progress.eta(), progress.has_eta())});
  }
  return table;
}

TextTable QueueTable(const Jobs& jobs, absl::Time now) {
  TextTable table({{"PLACE", Align::kRight},
                   {"JOB"},
                   {"NAME", Align::kLeft, 2},
                   {"OWNER", Align::kLeft, 1},
                   {"PRIORITY"},
                   {"WAITS FOR"},
                   {"WAITED", Align::kRight},
                   {"STARTS IN", Align::kRight}});
  for (const v1::TrainingJob& job : jobs) {
    table.AddRow({FormatCount(job.queue_position()), IdText(job), job.display_name(), job.owner(),
                  PriorityWord(job),
                  EnumWord(*v1::PendingReason_descriptor(), job.pending_reason()),
                  DurationText(now - ToTime(job.create_time())),
                  SpanText(job.start_eta(), job.has_start_eta())});
  }
  return table;
}

// The first `rows` of `jobs`, and how many there are beside.
std::string Section(absl::string_view title, Jobs jobs, int64_t count, size_t rows,
                    const TopPage& page, const TopStyle& style,
                    TextTable (*table)(const Jobs&, absl::Time)) {
  jobs.resize(std::min(jobs.size(), rows));
  const int64_t more = std::max<int64_t>(count - static_cast<int64_t>(jobs.size()), 0);
  return absl::StrCat("\n", title, "\n",
                      jobs.empty() ? "none\n" : table(jobs, page.now).Render(style.width),
                      more == 0 ? "" : absl::StrCat("and ", FormatCount(more), " more\n"));
}

Jobs ByStart(const v1::ListTrainingJobsResponse& list) {
  Jobs jobs(list.training_jobs().begin(), list.training_jobs().end());
  std::stable_sort(jobs.begin(), jobs.end(), [](const auto& a, const auto& b) {
    return ToTime(a.start_time()) < ToTime(b.start_time());
  });
  return jobs;
}

Jobs ByPlace(const v1::ListTrainingJobsResponse& list) {
  Jobs jobs(list.training_jobs().begin(), list.training_jobs().end());
  std::stable_sort(jobs.begin(), jobs.end(), [](const auto& a, const auto& b) {
    return a.queue_position() < b.queue_position();
  });
  return jobs;
}

}  // namespace

std::string TopText(const TopPage& page, const TopStyle& style) {
  const Jobs running = ByStart(page.running);
  const Jobs pending = ByPlace(page.pending);
  // Running jobs take what they need of the room, but for the queue's least.
  const size_t room = std::max(style.height, kFixedLines + 2 * kTopRowsMin) - kFixedLines;
  const size_t running_rows = std::min(std::max<size_t>(running.size(), 1), room - kTopRowsMin);
  return absl::StrCat(
      ServerLines(page, running),
      Section("RUNNING", running, static_cast<int64_t>(running.size()), running_rows, page, style,
              &RunningTable),
      Section(page.pending.next_page_token().empty() ? "QUEUE" : "QUEUE, its newest jobs", pending,
              std::max(page.info.jobs_pending(), static_cast<int64_t>(pending.size())),
              room - running_rows, page, style, &QueueTable));
}

}  // namespace trainyard
