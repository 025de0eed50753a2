#include "client/watch.h"

#include <memory>

#include "absl/strings/str_cat.h"
#include "client/exit_code.h"
#include "client/render.h"
#include "core/base/error_info.h"
#include "core/base/status_macros.h"
#include "google/protobuf/util/time_util.h"

namespace trainyard {
namespace {

using EventStream = grpc::ClientReader<v1::WatchTrainingJobResponse>;

// Every kind of event but the steps, also one that the contract gets later.
void AddKindsWithoutSteps(v1::WatchTrainingJobRequest* request) {
  const google::protobuf::EnumDescriptor& kinds = *v1::EventKind_descriptor();
  for (int i = 0; i < kinds.value_count(); ++i) {
    const int kind = kinds.value(i)->number();
    if (kind == v1::EVENT_KIND_UNSPECIFIED || kind == v1::EVENT_KIND_STEP) continue;
    request->add_kinds(static_cast<v1::EventKind>(kind));
  }
}

class Watcher {
 public:
  Watcher(Remote& remote, const WatchOptions& options, WatchView& view)
      : remote_(remote),
        options_(options),
        view_(view),
        next_(std::max<int64_t>(options.start_sequence, 1)) {
    job_.set_name(options.name);
  }

  absl::StatusOr<v1::TrainingJob> Run();

 private:
  absl::Status RunStream();
  absl::Status OnMessage(const v1::WatchTrainingJobResponse& message);
  absl::Status OnEvent(const v1::WatchTrainingJobResponse& message);
  std::string BreakNotice(const absl::Status& status, bool is_first, absl::Duration delay) const;
  v1::WatchTrainingJobRequest Request() const;
  bool IsDense() const {
    return !options_.without_steps && options_.min_interval == absl::ZeroDuration();
  }

  Remote& remote_;
  const WatchOptions options_;
  WatchView& view_;
  int64_t next_;          // sequence that is due
  int64_t messages_ = 0;  // that came, over all streams
  v1::TrainingJob job_;   // becomes the result
};

absl::StatusOr<v1::TrainingJob> Watcher::Run() {
  Backoff backoff = remote_.NewBackoff();
  while (true) {
    const int64_t messages_before = messages_;
    const absl::Status status = RunStream();
    if (IsTerminal(job_.state())) return job_;
    if (!remote_.reached() || !remote_.IsTransient(status)) return status;
    const bool is_first = messages_ > messages_before;
    if (is_first) backoff.Reset();
    view_.OnBreak(BreakNotice(status, is_first, backoff.delay()));
    if (!backoff.Wait()) return status;
  }
}

// The cause once, then only that it still holds.
std::string Watcher::BreakNotice(const absl::Status& status, bool is_first,
                                 absl::Duration delay) const {
  if (!is_first) return absl::StrCat("no answer yet; trying again in ", DurationText(delay));
  return absl::StrCat("the watch broke off (", Printable(status.message()),
                      "); going on from event ", next_, " in ", DurationText(delay));
}

v1::WatchTrainingJobRequest Watcher::Request() const {
  v1::WatchTrainingJobRequest request;
  request.set_name(options_.name);
  request.set_start_sequence(next_);
  *request.mutable_min_interval() = google::protobuf::util::TimeUtil::NanosecondsToDuration(
      absl::ToInt64Nanoseconds(options_.min_interval));
  if (options_.without_steps) AddKindsWithoutSteps(&request);
  return request;
}

// The stream's end; UNAVAILABLE when it ended well before the job did.
absl::Status Watcher::RunStream() {
  const std::unique_ptr<CallContext> call = remote_.NewCall(Span::kLong);
  const std::unique_ptr<EventStream> stream =
      remote_.jobs().WatchTrainingJob(call->grpc(), Request());
  v1::WatchTrainingJobResponse message;
  while (stream->Read(&message)) {
    remote_.NoteAnswer();
    ++messages_;
    const absl::Status status = OnMessage(message);
    if (status.ok()) continue;
    call->Cancel();
    stream->Finish();
    return status;
  }
  TY_RETURN_IF_ERROR(remote_.ToStatus(stream->Finish()));
  return absl::UnavailableError("the stream ended before the job did");
}

absl::Status Watcher::OnMessage(const v1::WatchTrainingJobResponse& message) {
  switch (message.payload_case()) {
    case v1::WatchTrainingJobResponse::kSnapshot:
      view_.OnSnapshot(message.snapshot());
      return absl::OkStatus();
    case v1::WatchTrainingJobResponse::kEvent:
      return OnEvent(message);
    default:  // a heartbeat, or a kind of message of a newer server
      view_.OnHeartbeat();
      return absl::OkStatus();
  }
}

absl::Status Watcher::OnEvent(const v1::WatchTrainingJobResponse& message) {
  const v1::JobEvent& event = message.event();
  const bool out_of_order = event.sequence() < next_ || (IsDense() && event.sequence() > next_);
  if (out_of_order) {
    return MakeError(
        absl::StatusCode::kDataLoss,
        absl::StrCat(options_.name, ": event ", next_, " was due, but event ", event.sequence(),
                     " came"),
        {.reason = ErrorReason::kDataLoss,
         .hint = "this is a fault of the server; read the log with: trainyard job events"});
  }
  next_ = event.sequence() + 1;
  if (event.has_state_change()) {
    job_.set_state(event.state_change().to());
    if (event.state_change().has_error()) *job_.mutable_error() = event.state_change().error();
    job_.set_model(event.state_change().model());
  }
  view_.OnMessage(message);
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<v1::TrainingJob> Watch(Remote& remote, const WatchOptions& options,
                                      WatchView& view) {
  return Watcher(remote, options, view).Run();
}

}  // namespace trainyard
