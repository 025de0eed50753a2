// What tests and fuzz targets of the readers of number formats share: a source that gives its bytes
// in pieces of one size, a sink that keeps rows, and the way from any file to them.
//
//   const Reading whole = ReadFormat(bytes, FileFormat::kNpy, bytes.size());
//   EXPECT_EQ(whole, ReadFormat(bytes, FileFormat::kNpy, 1));
//
// Thread-safety: none.
#ifndef TRAINYARD_TESTS_SUPPORT_FORMAT_READERS_H_
#define TRAINYARD_TESTS_SUPPORT_FORMAT_READERS_H_

#include <algorithm>
#include <cmath>
#include <cstring>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "core/base/check.h"
#include "core/base/error_info.h"
#include "core/data/byte_source.h"
#include "core/data/decompressing_source.h"
#include "core/data/file_format.h"
#include "core/data/idx_reader.h"
#include "core/data/npy_reader.h"
#include "core/data/npz_reader.h"
#include "core/data/row_sink.h"
#include "core/data/svmlight_reader.h"

namespace trainyard {

// Gives `chunk_size` bytes at a time, of memory that must remain live. Each piece is a copy of its
// own, so that a sanitizer sees a look beside it.
class ChunkedSource : public ByteSource {
 public:
  ChunkedSource(absl::string_view bytes, size_t chunk_size)
      : bytes_(bytes), chunk_size_(std::max<size_t>(chunk_size, 1)) {}
  absl::Status Rewind() override {
    position_ = 0;
    return absl::OkStatus();
  }
  absl::StatusOr<absl::string_view> Next() override {
    const absl::string_view next = bytes_.substr(position_, chunk_size_);
    position_ += next.size();
    chunk_ = std::vector<char>(next.begin(), next.end());
    return absl::string_view(chunk_.data(), chunk_.size());
  }

 private:
  const absl::string_view bytes_;
  const size_t chunk_size_;
  size_t position_ = 0;
  std::vector<char> chunk_;
};

// Keeps rows, and holds readers to what row_sink.h says.
class RowRecorder : public RowSink {
 public:
  absl::Status Begin(const std::vector<std::string>& names) override {
    TY_CHECK(names_.empty());
    TY_CHECK(!names.empty());
    TY_CHECK(std::set<std::string>(names.begin(), names.end()).size() == names.size());
    for (const std::string& name : names) TY_CHECK(!name.empty());
    names_ = names;
    return absl::OkStatus();
  }
  absl::Status AddRows(std::span<const double> values) override {
    TY_CHECK(!names_.empty());
    TY_CHECK(values.size() % names_.size() == 0);
    for (const double value : values) TY_CHECK(!std::isinf(value));
    values_.insert(values_.end(), values.begin(), values.end());
    return absl::OkStatus();
  }
  const std::vector<std::string>& names() const { return names_; }
  const std::vector<double>& values() const { return values_; }

 private:
  std::vector<std::string> names_;
  std::vector<double> values_;
};

// What came of reading a file. Two are equal when their bits are.
struct Reading {
  std::vector<std::string> names;
  std::vector<double> values;
  absl::Status status;

  friend bool operator==(const Reading& a, const Reading& b) {
    return a.status == b.status && a.names == b.names && a.values.size() == b.values.size() &&
           (a.values.empty() ||
            std::memcmp(a.values.data(), b.values.data(), a.values.size() * sizeof(double)) == 0);
  }
};

inline absl::Status ReadWith(ByteSource& source, FileFormat format, const NpzOptions& npz,
                             RowSink& sink) {
  switch (format) {
    case FileFormat::kNpy:
      return ReadNpy(source, sink);
    case FileFormat::kNpz:
      return ReadNpz(source, npz, sink);
    case FileFormat::kIdx:
      return ReadIdx(source, sink);
    case FileFormat::kSvmlight:
      return ReadSvmlight(source, sink);
    case FileFormat::kCsv:
    case FileFormat::kUnspecified:
      break;
  }
  TY_CHECK(false);
  return absl::OkStatus();
}

// Reads `bytes`, decompressed when their first bytes say so, `chunk_size` at a time. Errors carry
// an ErrorInfo with a hint.
inline Reading ReadFormat(absl::string_view bytes, FileFormat format, size_t chunk_size,
                          const NpzOptions& npz = {}) {
  ChunkedSource file(bytes, chunk_size);
  DecompressingSource source(file, DetectCompression(bytes.substr(0, kFormatHeadBytes)));
  RowRecorder recorder;
  Reading reading{.status = ReadWith(source, format, npz, recorder)};
  if (!reading.status.ok()) {
    const auto info = GetErrorInfo(reading.status);
    TY_CHECK(info.has_value());
    TY_CHECK(!info->hint.empty());
    return reading;
  }
  TY_CHECK(!recorder.values().empty());
  reading.names = recorder.names();
  reading.values = recorder.values();
  return reading;
}

}  // namespace trainyard

#endif  // TRAINYARD_TESTS_SUPPORT_FORMAT_READERS_H_
