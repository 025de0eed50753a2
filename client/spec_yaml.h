// A spec file: YAML whose keys are the field names of a proto message, checked against its
// descriptor.
//
//   v1::TrainingSpec spec;
//   TY_RETURN_IF_ERROR(ParseYaml(text, &spec));
//
// All faults come at once, each with its field path, line and column: unknown keys (with the
// nearest known one), keys given twice, a list where one value belongs, values of the wrong kind
// (proto_text.h has the rules). Ranges and sense are the server's to judge; its faults use the same
// paths.
//
// yaml-cpp, which throws, is used in spec_yaml.cc only.
//
// Thread-safety: pure functions.
#ifndef TRAINYARD_CLIENT_SPEC_YAML_H_
#define TRAINYARD_CLIENT_SPEC_YAML_H_

#include <set>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "google/protobuf/message.h"

namespace trainyard {

// Faults listed of one file; the last entry says that there are more.
inline constexpr size_t kYamlFaultsMax = 100;

// Fills `message` from `text`, one YAML mapping of at most limits::kSpecBytesMax bytes. On error
// the message is in an unspecified state, and the Status is a usage error (exit_code.h) with reason
// INVALID_SPEC and the violations. `keys`, where wanted, gets those of the mapping itself: an empty
// list is no list in the message.
absl::Status ParseYaml(absl::string_view text, google::protobuf::Message* message,
                       std::set<std::string>* keys = nullptr);

}  // namespace trainyard

#endif  // TRAINYARD_CLIENT_SPEC_YAML_H_
