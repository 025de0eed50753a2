#include "client/error_text.h"

#include "absl/strings/str_cat.h"
#include "core/base/error_info.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace trainyard {
namespace {

using testing::HasSubstr;

TEST(ErrorTextTest, EveryFaultHasItsLine) {
  const absl::Status status = MakeViolationsError(
      ErrorReason::kInvalidSpec,
      {{"spec.epochs", "0 is below 1"}, {"spec.layers[0].units", "70000 is above 65536"}});
  EXPECT_EQ(DescribeError(status),
            "error: 2 faults (INVALID_SPEC)\n"
            "  spec.epochs: 0 is below 1\n"
            "  spec.layers[0].units: 70000 is above 65536\n");
}

TEST(ErrorTextTest, BadCellsAreATableAndTheRemedyFollows) {
  const absl::Status status =
      MakeError(absl::StatusCode::kInvalidArgument, "2 bad rows",
                {.reason = ErrorReason::kDatasetRejected,
                 .hint = "mend the cells",
                 .in_force = "bad_rows_max 0",
                 .violations = {{"line 42, column \"age\"", "expected a number, found \"n/a\""},
                                {"line 7", "expected 31 fields, found 3"}}});
  EXPECT_EQ(DescribeError(status),
            "error: 2 bad rows (DATASET_REJECTED)\n"
            "  WHERE                  WHAT\n"
            "  line 42, column \"age\"  expected a number, found \"n/a\"\n"
            "  line 7                 expected 31 fields, found 3\n"
            "  how to go on: mend the cells\n"
            "  in force: bad_rows_max 0\n");
}

TEST(ErrorTextTest, ManyBadCellsDoNotPushTheRestOffTheScreen) {
  ErrorInfo info{.reason = ErrorReason::kDatasetRejected, .hint = "mend them\nor \x1b[2Jdrop them"};
  for (int i = 1; i <= 100; ++i) info.violations.push_back({absl::StrCat("line ", i), "bad"});
  const std::string text =
      DescribeError(MakeError(absl::StatusCode::kInvalidArgument, "100 bad rows", info));
  EXPECT_THAT(text, HasSubstr("  line 20  bad\n"
                              "  and 80 more\n"
                              "  how to go on: mend them\n"
                              "    or \\x1B[2Jdrop them\n"));
}

TEST(ErrorTextTest, RetryDelayIsTold) {
  const absl::Status status =
      MakeError(absl::StatusCode::kResourceExhausted, "the queue is full",
                {.reason = ErrorReason::kQueueFull, .metadata = {{"retry_after_seconds", "30"}}});
  EXPECT_THAT(DescribeError(status), HasSubstr("try again after: 30s"));
}

TEST(ErrorTextTest, JsonIsGoogleRpcStatusOnOneLine) {
  const absl::Status status = MakeViolationsError(ErrorReason::kInvalidSpec, {{"epochs", "bad"}});
  const std::string json = ErrorJson(status);
  EXPECT_THAT(json, HasSubstr("{\"error\":{\"code\":3,"));
  EXPECT_THAT(json, HasSubstr("\"reason\":\"INVALID_SPEC\""));
  EXPECT_THAT(json,
              HasSubstr("\"field_violations\":[{\"field\":\"epochs\",\"description\":\"bad\"}]"));
  EXPECT_EQ(json.find('\n'), json.size() - 1);
}

TEST(ErrorTextTest, ControlCharactersOfAServerAreShownNotObeyed) {
  EXPECT_THAT(DescribeError(absl::NotFoundError("\x1b[2Jgone")), HasSubstr("\\x1B[2Jgone"));
}

TEST(ErrorTextTest, NonFiniteLossSaysWhere) {
  v1::JobError error;
  error.set_reason(v1::ERROR_REASON_NON_FINITE_LOSS);
  error.set_category(v1::FAILURE_CATEGORY_USER);
  error.set_message("the loss is NaN");
  error.set_hint("lower the learning rate");
  error.set_layer("layers[1] weights");
  error.set_epoch(3);
  error.set_step(118);
  error.set_learning_rate(0.5);
  EXPECT_EQ(DescribeJobError(error),
            "error: the loss is NaN (NON_FINITE_LOSS, user fault)\n"
            "  where: layers[1] weights, epoch 3, step 118, learning rate 0.5\n"
            "  how to go on: lower the learning rate\n");
}

}  // namespace
}  // namespace trainyard
