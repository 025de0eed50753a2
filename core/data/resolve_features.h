// The features of a spec: which columns they are, and what is done to each. Part of
// ResolveDataConfig.
//
// Thread-safety: pure functions.
#ifndef TRAINYARD_CORE_DATA_RESOLVE_FEATURES_H_
#define TRAINYARD_CORE_DATA_RESOLVE_FEATURES_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/string_view.h"
#include "core/data/dataset.h"
#include "core/data/schema_index.h"

namespace trainyard {

// Sets config->feature_columns (full), feature_options (one for each of them, in their order, every
// choice made), and leaves exclude_columns and feature_defaults empty. Resolving again changes
// nothing. Features that are not named are all columns without another part to play, but for
// identifiers, free text and constant text; naming a column in feature_options makes it one. Faults
// and notes as ResolveDataConfig. REQUIRES: target, labels, weight and split columns are set, if
// they exist.
void ResolveFeatures(const SchemaIndex& columns, DataConfig* config,
                     std::vector<FieldViolation>* violations, std::vector<std::string>* notes);

// What is done to `column`, every choice made that does not need its cells: `given`, or else the
// defaults and scaling of `config`, or else what fits the column. `unseen` of kOneHot is kOther
// where the column has more categories than categories_max.
FeatureOptions ResolvedOptions(const FeatureOptions& given, const DataConfig& config,
                               const ColumnInfo& column);

// Finds config.feature_options by column; of two for one column, the first. Lifetime: `config` must
// outlive it and stay as it is.
class GivenOptions {
 public:
  explicit GivenOptions(const DataConfig& config);
  // Index into config.feature_options, if the column is named there.
  std::optional<size_t> IndexOf(absl::string_view column) const;
  // Without any choice when it is not.
  FeatureOptions For(const std::string& column) const;

 private:
  const DataConfig& config_;
  absl::flat_hash_map<absl::string_view, size_t> index_;
};

// Inputs of the network for the features of a resolved config: the exact number, or, as the
// training rows decide on the categories of one-hot columns, a bound.
int64_t FeatureCountMax(const DataConfig& config, const Schema& schema);
std::optional<int64_t> FeatureCountIfKnown(const DataConfig& config, const Schema& schema);

}  // namespace trainyard

#endif  // TRAINYARD_CORE_DATA_RESOLVE_FEATURES_H_
