// LtiTokens gets and keeps the access tokens with which LTI 1.3 platforms take scores: OAuth 2
// client credentials, where the client proves itself by a signed assertion (RFC 7523; IMS Security
// Framework 1.0, 4.1.1).
//
//   LtiTokens tokens(find_key);
//   TY_ASSIGN_OR_RETURN(const LtiGrant grant, tokens.Get(client, call, absl::Now()));
//   if (grant.token.empty()) ...                    // the platform refused: grant.answer says how
//   ... send with "Authorization: Bearer " and grant.token; it says 401 ...
//   tokens.Drop(client);
//
// A token is used again until kRenewBefore its end. At most kTokensMax are kept: beyond them the
// one that ends first goes.
//
// Thread-safety: none; the queue's thread has one (delivery_queue.h). Blocks as `call` does.
// Errors: those of `call` and of the key; UNAVAILABLE for a 2xx without a token. No message, and no
// log line, has an assertion, a token or any other part of an answer's body.
#ifndef TRAINYARD_SERVER_GRADING_LTI_TOKEN_H_
#define TRAINYARD_SERVER_GRADING_LTI_TOKEN_H_

#include <compare>
#include <cstddef>
#include <functional>
#include <map>
#include <string>
#include <utility>

#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "server/base/http_call.h"
#include "server/wire/rsa_key.h"

namespace trainyard {

// This server, as a platform knows it.
struct LtiClient {
  std::string token_url;
  std::string client_id;
  std::string audience;  // of assertions; empty: token_url
  auto operator<=>(const LtiClient&) const = default;
};

struct LtiGrant {
  std::string token;  // empty: there is none
  bool used = false;  // by an earlier Get
  HttpAnswer answer;  // without a token: what the platform said instead; its body is empty
};

// What the platform is asked with. `id` is the assertion's `jti`, and never the same.
HttpRequest LtiTokenRequest(const LtiClient& client, const RsaPrivateKey& key, absl::string_view id,
                            absl::Time now);

class LtiTokens {
 public:
  static constexpr absl::Duration kAssertionLifetime = absl::Minutes(5);
  static constexpr absl::Duration kRenewBefore = absl::Seconds(60);
  static constexpr size_t kTokensMax = 1'000;
  static constexpr size_t kTokenBytesMax = 8'192;

  using FindKey = std::function<absl::StatusOr<RsaPrivateKey>()>;
  using Call = absl::FunctionRef<absl::StatusOr<HttpAnswer>(const HttpRequest&)>;
  // `find_key` finds the key whose public half the platforms have.
  explicit LtiTokens(FindKey find_key) : find_key_(std::move(find_key)) {}

  absl::StatusOr<LtiGrant> Get(const LtiClient& client, Call call, absl::Time now);
  // It is not taken any more.
  void Drop(const LtiClient& client) { tokens_.erase(client); }
  size_t size() const { return tokens_.size(); }

 private:
  struct Token {
    std::string text;
    absl::Time renew_at;
  };
  void Keep(const LtiClient& client, Token token, absl::Time now);

  const FindKey find_key_;
  std::map<LtiClient, Token> tokens_;
};

}  // namespace trainyard

#endif  // TRAINYARD_SERVER_GRADING_LTI_TOKEN_H_
