// The only place where core's structs and the proto messages meet. Each pair has one function per direction; enums with
// equal numbers are cast after a range check.
//
// Thread-safety: pure functions.
#ifndef TRAINYARD_SERVER_WIRE_CONVERT_H_
#define TRAINYARD_SERVER_WIRE_CONVERT_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "core/base/error_info.h"
#include "core/data/ingest.h"
#include "core/model/predictor.h"
#include "core/nn/meter.h"
#include "core/train/observer.h"
#include "core/train/train_config.h"
#include "trainyard/v1/dataset.pb.h"
#include "trainyard/v1/job.pb.h"
#include "trainyard/v1/model.pb.h"
#include "trainyard/v1/spec.pb.h"

namespace trainyard {

// Unknown enum numbers and unknown fields become violations ("spec.layers[2]: field 9 is not known to this server"), with
// "spec." in front of the path.
TrainConfig TrainConfigFromProto(const v1::TrainingSpec& spec, std::vector<FieldViolation>* violations);
// The inverse for resolved configs; max_memory_bytes is not part of TrainConfig and stays unset.
v1::TrainingSpec TrainConfigToProto(const TrainConfig& config);

Schema SchemaFromProto(const v1::Dataset& dataset);
void TableToProto(const Table& table, v1::Dataset* dataset);  // columns, statistics, row_count
v1::CsvOptions CsvOptionsToProto(const CsvOptions& options);
// Faults with paths "csv.delimiter", ….
CsvOptions CsvOptionsFromProto(const v1::CsvOptions& options, std::vector<FieldViolation>* violations);
v1::RejectedCell RejectedCellToProto(const RejectedCell& cell);

void MetricsToProto(const EvalResult& result, google::protobuf::RepeatedPtrField<v1::Metric>* metrics);
v1::JobEvent StepToProto(const StepRecord& step);     // kind only
v1::JobEvent EpochToProto(const EpochRecord& epoch);  // kind only
v1::JobEvent TestToProto(const EvalResult& test);     // kind only
v1::Prediction PredictionToProto(const Prediction& prediction, const Bundle& bundle);

// A failed run as a job's error: reason, category (INFRA for INTERNAL, WORKER_LOST, CORRUPT_CHECKPOINT, DATA_LOSS,
// STORAGE_FULL; else USER), message, hint, and for NON_FINITE_LOSS the metadata step, epoch, learning_rate, layer.
v1::JobError JobErrorFromStatus(const absl::Status& status);
v1::FailureCategory CategoryOf(v1::ErrorReason reason);

// `sha256:` and hex of a message's deterministic serialization: what makes two requests, or two specs, the same.
std::string MessageDigest(const google::protobuf::Message& message);
// MessageDigest of a resolved spec, as receipts show it.
std::string SpecDigest(const v1::TrainingSpec& resolved);

}  // namespace trainyard

#endif  // TRAINYARD_SERVER_WIRE_CONVERT_H_
