// Encoding of fixed-size little-endian numbers and length-prefixed strings, for every file format of ours.
// ByteWriter appends to a string it owns; ByteReader reads from bytes it does not own and never past their end.
//
//   ByteWriter w;  w.U32(7);  w.String("abc");  std::string bytes = std::move(w).Take();
//   ByteReader r(bytes);  uint32_t n;  std::string s;
//   if (!r.U32(&n) || !r.String(&s, /*size_max=*/100)) return DataLoss(...);
//
// Thread-safety: none. Lifetime: the bytes given to a ByteReader must outlive it.
#ifndef TRAINYARD_CORE_BASE_CODING_H_
#define TRAINYARD_CORE_BASE_CODING_H_

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/string_view.h"

namespace trainyard {

static_assert(std::endian::native == std::endian::little, "formats are little-endian; see coding.h");

class ByteWriter {
 public:
  void U8(uint8_t v) { Raw(&v, sizeof v); }
  void U32(uint32_t v) { Raw(&v, sizeof v); }
  void U64(uint64_t v) { Raw(&v, sizeof v); }
  void I64(int64_t v) { Raw(&v, sizeof v); }
  void F64(double v) { Raw(&v, sizeof v); }
  // u32 length, then the bytes.
  void String(absl::string_view s) {
    U32(static_cast<uint32_t>(s.size()));
    Raw(s.data(), s.size());
  }
  void Raw(const void* data, size_t size_bytes) {
    bytes_.append(static_cast<const char*>(data), size_bytes);
  }
  // Room for so much in all, so that it is allocated once.
  void Reserve(size_t size_bytes) { bytes_.reserve(size_bytes); }
  size_t size_bytes() const { return bytes_.size(); }
  const std::string& bytes() const { return bytes_; }
  std::string Take() && { return std::move(bytes_); }

 private:
  std::string bytes_;
};

class ByteReader {
 public:
  explicit ByteReader(absl::string_view bytes) : rest_(bytes) {}
  // Each returns false, and leaves the reader as it was, when the bytes end too early or a limit is exceeded.
  bool U8(uint8_t* v) { return Raw(v, sizeof *v); }
  bool U32(uint32_t* v) { return Raw(v, sizeof *v); }
  bool U64(uint64_t* v) { return Raw(v, sizeof *v); }
  bool I64(int64_t* v) { return Raw(v, sizeof *v); }
  bool F64(double* v) { return Raw(v, sizeof *v); }
  bool String(std::string* s, size_t size_max) {
    uint32_t size = 0;
    const absl::string_view before = rest_;
    if (!U32(&size) || size > size_max || size > rest_.size()) {
      rest_ = before;
      return false;
    }
    s->assign(rest_.data(), size);
    rest_.remove_prefix(size);
    return true;
  }
  bool Raw(void* data, size_t size_bytes) {
    if (size_bytes > rest_.size()) return false;
    if (size_bytes == 0) return true;  // memcpy must not see the null of an empty vector
    std::memcpy(data, rest_.data(), size_bytes);
    rest_.remove_prefix(size_bytes);
    return true;
  }
  size_t remaining() const { return rest_.size(); }
  bool done() const { return rest_.empty(); }

 private:
  absl::string_view rest_;
};

// The next multiple of `alignment` bytes, or `size_bytes` when it is one.
constexpr size_t AlignUp(size_t size_bytes, size_t alignment) {
  return (size_bytes + alignment - 1) / alignment * alignment;
}

// u32 count, then each as ByteWriter::String.
inline void WriteStrings(const std::vector<std::string>& strings, ByteWriter* w) {
  w->U32(static_cast<uint32_t>(strings.size()));
  for (const std::string& s : strings) w->String(s);
}

// False when the bytes end too early or a string has more than `size_max` bytes.
inline bool ReadStrings(ByteReader* r, size_t size_max, std::vector<std::string>* strings) {
  uint32_t count = 0;
  // A string takes at least its length: no more memory than the bytes can be worth.
  if (!r->U32(&count) || count > r->remaining() / sizeof(uint32_t)) return false;
  strings->resize(count);
  for (std::string& s : *strings) {
    if (!r->String(&s, size_max)) return false;
  }
  return true;
}

// For a list in which a string that comes twice is damage.
inline bool AllDifferent(const std::vector<std::string>& names) {
  const absl::flat_hash_set<absl::string_view> different(names.begin(), names.end());
  return different.size() == names.size();
}

}  // namespace trainyard

#endif  // TRAINYARD_CORE_BASE_CODING_H_
