#include "client/spec_flags.h"

#include <utility>

#include "CLI/CLI.hpp"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "client/exit_code.h"
#include "client/proto_text.h"
#include "core/base/check.h"

namespace trainyard {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

constexpr char kGroup[] = "Spec (each replaces the field of --spec)";
constexpr char kHiddenFlag[] = "--hidden";
constexpr char kActivationFlag[] = "--activation";

struct FlagSpec {
  const char* flag;
  const char* path;
  const char* type;  // as shown by --help
  const char* help;
};

constexpr FlagSpec kListFlags[] = {
    {"--features", "feature_columns", "COLUMN",
     "Feature columns, comma between (default all but the target)"},
    {"--exclude", "exclude_columns", "COLUMN", "Columns that are not features, comma between"},
};

constexpr FlagSpec kValueFlags[] = {
    {"--target", "target_column", "COLUMN", "Column to predict"},
    {"--task", "task", "TASK", "binary, multiclass or regression (default by the target's values)"},
    {"--epochs", "epochs", "N", "Passes over the training rows (default 20)"},
    {"--batch-size", "batch_size", "ROWS", "Rows per step (default 32)"},
    {"--optimizer", "optimizer.kind", "KIND", "sgd or adam (default adam)"},
    {"--learning-rate", "optimizer.learning_rate", "ALPHA",
     "Step size (default 0.001 for adam, 0.01 for sgd)"},
    {"--momentum", "optimizer.momentum", "M", "With sgd (default 0)"},
    {"--weight-decay", "optimizer.weight_decay", "LAMBDA", "L2 coefficient (default 0)"},
    {"--loss", "loss", "LOSS",
     "binary_cross_entropy, softmax_cross_entropy or mean_squared_error (default by the task)"},
    {"--init", "init", "INIT",
     "he_normal, he_uniform, xavier_normal, xavier_uniform or zeros (default by the activation)"},
    {"--seed", "seed", "N", "Decides split, weights and order of rows (default 0)"},
    {"--scaling", "scaling", "SCALING", "standardize or none (default standardize)"},
    {"--validation-fraction", "split.validation_fraction", "RATIO",
     "Rows for validation (default 0.15)"},
    {"--test-fraction", "split.test_fraction", "RATIO", "Rows for the final test (default 0.15)"},
    {"--threads", "threads", "N", "CPU threads (default 1)"},
    {"--max-runtime", "max_runtime", "DURATION",
     "Stop by itself, keeping the model, e.g. 90s, 10m"},
};

// The message that holds the last field of `path`, made on the way.
std::pair<Message*, const FieldDescriptor*> Resolve(Message* message, absl::string_view path) {
  const std::vector<std::string> names = absl::StrSplit(path, '.');
  for (size_t i = 0; i + 1 < names.size(); ++i) {
    const FieldDescriptor* step = message->GetDescriptor()->FindFieldByName(names[i]);
    TY_CHECK(step != nullptr);
    message = message->GetReflection()->MutableMessage(message, step);
  }
  const FieldDescriptor* field = message->GetDescriptor()->FindFieldByName(names.back());
  TY_CHECK(field != nullptr);
  return {message, field};
}

void ApplyText(absl::string_view flag, Message* message, const FieldDescriptor& field,
               absl::string_view text, std::vector<FieldViolation>* faults) {
  const std::string fault = SetScalar(message, field, text);
  if (!fault.empty()) faults->push_back({std::string(flag), fault});
}

}  // namespace

void SpecFlags::Set(absl::string_view flag, absl::string_view path,
                    std::vector<std::string> values) {
  entries_.push_back({std::string(flag), std::string(path), std::move(values)});
}

absl::Status SpecFlags::ApplyTo(v1::TrainingSpec* spec) const {
  std::vector<FieldViolation> faults;
  for (const Entry& entry : entries_) {
    const auto [message, field] = Resolve(spec, entry.path);
    if (field->is_repeated()) message->GetReflection()->ClearField(message, field);
    for (const std::string& value : entry.values) {
      ApplyText(entry.flag, message, *field, value, &faults);
    }
  }
  ApplyLayers(spec, &faults);
  ApplyActivations(spec, &faults);
  if (faults.empty()) return absl::OkStatus();
  return AsUsageError(MakeViolationsError(ErrorReason::kInvalidSpec, std::move(faults)));
}

void SpecFlags::ApplyLayers(v1::TrainingSpec* spec, std::vector<FieldViolation>* faults) const {
  if (hidden_.empty()) return;
  spec->clear_layers();
  if (hidden_ == std::vector<std::string>{"none"}) return;
  for (const std::string& units : hidden_) {
    v1::LayerSpec* layer = spec->add_layers();
    ApplyText(kHiddenFlag, layer, *layer->GetDescriptor()->FindFieldByName("units"), units, faults);
  }
}

void SpecFlags::ApplyActivations(v1::TrainingSpec* spec,
                                 std::vector<FieldViolation>* faults) const {
  const size_t layers = static_cast<size_t>(spec->layers_size());
  if (activation_.empty()) return;
  if (layers == 0 || (activation_.size() != 1 && activation_.size() != layers)) {
    faults->push_back(
        {kActivationFlag,
         absl::StrCat(activation_.size(), " given for ", layers,
                      " hidden layers; give one for all, or one for each of --hidden")});
    return;
  }
  for (size_t i = 0; i < layers; ++i) {
    v1::LayerSpec* layer = spec->mutable_layers(static_cast<int>(i));
    ApplyText(kActivationFlag, layer, *layer->GetDescriptor()->FindFieldByName("activation"),
              activation_.size() == 1 ? activation_[0] : activation_[i], faults);
  }
}

void AddSpecFlags(CLI::App& app, SpecFlags* flags) {
  using Texts = std::vector<std::string>;
  for (const FlagSpec& spec : kValueFlags) {
    const auto set = [flags, &spec](const std::string& value) {
      flags->Set(spec.flag, spec.path, {value});
    };
    app.add_option_function<std::string>(spec.flag, set, spec.help)
        ->type_name(spec.type)
        ->group(kGroup);
  }
  for (const FlagSpec& spec : kListFlags) {
    const auto set = [flags, &spec](const Texts& values) {
      flags->Set(spec.flag, spec.path, values);
    };
    app.add_option_function<Texts>(spec.flag, set, spec.help)
        ->delimiter(',')
        ->allow_extra_args(false)
        ->type_name(spec.type)
        ->group(kGroup);
  }
  app.add_option_function<Texts>(
         kHiddenFlag, [flags](const Texts& units) { flags->SetHidden(units); },
         "Widths of the hidden layers, e.g. 64,32; none: a linear model")
      ->delimiter(',')
      ->allow_extra_args(false)
      ->type_name("UNITS")
      ->group(kGroup);
  app.add_option_function<Texts>(
         kActivationFlag, [flags](const Texts& words) { flags->SetActivation(words); },
         "relu, sigmoid, tanh or identity: one, or one per hidden layer, e.g. relu,tanh (default "
         "relu)")
      ->delimiter(',')
      ->allow_extra_args(false)
      ->type_name("WORD")
      ->group(kGroup);
  app.add_flag_callback(
         "--stratify", [flags] { flags->Set("--stratify", "split.stratify", {"true"}); },
         "Keep the class proportions in each part")
      ->group(kGroup);
}

}  // namespace trainyard
