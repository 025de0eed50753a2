// What a message has that this build's contract does not know. proto3 keeps such fields silently; a
// spec whose fields are dropped would train something else than the user asked for.
//
// Thread-safety: pure functions.
#ifndef TRAINYARD_SERVER_WIRE_UNKNOWN_FIELDS_H_
#define TRAINYARD_SERVER_WIRE_UNKNOWN_FIELDS_H_

#include <string>
#include <vector>

#include "core/base/error_info.h"
#include "google/protobuf/message.h"

namespace trainyard {

// Every field and enum value, at any depth, that this build's contract does not have. `path` is
// that of `message`, without a dot at its end.
void AddUnknowns(const google::protobuf::Message& message, const std::string& path,
                 std::vector<FieldViolation>* violations);

}  // namespace trainyard

#endif  // TRAINYARD_SERVER_WIRE_UNKNOWN_FIELDS_H_
