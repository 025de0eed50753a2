#include "core/model/proto_reader.h"

#include <cstring>

#include "core/base/error_info.h"

namespace trainyard {
namespace {

constexpr uint32_t kWireVarint = 0;
constexpr uint32_t kWireFixed64 = 1;
constexpr uint32_t kWireLengthDelimited = 2;
constexpr uint32_t kWireFixed32 = 5;

}  // namespace

bool ProtoReader::Fail() {
  status_ =
      MakeError(absl::StatusCode::kDataLoss, "the bytes are no protobuf message, or are cut off",
                {.reason = ErrorReason::kDataLoss, .hint = "write the file again"});
  rest_ = {};
  return false;
}

bool ProtoReader::Varint(absl::string_view* bytes, uint64_t* value) {
  *value = 0;
  for (int shift = 0; shift < 64 && !bytes->empty(); shift += 7) {
    const auto byte = static_cast<uint8_t>(bytes->front());
    bytes->remove_prefix(1);
    *value |= uint64_t{byte & 0x7Fu} << shift;
    if (byte < 0x80) return true;
  }
  return Fail();
}

bool ProtoReader::Next() {
  if (rest_.empty()) return false;
  uint64_t tag = 0;
  if (!Varint(&rest_, &tag)) return false;
  field_ = static_cast<uint32_t>(tag >> 3);
  wire_type_ = static_cast<uint32_t>(tag & 7);
  varint_ = 0;
  number_ = 0;
  text_ = {};
  if (wire_type_ == kWireVarint) return Varint(&rest_, &varint_);
  uint64_t size = 0;
  if (wire_type_ == kWireLengthDelimited) {
    if (!Varint(&rest_, &size)) return false;
  } else if (wire_type_ == kWireFixed64) {
    size = sizeof(uint64_t);
  } else if (wire_type_ == kWireFixed32) {
    size = sizeof number_;
  } else {
    return Fail();
  }
  if (size > rest_.size()) return Fail();
  if (wire_type_ == kWireLengthDelimited) text_ = rest_.substr(0, size);
  if (wire_type_ == kWireFixed32) std::memcpy(&number_, rest_.data(), sizeof number_);
  rest_.remove_prefix(size);
  return true;
}

void ProtoReader::AppendIntegers(std::vector<int64_t>* integers) {
  if (wire_type_ == kWireVarint) integers->push_back(integer());
  absl::string_view packed = text_;
  uint64_t value = 0;
  while (!packed.empty() && Varint(&packed, &value)) {
    integers->push_back(static_cast<int64_t>(value));
  }
}

void ProtoReader::AppendFloats(std::vector<float>* floats) {
  if (wire_type_ == kWireFixed32) floats->push_back(number_);
  if (text_.size() % sizeof(float) != 0) Fail();
  const size_t count = text_.size() / sizeof(float);
  const size_t begin = floats->size();
  floats->resize(begin + count);
  if (count > 0) std::memcpy(floats->data() + begin, text_.data(), count * sizeof(float));
}

}  // namespace trainyard
