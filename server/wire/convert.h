// The only place where core's structs and the proto messages meet. Each pair has one function per direction; enums with
// equal numbers are cast after a range check.
//
// Thread-safety: pure functions.
#ifndef TRAINYARD_SERVER_WIRE_CONVERT_H_
#define TRAINYARD_SERVER_WIRE_CONVERT_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "core/base/error_info.h"
#include "core/data/ingest.h"
#include "core/data/table_warnings.h"
#include "core/model/predictor.h"
#include "core/nn/meter.h"
#include "core/train/estimate.h"
#include "core/train/observer.h"
#include "core/train/seed_runs.h"
#include "core/train/train_config.h"
#include "trainyard/v1/dataset.pb.h"
#include "trainyard/v1/job.pb.h"
#include "trainyard/v1/model.pb.h"
#include "trainyard/v1/spec.pb.h"

namespace trainyard {

// Unknown enum numbers and unknown fields become violations ("spec.layers[2]: field 9 is not known to this server"), with
// "spec." in front of the path; so do explicit zeros of counts for which "none" is said by leaving them out, and more than 100 metrics.
// Unknown enum numbers are UNSPECIFIED in the config. initial_model and max_memory_bytes are not part of TrainConfig.
TrainConfig TrainConfigFromProto(const v1::TrainingSpec& spec, std::vector<FieldViolation>* violations);
// The inverse for resolved configs; initial_model and max_memory_bytes stay unset.
v1::TrainingSpec TrainConfigToProto(const TrainConfig& config);

Schema SchemaFromProto(const v1::Dataset& dataset);
void TableToProto(const Table& table, v1::Dataset* dataset);  // columns, statistics, row_count
v1::CsvOptions CsvOptionsToProto(const CsvOptions& options);
// Faults with paths "csv.delimiter", ….
CsvOptions CsvOptionsFromProto(const v1::CsvOptions& options, std::vector<FieldViolation>* violations);
// How a file is read: everything of the request but its labels. Faults with paths "csv.delimiter", "column_overrides[2]", ….
IngestOptions IngestOptionsFromProto(const v1::FinalizeDatasetRequest& request, std::vector<FieldViolation>* violations);
// Everything that ingest found: format, options in force, columns, rejects.
void IngestResultToProto(const IngestResult& result, v1::Dataset* dataset);
void WarningsToProto(const std::vector<TableWarning>& warnings, v1::Dataset* dataset);
v1::RejectedCell RejectedCellToProto(const RejectedCell& cell);

void MetricsToProto(const EvalResult& result, google::protobuf::RepeatedPtrField<v1::Metric>* metrics);
// Kind only: sequence, time and attempt are set by the server.
v1::JobEvent StepToProto(const StepRecord& step);
v1::JobEvent EpochToProto(const EpochRecord& epoch);
v1::JobEvent WarningToProto(const TrainingWarning& warning);  // a note
v1::JobEvent EvaluationToProto(const EvaluationRecord& evaluation);
// The test of the best seed, with its confusion matrix and what the seeds came to.
v1::JobEvent TestToProto(const SeedsResult& result, const std::vector<std::string>& classes);
// Whether a repeated attempt produces the event again: what EventBatch.event_count counts, and what
// replay compares. Not: state changes, checkpoints, rewinds, and notes that are about a checkpoint.
bool IsRepeated(const v1::JobEvent& event);
v1::JobEvent NoteToProto(const std::string& message);
// Without its duration, which is the server's to know.
v1::ResourceEstimate EstimateToProto(const ResourceEstimate& estimate);
absl::Duration DurationFromProto(const google::protobuf::Duration& duration);
// To the nanosecond.
void SecondsToProto(double seconds, google::protobuf::Duration* duration);
v1::JobEvent AnalysisProgressToProto(int64_t points_done, int64_t points_total);
// Whether the result has a confusion matrix of these classes.
bool HasConfusion(const EvalResult& result, const std::vector<std::string>& classes);
// REQUIRES: HasConfusion.
void ConfusionToProto(const EvalResult& result, const std::vector<std::string>& classes, v1::ConfusionMatrix* proto);
// Nothing for a single run.
void SeedResultsToProto(const std::vector<SeedSummary>& seeds, google::protobuf::RepeatedPtrField<v1::SeedResult>* protos);
// What a model does to each of its columns, at most 100 categories of each.
void FeaturesToProto(const Bundle& bundle, v1::Model* model);
// Task, columns, classes, sizes, and as `spec` what a bundle says of the network and data that it was trained with.
void BundleToProto(const Bundle& bundle, v1::Model* model);
// Mean and spread over runs of what each of them measured; replaces `*spreads`.
void SpreadsToProto(const google::protobuf::RepeatedPtrField<v1::SeedResult>& runs,
                    google::protobuf::RepeatedPtrField<v1::MetricSpread>* spreads);
v1::Prediction PredictionToProto(const Prediction& prediction, const Bundle& bundle);

// A failed run as a job's error: reason, category (INFRA for INTERNAL, WORKER_LOST, CORRUPT_CHECKPOINT, DATA_LOSS,
// STORAGE_FULL; else USER), message, hint, and for NON_FINITE_LOSS the metadata step, epoch, learning_rate, layer.
v1::JobError JobErrorFromStatus(const absl::Status& status);
v1::FailureCategory CategoryOf(v1::ErrorReason reason);

// A message's deterministic serialization: the same message has the same bytes in this build.
std::string MessageBytes(const google::protobuf::Message& message);
// `sha256:` and hex of MessageBytes: what makes two requests, or two specs, the same.
std::string MessageDigest(const google::protobuf::Message& message);
// MessageDigest of a resolved spec, as receipts show it.
std::string SpecDigest(const v1::TrainingSpec& resolved);

}  // namespace trainyard

#endif  // TRAINYARD_SERVER_WIRE_CONVERT_H_
