#include "client/resource_names.h"

#include "gtest/gtest.h"

namespace trainyard {
namespace {

TEST(ResourceNamesTest, ShortNamesBecomeFullOnes) {
  EXPECT_EQ(CourseName("dl"), "courses/dl");
  EXPECT_EQ(AssignmentName("dl/hw1"), "courses/dl/assignments/hw1");
  EXPECT_EQ(SubmissionName("dl/hw1/s7"), "courses/dl/assignments/hw1/submissions/s7");
  EXPECT_EQ(RegradeName("dl/hw1/r1"), "courses/dl/assignments/hw1/regrades/r1");
  EXPECT_EQ(SnapshotName("dl/3"), "courses/dl/snapshots/3");
}

TEST(ResourceNamesTest, FullNamesStayAsTheyAre) {
  EXPECT_EQ(CourseName("courses/dl"), "courses/dl");
  EXPECT_EQ(SubmissionName("courses/dl/assignments/hw1/submissions/s7"),
            "courses/dl/assignments/hw1/submissions/s7");
}

// The server says what it expected; guessing a course here would ask for somebody else's.
TEST(ResourceNamesTest, ANameOfAnotherNumberOfPartsStaysAsItIs) {
  EXPECT_EQ(AssignmentName("hw1"), "hw1");
  EXPECT_EQ(AssignmentName("dl/hw1/s7"), "dl/hw1/s7");
  EXPECT_EQ(AssignmentName("courses/dl"), "courses/dl");
}

TEST(ResourceNamesTest, ShortNameIsTheWayBack) {
  for (const char* name : {"dl/hw1/s7", "a/b/c"}) {
    EXPECT_EQ(ShortName(SubmissionName(name)), name);
  }
  EXPECT_EQ(ShortName("courses/dl"), "dl");
  EXPECT_EQ(ShortName("datasets/d"), "datasets/d");
}

}  // namespace
}  // namespace trainyard
