// SchemaIndex finds columns of a schema by name and words the faults that every check of a spec has
// in common.
//
//   const SchemaIndex index(schema);
//   const ColumnInfo* column = index.Find("age");
//   if (column == nullptr) fault = index.NoSuchColumn("age");
//
// Thread-safety: immutable. Lifetime: `schema` must outlive it.
#ifndef TRAINYARD_CORE_DATA_SCHEMA_INDEX_H_
#define TRAINYARD_CORE_DATA_SCHEMA_INDEX_H_

#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/string_view.h"
#include "core/data/dataset.h"

namespace trainyard {

// "a", "b", "c" and 7 more: in quotes, at most 20.
std::string NameList(const std::vector<std::string>& names);

class SchemaIndex {
 public:
  explicit SchemaIndex(const Schema& schema);

  const Schema& schema() const { return schema_; }

  // nullptr when there is none of that name.
  const ColumnInfo* Find(absl::string_view name) const;

  // With the nearest name, or all of them.
  std::string NoSuchColumn(absl::string_view name) const;

 private:
  const Schema& schema_;
  absl::flat_hash_map<absl::string_view, const ColumnInfo*> by_name_;
};

// Of a column that must have none.
std::string MissingCells(const ColumnInfo& column);

}  // namespace trainyard

#endif  // TRAINYARD_CORE_DATA_SCHEMA_INDEX_H_
