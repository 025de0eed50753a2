#include "server/base/log.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace trainyard {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::MatchesRegex;

// What `write` puts on stderr.
template <typename Write>
std::string Logged(Write write) {
  testing::internal::CaptureStderr();
  write();
  Log::Flush();
  return testing::internal::GetCapturedStderr();
}

TEST(LogTest, ALineHasTimeLevelEventAndFields) {
  const std::string line = Logged([] {
    Log::Info("job_finished", {{"job", "trainingJobs/abc"}, {"seconds", 1.25}, {"steps", 40}});
  });
  EXPECT_THAT(line, MatchesRegex("[0-9-]{10}T[0-9:]{8}\\.[0-9]{3}Z level=info event=job_finished "
                                 "job=trainingJobs/abc seconds=1.25 steps=40\n"));
}

TEST(LogTest, ValuesCannotForgeFieldsOrLines) {
  const std::string line = Logged([] {
    Log::Warning("odd", {{"name", "a b\nlevel=error event=fake"}, {"empty", ""}, {"text", "{} é"}});
  });
  EXPECT_THAT(line, HasSubstr("name=\"a b\\nlevel=error event=fake\" empty=\"\" text=\"{} é\"\n"));
}

TEST(LogTest, LevelsBelowTheChosenOneAreSilent) {
  ASSERT_TRUE(Log::SetLevel("warning"));
  EXPECT_THAT(Logged([] { Log::Info("quiet"); }), IsEmpty());
  EXPECT_THAT(Logged([] { Log::Error("loud"); }), HasSubstr("level=error event=loud\n"));
  ASSERT_TRUE(Log::SetLevel("off"));
  EXPECT_THAT(Logged([] { Log::Error("loud"); }), IsEmpty());
  ASSERT_TRUE(Log::SetLevel("debug"));
  EXPECT_THAT(Logged([] { Log::Debug("chatty"); }), HasSubstr("level=debug event=chatty\n"));
  EXPECT_FALSE(Log::SetLevel("verbose"));
  ASSERT_TRUE(Log::SetLevel("info"));
}

}  // namespace
}  // namespace trainyard
