// Enums of core and of the contract have equal numbers (tests/server/wire holds them together), so
// that one is cast to the other. A number that this build does not know was reported before
// (unknown_fields.h).
#ifndef TRAINYARD_SERVER_WIRE_ENUM_CAST_H_
#define TRAINYARD_SERVER_WIRE_ENUM_CAST_H_

namespace trainyard {

template <typename To, typename From>
To EnumCast(From value) {
  return static_cast<To>(static_cast<int>(value));
}

}  // namespace trainyard

#endif  // TRAINYARD_SERVER_WIRE_ENUM_CAST_H_
