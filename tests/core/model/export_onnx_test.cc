// What the file says to an ONNX runtime is checked by tests/e2e/onnx; here: its form.
#include "core/model/export.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/data_builders.h"
#include "tests/support/status_matchers.h"

namespace trainyard {
namespace {

using testing::HasSubstr;

// Tag and length of the next field: what every level of a protobuf message consists of.
bool SkipField(absl::string_view* bytes) {
  const auto varint = [&](uint64_t* value) {
    *value = 0;
    for (int shift = 0; shift < 64 && !bytes->empty(); shift += 7) {
      const auto byte = static_cast<uint8_t>(bytes->front());
      bytes->remove_prefix(1);
      *value |= uint64_t{byte & 0x7Fu} << shift;
      if (byte < 0x80) return true;
    }
    return false;
  };
  uint64_t tag = 0;
  uint64_t value = 0;
  if (!varint(&tag) || !varint(&value)) return false;
  if ((tag & 7) == 0) return true;
  if ((tag & 7) != 2 || value > bytes->size()) return false;
  bytes->remove_prefix(value);
  return true;
}

TEST(ExportOnnxTest, IsAWellFormedMessageWithTheNamedOutputs) {
  for (const Task task : {Task::kBinary, Task::kMulticlass, Task::kRegression}) {
    const Bundle bundle =
        RandomBundle(task, 3, {4}, Activation::kSigmoid, task == Task::kBinary ? 2 : 3, 1);
    ASSERT_OK_AND_ASSIGN(const std::string onnx, ExportOnnx(bundle));
    absl::string_view rest = onnx;
    while (!rest.empty()) ASSERT_TRUE(SkipField(&rest));
    const bool regression = task == Task::kRegression;
    EXPECT_THAT(onnx, HasSubstr("features"));
    EXPECT_THAT(onnx, HasSubstr("Sigmoid"));
    EXPECT_EQ(onnx.find("probabilities") == std::string::npos, regression);
    EXPECT_EQ(onnx.find("label") == std::string::npos, regression);
    EXPECT_THAT(onnx, HasSubstr("provenance.dataset_digest"));
    EXPECT_EQ(onnx, *ExportOnnx(bundle));
  }
}

TEST(ExportOnnxTest, LabelsAreAnOutputOfTheirOwn) {
  const Bundle bundle = RandomBundle(Task::kMultilabel, 3, {4}, Activation::kSilu, 5, 1);
  ASSERT_OK_AND_ASSIGN(const std::string onnx, ExportOnnx(bundle));
  EXPECT_THAT(onnx, HasSubstr("labels"));
  EXPECT_THAT(onnx, HasSubstr("probabilities"));
  EXPECT_THAT(onnx, HasSubstr("Greater"));
}

TEST(ExportOnnxTest, HoldsTheWeightsBitForBit) {
  const Bundle bundle = RichBundle();
  ASSERT_OK_AND_ASSIGN(const std::string onnx, ExportOnnx(bundle));
  for (const LayerWeights& layer : bundle.weights) {
    for (const std::vector<float>* numbers :
         {&layer.weights, &layer.biases, &layer.gains, &layer.shifts, &layer.running_means,
          &layer.running_variances}) {
      EXPECT_THAT(onnx, HasSubstr(std::string(reinterpret_cast<const char*>(numbers->data()),
                                              numbers->size() * sizeof(float))));
    }
  }
}

TEST(ExportOnnxTest, AModelOverTheLimitIsTooLarge) {
  EXPECT_THAT(ExportOnnx(SmallBundle(), 12), HasReason(ErrorReason::kTooLarge));
  EXPECT_THAT(ExportOnnx(SmallBundle(), 13), IsOk());
}

}  // namespace
}  // namespace trainyard
