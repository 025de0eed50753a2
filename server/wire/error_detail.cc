#include "server/wire/error_detail.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "core/base/check.h"
#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"
#include "trainyard/v1/common.pb.h"

namespace trainyard {
namespace {

constexpr char kHintKey[] = "hint";
constexpr char kInForceKey[] = "in_force";
// The message stands twice in the trailers, once percent-encoded (up to three bytes for one).
constexpr size_t kMessageBytesMax = 800;
// Metadata values, hint and in_force, each.
constexpr size_t kValueBytesMax = 400;
constexpr size_t kViolationBytesMax = 300;

// At most `bytes_max` bytes of `text`, never half of a UTF-8 sequence.
std::string Shorten(absl::string_view text, size_t bytes_max) {
  if (text.size() <= bytes_max) return std::string(text);
  size_t end = bytes_max - 3;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;
  return absl::StrCat(text.substr(0, end), "...");
}

// What stands after "what and where" in a message on the wire.
std::string MessageTail(const ErrorInfo& info) {
  std::string tail;
  if (!info.hint.empty()) absl::StrAppend(&tail, "; ", info.hint);
  if (!info.in_force.empty()) absl::StrAppend(&tail, " (in force: ", info.in_force, ")");
  return tail;
}

ErrorReason ReasonOfCode(absl::StatusCode code) {
  switch (code) {
    case absl::StatusCode::kInvalidArgument:
    case absl::StatusCode::kOutOfRange:
    case absl::StatusCode::kUnimplemented:
      return ErrorReason::kInvalidRequest;
    case absl::StatusCode::kNotFound:
      return ErrorReason::kNotFound;
    case absl::StatusCode::kResourceExhausted:
      return ErrorReason::kTooLarge;
    case absl::StatusCode::kFailedPrecondition:
    case absl::StatusCode::kAlreadyExists:
    case absl::StatusCode::kAborted:
      return ErrorReason::kInvalidState;
    case absl::StatusCode::kPermissionDenied:
      return ErrorReason::kPermission;
    case absl::StatusCode::kUnauthenticated:
      return ErrorReason::kUnauthenticated;
    case absl::StatusCode::kUnavailable:
      return ErrorReason::kDraining;
    case absl::StatusCode::kDeadlineExceeded:
      return ErrorReason::kDeadline;
    case absl::StatusCode::kCancelled:
      return ErrorReason::kCancelled;
    case absl::StatusCode::kDataLoss:
      return ErrorReason::kDataLoss;
    default:
      return ErrorReason::kInternal;
  }
}

google::rpc::ErrorInfo InfoToProto(const ErrorInfo& info) {
  google::rpc::ErrorInfo proto;
  proto.set_reason(std::string(ErrorReasonName(info.reason)));
  proto.set_domain(kErrorDomain);
  auto& metadata = *proto.mutable_metadata();
  if (!info.hint.empty()) metadata[kHintKey] = info.hint;
  if (!info.in_force.empty()) metadata[kInForceKey] = info.in_force;
  for (const auto& [key, value] : info.metadata) {
    if (key != kRetryAfterKey) metadata[key] = Shorten(value, kValueBytesMax);
  }
  return proto;
}

std::optional<google::rpc::RetryInfo> RetryToProto(const ErrorInfo& info) {
  for (const auto& [key, value] : info.metadata) {
    double seconds = 0;
    if (key != kRetryAfterKey || !absl::SimpleAtod(value, &seconds)) continue;
    google::rpc::RetryInfo proto;
    const int64_t whole = static_cast<int64_t>(seconds);
    proto.mutable_retry_delay()->set_seconds(whole);
    proto.mutable_retry_delay()->set_nanos(
        static_cast<int32_t>((seconds - static_cast<double>(whole)) * 1e9));
    return proto;
  }
  return std::nullopt;
}

// As many violations as fit into `bytes_max`.
google::rpc::BadRequest ViolationsToProto(const ErrorInfo& info, size_t bytes_max) {
  constexpr size_t kMoreBytes = 100;  // room for the entry that says how many are missing
  google::rpc::BadRequest proto;
  size_t used = 0;
  for (const FieldViolation& violation : info.violations) {
    const std::string description = Shorten(violation.description, kViolationBytesMax);
    used += violation.field.size() + description.size() + 8;
    if (used + kMoreBytes > bytes_max) break;
    auto* entry = proto.add_field_violations();
    entry->set_field(violation.field);
    entry->set_description(description);
  }
  const size_t left_out = info.violations.size() - proto.field_violations_size();
  if (left_out > 0) {
    proto.add_field_violations()->set_description(
        absl::StrCat("and ", left_out, " more that do not fit into one answer"));
  }
  return proto;
}

void InfoFromProto(const google::rpc::ErrorInfo& proto, ErrorInfo* info) {
  v1::ErrorReason reason = v1::ERROR_REASON_INTERNAL;
  // A reason of a newer server stays readable as its code; INTERNAL is the honest guess.
  v1::ErrorReason_Parse(absl::StrCat("ERROR_REASON_", proto.reason()), &reason);
  info->reason = static_cast<ErrorReason>(reason);
  for (const auto& [key, value] : proto.metadata()) {
    if (key == kHintKey) {
      info->hint = value;
    } else if (key == kInForceKey) {
      info->in_force = value;
    } else {
      info->metadata.emplace_back(key, value);
    }
  }
  std::sort(info->metadata.begin(), info->metadata.end());  // map order is random
}

void RetryFromProto(const google::rpc::RetryInfo& proto, ErrorInfo* info) {
  const double seconds = static_cast<double>(proto.retry_delay().seconds()) +
                         static_cast<double>(proto.retry_delay().nanos()) / 1e9;
  info->metadata.emplace_back(kRetryAfterKey, absl::StrCat(seconds));
}

void DetailFromProto(const google::protobuf::Any& any, ErrorInfo* info, bool* ours) {
  google::rpc::ErrorInfo error_info;
  google::rpc::BadRequest bad_request;
  google::rpc::RetryInfo retry;
  if (any.UnpackTo(&error_info)) {
    *ours = error_info.domain() == kErrorDomain;
    InfoFromProto(error_info, info);
  } else if (any.UnpackTo(&bad_request)) {
    for (const auto& violation : bad_request.field_violations()) {
      info->violations.push_back({violation.field(), violation.description()});
    }
  } else if (any.UnpackTo(&retry)) {
    RetryFromProto(retry, info);
  }
}

}  // namespace

ErrorInfo ErrorInfoOf(const absl::Status& status) {
  std::optional<ErrorInfo> info = GetErrorInfo(status);
  if (info.has_value()) return *std::move(info);
  return {.reason = ReasonOfCode(status.code())};
}

WireError EncodeError(const absl::Status& status) {
  TY_CHECK(!status.ok());
  ErrorInfo info = ErrorInfoOf(status);
  info.hint = Shorten(info.hint, kValueBytesMax);
  info.in_force = Shorten(info.in_force, kValueBytesMax);
  const std::string tail = MessageTail(info);
  WireError wire{.code = status.code()};
  wire.message = absl::StrCat(Shorten(status.message(), kMessageBytesMax), tail);

  google::rpc::Status proto;
  proto.set_code(static_cast<int>(status.code()));
  proto.set_message(wire.message);
  proto.add_details()->PackFrom(InfoToProto(info));
  if (const auto retry = RetryToProto(info)) proto.add_details()->PackFrom(*retry);
  const size_t used = proto.ByteSizeLong() + wire.message.size();
  if (!info.violations.empty() && used < kWireErrorBytesMax) {
    proto.add_details()->PackFrom(ViolationsToProto(info, kWireErrorBytesMax - used));
  }
  wire.details = proto.SerializeAsString();
  return wire;
}

absl::Status DecodeError(const WireError& error) {
  const absl::Status plain(error.code, error.message);
  google::rpc::Status proto;
  if (error.details.empty() || plain.ok() || !proto.ParseFromString(error.details)) return plain;
  ErrorInfo info;
  bool ours = false;
  for (const google::protobuf::Any& any : proto.details()) DetailFromProto(any, &info, &ours);
  if (!ours) return plain;
  absl::string_view what = error.message;
  const std::string tail = MessageTail(info);
  if (absl::EndsWith(what, tail)) what.remove_suffix(tail.size());
  return MakeError(error.code, what, info);
}

}  // namespace trainyard
