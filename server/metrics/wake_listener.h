// WakeListener opens a connection to a listener of this process and closes it again, so that a
// server that looks at its stop flag only between connections sees it now. civetweb, under
// prometheus-cpp, otherwise sleeps up to 2 s before it stops.
//
// Thread-safety: free function.
#ifndef TRAINYARD_SERVER_METRICS_WAKE_LISTENER_H_
#define TRAINYARD_SERVER_METRICS_WAKE_LISTENER_H_

#include "absl/strings/string_view.h"

namespace trainyard {

// `address` is "host:port" with an IPv4 host in numbers; only the host is used. Does nothing when
// it is anything else, or when nobody listens.
void WakeListener(absl::string_view address, int port);

}  // namespace trainyard

#endif  // TRAINYARD_SERVER_METRICS_WAKE_LISTENER_H_
