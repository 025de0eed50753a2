#include "core/data/schema_index.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "core/base/nearest.h"

namespace trainyard {
namespace {

constexpr size_t kNamesShownMax = 20;

}  // namespace

std::string NameList(const std::vector<std::string>& names) {
  const size_t shown = std::min(names.size(), kNamesShownMax);
  std::string list = absl::StrJoin(
      names.begin(), names.begin() + shown, ", ",
      [](std::string* out, const std::string& name) { absl::StrAppend(out, "\"", name, "\""); });
  if (shown < names.size()) absl::StrAppend(&list, " and ", names.size() - shown, " more");
  return list;
}

SchemaIndex::SchemaIndex(const Schema& schema) : schema_(schema) {
  for (const ColumnInfo& column : schema.columns) by_name_.emplace(column.name, &column);
}

const ColumnInfo* SchemaIndex::Find(absl::string_view name) const {
  const auto it = by_name_.find(name);
  return it == by_name_.end() ? nullptr : it->second;
}

std::string SchemaIndex::NoSuchColumn(absl::string_view name) const {
  std::vector<std::string> names;
  for (const ColumnInfo& column : schema_.columns) names.push_back(column.name);
  const std::string nearest = Nearest(name, names);
  if (!nearest.empty())
    return absl::StrCat("no column \"", name, "\"; did you mean \"", nearest, "\"?");
  return absl::StrCat("no column \"", name, "\"; the columns are ", NameList(names));
}

std::string MissingCells(const ColumnInfo& column) {
  return absl::StrCat("column \"", column.name, "\" has ", column.missing_count,
                      " missing cells; fill them or remove their rows, and upload again");
}

}  // namespace trainyard
