#include "core/model/proto_writer.h"

namespace trainyard {
namespace {

constexpr uint64_t kWireVarint = 0;
constexpr uint64_t kWireLengthDelimited = 2;
constexpr uint64_t kWireFixed32 = 5;

}  // namespace

void ProtoWriter::Int(uint32_t field, int64_t value) {
  Varint(uint64_t{field} << 3 | kWireVarint);
  Varint(static_cast<uint64_t>(value));
}

void ProtoWriter::Float(uint32_t field, float value) {
  Varint(uint64_t{field} << 3 | kWireFixed32);
  bytes_.append(reinterpret_cast<const char*>(&value), sizeof value);
}

void ProtoWriter::Text(uint32_t field, absl::string_view value) {
  Varint(uint64_t{field} << 3 | kWireLengthDelimited);
  Varint(value.size());
  bytes_.append(value.data(), value.size());
}

void ProtoWriter::Varint(uint64_t value) {
  while (value >= 0x80) {
    bytes_.push_back(static_cast<char>(value | 0x80));
    value >>= 7;
  }
  bytes_.push_back(static_cast<char>(value));
}

}  // namespace trainyard
