// Enums of core and of the contract have equal numbers (tests/server/wire holds them together), so
// that one is cast to the other. A number that the contract does not have becomes 0, UNSPECIFIED:
// core indexes arrays by its enums, and goes on checking a spec after unknown_fields.h has reported
// the number.
//
// Thread-safety: pure functions.
#ifndef TRAINYARD_SERVER_WIRE_ENUM_CAST_H_
#define TRAINYARD_SERVER_WIRE_ENUM_CAST_H_

#include "google/protobuf/generated_enum_reflection.h"

namespace trainyard {

template <typename To, typename From>
To EnumCast(From value) {
  if constexpr (google::protobuf::is_proto_enum<From>::value) {
    const auto* known = google::protobuf::GetEnumDescriptor<From>();
    if (known->FindValueByNumber(static_cast<int>(value)) == nullptr) return To{};
  }
  return static_cast<To>(static_cast<int>(value));
}

}  // namespace trainyard

#endif  // TRAINYARD_SERVER_WIRE_ENUM_CAST_H_
