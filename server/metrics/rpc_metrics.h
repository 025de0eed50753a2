// RpcMetrics counts and times RPCs under the names of go-grpc-prometheus, so that existing
// dashboards work unchanged.
//
// prometheus-cpp finds a series by hashing a map of labels under the family's lock; here each
// method's series are looked up once and kept, and after that a call costs one hash of the method's
// name under a shared lock.
//
// Thread-safety: all methods from any thread. Lifetime: `registry` must outlive this.
#ifndef TRAINYARD_SERVER_METRICS_RPC_METRICS_H_
#define TRAINYARD_SERVER_METRICS_RPC_METRICS_H_

#include <memory>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "prometheus/counter.h"
#include "prometheus/histogram.h"
#include "prometheus/registry.h"

namespace trainyard {

class RpcMetrics {
 public:
  // Methods with series of their own; more are counted together as service and method "other".
  static constexpr size_t kMethodsMax = 128;

  explicit RpcMetrics(prometheus::Registry* registry);

  // See Metrics for the arguments.
  void Started(absl::string_view method, absl::string_view grpc_type);
  void Handled(absl::string_view method, absl::string_view grpc_type, absl::string_view code,
               double seconds);
  void MessageReceived(absl::string_view method, absl::string_view grpc_type);
  void MessageSent(absl::string_view method, absl::string_view grpc_type);

 private:
  struct Series {
    prometheus::Labels labels;
    prometheus::Counter* started;
    prometheus::Counter* received;
    prometheus::Counter* sent;
    prometheus::Histogram* handling;  // nullptr unless unary
    // A series of its own for each code that was seen. Guarded by mutex_.
    absl::flat_hash_map<std::string, prometheus::Counter*> handled;
  };

  // Finds or makes. The pointer is valid while this lives.
  Series* Find(absl::string_view method, absl::string_view grpc_type) ABSL_LOCKS_EXCLUDED(mutex_);
  std::unique_ptr<Series> MakeSeries(absl::string_view method, absl::string_view grpc_type);
  prometheus::Counter& FindHandled(Series* series, absl::string_view code)
      ABSL_LOCKS_EXCLUDED(mutex_);

  // Constant after construction.
  prometheus::Family<prometheus::Counter>& started_;
  prometheus::Family<prometheus::Counter>& handled_;
  prometheus::Family<prometheus::Counter>& received_;
  prometheus::Family<prometheus::Counter>& sent_;
  prometheus::Family<prometheus::Histogram>& handling_;

  absl::Mutex mutex_;
  absl::flat_hash_map<std::string, std::unique_ptr<Series>> series_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace trainyard

#endif  // TRAINYARD_SERVER_METRICS_RPC_METRICS_H_
