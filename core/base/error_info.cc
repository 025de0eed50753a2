#include "core/base/error_info.h"

#include <algorithm>
#include <array>

#include "absl/strings/cord.h"
#include "absl/strings/str_cat.h"
#include "core/base/check.h"
#include "core/base/coding.h"

namespace trainyard {
namespace {

constexpr absl::string_view kPayloadUrl = "trainyard/ErrorInfo";
constexpr size_t kPartBytesMax = 1 << 20;
constexpr size_t kViolationsInMessageMax = 5;

constexpr std::array<absl::string_view, static_cast<size_t>(kErrorReasonLast) + 1> kReasonNames = {
    "UNSPECIFIED",       "INVALID_SPEC",    "INVALID_REQUEST",   "DATASET_REJECTED",
    "DIGEST_MISMATCH",   "OFFSET_MISMATCH", "TOO_LARGE",         "QUEUE_FULL",
    "OWNER_QUOTA",       "REQUEST_ID_REUSED", "PERMISSION",      "NOT_FOUND",
    "INVALID_STATE",     "DRAINING",        "NON_FINITE_LOSS",   "OUT_OF_MEMORY",
    "RUNTIME_LIMIT",     "WORKER_LOST",     "CORRUPT_CHECKPOINT", "INTERNAL",
    "DATA_LOSS",         "DEADLINE",        "CANCELLED",         "STORAGE_FULL",
    "UNAUTHENTICATED",   "RATE_LIMITED",    "ATTEMPTS_EXHAUSTED", "ASSIGNMENT_CLOSED"};

using Pairs = std::vector<std::pair<std::string, std::string>>;

void EncodePairs(const Pairs& pairs, ByteWriter* writer) {
  writer->U32(static_cast<uint32_t>(pairs.size()));
  for (const auto& [key, value] : pairs) {
    writer->String(key);
    writer->String(value);
  }
}

bool DecodePairs(ByteReader* reader, Pairs* pairs) {
  uint32_t count = 0;
  if (!reader->U32(&count)) return false;
  for (uint32_t i = 0; i < count; ++i) {
    std::string key, value;
    if (!reader->String(&key, kPartBytesMax) || !reader->String(&value, kPartBytesMax)) return false;
    pairs->emplace_back(std::move(key), std::move(value));
  }
  return true;
}

std::string Encode(const ErrorInfo& info) {
  ByteWriter writer;
  writer.U32(static_cast<uint32_t>(info.reason));
  writer.String(info.hint);
  writer.String(info.in_force);
  Pairs violations;
  for (const FieldViolation& v : info.violations) violations.emplace_back(v.field, v.description);
  EncodePairs(violations, &writer);
  EncodePairs(info.metadata, &writer);
  return std::move(writer).Take();
}

std::optional<ErrorInfo> Decode(absl::string_view bytes) {
  ByteReader reader(bytes);
  ErrorInfo info;
  uint32_t reason = 0;
  Pairs violations;
  const bool ok = reader.U32(&reason) && reader.String(&info.hint, kPartBytesMax) &&
                  reader.String(&info.in_force, kPartBytesMax) &&
                  DecodePairs(&reader, &violations) && DecodePairs(&reader, &info.metadata);
  if (!ok) return std::nullopt;
  info.reason = static_cast<ErrorReason>(reason);
  for (auto& [field, description] : violations) {
    info.violations.push_back({std::move(field), std::move(description)});
  }
  return info;
}

}  // namespace

absl::Status MakeError(absl::StatusCode code, absl::string_view message, const ErrorInfo& info) {
  TY_CHECK(code != absl::StatusCode::kOk);
  absl::Status status(code, message);
  status.SetPayload(kPayloadUrl, absl::Cord(Encode(info)));
  return status;
}

absl::Status MakeViolationsError(ErrorReason reason, std::vector<FieldViolation> violations) {
  TY_CHECK(!violations.empty());
  std::string message;
  const size_t shown = std::min(violations.size(), kViolationsInMessageMax);
  for (size_t i = 0; i < shown; ++i) {
    absl::StrAppend(&message, i == 0 ? "" : "; ", violations[i].field, ": ", violations[i].description);
  }
  if (shown < violations.size()) absl::StrAppend(&message, "; and ", violations.size() - shown, " more");
  return MakeError(absl::StatusCode::kInvalidArgument, message,
                   {.reason = reason, .violations = std::move(violations)});
}

std::optional<ErrorInfo> GetErrorInfo(const absl::Status& status) {
  const absl::optional<absl::Cord> payload = status.GetPayload(kPayloadUrl);
  if (!payload.has_value()) return std::nullopt;
  return Decode(std::string(*payload));
}

absl::Status Annotate(const absl::Status& status, absl::string_view prefix) {
  if (status.ok()) return status;
  absl::Status annotated(status.code(), absl::StrCat(prefix, ": ", status.message()));
  status.ForEachPayload([&](absl::string_view url, const absl::Cord& payload) {
    annotated.SetPayload(url, payload);
  });
  return annotated;
}

absl::string_view ErrorReasonName(ErrorReason reason) {
  const size_t index = static_cast<size_t>(reason);
  return index < kReasonNames.size() ? kReasonNames[index] : kReasonNames[0];
}

}  // namespace trainyard
