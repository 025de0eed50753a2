// Whose repositories are whose: what a roster may say, and what the course's state makes of it.
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/grading/course_checks.h"
#include "tests/server/grading/course_events.h"

namespace trainyard {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Pair;
using ::testing::UnorderedElementsAre;

// "ann 1 2": a student with two repositories.
std::string Student(const std::string& user, const std::vector<int64_t>& ids) {
  std::string text =
      absl::StrCat("enrolments { user: '", user, "' role: COURSE_ROLE_STUDENT external {");
  for (const int64_t id : ids) absl::StrAppend(&text, " github_repository_ids: ", id);
  return absl::StrCat(text, " } }");
}

void Change(const std::string& text, CourseState* state) {
  Apply(EventOf(absl::StrCat("roster_changed { ", text, " }")), state);
}

std::vector<FieldViolation> Faults(const CourseState& state, const std::string& text) {
  std::vector<FieldViolation> violations;
  CheckRosterUpdate(state, FromText<v1::UpdateRosterRequest>(text), &violations);
  return violations;
}

TEST(RepositoriesTest, TheStateKnowsWhoseEachIs) {
  CourseState state;
  Change(Student("ann", {1, 2}) + Student("bob", {3}), &state);
  EXPECT_THAT(state.repository_users,
              UnorderedElementsAre(Pair(1, "ann"), Pair(2, "ann"), Pair(3, "bob")));
  Change(Student("ann", {2, 4}), &state);
  EXPECT_THAT(state.repository_users,
              UnorderedElementsAre(Pair(2, "ann"), Pair(4, "ann"), Pair(3, "bob")));
  // They are swapped in one change, whoever comes first.
  Change(Student("ann", {3}) + Student("bob", {2}), &state);
  EXPECT_THAT(state.repository_users, UnorderedElementsAre(Pair(3, "ann"), Pair(2, "bob")));
  Change("removed_users: 'ann' " + Student("bob", {2, 3}), &state);
  EXPECT_THAT(state.repository_users, UnorderedElementsAre(Pair(2, "bob"), Pair(3, "bob")));
  Change("removed_users: 'bob'", &state);
  EXPECT_THAT(state.repository_users, IsEmpty());
}

TEST(RepositoriesTest, OneIsOneStudentsInAChangeAndInTheCourse) {
  CourseState state;
  Change(Student("ann", {1, 2}) + Student("bob", {3}), &state);
  EXPECT_THAT(Faults(state, Student("ann", {1, 2, 4})), IsEmpty());
  EXPECT_THAT(Faults(state, Student("ann", {3}) + Student("bob", {1})), IsEmpty());
  EXPECT_THAT(Faults(state, Student("eve", {3}) + "removed_users: 'bob'"), IsEmpty());
  const auto taken = Faults(state, Student("eve", {5, 3}));
  ASSERT_EQ(taken.size(), 1u);
  EXPECT_EQ(taken[0].field, "enrolments[0].external.github_repository_ids");
  EXPECT_THAT(taken[0].description, HasSubstr("has 3, which is bob's"));
  const auto twice = Faults(state, Student("eve", {5}) + Student("fay", {5}));
  ASSERT_EQ(twice.size(), 1u);
  EXPECT_EQ(twice[0].field, "enrolments[1].external.github_repository_ids");
  EXPECT_EQ(Faults(state, Student("eve", {6, 6})).size(), 1u);
}

TEST(RepositoriesTest, IdsArePositiveFewAndOfStudents) {
  const CourseState state;
  std::vector<int64_t> many;
  for (int i = 1; i <= 64; ++i) many.push_back(i);
  EXPECT_THAT(Faults(state, Student("ann", many)), IsEmpty());
  many.push_back(65);
  EXPECT_EQ(Faults(state, Student("ann", many)).size(), 1u);
  EXPECT_EQ(Faults(state, Student("ann", {0})).size(), 1u);
  EXPECT_EQ(Faults(state, Student("ann", {7, -7})).size(), 1u);
  const auto staff = Faults(state,
                            "enrolments { user: 'ivan' role: COURSE_ROLE_INSTRUCTOR external { "
                            "github_repository_ids: 1 } }");
  ASSERT_EQ(staff.size(), 1u);
  EXPECT_THAT(staff[0].description, HasSubstr("students only"));
}

}  // namespace
}  // namespace trainyard
