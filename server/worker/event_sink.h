// The two things a job needs of the world outside its process: somewhere to send what happens, and
// blobs. The gRPC stream and an in-memory recorder in tests implement them.
#ifndef TRAINYARD_SERVER_WORKER_EVENT_SINK_H_
#define TRAINYARD_SERVER_WORKER_EVENT_SINK_H_

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "trainyard/v1/worker.pb.h"

namespace trainyard {

// Thread-safety: Send from any thread; messages leave in the order of the calls. May block while
// the peer is slow.
class EventSink {
 public:
  virtual ~EventSink() = default;
  virtual void Send(const v1::WorkRequest& request) = 0;
};

// Thread-safety: all methods from any thread. Errors: those of the rpcs ReadBlob and WriteBlob.
class BlobClient {
 public:
  virtual ~BlobClient() = default;
  virtual absl::StatusOr<std::string> ReadBlob(absl::string_view digest) = 0;
  // OK: durable.
  virtual absl::Status WriteBlob(absl::string_view bytes, absl::string_view digest) = 0;
};

}  // namespace trainyard

#endif  // TRAINYARD_SERVER_WORKER_EVENT_SINK_H_
