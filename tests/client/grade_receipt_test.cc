// `trainyard grade` against servers that lie: points count only as they were signed.
#include <cstdlib>
#include <fstream>
#include <functional>
#include <sstream>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "client/cli.h"
#include "core/base/error_info.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/client/scripted_server.h"
#include "tests/client/signed_receipt.h"

namespace trainyard {
namespace {

using testing::EndsWith;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using Words = std::vector<std::string>;

constexpr char kAccepted[] = R"(name: "courses/dl/assignments/hw1/submissions/s1")";
constexpr char kTold[] = R"(name: "courses/dl/assignments/hw1/submissions/s1"
    state: SUBMISSION_STATE_DONE receipt: "ty_1" student: "ann"
    spec_digest: "sha256:ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"
    result { points: 100 max_points: 100 score: 0.98 metric: SCORE_METRIC_ACCURACY sealed: true
             criteria { name: "accuracy at least 0.9" points: 100 max_points: 100 passed: true } })";

std::string File(const std::string& name, const std::string& bytes) {
  const std::string path = absl::StrCat(testing::TempDir(), "/", name);
  std::ofstream(path, std::ios::binary) << bytes;
  return path;
}

std::string ReadFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::stringstream bytes;
  bytes << file.rdbuf();
  return bytes.str();
}

class GradeReceiptTest : public testing::Test {
 protected:
  GradeReceiptTest() {
    unsetenv("GITHUB_REPOSITORY_ID");
    server_.Answer("CreateSubmission", {kAccepted});
    server_.Answer("WaitSubmission", {kTold});
    server_.Answer("GetSigningKey", {KeyAnswer(key_)});
    Sign(ReceiptOf(kTold));
  }
  ~GradeReceiptTest() override { unsetenv("GITHUB_REPOSITORY_ID"); }

  // What the receipt says from now on.
  void Sign(const ReceiptFields& fields) {
    server_.Answer("GetReceipt", {ReceiptAnswer(fields, key_)});
  }
  ExitCode Grade(const Words& more = {}) {
    Words arguments = {absl::StrCat("--server=", server_.address()),
                       "grade",
                       "--assignment",
                       "dl/hw1",
                       "--spec",
                       spec_,
                       "--wait"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    out_.str("");
    err_.str("");
    Interrupt interrupt;
    return RunCli(arguments, {out_, err_}, &interrupt,
                  {.delay_min = absl::ZeroDuration(), .retries_max = 0});
  }
  void ExpectRefused(const Words& more, const std::string& why) {
    EXPECT_EQ(Grade(more), ExitCode::kRefused) << err_.str();
    EXPECT_THAT(err_.str(), HasSubstr(why));
    EXPECT_THAT(out_.str(), Not(HasSubstr("Points")));
  }
  int Calls(const std::string& method) const {
    int calls = 0;
    for (const std::string& request : server_.requests()) {
      if (absl::StartsWith(request, method + " ")) ++calls;
    }
    return calls;
  }

  const std::string spec_ = File("receipt_spec.yaml", "epochs: 3\n");
  const SigningKey key_ = SigningKey::Generate();
  ScriptedServer server_;
  std::ostringstream out_, err_;
};

TEST_F(GradeReceiptTest, PointsThatWereSignedArePrintedForTwoMoreCalls) {
  EXPECT_EQ(Grade(), ExitCode::kOk) << err_.str();
  EXPECT_THAT(out_.str(), EndsWith("\nPoints 100/100\n"));
  EXPECT_EQ(server_.requests().size(), 5u);
  EXPECT_EQ(server_.requests().back(),
            R"(GetReceipt name: "courses/dl/assignments/hw1/submissions/s1")");
  EXPECT_EQ(Calls("GetSigningKey"), 1);
}

TEST_F(GradeReceiptTest, WhatTheReceiptDoesNotSayIsNotPrinted) {
  const struct {
    const char* why;
    std::function<void(ReceiptFields*)> change;
  } cases[] = {
      {R"(points "10 of 100", not "100 of 100")",
       [](ReceiptFields* fields) { fields->result->points = 10; }},
      {R"(points "100 of 1000", not "100 of 100")",
       [](ReceiptFields* fields) { fields->result->max_points = 1000; }},
      {R"(submission "courses/dl/assignments/hw1/submissions/s2", not )",
       [](ReceiptFields* fields) {
         fields->submission = "courses/dl/assignments/hw1/submissions/s2";
       }},
      {R"(assignment "courses/dl/assignments/hw2", not "courses/dl/assignments/hw1")",
       [](ReceiptFields* fields) { fields->assignment = "courses/dl/assignments/hw2"; }},
      {R"(student "bob", not "ann")", [](ReceiptFields* fields) { fields->student = "bob"; }},
      {R"(spec "sha256:aaaa)",
       [](ReceiptFields* fields) { fields->spec_digest = "sha256:" + std::string(64, 'a'); }},
      {R"(id "ty_2", not "ty_1")", [](ReceiptFields* fields) { fields->id = "ty_2"; }},
      {R"(score "0.5", not "0.97999999999999998")",
       [](ReceiptFields* fields) { fields->result->score = 0.5; }},
      {R"(data "public", not "sealed")",
       [](ReceiptFields* fields) { fields->result->sealed = false; }},
      {"other criteria", [](ReceiptFields* fields) { fields->result->criteria[0].passed = false; }},
      {R"(points "withheld", not "released")",
       [](ReceiptFields* fields) { fields->released = false; }},
      {R"(public score "0.5", not "none")",
       [](ReceiptFields* fields) { fields->public_score = 0.5; }},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(c.why);
    ReceiptFields fields = ReceiptOf(kTold);
    c.change(&fields);
    Sign(fields);
    ExpectRefused({}, c.why);
  }
}

