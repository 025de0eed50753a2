// The part of convert.h that is about specs: TrainingSpec ⇄ TrainConfig.
#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/wire/convert.h"
#include "server/wire/enum_cast.h"
#include "server/wire/field_table.h"
#include "server/wire/unknown_fields.h"

namespace trainyard {
namespace {

using Violations = std::vector<FieldViolation>;

constexpr int kMetricsMax = 100;

constexpr Field<OptimizerConfig> kOptimizerFields[] = {
    {"learning_rate", &OptimizerConfig::learning_rate},
    {"momentum", &OptimizerConfig::momentum},
    {"beta1", &OptimizerConfig::beta1},
    {"beta2", &OptimizerConfig::beta2},
    {"epsilon", &OptimizerConfig::epsilon},
    {"weight_decay", &OptimizerConfig::weight_decay},
    {"nesterov", &OptimizerConfig::nesterov},
    {"dampening", &OptimizerConfig::dampening},
    {"rho", &OptimizerConfig::rho},
    {"centered", &OptimizerConfig::centered},
    {"learning_rate_decay", &OptimizerConfig::learning_rate_decay},
    {"momentum_decay", &OptimizerConfig::momentum_decay},
    {"history_size", &OptimizerConfig::history_size},
    {"secondary_learning_rate", &OptimizerConfig::secondary_learning_rate},
    {"l1", &OptimizerConfig::l1},
    {"max_norm", &OptimizerConfig::max_norm},
    {"clip_norm", &OptimizerConfig::clip_norm},
    {"clip_value", &OptimizerConfig::clip_value},
    {"gradient_noise", &OptimizerConfig::gradient_noise},
    {"ema_decay", &OptimizerConfig::ema_decay},
};

constexpr Field<ScheduleConfig> kScheduleFields[] = {
    {"period", &ScheduleConfig::period},
    {"gamma", &ScheduleConfig::gamma},
    {"power", &ScheduleConfig::power},
    {"final_learning_rate", &ScheduleConfig::final_learning_rate},
    {"period_factor", &ScheduleConfig::period_factor},
    {"warm_fraction", &ScheduleConfig::warm_fraction},
    {"patience", &ScheduleConfig::patience},
    {"metric", &ScheduleConfig::metric},
    {"warmup_steps", &ScheduleConfig::warmup_steps},
};

constexpr Field<InitConfig> kInitFields[] = {
    {"gain", &InitConfig::gain},
    {"scale", &InitConfig::scale},
};

constexpr Field<EarlyStoppingConfig> kEarlyStoppingFields[] = {
    {"metric", &EarlyStoppingConfig::metric},
    {"patience", &EarlyStoppingConfig::patience},
    {"min_delta", &EarlyStoppingConfig::min_delta},
    {"restore_best", &EarlyStoppingConfig::restore_best},
    {"restore_only", &EarlyStoppingConfig::restore_only},
};

constexpr Field<LayerConfig> kLayerFields[] = {
    {"units", &LayerConfig::units},       {"alpha", &LayerConfig::alpha},
    {"bias", &LayerConfig::bias},         {"dropout", &LayerConfig::dropout},
    {"residual", &LayerConfig::residual},
};

constexpr Field<SplitConfig> kSplitFields[] = {
    {"validation_fraction", &SplitConfig::validation_fraction},
    {"test_fraction", &SplitConfig::test_fraction},
    {"stratify", &SplitConfig::stratify},
    {"group_column", &SplitConfig::group_column},
    {"time_column", &SplitConfig::time_column},
    {"part_column", &SplitConfig::part_column},
};

constexpr Field<FeatureOptions> kFeatureFields[] = {
    {"column", &FeatureOptions::column},
    {"fill_value", &FeatureOptions::fill_value},
    {"missing_indicator", &FeatureOptions::missing_indicator},
    {"categories_max", &FeatureOptions::categories_max},
    {"hash_buckets", &FeatureOptions::hash_buckets},
};

constexpr Field<DataConfig> kDataFields[] = {
    {"target_column", &DataConfig::target_column},
    {"weight_column", &DataConfig::weight_column},
};

// Counts of TrainingSpec itself.
constexpr Field<TrainConfig> kCountFields[] = {
    {"batch_size", &TrainConfig::batch_size},
    {"seed", &TrainConfig::seed},
    {"threads", &TrainConfig::threads},
    {"accumulation_steps", &TrainConfig::accumulation_steps},
    {"seed_count", &TrainConfig::seed_count},
    {"input_dropout", &TrainConfig::input_dropout},
    {"output_bias", &TrainConfig::output_bias},
};

// 0 means "none" or "chosen" inside core, is said by leaving the field out, and is a fault when a
// user writes it.
constexpr Field<TrainConfig> kNonZeroFields[] = {
    {"epochs", &TrainConfig::epochs},
    {"step_event_interval", &TrainConfig::step_event_interval},
    {"max_steps", &TrainConfig::max_steps},
    {"evaluation_interval", &TrainConfig::evaluation_interval},
};

template <typename To, typename From>
void Replace(To value, From unspecified, To* out) {
  if (value != EnumCast<To>(unspecified)) *out = value;
}

std::vector<std::string> Strings(const google::protobuf::RepeatedPtrField<std::string>& strings) {
  return {strings.begin(), strings.end()};
}

// At most kMetricsMax of them: core compares each with each.
std::vector<std::string> MetricsFromProto(const v1::TrainingSpec& spec, Violations* violations) {
  if (spec.metrics_size() <= kMetricsMax) return Strings(spec.metrics());
  violations->push_back(
      {"spec.metrics", absl::StrCat("has ", spec.metrics_size(), " names; at most ", kMetricsMax,
                                    ": name those you will look at, each once")});
  return {spec.metrics().begin(), spec.metrics().begin() + kMetricsMax};
}

FeatureOptions FeatureOptionsFromProto(const v1::FeatureSpec& spec) {
  FeatureOptions options;
  ReadFields<FeatureOptions>(spec, kFeatureFields, &options);
  options.scaling = EnumCast<Scaling>(spec.scaling());
  options.imputation = EnumCast<Imputation>(spec.imputation());
  options.encoding = EnumCast<Encoding>(spec.encoding());
  options.unseen = EnumCast<UnseenCategory>(spec.unseen());
  options.categories = Strings(spec.categories());
  return options;
}

v1::FeatureSpec FeatureOptionsToProto(const FeatureOptions& options) {
  v1::FeatureSpec spec;
  if (!options.column.empty()) spec.set_column(options.column);
  WriteFields<FeatureOptions>(options, kFeatureFields, &spec);
  spec.set_scaling(EnumCast<v1::Scaling>(options.scaling));
  spec.set_imputation(EnumCast<v1::Imputation>(options.imputation));
  spec.set_encoding(EnumCast<v1::Encoding>(options.encoding));
  spec.set_unseen(EnumCast<v1::UnseenCategory>(options.unseen));
  *spec.mutable_categories() = {options.categories.begin(), options.categories.end()};
  return spec;
}

DataConfig DataConfigFromProto(const v1::TrainingSpec& spec) {
  DataConfig config;
  ReadFields<DataConfig>(spec, kDataFields, &config);
  ReadFields<SplitConfig>(spec.split(), kSplitFields, &config.split);
  if (spec.split().has_fold_count()) config.split.fold_count = spec.split().fold_count();
  config.feature_defaults = FeatureOptionsFromProto(spec.feature_defaults());
  for (const v1::FeatureSpec& feature : spec.feature_options()) {
    config.feature_options.push_back(FeatureOptionsFromProto(feature));
  }
  config.target_scaling = EnumCast<TargetScaling>(spec.target_scaling());
  config.separate_test = !spec.test_dataset().empty();
  config.feature_columns = Strings(spec.feature_columns());
  config.exclude_columns = Strings(spec.exclude_columns());
  config.label_columns = Strings(spec.label_columns());
  config.task = EnumCast<Task>(spec.task());
  Replace(EnumCast<Scaling>(spec.scaling()), v1::SCALING_UNSPECIFIED, &config.scaling);
  return config;
}

void DataToProto(const DataConfig& config, v1::TrainingSpec* spec) {
  WriteFields<DataConfig>(config, kDataFields, spec);
  WriteFields<SplitConfig>(config.split, kSplitFields, spec->mutable_split());
  *spec->mutable_feature_columns() = {config.feature_columns.begin(), config.feature_columns.end()};
  *spec->mutable_exclude_columns() = {config.exclude_columns.begin(), config.exclude_columns.end()};
  *spec->mutable_label_columns() = {config.label_columns.begin(), config.label_columns.end()};
  spec->set_task(EnumCast<v1::Task>(config.task));
  spec->set_scaling(EnumCast<v1::Scaling>(config.scaling));
  if (config.split.fold_count != 0) {
    spec->mutable_split()->set_fold_count(static_cast<int32_t>(config.split.fold_count));
  }
  v1::FeatureSpec defaults = FeatureOptionsToProto(config.feature_defaults);
  if (defaults.ByteSizeLong() > 0) *spec->mutable_feature_defaults() = std::move(defaults);
  for (const FeatureOptions& feature : config.feature_options) {
    *spec->add_feature_options() = FeatureOptionsToProto(feature);
  }
  spec->set_target_scaling(EnumCast<v1::TargetScaling>(config.target_scaling));
}

LayerConfig LayerFromProto(const v1::LayerSpec& spec) {
  LayerConfig layer;
  ReadFields<LayerConfig>(spec, kLayerFields, &layer);
  Replace(EnumCast<Activation>(spec.activation()), v1::ACTIVATION_UNSPECIFIED, &layer.activation);
  Replace(EnumCast<Normalization>(spec.normalization()), v1::NORMALIZATION_UNSPECIFIED,
          &layer.normalization);
  return layer;
}

void LayerToProto(const LayerConfig& layer, v1::LayerSpec* spec) {
  WriteFields<LayerConfig>(layer, kLayerFields, spec);
  spec->set_activation(EnumCast<v1::Activation>(layer.activation));
  spec->set_normalization(EnumCast<v1::Normalization>(layer.normalization));
}

void LossFromProto(const v1::TrainingSpec& spec, TrainConfig* config) {
  const v1::LossOptions& options = spec.loss_options();
  config->loss.kind = EnumCast<LossKind>(spec.loss());
  config->loss.label_smoothing = options.label_smoothing();
  if (options.has_delta()) config->loss.delta = options.delta();
  if (options.has_quantile()) config->loss.quantile = options.quantile();
  config->class_weights.balanced = options.balanced_class_weights();
  config->class_weights.by_name = {options.class_weights().begin(), options.class_weights().end()};
  std::sort(config->class_weights.by_name.begin(), config->class_weights.by_name.end());
}

void LossToProto(const TrainConfig& config, v1::TrainingSpec* spec) {
  const LossConfig& loss = config.loss;
  const LossConfig defaults;
  v1::LossOptions options;
  options.set_label_smoothing(loss.label_smoothing);
  if (loss.kind == LossKind::kHuber || loss.delta != defaults.delta) options.set_delta(loss.delta);
  if (loss.kind == LossKind::kQuantile || loss.quantile != defaults.quantile) {
    options.set_quantile(loss.quantile);
  }
  options.set_balanced_class_weights(config.class_weights.balanced);
  for (const auto& [name, weight] : config.class_weights.by_name) {
    (*options.mutable_class_weights())[name] = weight;
  }
  spec->set_loss(EnumCast<v1::Loss>(loss.kind));
  if (options.ByteSizeLong() > 0) *spec->mutable_loss_options() = std::move(options);
}

void InitFromProto(const v1::TrainingSpec& spec, TrainConfig* config) {
  config->init.kind = EnumCast<InitKind>(spec.init());
  ReadFields<InitConfig>(spec.init_options(), kInitFields, &config->init);
  for (const v1::InitialLayer& layer : spec.initial_weights()) {
    config->initial_weights.push_back({{layer.weights().begin(), layer.weights().end()},
                                       {layer.biases().begin(), layer.biases().end()}});
  }
}

void InitToProto(const TrainConfig& config, v1::TrainingSpec* spec) {
  spec->set_init(EnumCast<v1::Init>(config.init.kind));
  if (config.init.gain.has_value() || config.init.scale.has_value()) {
    WriteFields<InitConfig>(config.init, kInitFields, spec->mutable_init_options());
  }
  for (const InitialLayerConfig& layer : config.initial_weights) {
    v1::InitialLayer* proto = spec->add_initial_weights();
    *proto->mutable_weights() = {layer.weights.begin(), layer.weights.end()};
    *proto->mutable_biases() = {layer.biases.begin(), layer.biases.end()};
  }
}

OptimizerConfig OptimizerFromProto(const v1::OptimizerSpec& spec) {
  OptimizerConfig config;
  config.kind = EnumCast<OptimizerKind>(spec.kind());
  ReadFields<OptimizerConfig>(spec, kOptimizerFields, &config);
  return config;
}

void OptimizerToProto(const OptimizerConfig& config, v1::OptimizerSpec* spec) {
  spec->set_kind(EnumCast<v1::OptimizerSpec::Kind>(config.kind));
  WriteFields<OptimizerConfig>(config, kOptimizerFields, spec);
}

ScheduleConfig ScheduleFromProto(const v1::ScheduleSpec& spec) {
  ScheduleConfig config;
  config.kind = EnumCast<ScheduleKind>(spec.kind());
  config.unit = EnumCast<ScheduleUnit>(spec.unit());
  ReadFields<ScheduleConfig>(spec, kScheduleFields, &config);
  config.milestones = {spec.milestones().begin(), spec.milestones().end()};
  return config;
}

void ScheduleToProto(const ScheduleConfig& config, v1::ScheduleSpec* spec) {
  spec->set_kind(EnumCast<v1::ScheduleSpec::Kind>(config.kind));
  spec->set_unit(EnumCast<v1::ScheduleSpec::Unit>(config.unit));
  WriteFields<ScheduleConfig>(config, kScheduleFields, spec);
  *spec->mutable_milestones() = {config.milestones.begin(), config.milestones.end()};
}

int64_t ValueOf(const TrainConfig& config, const Field<TrainConfig>& count) {
  return config.*std::get<int64_t TrainConfig::*>(count.member);
}

void NonZeroFromProto(const v1::TrainingSpec& spec, TrainConfig* config, Violations* violations) {
  ReadFields<TrainConfig>(spec, kNonZeroFields, config);
  for (const Field<TrainConfig>& field : kNonZeroFields) {
    const auto* descriptor = spec.GetDescriptor()->FindFieldByName(field.name);
    if (!spec.GetReflection()->HasField(spec, descriptor) || ValueOf(*config, field) != 0) continue;
    violations->push_back(
        {absl::StrCat("spec.", field.name), "is 0; give 1 or more, or leave it out"});
  }
}

void NonZeroToProto(const TrainConfig& config, v1::TrainingSpec* spec) {
  for (const Field<TrainConfig>& field : kNonZeroFields) {
    if (ValueOf(config, field) != 0) WriteFields<TrainConfig>(config, {&field, 1}, spec);
  }
  // INT32_MAX steps and more than that are the same thing: the first step only.
  if (config.step_event_interval > INT32_MAX) spec->set_step_event_interval(INT32_MAX);
}

}  // namespace

absl::Duration DurationFromProto(const google::protobuf::Duration& duration) {
  return absl::Seconds(duration.seconds()) + absl::Nanoseconds(duration.nanos());
}

void SecondsToProto(double seconds, google::protobuf::Duration* duration) {
  constexpr int64_t kNanosPerSecond = 1'000'000'000;
  const int64_t nanos = std::llround(seconds * static_cast<double>(kNanosPerSecond));
  duration->set_seconds(nanos / kNanosPerSecond);
  duration->set_nanos(static_cast<int32_t>(nanos % kNanosPerSecond));
}

TrainConfig TrainConfigFromProto(const v1::TrainingSpec& spec, Violations* violations) {
  AddUnknowns(spec, "spec", violations);
  TrainConfig config;
  config.data = DataConfigFromProto(spec);
  for (const v1::LayerSpec& layer : spec.layers()) config.layers.push_back(LayerFromProto(layer));
  InitFromProto(spec, &config);
  LossFromProto(spec, &config);
  config.optimizer = OptimizerFromProto(spec.optimizer());
  config.schedule = ScheduleFromProto(spec.schedule());
  config.early_stopping.enabled = spec.has_early_stopping();
  ReadFields<EarlyStoppingConfig>(spec.early_stopping(), kEarlyStoppingFields,
                                  &config.early_stopping);
  config.metrics = MetricsFromProto(spec, violations);
  ReadFields<TrainConfig>(spec, kCountFields, &config);
  NonZeroFromProto(spec, &config, violations);
  Replace(EnumCast<Precision>(spec.precision()), v1::PRECISION_UNSPECIFIED, &config.precision);
  Replace(EnumCast<LayerRecords>(spec.layer_records()), v1::LAYER_RECORDS_UNSPECIFIED,
          &config.layer_records);
  if (spec.has_max_runtime()) {
    config.runtime_seconds_max = static_cast<double>(spec.max_runtime().seconds()) +
                                 static_cast<double>(spec.max_runtime().nanos()) / 1e9;
  }
  return config;
}

v1::TrainingSpec TrainConfigToProto(const TrainConfig& config) {
  v1::TrainingSpec spec;
  DataToProto(config.data, &spec);
  for (const LayerConfig& layer : config.layers) LayerToProto(layer, spec.add_layers());
  InitToProto(config, &spec);
  LossToProto(config, &spec);
  OptimizerToProto(config.optimizer, spec.mutable_optimizer());
  ScheduleToProto(config.schedule, spec.mutable_schedule());
  if (config.early_stopping.enabled) {
    WriteFields<EarlyStoppingConfig>(config.early_stopping, kEarlyStoppingFields,
                                     spec.mutable_early_stopping());
  }
  *spec.mutable_metrics() = {config.metrics.begin(), config.metrics.end()};
  WriteFields<TrainConfig>(config, kCountFields, &spec);
  NonZeroToProto(config, &spec);
  spec.set_precision(EnumCast<v1::Precision>(config.precision));
  spec.set_layer_records(EnumCast<v1::LayerRecords>(config.layer_records));
  SecondsToProto(config.runtime_seconds_max, spec.mutable_max_runtime());
  return spec;
}

}  // namespace trainyard
