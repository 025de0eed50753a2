// The flags of `trainyard train` that make up a training spec. Each one names a field of
// v1::TrainingSpec, so its rules are those of the spec file (proto_text.h); given ones replace what
// the file says.
//
//   SpecFlags flags;
//   AddSpecFlags(app, &flags);            // app.parse() fills it
//   TY_RETURN_IF_ERROR(flags.ApplyTo(&spec));
//
// Thread-safety: none; `flags` must remain live until the app has parsed.
#ifndef TRAINYARD_CLIENT_SPEC_FLAGS_H_
#define TRAINYARD_CLIENT_SPEC_FLAGS_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "core/base/error_info.h"
#include "trainyard/v1/spec.pb.h"

namespace CLI {
class App;
}

namespace trainyard {

class SpecFlags {
 public:
  // Notes that `flag` was given. `path` is a field of TrainingSpec, e.g. "optimizer.learning_rate";
  // a repeated field gets all `values`, any other exactly one.
  void Set(absl::string_view flag, absl::string_view path, std::vector<std::string> values);
  // --hidden: the widths of the hidden layers, or only "none". They replace all layers.
  void SetHidden(std::vector<std::string> units) { hidden_ = std::move(units); }
  // --activation: one for all hidden layers, or one for each.
  void SetActivation(std::vector<std::string> activations) { activation_ = std::move(activations); }

  // Writes what was given into `spec`. A usage error (INVALID_SPEC) with every faulty flag as a
  // violation.
  absl::Status ApplyTo(v1::TrainingSpec* spec) const;

 private:
  struct Entry {
    std::string flag;
    std::string path;
    std::vector<std::string> values;
  };
  void ApplyLayers(v1::TrainingSpec* spec, std::vector<FieldViolation>* faults) const;
  void ApplyActivations(v1::TrainingSpec* spec, std::vector<FieldViolation>* faults) const;

  std::vector<Entry> entries_;
  std::vector<std::string> hidden_;
  std::vector<std::string> activation_;
};

void AddSpecFlags(CLI::App& app, SpecFlags* flags);

}  // namespace trainyard

#endif  // TRAINYARD_CLIENT_SPEC_FLAGS_H_
