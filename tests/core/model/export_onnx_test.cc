// What the file says to an ONNX runtime is checked by tests/e2e/onnx; here: its form.
#include "core/model/export.h"
#include "core/model/onnx_features.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/column_cases.h"
#include "tests/support/data_builders.h"
#include "tests/support/status_matchers.h"

namespace trainyard {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

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

// A model of one-hot columns with the names given.
Bundle ColumnsNamed(const std::vector<std::string>& names) {
  Bundle bundle =
      RandomBundle(Task::kBinary, static_cast<int64_t>(names.size()), {}, Activation::kRelu, 2, 1);
  ColumnTransform transform{.encoding = Encoding::kOneHot, .categories = {"a"}};
  bundle.preprocessor = Preprocessor(std::vector<ColumnTransform>(names.size(), transform));
  bundle.feature_columns = names;
  return bundle;
}

TEST(ExportOnnxTest, ColumnsAreInputsByTheirNames) {
  EXPECT_THAT(OnnxInputNames(RandomBundle(Task::kBinary, 3, {}, Activation::kRelu, 2, 1)),
              ElementsAre("features"));
  EXPECT_THAT(OnnxInputNames(ColumnsNamed({"features", "a b", "é"})),
              ElementsAre("features", "a b", "é"));
  EXPECT_THAT(
      OnnxInputNames(ColumnsNamed({"label", "input.label", "value", "input.input.label"})),
      ElementsAre("input.input.input.label", "input.label", "input.value", "input.input.label"));
  EXPECT_EQ(OnnxPrefix(ColumnsNamed({"a"})), "trainyard.");
  EXPECT_EQ(OnnxPrefix(ColumnsNamed({"trainyard.x", "trainyard._"})), "trainyard.__");
}

TEST(ExportOnnxTest, HashedColumnsAreRefusedByName) {
  for (const ModelCase& c : ColumnCases()) {
    const absl::StatusOr<std::string> onnx = ExportOnnx(c.bundle);
    EXPECT_EQ(onnx.ok(), !c.hashed) << c.name;
    if (onnx.ok()) continue;
    EXPECT_EQ(onnx.status().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(onnx, HasReason(ErrorReason::kInvalidRequest));
    const std::string message(onnx.status().message());
    EXPECT_THAT(message, HasSubstr("column \"workclass\": is hashed"));
    EXPECT_THAT(message, HasSubstr("column \"sex\": is hashed"));
    EXPECT_THAT(message, HasSubstr("train with encoding ONE_HOT or ORDINAL"));
    EXPECT_THAT(message, Not(HasSubstr("education")));
  }
}

TEST(ExportOnnxTest, CategoriesThatAreOneFloatAreRefused) {
  Bundle bundle = ColumnsNamed({"id"});
  ColumnTransform transform{.encoding = Encoding::kOrdinal,
                            .categories = {"1", "16777216", "16777217"},
                            .numeric_categories = true};
  bundle.preprocessor = Preprocessor({transform});
  const absl::StatusOr<std::string> onnx = ExportOnnx(bundle);
  EXPECT_THAT(onnx, HasReason(ErrorReason::kInvalidRequest));
  EXPECT_THAT(std::string(onnx.status().message()),
              HasSubstr("column \"id\": has categories 16777216 and 16777217"));
  transform.categories.pop_back();
  bundle.preprocessor = Preprocessor({transform});
  EXPECT_THAT(ExportOnnx(bundle), IsOk());
}

TEST(ExportOnnxTest, OnlyCategoriesNeedTheOtherOpset) {
  ASSERT_OK_AND_ASSIGN(const std::string numbers, ExportOnnx(SmallBundle()));
  EXPECT_THAT(numbers, Not(HasSubstr("ai.onnx.ml")));
  ASSERT_OK_AND_ASSIGN(const std::string texts, ExportOnnx(ColumnsNamed({"a"})));
  EXPECT_THAT(texts, HasSubstr("ai.onnx.ml"));
}

TEST(ExportOnnxTest, AModelOverTheLimitIsTooLarge) {
  EXPECT_THAT(ExportOnnx(SmallBundle(), 12), HasReason(ErrorReason::kTooLarge));
  EXPECT_THAT(ExportOnnx(SmallBundle(), 13), IsOk());
}

}  // namespace
}  // namespace trainyard
