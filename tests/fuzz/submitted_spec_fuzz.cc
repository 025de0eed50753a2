// Any bytes as a student's spec, in JSON or in protobuf's encoding, through what is done with it
// before it is trained: the assignment's rules, the merge, the work it takes, the canonical form.
// Never a crash; the canonical form of a canonical spec is that spec; a count that fits is never
// negative; and a spec without faults has fields that the rules name, and no others.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <vector>

#include "google/protobuf/util/json_util.h"
#include "server/grading/canonical_spec.h"
#include "server/grading/spec_space.h"
#include "server/grading/work_budget.h"
#include "server/wire/convert.h"

namespace trainyard {
namespace {

v1::TrainingSpec AssignmentSpec() {
  v1::TrainingSpec spec;
  spec.set_epochs(20);
  spec.set_threads(1);
  spec.mutable_optimizer()->set_kind(v1::OptimizerSpec::ADAM);
  spec.add_metrics("f1");
  return spec;
}

SpecSpace AssignmentSpace() {
  auto space = SpecSpace::Create({{.path = "layers[]", .max = 4},
                                  {.path = "layers[].units", .min = 1, .max = 256},
                                  {.path = "layers[].activation"},
                                  {.path = "optimizer.kind", .values = {"adam", "sgd"}},
                                  {.path = "optimizer.learning_rate", .min = 1e-5, .max = 1},
                                  {.path = "loss_options.class_weights", .min = 0},
                                  {.path = "early_stopping.patience", .max = 50},
                                  {.path = "epochs", .min = 1, .max = 100}},
                                 "rules");
  if (!space.ok()) std::abort();
  return *std::move(space);
}

// What no rule names is not in a spec without faults.
void CheckNothingElse(v1::TrainingSpec spec) {
  for (v1::LayerSpec& layer : *spec.mutable_layers()) {
    layer.clear_units();
    layer.clear_activation();
    if (layer.ByteSizeLong() > 0) std::abort();
  }
  spec.clear_layers();
  spec.clear_epochs();
  spec.mutable_optimizer()->clear_kind();
  spec.mutable_optimizer()->clear_learning_rate();
  spec.mutable_loss_options()->clear_class_weights();
  spec.mutable_early_stopping()->clear_patience();
  const size_t rest = spec.optimizer().ByteSizeLong() + spec.loss_options().ByteSizeLong() +
                      spec.early_stopping().ByteSizeLong();
  spec.clear_optimizer();
  spec.clear_loss_options();
  spec.clear_early_stopping();
  if (rest + spec.ByteSizeLong() > 0) std::abort();
}

void CheckSpec(const v1::TrainingSpec& student) {
  static const auto* space = new SpecSpace(AssignmentSpace());
  const v1::TrainingSpec assignment = AssignmentSpec();
  std::vector<FieldViolation> violations;
  space->CheckSubmitted(student, &violations);
  if (violations.empty()) CheckNothingElse(student);
  const v1::TrainingSpec merged = MergeSpec(assignment, student);
  space->CheckResolved(merged, &violations);
  const auto work = WorkOf(merged, {.features = 30, .outputs = 3, .train_rows = 455});
  if (work.ok() && (work->parameters < 1 || work->train_flops < 1)) std::abort();
  const v1::TrainingSpec canonical = CanonicalSpec(merged, assignment);
  const std::string bytes = MessageBytes(canonical);
  if (MessageBytes(CanonicalSpec(canonical, assignment)) != bytes) std::abort();
  v1::TrainingSpec stored;
  if (!stored.ParseFromString(bytes) || MessageBytes(stored) != bytes) std::abort();
}

}  // namespace
}  // namespace trainyard

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string bytes(reinterpret_cast<const char*>(data), size);
  trainyard::v1::TrainingSpec spec;
  if (spec.ParseFromString(bytes)) trainyard::CheckSpec(spec);
  spec.Clear();
  if (google::protobuf::util::JsonStringToMessage(bytes, &spec).ok()) trainyard::CheckSpec(spec);
  return 0;
}
