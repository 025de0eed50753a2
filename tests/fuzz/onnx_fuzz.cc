// Any bytes: ParseOnnx and OnnxRunner never crash, nor take more than the budget; what they run,
// they run again with the same result.
#include <cstdint>
#include <cstring>
#include <limits>
#include <vector>

#include "core/base/check.h"
#include "core/model/onnx_model.h"
#include "core/model/onnx_runner.h"

namespace trainyard {
namespace {

constexpr int64_t kRows = 3;
constexpr int64_t kInputElementsMax = 4096;
constexpr OnnxBudget kBudget = {.elements_max = 1 << 14, .work = 1 << 20};

// Numbers and texts of several kinds, NaN and the empty text among them.
OnnxTensor InputOf(OnnxType type, std::vector<int64_t> shape, int64_t count) {
  constexpr float kNumbers[] = {0, 1, -2.5F, 1e30F, std::numeric_limits<float>::quiet_NaN()};
  constexpr const char* kTexts[] = {"yes", "", "no", "?"};
  OnnxTensor input{.shape = std::move(shape)};
  if (type == OnnxType::kString) {
    std::vector<absl::string_view> texts;
    for (int64_t i = 0; i < count; ++i) texts.emplace_back(kTexts[i % 4]);
    input.values = std::move(texts);
  } else {
    std::vector<float> numbers;
    for (int64_t i = 0; i < count; ++i) numbers.push_back(kNumbers[i % 5]);
    input.values = std::move(numbers);
  }
  return input;
}

absl::StatusOr<std::vector<OnnxTensor>> RunOnce(const OnnxModel& model, const OnnxRunner& runner) {
  std::vector<OnnxTensor> inputs;
  for (const OnnxValueInfo& value : model.inputs) {
    std::vector<int64_t> shape = value.shape;
    for (int64_t& size : shape) size = size < 0 ? kRows : size;
    const int64_t count = ElementCount(shape, kInputElementsMax);
    if (count < 0) return OnnxFault("an input is too large to try");
    inputs.push_back(InputOf(value.type, std::move(shape), count));
  }
  OnnxBudget budget = kBudget;
  return runner.Run(std::move(inputs), &budget);
}

// NaN is the same as itself.
bool Same(const OnnxTensor& a, const OnnxTensor& b) {
  if (a.shape != b.shape || a.values.index() != b.values.index()) return false;
  const auto* const floats = std::get_if<std::vector<float>>(&a.values);
  if (floats == nullptr) return true;
  const auto& others = std::get<std::vector<float>>(b.values);
  return std::memcmp(floats->data(), others.data(), floats->size() * sizeof(float)) == 0;
}

void Try(absl::string_view bytes) {
  const absl::StatusOr<OnnxModel> model = ParseOnnx(bytes);
  if (!model.ok()) return;
  const absl::StatusOr<OnnxRunner> runner = OnnxRunner::Create(*model);
  if (!runner.ok()) return;
  const absl::StatusOr<std::vector<OnnxTensor>> first = RunOnce(*model, *runner);
  const absl::StatusOr<std::vector<OnnxTensor>> second = RunOnce(*model, *runner);
  TY_CHECK(first.ok() == second.ok());
  for (size_t i = 0; first.ok() && i < first->size(); ++i) {
    TY_CHECK(Same((*first)[i], (*second)[i]));
    TY_CHECK((*first)[i].element_count() <= kBudget.elements_max);
  }
}

}  // namespace
}  // namespace trainyard

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  trainyard::Try(absl::string_view(reinterpret_cast<const char*>(data), size));
  return 0;
}
