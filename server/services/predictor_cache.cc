#include "server/services/predictor_cache.h"

#include <algorithm>
#include <utility>

#include "core/base/status_macros.h"
#include "core/model/bundle.h"

namespace trainyard {

absl::StatusOr<std::shared_ptr<const Predictor>> PredictorCache::Get(const v1::Model& model) {
  if (auto predictor = Find(model.digest())) return predictor;
  TY_ASSIGN_OR_RETURN(const std::string bytes, models_->LoadBundle(model));
  TY_ASSIGN_OR_RETURN(Bundle bundle, DecodeBundle(bytes));
  TY_ASSIGN_OR_RETURN(std::shared_ptr<const Predictor> predictor,
                      Predictor::Create(std::move(bundle)));
  Insert({model.digest(), static_cast<int64_t>(bytes.size()), predictor});
  return predictor;
}

size_t PredictorCache::size() const {
  absl::MutexLock lock(&mutex_);
  return entries_.size();
}

std::shared_ptr<const Predictor> PredictorCache::Find(const std::string& digest) {
  absl::MutexLock lock(&mutex_);
  const auto it = std::find_if(entries_.begin(), entries_.end(),
                               [&](const Entry& entry) { return entry.digest == digest; });
  if (it == entries_.end()) return nullptr;
  entries_.splice(entries_.begin(), entries_, it);
  return it->predictor;
}

void PredictorCache::Insert(Entry entry) {
  absl::MutexLock lock(&mutex_);
  const bool there = std::any_of(entries_.begin(), entries_.end(),
                                 [&](const Entry& other) { return other.digest == entry.digest; });
  if (there || entry.bytes > options_.bytes_max) return;
  bytes_ += entry.bytes;
  entries_.push_front(std::move(entry));
  while (entries_.size() > options_.entries_max || bytes_ > options_.bytes_max) {
    bytes_ -= entries_.back().bytes;
    entries_.pop_back();
  }
}

}  // namespace trainyard
