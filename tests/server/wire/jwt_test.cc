// Tokens and keys by the vectors of RFC 7515 and RFC 7638, and by what Python's cryptography made
// (tests/golden/make_tokens.py); and what verifiers of tokens were fooled with.
#include "server/wire/jwt.h"

#include <fstream>
#include <iterator>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "server/wire/json_web_keys.h"
#include "server/wire/signature.h"
#include "tests/support/status_matchers.h"

namespace trainyard {
namespace {

using namespace std::string_literals;
using testing::HasSubstr;
using testing::Not;

std::string Golden(const std::string& name) {
  std::ifstream file(TY_SOURCE_DIR "/tests/golden/tokens/" + name, std::ios::binary);
  std::string text{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  EXPECT_FALSE(text.empty()) << name;
  return text;
}

// RFC 7515, A.2.1, without its white space.
constexpr char kRfcModulus[] =
    "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4"
    "d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5re"
    "xMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxX"
    "FvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ";
constexpr char kRfcSigned[] =
    "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmN"
    "vbS9pc19yb290Ijp0cnVlfQ";
constexpr char kRfcSignature[] =
    "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5"
    "jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb"
    "1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QO"
    "YEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw";

RsaPublicKey GoldenKey(const std::string& id = "key-1") {
  const absl::StatusOr<JsonWebKeys> keys = ParseJsonWebKeys(Golden("keys.json"));
  EXPECT_THAT(keys, IsOk());
  return keys->at(id);
}

RsaPrivateKey PrivateKey() { return *RsaPrivateKey::FromPem(Golden("key.pem")); }

// The three parts of a token, unless they are given in base64url already.
std::string Token(const std::string& header, const std::string& payload) {
  const std::string text = absl::StrCat(Base64Url(header), ".", Base64Url(payload));
  return absl::StrCat(text, ".", Base64Url(PrivateKey().Sign(text)));
}

// Whether a token, as it stands, is taken by whoever has the key.
absl::Status Take(absl::string_view token, const RsaPublicKey& key) {
  const absl::StatusOr<Jwt> jwt = Jwt::Parse(token);
  return jwt.ok() ? jwt->Verify(key).status() : jwt.status();
}

TEST(RsaKeyTest, AgreesWithRfc7515) {
  ASSERT_OK_AND_ASSIGN(const RsaPublicKey key,
                       RsaPublicKey::FromNumbers(*ParseBase64Url(kRfcModulus), "\x01\x00\x01"s));
  const std::string signature = *ParseBase64Url(kRfcSignature);
  EXPECT_TRUE(key.Verify(kRfcSigned, signature));
  EXPECT_FALSE(key.Verify(absl::StrCat(kRfcSigned, "x"), signature));
  EXPECT_FALSE(key.Verify(kRfcSigned, signature + "x"));
  EXPECT_FALSE(key.Verify(kRfcSigned, signature.substr(1)));
  EXPECT_FALSE(key.Verify(kRfcSigned, ""));
}

TEST(RsaKeyTest, RefusesNumbersThatAreNoKeyOfTheSize) {
  const std::string modulus = *ParseBase64Url(kRfcModulus);
  const std::string exponent = "\x01\x00\x01"s;
  std::string even = modulus;
  even.back() = static_cast<char>(even.back() & ~1);
  EXPECT_THAT(RsaPublicKey::FromNumbers(even, exponent), Not(IsOk()));
  EXPECT_THAT(RsaPublicKey::FromNumbers(modulus, ""), Not(IsOk()));
  EXPECT_THAT(RsaPublicKey::FromNumbers(modulus, "\x01"), Not(IsOk()));
  EXPECT_THAT(RsaPublicKey::FromNumbers(modulus, "\x04"), Not(IsOk()));
  EXPECT_THAT(RsaPublicKey::FromNumbers(modulus, std::string(9, '\x03')), Not(IsOk()));
  EXPECT_THAT(RsaPublicKey::FromNumbers("\0"s + modulus, exponent), Not(IsOk()));
  EXPECT_THAT(RsaPublicKey::FromNumbers(modulus.substr(0, 128), exponent), Not(IsOk()));
  EXPECT_THAT(RsaPublicKey::FromNumbers(std::string(1024, '\xFF'), exponent), IsOk());
  EXPECT_THAT(RsaPublicKey::FromNumbers(std::string(1025, '\xFF'), exponent), Not(IsOk()));
}

TEST(RsaKeyTest, APrivateKeyReadsBackFromItsPem) {
  const RsaPrivateKey made = RsaPrivateKey::Generate();
  ASSERT_OK_AND_ASSIGN(const RsaPrivateKey read, RsaPrivateKey::FromPem(made.Pem()));
  EXPECT_EQ(made.public_key().modulus().size(), 256u);
  EXPECT_EQ(read.public_key().modulus(), made.public_key().modulus());
  EXPECT_TRUE(made.public_key().Verify("bytes", read.Sign("bytes")));
  EXPECT_FALSE(GoldenKey().Verify("bytes", read.Sign("bytes")));
  EXPECT_THAT(RsaPrivateKey::FromPem(made.public_key().Pem()), Not(IsOk()));
  EXPECT_THAT(RsaPrivateKey::FromPem("-----BEGIN PRIVATE KEY-----\n"), Not(IsOk()));
}

TEST(JsonWebKeysTest, ThumbprintAgreesWithRfc7638) {
  const char* const modulus =
      "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJEC"
      "PebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2Qvz"
      "qY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZ"
      "u0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw";
  ASSERT_OK_AND_ASSIGN(const RsaPublicKey key,
                       RsaPublicKey::FromNumbers(*ParseBase64Url(modulus), "\x01\x00\x01"s));
  EXPECT_EQ(JwkThumbprint(key), "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs");
  EXPECT_EQ(JwkThumbprint(GoldenKey()), Golden("thumbprint.txt"));
}

TEST(JsonWebKeysTest, KeepsTheKeysOfRs256AndLeavesOthersOut) {
  ASSERT_OK_AND_ASSIGN(const JsonWebKeys keys, ParseJsonWebKeys(Golden("keys.json")));
  std::vector<std::string> ids;
  for (const auto& [id, key] : keys) ids.push_back(id);
  EXPECT_EQ(absl::StrJoin(ids, ","), "key-1,key-2");
}

TEST(JsonWebKeysTest, OwnKeyIsOneThatItReads) {
  const std::string document =
      absl::StrCat("{\"keys\":[", PublicJwk(PrivateKey().public_key()), "]}");
  ASSERT_OK_AND_ASSIGN(const JsonWebKeys keys, ParseJsonWebKeys(document));
  ASSERT_EQ(keys.size(), 1u);
  EXPECT_EQ(keys.begin()->first, Golden("thumbprint.txt"));
  EXPECT_EQ(keys.begin()->second.modulus(), GoldenKey().modulus());
}

TEST(JsonWebKeysTest, RefusesWhatIsNoSet) {
  const std::string key = PublicJwk(PrivateKey().public_key());
  const auto set = [](const std::vector<std::string>& keys) {
    return absl::StrCat("{\"keys\":[", absl::StrJoin(keys, ","), "]}");
  };
  EXPECT_THAT(ParseJsonWebKeys("[]"), Not(IsOk()));
  EXPECT_THAT(ParseJsonWebKeys("{}"), Not(IsOk()));
  EXPECT_THAT(ParseJsonWebKeys("{\"keys\":{}}"), Not(IsOk()));
  EXPECT_THAT(ParseJsonWebKeys("{\"keys\":[1]}"), Not(IsOk()));
  EXPECT_THAT(ParseJsonWebKeys(set({key, key})), Not(IsOk()));  // nobody knows which is meant
  EXPECT_THAT(ParseJsonWebKeys(set({key}) + "x"), Not(IsOk()));
  EXPECT_THAT(
      ParseJsonWebKeys(absl::StrReplaceAll(set({key}), {{"\"kty\"", "\"kid\":\"b\",\"kty\""}})),
      Not(IsOk()));  // kid twice
  EXPECT_THAT(ParseJsonWebKeys(set(std::vector<std::string>(64, "{}"))), IsOk());
  EXPECT_THAT(ParseJsonWebKeys(set(std::vector<std::string>(65, "{}"))),
              HasReason(ErrorReason::kTooLarge));
  EXPECT_THAT(ParseJsonWebKeys(set({}) + std::string(kJsonWebKeysBytesMax, ' ')),
              HasReason(ErrorReason::kTooLarge));
}

TEST(JwtTest, ReadsWhatPythonSigned) {
  ASSERT_OK_AND_ASSIGN(const Jwt jwt, Jwt::Parse(Golden("token.txt")));
  EXPECT_EQ(jwt.key_id(), "key-1");
  ASSERT_OK_AND_ASSIGN(const Json::Object claims, jwt.Verify(GoldenKey()));
  EXPECT_EQ(*claims.at("repository_id").text(), "424242");
  EXPECT_EQ(*claims.at("exp").integer(), 1'800'000'900);
  EXPECT_FALSE(claims.contains("environment"));  // null
}

TEST(JwtTest, SignsWhatPythonSigns) {
  Json::Object claims;
  claims["iss"] = "client-7";
  claims["sub"] = "client-7";
  claims["aud"] = "https://platform.example/token";
  claims["iat"] = int64_t{1'800'000'000};
  claims["exp"] = int64_t{1'800'000'300};
  claims["jti"] = "one";
  EXPECT_EQ(SignJwt(claims, Golden("thumbprint.txt"), PrivateKey()), Golden("signed.txt"));
}

TEST(JwtTest, AnotherKeysTokenIsRefused) {
  EXPECT_THAT(Take(Golden("other.txt"), GoldenKey()), HasReason(ErrorReason::kInvalidRequest));
  EXPECT_THAT(Take(Golden("token.txt"), GoldenKey("key-2")),
              HasReason(ErrorReason::kInvalidRequest));
}

TEST(JwtTest, AnyChangedByteBreaksIt) {
  const std::string token = Golden("token.txt");
  const RsaPublicKey key = GoldenKey();
  ASSERT_THAT(Take(token, key), IsOk());
  for (size_t at = 0; at < token.size(); ++at) {
    std::string changed = token;
    changed[at] = changed[at] == 'A' ? 'B' : 'A';
    EXPECT_THAT(Take(changed, key), Not(IsOk())) << at;
  }
}

TEST(JwtTest, ATokenHasOneSpelling) {
  const std::string token = Golden("token.txt");
  const RsaPublicKey key = GoldenKey();
  const size_t last = token.size() - 1;
  for (const std::string& other :
       {token + "=", token + "==", token + " ", "\n" + token, token + ".", "." + token,
        token.substr(0, last), absl::StrReplaceAll(token, {{".", ".."}}), std::string()}) {
    EXPECT_THAT(Take(other, key), Not(IsOk())) << other;
  }
  // 256 bytes end in a character with four unused bits.
  for (const char c : {'B', 'C', 'D', 'h', 'x'}) {
    std::string changed = token;
    if (changed[last] == c) continue;
    changed[last] = c;
    EXPECT_THAT(Take(changed, key), Not(IsOk())) << c;
  }
  EXPECT_THAT(Take(absl::StrReplaceAll(token, {{"-", "+"}, {"_", "/"}}), key), Not(IsOk()));
}

TEST(JwtTest, OnlyRs256WithAKeyIdIsTaken) {
  const RsaPublicKey key = GoldenKey();
  EXPECT_THAT(Take(Token(R"({"alg":"RS256","kid":"key-1"})", "{}"), key), IsOk());
  for (const char* const header :
       {R"({"alg":"none","kid":"key-1"})", R"({"alg":"None","kid":"key-1"})",
        R"({"alg":"HS256","kid":"key-1"})", R"({"alg":"rs256","kid":"key-1"})",
        R"({"alg":"RS384","kid":"key-1"})", R"({"alg":"PS256","kid":"key-1"})",
        R"({"alg":["RS256"],"kid":"key-1"})", R"({"kid":"key-1"})", R"({"alg":"RS256"})",
        R"({"alg":"RS256","kid":""})", R"({"alg":"RS256","kid":7})",
        R"({"alg":"RS256","kid":"key-1","crit":["exp"]})",
        R"({"alg":"RS256","kid":"key-1","b64":false,"crit":["b64"]})",
        R"({"alg":"none","alg":"RS256","kid":"key-1"})", R"({"alg":"RS256","kid":"key-1"} x)",
        R"(["RS256","key-1"])", "null", ""}) {
    EXPECT_THAT(Take(Token(header, "{}"), key), Not(IsOk())) << header;
  }
  const std::string long_id(kKeyIdBytesMax + 1, 'k');
  EXPECT_THAT(Take(Token(absl::StrCat(R"({"alg":"RS256","kid":")", long_id, "\"}"), "{}"), key),
              Not(IsOk()));
}

TEST(JwtTest, WithoutSignatureOrWithThePublicKeyAsSecretItIsRefused) {
  const RsaPublicKey key = GoldenKey();
  const std::vector<std::string> parts = absl::StrSplit(Golden("token.txt"), '.');
  const std::string none = Base64Url(R"({"alg":"none","kid":"key-1"})");
  EXPECT_THAT(Take(absl::StrCat(none, ".", parts[1], "."), key), Not(IsOk()));
  EXPECT_THAT(Take(absl::StrCat(parts[0], ".", parts[1], "."), key), Not(IsOk()));
  EXPECT_THAT(Take(absl::StrCat(parts[0], ".", parts[1]), key), Not(IsOk()));
  for (const char* const header :
       {R"({"alg":"HS256","kid":"key-1"})", R"({"alg":"RS256","kid":"key-1"})"}) {
    const std::string text = absl::StrCat(Base64Url(header), ".", parts[1]);
    const std::string mac = absl::HexStringToBytes(HmacSha256Hex(key.Pem(), text));
    EXPECT_THAT(Take(absl::StrCat(text, ".", Base64Url(mac)), key), Not(IsOk())) << header;
  }
}

TEST(JwtTest, ClaimsAreOneObjectWithoutRepetition) {
  const std::string header = R"({"alg":"RS256","kid":"key-1"})";
  const RsaPublicKey key = GoldenKey();
  for (const char* const payload :
       {R"({"aud":"a","aud":"b"})", R"({"aud":null,"aud":"b"})", R"({"a":{"b":1,"b":2}})",
        R"({"aud":"a"}{})", R"({"aud":"a"} x)", "[]", "\"a\"", "", "{\"a\":\"\xFF\"}",
        R"({"a":1e})"}) {
    EXPECT_THAT(Take(Token(header, payload), key), Not(IsOk())) << payload;
  }
  ASSERT_OK_AND_ASSIGN(
      const Jwt jwt,
      Jwt::Parse(Token(header, R"({"exp":1e400,"iat":1.5,"n":99999999999999999999})")));
  ASSERT_OK_AND_ASSIGN(const Json::Object claims, jwt.Verify(key));
  for (const auto& [name, value] : claims) EXPECT_EQ(value.integer(), nullptr) << name;
}

TEST(JwtTest, ATokenIsBoundedAndItsErrorsQuoteNothingOfIt) {
  const std::string header = R"({"alg":"RS256","kid":"key-1"})";
  const absl::Status too_long = Jwt::Parse(Token(header, std::string(kJwtBytesMax, 'x'))).status();
  EXPECT_THAT(too_long, HasReason(ErrorReason::kInvalidRequest));
  const absl::Status no_object = Take(Token(header, R"(["s3cr3t"])"), GoldenKey());
  EXPECT_THAT(std::string(no_object.message()), Not(HasSubstr("s3cr3t")));
}

TEST(Base64UrlTest, IsStrict) {
  EXPECT_EQ(Base64Url("\xFB\xFF"), "-_8");
  EXPECT_EQ(ParseBase64Url("-_8"), "\xFB\xFF");
  EXPECT_EQ(ParseBase64Url(""), "");
  for (const char* const bad : {"-_8=", "-_9", "+/8", "-_8 ", "-", "-\n_8", "a.b"}) {
    EXPECT_EQ(ParseBase64Url(bad), std::nullopt) << bad;
  }
}

}  // namespace
}  // namespace trainyard
