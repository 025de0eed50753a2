// Text to fields of a proto message, by descriptor: one set of rules for the keys of a spec file
// and for the flags of the command line, and nothing to extend here when the contract grows.
//
// Rules: enum values in lower case without prefix ("relu" for ACTIVATION_RELU); durations as "30s",
// "1h30m" or a number of seconds; times as RFC 3339 has them ("2027-02-10T18:42:07Z"); numbers in
// full ("12 apples" is a fault), finite; booleans true or false. Ranges are the server's to judge.
//
// Thread-safety: pure functions.
#ifndef TRAINYARD_CLIENT_PROTO_TEXT_H_
#define TRAINYARD_CLIENT_PROTO_TEXT_H_

#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "google/protobuf/descriptor.h"
#include "google/protobuf/message.h"

namespace trainyard {

// Whether `field` is given as one text: everything but messages, durations and times excepted.
bool IsScalar(const google::protobuf::FieldDescriptor& field);

// Sets (or, for a repeated field, adds) `field` of `message` from `text`. Returns what is wrong,
// e.g. `expected a whole number, found "many"`, and leaves the message as it is; empty when all is
// well. REQUIRES: IsScalar(field).
std::string SetScalar(google::protobuf::Message* message,
                      const google::protobuf::FieldDescriptor& field, absl::string_view text);

// "30s", "1h30m" or a number of seconds; nullopt for anything else, and beyond 10 000 years.
std::optional<absl::Duration> ParseSpan(absl::string_view text);

// "relu", "tanh", …: what may be written for `type`, without the UNSPECIFIED value.
std::vector<std::string> EnumWords(const google::protobuf::EnumDescriptor& type);
// "relu" for ACTIVATION_RELU; "unspecified" for zero, the number for an unknown value.
std::string EnumWord(const google::protobuf::EnumDescriptor& type, int number);

// Names of all fields, in order of their numbers.
std::vector<std::string> FieldNames(const google::protobuf::Descriptor& type);

// ` (did you mean "layers"?)`, or empty.
std::string DidYouMean(absl::string_view word, const std::vector<std::string>& candidates);

}  // namespace trainyard

#endif  // TRAINYARD_CLIENT_PROTO_TEXT_H_
