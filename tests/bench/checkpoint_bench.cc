// What checkpoints cost: the time of one training with the given interval and of the same without
// any, in turns. See README.md for the protocol.
#include <algorithm>

#include "absl/strings/str_cat.h"
#include "core/base/status_macros.h"
#include "tests/bench/live_service.h"

namespace trainyard::bench {
namespace {

constexpr int kRounds = 5;
constexpr int64_t kUnits = 1024;  // 1.1 M parameters with Adam's moments: 13 MB

v1::TrainingSpec Spec() {
  v1::TrainingSpec spec = SmallSpec("label");
  spec.mutable_layers(0)->set_units(kUnits);
  spec.add_layers()->set_units(kUnits);
  spec.set_epochs(60);
  spec.set_seed(1);
  return spec;
}

struct Cost {
  double seconds = 0;
  int64_t checkpoints = 0;
  int64_t bytes = 0;
};

absl::StatusOr<Cost> TrainOnce(const std::string& bin, const std::string& interval) {
  const TempFolder folder;
  TY_ASSIGN_OR_RETURN(const auto service,
                      LiveService::Start({.bin = bin,
                                          .data_dir = folder.path() + "/data",
                                          .flags = {"--checkpoint-interval", interval}}));
  TY_ASSIGN_OR_RETURN(const std::string dataset, service->Upload(RandomTable(2'000, 20)));
  TY_ASSIGN_OR_RETURN(const std::string name, service->Submit(dataset, Spec()));
  TY_RETURN_IF_ERROR(service->WaitForSuccess(name));
  TY_ASSIGN_OR_RETURN(const v1::TrainingJob job, service->Job(name));
  Cost cost;
  cost.seconds = absl::ToDoubleSeconds(TimeOf(job.end_time()) - TimeOf(job.start_time()));
  grpc::ClientContext context;
  v1::ListJobEventsRequest request;
  request.set_name(name);
  request.set_page_size(10'000);
  v1::ListJobEventsResponse response;
  TY_RETURN_IF_ERROR(FromGrpc(service->jobs().ListJobEvents(&context, request, &response)));
  for (const v1::JobEvent& event : response.events()) {
    if (!event.has_checkpoint()) continue;
    ++cost.checkpoints;
    cost.bytes = event.checkpoint().size_bytes();
  }
  return cost;
}

absl::StatusOr<std::string> Run(const std::string& bin) {
  std::vector<double> without, often;
  Cost last;
  for (int round = 0; round < kRounds; ++round) {
    TY_ASSIGN_OR_RETURN(const Cost none, TrainOnce(bin, "24h"));
    TY_ASSIGN_OR_RETURN(last, TrainOnce(bin, "1s"));
    without.push_back(none.seconds);
    often.push_back(last.seconds);
  }
  const double seconds = Percentile(without, 0.5);
  const double extra = Percentile(often, 0.5) - seconds;
  const double each = extra / static_cast<double>(std::max<int64_t>(1, last.checkpoints));
  return absl::StrCat(
      "{\"bench\": \"checkpoint\", \"rounds\": ", kRounds, ", \"checkpoint_bytes\": ", last.bytes,
      ", \"checkpoints_each_second\": ", last.checkpoints, ", \"train_s\": ", seconds,
      ", \"with_each_second_s\": ", seconds + extra, ", \"ms_per_checkpoint\": ", 1000 * each,
      ", \"percent_at_30_s\": ", 100 * each / 30, "}");
}

}  // namespace
}  // namespace trainyard::bench

int main(int argc, char** argv) {
  return trainyard::bench::RunBenchmark(argc, argv, trainyard::bench::Run);
}
