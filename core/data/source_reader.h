// SourceReader reads a ByteSource by size and position, for formats with headers and offsets.
//
//   SourceReader reader(source);
//   TY_RETURN_IF_ERROR(reader.SeekTo(0));
//   char magic[8];
//   TY_ASSIGN_OR_RETURN(const size_t size, reader.Read(magic));   // less than 8: the source ended
//
// Thread-safety: none. Lifetime: the source must remain live, and nobody else may read it
// meanwhile.
#ifndef TRAINYARD_CORE_DATA_SOURCE_READER_H_
#define TRAINYARD_CORE_DATA_SOURCE_READER_H_

#include <cstdint>
#include <span>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "core/data/byte_source.h"

namespace trainyard {

class SourceReader {
 public:
  // REQUIRES: SeekTo() before anything else.
  explicit SourceReader(ByteSource& source) : source_(source) {}

  // Goes on to `position`, or rewinds and goes on to it. Beyond the end: stays at the end.
  absl::Status SeekTo(int64_t position);
  // The bytes at hand, some unless the source has ended; valid until the next call of a non-const
  // method but Consume().
  absl::StatusOr<absl::string_view> Peek();
  // REQUIRES: at most as many as Peek() gave.
  void Consume(size_t size);
  // Fills `out`, less only at the end; the number of bytes.
  absl::StatusOr<size_t> Read(std::span<char> out);

  // Bytes before the next one. Negative before the first SeekTo().
  int64_t position() const { return position_; }

 private:
  ByteSource& source_;
  absl::string_view rest_;
  int64_t position_ = -1;
};

}  // namespace trainyard

#endif  // TRAINYARD_CORE_DATA_SOURCE_READER_H_
