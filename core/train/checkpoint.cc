#include "core/train/checkpoint.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "core/base/coding.h"
#include "core/base/crc32c.h"
#include "core/base/error_info.h"

namespace trainyard {
namespace {

constexpr absl::string_view kMagic = "TYCHKPT1";
constexpr uint32_t kVersion = 1;
constexpr size_t kIdentityBytesMax = 4096;
// Everything but identity and state.
constexpr size_t kHeaderBytesMax = 64;

}  // namespace

absl::Status UnusableCheckpoint(absl::string_view why) {
  return MakeError(absl::StatusCode::kDataLoss, absl::StrCat("the checkpoint ", why),
                   {.reason = ErrorReason::kCorruptCheckpoint,
                    .hint = "nothing is to be done: the job goes on from another checkpoint or "
                            "from its beginning"});
}

std::string EncodeCheckpoint(absl::string_view identity, int64_t steps_done,
                             const StateTransfer& transfer) {
  // A string that grows would be copied, and touch new memory, several times over.
  size_t size = kHeaderBytesMax + identity.size();
  StateArchive sizing(&size);
  transfer(&sizing);
  ByteWriter file;
  file.Reserve(size);
  file.Raw(kMagic.data(), kMagic.size());
  file.U32(kVersion);
  file.String(identity);
  file.I64(steps_done);
  StateArchive archive(&file);
  transfer(&archive);
  file.U32(crc32c::Value(file.bytes()));
  return std::move(file).Take();
}

absl::StatusOr<absl::string_view> DecodeCheckpoint(absl::string_view bytes,
                                                   absl::string_view identity) {
  uint32_t crc = 0;
  if (bytes.size() < sizeof crc) return UnusableCheckpoint("is cut off");
  const absl::string_view content = bytes.substr(0, bytes.size() - sizeof crc);
  ByteReader tail(bytes.substr(content.size()));
  if (!tail.U32(&crc) || crc != crc32c::Value(content))
    return UnusableCheckpoint("is damaged: its checksum does not fit");
  ByteReader reader(content);
  std::string magic(kMagic.size(), '\0');
  uint32_t version = 0;
  if (!reader.Raw(magic.data(), magic.size()) || magic != kMagic || !reader.U32(&version))
    return UnusableCheckpoint("is none");
  if (version != kVersion)
    return UnusableCheckpoint(absl::StrCat("has version ", version, ", not ", kVersion));
  std::string found;
  int64_t steps_done = 0;
  if (!reader.String(&found, kIdentityBytesMax) || !reader.I64(&steps_done))
    return UnusableCheckpoint("is damaged: its sizes do not fit");
  if (found != identity)
    return UnusableCheckpoint(
        absl::StrCat("belongs to \"", found, "\", not to \"", identity, "\""));
  return content.substr(content.size() - reader.remaining());
}

}  // namespace trainyard
