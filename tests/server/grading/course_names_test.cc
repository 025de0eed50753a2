#include "server/grading/course_names.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/status_matchers.h"

namespace trainyard {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

const std::string kLongestId = "a" + std::string(62, '-');

TEST(CourseNamesTest, NamesComeBackAsTheyWere) {
  for (const std::string& id : {std::string("dl-2027"), std::string("7"), kLongestId}) {
    EXPECT_EQ(*ParseCourseName("course", CourseName(id)), id);
    const AssignmentName assignment{id, "hw-1"};
    ASSERT_OK_AND_ASSIGN(const AssignmentName parsed,
                         ParseAssignmentName("assignment", assignment.ToString()));
    EXPECT_EQ(parsed.ToString(), assignment.ToString());
    EXPECT_EQ(parsed.Course(), "courses/" + id);
    const SubmissionName submission{{"c", id}, "s1"};
    ASSERT_OK_AND_ASSIGN(const SubmissionName parsed_submission,
                         ParseSubmissionName("name", submission.ToString()));
    EXPECT_EQ(parsed_submission.ToString(), submission.ToString());
    EXPECT_EQ(parsed_submission.parent.assignment, id);
    const RegradeName regrade{{"c", "a"}, id};
    ASSERT_OK_AND_ASSIGN(const RegradeName parsed_regrade,
                         ParseRegradeName("name", regrade.ToString()));
    EXPECT_EQ(parsed_regrade.ToString(), regrade.ToString());
  }
  EXPECT_EQ(SnapshotName("dl", 3), "courses/dl/snapshots/3");
}

TEST(CourseNamesTest, WhatIsNoIdIsNoPartOfAName) {
  const std::vector<std::string> ids = {"",
                                        "-a",
                                        "Dl",
                                        "d l",
                                        "d.l",
                                        "..",
                                        "a/b",
                                        "../etc",
                                        "%2f",
                                        "a%2fb",
                                        "a\n",
                                        "\xD0\xB0",
                                        "d_l",
                                        "a\\b",
                                        kLongestId + "a",
                                        std::string("a\0b", 3)};
  for (const std::string& id : ids) {
    EXPECT_FALSE(IsId(id)) << id;
    EXPECT_FALSE(ParseCourseName("f", CourseName(id)).ok()) << id;
    EXPECT_FALSE(ParseAssignmentName("f", AssignmentName{id, "a"}.ToString()).ok()) << id;
    EXPECT_FALSE(ParseAssignmentName("f", AssignmentName{"c", id}.ToString()).ok()) << id;
    EXPECT_FALSE(ParseSubmissionName("f", SubmissionName{{"c", "a"}, id}.ToString()).ok()) << id;
    EXPECT_FALSE(ParseSubmissionName("f", SubmissionName{{"c", id}, "s"}.ToString()).ok()) << id;
    EXPECT_FALSE(ParseRegradeName("f", RegradeName{{id, "a"}, "r"}.ToString()).ok()) << id;
  }
}

TEST(CourseNamesTest, OtherFormsAreNoNames) {
  for (const char* name :
       {"", "/", "courses", "courses/", "courses//", "/courses/c", "courses/c/", "course/c",
        "Courses/c", " courses/c", "courses/c ", "courses/c/assignments/a/",
        "courses/c/assignments", "courses/c/submissions/a", "courses//assignments/a",
        "courses/../assignments/a", "courses/c/assignments/a/regrades/r/x", "users/u"}) {
    EXPECT_FALSE(ParseCourseName("f", name).ok()) << name;
    EXPECT_FALSE(ParseAssignmentName("f", name).ok()) << name;
    EXPECT_FALSE(ParseSubmissionName("f", name).ok()) << name;
    EXPECT_FALSE(ParseRegradeName("f", name).ok()) << name;
  }
  // Each is a name, of something else.
  EXPECT_FALSE(ParseCourseName("f", "courses/c/assignments/a").ok());
  EXPECT_FALSE(ParseAssignmentName("f", "courses/c").ok());
  EXPECT_FALSE(ParseSubmissionName("f", "courses/c/assignments/a/regrades/r").ok());
  EXPECT_FALSE(ParseRegradeName("f", "courses/c/assignments/a/submissions/s").ok());
}

TEST(CourseNamesTest, AFaultNamesTheFieldTheValueAndTheForm) {
  const absl::Status status =
      ParseSubmissionName("submission", "courses/c/assignments/a/submission/s").status();
  EXPECT_THAT(status, StatusIs(absl::StatusCode::kInvalidArgument,
                               HasSubstr("courses/{id}/assignments/{id}/submissions/{id}")));
  EXPECT_THAT(status, HasReason(ErrorReason::kInvalidRequest));
  EXPECT_THAT(ViolatedFields(status), ElementsAre("submission"));
  // What was given is shown, but not without bound.
  const absl::Status lengthy = ParseCourseName("f", std::string(100'000, 'x')).status();
  EXPECT_LT(lengthy.message().size(), 1'000u);
}

TEST(CourseNamesTest, CheckIdSaysWhatIsWrong) {
  std::vector<FieldViolation> violations;
  CheckId("user", kLongestId, &violations);
  EXPECT_TRUE(violations.empty());
  CheckId("user", "Ann", &violations);
  ASSERT_EQ(violations.size(), 1u);
  EXPECT_EQ(violations[0].field, "user");
  EXPECT_THAT(violations[0].description, HasSubstr("\"Ann\""));
}

}  // namespace
}  // namespace trainyard
