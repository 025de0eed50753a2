#include "server/grading/delivery_document.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/status_matchers.h"

namespace trainyard {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

CheckRun Orlova(const std::string& login = "m-orlova") {
  return {.repository_prefix = "fintech-dl-hse-",
          .assignment = "hw-mlp-train",
          .github_login = login,
          .points = 86,
          .max_points = 100,
          .completed_at = absl::FromUnixMillis(1'802'284'927'999)};
}

LtiScore Score() {
  return {.user_id = "5323497",
          .centipoints = 8600,
          .max_points = 100,
          .timestamp = absl::FromUnixMillis(1'802'284'927'315),
          .submitted_at = absl::FromUnixMillis(1'802'284'855'000),
          .new_submission = false,
          .comment = "Trainyard \"ty_01J9\""};
}

// GRADING.md, 3.2 (a), without its line break; the begun second is a whole one.
TEST(CheckRunDocumentTest, IsTheDocumentByteForByte) {
  ASSERT_OK_AND_ASSIGN(const DeliveryDocument document, CheckRunDocument(Orlova()));
  EXPECT_EQ(
      document.body,
      R"({"check_run":{"output":{"summary":"Points 86/100"},"completed_at":"2027-02-10T18:42:08Z"},)"
      R"("sender":{"login":"m-orlova"},"repository":{"name":"fintech-dl-hse-hw-mlp-train-m-orlova"}})");
  EXPECT_THAT(document.warnings, IsEmpty());
}

TEST(CheckRunDocumentTest, WhatTheHookWouldChokeOnIsRefused) {
  for (const char* login : {"", "robot[bot]", "has space", "-first", "a/b", "\xD0\xB8",
                            "a123456789012345678901234567890123456789"}) {
    EXPECT_THAT(ViolatedFields(CheckRunDocument(Orlova(login)).status()),
                ElementsAre("github_login"))
        << login;
  }
  CheckRun run = Orlova();
  run.points = -1;
  run.max_points = 0;
  run.completed_at = absl::InfiniteFuture();
  EXPECT_THAT(ViolatedFields(CheckRunDocument(run).status()),
              ElementsAre("points", "max_points", "completed_at"));
  run = Orlova();
  run.repository_prefix = "fintech dl ";
  EXPECT_THAT(ViolatedFields(CheckRunDocument(run).status()), ElementsAre("repository_prefix"));
}

TEST(CheckRunDocumentTest, ALoginThatIsMergedIsWarnedOf) {
  EXPECT_THAT(CheckRunDocument(Orlova("ivan-2004"))->warnings,
              ElementsAre(HasSubstr("for the student \"ivan\"")));
  EXPECT_THAT(CheckRunDocument(Orlova("ivan2004"))->warnings, IsEmpty());
  EXPECT_THAT(CheckRunDocument(Orlova("ivan-2004x"))->warnings, IsEmpty());
}

TEST(LtiScoreDocumentTest, IsTheDocumentByteForByte) {
  ASSERT_OK_AND_ASSIGN(const DeliveryDocument document, LtiScoreDocument(Score()));
  EXPECT_EQ(
      document.body,
      R"({"userId":"5323497","scoreGiven":86,"scoreMaximum":100,"activityProgress":"Completed",)"
      R"("gradingProgress":"FullyGraded","timestamp":"2027-02-10T18:42:07.000Z",)"
      R"("comment":"Trainyard \"ty_01J9\"","https://canvas.instructure.com/lti/submission":)"
      R"({"new_submission":false,"submitted_at":"2027-02-10T18:40:55.000Z"}})");
}

TEST(LtiScoreDocumentTest, ZeroIsSentAndMoreThanAllIsCut) {
  LtiScore score = Score();
  score.centipoints = 0;
  EXPECT_THAT(LtiScoreDocument(score)->body, HasSubstr("\"scoreGiven\":0,"));
  score.centipoints = 7'705;
  EXPECT_THAT(LtiScoreDocument(score)->body, HasSubstr("\"scoreGiven\":77.05,"));
  score.centipoints = 12'000;
  ASSERT_OK_AND_ASSIGN(const DeliveryDocument document, LtiScoreDocument(score));
  EXPECT_THAT(document.body, HasSubstr("\"scoreGiven\":100,\"scoreMaximum\":100"));
  EXPECT_THAT(document.warnings, ElementsAre(HasSubstr("120")));
  score.above_max = true;
  EXPECT_THAT(LtiScoreDocument(score)->body, HasSubstr("\"scoreGiven\":120,"));
  EXPECT_THAT(LtiScoreDocument(score)->warnings, IsEmpty());
}

TEST(LtiScoreDocumentTest, EveryFaultIsNamed) {
  LtiScore score = Score();
  score.user_id = "";
  score.centipoints = -5;
  score.comment = std::string(kDeliveryCommentBytesMax + 1, 'x');
  EXPECT_THAT(ViolatedFields(LtiScoreDocument(score).status()),
              ElementsAre("points", "lti_user_id", "comment"));
}

TEST(SameOriginTest, IsOfSchemeHostAndPort) {
  constexpr char kUrl[] = "https://lms.example/items/{assignment}?type=1";
  for (const char* same : {"https://lms.example", "HTTPS://LMS.Example:443/other", kUrl,
                           "https://lms.example?x", "https://lms.example#x"}) {
    EXPECT_TRUE(SameOrigin(kUrl, same)) << same;
    EXPECT_TRUE(SameOrigin(same, kUrl)) << same;
  }
  for (const char* other :
       {"http://lms.example/", "https://lms.example:8443/", "https://lms.example.evil/",
        "https://evil/?https://lms.example/", "https://lms.example@evil/", "https://a@lms.example/",
        "https://lms.example\\@evil/", "lms.example", "ftp://lms.example/", "https:///", "http",
        "://", ""}) {
    EXPECT_FALSE(SameOrigin(kUrl, other)) << other;
  }
  EXPECT_TRUE(SameOrigin("http://[::1]/a", "http://[::1]:80/b"));
  EXPECT_FALSE(SameOrigin("http://[::1]:81/a", "http://[::1]/a"));
  EXPECT_FALSE(SameOrigin("", ""));
}

TEST(LtiScoresUrlTest, ScoresStandBeforeAQuery) {
  EXPECT_EQ(LtiScoresUrl("https://lms/items/7", "hw"), "https://lms/items/7/scores");
  EXPECT_EQ(LtiScoresUrl("https://lms/{assignment}?type=1&x=2", "hw-a"),
            "https://lms/hw-a/scores?type=1&x=2");
}

TEST(DeliveryHeadersTest, AreThoseOfGithubAndLti) {
  const auto github =
      DeliveryHeaders(v1::DeliveryTarget::CHECK_RUN, "d1", "Jefe", "what do ya want for nothing?");
  // The code is RFC 4231's.
  EXPECT_THAT(github, Contains(HttpHeader{
                          "X-Hub-Signature-256",
                          "sha256=5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964"
                          "ec3843"}));
  EXPECT_THAT(github, Contains(HttpHeader{"X-GitHub-Delivery", "d1"}));
  EXPECT_THAT(github, Contains(HttpHeader{"X-GitHub-Event", "check_run"}));
  EXPECT_EQ(DeliveryHeaders(v1::DeliveryTarget::CHECK_RUN, "d1", "", "x").size(),
            github.size() - 1);
  EXPECT_THAT(DeliveryHeaders(v1::DeliveryTarget::LTI_SCORE, "d1", "token", "x"),
              Contains(HttpHeader{"Authorization", "Bearer token"}));
}

}  // namespace
}  // namespace trainyard
