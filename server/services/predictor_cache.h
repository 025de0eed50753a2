// PredictorCache keeps the models used last ready to predict, by the digest of their bundle.
// Bounded by count and by bundle bytes; the one used longest ago goes first.
//
//   TY_ASSIGN_OR_RETURN(std::shared_ptr<const Predictor> predictor, cache.Get(model));
//
// Thread-safety: all methods from any thread. Two calls that miss at once may both load; one result
// is kept. Ownership: callers share the predictor; one that was evicted lives until its last call
// is done.
#ifndef TRAINYARD_SERVER_SERVICES_PREDICTOR_CACHE_H_
#define TRAINYARD_SERVER_SERVICES_PREDICTOR_CACHE_H_

#include <cstdint>
#include <list>
#include <memory>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "core/model/predictor.h"
#include "server/storage/model_store.h"
#include "trainyard/v1/model.pb.h"

namespace trainyard {

class PredictorCache {
 public:
  struct Options {
    size_t entries_max = 16;
    int64_t bytes_max = int64_t{1} << 30;  // of bundles; one larger than this is used but not kept
  };

  // REQUIRES: `models` outlives the cache.
  PredictorCache(const Options& options, const ModelStore* models)
      : options_(options), models_(models) {}

  // Errors: DATA_LOSS (the bundle does not match its digest, or cannot be read).
  absl::StatusOr<std::shared_ptr<const Predictor>> Get(const v1::Model& model);

  size_t size() const;

 private:
  struct Entry {
    std::string digest;
    int64_t bytes = 0;
    std::shared_ptr<const Predictor> predictor;
  };

  std::shared_ptr<const Predictor> Find(const std::string& digest);
  void Insert(Entry entry);

  const Options options_;
  const ModelStore* const models_;
  mutable absl::Mutex mutex_;
  std::list<Entry> entries_ ABSL_GUARDED_BY(mutex_);  // used last first; few enough to search
  int64_t bytes_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace trainyard

#endif  // TRAINYARD_SERVER_SERVICES_PREDICTOR_CACHE_H_
