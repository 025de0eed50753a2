// Receipts, byte for byte against documents that Python wrote and signed
// (tests/golden/make_receipts.py).
#include "server/wire/receipt.h"

#include <fstream>
#include <limits>
#include <sstream>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "core/base/error_info.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/wire/canonical_json.h"
#include "tests/support/status_matchers.h"

namespace trainyard {
namespace {

using testing::HasSubstr;
using testing::IsSupersetOf;
using testing::Not;

std::string Golden(const std::string& name) {
  std::ifstream file(TY_SOURCE_DIR "/tests/golden/receipt/" + name, std::ios::binary);
  std::stringstream bytes;
  bytes << file.rdbuf();
  return bytes.str();
}

std::string Digest(char letter) { return "sha256:" + std::string(64, letter); }

SigningKey Key() {
  std::string seed;
  for (int i = 0; i < 32; ++i) seed.push_back(static_cast<char>(i));
  return *SigningKey::FromSeed(seed);
}

absl::Time Time(const char* text) {
  absl::Time time;
  std::string error;
  EXPECT_TRUE(absl::ParseTime(absl::RFC3339_full, text, &time, &error)) << error;
  return time;
}

Json SpecJson(const std::string& text) { return *ParseJson(text, {.numbers_as_text = true}); }

ReceiptFields Fields() {
  ReceiptFields fields;
  fields.id = "r1";
  fields.course = "courses/dl";
  fields.assignment = "courses/dl/assignments/hw-mlp";
  fields.assignment_version = 2;
  fields.policy_version = 3;
  fields.policy_digest = Digest('e');
  fields.student = "u\xC3\xBC\xF0\x9F\x98\x80";
  fields.submission = "courses/dl/assignments/hw-mlp/submissions/s1";
  fields.accepted_at = Time("2027-02-10T21:40:55.123456789+03:00");
  fields.graded_at = Time("2027-02-10T18:42:07Z");
  fields.spec_digest = Digest('f');
  fields.spec = SpecJson(
      R"({"layers": [{"units": 64}], "epochs": 20, "optimizer": {"learningRate": 0.001, "weightDecay": 1e-05}})");
  fields.data = {{"training", std::string(64, 'a'), Digest('c')},
                 {"sealed", std::string(64, 'b'), Digest('d')}};
  fields.runs = {{Digest('5'), std::numeric_limits<uint64_t>::max(), 0.93, 0.921},
                 {Digest('7'), 7, 0.925, 0.1}};
  fields.engine = {"0.1.0 (abc)", "2.6.3", "AVX2", 1, "GenuineIntel 6", true};
  fields.work = {18410, 9007199254740993, 20};
  fields.public_score = 0.9275;
  fields.result = ReceiptResult{.points = 40,
                                .max_points = 100,
                                .score = 0.92,
                                .metric = "ACCURACY",
                                .sealed = true,
                                .criteria = {{"accuracy at least 0.85", 40, 40, true},
                                             {"accuracy at least 0.95", 0, 60, false}}};
  return fields;
}

TEST(ReceiptTest, EqualsWhatPythonWroteAndSigned) {
  ReceiptFields fields = Fields();
  EXPECT_EQ(*BuildReceipt(fields, ReceiptCopy::kStudent, Key()), Golden("student.json"));
  EXPECT_EQ(*BuildReceipt(fields, ReceiptCopy::kStaff, Key()), Golden("staff.json"));
  fields.released = true;
  EXPECT_EQ(*BuildReceipt(fields, ReceiptCopy::kStudent, Key()), Golden("released.json"));
}

TEST(ReceiptTest, SaysWhereTheSpecCameFrom) {
  ReceiptFields fields = Fields();
  fields.released = true;
  fields.source = {"42", "c0ffee", "987654", true};
  EXPECT_EQ(*BuildReceipt(fields, ReceiptCopy::kStudent, Key()), Golden("sourced.json"));
  ASSERT_OK_AND_ASSIGN(const Receipt receipt,
                       VerifyReceipt(Golden("sourced.json"), Key().public_key()));
  EXPECT_EQ(receipt.fields.source, fields.source);
  // What the submitter left out stays empty.
  fields.source = {.commit = "c0ffee"};
  ASSERT_OK_AND_ASSIGN(const std::string staff, BuildReceipt(fields, ReceiptCopy::kStaff, Key()));
  EXPECT_EQ(VerifyReceipt(staff, Key().public_key())->fields.source, fields.source);
}

// As all were before they had one.
TEST(ReceiptTest, WithoutASourceItStillVerifies) {
  for (const char* name : {"student.json", "released.json", "staff.json"}) {
    ASSERT_OK_AND_ASSIGN(const Receipt receipt, VerifyReceipt(Golden(name), Key().public_key()));
    EXPECT_EQ(receipt.fields.source, std::nullopt);
  }
}

TEST(ReceiptTest, EveryFaultOfASourceIsNamed) {
  const auto with = [](const char* source) {
    return ParseReceipt(
        absl::StrReplaceAll(Golden("released.json"),
                            {{"\"spec\":", absl::StrCat("\"source\":", source, ",\"spec\":")}}));
  };
  EXPECT_THAT(ViolatedFields(with("7").status()), testing::Contains("source"));
  EXPECT_THAT(ViolatedFields(
                  with(R"({"commit":7,"run_id":"9","verified":"yes","branch":"main"})").status()),
              testing::UnorderedElementsAre("source.repository_id", "source.commit",
                                            "source.verified", "source.branch"));
}

TEST(ReceiptTest, TheStaffCopyReadsBackWhole) {
  const SigningKey key = Key();
  ASSERT_OK_AND_ASSIGN(const Receipt receipt,
                       VerifyReceipt(Golden("staff.json"), key.public_key()));
  ReceiptFields expected = Fields();
  expected.accepted_at = Time("2027-02-10T18:40:55.123456Z");
  expected.seeds_revealed = true;
  expected.spec = SpecJson(
      R"({"epochs":20,"layers":[{"units":64}],"optimizer":{"learningRate":"0.001","weightDecay":"1e-05"}})");
  EXPECT_EQ(receipt.fields, expected);
  EXPECT_EQ(receipt.copy, ReceiptCopy::kStaff);
  EXPECT_EQ(receipt.key_id, key.key_id());
}

TEST(ReceiptTest, TheStudentsCopyHasNothingOfSealedData) {
  ASSERT_OK_AND_ASSIGN(const std::string document,
                       BuildReceipt(Fields(), ReceiptCopy::kStudent, Key()));
  for (const char* secret : {"0.921", "0.92\"", "18446744073709551615", "sealed_value",
                             "public_value", "points", "accuracy", "table_digest"}) {
    EXPECT_THAT(document, Not(HasSubstr(secret)));
  }
  ASSERT_OK_AND_ASSIGN(const Receipt receipt, ParseReceipt(document));
  EXPECT_EQ(receipt.fields.result, std::nullopt);
  EXPECT_FALSE(receipt.fields.seeds_revealed);
}

TEST(ReceiptTest, RevealedSeedsAreToldToStudents) {
  ReceiptFields fields = Fields();
  fields.seeds_revealed = true;
  ASSERT_OK_AND_ASSIGN(const std::string document,
                       BuildReceipt(fields, ReceiptCopy::kStudent, Key()));
  ASSERT_OK_AND_ASSIGN(const Receipt receipt, ParseReceipt(document));
  EXPECT_EQ(receipt.fields.runs[0].seed, std::numeric_limits<uint64_t>::max());
  EXPECT_EQ(receipt.fields.runs[0].sealed_value, std::nullopt);
}

// Layout is not content: what `jq .` makes of a receipt is still signed.
TEST(ReceiptTest, WhiteSpaceDoesNoHarm) {
  const std::string spaced = absl::StrReplaceAll(Golden("student.json"), {{",\"", ",\n  \""}});
  EXPECT_THAT(VerifyReceipt(spaced, Key().public_key()), IsOk());
}

// Each byte in turn: what is still JSON must be found out by the signature.
TEST(ReceiptTest, AnyChangedByteIsNoticed) {
  const std::string document = Golden("released.json");
  const std::string public_key = Key().public_key();
  for (size_t i = 0; i < document.size(); ++i) {
    std::string changed = document;
    changed[i] = changed[i] == '1' ? '2' : '1';
    EXPECT_FALSE(VerifyReceipt(changed, public_key).ok()) << i;
  }
}

TEST(ReceiptTest, SaysWhatIsWrong) {
  const std::string document = Golden("released.json"), key = Key().public_key();
  const auto altered = VerifyReceipt(
      absl::StrReplaceAll(document, {{"\"points\":40,\"score", "\"points\":99,\"score"}}), key);
  EXPECT_THAT(altered, StatusIs(absl::StatusCode::kDataLoss, HasSubstr("altered")));
  EXPECT_THAT(altered, HasReason(ErrorReason::kDigestMismatch));
  EXPECT_THAT(VerifyReceipt(document, SigningKey::Generate().public_key()),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr(Key().key_id())));
  EXPECT_THAT(VerifyReceipt("hello", key),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("no receipt")));
  EXPECT_THAT(VerifyReceipt("{}", key),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("no receipt")));
}

