#include "server/metrics/rpc_metrics.h"

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"

namespace trainyard {
namespace {

constexpr absl::string_view kOther = "other";
constexpr absl::string_view kOtherMethod = "/other/other";
constexpr absl::string_view kUnary = "unary";

// The names of grpc::StatusCode, as Go writes them. Whatever is none of them counts as the first.
constexpr std::array<absl::string_view, 17> kCodes = {"Unknown",           "OK",
                                                      "Canceled",          "InvalidArgument",
                                                      "DeadlineExceeded",  "NotFound",
                                                      "AlreadyExists",     "PermissionDenied",
                                                      "ResourceExhausted", "FailedPrecondition",
                                                      "Aborted",           "OutOfRange",
                                                      "Unimplemented",     "Internal",
                                                      "Unavailable",       "DataLoss",
                                                      "Unauthenticated"};

const std::vector<double>& HandlingBuckets() {
  static const auto* const buckets =
      new std::vector<double>({.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 5});
  return *buckets;
}

}  // namespace

RpcMetrics::RpcMetrics(prometheus::Registry* registry)
    : started_(prometheus::BuildCounter()
                   .Name("grpc_server_started_total")
                   .Help("RPCs started on the server.")
                   .Register(*registry)),
      handled_(prometheus::BuildCounter()
                   .Name("grpc_server_handled_total")
                   .Help("RPCs completed on the server, regardless of success or failure.")
                   .Register(*registry)),
      received_(prometheus::BuildCounter()
                    .Name("grpc_server_msg_received_total")
                    .Help("RPC messages received on the server.")
                    .Register(*registry)),
      sent_(prometheus::BuildCounter()
                .Name("grpc_server_msg_sent_total")
                .Help("RPC messages sent by the server.")
                .Register(*registry)),
      handling_(prometheus::BuildHistogram()
                    .Name("grpc_server_handling_seconds")
                    .Help("Time from the start to the end of unary RPCs.")
                    .Register(*registry)) {}

void RpcMetrics::Started(absl::string_view method, absl::string_view grpc_type) {
  Find(method, grpc_type)->started->Increment();
}

void RpcMetrics::MessageReceived(absl::string_view method, absl::string_view grpc_type) {
  Find(method, grpc_type)->received->Increment();
}

void RpcMetrics::MessageSent(absl::string_view method, absl::string_view grpc_type) {
  Find(method, grpc_type)->sent->Increment();
}

void RpcMetrics::Handled(absl::string_view method, absl::string_view grpc_type,
                         absl::string_view code, double seconds) {
  Series* const series = Find(method, grpc_type);
  FindHandled(series, code).Increment();
  if (series->handling != nullptr) series->handling->Observe(seconds);
}

RpcMetrics::Series* RpcMetrics::Find(absl::string_view method, absl::string_view grpc_type) {
  {
    absl::ReaderMutexLock lock(&mutex_);
    const auto found = series_.find(method);
    if (found != series_.end()) return found->second.get();
  }
  absl::MutexLock lock(&mutex_);
  if (series_.size() >= kMethodsMax) method = kOtherMethod;
  std::unique_ptr<Series>& series = series_[method];
  if (series == nullptr) series = MakeSeries(method, grpc_type);
  return series.get();
}

std::unique_ptr<RpcMetrics::Series> RpcMetrics::MakeSeries(absl::string_view method,
                                                           absl::string_view grpc_type) {
  std::pair<absl::string_view, absl::string_view> parts =
      absl::StrSplit(absl::StripPrefix(method, "/"), absl::MaxSplits('/', 1));
  if (parts.first.empty() || parts.second.empty()) parts = {kOther, kOther};
  prometheus::Labels labels = {{"grpc_service", std::string(parts.first)},
                               {"grpc_method", std::string(parts.second)},
                               {"grpc_type", std::string(grpc_type)}};
  prometheus::Histogram* const handling =
      grpc_type == kUnary ? &handling_.Add(labels, HandlingBuckets()) : nullptr;
  return std::make_unique<Series>(Series{.labels = labels,
                                         .started = &started_.Add(labels),
                                         .received = &received_.Add(labels),
                                         .sent = &sent_.Add(labels),
                                         .handling = handling});
}

prometheus::Counter& RpcMetrics::FindHandled(Series* series, absl::string_view code) {
  {
    absl::ReaderMutexLock lock(&mutex_);
    const auto found = series->handled.find(code);
    if (found != series->handled.end()) return *found->second;
  }
  if (std::find(kCodes.begin(), kCodes.end(), code) == kCodes.end()) code = kCodes[0];
  absl::MutexLock lock(&mutex_);
  prometheus::Counter*& counter = series->handled[code];
  if (counter == nullptr) {
    prometheus::Labels labels = series->labels;
    labels.emplace("grpc_code", std::string(code));
    counter = &handled_.Add(labels);
  }
  return *counter;
}

}  // namespace trainyard
