// Documents for graders, byte for byte against tests/client/golden/grade_formats, which
// grade_formats_test.py reads by the rules of those who take them.
#include "client/grade_formats.h"

#include <fstream>
#include <sstream>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "google/protobuf/util/time_util.h"
#include "gtest/gtest.h"

namespace trainyard {
namespace {

using google::protobuf::util::TimeUtil;
using testing::HasSubstr;
using testing::Not;

std::string Golden(const std::string& name) {
  std::ifstream file(TY_SOURCE_DIR "/tests/client/golden/grade_formats/" + name, std::ios::binary);
  std::stringstream bytes;
  bytes << file.rdbuf();
  return bytes.str();
}

void AddCriterion(const char* name, int64_t points, int64_t max_points, bool passed,
                  v1::Submission* submission) {
  v1::Criterion* const criterion = submission->mutable_result()->add_criteria();
  criterion->set_name(name);
  criterion->set_points(points);
  criterion->set_max_points(max_points);
  criterion->set_passed(passed);
}

// As staff get it: with a result, released or not.
v1::Submission Done() {
  v1::Submission submission;
  submission.set_name("courses/dl/assignments/hw-mlp-train/submissions/s1");
  submission.set_state(v1::SUBMISSION_STATE_DONE);
  TimeUtil::FromString("2027-02-10T18:40:55Z", submission.mutable_accepted_at());
  TimeUtil::FromString("2027-02-10T18:41:36.250Z", submission.mutable_finish_time());
  submission.set_spec_digest("sha256:5b1c");
  submission.set_receipt("ab12");
  submission.set_public_score(0.9275);
  submission.mutable_work()->set_train_flops(512'600'000);
  v1::SubmissionResult* const result = submission.mutable_result();
  result->set_points(86);
  result->set_max_points(100);
  result->set_score(0.9132);
  result->set_metric(v1::SCORE_METRIC_ACCURACY);
  result->set_sealed(true);
  AddCriterion("budget: at most 20000 parameters", 10, 10, true, &submission);
  AddCriterion("accuracy <linear> \"0.80\" & more", 76, 90, false, &submission);
  return submission;
}

v1::Submission Withheld() {
  v1::Submission submission = Done();
  submission.set_withheld(true);
  return submission;
}

v1::Submission Failed(v1::SubmissionState state) {
  v1::Submission submission = Done();
  submission.clear_result();
  submission.set_state(state);
  submission.mutable_error()->set_message("line 1\r\n100% <bad>::error::x");
  return submission;
}

std::vector<std::string> AllOf(const v1::Submission& submission) {
  std::string reporter;
  EXPECT_TRUE(absl::Base64Unescape(ReporterResult(submission), &reporter));
  return {GradescopeJson(submission, v1::SCORE_METRIC_ACCURACY),
          JUnitXml(submission),
          GithubNotices(submission),
          GithubOutputs(submission),
          Classroom50Json(submission),
          reporter};
}

TEST(GradeFormatsTest, EqualTheGoldenFiles) {
  struct Case {
    const char* name;
    std::string text;
  };
  const v1::Submission ungradable = Failed(v1::SUBMISSION_STATE_UNGRADABLE);
  const v1::Submission infra = Failed(v1::SUBMISSION_STATE_INFRA_ERROR);
  const absl::Status error = absl::UnavailableError("no answer from \"x\"\n<50%>");
  for (const Case& c : std::vector<Case>{
           {"gradescope.json", GradescopeJson(Done(), v1::SCORE_METRIC_ACCURACY)},
           {"gradescope_rmse.json", GradescopeJson(Done(), v1::SCORE_METRIC_RMSE)},
           {"gradescope_withheld.json", GradescopeJson(Withheld(), v1::SCORE_METRIC_ACCURACY)},
           {"gradescope_error.json", GradescopeJson(error)},
           {"junit.xml", JUnitXml(Done())},
           {"junit_withheld.xml", JUnitXml(Withheld())},
           {"junit_ungradable.xml", JUnitXml(ungradable)},
           {"junit_infra.xml", JUnitXml(infra)},
           {"junit_error.xml", JUnitXml(error, "hw-mlp-train")},
           {"github.txt", GithubNotices(Done())},
           {"github_withheld.txt", GithubNotices(Withheld())},
           {"github_ungradable.txt", GithubNotices(ungradable)},
           {"github_error.txt", GithubNotices(error)},
           {"github_outputs.txt", GithubOutputs(Done())},
           {"reporter.txt", ReporterResult(Done())},
           {"reporter_withheld.txt", ReporterResult(Withheld())},
           {"classroom50.json", Classroom50Json(Done())},
           {"classroom50_withheld.json", Classroom50Json(Withheld())}}) {
    EXPECT_EQ(c.text, Golden(c.name)) << c.name;
  }
}

// GRADING.md, 3.2 (b).
TEST(GradeFormatsTest, GithubsNoticesAreExact) {
  EXPECT_EQ(GithubNotices(Done()),
            "::notice title=Autograding complete::Points 86/100\n"
            "::notice title=Autograding report::{\"totalPoints\":86,\"maxPoints\":100}\n");
}

TEST(GradeFormatsTest, AMessageCannotBecomeACommand) {
  const std::string text = GithubNotices(Failed(v1::SUBMISSION_STATE_INFRA_ERROR));
  EXPECT_EQ(text,
            "::error title=Trainyard::the service failed: line 1%0D%0A100%25 <bad>::error::x\n");
}

// The message has the result, as staff get it; nothing of it may be in any document.
TEST(GradeFormatsTest, NothingOfAWithheldResultIsSaid) {
  for (const std::string& text : AllOf(Withheld())) {
    for (const char* secret : {"86", "76", "0.9132", "budget", "linear", "90"}) {
      EXPECT_THAT(text, Not(HasSubstr(secret)));
    }
  }
}

TEST(GradeFormatsTest, WithoutAReleasedResultNobodyReadsPoints) {
  for (const v1::Submission& submission :
       {Withheld(), Failed(v1::SUBMISSION_STATE_UNGRADABLE), Failed(v1::SUBMISSION_STATE_CANCELLED),
        Failed(v1::SUBMISSION_STATE_RUNNING)}) {
    EXPECT_THAT(GithubNotices(submission), Not(HasSubstr("Points")));
    EXPECT_THAT(GithubOutputs(submission), HasSubstr("points=\n"));
  }
}

TEST(GradeFormatsTest, AResultWithoutCriteriaIsOneTest) {
  v1::Submission submission = Done();
  submission.mutable_result()->clear_criteria();
  EXPECT_THAT(JUnitXml(submission), HasSubstr("86 of 100 points"));
  EXPECT_THAT(GradescopeJson(submission, v1::SCORE_METRIC_ACCURACY),
              HasSubstr("\"score\":86,\"max_score\":100,\"status\":\"failed\""));
}

}  // namespace
}  // namespace trainyard
