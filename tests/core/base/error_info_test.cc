#include "core/base/error_info.h"

#include <set>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/status_matchers.h"

namespace trainyard {
namespace {

using testing::HasSubstr;
using testing::Not;

ErrorInfo Full() {
  return {.reason = ErrorReason::kDatasetRejected,
          .hint = "mend the cell",
          .in_force = "delimiter ','",
          .violations = {{"layers[2].units", "is 0"}, {"loss", "does not fit"}},
          .metadata = {{"line", "41"}, {"column", std::string("a\0b", 3)}}};
}

TEST(ErrorInfoTest, TravelsOnTheStatus) {
  const absl::Status status = MakeError(absl::StatusCode::kInvalidArgument, "line 41", Full());
  EXPECT_THAT(status, StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("line 41")));
  EXPECT_EQ(GetErrorInfo(status), Full());
}

TEST(ErrorInfoTest, SurvivesAnnotation) {
  const absl::Status status = MakeError(absl::StatusCode::kInvalidArgument, "line 41", Full());
  const absl::Status annotated = Annotate(status, "adult.csv");
  EXPECT_THAT(annotated, StatusIs(absl::StatusCode::kInvalidArgument, "adult.csv: line 41"));
  EXPECT_EQ(GetErrorInfo(annotated), Full());
}

TEST(ErrorInfoTest, AnnotateLeavesOkAlone) {
  EXPECT_THAT(Annotate(absl::OkStatus(), "prefix"), IsOk());
}

TEST(ErrorInfoTest, OtherStatusesHaveNone) {
  EXPECT_FALSE(GetErrorInfo(absl::OkStatus()).has_value());
  EXPECT_FALSE(GetErrorInfo(absl::InternalError("x")).has_value());
}

TEST(ErrorInfoTest, TheMessageListsTheFirstViolationsAndCountsTheRest) {
  std::vector<FieldViolation> violations;
  for (int i = 0; i < 8; ++i) violations.push_back({"field" + std::to_string(i), "is wrong"});
  const absl::Status status = MakeViolationsError(ErrorReason::kInvalidSpec, violations);
  EXPECT_THAT(status, StatusIs(absl::StatusCode::kInvalidArgument,
                               testing::AllOf(HasSubstr("field0: is wrong"), HasSubstr("field4"),
                                              Not(HasSubstr("field5")), HasSubstr("and 3 more"))));
  EXPECT_THAT(status, HasReason(ErrorReason::kInvalidSpec));
  EXPECT_EQ(GetErrorInfo(status)->violations, violations);
}

TEST(ErrorInfoTest, EveryReasonHasItsOwnName) {
  std::set<std::string> names;
  for (int i = 0; i <= static_cast<int>(kErrorReasonLast); ++i) {
    names.insert(std::string(ErrorReasonName(static_cast<ErrorReason>(i))));
  }
  EXPECT_EQ(names.size(), static_cast<size_t>(kErrorReasonLast) + 1);
  EXPECT_EQ(ErrorReasonName(ErrorReason::kNonFiniteLoss), "NON_FINITE_LOSS");
  EXPECT_EQ(ErrorReasonName(static_cast<ErrorReason>(-1)), "UNSPECIFIED");
}

}  // namespace
}  // namespace trainyard
