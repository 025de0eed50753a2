// HttpCall asks another service by libcurl: a GET without a body, or a POST with one. No redirect
// is followed, certificates are verified, and a service that hangs or talks for ever is left. The
// only file that includes libcurl.
//
//   std::atomic<bool> stopping = false;
//   TY_ASSIGN_OR_RETURN(HttpAnswer answer, HttpCall({.url = url, .body = document}, options,
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
#ifndef TRAINYARD_SERVER_BASE_HTTP_CALL_H_
#define TRAINYARD_SERVER_BASE_HTTP_CALL_H_

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
  // Of an answer's body. Beyond it the connection is closed, and the answer is what came before.
  size_t answer_bytes_max = 64 << 10;
  // http to other machines.
  bool allow_plain_http = false;
};

struct HttpHeader {
  std::string name;
  std::string value;
  bool operator==(const HttpHeader&) const = default;
};

enum class HttpMethod { kGet, kPost };

struct HttpRequest {
  std::string url;
  HttpMethod method = HttpMethod::kPost;
  std::vector<HttpHeader> headers;
  std::string body;  // of a POST
};

struct HttpAnswer {
  int code = 0;  // 100 to 599
  std::string body;
  bool whole = true;  // false: the body is longer than HttpOptions::answer_bytes_max
  // What the service asks to be left alone for; zero without a Retry-After.
  absl::Duration retry_after = absl::ZeroDuration();

  bool ok() const { return code >= 200 && code <= 299; }
};

// Whether `url` may be called.
absl::Status CheckHttpUrl(absl::string_view url, const HttpOptions& options);

// `stopping` is looked at about once a second.
absl::StatusOr<HttpAnswer> HttpCall(const HttpRequest& request, const HttpOptions& options,
                                    const std::atomic<bool>& stopping);

}  // namespace trainyard

#endif  // TRAINYARD_SERVER_BASE_HTTP_CALL_H_
