#include "core/data/zip_reader.h"

#include <algorithm>
#include <optional>
#include <span>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "core/base/coding.h"
#include "core/base/error_info.h"
#include "core/base/limits.h"
#include "core/base/status_macros.h"
#include "core/data/decoder.h"
#include "core/data/decompressing_source.h"
#include "core/data/utf8.h"

namespace trainyard {
namespace {

// APPNOTE.TXT of PKWARE, sections 4.3.7 to 4.3.16. All numbers are little-endian.
constexpr absl::string_view kLocalMagic = "PK\x03\x04";
constexpr absl::string_view kEntryMagic = "PK\x01\x02";
constexpr absl::string_view kEndMagic = "PK\x05\x06";
constexpr absl::string_view kEnd64Magic = "PK\x06\x06";
constexpr absl::string_view kEnd64LocatorMagic = "PK\x06\x07";
constexpr size_t kLocalBytes = 30;
constexpr size_t kEndBytes = 22;
constexpr size_t kEnd64Bytes = 56;
constexpr size_t kEnd64LocatorBytes = 20;
constexpr size_t kCommentBytesMax = 65'535;
constexpr size_t kTailBytes = limits::kArchiveDirectoryBytesMax + kCommentBytesMax + kEndBytes +
                              kEnd64Bytes + kEnd64LocatorBytes;
constexpr uint32_t kIn64 = 0xFFFFFFFF;  // the number stands in a ZIP64 field
constexpr uint16_t kCountIn64 = 0xFFFF;
constexpr uint16_t kExtra64 = 1;
constexpr uint16_t kEncrypted = 1;
constexpr uint16_t kStored = 0;
constexpr uint16_t kDeflated = 8;
// No file is that long; sums of a few such numbers do not overflow.
constexpr uint64_t kOffsetMax = uint64_t{1} << 60;

absl::Status Damaged(absl::string_view what) {
  return MakeError(
      absl::StatusCode::kInvalidArgument,
      absl::StrCat("the ZIP archive is damaged or cut off: ", what),
      {.reason = ErrorReason::kDatasetRejected,
       .hint = "make the archive again, or upload the whole file; `unzip -t` tests it"});
}

absl::Status Unreadable(absl::string_view subject, absl::string_view what, absl::string_view hint) {
  return MakeError(absl::StatusCode::kInvalidArgument, absl::StrCat(subject, " ", what),
                   {.reason = ErrorReason::kDatasetRejected, .hint = std::string(hint)});
}

absl::Status TooLarge(absl::string_view what, int64_t limit) {
  return MakeError(absl::StatusCode::kResourceExhausted,
                   absl::StrCat("the ZIP archive has more than ", limit, " ", what),
                   {.reason = ErrorReason::kTooLarge,
                    .hint = "save fewer arrays: numpy.column_stack makes one of many columns"});
}

bool U16(ByteReader* reader, uint16_t* value) { return reader->Raw(value, sizeof *value); }

bool Skip(ByteReader* reader, size_t size) {
  char byte;
  while (size > 0 && reader->U8(reinterpret_cast<uint8_t*>(&byte))) --size;
  return size == 0;
}

bool Bytes(ByteReader* reader, size_t size, std::string* bytes) {
  bytes->resize(size);
  return reader->Raw(bytes->data(), size);
}

// The last bytes of the archive.
struct Tail {
  std::string bytes;
  int64_t offset = 0;  // of the first of them

