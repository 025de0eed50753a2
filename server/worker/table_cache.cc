#include "server/worker/table_cache.h"

#include <algorithm>
#include <utility>

namespace trainyard {

std::shared_ptr<const Table> TableCache::Find(absl::string_view digest) {
  const auto found = std::find_if(entries_.begin(), entries_.end(),
                                  [&](const Entry& entry) { return entry.digest == digest; });
  if (found == entries_.end()) return nullptr;
  entries_.splice(entries_.begin(), entries_, found);
  return entries_.front().table;
}

void TableCache::Insert(absl::string_view digest, std::shared_ptr<const Table> table) {
  const int64_t size_bytes = TableSizeBytes(*table);
  if (size_bytes > size_bytes_max_ || Find(digest) != nullptr) return;
  Shrink(size_bytes_max_ - size_bytes);
  entries_.push_front({std::string(digest), std::move(table), size_bytes});
  size_bytes_ += size_bytes;
}

void TableCache::Shrink(int64_t size_bytes_max) {
  while (size_bytes_ > size_bytes_max) {
    size_bytes_ -= entries_.back().size_bytes;
    entries_.pop_back();
  }
}

int64_t TableSizeBytes(const Table& table) {
  size_t bytes = 0;
  for (const Column& column : table.columns) {
    bytes += static_cast<size_t>(column.numbers.owned_bytes() + column.codes.owned_bytes());
    for (const std::string& category : column.categories)
      bytes += sizeof category + category.capacity();
  }
  return static_cast<int64_t>(bytes);
}

}  // namespace trainyard
