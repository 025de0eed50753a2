// Event files against bytes that were computed apart from this code, with another CRC.
#include "client/tensorboard.h"

#include <filesystem>
#include <fstream>
#include <sstream>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "client/exit_code.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/client/event_builders.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_dir.h"

namespace trainyard {
namespace {

using testing::HasSubstr;
using testing::Not;

constexpr char kFile[] = "events.out.tfevents.0001000000.j1";
// wall_time 1000000.5 and file_version "brain.Event:2".
constexpr char kVersion[] =
    "1800000000000000a37f4b22090000000081842e411a0d627261696e2e4576656e743a325c0b69c9";

std::string ReadFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::stringstream bytes;
  bytes << file.rdbuf();
  return bytes.str();
}

v1::TrainingJob Job(int32_t seeds = 1) {
  v1::TrainingJob job;
  job.set_name("trainingJobs/j1");
  job.mutable_create_time()->set_seconds(1'000'000);
  job.mutable_resolved_spec()->set_seed_count(seeds);
  return job;
}

class TensorBoardTest : public testing::Test {
 protected:
  // Makes the event files of a job in folder(), from `events`.
  void Export(const v1::TrainingJob& job, const std::vector<v1::JobEvent>& events) {
    auto log = TensorBoardLog::Create(job, folder());
    ASSERT_THAT(log.status(), IsOk());
    for (const v1::JobEvent& event : events) ASSERT_THAT((*log)->Write(event), IsOk());
  }
  std::string folder() const { return dir_.path() + "/runs/first"; }
  std::string Bytes(const std::string& file = kFile) const {
    return ReadFile(folder() + "/" + file);
  }
  std::string Hex(const std::string& file = kFile) const {
    return absl::BytesToHexString(Bytes(file));
  }

  TempDir dir_;
};

TEST(TensorBoardRecordTest, SizeAndDataHaveMaskedCrcs) {
  EXPECT_EQ(absl::BytesToHexString(TensorBoardRecord("123456789")),
            "090000000000000037f97139313233343536373839e5b08ac7");
}

TEST_F(TensorBoardTest, AnEventIsOneSummaryOfItsNumbers) {
  Export(Job(), {EpochEvent(10, 0.25)});
  EXPECT_EQ(Hex(), absl::StrCat(
                       kVersion,
                       "36000000000000004f578cef090000000081842e41100a2a290a110a0a6c6f73732f747261"
                       "696e150000803e0a140a0d6c6561726e696e675f72617465150000003f430e976b"));
}

TEST_F(TensorBoardTest, ARewindStartsASessionAtTheStepThatIsRedoneFirst) {
  Export(Job(), {EpochEvent(10, 0.25), RewindEvent(5)});
  EXPECT_THAT(Hex(),
              testing::EndsWith("0f000000000000006d532b09090000000081842e4110063a0208019438e3d4"));
}

TEST_F(TensorBoardTest, HistogramsHaveTheRightEndsOfTheirBins) {
  v1::JobEvent epoch = EpochEvent(10, 0.25);
  *epoch.mutable_epoch()->add_layers() = Layer("layers[0]");
  Export(Job(), {epoch});
  // min -1, max 3, num 5, sum 2.5, sum_squares 9, bucket_limit 1 3, bucket 4 1.
  const std::string histogram = absl::HexStringToBytes(
      "09000000000000f0bf110000000000000840190000000000001440210000000000000440290000000000002240"
      "3210000000000000f03f00000000000008403a100000000000001040000000000000f03f");
  EXPECT_THAT(Bytes(),
              HasSubstr(absl::StrCat("layers[0]/weights*", std::string(1, '\x51'), histogram)));
  EXPECT_THAT(Bytes(), HasSubstr("layers[0]/gradients*"));
  EXPECT_THAT(Bytes(), HasSubstr("layers[0]/update_ratio"));
}

TEST_F(TensorBoardTest, EventsWithoutNumbersLeaveNoTrace) {
  v1::JobEvent note = NewEvent();
  note.mutable_note()->set_message("nothing to draw");
  Export(Job(), {note, RewindEvent(1)});
  EXPECT_TRUE(std::filesystem::is_empty(folder()));
}

TEST_F(TensorBoardTest, SeveralSeedsAreRunsOfTheirOwnAndTheJobIsOneBesides) {
  v1::JobEvent test = NewEvent();
  AddMetric("loss", 2, test.mutable_test()->mutable_metrics());
  AddMetric("loss", 3, test.mutable_test()->add_seed_results()->mutable_test_metrics());
  Export(Job(/*seeds=*/2), {EpochEvent(10, 0.25), EpochEvent(20, 0.5, 1), test});
  EXPECT_THAT(Bytes(absl::StrCat("run_0/", kFile)), HasSubstr("loss/test"));
  EXPECT_THAT(Bytes(absl::StrCat("run_1/", kFile)), HasSubstr("loss/train"));
  EXPECT_THAT(Bytes(), HasSubstr("loss/test"));
  EXPECT_THAT(Bytes(), Not(HasSubstr("loss/train")));
}

TEST_F(TensorBoardTest, AFolderWithEventFilesIsRefused) {
  Export(Job(), {EpochEvent(10, 0.25)});
  const std::string before = Bytes();
  const absl::Status status = TensorBoardLog::Create(Job(), folder()).status();
  EXPECT_EQ(ExitCodeOf(status), ExitCode::kUsage);
  EXPECT_THAT(std::string(status.message()), HasSubstr("has event files already"));
  EXPECT_EQ(Bytes(), before);
}

TEST_F(TensorBoardTest, AFolderThatCannotBeMadeIsAUsageError) {
  EXPECT_EQ(ExitCodeOf(TensorBoardLog::Create(Job(), "/dev/null/runs").status()), ExitCode::kUsage);
}

}  // namespace
}  // namespace trainyard