  // `size` bytes at `at` of the archive; nullopt when they are not among them.
  std::optional<absl::string_view> At(int64_t at, int64_t size) const {
    const int64_t begin = at - offset;
    if (begin < 0 || size < 0 || begin > static_cast<int64_t>(bytes.size()) - size)
      return std::nullopt;
    return absl::string_view(bytes).substr(static_cast<size_t>(begin), static_cast<size_t>(size));
  }
};

absl::StatusOr<Tail> ReadTail(SourceReader* reader) {
  Tail tail;
  TY_RETURN_IF_ERROR(reader->SeekTo(0));
  while (true) {
    TY_ASSIGN_OR_RETURN(const absl::string_view bytes, reader->Peek());
    if (bytes.empty()) return tail;
    tail.bytes.append(bytes.data(), bytes.size());
    reader->Consume(bytes.size());
    if (tail.bytes.size() < 2 * kTailBytes) continue;
    const size_t dropped = tail.bytes.size() - kTailBytes;
    tail.bytes.erase(0, dropped);
    tail.offset += static_cast<int64_t>(dropped);
  }
}

// Where the directory stands.
struct DirectoryPlace {
  uint64_t count = 0;
  uint64_t size_bytes = 0;
  uint64_t offset = 0;
};

// The end record is the last thing but for a comment, whose size it gives.
std::optional<int64_t> FindEnd(const Tail& tail) {
  const absl::string_view bytes = tail.bytes;
  if (bytes.size() < kEndBytes) return std::nullopt;
  const size_t last = bytes.size() - kEndBytes;
  const size_t first = last > kCommentBytesMax ? last - kCommentBytesMax : 0;
  for (size_t at = last + 1; at-- > first;) {
    if (!absl::StartsWith(bytes.substr(at), kEndMagic)) continue;
    const auto low = static_cast<uint8_t>(bytes[at + kEndBytes - 2]);
    const auto high = static_cast<uint8_t>(bytes[at + kEndBytes - 1]);
    const size_t comment_bytes = low + high * size_t{256};
    if (at + kEndBytes + comment_bytes == bytes.size())
      return tail.offset + static_cast<int64_t>(at);
  }
  return std::nullopt;
}

// The ZIP64 end record, which a locator just before the plain one points to.
absl::Status ReadEnd64(const Tail& tail, int64_t end_offset, DirectoryPlace* place) {
  const std::optional<absl::string_view> locator =
      tail.At(end_offset - static_cast<int64_t>(kEnd64LocatorBytes), kEnd64LocatorBytes);
  if (!locator.has_value() || !absl::StartsWith(*locator, kEnd64LocatorMagic))
    return Damaged("its ZIP64 locator is not there");
  ByteReader locator_reader(locator->substr(kEnd64LocatorMagic.size()));
  uint32_t disk = 0;
  uint64_t offset = 0;
  const bool has_place = locator_reader.U32(&disk) && locator_reader.U64(&offset);
  if (!has_place || offset > kOffsetMax) return Damaged("its ZIP64 locator is not there");
  const std::optional<absl::string_view> end = tail.At(static_cast<int64_t>(offset), kEnd64Bytes);
  if (!end.has_value() || !absl::StartsWith(*end, kEnd64Magic))
    return Damaged("its ZIP64 end record is not there");
  // Size of the record, versions, disks, entries on this disk.
  constexpr size_t kBeforeCount = 4 + 8 + 2 + 2 + 4 + 4 + 8;
  ByteReader reader(end->substr(kBeforeCount));
  if (reader.U64(&place->count) && reader.U64(&place->size_bytes) && reader.U64(&place->offset))
    return absl::OkStatus();
  return Damaged("its ZIP64 end record is not there");
}

absl::StatusOr<DirectoryPlace> FindDirectory(const Tail& tail, int64_t end_offset) {
  const std::optional<absl::string_view> end = tail.At(end_offset, kEndBytes);
  if (!end.has_value()) return Damaged("its end record is not there");
  ByteReader reader(end->substr(kEndMagic.size()));
  uint16_t disk = 0, directory_disk = 0, disk_count = 0, count = 0;
  uint32_t size_bytes = 0, offset = 0;
  const bool whole = U16(&reader, &disk) && U16(&reader, &directory_disk) &&
                     U16(&reader, &disk_count) && U16(&reader, &count) && reader.U32(&size_bytes) &&
                     reader.U32(&offset);
  if (!whole || disk_count != count) return Damaged("it is one part of several");
  DirectoryPlace place{count, size_bytes, offset};
  if (count == kCountIn64 || size_bytes == kIn64 || offset == kIn64)
    TY_RETURN_IF_ERROR(ReadEnd64(tail, end_offset, &place));
  if (place.offset > kOffsetMax || place.size_bytes > kOffsetMax ||
      place.offset + place.size_bytes > static_cast<uint64_t>(end_offset)) {
    return Damaged("its directory is not where it should be");
  }
  if (place.count > uint64_t{limits::kArchiveMembersMax})
    return TooLarge("members", limits::kArchiveMembersMax);
  if (place.size_bytes > uint64_t{limits::kArchiveDirectoryBytesMax})
    return TooLarge("bytes of directory", limits::kArchiveDirectoryBytesMax);
  return place;
}

// Numbers of an entry as they stand in it; in ZIP64 archives some are in its extra field.
struct EntrySizes {
  uint32_t compressed = 0;
  uint32_t size = 0;
  uint32_t offset = 0;
};

bool Take64(uint32_t plain, ByteReader* extra, int64_t* value) {
  uint64_t number = plain;
  if (plain == kIn64 && !extra->U64(&number)) return false;
  if (number > kOffsetMax) return false;
  *value = static_cast<int64_t>(number);
  return true;
}

// `extra` is a list of u16 id | u16 size | bytes.
bool FillSizes(const EntrySizes& sizes, absl::string_view extra, ZipMember* member) {
  std::string field;
  ByteReader fields(extra);
  uint16_t id = 0;
  uint16_t size = 0;
  while (U16(&fields, &id) && U16(&fields, &size)) {
    std::string bytes;
    if (!Bytes(&fields, size, &bytes)) break;
    if (id == kExtra64) field = std::move(bytes);
  }
  ByteReader reader(field);
  return Take64(sizes.size, &reader, &member->size_bytes) &&
         Take64(sizes.compressed, &reader, &member->compressed_bytes) &&
         Take64(sizes.offset, &reader, &member->header_offset);
}

bool ReadEntry(ByteReader* reader, ZipMember* member) {
  std::string magic, name, extra;
  uint16_t name_bytes = 0, extra_bytes = 0, comment_bytes = 0;
  EntrySizes sizes;
  constexpr size_t kVersions = 2 + 2;
  constexpr size_t kTimes = 2 + 2;
  constexpr size_t kDiskAndAttributes = 2 + 2 + 4;
  const bool whole =
      Bytes(reader, kEntryMagic.size(), &magic) && magic == kEntryMagic &&
      Skip(reader, kVersions) && U16(reader, &member->flags) && U16(reader, &member->method) &&
      Skip(reader, kTimes) && reader->U32(&member->crc) && reader->U32(&sizes.compressed) &&
      reader->U32(&sizes.size) && U16(reader, &name_bytes) && U16(reader, &extra_bytes) &&
      U16(reader, &comment_bytes) && Skip(reader, kDiskAndAttributes) &&
      reader->U32(&sizes.offset) && Bytes(reader, name_bytes, &name) &&
      Bytes(reader, extra_bytes, &extra) && Skip(reader, comment_bytes);
  if (!whole) return false;
  member->name = IsUtf8(name) ? name : absl::CHexEscape(name);
  return FillSizes(sizes, extra, member);
}

// Members that share bytes are how a small archive becomes endless.
absl::Status OrderMembers(int64_t directory_offset, std::vector<ZipMember>* members) {
  std::sort(members->begin(), members->end(), [](const ZipMember& a, const ZipMember& b) {
    return a.header_offset < b.header_offset;
  });
  int64_t end = directory_offset;
  for (size_t i = members->size(); i-- > 0;) {
    ZipMember& member = (*members)[i];
    member.data_end_max = end;
    const int64_t least = static_cast<int64_t>(kLocalBytes) + member.compressed_bytes;
    if (member.header_offset > end - least)
      return Damaged(absl::StrCat("the bytes of \"", member.name, "\" are not its own"));
    end = member.header_offset;
  }
  return absl::OkStatus();
}

// The next `size_bytes` of a reader.
class RangeSource : public ByteSource {
 public:
  RangeSource(SourceReader* reader, int64_t size_bytes)
      : reader_(reader), begin_(reader->position()), size_bytes_(size_bytes) {}

