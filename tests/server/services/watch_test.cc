// Watch and its unary twin, against a server with a real worker.
#include <google/protobuf/util/message_differencer.h>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "server/base/steady_clock.h"
#include "tests/support/status_matchers.h"
#include "tests/support/test_server.h"

namespace trainyard {
namespace {

using google::protobuf::util::MessageDifferencer;
using Stub = v1::JobService::Stub;

std::vector<v1::JobEvent> EventsOf(const TestServer::WatchResult& watch) {
  std::vector<v1::JobEvent> events;
  for (const auto& message : watch.messages) {
    if (message.has_event()) events.push_back(message.event());
  }
  return events;
}

class WatchTest : public testing::Test {
 protected:
  v1::WatchTrainingJobRequest WatchOf(const std::string& name) {
    v1::WatchTrainingJobRequest request;
    request.set_name(name);
    return request;
  }
  // A finished job with step, epoch and test events.
  std::string FinishedJob() {
    const v1::TrainingJob job =
        server_.Wait(server_.Submit(server_.Upload(ReadTestData("iris.csv")), "species").name());
    EXPECT_EQ(job.state(), v1::JOB_STATE_SUCCEEDED) << job.ShortDebugString();
    return job.name();
  }
  std::vector<v1::JobEvent> ListAll(const std::string& name, int page_size) {
    std::vector<v1::JobEvent> events;
    v1::ListJobEventsRequest request;
    request.set_name(name);
    request.set_page_size(page_size);
    do {
      const auto page = CallWith(server_.jobs(), &Stub::ListJobEvents, request);
      if (!page.ok()) return {};
      events.insert(events.end(), page->events().begin(), page->events().end());
      request.set_start_sequence(page->next_sequence());
    } while (request.start_sequence() != 0);
    return events;
  }

