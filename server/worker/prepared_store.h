// PreparedStore keeps prepared data in files that the workers of a machine share: the second job on
// the same data maps what the first one made, and all of them share its pages. A cache: files may
// go at any time, and every fault of it only means that data is prepared again.
//
//   PreparedStore store(directory, bytes_max);
//   const std::string key = PreparedStore::KeyOf(assignment, fold);
//   if (auto prepared = store.Find(key, config)) …  // else prepare, and store.Keep(key, prepared)
//   TY_RETURN_IF_ERROR(store.CheckUsed());          // before a result counts
//
// Bounded by bytes: the least recently used files go first (by their time stamps, which Find
// renews). Thread-safety: none; one training thread. Several processes may share a directory.
#ifndef TRAINYARD_SERVER_WORKER_PREPARED_STORE_H_
#define TRAINYARD_SERVER_WORKER_PREPARED_STORE_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/status/status.h"
#include "core/data/dataset_codec.h"
#include "trainyard/v1/worker.pb.h"

namespace trainyard {

class PreparedStore {
 public:
  // Smaller data is prepared faster than it is worth keeping.
  static constexpr int64_t kBytesMin = int64_t{8} << 20;

  // Where to look from now on. An empty directory, or no bytes: nothing is kept.
  void Use(std::string directory, int64_t bytes_max);

  // Of everything that the prepared data depends on: tables, data part of the spec, seed, fold, build.
  static std::string KeyOf(const v1::JobAssignment& assignment, int64_t fold);

  std::optional<PreparedData> Find(const std::string& key, const DataConfig& config);
  // True when `prepared` is in a file now, where Find finds it.
  bool Keep(const std::string& key, const PreparedData& prepared);
  // For a file of this process that loses its name at once; empty when there is no directory.
  std::string ScratchPath() const;

  // Reads what Find gave out since the last call and this process has not read before, and compares it with its checksums.
  // DATA_LOSS when it is damaged; the file is gone then.
  absl::Status CheckUsed();

 private:
  struct Used {
    std::string key;
    PreparedFile file;
  };

  std::string PathOf(const std::string& key) const { return directory_ + "/" + key; }
  bool keeps() const { return !directory_.empty() && bytes_max_ > 0; }
  // Of this process alone.
  std::string TemporaryPath(const std::string& name) const;
  // Makes room for `bytes`.
  void Evict(int64_t bytes) const;

  std::string directory_;
  int64_t bytes_max_ = 0;
  std::vector<Used> used_;                    // not yet checked
  absl::flat_hash_set<std::string> checked_;  // keys; emptied beyond kCheckedMax
};

}  // namespace trainyard

#endif  // TRAINYARD_SERVER_WORKER_PREPARED_STORE_H_