  absl::Status Rewind() override { return reader_->SeekTo(begin_); }
  absl::StatusOr<absl::string_view> Next() override {
    const int64_t rest = begin_ + size_bytes_ - reader_->position();
    if (rest == 0) return absl::string_view();
    TY_ASSIGN_OR_RETURN(absl::string_view bytes, reader_->Peek());
    bytes = bytes.substr(0, static_cast<size_t>(rest));
    reader_->Consume(bytes.size());
    return bytes;
  }

 private:
  SourceReader* const reader_;
  const int64_t begin_;
  const int64_t size_bytes_;
};

class MemberSource : public ByteSource {
 public:
  MemberSource(SourceReader* reader, const ZipMember& member, std::string subject)
      : range_(reader, member.compressed_bytes),
        plain_(range_, member.method == kDeflated ? NewDeflateDecoder() : nullptr, subject),
        subject_(std::move(subject)),
        crc_(member.crc),
        size_bytes_(member.size_bytes) {}

  absl::Status Rewind() override {
    read_crc_ = 0;
    read_bytes_ = 0;
    return plain_.Rewind();
  }
  absl::StatusOr<absl::string_view> Next() override {
    TY_ASSIGN_OR_RETURN(const absl::string_view bytes, plain_.Next());
    read_crc_ = Crc32(read_crc_, bytes);
    read_bytes_ += static_cast<int64_t>(bytes.size());
    if (read_bytes_ > size_bytes_) return Mismatch("more bytes than its directory says");
    if (!bytes.empty()) return bytes;
    if (read_bytes_ < size_bytes_) return Mismatch("fewer bytes than its directory says");
    if (read_crc_ != crc_) return Mismatch("bytes of another CRC than its directory says");
    return bytes;
  }

