// ProtoReader walks the fields of one protobuf message: the counterpart of ProtoWriter, for bytes
// that anybody may have changed. It copies nothing, and takes every wire format but groups.
//
//   ProtoReader reader(bytes);
//   while (reader.Next()) {
//     if (reader.field() == 4) node.op = reader.text();
//   }
//   TY_RETURN_IF_ERROR(reader.status());
//
// Thread-safety: none. Lifetime: views into `bytes`, which must outlive them.
// Errors: DATA_LOSS for bytes that are no message: cut off, a wire type that does not exist.
#ifndef TRAINYARD_CORE_MODEL_PROTO_READER_H_
#define TRAINYARD_CORE_MODEL_PROTO_READER_H_

#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace trainyard {

class ProtoReader {
 public:
  explicit ProtoReader(absl::string_view bytes) : rest_(bytes) {}

  // Whether there is another field, whose number and value the methods below then have. False at
  // the end and at the first fault.
  bool Next();
  const absl::Status& status() const { return status_; }

  uint32_t field() const { return field_; }
  // The value, 0 or empty when the field has another wire type than the one asked for.
  int64_t integer() const { return static_cast<int64_t>(varint_); }
  float number() const { return number_; }
  absl::string_view text() const { return text_; }  // strings, bytes, messages

  // Repeated numbers: one, or a run of packed ones. Append what the field has.
  void AppendIntegers(std::vector<int64_t>* integers);
  void AppendFloats(std::vector<float>* floats);

 private:
  bool Fail();
  bool Varint(absl::string_view* bytes, uint64_t* value);

  absl::string_view rest_;
  absl::Status status_;
  uint32_t field_ = 0;
  uint32_t wire_type_ = 0;
  uint64_t varint_ = 0;
  float number_ = 0;
  absl::string_view text_;
};

}  // namespace trainyard

#endif  // TRAINYARD_CORE_MODEL_PROTO_READER_H_
