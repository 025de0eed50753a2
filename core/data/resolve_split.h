// The part of ResolveDataConfig that is about the split: which rows train, validate and test.
//
// Thread-safety: pure functions.
#ifndef TRAINYARD_CORE_DATA_RESOLVE_SPLIT_H_
#define TRAINYARD_CORE_DATA_RESOLVE_SPLIT_H_

#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "core/base/error_info.h"
#include "core/data/dataset.h"
#include "core/data/schema_index.h"

namespace trainyard {

// Columns that the split goes by, with the fields that name them: "split.group_column", …. Those
// that are named only.
std::vector<std::pair<std::string, std::string>> SplitColumns(const SplitConfig& split);

// Checks config->split and chooses the fractions that are not given.
// REQUIRES: target, labels, weights, features and task of `config` are resolved as far as they can
// be.
void ResolveSplit(const SchemaIndex& columns, DataConfig* config,
                  std::vector<FieldViolation>* violations);

}  // namespace trainyard

#endif  // TRAINYARD_CORE_DATA_RESOLVE_SPLIT_H_
