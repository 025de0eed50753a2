#include "server/services/job_filter.h"

#include "tests/support/status_matchers.h"

namespace trainyard {
namespace {

using testing::HasSubstr;

TEST(JobFilterTest, AllFieldsInAnyOrderAndForm) {
  JobManager::ListQuery query;
  ASSERT_THAT(
      ParseJobFilter(" owner=\"ann b\" AND state = running AND  dataset = datasets/abc ", &query),
      IsOk());
  EXPECT_EQ(query.owner, "ann b");
  EXPECT_EQ(query.state, v1::JOB_STATE_RUNNING);
  EXPECT_EQ(query.dataset, "datasets/abc");
}

TEST(JobFilterTest, EmptyMeansAll) {
  JobManager::ListQuery query;
  EXPECT_THAT(ParseJobFilter("", &query), IsOk());
  EXPECT_THAT(ParseJobFilter("   ", &query), IsOk());
  EXPECT_EQ(query.state, v1::JOB_STATE_UNSPECIFIED);
}

TEST(JobFilterTest, FaultsSayWhatAndWhere) {
  const struct {
    const char* filter;
    const char* message;
  } cases[] = {
      {"state", "expected = after state (at character 6"},
      {"state =", "expected a value"},
      {"state = FLYING", "\"FLYING\" is no state"},
      {"state = UNSPECIFIED", "is no state"},
      {"colour = red", "no field colour"},
      {"owner = a OR owner = b", "expected AND"},
      {"owner = a AND", "expected state, dataset or owner"},
      {"owner = a AND owner = b", "second term on owner"},
      {"owner = \"a", "never closed"},
      {"owner = \"\"", "empty"},
      {"dataset = abc", "datasets/{id}"},
      {"= x", "expected state, dataset or owner"},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(c.filter);
    JobManager::ListQuery query;
    const absl::Status status = ParseJobFilter(c.filter, &query);
    EXPECT_THAT(status, StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr(c.message)));
    EXPECT_THAT(status, HasReason(ErrorReason::kInvalidRequest));
  }
  JobManager::ListQuery query;
  EXPECT_THAT(ParseJobFilter(std::string(2'000, ' '), &query),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("longer than")));
}

}  // namespace
}  // namespace trainyard
