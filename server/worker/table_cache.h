// TableCache keeps the tables that jobs trained on last, by digest: a course trains hundreds of
// jobs on one dataset. Bounded by bytes; the least recently used go first. A table in use stays
// alive through its shared_ptr.
//
//   if (auto table = cache.Find(digest)) return table;
//   cache.Insert(digest, table);
//
// Thread-safety: none; one training thread.
#ifndef TRAINYARD_SERVER_WORKER_TABLE_CACHE_H_
#define TRAINYARD_SERVER_WORKER_TABLE_CACHE_H_

#include <cstdint>
#include <list>
#include <memory>
#include <string>

#include "absl/strings/string_view.h"
#include "core/data/table.h"

namespace trainyard {

class TableCache {
 public:
  static constexpr int64_t kSizeBytesMax = int64_t{256} << 20;

  explicit TableCache(int64_t size_bytes_max = kSizeBytesMax) : size_bytes_max_(size_bytes_max) {}

  // nullptr when it is not there. A found table becomes the most recently used one.
  std::shared_ptr<const Table> Find(absl::string_view digest);
  // A table larger than the whole cache is not kept.
  void Insert(absl::string_view digest, std::shared_ptr<const Table> table);
  // Drops tables until at most `size_bytes_max` are left, for a job with little memory.
  void Shrink(int64_t size_bytes_max);
  int64_t size_bytes() const { return size_bytes_; }

 private:
  struct Entry {
    std::string digest;
    std::shared_ptr<const Table> table;
    int64_t size_bytes = 0;
  };

  const int64_t size_bytes_max_;
  std::list<Entry> entries_;  // most recently used first; few, so that a search is a walk
  int64_t size_bytes_ = 0;
};

// Bytes that a table takes in memory, about.
int64_t TableSizeBytes(const Table& table);

}  // namespace trainyard

#endif  // TRAINYARD_SERVER_WORKER_TABLE_CACHE_H_
