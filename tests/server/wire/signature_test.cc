// Signatures by the test vectors of RFC 8032, codes by those of RFC 4231. Receipts signed by
// Python's cryptography are in receipt_test.cc.
#include "server/wire/signature.h"

#include "absl/strings/escaping.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/status_matchers.h"

namespace trainyard {
namespace {

struct Vector {
  const char* seed;
  const char* public_key;
  const char* message;
  const char* signature;
};

// RFC 8032, section 7.1, tests 1 to 3.
constexpr Vector kVectors[] = {
    {"9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
     "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
     "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b"
     "46bd"
     "25bf5f0595bbe24655141438e7a100b"},
    {"4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
     "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "72",
     "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11"
     "d8c3"
     "87b2eaeb4302aeeb00d291612bb0c00"},
    {"c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
     "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025", "af82",
     "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc"
     "6594"
     "a7c15e9716ed28dc027beceea1ec40a"}};

TEST(SignatureTest, AgreesWithRfc8032) {
  for (const Vector& vector : kVectors) {
    const std::string message = absl::HexStringToBytes(vector.message);
    ASSERT_OK_AND_ASSIGN(const SigningKey key,
                         SigningKey::FromSeed(absl::HexStringToBytes(vector.seed)));
    EXPECT_EQ(key.public_key(), vector.public_key);
    EXPECT_EQ(key.Sign(message), vector.signature);
    EXPECT_TRUE(VerifySignature(message, vector.signature, vector.public_key));
    EXPECT_FALSE(VerifySignature(message + "x", vector.signature, vector.public_key));
    EXPECT_EQ(absl::BytesToHexString(key.seed()), vector.seed);
  }
}

TEST(SignatureTest, AnyChangedBitOfASignatureBreaksIt) {
  const SigningKey key = SigningKey::Generate();
  const std::string signature = absl::HexStringToBytes(key.Sign("message"));
  for (size_t bit = 0; bit < signature.size() * 8; ++bit) {
    std::string changed = signature;
    changed[bit / 8] = static_cast<char>(changed[bit / 8] ^ (1 << (bit % 8)));
    EXPECT_FALSE(VerifySignature("message", absl::BytesToHexString(changed), key.public_key()))
        << bit;
  }
}

TEST(SignatureTest, KeysDifferAndKeepTheirSeed) {
  const SigningKey one = SigningKey::Generate(), two = SigningKey::Generate();
  EXPECT_NE(one.public_key(), two.public_key());
  EXPECT_FALSE(VerifySignature("m", one.Sign("m"), two.public_key()));
  ASSERT_OK_AND_ASSIGN(const SigningKey again, SigningKey::FromSeed(one.seed()));
  EXPECT_EQ(again.public_key(), one.public_key());
  EXPECT_EQ(again.key_id(), Sha256Hex(absl::HexStringToBytes(one.public_key())).substr(0, 16));
}

TEST(SignatureTest, MalformedInputIsNotValid) {
  EXPECT_FALSE(VerifySignature("m", "zz", kVectors[0].public_key));
  EXPECT_FALSE(VerifySignature("m", kVectors[0].signature, "abc"));
  EXPECT_FALSE(IsPublicKey("abc"));
  EXPECT_THAT(SigningKey::FromSeed("short"),
              StatusIs(absl::StatusCode::kInvalidArgument, testing::HasSubstr("5 bytes")));
}

// RFC 4231, tests 1, 2 and 6 (a key longer than a block); FIPS 180-2 for the digest.
TEST(SignatureTest, CodesAgreeWithRfc4231) {
  EXPECT_EQ(HmacSha256Hex(std::string(20, '\x0b'), "Hi There"),
            "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
  EXPECT_EQ(HmacSha256Hex("Jefe", "what do ya want for nothing?"),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
  EXPECT_EQ(HmacSha256Hex(std::string(131, '\xaa'),
                          "Test Using Larger Than Block-Size Key - Hash Key First"),
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
  EXPECT_EQ(Sha256Hex("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

}  // namespace
}  // namespace trainyard
