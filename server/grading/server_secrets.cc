#include "server/grading/server_secrets.h"

#include <optional>

#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "core/base/check.h"
#include "core/base/status_macros.h"
#include "server/base/ids.h"
#include "server/grading/submission_store.h"
#include "server/storage/database.h"

namespace trainyard {

namespace {

constexpr absl::string_view kToolKeyName = "lti-tool-key";

// The secret of the name; `made` when there is none.
absl::StatusOr<std::string> FindOrStore(Database* database, absl::string_view name,
                                        std::string made) {
  std::string secret;
  const absl::Status written = database->Write([&](Connection& connection) -> absl::Status {
    TY_ASSIGN_OR_RETURN(std::optional<std::string> found, FindSecret(connection, name));
    const bool is_new = !found.has_value();
    secret = is_new ? made : *std::move(found);
    return is_new ? WriteSecret(connection, name, secret) : absl::OkStatus();
  });
  TY_RETURN_IF_ERROR(written);
  return secret;
}

}  // namespace

absl::StatusOr<std::string> FindOrMakeSecret(Database* database, absl::string_view name) {
  return FindOrStore(database, name, absl::HexStringToBytes(NewToken()));
}

absl::StatusOr<RsaPrivateKey> FindOrMakeToolKey(Database* database) {
  std::optional<std::string> pem;
  TY_RETURN_IF_ERROR(database->Read([&](Connection& connection) -> absl::Status {
    TY_ASSIGN_OR_RETURN(pem, FindSecret(connection, kToolKeyName));
    return absl::OkStatus();
  }));
  // Not in a transaction: it takes long, and others write meanwhile.
  if (!pem.has_value()) {
    TY_ASSIGN_OR_RETURN(pem, FindOrStore(database, kToolKeyName, RsaPrivateKey::Generate().Pem()));
  }
  return RsaPrivateKey::FromPem(*pem);
}

absl::StatusOr<SigningKey> FindOrMakeSigningKey(Database* database) {
  TY_ASSIGN_OR_RETURN(const std::string seed, FindOrMakeSecret(database, "signing-seed"));
  return SigningKey::FromSeed(seed);
}

std::vector<uint64_t> SeedsOf(absl::string_view secret, absl::string_view assignment, int count) {
  std::vector<uint64_t> seeds;
  for (int i = 0; i < count; ++i) {
    const std::string hex = HmacSha256Hex(secret, absl::StrCat("seed ", assignment, " ", i));
    uint64_t seed = 0;
    TY_CHECK(absl::SimpleHexAtoi(hex.substr(0, 12), &seed));
    seeds.push_back(seed);
  }
  return seeds;
}

std::string PseudonymOf(absl::string_view secret, absl::string_view assignment,
                        absl::string_view student) {
  return HmacSha256Hex(secret, absl::StrCat("pseudonym ", assignment, " ", student)).substr(0, 8);
}

}  // namespace trainyard
