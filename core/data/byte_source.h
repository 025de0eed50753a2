// ByteSource: bytes that can be read twice. Implementations: two here, DecompressingSource
// (decompressing_source.h), a file in the server.
//
// Thread-safety: none; one thread at a time.
#ifndef TRAINYARD_CORE_DATA_BYTE_SOURCE_H_
#define TRAINYARD_CORE_DATA_BYTE_SOURCE_H_

#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace trainyard {

class ByteSource {
 public:
  virtual ~ByteSource() = default;
  // Goes back to the first byte.
  virtual absl::Status Rewind() = 0;
  // The next bytes, at most 1 MiB, empty at the end; valid until the next call.
  virtual absl::StatusOr<absl::string_view> Next() = 0;
};

// The first bytes of `source`, fewer than `size_max` only when it has fewer. Leaves it rewound.
absl::StatusOr<std::string> ReadHead(ByteSource& source, size_t size_max);

// Bytes of memory that must remain live.
class ViewSource : public ByteSource {
 public:
  explicit ViewSource(absl::string_view bytes) : bytes_(bytes) {}
  absl::Status Rewind() override;
  absl::StatusOr<absl::string_view> Next() override;

 private:
  const absl::string_view bytes_;
  size_t position_ = 0;
};

// Bytes of its own.
class StringSource : public ByteSource {
 public:
  explicit StringSource(std::string bytes) : bytes_(std::move(bytes)), view_(bytes_) {}
  StringSource(const StringSource&) = delete;
  StringSource& operator=(const StringSource&) = delete;
  absl::Status Rewind() override { return view_.Rewind(); }
  absl::StatusOr<absl::string_view> Next() override { return view_.Next(); }

 private:
  const std::string bytes_;
  ViewSource view_;
};

}  // namespace trainyard

#endif  // TRAINYARD_CORE_DATA_BYTE_SOURCE_H_
