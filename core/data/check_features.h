// The faults of one column's feature options: choices out of range, contradictions, and options
// that would do nothing, all at once.
//
// Thread-safety: pure functions.
#ifndef TRAINYARD_CORE_DATA_CHECK_FEATURES_H_
#define TRAINYARD_CORE_DATA_CHECK_FEATURES_H_

#include <string>
#include <vector>

#include "core/data/dataset.h"

namespace trainyard {

// "a", "b" and 7 more, of names that are quoted already.
std::string ShortList(const std::vector<std::string>& quoted);

// Of feature_defaults, which are for all columns: what does nothing for one is no fault.
void CheckFeatureDefaults(const FeatureOptions& defaults, std::vector<FieldViolation>* violations);

// Of the options that are given for `column`; `field` is "feature_options[2]". Categories of a
// numeric column become as NumberText prints them.
void CheckFeatureOptions(const std::string& field, const DataConfig& config,
                         const ColumnInfo& column, FeatureOptions* options,
                         std::vector<FieldViolation>* violations);

// Of `resolved`, every choice made, whether it was given (`field` is "feature_options[2]") or not
// ("feature_defaults").
void CheckResolvedOptions(const std::string& field, const ColumnInfo& column,
                          const FeatureOptions& resolved, std::vector<FieldViolation>* violations);

}  // namespace trainyard

#endif  // TRAINYARD_CORE_DATA_CHECK_FEATURES_H_