TEST(ReceiptTest, EveryFaultOfADocumentIsNamed) {
  const auto parsed = ParseReceipt(absl::StrReplaceAll(
      Golden("staff.json"),
      {{"\"assignment_version\":2", "\"assignment_version\":0"},
       {"\"copy\":\"staff\"", "\"copy\":\"staff\",\"extra\":1"},
       {"\"epochs\":20,\"parameters\":\"18410\"", "\"epochs\":20,\"parameters\":\"018410\""},
       {"2027-02-10T18:42:07.000000Z", "2027-02-10 18:42"},
       {"\"decimal\":\"0.921\"", "\"decimal\":\"0.922\""},
       {"\"seed_count\":2", "\"seed_count\":3"},
       {"\"deterministic\":true", "\"deterministic\":\"yes\""},
       {"\"student\":\"u", "\"person\":\"u"}}));
  ASSERT_FALSE(parsed.ok());
  EXPECT_THAT(ViolatedFields(parsed.status()),
              IsSupersetOf({"assignment_version", "extra", "work.parameters", "graded_at",
                            "runs[0].sealed_value", "seed_count", "engine.deterministic", "student",
                            "person"}));
}

TEST(ReceiptTest, WhatCannotBeSaidIsNotSigned) {
  ReceiptFields fields = Fields();
  fields.public_score = std::numeric_limits<double>::quiet_NaN();
  fields.result->points = int64_t{1} << 60;
  fields.runs[1].sealed_value = std::numeric_limits<double>::infinity();
  const auto built = BuildReceipt(fields, ReceiptCopy::kStaff, Key());
  EXPECT_THAT(ViolatedFields(built.status()),
              testing::ElementsAre("public_score", "runs[1].sealed_value", "result.points"));
  fields = Fields();
  fields.spec = Json::Array();
  EXPECT_THAT(ViolatedFields(BuildReceipt(fields, ReceiptCopy::kStaff, Key()).status()),
              testing::ElementsAre("spec"));
  fields = Fields();
  fields.previous = "none";
  EXPECT_THAT(ViolatedFields(BuildReceipt(fields, ReceiptCopy::kStaff, Key()).status()),
              testing::ElementsAre("previous"));
  fields = Fields();
  fields.result.reset();
  EXPECT_THAT(ViolatedFields(BuildReceipt(fields, ReceiptCopy::kStudent, Key()).status()),
              testing::ElementsAre("result"));
}

TEST(ReceiptTest, WhatNobodyCouldReadIsNotSigned) {
  ReceiptFields fields = Fields();
  fields.spec = Json::Object{{"target_column", std::string(kJsonBytesMax, 'x')}};
  EXPECT_THAT(BuildReceipt(fields, ReceiptCopy::kStudent, Key()),
              HasReason(ErrorReason::kTooLarge));
}

TEST(ReceiptTest, ReceiptsAreAChain) {
  ReceiptFields fields = Fields();
  ASSERT_OK_AND_ASSIGN(const std::string first, BuildReceipt(fields, ReceiptCopy::kStaff, Key()));
  fields.previous = ReceiptDigest(first);
  ASSERT_OK_AND_ASSIGN(const std::string second, BuildReceipt(fields, ReceiptCopy::kStaff, Key()));
  EXPECT_EQ(ParseReceipt(second)->fields.previous, absl::StrCat("sha256:", Sha256Hex(first)));
}

}  // namespace
}  // namespace trainyard
