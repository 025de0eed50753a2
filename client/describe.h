// Messages of the contract as text for people (a dataset: describe_dataset.h). With -o json the
// messages themselves are printed instead (screen.h).
//
// Thread-safety: pure functions.
#ifndef TRAINYARD_CLIENT_DESCRIBE_H_
#define TRAINYARD_CLIENT_DESCRIBE_H_

#include <string>

#include "absl/time/time.h"
#include "client/render.h"
#include "google/protobuf/duration.pb.h"
#include "google/protobuf/repeated_field.h"
#include "google/protobuf/timestamp.pb.h"
#include "trainyard/v1/admin.pb.h"
#include "trainyard/v1/dataset.pb.h"
#include "trainyard/v1/job.pb.h"
#include "trainyard/v1/model.pb.h"

namespace trainyard {

// Cells of a preview row that are shown, and features of a model; more are counted.
inline constexpr int kPreviewColumnsShownMax = 12;
inline constexpr int kFeaturesShownMax = 50;
// A confusion matrix of more classes is counted only.
inline constexpr int kConfusionClassesShownMax = 12;

absl::Time ToTime(const google::protobuf::Timestamp& timestamp);
absl::Duration ToDuration(const google::protobuf::Duration& duration);
absl::Time EventTime(const v1::JobEvent& event);

std::string StateWord(v1::JobState state);  // "RUNNING"
// "loss_landscape": the field of AnalysisSpec that says what to compute; empty when none does.
std::string AnalysisKind(const v1::AnalysisSpec& analysis);
// "loss 0.08  accuracy 0.977"; "none" when empty.
std::string DescribeMetrics(const google::protobuf::RepeatedPtrField<v1::Metric>& metrics);

// A table [actual, predicted]; empty without classes.
std::string DescribeConfusion(const v1::ConfusionMatrix& confusion);

// Several lines each, ending with a line end.
std::string DescribeDatasets(const v1::ListDatasetsResponse& list);
std::string DescribePreview(const v1::PreviewDatasetResponse& preview);
std::string DescribeJob(const v1::TrainingJob& job);
// What an epoch says of its layers: a table, with the histograms as bars where there are some.
std::string DescribeLayers(const v1::EpochMetrics& epoch);
std::string DescribeJobs(const v1::ListTrainingJobsResponse& list);
// A terminal job: how it ended, its test metrics or its error, its model and what to do next.
std::string DescribeOutcome(const v1::TrainingJob& job);
// The resolved spec and warnings of a validated job.
std::string DescribeValidated(const v1::TrainingJob& job);
// In lines of `width` columns as far as that goes.
std::string DescribeModel(const v1::Model& model, size_t width = kWidthUnlimited);
std::string DescribeModels(const v1::ListModelsResponse& list);
// One line per row.
std::string DescribePredictions(const v1::PredictResponse& response, const v1::Model& model);
std::string DescribeServer(const v1::ServerInfo& info);

}  // namespace trainyard

#endif  // TRAINYARD_CLIENT_DESCRIBE_H_
