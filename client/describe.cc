#include "client/describe.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "client/error_text.h"
#include "client/proto_text.h"
#include "client/render.h"

namespace trainyard {
namespace {

using Align = TextTable::Align;
using Lines = std::vector<std::pair<std::string, std::string>>;

constexpr int kTopValuesShownMax = 4;
constexpr size_t kClassWidthMax = 20;

// "  rows     569": one line per pair, values aligned. Pairs without value are left out.
std::string Indented(const Lines& lines) {
  size_t width = 0;
  for (const auto& [key, value] : lines) width = std::max(width, key.size());
  std::string text;
  for (const auto& [key, value] : lines) {
    if (value.empty()) continue;
    absl::StrAppend(&text, "  ", key, std::string(width - key.size() + 2, ' '), Printable(value),
                    "\n");
  }
  return text;
}

absl::Duration ToDuration(const google::protobuf::Duration& duration) {
  return absl::Seconds(duration.seconds()) + absl::Nanoseconds(duration.nanos());
}

template <typename Texts>
std::string Listed(const Texts& texts) {
  return absl::StrJoin(texts, ", ");
}

std::string DatasetState(v1::Dataset::State state) {
  return absl::AsciiStrToUpper(EnumWord(*v1::Dataset::State_descriptor(), state));
}

std::string TopValues(const v1::Column& column) {
  std::vector<std::string> shown;
  const int count = std::min(column.top_values_size(), kTopValuesShownMax);
  for (int i = 0; i < count; ++i) {
    const v1::ValueCount& top = column.top_values(i);
    shown.push_back(absl::StrCat(top.value(), " (", FormatCount(top.count()), ")"));
  }
  if (count < column.top_values_size()) shown.push_back("…");
  return absl::StrJoin(shown, ", ");
}

std::vector<std::string> ColumnRow(const v1::Column& column) {
  const bool numeric = column.type() == v1::COLUMN_TYPE_NUMERIC;
  const auto number = [&](double value) {
    return numeric ? FormatNumber(value) : std::string("-");
  };
  return {column.name(),
          EnumWord(*v1::ColumnType_descriptor(), column.type()),
          FormatCount(column.missing_count()),
          FormatCount(column.distinct_count()),
          number(column.min()),
          number(column.max()),
          number(column.mean()),
          number(column.standard_deviation()),
          TopValues(column)};
}

std::string ColumnTable(const v1::Dataset& dataset) {
  if (dataset.columns().empty()) return "";
  TextTable table({{"COLUMN"},
                   {"TYPE"},
                   {"MISSING", Align::kRight},
                   {"DISTINCT", Align::kRight},
                   {"MIN", Align::kRight},
                   {"MAX", Align::kRight},
                   {"MEAN", Align::kRight},
                   {"STDDEV", Align::kRight},
                   {"MOST FREQUENT"}});
  const int shown = std::min(dataset.columns_size(), kColumnsShownMax);
  for (int i = 0; i < shown; ++i) table.AddRow(ColumnRow(dataset.columns(i)));
  const int more = dataset.columns_size() - shown;
  return absl::StrCat(table.Render(),
                      more == 0 ? "" : absl::StrCat("and ", more, " more columns (-o json)\n"));
}

std::string RejectTable(const v1::Dataset& dataset) {
  if (dataset.rejected_cells().empty()) return "";
  TextTable table({{"LINE", Align::kRight}, {"COLUMN"}, {"EXPECTED"}, {"ACTUAL"}});
  for (const v1::RejectedCell& cell : dataset.rejected_cells()) {
    table.AddRow({absl::StrCat(cell.line()), cell.column(), cell.expected(), cell.actual()});
  }
  return absl::StrCat("dropped rows:\n", table.Render());
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
  for (int i = 0; integers && i < size; ++i) {
    items.push_back(absl::StrCat(reflection.GetRepeatedInt64(message, &field, i)));
  }
  return absl::StrJoin(items, " ");
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

// Of the `count` of something that is usually 1 or 0.
std::string Unusual(int64_t count, int64_t usual) {
  return count <= usual ? "" : FormatCount(count);
}

std::string SplitText(const v1::SplitSpec& split) {
  return absl::StrCat("validation ", FormatNumber(split.validation_fraction()), ", test ",
                      FormatNumber(split.test_fraction()), split.stratify() ? ", stratified" : "");
}

// REQUIRES: a resolved spec.
std::string SpecText(const v1::TrainingSpec& spec) {
  return Indented({
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
      {"metrics", Listed(spec.metrics())},
      {"split", SplitText(spec.split())},
      {"scaling", EnumWord(*v1::Scaling_descriptor(), spec.scaling())},
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
  return absl::StrCat("position ", job.queue_position(), ", ", job.jobs_ahead(), " jobs ahead (",
                      EnumWord(*v1::PendingReason_descriptor(), job.pending_reason()), ")");
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

std::string SeedTable(const v1::TrainingJob& job) {
  if (job.seed_results().empty()) return "";
  TextTable table(
      {{"SEED", Align::kRight}, {"STEPS", Align::kRight}, {"STOPPED"}, {"VALIDATION"}, {"TEST"}});
  for (const v1::SeedResult& seed : job.seed_results()) {
    table.AddRow({absl::StrCat(seed.seed()), FormatCount(seed.steps_done()),
                  EnumWord(*v1::StopReason_descriptor(), seed.stop_reason()),
                  MetricsOrNothing(seed.validation_metrics()),
                  MetricsOrNothing(seed.test_metrics())});
  }
  return absl::StrCat("seeds:\n", table.Render());
}

std::string ReceiptText(const v1::JobReceipt& receipt) {
  if (receipt.result_digest().empty()) return "";
  return Indented(
      {{"result", receipt.result_digest()},
       {"data", receipt.dataset_digest()},
       {"spec", receipt.spec_digest()},
       {"made by",
        absl::StrCat("build ", receipt.build(), ", oneDNN ", receipt.onednn_version(), ", ",
                     receipt.isa(), ", threads ", receipt.threads(), ", seed ", receipt.seed())}});
}

// The class, or the labels.
std::string LabelText(const v1::Prediction& prediction) {
  return prediction.labels().empty() ? prediction.label() : absl::StrJoin(prediction.labels(), ";");
}

std::string LimitsText(const v1::Limits& limits) {
  return Indented({
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

std::string DescribeDataset(const v1::Dataset& dataset) {
  const bool ready = dataset.state() == v1::Dataset::READY;
  const std::string dropped =
      absl::StrCat(" (", FormatCount(dataset.rejected_row_count()), " dropped as bad)");
  return absl::StrCat(dataset.name(), "  ", DatasetState(dataset.state()), "\n",
                      Indented({{"name", dataset.display_name()},
                                {"owner", dataset.owner()},
                                {"rows", ready ? FormatCount(dataset.row_count()) + dropped : ""},
                                {"size", FormatBytes(dataset.size_bytes())},
                                {"digest", dataset.digest()},
                                {"created", TimeText(ToTime(dataset.create_time()))}}),
                      ColumnTable(dataset), RejectTable(dataset));
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
                   Indented({{"name", job.display_name()},
                             {"owner", job.owner()},
                             {"analysis", AnalysisText(job.analysis())},
                             {"dataset", job.dataset()},
                             {"model", job.model()},
                             {"queue", QueueText(job)},
                             {"progress", ProgressText(job.progress())},
                             {"latest", MetricsOrNothing(job.latest_metrics())},
                             {"best", MetricsOrNothing(job.best_metrics())},
                             {"test", MetricsOrNothing(job.test_metrics())},
                             {"attempt", job.attempt() > 0 ? absl::StrCat(job.attempt()) : ""},
                             {"created", TimeText(ToTime(job.create_time()))},
                             {"trained in", TrainingTime(job)}}),
                   "spec:\n", SpecText(job.resolved_spec()));
  absl::StrAppend(&text, SeedTable(job), DescribeConfusion(job.test_confusion()));
  const std::string receipt = ReceiptText(job.receipt());
  if (!receipt.empty()) absl::StrAppend(&text, "receipt:\n", receipt);
  if (job.has_error()) absl::StrAppend(&text, DescribeJobError(job.error()));
  return text + WarningLines(job);
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
      text, Indented({{"test", MetricsOrNothing(job.test_metrics())}, {"model", job.model()}}),
      SeedTable(job), DescribeConfusion(job.test_confusion()), NextSteps(job));
}

std::string DescribeValidated(const v1::TrainingJob& job) {
  return absl::StrCat("the spec is valid; nothing was queued\n",
                      Indented({{"analysis", AnalysisText(job.analysis())}}),
                      SpecText(job.resolved_spec()), WarningLines(job));
}

std::string DescribeModel(const v1::Model& model) {
  return absl::StrCat(model.name(), "\n",
                      Indented({{"name", model.display_name()},
                                {"owner", model.owner()},
                                {"job", model.training_job()},
                                {"classes", Listed(model.classes())},
                                {"parameters", FormatCount(model.parameter_count())},
                                {"size", FormatBytes(model.size_bytes())},
                                {"test", MetricsOrNothing(model.test_metrics())},
                                {"created", TimeText(ToTime(model.create_time()))}}),
                      "spec:\n", SpecText(model.spec()), "receipt:\n",
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
      Indented({{"engine", absl::StrCat("oneDNN ", info.onednn_version(), ", ", info.isa())},
                {"started", TimeText(ToTime(info.start_time()))},
                {"workers", absl::StrCat(info.workers_connected(), " connected, ",
                                         info.worker_slots(), " slots")},
                {"jobs", absl::StrCat(FormatCount(info.jobs_running()), " running, ",
                                      FormatCount(info.jobs_pending()), " pending")},
                {"metrics", info.metrics_address()}}),
      "limits:\n", LimitsText(info.limits()));
}

}  // namespace trainyard
