#include "client/remote.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "client/render.h"
#include "core/base/error_info.h"
#include "core/base/limits.h"
#include "server/wire/error_detail.h"

namespace trainyard {
namespace {

// Pings at twice the least interval the server allows (10 s), so that a dead connection shows
// within half a minute.
constexpr int kKeepaliveMs = 20'000;
constexpr int kKeepaliveTimeoutMs = 10'000;
// gRPC's own waits between connection attempts grow to 2 min by default; ours decide here.
constexpr int kReconnectMsMin = 100;
constexpr int kReconnectMsMax = 2'000;

grpc::ChannelArguments ChannelArguments() {
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, kKeepaliveMs);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, kKeepaliveTimeoutMs);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  arguments.SetInt(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, kReconnectMsMin);
  arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, kReconnectMsMax);
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, kReconnectMsMax);
  // A service config could turn on retries below us, which would hide broken streams.
  arguments.SetInt(GRPC_ARG_ENABLE_RETRIES, 0);
  arguments.SetMaxReceiveMessageSize(static_cast<int>(limits::kMessageBytesMax));
  arguments.SetUserAgentPrefix("trainyard-cli");
  return arguments;
}

std::shared_ptr<grpc::ChannelCredentials> ChannelCredentials(const Credentials& credentials) {
  if (!credentials.tls) return grpc::InsecureChannelCredentials();
  return grpc::SslCredentials({.pem_root_certs = credentials.ca,
                               .pem_private_key = credentials.key,
                               .pem_cert_chain = credentials.certificate});
}

}  // namespace

bool Backoff::Wait() {
  if (retries_ >= policy_.retries_max) return false;
  const absl::Duration sleep = delay();
  ++retries_;
  return interrupt_->Sleep(sleep);
}

absl::Duration Backoff::delay() const {
  constexpr int kDoublingsMax = 20;
  return std::min(policy_.delay_min * (1 << std::min(retries_, kDoublingsMax)), policy_.delay_max);
}

Remote::Remote(const RemoteOptions& options, Interrupt* interrupt)
    : options_(options),
      interrupt_(interrupt),
      channel_(grpc::CreateCustomChannel(options.server, ChannelCredentials(options.credentials),
                                         ChannelArguments())),
      datasets_(v1::DatasetService::NewStub(channel_)),
      jobs_(v1::JobService::NewStub(channel_)),
      models_(v1::ModelService::NewStub(channel_)),
      analyses_(v1::AnalysisService::NewStub(channel_)),
      admin_(v1::AdminService::NewStub(channel_)),
      auth_(v1::AuthService::NewStub(channel_)),
      courses_(v1::CourseService::NewStub(channel_)),
      submissions_(v1::SubmissionService::NewStub(channel_)),
      grades_(v1::GradeService::NewStub(channel_)) {}

std::optional<absl::Duration> Remote::TimeoutOf(Span span) const {
  if (span == Span::kCleanup) return kCleanupTimeout;
  if (options_.timeout.has_value()) return options_.timeout;
  return span == Span::kShort ? std::optional(kShortTimeout) : std::nullopt;
}

std::unique_ptr<CallContext> Remote::NewCall(Span span) {
  auto call = std::make_unique<CallContext>(span == Span::kCleanup ? &never_ : interrupt_);
  const std::string& token = options_.credentials.token;
  if (!token.empty()) call->grpc()->AddMetadata("authorization", absl::StrCat("Bearer ", token));
  const std::optional<absl::Duration> timeout = TimeoutOf(span);
  if (timeout.has_value()) {
    call->grpc()->set_deadline(absl::ToChronoTime(absl::Now() + *timeout));
  }
  return call;
}

absl::Status Remote::ToStatus(const grpc::Status& status) {
  if (status.ok()) {
    reached_ = true;
    return absl::OkStatus();
  }
  const absl::Status decoded = DecodeError({static_cast<absl::StatusCode>(status.error_code()),
                                            status.error_message(), status.error_details()});
  if (interrupt_->raised()) return absl::CancelledError("interrupted");
  if (GetErrorInfo(decoded).has_value()) {
    reached_ = true;
    return decoded;
  }
  return Explain(decoded);
}

absl::Status Remote::Explain(const absl::Status& status) const {
  const std::string in_force = absl::StrCat("--server ", options_.server);
  if (status.code() == absl::StatusCode::kUnavailable) {
    return MakeError(
        status.code(),
        absl::StrCat("cannot reach the server at ", options_.server, ": ",
                     Printable(status.message())),
        {.hint = "start it (trainyard-server), or name another one with --server or the "
                 "variable TRAINYARD_SERVER",
         .in_force = in_force});
  }
  if (status.code() == absl::StatusCode::kDeadlineExceeded) {
    const std::string timeout = DurationText(options_.timeout.value_or(kShortTimeout));
    return MakeError(
        status.code(),
        absl::StrCat("no answer from the server at ", options_.server, " within ", timeout),
        {.reason = ErrorReason::kDeadline,
         .hint = "allow more time with --timeout, or look at the server's load",
         .in_force = absl::StrCat(in_force, ", --timeout ", timeout)});
  }
  return status;
}

bool Remote::IsTransient(const absl::Status& status) const {
  if (interrupt_->raised()) return false;
  switch (status.code()) {
    case absl::StatusCode::kUnavailable:
      return true;
    case absl::StatusCode::kInternal:  // a reset stream; the server's own INTERNAL has an ErrorInfo
    case absl::StatusCode::kUnknown:
    case absl::StatusCode::kCancelled:
      return !GetErrorInfo(status).has_value();
    default:
      return false;
  }
}

}  // namespace trainyard
