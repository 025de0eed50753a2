// Keeps what a worker sends, and blobs in memory: the world outside a job, for tests.
//
// Thread-safety: all methods from any thread.
#ifndef TRAINYARD_TESTS_SUPPORT_RECORDING_SINK_H_
#define TRAINYARD_TESTS_SUPPORT_RECORDING_SINK_H_

#include <map>
#include <string>
#include <vector>

#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "server/base/steady_clock.h"
#include "server/worker/event_sink.h"

namespace trainyard {

class RecordingSink : public EventSink {
 public:
  void Send(const v1::WorkRequest& request) override {
    absl::MutexLock lock(&mu_);
    requests_.push_back(request);
  }
  std::vector<v1::WorkRequest> requests() const {
    absl::MutexLock lock(&mu_);
    return requests_;
  }
  std::vector<v1::JobEvent> events() const {
    std::vector<v1::JobEvent> events;
    for (const v1::WorkRequest& request : requests()) {
      events.insert(events.end(), request.events().events().begin(),
                    request.events().events().end());
    }
    return events;
  }
  // Whether at least `count` messages came within 10 s.
  bool WaitForRequests(size_t count) const {
    const auto has_them = [this, count] { return requests_.size() >= count; };
    absl::MutexLock lock(&mu_);
    return AwaitFor(mu_, absl::Condition(&has_them), absl::Seconds(10));
  }

 private:
  mutable absl::Mutex mu_;
  std::vector<v1::WorkRequest> requests_;
};

// The fields are for when nobody reads or writes.
class MemoryBlobs : public BlobClient {
 public:
  absl::StatusOr<std::string> ReadBlob(absl::string_view digest) override {
    absl::MutexLock lock(&mu_);
    ++reads;
    const auto found = blobs.find(std::string(digest));
    if (found == blobs.end()) return absl::NotFoundError(digest);
    return found->second;
  }
  absl::Status WriteBlob(absl::string_view bytes, absl::string_view digest) override {
    absl::MutexLock lock(&mu_);
    blobs[std::string(digest)] = std::string(bytes);
    return write_status;
  }

  std::map<std::string, std::string> blobs;
  absl::Status write_status;
  int reads = 0;

 private:
  absl::Mutex mu_;
};

}  // namespace trainyard

#endif  // TRAINYARD_TESTS_SUPPORT_RECORDING_SINK_H_
