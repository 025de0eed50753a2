#include "tests/bench/watched_job.h"

#include <algorithm>
#include <cstdint>

#include "core/base/status_macros.h"

namespace trainyard::bench {
namespace {

constexpr int kConnections = 10;

v1::TrainingSpec LongSpec(int seconds) {
  v1::TrainingSpec spec = SmallSpec("label");
  for (int layer = 0; layer < 2; ++layer) spec.add_layers()->set_units(128);
  spec.set_batch_size(256);
  spec.set_epochs(100000);
  spec.mutable_max_runtime()->set_seconds(seconds);
  return spec;
}

}  // namespace

absl::StatusOr<v1::TrainingSpec> WatchedSpec(LiveService& service, const std::string& dataset,
                                             int seconds) {
  constexpr int kTrialSeconds = 2;
  v1::TrainingSpec spec = LongSpec(kTrialSeconds);
  spec.set_step_event_interval(100);
  TY_ASSIGN_OR_RETURN(const std::string name, service.Submit(dataset, spec));
  TY_RETURN_IF_ERROR(service.WaitForSuccess(name));
  TY_ASSIGN_OR_RETURN(const v1::TrainingJob job, service.Job(name));
  const int64_t steps_per_second = job.progress().steps_done() / kTrialSeconds;
  spec = LongSpec(seconds);
  spec.set_step_event_interval(
      static_cast<int32_t>(std::max<int64_t>(1, steps_per_second / kWatchedEventsPerSecond)));
  return spec;
}

Watcher::Watcher(v1::JobService::Stub* stub, const std::string& job, absl::BlockingCounter* done)
    : stub_(stub), done_(done) {
  request_.set_name(job);
}

void Watcher::Start() {
  stub_->async()->WatchTrainingJob(&context_, &request_, this);
  StartRead(&response_);
  StartCall();
}

void Watcher::OnReadDone(bool ok) {
  if (!ok) return;
  if (response_.has_event()) See(response_.event());
  StartRead(&response_);
}

void Watcher::OnDone(const grpc::Status& status) {
  status_ = status;
  done_->DecrementCount();
}

std::vector<std::unique_ptr<v1::JobService::Stub>> WatchConnections(const std::string& address) {
  std::vector<std::unique_ptr<v1::JobService::Stub>> stubs;
  for (int i = 0; i < kConnections; ++i) {
    grpc::ChannelArguments arguments;
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);  // a connection of its own
    stubs.push_back(v1::JobService::NewStub(
        grpc::CreateCustomChannel(address, grpc::InsecureChannelCredentials(), arguments)));
  }
  return stubs;
}

}  // namespace trainyard::bench
