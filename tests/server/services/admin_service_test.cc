#include "core/base/limits.h"
#include "server/base/version.h"
#include "tests/support/status_matchers.h"
#include "tests/support/test_server.h"

namespace trainyard {
namespace {

TEST(AdminServiceTest, InfoTellsVersionAndLimitsInForce) {
  TestServer server({.queued_jobs_max = 7});
  ASSERT_OK_AND_ASSIGN(const v1::ServerInfo info,
                       CallWith(server.admin(), &v1::AdminService::Stub::GetServerInfo, {}));
  EXPECT_EQ(info.version(), std::string(Version()));
  EXPECT_EQ(info.onednn_version(), "2.6.3");
  EXPECT_NE(info.isa(), "");
  EXPECT_EQ(info.worker_slots(), 0);
  EXPECT_EQ(info.limits().queued_jobs_max(), 7);
  EXPECT_EQ(info.limits().chunk_bytes_max(), limits::kChunkBytesMax);
  EXPECT_EQ(info.metrics_address(), server.server().metrics_address());
  EXPECT_GT(info.start_time().seconds(), 0);
}

}  // namespace
}  // namespace trainyard
