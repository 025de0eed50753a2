// A message as YAML in the words of spec files: what ParseYaml (spec_yaml.h) reads back into the
// same message. Fields that are not set are left out.
//
//   out << ToYaml(policy);      // edit it, and hand it in again
//
// Control characters and what could be taken for anything but text stand as escapes in double
// quotes, so that nothing in it moves the cursor of a terminal.
//
// Thread-safety: pure function.
#ifndef TRAINYARD_CLIENT_PROTO_YAML_H_
#define TRAINYARD_CLIENT_PROTO_YAML_H_

#include <string>

#include "google/protobuf/message.h"

namespace trainyard {

// Lines, each indented by `indent` spaces; empty for an empty message. REQUIRES: strings are UTF-8,
// as in every message that came by the wire; no `bytes` fields.
std::string ToYaml(const google::protobuf::Message& message, size_t indent = 0);

}  // namespace trainyard

#endif  // TRAINYARD_CLIENT_PROTO_YAML_H_
