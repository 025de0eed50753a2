#include "server/rpc/rpc_status.h"

#include "tests/support/status_matchers.h"

namespace trainyard {
namespace {

TEST(RpcStatusTest, EveryCodeSurvivesTheWay) {
  for (int code = 0; code <= 16; ++code) {
    SCOPED_TRACE(code);
    const absl::Status status(static_cast<absl::StatusCode>(code), code == 0 ? "" : "what");
    const grpc::Status wire = ToGrpcStatus(status);
    EXPECT_EQ(static_cast<int>(wire.error_code()), code);
    EXPECT_EQ(FromGrpcStatus(wire).code(), status.code());
  }
}

TEST(RpcStatusTest, DetailsTravelWithTheStatus) {
  const absl::Status status =
      MakeViolationsError(ErrorReason::kInvalidSpec, {{"spec.epochs", "is 0"}});
  const absl::Status back = FromGrpcStatus(ToGrpcStatus(status));
  EXPECT_EQ(*GetErrorInfo(back), *GetErrorInfo(status));
}

TEST(RpcStatusTest, CodesHaveTheNamesOfTheDashboards) {
  EXPECT_EQ(GrpcCodeName(absl::StatusCode::kOk), "OK");
  EXPECT_EQ(GrpcCodeName(absl::StatusCode::kCancelled), "Canceled");
  EXPECT_EQ(GrpcCodeName(absl::StatusCode::kUnauthenticated), "Unauthenticated");
  EXPECT_EQ(GrpcCodeName(absl::StatusCode::kDeadlineExceeded), "DeadlineExceeded");
}

}  // namespace
}  // namespace trainyard