// An answer about another submission, with that one's own receipt.
TEST_F(GradeReceiptTest, AnotherSubmissionIsNotTheOneThatWasAccepted) {
  const std::string other = absl::StrReplaceAll(kTold, {{"submissions/s1", "submissions/s2"}});
  server_.Answer("WaitSubmission", {other});
  Sign(ReceiptOf(other));
  ExpectRefused({}, R"(submissions/s2", not "courses/dl/assignments/hw1/submissions/s1")");
}

TEST_F(GradeReceiptTest, AnotherKeyProvesNothing) {
  const SigningKey own = SigningKey::Generate();
  server_.Answer("GetReceipt", {ReceiptAnswer(ReceiptOf(kTold), own)});
  ExpectRefused({}, "the receipt is signed with key");
  // One who signs his lies is consistent; whoever knows the course's key finds him out.
  server_.Answer("GetSigningKey", {KeyAnswer(own)});
  EXPECT_EQ(Grade(), ExitCode::kOk);
  ExpectRefused({"--public-key", key_.public_key()}, "the receipt is signed with key");
}

TEST_F(GradeReceiptTest, AGivenKeyIsNotAskedFor) {
  EXPECT_EQ(Grade({"--public-key", key_.public_key()}), ExitCode::kOk) << err_.str();
  const std::string path = File("key.txt", key_.public_key() + "\n");
  EXPECT_EQ(Grade({"--public-key-file", path}), ExitCode::kOk) << err_.str();
  EXPECT_EQ(Calls("GetSigningKey"), 0);
}

TEST_F(GradeReceiptTest, AKeyThatIsNoneIsFoundBeforeAnythingIsSent) {
  EXPECT_EQ(Grade({"--public-key", "abc"}), ExitCode::kUsage);
  EXPECT_EQ(Grade({"--public-key-file", "/no/such/key"}), ExitCode::kUsage);
  EXPECT_THAT(server_.requests(), IsEmpty());
}

