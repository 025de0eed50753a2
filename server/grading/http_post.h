// HttpPost sends one document to another service by libcurl: what a delivery needs, and no more. No
// redirect is followed, certificates are verified, and a service that hangs or talks for ever is
// left. The only file that includes libcurl.
//
//   std::atomic<bool> stopping = false;
//   TY_ASSIGN_OR_RETURN(HttpAnswer answer, HttpPost({.url = url, .body = document}, options,
//   stopping));
//
// What may be called: https anywhere, since an instructor of a course may name any service; http
// only on this machine, unless HttpOptions says otherwise, since points and tokens would cross the
// network in the clear. Services of the operator's network that trust whoever reaches them by https
// are the operator's firewall's to protect.
//
// Thread-safety: any thread. Blocks for HttpOptions::total_timeout at most.
// Errors: INVALID_ARGUMENT/INVALID_REQUEST for a URL that may not be called; UNAVAILABLE with
// curl's words when there is no whole answer; CANCELLED when `stopping` became true.
#ifndef TRAINYARD_SERVER_GRADING_HTTP_POST_H_
#define TRAINYARD_SERVER_GRADING_HTTP_POST_H_

#include <atomic>
#include <cstddef>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace trainyard {

inline constexpr size_t kUrlBytesMax = 2048;

struct HttpOptions {
  absl::Duration connect_timeout = absl::Seconds(10);
  // Of the whole call. Longer: slow services are waited for, and hold up what waits behind them.
  absl::Duration total_timeout = absl::Seconds(30);
  // Of an answer's body, which is thrown away. Beyond it the connection is closed, and the code
  // counts.
  size_t answer_bytes_max = 64 << 10;
  // http to other machines.
  bool allow_plain_http = false;
};

struct HttpHeader {
  std::string name;
  std::string value;
  bool operator==(const HttpHeader&) const = default;
};

struct HttpRequest {
  std::string url;
  std::vector<HttpHeader> headers;
  std::string body;
};

struct HttpAnswer {
  int code = 0;  // 100 to 599
  // What the service asks to be left alone for; zero without a Retry-After.
  absl::Duration retry_after;
};

// Whether `url` may be called.
absl::Status CheckHttpUrl(absl::string_view url, const HttpOptions& options);

// `stopping` is looked at about once a second.
absl::StatusOr<HttpAnswer> HttpPost(const HttpRequest& request, const HttpOptions& options,
                                    const std::atomic<bool>& stopping);

}  // namespace trainyard

#endif  // TRAINYARD_SERVER_GRADING_HTTP_POST_H_
