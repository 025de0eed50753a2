#include "server/wire/convert.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "google/protobuf/descriptor.h"
#include "google/protobuf/io/coded_stream.h"
#include "google/protobuf/io/zero_copy_stream_impl_lite.h"
#include "google/protobuf/unknown_field_set.h"
#include "server/base/ids.h"
#include "server/wire/error_detail.h"

namespace trainyard {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;

using Violations = std::vector<FieldViolation>;

void AddUnknownEnum(const FieldDescriptor& field, int number, const std::string& path,
                    Violations* violations) {
  if (field.enum_type()->FindValueByNumber(number) != nullptr) return;
  violations->push_back(
      {path, absl::StrCat("value ", number, " is not known to this server; use one of ",
                          field.enum_type()->full_name(), ", or leave it unset")});
}

void AddUnknowns(const Message& message, const std::string& path, Violations* violations);

// One value of a field: `index` is -1 for a field that is not repeated.
void AddUnknownsOfValue(const Message& message, const FieldDescriptor& field, int index,
                        const std::string& path, Violations* violations) {
  const Reflection& reflection = *message.GetReflection();
  if (field.cpp_type() == FieldDescriptor::CPPTYPE_ENUM) {
    const int number = index < 0 ? reflection.GetEnumValue(message, &field)
                                 : reflection.GetRepeatedEnumValue(message, &field, index);
    AddUnknownEnum(field, number, path, violations);
  } else if (field.cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE) {
    AddUnknowns(index < 0 ? reflection.GetMessage(message, &field)
                          : reflection.GetRepeatedMessage(message, &field, index),
                path, violations);
  }
}

// Every field and enum value, at any depth, that this build's contract does not have. `path` is
// without a dot at its end.
void AddUnknowns(const Message& message, const std::string& path, Violations* violations) {
  const Reflection& reflection = *message.GetReflection();
  const auto& unknown = reflection.GetUnknownFields(message);
  for (int i = 0; i < unknown.field_count(); ++i) {
    violations->push_back(
        {path, absl::StrCat("field ", unknown.field(i).number(),
                            " is not known to this server; remove it, or use a newer server")});
  }
  std::vector<const FieldDescriptor*> fields;
  reflection.ListFields(message, &fields);
  for (const FieldDescriptor* field : fields) {
    const std::string field_path = absl::StrCat(path, ".", field->name());
    if (!field->is_repeated()) {
      AddUnknownsOfValue(message, *field, -1, field_path, violations);
      continue;
    }
    const int count = reflection.FieldSize(message, field);
    for (int i = 0; i < count; ++i) {
      AddUnknownsOfValue(message, *field, i, absl::StrCat(field_path, "[", i, "]"), violations);
    }
  }
}

// Equal numbers on both sides (tests/server/wire/convert_test.cc); a number that is not known was
// reported by AddUnknowns.
template <typename To, typename From>
To EnumCast(From value) {
  return static_cast<To>(static_cast<int>(value));
}

std::optional<double> Optional(bool has, double value) {
  return has ? std::optional<double>(value) : std::nullopt;
}

DataConfig DataConfigFromProto(const v1::TrainingSpec& spec) {
  DataConfig config;
  config.target_column = spec.target_column();
  config.feature_columns = {spec.feature_columns().begin(), spec.feature_columns().end()};
  config.exclude_columns = {spec.exclude_columns().begin(), spec.exclude_columns().end()};
  config.task = EnumCast<Task>(spec.task());
  if (spec.scaling() != v1::SCALING_UNSPECIFIED) config.scaling = EnumCast<Scaling>(spec.scaling());
  const v1::SplitSpec& split = spec.split();
  if (split.has_validation_fraction()) {
    config.split.validation_fraction = split.validation_fraction();
  }
  if (split.has_test_fraction()) config.split.test_fraction = split.test_fraction();
  config.split.stratify = split.stratify();
  return config;
}

OptimizerConfig OptimizerConfigFromProto(const v1::OptimizerSpec& spec) {
  OptimizerConfig config;
  config.kind = EnumCast<OptimizerKind>(spec.kind());
  config.learning_rate = Optional(spec.has_learning_rate(), spec.learning_rate());
  config.momentum = Optional(spec.has_momentum(), spec.momentum());
  config.beta1 = Optional(spec.has_beta1(), spec.beta1());
  config.beta2 = Optional(spec.has_beta2(), spec.beta2());
  config.epsilon = Optional(spec.has_epsilon(), spec.epsilon());
  if (spec.has_weight_decay()) config.weight_decay = spec.weight_decay();
  return config;
}

std::vector<LayerConfig> LayersFromProto(const v1::TrainingSpec& spec) {
  std::vector<LayerConfig> layers;
  for (const v1::LayerSpec& layer : spec.layers()) {
    const bool unset = layer.activation() == v1::ACTIVATION_UNSPECIFIED;
    layers.push_back(
        {.units = layer.units(),
         .activation = unset ? Activation::kRelu : EnumCast<Activation>(layer.activation())});
  }
  return layers;
}

// step_event_interval 0 means "chosen" inside core but is a fault when a user writes it.
void SetStepEventInterval(const v1::TrainingSpec& spec, TrainConfig* config,
                          Violations* violations) {
  if (!spec.has_step_event_interval()) return;
  config->step_event_interval = spec.step_event_interval();
  if (spec.step_event_interval() != 0) return;
  violations->push_back({"spec.step_event_interval",
                         "is 0; give 1 or more steps, or leave it out to let the server choose"});
}

void OptimizerToProto(const OptimizerConfig& config, v1::OptimizerSpec* spec) {
  spec->set_kind(EnumCast<v1::OptimizerSpec::Kind>(config.kind));
  if (config.learning_rate) spec->set_learning_rate(*config.learning_rate);
  if (config.momentum) spec->set_momentum(*config.momentum);
  if (config.beta1) spec->set_beta1(*config.beta1);
  if (config.beta2) spec->set_beta2(*config.beta2);
  if (config.epsilon) spec->set_epsilon(*config.epsilon);
  if (config.weight_decay) spec->set_weight_decay(*config.weight_decay);
}

void DataToProto(const DataConfig& config, v1::TrainingSpec* spec) {
  spec->set_target_column(config.target_column);
  for (const std::string& name : config.feature_columns) spec->add_feature_columns(name);
  for (const std::string& name : config.exclude_columns) spec->add_exclude_columns(name);
  spec->set_task(EnumCast<v1::Task>(config.task));
  spec->set_scaling(EnumCast<v1::Scaling>(config.scaling));
  spec->mutable_split()->set_validation_fraction(config.split.validation_fraction);
  spec->mutable_split()->set_test_fraction(config.split.test_fraction);
  spec->mutable_split()->set_stratify(config.split.stratify);
}

void SecondsToProto(double seconds, google::protobuf::Duration* duration) {
  constexpr int64_t kNanosPerSecond = 1'000'000'000;
  const int64_t nanos = std::llround(seconds * static_cast<double>(kNanosPerSecond));
  duration->set_seconds(nanos / kNanosPerSecond);
  duration->set_nanos(static_cast<int32_t>(nanos % kNanosPerSecond));
}

void ColumnToProto(const Column& column, v1::Column* proto) {
  const ColumnStats& stats = column.stats;
  proto->set_name(column.name);
  proto->set_type(column.type == ColumnType::kNumeric ? v1::COLUMN_TYPE_NUMERIC
                                                      : v1::COLUMN_TYPE_TEXT);
  proto->set_missing_count(stats.missing_count);
  proto->set_distinct_count(stats.distinct_count);
  for (const auto& [value, count] : stats.top_values) {
    v1::ValueCount* entry = proto->add_top_values();
    entry->set_value(value);
    entry->set_count(count);
  }
  if (column.type != ColumnType::kNumeric) return;
  proto->set_min(stats.min);
  proto->set_max(stats.max);
  proto->set_mean(stats.mean);
  proto->set_standard_deviation(stats.standard_deviation);
  proto->set_integers(stats.integers);
}

// The number under `key`, 0 when there is none.
double MetadataNumber(const ErrorInfo& info, absl::string_view key) {
  for (const auto& [name, value] : info.metadata) {
    double number = 0;
    if (name == key && absl::SimpleAtod(value, &number)) return number;
  }
  return 0;
}

}  // namespace

