#include "core/data/decoder.h"

#include <zlib.h>
#include <zstd.h>
#include <zstd_errors.h>

#include <algorithm>
#include <limits>
#include <string>

#include "absl/strings/str_cat.h"
#include "core/base/check.h"
#include "core/base/error_info.h"

namespace trainyard {
namespace {

constexpr int kZstdWindowLogMax = 27;
constexpr int kRawDeflateBits = -MAX_WBITS;
constexpr int kGzipBits = MAX_WBITS + 16;

absl::Status Damaged(absl::string_view why) {
  return MakeError(absl::StatusCode::kInvalidArgument, absl::StrCat("damaged data (", why, ")"),
                   {.reason = ErrorReason::kDatasetRejected,
                    .hint = "make the compressed file again, or upload it again; `gzip -t`, "
                            "`zstd -t` or `unzip -t` test one"});
}

absl::Status OutOfMemory() {
  return MakeError(absl::StatusCode::kResourceExhausted, "not enough memory to decompress it",
                   {.reason = ErrorReason::kOutOfMemory, .hint = "try again later"});
}

class ZlibDecoder : public Decoder {
 public:
  explicit ZlibDecoder(int window_bits) : is_gzip_(window_bits == kGzipBits) {
    TY_CHECK(inflateInit2(&stream_, window_bits) == Z_OK);
  }
  ~ZlibDecoder() override { inflateEnd(&stream_); }
  ZlibDecoder(const ZlibDecoder&) = delete;
  ZlibDecoder& operator=(const ZlibDecoder&) = delete;

  absl::StatusOr<Step> Decode(absl::string_view in, std::span<char> out) override {
    if (place_ == Place::kMember) return Inflate(in, out);
    if (in.empty()) return Step{};
    if (!is_gzip_) return Damaged("bytes after its end");
    if (in[0] == '\0') {
      place_ = Place::kPadding;
      return Step{.read = std::min(in.find_first_not_of('\0'), in.size())};
    }
    if (place_ == Place::kPadding) return Damaged("bytes after its end");
    TY_CHECK(inflateReset(&stream_) == Z_OK);
    place_ = Place::kMember;
    return Inflate(in, out);
  }

  bool AtEnd() const override { return place_ != Place::kMember; }

  void Reset() override {
    TY_CHECK(inflateReset(&stream_) == Z_OK);
    place_ = Place::kMember;
  }

 private:
  enum class Place : uint8_t { kMember, kAfterMember, kPadding };

  absl::StatusOr<Step> Inflate(absl::string_view in, std::span<char> out) {
    constexpr size_t kOnceMax = std::numeric_limits<uInt>::max();
    const size_t in_size = std::min(in.size(), kOnceMax);
    const size_t out_size = std::min(out.size(), kOnceMax);
    // zlib does not write to its input; its type is from before const.
    stream_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(in.data()));
    stream_.avail_in = static_cast<uInt>(in_size);
    stream_.next_out = reinterpret_cast<Bytef*>(out.data());
    stream_.avail_out = static_cast<uInt>(out_size);
    const int result = inflate(&stream_, Z_NO_FLUSH);
    if (result == Z_MEM_ERROR) return OutOfMemory();
    if (result == Z_STREAM_END) place_ = Place::kAfterMember;
    const bool fine = result == Z_OK || result == Z_STREAM_END || result == Z_BUF_ERROR;
    if (!fine) return Damaged(stream_.msg != nullptr ? stream_.msg : "not deflate");
    return Step{.read = in_size - stream_.avail_in, .written = out_size - stream_.avail_out};
  }

  const bool is_gzip_;
  z_stream stream_ = {};
  Place place_ = Place::kMember;
};

class ZstdDecoder : public Decoder {
 public:
  ZstdDecoder() : context_(ZSTD_createDCtx()) {
    TY_CHECK(context_ != nullptr);
    const size_t result = ZSTD_DCtx_setParameter(context_, ZSTD_d_windowLogMax, kZstdWindowLogMax);
    TY_CHECK(ZSTD_isError(result) == 0);
  }
  ~ZstdDecoder() override { ZSTD_freeDCtx(context_); }
  ZstdDecoder(const ZstdDecoder&) = delete;
  ZstdDecoder& operator=(const ZstdDecoder&) = delete;

  absl::StatusOr<Step> Decode(absl::string_view in, std::span<char> out) override {
    ZSTD_inBuffer in_buffer = {in.data(), in.size(), 0};
    ZSTD_outBuffer out_buffer = {out.data(), out.size(), 0};
    if (in.empty() && at_end_) return Step{};
    const size_t result = ZSTD_decompressStream(context_, &out_buffer, &in_buffer);
    if (ZSTD_isError(result) != 0) return Fault(result);
    if (in_buffer.pos > 0 || out_buffer.pos > 0) at_end_ = result == 0;
    return Step{.read = in_buffer.pos, .written = out_buffer.pos};
  }

  bool AtEnd() const override { return at_end_; }

  void Reset() override {
    const size_t result = ZSTD_DCtx_reset(context_, ZSTD_reset_session_only);
    TY_CHECK(ZSTD_isError(result) == 0);
    at_end_ = false;
  }

 private:
  static absl::Status Fault(size_t result) {
    const ZSTD_ErrorCode code = ZSTD_getErrorCode(result);
    if (code == ZSTD_error_memory_allocation) return OutOfMemory();
    if (code != ZSTD_error_frameParameter_windowTooLarge) return Damaged(ZSTD_getErrorName(result));
    return MakeError(absl::StatusCode::kResourceExhausted,
                     absl::StrCat("decompressing takes a window of more than ",
                                  (1 << kZstdWindowLogMax) >> 20, " MiB"),
                     {.reason = ErrorReason::kTooLarge,
                      .hint = "compress it again without `--long`, with at most `--ultra -22`"});
  }

  ZSTD_DCtx* const context_;
  bool at_end_ = false;
};

}  // namespace

std::unique_ptr<Decoder> NewGzipDecoder() { return std::make_unique<ZlibDecoder>(kGzipBits); }

std::unique_ptr<Decoder> NewZstdDecoder() { return std::make_unique<ZstdDecoder>(); }

std::unique_ptr<Decoder> NewDeflateDecoder() {
  return std::make_unique<ZlibDecoder>(kRawDeflateBits);
}

uint32_t Crc32(uint32_t crc, absl::string_view bytes) {
  if (bytes.empty()) return crc;  // zlib takes a null pointer for a request of the first value
  const auto* data = reinterpret_cast<const Bytef*>(bytes.data());
  return static_cast<uint32_t>(crc32_z(crc, data, bytes.size()));
}

}  // namespace trainyard
