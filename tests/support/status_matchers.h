// Matchers for absl::Status and StatusOr, with the names Abseil gave them later.
//
//   EXPECT_THAT(status, IsOk());
//   EXPECT_THAT(Parse("x"), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("line 41")));
//   ASSERT_OK_AND_ASSIGN(Table table, DecodeTable(bytes));
#ifndef TRAINYARD_TESTS_SUPPORT_STATUS_MATCHERS_H_
#define TRAINYARD_TESTS_SUPPORT_STATUS_MATCHERS_H_

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/base/error_info.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace trainyard {

inline const absl::Status& StatusOf(const absl::Status& status) { return status; }
template <typename T>
const absl::Status& StatusOf(const absl::StatusOr<T>& result) {
  return result.status();
}

MATCHER(IsOk, negation ? "is not OK" : "is OK") {
  *result_listener << StatusOf(arg).ToString();
  return StatusOf(arg).ok();
}

MATCHER_P2(StatusIs, code, message, "has the code and a matching message") {
  *result_listener << StatusOf(arg).ToString();
  return StatusOf(arg).code() == code &&
         testing::Matches(message)(std::string(StatusOf(arg).message()));
}

// The ErrorInfo's reason.
MATCHER_P(HasReason, reason, "has the reason") {
  *result_listener << StatusOf(arg).ToString();
  const auto info = GetErrorInfo(StatusOf(arg));
  return info.has_value() && info->reason == reason;
}

// The fields of the ErrorInfo's violations, in order; empty when there is none.
inline std::vector<std::string> ViolatedFields(const absl::Status& status) {
  std::vector<std::string> fields;
  const std::optional<ErrorInfo> info = GetErrorInfo(status);
  if (!info.has_value()) return fields;
  for (const FieldViolation& violation : info->violations) fields.push_back(violation.field);
  return fields;
}

}  // namespace trainyard

#define ASSERT_OK_AND_ASSIGN(lhs, expr) \
  ASSERT_OK_AND_ASSIGN_IMPL_(TY_TEST_CONCAT_(ty_test_or_, __LINE__), lhs, expr)
#define TY_TEST_CONCAT_INNER_(a, b) a##b
#define TY_TEST_CONCAT_(a, b) TY_TEST_CONCAT_INNER_(a, b)
#define ASSERT_OK_AND_ASSIGN_IMPL_(tmp, lhs, expr) \
  auto tmp = (expr);                               \
  ASSERT_TRUE(tmp.ok()) << tmp.status();           \
  lhs = *std::move(tmp)

#endif  // TRAINYARD_TESTS_SUPPORT_STATUS_MATCHERS_H_