 private:
  absl::Status Mismatch(absl::string_view what) const {
    return Annotate(Damaged(absl::StrCat("it has ", what)), subject_);
  }

  RangeSource range_;
  DecompressingSource plain_;
  const std::string subject_;
  const uint32_t crc_;
  const int64_t size_bytes_;
  uint32_t read_crc_ = 0;
  int64_t read_bytes_ = 0;
};

}  // namespace

absl::Status ZipReader::ReadDirectory() {
  TY_ASSIGN_OR_RETURN(const Tail tail, ReadTail(&reader_));
  const std::optional<int64_t> end_offset = FindEnd(tail);
  if (!end_offset.has_value()) return Damaged("its end is not there");
  TY_ASSIGN_OR_RETURN(const DirectoryPlace place, FindDirectory(tail, *end_offset));
  const std::optional<absl::string_view> directory =
      tail.At(static_cast<int64_t>(place.offset), static_cast<int64_t>(place.size_bytes));
  if (!directory.has_value()) return Damaged("its directory is not where it should be");
  ByteReader entries(*directory);
  members_.clear();
  for (uint64_t i = 0; i < place.count; ++i) {
    ZipMember member;
    if (!ReadEntry(&entries, &member)) return Damaged("its directory has a bad entry");
    members_.push_back(std::move(member));
  }
  return OrderMembers(static_cast<int64_t>(place.offset), &members_);
}

absl::StatusOr<std::unique_ptr<ByteSource>> ZipReader::Open(const ZipMember& member,
                                                            absl::string_view subject) {
  if ((member.flags & kEncrypted) != 0)
    return Unreadable(subject, "is encrypted", "save it without a password");
  if (member.method != kStored && member.method != kDeflated) {
    return Unreadable(subject, absl::StrCat("has the compression method ", member.method),
                      "save it with numpy.savez (method 0) or numpy.savez_compressed (8)");
  }
  TY_RETURN_IF_ERROR(reader_.SeekTo(member.header_offset));
  char header[kLocalBytes];
  TY_ASSIGN_OR_RETURN(const size_t size, reader_.Read(header));
  const absl::string_view local(header, size);
  if (size < kLocalBytes || !absl::StartsWith(local, kLocalMagic))
    return Annotate(Damaged("its local header is not there"), subject);
  ByteReader sizes(local.substr(kLocalBytes - 4));
  uint16_t name_bytes = 0, extra_bytes = 0;
  const bool has_sizes = U16(&sizes, &name_bytes) && U16(&sizes, &extra_bytes);
  const int64_t data = reader_.position() + name_bytes + extra_bytes;
  if (!has_sizes || data + member.compressed_bytes > member.data_end_max)
    return Annotate(Damaged("its bytes are not its own"), subject);
  TY_RETURN_IF_ERROR(reader_.SeekTo(data));
  return std::make_unique<MemberSource>(&reader_, member, std::string(subject));
}

}  // namespace trainyard
