#include "client/tensorboard.h"

#include <algorithm>
#include <bit>
#include <vector>

#include "absl/memory/memory.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/strip.h"
#include "client/describe.h"
#include "client/exit_code.h"
#include "client/job_history.h"
#include "core/base/check.h"
#include "core/base/coding.h"
#include "core/base/crc32c.h"
#include "core/base/status_macros.h"
#include "google/protobuf/unknown_field_set.h"

namespace trainyard {
namespace {

// A message by field numbers: protobuf's own writer for messages without a descriptor. The numbers
// are those of tensorflow/core/util/event.proto and framework/summary.proto.
using Fields = google::protobuf::UnknownFieldSet;

namespace event_field {
constexpr int kWallTime = 1, kStep = 2, kFileVersion = 3, kSummary = 5, kSessionLog = 7;
}  // namespace event_field
namespace value_field {  // of Summary.Value
constexpr int kTag = 1, kSimpleValue = 2, kHistogram = 5;
}  // namespace value_field
namespace histogram_field {
constexpr int kMin = 1, kMax = 2, kNum = 3, kSum = 4, kSumSquares = 5, kLimits = 6, kCounts = 7;
}  // namespace histogram_field
constexpr int kSummaryValue = 1;      // of Summary
constexpr int kSessionStatus = 1;     // of SessionLog
constexpr uint64_t kStatusStart = 1;  // TensorBoard forgets what it has from the event's step on

constexpr absl::string_view kFilePrefix = "events.out.tfevents.";
constexpr absl::string_view kRunPrefix = "run_";

void AddDouble(int field, double value, Fields* message) {
  message->AddFixed64(field, std::bit_cast<uint64_t>(value));
}

std::string BytesOf(const Fields& message) {
  std::string bytes;
  TY_CHECK(message.SerializeToString(&bytes));
  return bytes;
}

uint32_t Masked(uint32_t crc) { return std::rotr(crc, 15) + 0xa282ead8U; }

void AddTime(absl::Time time, int64_t steps_done, Fields* event) {
  AddDouble(event_field::kWallTime, absl::ToDoubleSeconds(time - absl::UnixEpoch()), event);
  if (steps_done > 0) event->AddVarint(event_field::kStep, static_cast<uint64_t>(steps_done));
}

std::string VersionRecord(absl::Time time) {
  Fields event;
  AddTime(time, 0, &event);
  event.AddLengthDelimited(event_field::kFileVersion, "brain.Event:2");
  return TensorBoardRecord(BytesOf(event));
}

void AddScalar(const Scalar& scalar, Fields* summary) {
  Fields value;
  value.AddLengthDelimited(value_field::kTag, scalar.tag);
  value.AddFixed32(value_field::kSimpleValue,
                   std::bit_cast<uint32_t>(static_cast<float>(scalar.value)));
  summary->AddLengthDelimited(kSummaryValue, BytesOf(value));
}

std::string HistogramBytes(const v1::LayerRecord::Histogram& histogram) {
  const int bins = histogram.counts_size();
  ByteWriter limits, counts;
  double total = 0;
  for (int i = 0; i < bins; ++i) {
    const auto count = static_cast<double>(histogram.counts(i));
    limits.F64(histogram.min() + (histogram.max() - histogram.min()) * (i + 1) / bins);
    counts.F64(count);
    total += count;
  }
  Fields fields;
  AddDouble(histogram_field::kMin, histogram.min(), &fields);
  AddDouble(histogram_field::kMax, histogram.max(), &fields);
  AddDouble(histogram_field::kNum, total, &fields);
  AddDouble(histogram_field::kSum, histogram.sum(), &fields);
  AddDouble(histogram_field::kSumSquares, histogram.sum_of_squares(), &fields);
  fields.AddLengthDelimited(histogram_field::kLimits, limits.bytes());
  fields.AddLengthDelimited(histogram_field::kCounts, counts.bytes());
  return BytesOf(fields);
}

void AddHistogram(const std::string& tag, const v1::LayerRecord::Histogram& histogram,
                  Fields* summary) {
  if (histogram.counts().empty()) return;
  Fields value;
  value.AddLengthDelimited(value_field::kTag, tag);
  value.AddLengthDelimited(value_field::kHistogram, HistogramBytes(histogram));
  summary->AddLengthDelimited(kSummaryValue, BytesOf(value));
}

void AddHistograms(const v1::EpochMetrics& epoch, Fields* summary) {
  for (const v1::LayerRecord& layer : epoch.layers()) {
    AddHistogram(absl::StrCat(layer.name(), "/weights"), layer.weights(), summary);
    AddHistogram(absl::StrCat(layer.name(), "/gradients"), layer.gradients(), summary);
  }
}

}  // namespace

std::string TensorBoardRecord(absl::string_view data) {
  ByteWriter record;
  record.U64(data.size());
  record.U32(Masked(crc32c::Value(record.bytes())));
  record.Raw(data.data(), data.size());
  record.U32(Masked(crc32c::Value(data)));
  return std::move(record).Take();
}

TensorBoardLog::TensorBoardLog(const v1::TrainingJob& job, std::string folder)
    : folder_(std::move(folder)),
      // As TensorFlow names them: TensorBoard reads the files of a folder in the order of names.
      file_name_(absl::StrFormat("%s%010d.%s", kFilePrefix, job.create_time().seconds(),
                                 absl::StripPrefix(job.name(), "trainingJobs/"))),
      has_runs_(RunCount(job) > 1) {}

absl::StatusOr<std::unique_ptr<TensorBoardLog>> TensorBoardLog::Create(const v1::TrainingJob& job,
                                                                       const std::string& folder) {
  TY_ASSIGN_OR_RETURN(const std::vector<std::string> names, ListFolder(folder));
  const auto taken = std::find_if(names.begin(), names.end(), [](const std::string& name) {
    return absl::StartsWith(name, kFilePrefix) || absl::StartsWith(name, kRunPrefix);
  });
  if (taken != names.end()) {
    return UsageError(absl::StrCat(folder, ": has event files already (", *taken, ")"),
                      {.hint = "name another folder, or remove what is in it: TensorBoard draws "
                               "all files of a folder as one run"});
  }
  TY_RETURN_IF_ERROR(MakeFolder(folder));
  return absl::WrapUnique(new TensorBoardLog(job, folder));
}

absl::Status TensorBoardLog::Write(const v1::JobEvent& event) {
  if (event.has_rewind()) return WriteRewind(event);
  steps_done_ = StepsDone(event).value_or(steps_done_);
  return WriteSummaries(event);
}

absl::Status TensorBoardLog::WriteSummaries(const v1::JobEvent& event) {
  std::map<Run, Fields> summaries;
  for (const Scalar& scalar : ScalarsOf(event)) {
    AddScalar(scalar, &summaries[has_runs_ ? scalar.run : std::nullopt]);
  }
  if (event.has_epoch()) {
    AddHistograms(event.epoch(), &summaries[has_runs_ ? Run(event.epoch().run()) : std::nullopt]);
  }
  for (const auto& [run, summary] : summaries) {
    Fields message;
    AddTime(EventTime(event), steps_done_, &message);
    message.AddLengthDelimited(event_field::kSummary, BytesOf(summary));
    TY_ASSIGN_OR_RETURN(GrowingFile* const file, FileOf(run, event));
    TY_RETURN_IF_ERROR(file->Append(TensorBoardRecord(BytesOf(message))));
  }
  return absl::OkStatus();
}

absl::Status TensorBoardLog::WriteRewind(const v1::JobEvent& event) {
  steps_done_ = event.rewind().to_step();
  Fields session;
  session.AddVarint(kSessionStatus, kStatusStart);
  Fields message;
  AddTime(EventTime(event), steps_done_ + 1, &message);
  message.AddLengthDelimited(event_field::kSessionLog, BytesOf(session));
  for (const auto& [run, file] : files_) {
    TY_RETURN_IF_ERROR(file->Append(TensorBoardRecord(BytesOf(message))));
  }
  return absl::OkStatus();
}

absl::StatusOr<GrowingFile*> TensorBoardLog::FileOf(Run run, const v1::JobEvent& event) {
  std::unique_ptr<GrowingFile>& file = files_[run];
  if (file != nullptr) return file.get();
  const std::string folder =
      run.has_value() ? absl::StrCat(folder_, "/", kRunPrefix, *run) : folder_;
  TY_RETURN_IF_ERROR(MakeFolder(folder));
  TY_ASSIGN_OR_RETURN(std::unique_ptr<GrowingFile> created,
                      GrowingFile::Create(absl::StrCat(folder, "/", file_name_)));
  TY_RETURN_IF_ERROR(created->Append(VersionRecord(EventTime(event))));
  file = std::move(created);
  return file.get();
}

}  // namespace trainyard
