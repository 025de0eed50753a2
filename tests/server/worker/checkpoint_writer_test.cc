#include "server/worker/checkpoint_writer.h"

#include "absl/time/clock.h"
#include "gtest/gtest.h"
#include "server/base/ids.h"
#include "tests/support/recording_sink.h"
#include "tests/support/status_matchers.h"

namespace trainyard {
namespace {

class CheckpointWriterTest : public testing::Test {
 protected:
  CheckpointWriterTest() : reporter_({.job = "trainingJobs/a", .attempt = 1}, &sink_, &stop_) {}

  static void Write(StateArchive* archive) {
    int64_t number = 7;
    archive->Value(&number);
  }
  static bool WaitUntilDue(CheckpointWriter& writer, bool at_epoch_start) {
    const absl::Time deadline = absl::Now() + absl::Seconds(10);
    while (!writer.IsDue(at_epoch_start)) {
      if (absl::Now() > deadline) return false;
      absl::SleepFor(absl::Milliseconds(1));
    }
    return true;
  }

  MemoryBlobs blobs_;
  RecordingSink sink_;
  StopFlag stop_;
  Reporter reporter_;
};

TEST_F(CheckpointWriterTest, IsDueAtTheNextEpochAndLaterAtAnyStep) {
  CheckpointWriter writer({.identity = "a", .interval = absl::Milliseconds(20)}, &blobs_,
                          &reporter_);
  EXPECT_FALSE(writer.IsDue(true));
  const absl::Time start = absl::Now();
  ASSERT_TRUE(WaitUntilDue(writer, /*at_epoch_start=*/true));
  EXPECT_GE(absl::Now() - start, absl::Milliseconds(19));
  ASSERT_TRUE(WaitUntilDue(writer, /*at_epoch_start=*/false));
  EXPECT_GE(absl::Now() - start, absl::Milliseconds(39));
  writer.Save(3, Write);
  EXPECT_FALSE(writer.IsDue(true));
}

TEST_F(CheckpointWriterTest, OneThatCannotBeStoredIsCountedAndTheJobGoesOn) {
  blobs_.write_status = absl::UnavailableError("the disk is full");
  {
    CheckpointWriter writer({.identity = "a"}, &blobs_, &reporter_);
    writer.Save(3, Write);
  }
  reporter_.Finish();
  int64_t failures = 0;
  for (const v1::WorkRequest& request : sink_.requests()) {
    EXPECT_FALSE(request.events().has_checkpoint());
    failures += request.events().checkpoint_failures();
  }
  EXPECT_EQ(failures, 1);
}

TEST_F(CheckpointWriterTest, WithoutAnIntervalOneIsNeverDueAndMayBeSaved) {
  {
    CheckpointWriter writer({.identity = "a"}, &blobs_, &reporter_);
    absl::SleepFor(absl::Milliseconds(20));
    EXPECT_FALSE(writer.IsDue(true));
    writer.Save(3, Write);
    writer.Save(4, Write);  // waits for the one before
  }
  reporter_.Finish();
  ASSERT_EQ(blobs_.blobs.size(), 2u);
  std::vector<v1::Checkpoint> reported;
  for (const v1::WorkRequest& request : sink_.requests()) {
    if (request.events().has_checkpoint()) reported.push_back(request.events().checkpoint());
  }
  ASSERT_EQ(reported.size(), 2u);
  EXPECT_EQ(reported[0].step(), 3);
  EXPECT_EQ(reported[1].step(), 4);
  const std::string& bytes = blobs_.blobs.at(reported[1].digest());
  EXPECT_EQ(Sha256Digest(bytes), reported[1].digest());
  EXPECT_EQ(reported[1].size_bytes(), static_cast<int64_t>(bytes.size()));
  EXPECT_THAT(DecodeCheckpoint(bytes, "a"), IsOk());
}

}  // namespace
}  // namespace trainyard
