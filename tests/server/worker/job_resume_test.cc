// An attempt that goes on from any checkpoint of another one ends with the same bundle, and sends
// exactly the events that came after it.
#include <algorithm>
#include <fstream>
#include <sstream>

#include "absl/strings/str_cat.h"
#include "core/base/check.h"
#include "core/data/ingest.h"
#include "core/data/table_codec.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/base/ids.h"
#include "server/wire/convert.h"
#include "server/worker/job_runner.h"
#include "tests/support/recording_sink.h"
#include "tests/support/status_matchers.h"

namespace trainyard {
namespace {

using testing::HasSubstr;

class JobResumeTest : public testing::Test {
 protected:
  JobResumeTest() : runner_(&blobs_) {}

  v1::JobAssignment Assign(TrainConfig config) {
    std::ostringstream bytes;
    bytes << std::ifstream(TY_SOURCE_DIR "/tests/data/wdbc.csv").rdbuf();
    StringSource source(bytes.str());
    const absl::StatusOr<IngestResult> ingested = IngestTable(source, {});
    TY_CHECK(ingested.ok());
    const std::string table = EncodeTable(ingested->table);
    v1::JobAssignment assignment;
    assignment.set_table_digest(Sha256Digest(table));
    blobs_.blobs[assignment.table_digest()] = table;
    config.data.target_column = std::string("diagnosis");
    config.layers = {{.units = 8, .dropout = 0.1}};
    std::vector<FieldViolation> violations;
    std::vector<std::string> notes;
    config = ResolveTrainConfig(config, SchemaOf(ingested->table), &violations, &notes);
    TY_CHECK(violations.empty());
    assignment.set_job("trainingJobs/a");
    assignment.set_attempt(1);
    *assignment.mutable_resolved_spec() = TrainConfigToProto(config);
    assignment.set_spec_digest("sha256:spec");
    assignment.mutable_checkpoint_interval()->set_nanos(1);
    return assignment;
  }

  struct Attempt {
    v1::JobOutcome outcome;
    std::vector<std::string> events;  // those that are counted
    std::vector<v1::Checkpoint> checkpoints;
    std::vector<std::string> notes_of_checkpoints;
    v1::EventBatch last;
  };
  Attempt Run(const v1::JobAssignment& assignment) {
    RecordingSink sink;
    StopFlag stop;
    Attempt attempt{.outcome = runner_.Run(assignment, &stop, &sink)};
    int64_t count = sink.requests().front().events().event_count();
    for (const v1::WorkRequest& request : sink.requests()) {
      const v1::EventBatch& batch = request.events();
      EXPECT_EQ(batch.event_count(), count);
      for (const v1::JobEvent& event : batch.events()) count += Keep(event, &attempt);
      if (batch.has_checkpoint()) {
        EXPECT_TRUE(batch.events(batch.events_size() - 1).has_checkpoint());
        EXPECT_LE(batch.checkpoint().event_count(), count);
        attempt.checkpoints.push_back(batch.checkpoint());
      }
      attempt.last = batch;
    }
    return attempt;
  }
  // A run left alone. The clock says when checkpoints are taken: there are four at least, of as many
  // runs as that takes.
  Attempt RunAlone(const v1::JobAssignment& assignment) {
    constexpr size_t kCheckpointsMin = 4;
    Attempt alone = Run(assignment);
    for (int runs = 1; runs < 100 && alone.checkpoints.size() < kCheckpointsMin; ++runs) {
      const Attempt again = Run(assignment);
      EXPECT_EQ(again.events, alone.events);
      alone.checkpoints.insert(alone.checkpoints.end(), again.checkpoints.begin(),
                               again.checkpoints.end());
    }
    TY_CHECK(alone.checkpoints.size() >= kCheckpointsMin);
    std::sort(alone.checkpoints.begin(), alone.checkpoints.end(),
              [](const v1::Checkpoint& a, const v1::Checkpoint& b) { return a.step() < b.step(); });
    return alone;
  }
  static int64_t Keep(const v1::JobEvent& event, Attempt* attempt) {
    if (event.has_checkpoint()) return 0;
    if (event.note().has_checkpoint_step()) {
      attempt->notes_of_checkpoints.push_back(event.note().message());
      return 0;
    }
    attempt->events.push_back(event.SerializeAsString());
    return 1;
  }

