#include "client/describe.h"

#include <algorithm>
#include <span>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "client/chart.h"
#include "client/error_text.h"
#include "client/proto_text.h"
#include "client/render.h"

namespace trainyard {
namespace {

using Align = TextTable::Align;

constexpr size_t kClassWidthMax = 20;
constexpr size_t kFeatureOptionsShownMax = 10;
constexpr size_t kCategoriesWidthMax = 40;

// "a, b, c"; the first kFeaturesShownMax of them.
template <typename Texts>
std::string Listed(const Texts& texts) {
  const auto size = static_cast<int>(texts.size());
  const int shown = std::min(size, kFeaturesShownMax);
  const std::string text = absl::StrJoin(texts.begin(), texts.begin() + shown, ", ");
  return shown == size ? text : absl::StrCat(text, ", … and ", size - shown, " more");
}

std::string DatasetState(v1::Dataset::State state) {
  return absl::AsciiStrToUpper(EnumWord(*v1::Dataset::State_descriptor(), state));
}

std::string ValueText(const google::protobuf::Message& message,
                      const google::protobuf::FieldDescriptor& field) {
  using Field = google::protobuf::FieldDescriptor;
  const google::protobuf::Reflection& reflection = *message.GetReflection();
  switch (field.cpp_type()) {
    case Field::CPPTYPE_DOUBLE:
      return FormatNumber(reflection.GetDouble(message, &field));
    case Field::CPPTYPE_INT32:
      return FormatCount(reflection.GetInt32(message, &field));
    case Field::CPPTYPE_INT64:
      return FormatCount(reflection.GetInt64(message, &field));
    case Field::CPPTYPE_UINT64:
      return absl::StrCat(reflection.GetUInt64(message, &field));
    case Field::CPPTYPE_BOOL:
      return reflection.GetBool(message, &field) ? "true" : "false";
    case Field::CPPTYPE_STRING:
      return reflection.GetString(message, &field);
    case Field::CPPTYPE_ENUM:
      return EnumWord(*field.enum_type(), reflection.GetEnumValue(message, &field));
    default:
      return "";
  }
}

std::string ListText(const google::protobuf::Message& message,
                     const google::protobuf::FieldDescriptor& field) {
  const google::protobuf::Reflection& reflection = *message.GetReflection();
  const int size = reflection.FieldSize(message, &field);
  if (field.is_map()) {
    std::vector<std::string> pairs;
    for (int i = 0; i < size; ++i) {
      const auto& pair = reflection.GetRepeatedMessage(message, &field, i);
      pairs.push_back(absl::StrCat(ValueText(pair, *pair.GetDescriptor()->map_key()), "=",
                                   ValueText(pair, *pair.GetDescriptor()->map_value())));
    }
    std::sort(pairs.begin(), pairs.end());  // a map has no order of its own
    return absl::StrJoin(pairs, " ");
  }
  std::vector<std::string> items;
  const bool integers = field.cpp_type() == google::protobuf::FieldDescriptor::CPPTYPE_INT64;
  const bool texts = field.cpp_type() == google::protobuf::FieldDescriptor::CPPTYPE_STRING;
  for (int i = 0; integers && i < size; ++i) {
    items.push_back(absl::StrCat(reflection.GetRepeatedInt64(message, &field, i)));
  }
  for (int i = 0; texts && i < size; ++i) {
    items.push_back(reflection.GetRepeatedString(message, &field, i));
  }
  return absl::StrJoin(items, texts ? "|" : " ");
}

// "patience 10, restore best": the fields of `message` that are set, but for those of `skipped`.
// What is 0 is as if it were not given.
std::string FieldsText(const google::protobuf::Message& message,
                       const std::vector<absl::string_view>& skipped = {}) {
  std::vector<const google::protobuf::FieldDescriptor*> fields;
  message.GetReflection()->ListFields(message, &fields);
  std::vector<std::string> parts;
  for (const google::protobuf::FieldDescriptor* field : fields) {
    if (std::find(skipped.begin(), skipped.end(), field->name()) != skipped.end()) continue;
    const std::string value =
        field->is_repeated() ? ListText(message, *field) : ValueText(message, *field);
    if (value == "0" || value.empty()) continue;
    const std::string name = absl::StrReplaceAll(field->name(), {{"_", " "}});
    if (value == "false") {
      parts.push_back(absl::StrCat("no ", name));
      continue;
    }
    parts.push_back(value == "true" ? name : absl::StrCat(name, " ", value));
  }
  return absl::StrJoin(parts, ", ");
}

// `word`, and what else is set.
std::string KindText(std::string word, const google::protobuf::Message& message) {
  const std::string fields = FieldsText(message, {"kind"});
  return fields.empty() ? word : absl::StrCat(word, ", ", fields);
}

// "64 relu, batch normalised, dropout 0.3": the parts that are not usual are named.
std::string LayerText(const v1::LayerSpec& layer) {
  std::string text =
      absl::StrCat(layer.units(), " ", EnumWord(*v1::Activation_descriptor(), layer.activation()));
  if (layer.has_alpha()) absl::StrAppend(&text, "(", FormatNumber(layer.alpha()), ")");
  if (layer.normalization() > v1::NORMALIZATION_NONE) {
    absl::StrAppend(&text, " ", EnumWord(*v1::Normalization_descriptor(), layer.normalization()),
                    "-norm");
  }
  if (layer.dropout() > 0) absl::StrAppend(&text, " dropout ", FormatNumber(layer.dropout()));
  if (layer.residual()) absl::StrAppend(&text, " residual");
  if (layer.has_bias() && !layer.bias()) absl::StrAppend(&text, " no bias");
  return text;
}

std::string LayersText(const v1::TrainingSpec& spec) {
  std::vector<std::string> layers;
  for (const v1::LayerSpec& layer : spec.layers()) layers.push_back(LayerText(layer));
  return layers.empty() ? "none" : absl::StrJoin(layers, ", ");
}

std::string OptimizerText(const v1::OptimizerSpec& optimizer) {
  return KindText(EnumWord(*v1::OptimizerSpec::Kind_descriptor(), optimizer.kind()), optimizer);
}

std::string ScheduleText(const v1::ScheduleSpec& schedule) {
  if (schedule.kind() <= v1::ScheduleSpec::CONSTANT && schedule.warmup_steps() == 0) return "";
  return KindText(EnumWord(*v1::ScheduleSpec::Kind_descriptor(), schedule.kind()), schedule);
}

std::string InitText(const v1::TrainingSpec& spec) {
  const std::string word = spec.init() == v1::INIT_UNSPECIFIED
                               ? "by each layer's activation"
                               : EnumWord(*v1::Init_descriptor(), spec.init());
  return KindText(word, spec.init_options());
}

// Where the weights come from, unless they are drawn.
std::string StartText(const v1::TrainingSpec& spec) {
  if (spec.initial_weights().empty()) return spec.initial_model();
  return absl::StrCat("weights given for ", spec.initial_weights_size(), " layers");
}

// "every 10 steps"; empty for 0.
std::string EveryText(int64_t steps) {
  return steps == 0 ? "" : absl::StrCat("every ", FormatCount(steps), " steps");
}

std::string EarlyStoppingText(const v1::TrainingSpec& spec) {
  return spec.has_early_stopping() ? FieldsText(spec.early_stopping()) : "";
}

std::string PrecisionText(v1::Precision precision) {
  return precision == v1::PRECISION_BF16 ? "bf16" : "";
}

std::string LayerRecordsText(v1::LayerRecords records) {
  return records <= v1::LAYER_RECORDS_NONE ? "" : EnumWord(*v1::LayerRecords_descriptor(), records);
}

// Of the `count` of something that is usually 1 or 0.
std::string Unusual(int64_t count, int64_t usual) {
  return count <= usual ? "" : FormatCount(count);
}

// "5 folds, test 0.1, groups of "patient"".
std::string SplitText(const v1::SplitSpec& split) {
  std::vector<std::string> parts;
  const auto add = [&](absl::string_view what, const std::string& column) {
    if (!column.empty()) parts.push_back(absl::StrCat(what, " \"", column, "\""));
  };
  if (split.has_fold_count()) parts.push_back(absl::StrCat(split.fold_count(), " folds"));
  add("as said by", split.part_column());
  if (split.has_validation_fraction() || parts.empty()) {
    parts.push_back(absl::StrCat("validation ", FormatNumber(split.validation_fraction())));
  }
  if (split.part_column().empty()) {
    parts.push_back(absl::StrCat("test ", FormatNumber(split.test_fraction())));
  }
  if (split.stratify()) parts.push_back("stratified");
  add("groups of", split.group_column());
  add("in order of", split.time_column());
  return absl::StrJoin(parts, ", ");
}

// "age: imputation median, missing indicator; city: encoding hashing".
std::string FeatureOptionsText(const v1::TrainingSpec& spec) {
  std::vector<std::string> texts;
  for (const v1::FeatureSpec& feature : spec.feature_options()) {
    texts.push_back(absl::StrCat(feature.column(), ": ", FieldsText(feature, {"column"})));
  }
  const size_t size = texts.size();
  if (size > kFeatureOptionsShownMax) texts.resize(kFeatureOptionsShownMax);
  const size_t more = size - texts.size();
  return absl::StrCat(absl::StrJoin(texts, "; "),
                      more == 0 ? "" : absl::StrCat("; … and ", more, " more columns"));
}

// What is done to the target where it is not usual.
std::string TargetScalingText(v1::TargetScaling scaling) {
  return scaling == v1::TARGET_SCALING_UNSPECIFIED
             ? ""
             : EnumWord(*v1::TargetScaling_descriptor(), scaling);
}

// REQUIRES: a resolved spec.
std::string SpecText(const v1::TrainingSpec& spec) {
  return KeyValueLines({
      {"task", EnumWord(*v1::Task_descriptor(), spec.task())},
      {"target", spec.target_column()},
      {"labels", Listed(spec.label_columns())},
      {"row weights", spec.weight_column()},
      {"features", Listed(spec.feature_columns())},
      {"layers", LayersText(spec)},
      {"output bias", spec.has_output_bias() && !spec.output_bias() ? "none" : ""},
      {"init", InitText(spec)},
      {"input dropout", spec.input_dropout() > 0 ? FormatNumber(spec.input_dropout()) : ""},
      {"starts from", StartText(spec)},
      {"loss", KindText(EnumWord(*v1::Loss_descriptor(), spec.loss()), spec.loss_options())},
      {"optimizer", OptimizerText(spec.optimizer())},
      {"schedule", ScheduleText(spec.schedule())},
      {"batch size", FormatCount(spec.batch_size())},
      {"accumulation", Unusual(spec.accumulation_steps(), 1)},
      {"epochs", FormatCount(spec.epochs())},
      {"max steps", Unusual(spec.max_steps(), 0)},
      {"early stopping", EarlyStoppingText(spec)},
      {"evaluation", EveryText(spec.evaluation_interval())},
      {"layer records", LayerRecordsText(spec.layer_records())},
      {"metrics", Listed(spec.metrics())},
      {"split", SplitText(spec.split())},
      {"test rows of", spec.test_dataset()},
      {"scaling", EnumWord(*v1::Scaling_descriptor(), spec.scaling())},
      {"target scaling", TargetScalingText(spec.target_scaling())},
      {"each feature", FieldsText(spec.feature_defaults())},
      {"features with", FeatureOptionsText(spec)},
      {"seed", absl::StrCat(spec.seed())},
      {"seeds", Unusual(spec.seed_count(), 1)},
      {"precision", PrecisionText(spec.precision())},
      {"threads", absl::StrCat(spec.threads())},
      {"max runtime", spec.has_max_runtime() ? DurationText(ToDuration(spec.max_runtime())) : ""},
      {"max memory", spec.has_max_memory_bytes() ? FormatBytes(spec.max_memory_bytes()) : ""},
      {"step events", EveryText(spec.step_event_interval())},
  });
}

std::string WarningLines(const v1::TrainingJob& job) {
  std::string lines;
  for (const std::string& warning : job.warnings()) {
    absl::StrAppend(&lines, "note: ", Printable(warning), "\n");
  }
  return lines;
}

std::string QueueText(const v1::TrainingJob& job) {
  if (job.state() != v1::JOB_STATE_PENDING) return "";
  std::string text =
      absl::StrCat("position ", job.queue_position(), ", ", job.jobs_ahead(), " jobs ahead (",
                   EnumWord(*v1::PendingReason_descriptor(), job.pending_reason()), ")");
  if (job.has_start_eta()) {
    absl::StrAppend(&text, ", starts in about ", DurationText(ToDuration(job.start_eta())));
  }
  return text;
}

std::string PriorityText(const v1::TrainingJob& job) {
  const bool usual =
      job.priority() == v1::JOB_PRIORITY_UNSPECIFIED || job.priority() == v1::JOB_PRIORITY_NORMAL;
  return usual ? "" : EnumWord(*v1::JobPriority_descriptor(), job.priority());
}

std::string EstimateText(const v1::ResourceEstimate& estimate) {
  if (estimate.parameter_count() == 0) return "";
  std::string text = absl::StrCat(FormatCount(estimate.parameter_count()), " parameters, ",
                                  FormatShort(estimate.flops()), " FLOP, ",
                                  FormatBytes(estimate.memory_bytes()), " of memory");
  if (estimate.has_duration()) {
    absl::StrAppend(&text, ", about ", DurationText(ToDuration(estimate.duration())));
  }
  return text;
}

std::string ProgressText(const v1::JobProgress& progress) {
  if (progress.epochs_total() == 0 && progress.steps_total() > 0) {
    return absl::StrCat("point ", FormatCount(progress.steps_done()), "/",
                        FormatCount(progress.steps_total()));
  }
  if (progress.epochs_total() == 0) return "";
  std::string text =
      absl::StrCat("epoch ", progress.epochs_done(), "/", progress.epochs_total(), ", step ",
                   FormatCount(progress.steps_done()), "/", FormatCount(progress.steps_total()));
  if (progress.rows_per_second() > 0) {
    absl::StrAppend(&text, ", ", FormatShort(progress.rows_per_second()), " rows/s");
  }
  if (progress.has_eta()) {
    absl::StrAppend(&text, ", ETA ", DurationText(ToDuration(progress.eta())));
  }
  return text;
}

std::string MetricsOrNothing(const google::protobuf::RepeatedPtrField<v1::Metric>& metrics) {
  return metrics.empty() ? "" : DescribeMetrics(metrics);
}

// Of training, queueing left out; empty before it ends.
std::string TrainingTime(const v1::TrainingJob& job) {
  if (!job.has_start_time() || !job.has_end_time()) return "";
  return DurationText(ToTime(job.end_time()) - ToTime(job.start_time()));
}

std::string NextSteps(const v1::TrainingJob& job) {
  if (job.state() != v1::JOB_STATE_SUCCEEDED) return "";
  if (job.has_analysis()) return absl::StrCat("next:\n  trainyard analyze show ", job.name(), "\n");
  return absl::StrCat("next:\n  trainyard model predict ", job.model(), " TABLE.csv\n",
                      "  trainyard model evaluate ", job.model(), " --dataset ", job.dataset(),
                      "\n", "  trainyard model export ", job.model(),
                      " --format onnx -f model.onnx\n");
}

// "loss_landscape of models/a, part train, resolution 25"; empty for training.
std::string AnalysisText(const v1::AnalysisSpec& analysis) {
  const std::string kind = AnalysisKind(analysis);
  if (kind.empty()) return "";
  const google::protobuf::FieldDescriptor* const field =
      analysis.GetDescriptor()->FindFieldByName(kind);
  std::string text = analysis.model().empty() ? kind : absl::StrCat(kind, " of ", analysis.model());
  for (const std::string& options :
       {FieldsText(analysis, {"model"}),
        FieldsText(analysis.GetReflection()->GetMessage(analysis, field))}) {
    if (!options.empty()) absl::StrAppend(&text, ", ", options);
  }
  return text;
}

// One run per seed, or per fold.
std::string RunTable(const v1::TrainingJob& job) {
  if (job.seed_results().empty()) return "";
  const bool folds = job.seed_results(0).has_fold();
  TextTable table({{folds ? "FOLD" : "SEED", Align::kRight},
                   {"STEPS", Align::kRight},
                   {"STOPPED"},
                   {"VALIDATION"},
                   {"TEST"}});
  for (const v1::SeedResult& run : job.seed_results()) {
    // As the progress line counts them.
    table.AddRow(
        {folds ? absl::StrCat(run.fold() + 1) : absl::StrCat(run.seed()),
         FormatCount(run.steps_done()), EnumWord(*v1::StopReason_descriptor(), run.stop_reason()),
         MetricsOrNothing(run.validation_metrics()), MetricsOrNothing(run.test_metrics())});
  }
  return absl::StrCat(folds ? "folds:\n" : "seeds:\n", table.Render());
}

// "validation_loss  0.1234 ± 0.012".
std::string SpreadTable(const v1::TrainingJob& job) {
  if (job.metric_spreads().empty()) return "";
  const absl::string_view runs =
      job.seed_results_size() > 0 && job.seed_results(0).has_fold() ? "folds" : "seeds";
  TextTable table({{"METRIC"}, {"MEAN", Align::kRight}, {""}, {"SPREAD"}, {""}});
  for (const v1::MetricSpread& spread : job.metric_spreads()) {
    const bool of_all = spread.count() == job.seed_results_size();
    table.AddRow({spread.name(), FormatNumber(spread.mean()), "±",
                  FormatNumber(spread.standard_deviation()),
                  of_all ? "" : absl::StrCat("of ", spread.count(), " ", runs)});
  }
  return absl::StrCat("mean and standard deviation over the ", runs, ":\n", table.Render());
}

std::string ReceiptText(const v1::JobReceipt& receipt) {
  if (receipt.result_digest().empty()) return "";
  return KeyValueLines(
      {{"result", receipt.result_digest()},
       {"data", receipt.dataset_digest()},
       {"table", receipt.table_digest()},
       {"test data", receipt.test_dataset_digest()},
       {"spec", receipt.spec_digest()},
       {"made by",
        absl::StrCat("build ", receipt.build(), ", oneDNN ", receipt.onednn_version(), ", ",
                     receipt.isa(), ", threads ", receipt.threads(), ", seed ", receipt.seed())}});
}

// "-0.31 ▁▃█▄▁ 0.28"; empty without counts.
std::string HistogramText(const v1::LayerRecord::Histogram& histogram) {
  if (histogram.counts().empty()) return "";
  const std::span<const int64_t> counts(histogram.counts().data(),
                                        static_cast<size_t>(histogram.counts_size()));
  return absl::StrCat(FormatNumber(histogram.min()), " ", Bars(counts), " ",
                      FormatNumber(histogram.max()));
}

std::string CategoriesText(const v1::ModelFeature& feature) {
  if (feature.category_count() == 0) return "";
  return absl::StrCat(feature.category_count(), ": ", absl::StrJoin(feature.categories(), "|"));
}

std::vector<std::string> FeatureRow(const v1::ModelFeature& feature) {
  const bool number = feature.encoding() == v1::ENCODING_NUMBER;
  const bool scaled = number || feature.encoding() == v1::ENCODING_ORDINAL;
  const std::string fill =
      feature.has_fill_value() ? FormatNumber(feature.fill_value()) : "refused";
  return {feature.column(),
          EnumWord(*v1::Encoding_descriptor(), feature.encoding()),
          FormatCount(feature.width()),
          scaled ? FormatNumber(feature.offset()) : "",
          scaled ? FormatNumber(feature.scale()) : "",
          absl::StrCat(number ? fill : "", feature.missing_indicator() ? " +indicator" : ""),
          feature.unseen() == v1::UNSEEN_CATEGORY_UNSPECIFIED
              ? ""
              : EnumWord(*v1::UnseenCategory_descriptor(), feature.unseen()),
          Ellipsize(Printable(CategoriesText(feature)), kCategoriesWidthMax)};
}

// What becomes of each column; empty in lists.
std::string FeatureTable(const v1::Model& model, size_t width) {
  if (model.features().empty()) return "";
  TextTable table({{"COLUMN"},
                   {"ENCODING"},
                   {"INPUTS", Align::kRight},
                   {"OFFSET", Align::kRight, 1},
                   {"SCALE", Align::kRight, 1},
                   {"MISSING"},
                   {"UNSEEN", Align::kLeft, 2},
                   {"CATEGORIES"}});
  const int shown = std::min(model.features_size(), kFeaturesShownMax);
  for (int i = 0; i < shown; ++i) table.AddRow(FeatureRow(model.features(i)));
  const int more = model.features_size() - shown;
  return absl::StrCat(
      "features:\n", table.Render(width),
      more == 0 ? "" : absl::StrCat("and ", FormatCount(more), " more features (-o json)\n"));
}

// The class, or the labels.
std::string LabelText(const v1::Prediction& prediction) {
  return prediction.labels().empty() ? prediction.label() : absl::StrJoin(prediction.labels(), ";");
}

std::string LimitsText(const v1::Limits& limits) {
  return KeyValueLines({
      {"dataset", absl::StrCat(FormatBytes(limits.dataset_bytes_max()), ", ",
                               FormatCount(limits.dataset_rows_max()), " rows, ",
                               FormatCount(limits.dataset_columns_max()), " columns")},
      {"model", absl::StrCat(limits.layers_max(), " layers, ", FormatCount(limits.units_max()),
                             " units, ", FormatCount(limits.parameters_max()), " parameters")},
      {"job", absl::StrCat(limits.job_threads_max(), " threads, ",
                           FormatBytes(limits.job_memory_bytes_max()), ", ",
                           DurationText(ToDuration(limits.job_runtime_max())))},
      {"queue", absl::StrCat(FormatCount(limits.queued_jobs_max()), " jobs, ",
                             FormatCount(limits.owner_jobs_max()), " per owner")},
      {"message", absl::StrCat(FormatBytes(limits.message_bytes_max()), ", chunk ",
                               FormatBytes(limits.chunk_bytes_max()), ", spec ",
                               FormatBytes(limits.spec_bytes_max()))},
  });
}

}  // namespace

absl::Time ToTime(const google::protobuf::Timestamp& timestamp) {
  return absl::FromUnixSeconds(timestamp.seconds()) + absl::Nanoseconds(timestamp.nanos());
}

absl::Duration ToDuration(const google::protobuf::Duration& duration) {
  return absl::Seconds(duration.seconds()) + absl::Nanoseconds(duration.nanos());
}

std::string AnalysisKind(const v1::AnalysisSpec& analysis) {
  const google::protobuf::OneofDescriptor& kinds =
      *analysis.GetDescriptor()->FindOneofByName("kind");
  const auto* const field = analysis.GetReflection()->GetOneofFieldDescriptor(analysis, &kinds);
  return field == nullptr ? "" : field->name();
}

absl::Time EventTime(const v1::JobEvent& event) { return ToTime(event.create_time()); }

std::string StateWord(v1::JobState state) {
  return absl::AsciiStrToUpper(EnumWord(*v1::JobState_descriptor(), state));
}

std::string DescribeMetrics(const google::protobuf::RepeatedPtrField<v1::Metric>& metrics) {
  if (metrics.empty()) return "none";
  return absl::StrJoin(metrics, "  ", [](std::string* out, const v1::Metric& metric) {
    absl::StrAppend(out, Printable(metric.name()), " ", FormatNumber(metric.value()));
  });
}

std::string DescribeConfusion(const v1::ConfusionMatrix& confusion) {
  const int classes = confusion.classes_size();
  if (classes == 0 || confusion.counts_size() != classes * classes) return "";
  if (classes > kConfusionClassesShownMax) {
    return absl::StrCat("confusion matrix: ", classes, " classes (-o json)\n");
  }
  std::vector<TextTable::Column> columns = {{"ACTUAL \\ PREDICTED"}};
  for (const std::string& name : confusion.classes()) {
    columns.push_back({Ellipsize(Printable(name), kClassWidthMax), Align::kRight});
  }
  TextTable table(columns);
  for (int actual = 0; actual < classes; ++actual) {
    std::vector<std::string> cells = {confusion.classes(actual)};
    for (int predicted = 0; predicted < classes; ++predicted) {
      cells.push_back(FormatNumber(confusion.counts(actual * classes + predicted)));
    }
    table.AddRow(std::move(cells));
  }
  return table.Render();
}

std::string DescribeDatasets(const v1::ListDatasetsResponse& list) {
  TextTable table({{"NAME"},
                   {"DISPLAY NAME"},
                   {"STATE"},
                   {"ROWS", Align::kRight},
                   {"SIZE", Align::kRight},
                   {"CREATED"}});
  for (const v1::Dataset& dataset : list.datasets()) {
    table.AddRow({dataset.name(), dataset.display_name(), DatasetState(dataset.state()),
                  FormatCount(dataset.row_count()), FormatBytes(dataset.size_bytes()),
                  TimeText(ToTime(dataset.create_time()))});
  }
  return table.Render();
}

std::string DescribePreview(const v1::PreviewDatasetResponse& preview) {
  const int shown = std::min(preview.columns_size(), kPreviewColumnsShownMax);
  std::vector<TextTable::Column> columns;
  for (int i = 0; i < shown; ++i) columns.push_back({Printable(preview.columns(i))});
  TextTable table(columns);
  for (const auto& row : preview.rows()) {
    std::vector<std::string> cells(row.cells().begin(), row.cells().end());
    cells.resize(static_cast<size_t>(shown));
    table.AddRow(std::move(cells));
  }
  const int more = preview.columns_size() - shown;
  return absl::StrCat(table.Render(),
                      more == 0 ? "" : absl::StrCat("and ", more, " more columns (-o json)\n"));
}

std::string DescribeJob(const v1::TrainingJob& job) {
  std::string text =
      absl::StrCat(job.name(), "  ", StateWord(job.state()), "\n",
                   KeyValueLines({{"name", job.display_name()},
                                  {"owner", job.owner()},
                                  {"analysis", AnalysisText(job.analysis())},
                                  {"dataset", job.dataset()},
                                  {"model", job.model()},
                                  {"priority", PriorityText(job)},
                                  {"queue", QueueText(job)},
                                  {"estimate", EstimateText(job.estimate())},
                                  {"progress", ProgressText(job.progress())},
                                  {"latest", MetricsOrNothing(job.latest_metrics())},
                                  {"best", MetricsOrNothing(job.best_metrics())},
                                  {"test", MetricsOrNothing(job.test_metrics())},
                                  {"attempt", job.attempt() > 0 ? absl::StrCat(job.attempt()) : ""},
                                  {"created", TimeText(ToTime(job.create_time()))},
                                  {"trained in", TrainingTime(job)}}),
                   "spec:\n", SpecText(job.resolved_spec()));
  absl::StrAppend(&text, RunTable(job), SpreadTable(job), DescribeConfusion(job.test_confusion()));
  const std::string receipt = ReceiptText(job.receipt());
  if (!receipt.empty()) absl::StrAppend(&text, "receipt:\n", receipt);
  if (job.has_error()) absl::StrAppend(&text, DescribeJobError(job.error()));
  return text + WarningLines(job);
}

std::string DescribeLayers(const v1::EpochMetrics& epoch) {
  TextTable table({{"LAYER"},
                   {"WEIGHT NORM", Align::kRight},
                   {"GRADIENT NORM", Align::kRight},
                   {"UPDATE RATIO", Align::kRight},
                   {"DEAD UNITS", Align::kRight},
                   {"SATURATED", Align::kRight},
                   {"WEIGHTS"},
                   {"GRADIENTS"}});
  for (const v1::LayerRecord& layer : epoch.layers()) {
    table.AddRow({layer.name(), FormatNumber(layer.weight_norm()),
                  FormatNumber(layer.gradient_norm()), FormatNumber(layer.update_ratio()),
                  PercentText(layer.dead_unit_fraction()), PercentText(layer.saturated_fraction()),
                  HistogramText(layer.weights()), HistogramText(layer.gradients())});
  }
  return absl::StrCat("after epoch ", FormatCount(epoch.epoch() + 1), ", step ",
                      FormatCount(epoch.steps_done()), "\n", table.Render());
}

std::string DescribeJobs(const v1::ListTrainingJobsResponse& list) {
  TextTable table({{"NAME"},
                   {"DISPLAY NAME"},
                   {"STATE"},
                   {"EPOCH", Align::kRight},
                   {"LATEST"},
                   {"MODEL"},
                   {"CREATED"}});
  for (const v1::TrainingJob& job : list.training_jobs()) {
    table.AddRow({job.name(), job.display_name(), StateWord(job.state()),
                  absl::StrCat(job.progress().epochs_done(), "/", job.progress().epochs_total()),
                  MetricsOrNothing(job.latest_metrics()), job.model(),
                  TimeText(ToTime(job.create_time()))});
  }
  return table.Render();
}

std::string DescribeOutcome(const v1::TrainingJob& job) {
  const std::string time = TrainingTime(job);
  std::string text = absl::StrCat(job.name(), " ", StateWord(job.state()));
  if (job.state() == v1::JOB_STATE_SUCCEEDED) {
    absl::StrAppend(&text, " (", EnumWord(*v1::StopReason_descriptor(), job.stop_reason()), ")");
  }
  if (!time.empty()) absl::StrAppend(&text, " in ", time);
  absl::StrAppend(&text, "\n");
  if (job.has_error()) absl::StrAppend(&text, DescribeJobError(job.error()));
  return absl::StrCat(
      text, KeyValueLines({{"test", MetricsOrNothing(job.test_metrics())}, {"model", job.model()}}),
      RunTable(job), SpreadTable(job), DescribeConfusion(job.test_confusion()), NextSteps(job));
}

std::string DescribeValidated(const v1::TrainingJob& job) {
  return absl::StrCat("the spec is valid; nothing was queued\n",
                      KeyValueLines({{"analysis", AnalysisText(job.analysis())},
                                     {"estimate", EstimateText(job.estimate())}}),
                      SpecText(job.resolved_spec()), WarningLines(job));
}

std::string DescribeModel(const v1::Model& model, size_t width) {
  return absl::StrCat(model.name(), "\n",
                      KeyValueLines({{"name", model.display_name()},
                                     {"owner", model.owner()},
                                     {"job", model.training_job()},
                                     {"classes", Listed(model.classes())},
                                     {"parameters", FormatCount(model.parameter_count())},
                                     {"size", FormatBytes(model.size_bytes())},
                                     {"test", MetricsOrNothing(model.test_metrics())},
                                     {"created", TimeText(ToTime(model.create_time()))}}),
                      FeatureTable(model, width), "spec:\n", SpecText(model.spec()), "receipt:\n",
                      ReceiptText(model.receipt()));
}

std::string DescribeModels(const v1::ListModelsResponse& list) {
  TextTable table({{"NAME"},
                   {"DISPLAY NAME"},
                   {"TASK"},
                   {"TARGET"},
                   {"PARAMETERS", Align::kRight},
                   {"TEST"},
                   {"CREATED"}});
  for (const v1::Model& model : list.models()) {
    table.AddRow({model.name(), model.display_name(),
                  EnumWord(*v1::Task_descriptor(), model.task()), model.target_column(),
                  FormatCount(model.parameter_count()), MetricsOrNothing(model.test_metrics()),
                  TimeText(ToTime(model.create_time()))});
  }
  return table.Render();
}

std::string DescribePredictions(const v1::PredictResponse& response, const v1::Model& model) {
  const bool regression = model.task() == v1::TASK_REGRESSION;
  std::vector<TextTable::Column> columns = {{"PREDICTION"}};
  for (const std::string& name : model.classes()) {
    if (!regression) columns.push_back({absl::StrCat("P(", Printable(name), ")"), Align::kRight});
  }
  TextTable table(columns);
  for (const v1::Prediction& prediction : response.predictions()) {
    std::vector<std::string> cells = {regression ? absl::StrCat(prediction.value())
                                                 : LabelText(prediction)};
    for (double p : prediction.probabilities()) cells.push_back(FormatNumber(p));
    cells.resize(columns.size());
    table.AddRow(std::move(cells));
  }
  return table.Render();
}

std::string DescribeServer(const v1::ServerInfo& info) {
  return absl::StrCat(
      "trainyard ", info.version(), " (", info.revision(), ")\n",
      KeyValueLines({{"engine", absl::StrCat("oneDNN ", info.onednn_version(), ", ", info.isa())},
                     {"started", TimeText(ToTime(info.start_time()))},
                     {"workers", absl::StrCat(info.workers_connected(), " connected, ",
                                              info.worker_slots(), " slots")},
                     {"jobs", absl::StrCat(FormatCount(info.jobs_running()), " running, ",
                                           FormatCount(info.jobs_pending()), " pending")},
                     {"metrics", info.metrics_address()}}),
      "limits:\n", LimitsText(info.limits()));
}

}  // namespace trainyard
