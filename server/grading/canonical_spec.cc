#include "server/grading/canonical_spec.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_format.h"
#include "google/protobuf/descriptor.h"
#include "google/protobuf/message.h"

namespace trainyard {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;

// By way of the decimal, which floats keep: 4 digits of one read back as the same 4 digits.
float CanonicalFloat(float value) {
  const auto rounded = static_cast<float>(CanonicalNumber(double{value}));
  return std::isfinite(rounded) ? rounded : value;
}

void RoundNumbers(Message* message);

void RoundDouble(const FieldDescriptor& field, Message* message) {
  const Reflection& r = *message->GetReflection();
  if (!field.is_repeated()) {
    r.SetDouble(message, &field, CanonicalNumber(r.GetDouble(*message, &field)));
    return;
  }
  for (int i = 0; i < r.FieldSize(*message, &field); ++i) {
    r.SetRepeatedDouble(message, &field, i,
                        CanonicalNumber(r.GetRepeatedDouble(*message, &field, i)));
  }
}

void RoundFloat(const FieldDescriptor& field, Message* message) {
  const Reflection& r = *message->GetReflection();
  if (!field.is_repeated()) {
    r.SetFloat(message, &field, CanonicalFloat(r.GetFloat(*message, &field)));
    return;
  }
  for (int i = 0; i < r.FieldSize(*message, &field); ++i) {
    r.SetRepeatedFloat(message, &field, i, CanonicalFloat(r.GetRepeatedFloat(*message, &field, i)));
  }
}

// Entries of a map are messages of their own here.
void RoundMessages(const FieldDescriptor& field, Message* message) {
  const Reflection& r = *message->GetReflection();
  if (!field.is_repeated()) {
    RoundNumbers(r.MutableMessage(message, &field));
    return;
  }
  for (int i = 0; i < r.FieldSize(*message, &field); ++i) {
    RoundNumbers(r.MutableRepeatedMessage(message, &field, i));
  }
}

void RoundNumbers(Message* message) {
  std::vector<const FieldDescriptor*> fields;
  message->GetReflection()->ListFields(*message, &fields);
  for (const FieldDescriptor* field : fields) {
    switch (field->cpp_type()) {
      case FieldDescriptor::CPPTYPE_DOUBLE:
        RoundDouble(*field, message);
        break;
      case FieldDescriptor::CPPTYPE_FLOAT:
        RoundFloat(*field, message);
        break;
      case FieldDescriptor::CPPTYPE_MESSAGE:
        RoundMessages(*field, message);
        break;
      default:
        break;
    }
  }
}

void TakeFromAssignment(const v1::TrainingSpec& assignment, v1::TrainingSpec* spec) {
  const Reflection& r = *spec->GetReflection();
  v1::TrainingSpec theirs;
  for (const int number :
       {v1::TrainingSpec::kThreadsFieldNumber, v1::TrainingSpec::kMaxRuntimeFieldNumber,
        v1::TrainingSpec::kMaxMemoryBytesFieldNumber,
        v1::TrainingSpec::kStepEventIntervalFieldNumber, v1::TrainingSpec::kLayerRecordsFieldNumber,
        v1::TrainingSpec::kMetricsFieldNumber}) {
    r.ClearField(spec, v1::TrainingSpec::descriptor()->FindFieldByNumber(number));
  }
  if (assignment.has_threads()) theirs.set_threads(assignment.threads());
  if (assignment.has_max_runtime()) *theirs.mutable_max_runtime() = assignment.max_runtime();
  if (assignment.has_max_memory_bytes()) {
    theirs.set_max_memory_bytes(assignment.max_memory_bytes());
  }
  if (assignment.has_step_event_interval()) {
    theirs.set_step_event_interval(assignment.step_event_interval());
  }
  theirs.set_layer_records(assignment.layer_records());
  *theirs.mutable_metrics() = assignment.metrics();
  spec->MergeFrom(theirs);
}

void Sort(google::protobuf::RepeatedPtrField<std::string>* names) {
  std::sort(names->begin(), names->end());
}

void SortNames(v1::TrainingSpec* spec) {
  Sort(spec->mutable_feature_columns());
  Sort(spec->mutable_exclude_columns());
  Sort(spec->mutable_label_columns());
  Sort(spec->mutable_metrics());
  // Stable: of two for one column, which resolving refuses, none is preferred here.
  std::stable_sort(
      spec->mutable_feature_options()->pointer_begin(),
      spec->mutable_feature_options()->pointer_end(),
      [](const v1::FeatureSpec* a, const v1::FeatureSpec* b) { return a->column() < b->column(); });
}

}  // namespace

double CanonicalNumber(double value) {
  if (!std::isfinite(value)) return value;
  double rounded = 0;
  const std::string text = absl::StrFormat("%.*e", kCanonicalDigits - 1, value);
  if (!absl::SimpleAtod(text, &rounded) || !std::isfinite(rounded)) return value;
  return rounded + 0.0;  // -0 + 0 is 0
}

v1::TrainingSpec CanonicalSpec(const v1::TrainingSpec& resolved,
                               const v1::TrainingSpec& assignment) {
  v1::TrainingSpec spec = resolved;
  TakeFromAssignment(assignment, &spec);
  spec.clear_seed();
  RoundNumbers(&spec);
  SortNames(&spec);
  return spec;
}

}  // namespace trainyard