  void ExpectGoesOnTheSame(const TrainConfig& config) {
    v1::JobAssignment assignment = Assign(config);
    const Attempt alone = RunAlone(assignment);
    ASSERT_TRUE(alone.outcome.has_succeeded()) << alone.outcome.DebugString();
    for (size_t i = 0; i < alone.checkpoints.size(); i += 1 + alone.checkpoints.size() / 8) {
      const v1::Checkpoint& from = alone.checkpoints[i];
      SCOPED_TRACE(from.ShortDebugString());
      assignment.set_attempt(2);
      assignment.clear_checkpoints();
      *assignment.add_checkpoints() = from;
      const Attempt rest = Run(assignment);
      ASSERT_EQ(rest.outcome.succeeded().SerializeAsString(),
                alone.outcome.succeeded().SerializeAsString());
      const std::vector<std::string> expected(alone.events.begin() + from.event_count(),
                                              alone.events.end());
      ASSERT_EQ(rest.events, expected);
      EXPECT_EQ(rest.last.steps_done(), alone.last.steps_done());
      EXPECT_EQ(rest.last.rows_done(), alone.last.rows_done());
      EXPECT_GE(rest.last.busy_seconds(), from.busy_seconds());
    }
  }

  MemoryBlobs blobs_;
  JobRunner runner_;
};

TEST_F(JobResumeTest, OneRun) { ExpectGoesOnTheSame({.epochs = 150}); }

TEST_F(JobResumeTest, SeveralSeeds) { ExpectGoesOnTheSame({.epochs = 50, .seed_count = 3}); }

TEST_F(JobResumeTest, Folds) {
  TrainConfig config{.epochs = 50};
  config.data.split.fold_count = 3;
  ExpectGoesOnTheSame(config);
}

TEST_F(JobResumeTest, PassesOverWhatCannotBeReadAndSaysSo) {
  v1::JobAssignment assignment = Assign({.epochs = 150});
  const Attempt alone = RunAlone(assignment);
  const v1::Checkpoint newest = alone.checkpoints.back();
  const v1::Checkpoint before = alone.checkpoints[alone.checkpoints.size() / 2];
  assignment.clear_checkpoint_interval();  // one at the same step would mend what is damaged here
  blobs_.blobs[newest.digest()][100] ^= 1;
  *assignment.add_checkpoints() = newest;
  *assignment.add_checkpoints() = before;
  const Attempt from_before = Run(assignment);
  EXPECT_EQ(from_before.outcome.SerializeAsString(), alone.outcome.SerializeAsString());
  ASSERT_EQ(from_before.notes_of_checkpoints.size(), 1u);
  EXPECT_THAT(from_before.notes_of_checkpoints[0],
              HasSubstr(absl::StrCat("after step ", newest.step())));
  EXPECT_THAT(from_before.notes_of_checkpoints[0], HasSubstr("checksum"));
  EXPECT_EQ(from_before.events.size(), alone.events.size() - before.event_count());

  blobs_.blobs.erase(before.digest());
  const Attempt from_start = Run(assignment);
  EXPECT_EQ(from_start.outcome.SerializeAsString(), alone.outcome.SerializeAsString());
  EXPECT_EQ(from_start.notes_of_checkpoints.size(), 2u);
  EXPECT_EQ(from_start.events, alone.events);
}

TEST_F(JobResumeTest, OneOfAnotherSpecIsPassedOver) {
  v1::JobAssignment assignment = Assign({.epochs = 150});
  const Attempt alone = RunAlone(assignment);
  *assignment.add_checkpoints() = alone.checkpoints.back();
  assignment.set_spec_digest("sha256:other");
  const Attempt other = Run(assignment);
  ASSERT_EQ(other.notes_of_checkpoints.size(), 1u);
  EXPECT_THAT(other.notes_of_checkpoints[0], HasSubstr("belongs to"));
  EXPECT_EQ(other.events, alone.events);
}

TEST_F(JobResumeTest, AStopForAYieldLeavesACheckpoint) {
  v1::JobAssignment assignment = Assign({.epochs = 150});
  const Attempt alone = RunAlone(assignment);
  assignment.clear_checkpoint_interval();
  RecordingSink sink;
  StopFlag stop;
  stop.Request(StopCause::kYield);  // before the first step
  const v1::JobOutcome outcome = runner_.Run(assignment, &stop, &sink);
  EXPECT_TRUE(outcome.has_stopped());
  for (const v1::WorkRequest& request : sink.requests()) {
    if (request.events().has_checkpoint())
      *assignment.add_checkpoints() = request.events().checkpoint();
  }
  ASSERT_EQ(assignment.checkpoints_size(), 1);
  EXPECT_EQ(assignment.checkpoints(0).step(), 0);
  EXPECT_EQ(Run(assignment).outcome.SerializeAsString(), alone.outcome.SerializeAsString());
}

TEST_F(JobResumeTest, ACheckpointThatCannotBeStoredIsNoFaultOfTheJob) {
  v1::JobAssignment assignment = Assign({.epochs = 150});
  blobs_.write_status = absl::ResourceExhaustedError("no space left");
  RecordingSink sink;
  StopFlag stop;
  stop.Request(StopCause::kYield);
  EXPECT_TRUE(runner_.Run(assignment, &stop, &sink).has_stopped());
  for (const v1::WorkRequest& request : sink.requests()) {
    EXPECT_FALSE(request.events().has_checkpoint());
  }
}

}  // namespace
}  // namespace trainyard