TEST_F(GradeReceiptTest, WithoutAReceiptThereAreNoPoints) {
  const auto built = BuildReceipt(ReceiptOf(kTold), ReceiptCopy::kStudent, key_);
  const std::string altered =
      absl::StrReplaceAll(*built, {{"\"student\":\"ann\"", "\"student\":\"eve\""}});
  ASSERT_NE(altered, *built);
  server_.Answer("GetReceipt", {DocumentAnswer(altered)});
  ExpectRefused({}, "altered after it was signed");
  for (const char* none : {"", "hello", "{}"}) {
    server_.Answer("GetReceipt", {DocumentAnswer(none)});
    ExpectRefused({}, "this is no receipt");
  }
  server_.Refuse("GetReceipt", MakeError(absl::StatusCode::kFailedPrecondition, "has no receipt",
                                         {.reason = ErrorReason::kInvalidState}));
  ExpectRefused({}, "has no receipt");
  server_.Answer("GetSigningKey", {""});
  EXPECT_EQ(Grade(), ExitCode::kInfra);
  EXPECT_THAT(out_.str(), Not(HasSubstr("Points")));
}

TEST_F(GradeReceiptTest, ItIsOfTheRepositoryWhosePipelineThisIs) {
  ReceiptFields fields = ReceiptOf(kTold);
  fields.source = {.repository_id = "42", .commit = "c0ffee", .run_id = "9", .verified = true};
  Sign(fields);
  EXPECT_EQ(Grade(), ExitCode::kOk) << err_.str();
  EXPECT_EQ(Grade({"--source-repository", "42"}), ExitCode::kOk) << err_.str();
  ExpectRefused({"--source-repository", "43"}, R"(repository "42", not "43")");
  setenv("GITHUB_REPOSITORY_ID", "42", 1);
  EXPECT_EQ(Grade(), ExitCode::kOk) << err_.str();
  setenv("GITHUB_REPOSITORY_ID", "43", 1);
  ExpectRefused({}, R"(repository "42", not "43")");
  // What nobody proved is not compared.
  fields.source->verified = false;
  Sign(fields);
  EXPECT_EQ(Grade(), ExitCode::kOk) << err_.str();
  fields.source.reset();
  Sign(fields);
  EXPECT_EQ(Grade(), ExitCode::kOk) << err_.str();
}

// --at-least goes by the public score while points are withheld.
TEST_F(GradeReceiptTest, APublicScoreThatWasNotSignedPassesNothing) {
  server_.Answer("WaitSubmission", {absl::StrCat(kTold, " withheld: true public_score: 1")});
  ExpectRefused({"--at-least", "0.9"}, R"(public score "none", not "1")");
  ReceiptFields fields = ReceiptOf(kTold);
  fields.public_score = 1;
  Sign(fields);
  ExpectRefused({"--at-least", "0.9"}, R"(points "released", not "withheld")");
  fields.released = false;
  Sign(fields);
  EXPECT_EQ(Grade({"--at-least", "0.9"}), ExitCode::kOk) << err_.str();
}

TEST_F(GradeReceiptTest, WhatWasNotGradedNeedsNoReceipt) {
  server_.Answer("WaitSubmission", {"state: SUBMISSION_STATE_UNGRADABLE"});
  EXPECT_EQ(Grade(), ExitCode::kRefused);
  EXPECT_EQ(Calls("GetReceipt") + Calls("GetSigningKey"), 0);
}

TEST_F(GradeReceiptTest, NoDocumentHasPointsThatWereNotSigned) {
  ReceiptFields fields = ReceiptOf(kTold);
  fields.student = "bob";
  Sign(fields);
  const std::string path = absl::StrCat(testing::TempDir(), "/lie.json");
  const std::string outputs = File("lie_output", "");
  ExpectRefused({"--github", "--github-output", outputs, "--gradescope", path, "--at-least", "0.5"},
                "student");
  EXPECT_THAT(ReadFile(path), Not(HasSubstr("100")));
  EXPECT_THAT(ReadFile(outputs), testing::StartsWith("points=\n"));
  EXPECT_EQ(Grade({"-o", "json"}), ExitCode::kRefused);
  EXPECT_THAT(out_.str(), testing::StartsWith("{\"error\":"));
  EXPECT_THAT(out_.str(), Not(HasSubstr("max_points")));
}

}  // namespace
}  // namespace trainyard
