#include "server/wire/convert.h"

#include <numeric>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "google/protobuf/io/coded_stream.h"
#include "google/protobuf/io/zero_copy_stream_impl_lite.h"
#include "server/base/ids.h"
#include "server/wire/enum_cast.h"
#include "server/wire/error_detail.h"
#include "server/wire/unknown_fields.h"

namespace trainyard {
namespace {

using google::protobuf::Message;

using Violations = std::vector<FieldViolation>;

std::vector<std::pair<std::string, double>> MetricsFromProto(
    const google::protobuf::RepeatedPtrField<v1::Metric>& metrics) {
  std::vector<std::pair<std::string, double>> values;
  for (const v1::Metric& metric : metrics) values.emplace_back(metric.name(), metric.value());
  return values;
}

// The number under `key`, 0 when there is none.
double MetadataNumber(const ErrorInfo& info, absl::string_view key) {
  for (const auto& [name, value] : info.metadata) {
    double number = 0;
    if (name == key && absl::SimpleAtod(value, &number)) return number;
  }
  return 0;
}

void HistogramToProto(const NumberSummary& summary, v1::LayerRecord::Histogram* proto) {
  const std::vector<int64_t>& counts = summary.histogram;
  const auto count = static_cast<double>(std::accumulate(counts.begin(), counts.end(), int64_t{0}));
  proto->set_min(summary.min);
  proto->set_max(summary.max);
  proto->mutable_counts()->Assign(counts.begin(), counts.end());
  proto->set_sum(count * summary.mean);
  const double deviation = summary.standard_deviation;
  proto->set_sum_of_squares(count * (deviation * deviation + summary.mean * summary.mean));
}

void LayerToProto(const LayerRecord& layer, v1::LayerRecord* proto) {
  proto->set_name(layer.name);
  proto->set_weight_norm(layer.weight_norm);
  proto->set_gradient_norm(layer.gradient_norm);
  proto->set_update_ratio(layer.update_ratio);
  proto->set_dead_unit_fraction(layer.dead_unit_fraction);
  proto->set_saturated_fraction(layer.saturated_fraction);
  if (layer.weights.has_value()) HistogramToProto(*layer.weights, proto->mutable_weights());
  if (layer.gradients.has_value()) HistogramToProto(*layer.gradients, proto->mutable_gradients());
}

}  // namespace

void MetricsToProto(const EvalResult& result,
                    google::protobuf::RepeatedPtrField<v1::Metric>* metrics) {
  for (const auto& [name, value] : result.metrics) {
    v1::Metric* metric = metrics->Add();
    metric->set_name(name);
    metric->set_value(value);
  }
}

v1::JobEvent StepToProto(const StepRecord& step) {
  v1::JobEvent event;
  v1::StepMetrics* proto = event.mutable_step();
  proto->set_step(step.step);
  proto->set_epoch(static_cast<int32_t>(step.epoch));
  proto->set_loss(step.loss);
  proto->set_learning_rate(step.learning_rate);
  proto->set_gradient_norm(step.gradient_norm);
  proto->set_rows_seen(step.rows_seen);
  proto->set_run(static_cast<int32_t>(step.run));
  return event;
}

v1::JobEvent EpochToProto(const EpochRecord& epoch) {
  v1::JobEvent event;
  v1::EpochMetrics* proto = event.mutable_epoch();
  proto->set_epoch(static_cast<int32_t>(epoch.epoch));
  proto->set_steps_done(epoch.steps_done);
  proto->set_train_loss(epoch.train_loss);
  MetricsToProto(epoch.validation, proto->mutable_validation());
  proto->set_learning_rate(epoch.learning_rate);
  proto->set_rows_seen(epoch.rows_seen);
  proto->set_run(static_cast<int32_t>(epoch.run));
  for (const LayerRecord& layer : epoch.layers) LayerToProto(layer, proto->add_layers());
  return event;
}

v1::JobEvent WarningToProto(const TrainingWarning& warning) {
  v1::JobEvent event = NoteToProto(warning.message);
  event.mutable_note()->set_warning(EnumCast<v1::TrainingWarning>(warning.kind));
  event.mutable_note()->set_remedy(warning.remedy);
  return event;
}

v1::JobEvent EvaluationToProto(const EvaluationRecord& evaluation) {
  v1::JobEvent event;
  v1::EvaluationMetrics* proto = event.mutable_evaluation();
  proto->set_steps_done(evaluation.steps_done);
  proto->set_epoch(static_cast<int32_t>(evaluation.epoch));
  MetricsToProto(evaluation.validation, proto->mutable_validation());
  proto->set_run(static_cast<int32_t>(evaluation.run));
  return event;
}

v1::JobEvent TestToProto(const SeedsResult& result, const std::vector<std::string>& classes) {
  v1::JobEvent event;
  v1::TestMetrics* proto = event.mutable_test();
  const EvalResult& test = result.best.test;
  MetricsToProto(test, proto->mutable_metrics());
  proto->set_row_count(test.rows);
  if (HasConfusion(test, classes)) ConfusionToProto(test, classes, proto->mutable_confusion());
  SeedResultsToProto(result.seeds, proto->mutable_seed_results());
  return event;
}

v1::ResourceEstimate EstimateToProto(const ResourceEstimate& estimate) {
  v1::ResourceEstimate proto;
  proto.set_parameter_count(estimate.parameter_count);
  proto.set_flops(estimate.flops);
  proto.set_memory_bytes(estimate.memory_bytes);
  return proto;
}

bool IsRepeated(const v1::JobEvent& event) {
  return event.has_step() || event.has_epoch() || event.has_evaluation() || event.has_test() ||
         event.has_analysis_progress() || (event.has_note() && !event.note().has_checkpoint_step());
}

v1::JobEvent NoteToProto(const std::string& message) {
  v1::JobEvent event;
  event.mutable_note()->set_message(message);
  return event;
}

v1::JobEvent AnalysisProgressToProto(int64_t points_done, int64_t points_total) {
  v1::JobEvent event;
  event.mutable_analysis_progress()->set_points_done(points_done);
  event.mutable_analysis_progress()->set_points_total(points_total);
  return event;
}

bool HasConfusion(const EvalResult& result, const std::vector<std::string>& classes) {
  return !classes.empty() && result.confusion.size() == classes.size() * classes.size();
}

void ConfusionToProto(const EvalResult& result, const std::vector<std::string>& classes,
                      v1::ConfusionMatrix* proto) {
  proto->mutable_classes()->Assign(classes.begin(), classes.end());
  proto->mutable_counts()->Assign(result.confusion.begin(), result.confusion.end());
}

void SeedResultsToProto(const std::vector<SeedSummary>& seeds,
                        google::protobuf::RepeatedPtrField<v1::SeedResult>* protos) {
  if (seeds.size() < 2) return;
  for (const SeedSummary& seed : seeds) {
    v1::SeedResult* proto = protos->Add();
    proto->set_seed(seed.seed);
    if (seed.fold.has_value()) proto->set_fold(static_cast<int32_t>(*seed.fold));
    MetricsToProto(seed.validation, proto->mutable_validation_metrics());
    MetricsToProto(seed.test, proto->mutable_test_metrics());
    proto->set_stop_reason(EnumCast<v1::StopReason>(seed.stop_reason));
    proto->set_steps_done(seed.steps_done);
  }
}

void SpreadsToProto(const google::protobuf::RepeatedPtrField<v1::SeedResult>& runs,
                    google::protobuf::RepeatedPtrField<v1::MetricSpread>* spreads) {
  std::vector<SeedSummary> summaries;
  for (const v1::SeedResult& run : runs) {
    SeedSummary& summary = summaries.emplace_back();
    summary.validation.metrics = MetricsFromProto(run.validation_metrics());
    summary.test.metrics = MetricsFromProto(run.test_metrics());
  }
  spreads->Clear();
  for (const MetricSpread& spread : SpreadOf(summaries)) {
    v1::MetricSpread* proto = spreads->Add();
    proto->set_name(spread.name);
    proto->set_mean(spread.mean);
    proto->set_standard_deviation(spread.standard_deviation);
    proto->set_count(static_cast<int32_t>(spread.count));
  }
}

v1::Prediction PredictionToProto(const Prediction& prediction, const Bundle& bundle) {
  v1::Prediction proto;
  proto.mutable_probabilities()->Add(prediction.probabilities.begin(),
                                     prediction.probabilities.end());
  if (bundle.task == Task::kMultilabel) {
    for (size_t i = 0; i < prediction.probabilities.size(); ++i) {
      if (prediction.probabilities[i] > 0.5) proto.add_labels(bundle.classes.at(i));
    }
  } else if (prediction.class_index >= 0) {
    proto.set_label(bundle.classes.at(static_cast<size_t>(prediction.class_index)));
  } else {
    proto.set_value(prediction.value);
  }
  return proto;
}

v1::JobError JobErrorFromStatus(const absl::Status& status) {
  const ErrorInfo info = ErrorInfoOf(status);
  v1::JobError error;
  error.set_reason(EnumCast<v1::ErrorReason>(info.reason));
  error.set_category(CategoryOf(error.reason()));
  error.set_message(std::string(status.message()));
  error.set_hint(info.hint);
  error.set_in_force(info.in_force);
  if (info.reason != ErrorReason::kNonFiniteLoss) return error;
  error.set_step(static_cast<int64_t>(MetadataNumber(info, "step")));
  error.set_epoch(static_cast<int32_t>(MetadataNumber(info, "epoch")));
  error.set_learning_rate(MetadataNumber(info, "learning_rate"));
  for (const auto& [key, value] : info.metadata) {
    if (key == "layer") error.set_layer(value);
  }
  return error;
}

v1::FailureCategory CategoryOf(v1::ErrorReason reason) {
  switch (reason) {
    case v1::ERROR_REASON_INTERNAL:
    case v1::ERROR_REASON_WORKER_LOST:
    case v1::ERROR_REASON_CORRUPT_CHECKPOINT:
    case v1::ERROR_REASON_DATA_LOSS:
    case v1::ERROR_REASON_STORAGE_FULL:
      return v1::FAILURE_CATEGORY_INFRA;
    default:
      return v1::FAILURE_CATEGORY_USER;
  }
}

std::string MessageBytes(const Message& message) {
  std::string bytes;
  {
    google::protobuf::io::StringOutputStream stream(&bytes);
    google::protobuf::io::CodedOutputStream coded(&stream);
    coded.SetSerializationDeterministic(true);
    message.SerializeToCodedStream(&coded);
  }
  return bytes;
}

std::string MessageDigest(const Message& message) { return Sha256Digest(MessageBytes(message)); }

std::string SpecDigest(const v1::TrainingSpec& resolved) { return MessageDigest(resolved); }

}  // namespace trainyard
