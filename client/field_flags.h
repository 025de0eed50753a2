// Flags that name fields of a message of the contract, so that their rules are those of a spec file
// (proto_text.h). A table of them is all that a command says.
//
//   constexpr FlagSpec kFlags[] = {{"--epochs", "epochs", "N", "Passes over the training rows"}};
//   FieldFlags flags;
//   AddFieldFlags(app, "Training", kFlags, &flags);      // app.parse() fills it
//   std::vector<FieldViolation> faults;
//   flags.ApplyTo(&message, &faults);
//
// Thread-safety: none; `flags` must remain live until the app has parsed, and the table as long.
#ifndef TRAINYARD_CLIENT_FIELD_FLAGS_H_
#define TRAINYARD_CLIENT_FIELD_FLAGS_H_

#include <span>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "core/base/error_info.h"
#include "google/protobuf/message.h"

namespace CLI {
class App;
}

namespace trainyard {

struct FlagSpec {
  const char* flag;
  // A field, e.g. "optimizer.learning_rate". A repeated one takes a list with commas between, a map
  // a list of NAME=VALUE, a bool nothing.
  const char* path;
  const char* type;  // of the value, as shown by --help; unused for a bool
  const char* help;
  // The value when the flag is given without one. Null: it needs one, or for a bool "true".
  const char* bare = nullptr;
};

class FieldFlags {
 public:
  // Notes that `flag` was given. A repeated field gets all `values`, any other exactly one.
  void Set(absl::string_view flag, absl::string_view path, std::vector<std::string> values);

  bool empty() const { return entries_.empty(); }

  // Writes what was given into `message`; what cannot be read goes to `faults`, by its flag.
  void ApplyTo(google::protobuf::Message* message, std::vector<FieldViolation>* faults) const;

 private:
  struct Entry {
    std::string flag;
    std::string path;
    std::vector<std::string> values;
  };

  std::vector<Entry> entries_;
};

// Adds the flags of `table`, whose paths are of `type`, under the heading `group`; hidden when that
// is empty.
void AddFieldFlags(CLI::App& app, const std::string& group, std::span<const FlagSpec> table,
                   const google::protobuf::Descriptor& type, FieldFlags* flags);

}  // namespace trainyard

#endif  // TRAINYARD_CLIENT_FIELD_FLAGS_H_
