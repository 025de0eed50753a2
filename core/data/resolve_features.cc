#include "core/data/resolve_features.h"

#include <algorithm>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "core/base/limits.h"
#include "core/data/check_features.h"
#include "core/data/column_kind.h"

namespace trainyard {
namespace {

bool Contains(const std::vector<std::string>& names, absl::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

// What a column is besides a feature, e.g. "the target"; empty: nothing.
std::string OtherPart(const DataConfig& config, absl::string_view name) {
  if (name == config.target_column) return "the target";
  if (Contains(config.label_columns, name)) return "a label";
  if (name == config.weight_column) return "the weight";
  if (name == config.split.group_column) return "the group of the split";
  if (name == config.split.time_column) return "the time of the split";
  if (name == config.split.part_column) return "the part of the split";
  return "";
}

// Whether a column is no feature unless it is named.
bool IsLeftOut(const ColumnInfo& column) {
  const bool constant_text =
      column.type == ColumnType::kText && column.kind == ColumnKind::kConstant;
  return constant_text || column.kind == ColumnKind::kIdentifier ||
         column.kind == ColumnKind::kFreeText;
}

// No value at all, or one and none missing that could be told from it.
bool TeachesNothing(const ColumnInfo& column, const FeatureOptions& options) {
  const bool tells_missing =
      options.encoding == Encoding::kNumber || options.encoding == Encoding::kOrdinal
          ? options.missing_indicator.value_or(false)
          : true;
  return column.distinct_count == 0 ||
         (column.distinct_count == 1 && (column.missing_count == 0 || !tells_missing));
}

class Resolver {
 public:
  Resolver(const SchemaIndex& columns, DataConfig* config, std::vector<FieldViolation>* violations,
           std::vector<std::string>* notes)
      : columns_(columns), config_(*config), violations_(*violations), notes_(*notes) {}

  void Run() {
    if (!config_.feature_columns.empty() && !config_.exclude_columns.empty()) {
      Fault("exclude_columns",
            "cannot be given together with feature_columns; leave one of them empty");
    }
    CheckExcluded();
    const bool target_known =
        columns_.Find(config_.target_column) != nullptr || !config_.label_columns.empty();
    if (!config_.feature_columns.empty()) {
      CheckGiven();
    } else if (target_known) {
      TakeOthers();  // without a known target it would be among them, and look like a fault
    }
    CheckFeatureDefaults(config_.feature_defaults, &violations_);
    CheckOptions();
    ResolveOptions();
    CheckFeatureCount();
    config_.exclude_columns.clear();
  }

 private:
  void Fault(std::string field, std::string description) {
    violations_.push_back({std::move(field), std::move(description)});
  }

  void CheckExcluded() {
    absl::flat_hash_set<absl::string_view> seen;
    for (size_t i = 0; i < config_.exclude_columns.size(); ++i) {
      const std::string& name = config_.exclude_columns[i];
      std::string field = absl::StrCat("exclude_columns[", i, "]");
      if (columns_.Find(name) == nullptr) {
        Fault(std::move(field), columns_.NoSuchColumn(name));
      } else if (!seen.insert(name).second) {
        Fault(std::move(field), absl::StrCat("column \"", name, "\" is named twice"));
      }
    }
  }

  void CheckGiven() {
    absl::flat_hash_set<absl::string_view> seen;
    for (size_t i = 0; i < config_.feature_columns.size(); ++i) {
      const std::string& name = config_.feature_columns[i];
      const std::string part = OtherPart(config_, name);
      std::string fault;
      if (columns_.Find(name) == nullptr) {
        fault = columns_.NoSuchColumn(name);
      } else if (!seen.insert(name).second) {
        fault = absl::StrCat("column \"", name, "\" is named twice");
      } else if (!part.empty()) {
        fault = absl::StrCat("column \"", name, "\" is ", part, "; remove it from the features");
      }
      if (!fault.empty()) Fault(absl::StrCat("feature_columns[", i, "]"), std::move(fault));
    }
  }

  // Every column that has no other part and is not excluded, in table order.
  void TakeOthers() {
    std::vector<std::string> left_out;
    const GivenOptions given(config_);
    const absl::flat_hash_set<absl::string_view> excluded(config_.exclude_columns.begin(),
                                                          config_.exclude_columns.end());
    for (const ColumnInfo& column : columns_.schema().columns) {
      if (excluded.contains(column.name) || !OtherPart(config_, column.name).empty()) continue;
      if (IsLeftOut(column) && !given.IndexOf(column.name).has_value()) {
        left_out.push_back(absl::StrCat("\"", column.name, "\" (", KindName(column.kind), ")"));
      } else {
        config_.feature_columns.push_back(column.name);
      }
    }
    if (!left_out.empty()) {
      notes_.push_back(absl::StrCat("columns that are no features: ", ShortList(left_out),
                                    "; name them in feature_options to use them"));
    }
    if (config_.feature_columns.empty()) {
      Fault("feature_columns",
            left_out.empty()
                ? "no column is left to learn from; exclude fewer columns"
                : absl::StrCat("no column is left to learn from, as these are no features: ",
                               ShortList(left_out), "; name them in feature_columns to use them"));
    }
  }

  void CheckOptions() {
    const absl::flat_hash_set<absl::string_view> features(config_.feature_columns.begin(),
                                                          config_.feature_columns.end());
    absl::flat_hash_set<std::string> seen;
    for (size_t i = 0; i < config_.feature_options.size(); ++i) {
      FeatureOptions& options = config_.feature_options[i];
      const std::string field = absl::StrCat("feature_options[", i, "]");
      const ColumnInfo* column = columns_.Find(options.column);
      const std::string part = OtherPart(config_, options.column);
      if (options.column.empty()) {
        Fault(field + ".column", "is required: the name of a feature column");
      } else if (column == nullptr) {
        Fault(field + ".column", columns_.NoSuchColumn(options.column));
      } else if (!seen.insert(options.column).second) {
        Fault(field + ".column", absl::StrCat("column \"", options.column, "\" is named twice"));
      } else if (!features.contains(options.column)) {
        Fault(field + ".column", absl::StrCat("column \"", options.column, "\" is ",
                                              part.empty() ? "not among the features" : part,
                                              "; remove it, or make it a feature"));
      } else {
        CheckFeatureOptions(field, config_, *column, &options, &violations_);
      }
    }
  }

  void ResolveOptions() {
    const GivenOptions given(config_);
    std::vector<FeatureOptions> resolved;
    for (const std::string& name : config_.feature_columns) {
      const ColumnInfo* column = columns_.Find(name);
      if (column == nullptr) continue;  // a fault already
      const FeatureOptions said = given.For(name);
      resolved.push_back(ResolvedOptions(said, config_, *column));
      const std::optional<size_t> index = given.IndexOf(name);
      const std::string field =
          index.has_value() ? absl::StrCat("feature_options[", *index, "]") : "feature_defaults";
      CheckResolvedOptions(field, *column, resolved.back(), &violations_);
      Remember(*column, said, resolved.back());
    }
    NoteChoices();
    config_.feature_options = std::move(resolved);
    config_.feature_defaults = {};
  }

  // Keeps what is worth telling.
  void Remember(const ColumnInfo& column, const FeatureOptions& said,
                const FeatureOptions& options) {
    const std::string quoted = absl::StrCat("\"", column.name, "\"");
    const bool filled = options.encoding == Encoding::kNumber && column.missing_count > 0 &&
                        options.imputation == Imputation::kMean;
    if (filled && said.imputation == Imputation::kUnspecified &&
        config_.feature_defaults.imputation == Imputation::kUnspecified) {
      filled_.push_back(absl::StrCat(quoted, " (", column.missing_count, ")"));
    }
    if (TeachesNothing(column, options)) constant_.push_back(quoted);
    const bool over_cap =
        options.encoding == Encoding::kOneHot && options.categories.empty() &&
        column.distinct_count > options.categories_max.value_or(column.distinct_count);
    if (over_cap && !said.categories_max.has_value())
      over_cap_.push_back(absl::StrCat(quoted, " (", column.distinct_count, ")"));
    if (options.encoding == Encoding::kHashing && said.encoding != Encoding::kHashing)
      hashed_.push_back(quoted);
  }

  void NoteChoices() {
    const auto note = [&](absl::string_view what, const std::vector<std::string>& names,
                          absl::string_view remedy) {
      if (!names.empty()) notes_.push_back(absl::StrCat(what, ShortList(names), remedy));
    };
    note("missing cells are filled in with the mean of the training rows: ", filled_,
         "; see feature_options.imputation");
    note("features that are the same in every row teach nothing: ", constant_, "");
    note("categories beyond the most frequent ones share one feature: ", over_cap_,
         "; see feature_options.categories_max");
    note("text of too many values is hashed: ", hashed_, "; see feature_options.hash_buckets");
  }

  void CheckFeatureCount() {
    const Schema& schema = columns_.schema();
    const bool complete = config_.feature_options.size() == config_.feature_columns.size();
    const int64_t features = complete ? FeatureCountMax(config_, schema) : 0;
    const std::string remedy =
        "lower categories_max or hash_buckets, or exclude columns of many categories";
    if (features > limits::kFeaturesMax) {
      Fault("feature_columns", absl::StrCat("make up to ", features, " features; at most ",
                                            limits::kFeaturesMax, ": ", remedy));
    } else if (features > 0 && schema.rows > limits::kFeatureCellsMax / features) {
      Fault("feature_columns",
            absl::StrCat("make up to ", features, " features of ", schema.rows, " rows; at most ",
                         limits::kFeatureCellsMax, " numbers in all: ", remedy));
    }
  }

  const SchemaIndex& columns_;
  DataConfig& config_;
  std::vector<FieldViolation>& violations_;
  std::vector<std::string>& notes_;
  // Columns in quotes, for the notes.
  std::vector<std::string> filled_, constant_, over_cap_, hashed_;
};

// Whether a column's values are names unless something else is said.
bool IsCategory(const ColumnInfo& column) {
  return column.type == ColumnType::kText || column.kind == ColumnKind::kCategory;
}

Encoding EncodingOf(const FeatureOptions& given, const FeatureOptions& defaults,
                    const ColumnInfo& column) {
  if (given.encoding != Encoding::kUnspecified) return given.encoding;
  if (!IsCategory(column)) return Encoding::kNumber;
  const bool text = column.type == ColumnType::kText;
  const bool by_default = defaults.encoding != Encoding::kUnspecified &&
                          !(text && defaults.encoding == Encoding::kNumber);
  if (by_default) return defaults.encoding;
  const bool varied =
      column.kind == ColumnKind::kFreeText || column.kind == ColumnKind::kIdentifier;
  return text && varied ? Encoding::kHashing : Encoding::kOneHot;
}

template <typename Choice>
Choice FirstSpecified(Choice given, Choice by_default, Choice otherwise) {
  if (given != Choice::kUnspecified) return given;
  return by_default != Choice::kUnspecified ? by_default : otherwise;
}

template <typename T>
T FirstGiven(const std::optional<T>& given, const std::optional<T>& by_default, T otherwise) {
  return given.has_value() ? *given : by_default.value_or(otherwise);
}

Scaling ScalingOf(const FeatureOptions& given, const DataConfig& config) {
  return FirstSpecified(
      given.scaling, config.feature_defaults.scaling,
      config.scaling == Scaling::kUnspecified ? Scaling::kStandardize : config.scaling);
}

void ResolveNumber(const FeatureOptions& given, const DataConfig& config, const ColumnInfo& column,
                   FeatureOptions* options) {
  const FeatureOptions& defaults = config.feature_defaults;
  const bool has_missing = column.missing_count > 0;
  options->scaling = ScalingOf(given, config);
  options->imputation = FirstSpecified(given.imputation, defaults.imputation,
                                       has_missing ? Imputation::kMean : Imputation::kRefuse);
  if (options->imputation == Imputation::kConstant)
    options->fill_value = FirstGiven(given.fill_value, defaults.fill_value, 0.0);
  const bool refuses = options->imputation == Imputation::kRefuse;
  options->missing_indicator =
      !refuses && FirstGiven(given.missing_indicator, defaults.missing_indicator, false);
}

void ResolveOneHot(const FeatureOptions& given, const FeatureOptions& defaults,
                   const ColumnInfo& column, FeatureOptions* options) {
  options->categories = given.categories;
  bool over_cap = false;
  if (options->categories.empty()) {
    options->categories_max = FirstGiven(given.categories_max, defaults.categories_max,
                                         FeatureOptions::kCategoriesMaxDefault);
    over_cap = column.distinct_count > *options->categories_max;
  }
  options->unseen = FirstSpecified(given.unseen, defaults.unseen,
                                   over_cap ? UnseenCategory::kOther : UnseenCategory::kZeros);
}

}  // namespace

GivenOptions::GivenOptions(const DataConfig& config) : config_(config) {
  for (size_t i = 0; i < config.feature_options.size(); ++i) {
    index_.emplace(config.feature_options[i].column, i);
  }
}

std::optional<size_t> GivenOptions::IndexOf(absl::string_view column) const {
  const auto it = index_.find(column);
  return it == index_.end() ? std::nullopt : std::optional<size_t>(it->second);
}

FeatureOptions GivenOptions::For(const std::string& column) const {
  const std::optional<size_t> index = IndexOf(column);
  return index.has_value() ? config_.feature_options[*index] : FeatureOptions{.column = column};
}

FeatureOptions ResolvedOptions(const FeatureOptions& given, const DataConfig& config,
                               const ColumnInfo& column) {
  const FeatureOptions& defaults = config.feature_defaults;
  FeatureOptions options{.column = column.name, .encoding = EncodingOf(given, defaults, column)};
  switch (options.encoding) {
    case Encoding::kNumber:
    case Encoding::kUnspecified:
      ResolveNumber(given, config, column, &options);
      break;
    case Encoding::kOneHot:
      ResolveOneHot(given, defaults, column, &options);
      break;
    case Encoding::kOrdinal: {
      options.categories = given.categories;
      options.scaling = ScalingOf(given, config);
      const bool refuses = defaults.unseen == UnseenCategory::kRefuse;
      options.unseen = FirstSpecified(
          given.unseen, refuses ? defaults.unseen : UnseenCategory::kZeros, UnseenCategory::kZeros);
      break;
    }
    case Encoding::kHashing:
      options.hash_buckets = FirstGiven(given.hash_buckets, defaults.hash_buckets,
                                        FeatureOptions::kHashBucketsDefault);
      break;
  }
  return options;
}

namespace {

int64_t WidthMax(const FeatureOptions& options, const ColumnInfo& column) {
  const int64_t missing = column.missing_count > 0 ? 1 : 0;
  switch (options.encoding) {
    case Encoding::kNumber:
    case Encoding::kUnspecified:
      return options.missing_indicator.value_or(false) ? 2 : 1;
    case Encoding::kOrdinal:
      return 1;
    case Encoding::kHashing:
      return options.hash_buckets.value_or(0) + missing;
    case Encoding::kOneHot:
      break;
  }
  const int64_t other = options.unseen == UnseenCategory::kOther ? 1 : 0;
  const int64_t categories =
      options.categories.empty()
          ? std::min(options.categories_max.value_or(0), column.distinct_count)
          : static_cast<int64_t>(options.categories.size());
  return std::max<int64_t>(categories + other + missing, 1);
}

// Whether the training rows have no say in the number of features.
bool IsWidthKnown(const FeatureOptions& options, const ColumnInfo& column) {
  if (options.encoding == Encoding::kOneHot)
    return !options.categories.empty() && column.missing_count == 0;
  return options.encoding != Encoding::kHashing || column.missing_count == 0;
}

}  // namespace

int64_t FeatureCountMax(const DataConfig& config, const Schema& schema) {
  const SchemaIndex columns(schema);
  int64_t count = 0;
  for (const FeatureOptions& options : config.feature_options) {
    const ColumnInfo* column = columns.Find(options.column);
    if (column != nullptr) count += WidthMax(options, *column);
  }
  return count;
}

std::optional<int64_t> FeatureCountIfKnown(const DataConfig& config, const Schema& schema) {
  const SchemaIndex columns(schema);
  for (const FeatureOptions& options : config.feature_options) {
    const ColumnInfo* column = columns.Find(options.column);
    if (column == nullptr || !IsWidthKnown(options, *column)) return std::nullopt;
  }
  return FeatureCountMax(config, schema);
}

void ResolveFeatures(const SchemaIndex& columns, DataConfig* config,
                     std::vector<FieldViolation>* violations, std::vector<std::string>* notes) {
  Resolver(columns, config, violations, notes).Run();
}

}  // namespace trainyard
