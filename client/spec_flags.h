// The flags of `trainyard train` that make up a training spec. Each one names a field of
// v1::TrainingSpec (field_flags.h) or one of every hidden layer; given ones replace what the file
// says.
//
//   SpecFlags flags;
//   AddSpecFlags(app, &flags);            // app.parse() fills it
//   TY_ASSIGN_OR_RETURN(v1::TrainingSpec spec, ReadSpec("spec.yaml", flags));
//
// Thread-safety: none; `flags` must remain live until the app has parsed.
#ifndef TRAINYARD_CLIENT_SPEC_FLAGS_H_
#define TRAINYARD_CLIENT_SPEC_FLAGS_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "client/field_flags.h"
#include "core/base/error_info.h"
#include "trainyard/v1/spec.pb.h"

namespace CLI {
class App;
}

namespace trainyard {

class SpecFlags {
 public:
  FieldFlags& fields() { return fields_; }
  // --hidden: the widths of the hidden layers, or only "none". They replace all layers.
  void SetHidden(std::vector<std::string> units) { hidden_ = std::move(units); }
  // `field` of LayerSpec: one value for all hidden layers, or one for each.
  void SetOfLayers(absl::string_view flag, absl::string_view field,
                   std::vector<std::string> values) {
    layer_entries_.push_back({std::string(flag), std::string(field), std::move(values)});
  }
  // --residual: every layer as wide as the hidden layer before it adds its input.
  void SetResidual() { residual_ = true; }

  // --feature: what is done to single columns (feature_flag.h).
  void SetFeatures(std::vector<std::string> texts) { features_ = std::move(texts); }
  // --initial-weights: an NPZ file (initial_weights.h).
  void SetInitialWeights(std::string path) { initial_weights_path_ = std::move(path); }

  bool empty() const;

  // Writes what was given into `spec`. With `notes` somebody has yet to say what its hidden layers
  // are: where neither --hidden does nor what training starts from, they become one of kHiddenUnits
  // ReLU units, and a note says so. A usage error (INVALID_SPEC) with every faulty flag as a
  // violation, or that of the file of weights.
  absl::Status ApplyTo(v1::TrainingSpec* spec, std::vector<std::string>* notes = nullptr) const;

 private:
  struct LayerEntry {
    std::string flag;
    std::string field;
    std::vector<std::string> values;
  };
  void ApplyHidden(v1::TrainingSpec* spec, std::vector<FieldViolation>* faults) const;
  void ChooseHidden(v1::TrainingSpec* spec, std::vector<std::string>* notes) const;
  void ApplyToLayers(const LayerEntry& entry, v1::TrainingSpec* spec,
                     std::vector<FieldViolation>* faults) const;
  void ApplyResidual(v1::TrainingSpec* spec, std::vector<FieldViolation>* faults) const;

  FieldFlags fields_;
  std::vector<std::string> hidden_;
  std::vector<LayerEntry> layer_entries_;
  bool residual_ = false;
  std::vector<std::string> features_;
  std::string initial_weights_path_;
};

// Width of the hidden layer of a network that nobody described, as scikit-learn's.
inline constexpr int kHiddenUnits = 100;

// Names the field test_dataset, which may be a file at first.
inline constexpr char kTestDatasetFlag[] = "--test-dataset";

// Not in --help where they are `hidden`.
void AddSpecFlags(CLI::App& app, SpecFlags* flags, bool hidden = false);

// The YAML file at `path`, unless that is empty, with the flags laid over it. Without `layers` in
// the file (an empty list is one) and --hidden the network is chosen, as SpecFlags::ApplyTo says,
// and `notes` says so; where that is null nothing is chosen. Errors: usage errors.
absl::StatusOr<v1::TrainingSpec> ReadSpec(const std::string& path, const SpecFlags& flags,
                                          std::vector<std::string>* notes);

}  // namespace trainyard

#endif  // TRAINYARD_CLIENT_SPEC_FLAGS_H_
