// ZipReader reads the members of a ZIP archive by its central directory: stored or deflated, ZIP64
// or not, with or without data descriptors. Not encrypted, not split over files. Internal to
// npz_reader.
//
//   ZipReader zip(source);
//   TY_RETURN_IF_ERROR(zip.ReadDirectory());                 // one pass over the source
//   for (const ZipMember& member : zip.members()) {          // in the order of their bytes
//     TY_ASSIGN_OR_RETURN(std::unique_ptr<ByteSource> bytes, zip.Open(member));
//     …                                                      // until the next Open()
//   }
//
// The end of the archive comes last, so the source is read once for the directory; then Open() goes
// forward, or rewinds. Members may not overlap, and each is checked against its size and CRC when
// it has been read to its end.
//
// Thread-safety: none. Lifetime: the source must remain live, and nobody else may read it
// meanwhile; what Open() gave is valid until the next Open(). Memory: the directory, at most
// limits::kArchiveDirectoryBytesMax, and 1 MiB.
#ifndef TRAINYARD_CORE_DATA_ZIP_READER_H_
#define TRAINYARD_CORE_DATA_ZIP_READER_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "core/data/byte_source.h"
#include "core/data/source_reader.h"

namespace trainyard {

struct ZipMember {
  std::string name;  // UTF-8, else escaped
  uint16_t flags = 0;
  uint16_t method = 0;  // 0 stored, 8 deflated
  uint32_t crc = 0;     // CRC-32 of its bytes
  int64_t compressed_bytes = 0;
  int64_t size_bytes = 0;
  int64_t header_offset = 0;  // of its local header in the archive
  int64_t data_end_max = 0;   // where the next member or the directory begins
};

class ZipReader {
 public:
  explicit ZipReader(ByteSource& source) : reader_(source) {}

  // Errors: INVALID_ARGUMENT/DATASET_REJECTED for a damaged or truncated archive;
  // RESOURCE_EXHAUSTED/TOO_LARGE beyond limits::kArchiveMembersMax and kArchiveDirectoryBytesMax.
  absl::Status ReadDirectory();
  const std::vector<ZipMember>& members() const { return members_; }

  // The decompressed bytes of a member. `subject` begins messages.
  // Errors, here or from the source: as above, for an encrypted member or another method, and those
  // of DecompressingSource.
  absl::StatusOr<std::unique_ptr<ByteSource>> Open(const ZipMember& member,
                                                   absl::string_view subject);

 private:
  SourceReader reader_;
  std::vector<ZipMember> members_;
};

}  // namespace trainyard

#endif  // TRAINYARD_CORE_DATA_ZIP_READER_H_
