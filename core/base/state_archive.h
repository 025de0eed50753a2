// StateArchive carries an object's state to bytes and back through one description of it, so that
// the two directions cannot disagree: what a checkpoint is made of.
//
//   void Counter::TransferState(StateArchive* archive) {
//     archive->Value(&count_);
//     archive->Values(std::span<float>(weights_));   // its size is the object's, not the file's
//   }
//   ByteWriter writer;
//   StateArchive saving(&writer);
//   counter.TransferState(&saving);
//   ByteReader reader(bytes);
//   StateArchive loading(&reader);
//   counter.TransferState(&loading);
//   if (!loading.ok()) …            // the object is of no use then
//
// Numbers are little-endian, as wide as their C++ type; bool and enums as their number. Sizes are
// u64. Thread-safety: none. Lifetime: writer or reader must outlive it.
#ifndef TRAINYARD_CORE_BASE_STATE_ARCHIVE_H_
#define TRAINYARD_CORE_BASE_STATE_ARCHIVE_H_

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <type_traits>
#include <vector>

#include "core/base/coding.h"

namespace trainyard {

class StateArchive {
 public:
  explicit StateArchive(ByteWriter* writer) : writer_(writer) {}
  explicit StateArchive(ByteReader* reader) : reader_(reader) {}
  // Only adds up what saving would take.
  explicit StateArchive(size_t* size_bytes) : size_bytes_(size_bytes) {}

  bool loading() const { return reader_ != nullptr; }
  // Loading: everything so far was there and fitted. Once false it stays so, and nothing more is
  // loaded.
  bool ok() const { return ok_; }
  // For what does not fit beyond what the archive itself can see.
  void Fail() { ok_ = false; }

  template <typename Number>
  requires(std::is_arithmetic_v<Number> &&
           !std::is_same_v<Number, bool>) void Value(Number* number) {
    Bytes(number, sizeof *number);
  }
  void Value(bool* flag) {
    uint8_t byte = *flag ? 1 : 0;
    Bytes(&byte, 1);
    if (byte > 1) return Fail();
    *flag = byte == 1;
  }
  // A number of things: not negative, and so far from the end that it can be counted on.
  void Count(int64_t* count) {
    Value(count);
    if (*count < 0 || *count >= kCountEnd) Fail();
  }
  // An enum of consecutive numbers from 0 to `last`.
  template <typename Enum>
  requires std::is_enum_v<Enum>
  void Value(Enum* value, Enum last) {
    auto number = static_cast<int64_t>(*value);
    Bytes(&number, sizeof number);
    if (number < 0 || number > static_cast<int64_t>(last)) return Fail();
    *value = static_cast<Enum>(number);
  }
  template <typename Number>
  void Value(std::optional<Number>* value) {
    bool present = value->has_value();
    Value(&present);
    Number number = value->value_or(Number());
    if (present) Value(&number);
    *value = present ? std::optional<Number>(number) : std::nullopt;
  }
  void Text(std::string* text, size_t size_max) {
    if (loading()) {
      ok_ = ok_ && reader_->String(text, size_max);
      return;
    }
    auto size = static_cast<uint32_t>(text->size());
    Bytes(&size, sizeof size);
    Bytes(text->data(), text->size());
  }

  // Exactly so many numbers, which the object has room for.
  template <typename Number>
  void Values(std::span<Number> numbers) {
    uint64_t size = numbers.size();
    Value(&size);
    if (size != numbers.size()) return Fail();
    Bytes(numbers.data(), numbers.size_bytes());
  }
  // As many as there are; not more memory than the bytes are worth.
  template <typename Number>
  void Values(std::vector<Number>* numbers) {
    Resize(numbers, sizeof(Number));
    if (ok_) Bytes(numbers->data(), numbers->size() * sizeof(Number));
  }
  // The size of a vector whose elements come next, of at least `element_bytes` each.
  template <typename Element>
  void Resize(std::vector<Element>* elements, size_t element_bytes) {
    uint64_t size = elements->size();
    Value(&size);
    if (!loading()) return;
    if (!ok_ || size > reader_->remaining() / element_bytes) return Fail();
    elements->resize(size);
  }

 private:
  static constexpr int64_t kCountEnd = int64_t{1} << 50;

  void Bytes(void* data, size_t size_bytes) {
    if (size_bytes_ != nullptr) *size_bytes_ += size_bytes;
    if (writer_ != nullptr) writer_->Raw(data, size_bytes);
    if (reader_ != nullptr) ok_ = ok_ && reader_->Raw(data, size_bytes);
  }

  ByteWriter* writer_ = nullptr;  // one of the three
  ByteReader* reader_ = nullptr;
  size_t* size_bytes_ = nullptr;
  bool ok_ = true;
};

}  // namespace trainyard

#endif  // TRAINYARD_CORE_BASE_STATE_ARCHIVE_H_