TrainConfig TrainConfigFromProto(const v1::TrainingSpec& spec, Violations* violations) {
  AddUnknowns(spec, "spec", violations);
  TrainConfig config;
  config.data = DataConfigFromProto(spec);
  config.layers = LayersFromProto(spec);
  config.init.kind = EnumCast<InitKind>(spec.init());
  config.loss.kind = EnumCast<LossKind>(spec.loss());
  config.optimizer = OptimizerConfigFromProto(spec.optimizer());
  if (spec.has_batch_size()) config.batch_size = spec.batch_size();
  if (spec.has_epochs()) config.epochs = spec.epochs();
  if (spec.has_seed()) config.seed = spec.seed();
  if (spec.has_threads()) config.threads = spec.threads();
  SetStepEventInterval(spec, &config, violations);
  if (spec.has_max_runtime()) {
    config.runtime_seconds_max = static_cast<double>(spec.max_runtime().seconds()) +
                                 static_cast<double>(spec.max_runtime().nanos()) / 1e9;
  }
  return config;
}

v1::TrainingSpec TrainConfigToProto(const TrainConfig& config) {
  v1::TrainingSpec spec;
  DataToProto(config.data, &spec);
  for (const LayerConfig& layer : config.layers) {
    v1::LayerSpec* proto = spec.add_layers();
    proto->set_units(static_cast<int32_t>(layer.units));
    proto->set_activation(EnumCast<v1::Activation>(layer.activation));
  }
  spec.set_init(EnumCast<v1::Init>(config.init.kind));
  spec.set_loss(EnumCast<v1::Loss>(config.loss.kind));
  OptimizerToProto(config.optimizer, spec.mutable_optimizer());
  spec.set_batch_size(static_cast<int32_t>(config.batch_size));
  spec.set_epochs(static_cast<int32_t>(config.epochs));
  spec.set_seed(config.seed);
  spec.set_threads(static_cast<int32_t>(config.threads));
  SecondsToProto(config.runtime_seconds_max, spec.mutable_max_runtime());
  // INT32_MAX steps and more than that are the same thing: the first step only.
  spec.set_step_event_interval(
      static_cast<int32_t>(std::min<int64_t>(config.step_event_interval, INT32_MAX)));
  return spec;
}