  TestServer server_{{.workers = 1, .heartbeat_interval = absl::Milliseconds(100)}};
};

TEST_F(WatchTest, ALiveWatchIsASnapshotThenADenseLogThenTheTerminalEventThenOk) {
  const std::string name =
      server_.Submit(server_.Upload(ReadTestData("iris.csv")), "species").name();
  const TestServer::WatchResult watch = server_.Watch(WatchOf(name));
  EXPECT_THAT(watch.status, IsOk());
  ASSERT_FALSE(watch.messages.empty());
  EXPECT_EQ(watch.messages.front().snapshot().name(), name);
  const std::vector<v1::JobEvent> events = EventsOf(watch);
  for (size_t i = 0; i < events.size(); ++i)
    EXPECT_EQ(events[i].sequence(), static_cast<int64_t>(i) + 1);
  EXPECT_EQ(events.back().state_change().to(), v1::JOB_STATE_SUCCEEDED);
  EXPECT_NE(events.back().state_change().model(), "");
}

TEST_F(WatchTest, AReplayEqualsTheUnaryTwinWhateverThePage) {
  const std::string name = FinishedJob();
  const std::vector<v1::JobEvent> watched = EventsOf(server_.Watch(WatchOf(name)));
  for (const int page_size : {0, 1, 7}) {
    const std::vector<v1::JobEvent> listed = ListAll(name, page_size);
    ASSERT_EQ(listed.size(), watched.size());
    for (size_t i = 0; i < listed.size(); ++i)
      EXPECT_TRUE(MessageDifferencer::Equals(listed[i], watched[i]));
  }
}

TEST_F(WatchTest, AWatchResumesAtAnySequence) {
  const std::string name = FinishedJob();
  const size_t count = EventsOf(server_.Watch(WatchOf(name))).size();
  for (size_t start = 2; start <= count; ++start) {
    v1::WatchTrainingJobRequest request = WatchOf(name);
    request.set_start_sequence(static_cast<int64_t>(start));
    const TestServer::WatchResult watch = server_.Watch(request);
    EXPECT_THAT(watch.status, IsOk());
    const std::vector<v1::JobEvent> events = EventsOf(watch);
    ASSERT_EQ(events.size(), count - start + 1);
    EXPECT_EQ(events.front().sequence(), static_cast<int64_t>(start));
  }
  v1::WatchTrainingJobRequest beyond = WatchOf(name);
  beyond.set_start_sequence(static_cast<int64_t>(count) + 1);
  EXPECT_THAT(server_.Watch(beyond).status, HasReason(ErrorReason::kInvalidRequest));
}

TEST_F(WatchTest, KindsAndIntervalThinOutAndCount) {
  const std::string name = FinishedJob();
  const std::vector<v1::JobEvent> all = EventsOf(server_.Watch(WatchOf(name)));
  v1::WatchTrainingJobRequest request = WatchOf(name);
  request.add_kinds(v1::EVENT_KIND_EPOCH);
  int epochs = 0;
  for (const v1::JobEvent& event : EventsOf(server_.Watch(request))) {
    EXPECT_TRUE(event.has_epoch() || event.has_state_change());
    epochs += event.has_epoch() ? 1 : 0;
  }
  EXPECT_EQ(epochs, 3);

  request = WatchOf(name);
  request.mutable_min_interval()->set_seconds(60);
  size_t steps = 0, coalesced = 0, delivered = 0;
  for (const auto& message : server_.Watch(request).messages) {
    if (!message.has_event()) continue;
    ++delivered;
    steps += message.event().has_step() ? 1 : 0;
    coalesced += static_cast<size_t>(message.coalesced_events());
  }
  EXPECT_EQ(steps, 1u);
  EXPECT_GT(coalesced, 0u);
  EXPECT_EQ(delivered + coalesced, all.size());
}

TEST_F(WatchTest, FaultyRequestsNameEveryFault) {
  v1::WatchTrainingJobRequest request = WatchOf("trainingJobs/x");
  request.set_start_sequence(-1);
  request.mutable_min_interval()->set_seconds(61);
  request.add_kinds(static_cast<v1::EventKind>(55));
  const absl::Status status = server_.Watch(request).status;
  EXPECT_THAT(status, HasReason(ErrorReason::kInvalidRequest));
  EXPECT_EQ(GetErrorInfo(status)->violations.size(), 3u);
}

TEST_F(WatchTest, AWatcherThatNeverReadsDoesNotHoldUpAShutdown) {
  // Far more bytes than the transport buffers: a write is in flight when the stream is told to end,
  // and fails when it is cancelled.
  const std::string dataset = server_.Upload(ReadTestData("iris.csv"));
  const auto many_steps = [](v1::TrainingSpec* spec) {
    spec->set_batch_size(1);
    spec->set_epochs(120);
  };
  const std::string name =
      server_.Wait(server_.Submit(dataset, "species", many_steps).name()).name();
  ASSERT_GT(ListAll(name, 10'000).size(), 10'000u);
  // A window that does not grow.
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_HTTP2_BDP_PROBE, 0);
  arguments.SetInt(GRPC_ARG_HTTP2_STREAM_LOOKAHEAD_BYTES, 65'535);
  const auto stub = v1::JobService::NewStub(grpc::CreateCustomChannel(
      server_.server().addresses().front(), grpc::InsecureChannelCredentials(), arguments));
  grpc::ClientContext context;
  const auto reader = stub->WatchTrainingJob(&context, WatchOf(name));
  v1::WatchTrainingJobResponse message;
  ASSERT_TRUE(reader->Read(&message));
  absl::SleepFor(absl::Milliseconds(300));  // until flow control has stopped the server
  server_.server().Shutdown(SteadyNow());   // waits for every stream
  while (reader->Read(&message)) {
  }
  EXPECT_FALSE(reader->Finish().ok());
}

// Everything else about a watch that waits needs no worker.
class IdleWatchTest : public testing::Test {
 protected:
  IdleWatchTest()
      : name_(server_.Submit(server_.Upload(ReadTestData("iris.csv")), "species").name()) {
    request_.set_name(name_);
    context_.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(30));
    reader_ = server_.jobs().WatchTrainingJob(&context_, request_);
  }
  // Reads until something else than a heartbeat comes; false at the end.
  bool ReadPastHeartbeats() {
    while (reader_->Read(&message_)) {
      if (!message_.has_heartbeat()) return true;
    }
    return false;
  }

  TestServer server_{{.heartbeat_interval = absl::Milliseconds(50), .watchers_max = 2}};
  const std::string name_;
  v1::WatchTrainingJobRequest request_;
  grpc::ClientContext context_;
  std::unique_ptr<grpc::ClientReader<v1::WatchTrainingJobResponse>> reader_;
  v1::WatchTrainingJobResponse message_;
};

TEST_F(IdleWatchTest, SilenceBringsHeartbeatsWithTheNewestSequence) {
  ASSERT_TRUE(reader_->Read(&message_));
  EXPECT_TRUE(message_.has_snapshot());
  ASSERT_TRUE(reader_->Read(&message_));
  EXPECT_EQ(message_.event().state_change().to(), v1::JOB_STATE_PENDING);
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(reader_->Read(&message_));
    EXPECT_EQ(message_.heartbeat().last_sequence(), 1);
  }
}

TEST_F(IdleWatchTest, EventsFollowLiveAndTheTerminalOneEndsIt) {
  ASSERT_TRUE(ReadPastHeartbeats());
  ASSERT_TRUE(ReadPastHeartbeats());
  v1::PauseTrainingJobRequest pause;
  pause.set_name(name_);
  ASSERT_THAT(CallWith(server_.jobs(), &Stub::PauseTrainingJob, pause), IsOk());
  ASSERT_TRUE(ReadPastHeartbeats());
  EXPECT_EQ(message_.event().state_change().to(), v1::JOB_STATE_PAUSED);
  v1::CancelTrainingJobRequest cancel;
  cancel.set_name(name_);
  ASSERT_THAT(CallWith(server_.jobs(), &Stub::CancelTrainingJob, cancel), IsOk());
  ASSERT_TRUE(ReadPastHeartbeats());
  EXPECT_EQ(message_.event().state_change().to(), v1::JOB_STATE_CANCELLED);
  EXPECT_FALSE(ReadPastHeartbeats());
  EXPECT_THAT(FromGrpcStatus(reader_->Finish()), IsOk());
}

TEST_F(IdleWatchTest, AStartBeyondALogThatThenEndsIsRefusedAtItsEnd) {
  v1::WatchTrainingJobRequest request = request_;
  request.set_start_sequence(1'000);
  TestServer::WatchResult watch;
  std::thread watcher([&] { watch = server_.Watch(request); });
  v1::CancelTrainingJobRequest cancel;
  cancel.set_name(name_);
  ASSERT_THAT(CallWith(server_.jobs(), &Stub::CancelTrainingJob, cancel), IsOk());
  watcher.join();
  EXPECT_THAT(watch.status, HasReason(ErrorReason::kInvalidRequest));
  EXPECT_TRUE(EventsOf(watch).empty());
}

TEST_F(IdleWatchTest, DrainingEndsWatchesAndRefusesNewCalls) {
  ASSERT_TRUE(ReadPastHeartbeats());
  std::thread shutdown([&] { server_.server().Shutdown(SteadyNow() + absl::Seconds(10)); });
  while (ReadPastHeartbeats()) {
  }
  const absl::Status status = FromGrpcStatus(reader_->Finish());
  shutdown.join();
  EXPECT_THAT(status, StatusIs(absl::StatusCode::kUnavailable, testing::_));
  EXPECT_THAT(status, HasReason(ErrorReason::kDraining));
}

TEST_F(IdleWatchTest, MoreWatchersThanTheLimitAreTurnedAway) {
  ASSERT_TRUE(ReadPastHeartbeats());
  grpc::ClientContext context;
  const auto second = server_.jobs().WatchTrainingJob(&context, request_);
  ASSERT_TRUE(second->Read(&message_));
  EXPECT_THAT(server_.Watch(request_).status, HasReason(ErrorReason::kQueueFull));
  context.TryCancel();
  second->Finish();
  // The place of the one that left is free again, once the server has heard of it.
  const absl::Time give_up = absl::Now() + absl::Seconds(10);
  bool admitted = false;
  while (!admitted && absl::Now() < give_up) {
    grpc::ClientContext third_context;
    const auto third = server_.jobs().WatchTrainingJob(&third_context, request_);
    admitted = third->Read(&message_);
    third_context.TryCancel();
    third->Finish();
  }
  EXPECT_TRUE(admitted);
}

TEST(ManyWatchersTest, AllWatchersOfOneJobGetTheSameEvents) {
  TestServer server({.watchers_max = 200});
  const std::string name = server.Submit(server.Upload(ReadTestData("iris.csv")), "species").name();
  v1::WatchTrainingJobRequest request;
  request.set_name(name);
  std::vector<TestServer::WatchResult> results(50);
  std::vector<std::thread> threads;
  for (auto& result : results)
    threads.emplace_back([&server, &result, &request] { result = server.Watch(request); });
  v1::CancelTrainingJobRequest cancel;
  cancel.set_name(name);
  ASSERT_THAT(CallWith(server.jobs(), &Stub::CancelTrainingJob, cancel), IsOk());
  for (std::thread& thread : threads) thread.join();
  for (const TestServer::WatchResult& result : results) {
    EXPECT_THAT(result.status, IsOk());
    EXPECT_EQ(EventsOf(result).size(), 2u);
  }
}

}  // namespace
}  // namespace trainyard
