#include "server/base/http_call.h"

#include <curl/curl.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "core/base/check.h"
#include "core/base/error_info.h"
#include "core/base/status_macros.h"

namespace trainyard {
namespace {

using Handle = std::unique_ptr<CURL, decltype(&curl_easy_cleanup)>;
using HeaderList = std::unique_ptr<curl_slist, decltype(&curl_slist_free_all)>;
using Url = std::unique_ptr<CURLU, decltype(&curl_url_cleanup)>;

// Once in the process; curl's own initialisation is not thread-safe everywhere.
void StartCurl() {
  static const CURLcode started = curl_global_init(CURL_GLOBAL_DEFAULT);
  TY_CHECK(started == CURLE_OK);
}

// A part of a parsed URL; nullopt when it has none.
std::optional<std::string> Part(CURLU* url, CURLUPart part) {
  char* text = nullptr;
  if (curl_url_get(url, part, &text, 0) != CURLUE_OK) return std::nullopt;
  std::string copy = text;
  curl_free(text);
  return copy;
}

bool IsLoopback(absl::string_view host) {
  if (host == "localhost" || host == "[::1]") return true;
  return absl::StartsWith(host, "127.") &&
         host.find_first_not_of("0123456789.") == absl::string_view::npos;
}

// What is wrong with a URL; empty when nothing is.
std::string FaultOf(absl::string_view text, const HttpOptions& options) {
  if (text.size() > kUrlBytesMax) return absl::StrCat("is longer than ", kUrlBytesMax, " bytes");
  const Url url(curl_url(), &curl_url_cleanup);
  TY_CHECK(url != nullptr);
  const CURLUcode parsed = curl_url_set(url.get(), CURLUPART_URL, std::string(text).c_str(), 0);
  if (parsed != CURLUE_OK) return absl::StrCat("is no URL: ", curl_url_strerror(parsed));
  const std::string scheme = Part(url.get(), CURLUPART_SCHEME).value_or("");
  const std::string host = Part(url.get(), CURLUPART_HOST).value_or("");
  if (scheme != "https" && scheme != "http") return "must begin with https:// or http://";
  const bool in_the_clear = scheme == "http" && !IsLoopback(host) && !options.allow_plain_http;
  if (in_the_clear) return "must begin with https://, since it is on another machine";
  if (Part(url.get(), CURLUPART_USER) || Part(url.get(), CURLUPART_PASSWORD)) {
    return "must not have a user name or password; give a secret instead";
  }
  if (Part(url.get(), CURLUPART_FRAGMENT)) return "must not have a fragment (#)";
  return "";
}

struct BoundedBody {
  std::string bytes;
  size_t bytes_max = 0;
  bool exceeded = false;
};

size_t KeepBody(char* bytes, size_t size, size_t count, void* user) {
  auto* const body = static_cast<BoundedBody*>(user);
  const size_t room = body->bytes_max - body->bytes.size();
  body->exceeded = size * count > room;
  body->bytes.append(bytes, std::min(size * count, room));
  return body->exceeded ? 0 : size * count;  // 0: curl closes the connection
}

int CheckStopping(void* user, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
  return static_cast<const std::atomic<bool>*>(user)->load() ? 1 : 0;
}

HeaderList MakeHeaders(const std::vector<HttpHeader>& headers) {
  // Without "Expect: 100-continue" a service needs one round trip less, and some never answer it.
  curl_slist* list = curl_slist_append(nullptr, "Expect:");
  for (const HttpHeader& header : headers) {
    list = curl_slist_append(list, absl::StrCat(header.name, ": ", header.value).c_str());
  }
  TY_CHECK(list != nullptr);
  return HeaderList(list, &curl_slist_free_all);
}

template <typename Value>
void Set(CURL* handle, CURLoption option, Value value) {
  TY_CHECK(curl_easy_setopt(handle, option, value) == CURLE_OK);
}

void SetRules(CURL* handle, const HttpOptions& options) {
  Set(handle, CURLOPT_NOSIGNAL, 1L);
  Set(handle, CURLOPT_PROTOCOLS_STR, "http,https");
  Set(handle, CURLOPT_FOLLOWLOCATION, 0L);
  // A machine's own services are not reached through a proxy of the environment.
  Set(handle, CURLOPT_NOPROXY, "localhost,127.0.0.1,::1");
  // The course's hook looks its signature up as GitHub writes it; HTTP/2 would make it lower-case.
  Set(handle, CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
  Set(handle, CURLOPT_CONNECTTIMEOUT_MS,
      static_cast<long>(absl::ToInt64Milliseconds(options.connect_timeout)));
  Set(handle, CURLOPT_TIMEOUT_MS,
      static_cast<long>(absl::ToInt64Milliseconds(options.total_timeout)));
}

void SetMethod(CURL* handle, const HttpRequest& request) {
  if (request.method == HttpMethod::kGet) return Set(handle, CURLOPT_HTTPGET, 1L);
  Set(handle, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request.body.size()));
  Set(handle, CURLOPT_POSTFIELDS, request.body.data());
}

HttpAnswer ReadAnswer(CURL* handle, BoundedBody body) {
  long code = 0;
  curl_off_t retry_after_seconds = 0;
  TY_CHECK(curl_easy_getinfo(handle, CURLINFO_RESPONSE_CODE, &code) == CURLE_OK);
  TY_CHECK(curl_easy_getinfo(handle, CURLINFO_RETRY_AFTER, &retry_after_seconds) == CURLE_OK);
  return {.code = static_cast<int>(code),
          .body = std::move(body.bytes),
          .whole = !body.exceeded,
          .retry_after = absl::Seconds(retry_after_seconds)};
}

}  // namespace

absl::Status CheckHttpUrl(absl::string_view url, const HttpOptions& options) {
  const std::string fault = FaultOf(url, options);
  if (fault.empty()) return absl::OkStatus();
  return MakeViolationsError(ErrorReason::kInvalidRequest,
                             {{"url", absl::StrCat("\"", url.substr(0, 200), "\" ", fault)}});
}

absl::StatusOr<HttpAnswer> HttpCall(const HttpRequest& request, const HttpOptions& options,
                                    const std::atomic<bool>& stopping) {
  StartCurl();
  TY_RETURN_IF_ERROR(CheckHttpUrl(request.url, options));
  const Handle handle(curl_easy_init(), &curl_easy_cleanup);
  TY_CHECK(handle != nullptr);
  const HeaderList headers = MakeHeaders(request.headers);
  BoundedBody body{.bytes_max = options.answer_bytes_max};
  SetRules(handle.get(), options);
  Set(handle.get(), CURLOPT_URL, request.url.c_str());
  Set(handle.get(), CURLOPT_HTTPHEADER, headers.get());
  SetMethod(handle.get(), request);
  Set(handle.get(), CURLOPT_WRITEFUNCTION, &KeepBody);
  Set(handle.get(), CURLOPT_WRITEDATA, static_cast<void*>(&body));
  Set(handle.get(), CURLOPT_NOPROGRESS, 0L);
  Set(handle.get(), CURLOPT_XFERINFOFUNCTION, &CheckStopping);
  Set(handle.get(), CURLOPT_XFERINFODATA, const_cast<void*>(static_cast<const void*>(&stopping)));
  const CURLcode result = curl_easy_perform(handle.get());
  if (result == CURLE_ABORTED_BY_CALLBACK) return absl::CancelledError("the server stops");
  if (result == CURLE_OK || body.exceeded) return ReadAnswer(handle.get(), std::move(body));
  return absl::UnavailableError(curl_easy_strerror(result));
}

}  // namespace trainyard