Schema SchemaFromProto(const v1::Dataset& dataset) {
  Schema schema;
  schema.rows = dataset.row_count();
  for (const v1::Column& column : dataset.columns()) {
    ColumnInfo info;
    info.name = column.name();
    info.type = column.type() == v1::COLUMN_TYPE_NUMERIC ? ColumnType::kNumeric : ColumnType::kText;
    info.missing_count = column.missing_count();
    info.distinct_count = column.distinct_count();
    info.integers = column.integers();
    if (column.distinct_count() == column.top_values_size()) {
      for (const v1::ValueCount& value : column.top_values()) {
        info.values.push_back(value.value());
        info.value_counts.push_back(value.count());
      }
    }
    schema.columns.push_back(std::move(info));
  }
  return schema;
}

void TableToProto(const Table& table, v1::Dataset* dataset) {
  dataset->set_row_count(table.rows);
  dataset->clear_columns();
  for (const Column& column : table.columns) ColumnToProto(column, dataset->add_columns());
}

v1::CsvOptions CsvOptionsToProto(const CsvOptions& options) {
  v1::CsvOptions proto;
  proto.set_delimiter(std::string(1, options.delimiter));
  proto.set_header(options.header == CsvOptions::Header::kPresent ? v1::CsvOptions::PRESENT
                   : options.header == CsvOptions::Header::kAbsent
                       ? v1::CsvOptions::ABSENT
                       : v1::CsvOptions::HEADER_UNSPECIFIED);
  proto.set_bad_rows_max(options.bad_rows_max);
  return proto;
}

CsvOptions CsvOptionsFromProto(const v1::CsvOptions& options, Violations* violations) {
  constexpr absl::string_view kDelimiters = ",;\t|";
  AddUnknowns(options, "csv", violations);
  CsvOptions result;
  if (options.delimiter().size() == 1 &&
      kDelimiters.find(options.delimiter()[0]) != absl::string_view::npos) {
    result.delimiter = options.delimiter()[0];
  } else if (!options.delimiter().empty()) {
    violations->push_back(
        {"csv.delimiter", absl::StrCat("\"", options.delimiter().substr(0, 10),
                                       "\" is no delimiter; use one of , ; tab |")});
  }
  if (options.header() == v1::CsvOptions::PRESENT) result.header = CsvOptions::Header::kPresent;
  if (options.header() == v1::CsvOptions::ABSENT) result.header = CsvOptions::Header::kAbsent;
  result.bad_rows_max = options.bad_rows_max();
  if (options.bad_rows_max() < 0 || options.bad_rows_max() > limits::kBadRowsMax) {
    violations->push_back({"csv.bad_rows_max", absl::StrCat("is ", options.bad_rows_max(),
                                                            "; give 0 to ", limits::kBadRowsMax)});
  }
  return result;
}

v1::RejectedCell RejectedCellToProto(const RejectedCell& cell) {
  v1::RejectedCell proto;
  proto.set_line(cell.line);
  proto.set_column(cell.column);
  proto.set_byte_offset(cell.byte_offset);
  proto.set_expected(cell.expected);
  proto.set_actual(cell.actual);
  return proto;
}

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
  return event;
}

v1::JobEvent TestToProto(const EvalResult& test) {
  v1::JobEvent event;
  MetricsToProto(test, event.mutable_test()->mutable_metrics());
  event.mutable_test()->set_row_count(test.rows);
  return event;
}

v1::Prediction PredictionToProto(const Prediction& prediction, const Bundle& bundle) {
  v1::Prediction proto;
  if (prediction.class_index < 0) {
    proto.set_value(prediction.value);
    return proto;
  }
  proto.set_label(bundle.classes.at(static_cast<size_t>(prediction.class_index)));
  proto.mutable_probabilities()->Add(prediction.probabilities.begin(),
                                     prediction.probabilities.end());
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

std::string MessageDigest(const Message& message) {
  std::string bytes;
  {
    google::protobuf::io::StringOutputStream stream(&bytes);
    google::protobuf::io::CodedOutputStream coded(&stream);
    coded.SetSerializationDeterministic(true);
    message.SerializeToCodedStream(&coded);
  }
  return Sha256Digest(bytes);
}

std::string SpecDigest(const v1::TrainingSpec& resolved) { return MessageDigest(resolved); }

}  // namespace trainyard
