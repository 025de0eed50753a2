#include "core/data/decompressing_source.h"

#include <algorithm>
#include <span>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/base/error_info.h"
#include "core/base/status_macros.h"

namespace trainyard {
namespace {

constexpr size_t kOutBytes = size_t{1} << 20;

std::unique_ptr<Decoder> NewDecoder(Compression compression) {
  switch (compression) {
    case Compression::kGzip:
      return NewGzipDecoder();
    case Compression::kZstd:
      return NewZstdDecoder();
    case Compression::kUnspecified:
    case Compression::kNone:
      return nullptr;
  }
  return nullptr;
}

}  // namespace

DecompressingSource::DecompressingSource(ByteSource& source, Compression compression,
                                         const DecompressionLimits& limits)
    : DecompressingSource(source, NewDecoder(compression),
                          absl::StrCat("the ", CompressionName(compression), " file"), limits) {}

DecompressingSource::DecompressingSource(ByteSource& source, std::unique_ptr<Decoder> decoder,
                                         std::string what, const DecompressionLimits& limits)
    : source_(source), decoder_(std::move(decoder)), what_(std::move(what)), limits_(limits) {}

absl::Status DecompressingSource::Rewind() {
  in_ = {};
  source_ended_ = false;
  read_bytes_ = 0;
  written_bytes_ = 0;
  failure_ = absl::OkStatus();
  if (decoder_ != nullptr) decoder_->Reset();
  return source_.Rewind();
}

absl::StatusOr<absl::string_view> DecompressingSource::Next() {
  if (decoder_ == nullptr) return source_.Next();
  TY_RETURN_IF_ERROR(failure_);
  absl::StatusOr<absl::string_view> bytes = Fill();
  failure_ = bytes.status();
  return bytes;
}

// Always a full buffer but at the end, so that what comes out, errors too, does not depend on how
// the input was cut.
absl::StatusOr<absl::string_view> DecompressingSource::Fill() {
  out_.resize(kOutBytes);
  size_t filled = 0;
  while (filled < out_.size()) {
    TY_ASSIGN_OR_RETURN(const bool more, Advance(&filled));
    if (!more) break;
  }
  TY_RETURN_IF_ERROR(CheckLimits());
  return absl::string_view(out_.data(), filled);
}

absl::StatusOr<bool> DecompressingSource::Advance(size_t* filled) {
  const absl::StatusOr<Decoder::Step> step =
      decoder_->Decode(in_, std::span<char>(out_).subspan(*filled));
  if (!step.ok()) return Annotate(step.status(), what_);
  in_.remove_prefix(step->read);
  read_bytes_ += static_cast<int64_t>(step->read);
  written_bytes_ += static_cast<int64_t>(step->written);
  *filled += step->written;
  if (step->read > 0 || step->written > 0) return true;
  if (!source_ended_) {
    TY_ASSIGN_OR_RETURN(in_, source_.Next());
    source_ended_ = in_.empty();
    return true;
  }
  if (!decoder_->AtEnd()) return Truncated();
  return false;
}

absl::Status DecompressingSource::CheckLimits() const {
  if (written_bytes_ > limits_.bytes_max) {
    return TooLarge(
        absl::StrCat(what_, " decompresses to more than ", limits_.bytes_max, " bytes"));
  }
  const bool dense = written_bytes_ / limits_.ratio_max <= read_bytes_;
  if (written_bytes_ <= limits_.ratio_free_bytes || dense) return absl::OkStatus();
  return TooLarge(
      absl::StrCat(what_, " decompresses to more than ", limits_.ratio_max, " times its size"));
}

absl::Status DecompressingSource::Truncated() const {
  return MakeError(absl::StatusCode::kInvalidArgument,
                   absl::StrCat(what_, " is cut off: its compressed bytes end after ", read_bytes_),
                   {.reason = ErrorReason::kDatasetRejected,
                    .hint = "upload the whole file; `gzip -t`, `zstd -t` or `unzip -t` test one",
                    .metadata = {{"byte", absl::StrCat(read_bytes_)}}});
}

absl::Status DecompressingSource::TooLarge(const std::string& message) const {
  return MakeError(
      absl::StatusCode::kResourceExhausted, message,
      {.reason = ErrorReason::kTooLarge,
       .hint = "look into the file; if it is a table, upload a part of it, or not compressed",
       .in_force = absl::StrCat("at most ", limits_.bytes_max, " bytes, at most ",
                                limits_.ratio_max, " to 1 after ", limits_.ratio_free_bytes)});
}

}  // namespace trainyard
