#include "core/model/onnx_check.h"

#include <cmath>
#include <functional>
#include <limits>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "core/model/export.h"
#include "core/model/onnx_model.h"
#include "core/model/onnx_runner.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/column_cases.h"
#include "tests/support/data_builders.h"
#include "tests/support/status_matchers.h"

namespace trainyard {
namespace {

using testing::HasSubstr;

constexpr double kTolerance = 1e-5;

// The cells of a case as a table whose columns are all text: what they are is the model's business.
Table TextTable(const ModelCase& c) {
  Table table{.rows = static_cast<int64_t>(c.cells.size())};
  for (size_t i = 0; i < c.bundle.feature_columns.size(); ++i) {
    Column column{.name = c.bundle.feature_columns[i], .type = ColumnType::kText};
    std::vector<int32_t> codes;
    for (const std::vector<std::string>& row : c.cells) {
      codes.push_back(row[i].empty() ? Column::kMissingCode
                                     : static_cast<int32_t>(column.categories.size()));
      if (!row[i].empty()) column.categories.push_back(row[i]);
    }
    column.codes = std::move(codes);
    table.columns.push_back(std::move(column));
  }
  return table;
}

ModelCase CaseNamed(absl::string_view name) {
  for (ModelCase& c : ColumnCases()) {
    if (c.name == name) return std::move(c);
  }
  ADD_FAILURE() << "no case " << name;
  return {};
}

// What the file of `exported` is beside the model `native`.
OnnxComparison Compared(const Bundle& exported, const Bundle& native, const Table& rows) {
  const absl::StatusOr<std::string> onnx = ExportOnnx(exported);
  EXPECT_THAT(onnx.status(), IsOk());
  const absl::StatusOr<std::unique_ptr<Predictor>> predictor = Predictor::Create(native);
  EXPECT_THAT(predictor.status(), IsOk());
  const absl::StatusOr<OnnxComparison> found = CompareOnnx(*onnx, **predictor, rows, 1'000);
  EXPECT_THAT(found.status(), IsOk());
  return found.value_or(OnnxComparison{});
}

TEST(OnnxCheckTest, EveryActivationAndTaskAgrees) {
  for (const Task task : {Task::kBinary, Task::kMulticlass, Task::kRegression, Task::kMultilabel}) {
    for (auto number = static_cast<uint8_t>(Activation::kIdentity);
         number <= static_cast<uint8_t>(kActivationLast); ++number) {
      SCOPED_TRACE(absl::StrCat(TaskWord(task), " ", int{number}));
      Bundle bundle = RandomBundle(task, 5, {16, 16}, Activation{number},
                                   task == Task::kBinary ? 2 : 4, number);
      Normalise(number % 2 == 0 ? Normalization::kBatch : Normalization::kLayer, 3,
                &bundle.weights[0]);
      bundle.weights[1].residual = true;
      bundle.weights[1].biases.clear();
      const OnnxComparison found = Compared(bundle, bundle, RandomFeatureRows(bundle, 100, 1));
      EXPECT_LT(found.largest_difference, kTolerance);
      EXPECT_GT(found.largest_difference, 0);
      EXPECT_EQ(found.rows_compared, 100);
      EXPECT_EQ(found.rows_refused, 0);
      EXPECT_THAT(CheckOnnxTolerance(found, kOnnxToleranceDefault), IsOk());
    }
  }
}

TEST(OnnxCheckTest, EveryKindOfColumnAgrees) {
  int64_t refused = 0;
  for (const ModelCase& c : ColumnCases()) {
    if (c.hashed) continue;
    SCOPED_TRACE(c.name);
    const OnnxComparison real = Compared(c.bundle, c.bundle, TextTable(c));
    EXPECT_LT(real.largest_difference, kTolerance);
    EXPECT_EQ(real.labels_differing, 0);
    EXPECT_EQ(real.rows_compared, 200);
    EXPECT_LT(real.rows_refused, 150);
    refused += real.rows_refused;
    const OnnxComparison random = Compared(c.bundle, c.bundle, RandomFeatureRows(c.bundle, 300, 2));
    EXPECT_LT(random.largest_difference, kTolerance);
    EXPECT_EQ(random.rows_refused, 0);
  }
  EXPECT_GT(refused, 0);
}

// Changes of the model that must not pass as it: to the file they are damage.
TEST(OnnxCheckTest, EveryDamageIsFound) {
  struct Damage {
    const char* name;
    std::function<void(Bundle*, std::vector<ColumnTransform>*)> to;
  };
  using Transforms = std::vector<ColumnTransform>;
  const Damage all[] = {
      {"weight", [](Bundle* b, Transforms*) { b->weights[0].weights[5] += 0.5F; }},
      {"bias", [](Bundle* b, Transforms*) { b->weights[1].biases[0] += 0.5F; }},
      {"activation", [](Bundle* b, Transforms*) { b->weights[0].activation = Activation::kSoftplus; }},
      {"target", [](Bundle* b, Transforms*) { b->loss.target_offset += 1; }},
      {"fill", [](Bundle*, Transforms* t) { (*t)[0].fill += 5; }},
      {"offset", [](Bundle*, Transforms* t) { (*t)[2].offset *= 1.05; }},
      {"scale", [](Bundle*, Transforms* t) { (*t)[3].scale *= 1.05; }},
      {"order",
       [](Bundle*, Transforms* t) { std::swap((*t)[1].categories[0], (*t)[1].categories[1]); }},
      {"key", [](Bundle*, Transforms* t) { (*t)[5].categories[1] = "Mexico"; }},
      {"unseen", [](Bundle*, Transforms* t) { (*t)[1].unseen = UnseenCategory::kZeros; }},
      {"refused", [](Bundle*, Transforms* t) { (*t)[4].unseen = UnseenCategory::kRefuse; }},
  };
  const ModelCase c = CaseNamed("regression_adult");
  for (const Damage& damage : all) {
    SCOPED_TRACE(damage.name);
    Bundle bundle = c.bundle;
    Transforms transforms = bundle.preprocessor.transforms();
    damage.to(&bundle, &transforms);
    bundle.preprocessor = Preprocessor(transforms, bundle.preprocessor.missing_markers());
    const OnnxComparison found = Compared(bundle, c.bundle, TextTable(c));
    EXPECT_GT(found.largest_difference, 2 * kOnnxToleranceDefault);
    EXPECT_THAT(CheckOnnxTolerance(found, kOnnxToleranceDefault),
                HasReason(ErrorReason::kInvalidState));
  }
}

// The weight's bytes in the file itself.
TEST(OnnxCheckTest, ADamagedByteOfAWeightIsFound) {
  const Bundle bundle = RandomBundle(Task::kBinary, 5, {8}, Activation::kTanh, 2, 4);
  ASSERT_OK_AND_ASSIGN(std::string onnx, ExportOnnx(bundle));
  ASSERT_OK_AND_ASSIGN(const std::unique_ptr<Predictor> predictor, Predictor::Create(bundle));
  const Table rows = RandomFeatureRows(bundle, 50, 3);
  ASSERT_OK_AND_ASSIGN(const OnnxComparison whole, CompareOnnx(onnx, *predictor, rows, 1'000));
  EXPECT_LT(whole.largest_difference, kTolerance);
  const std::vector<float>& weights = bundle.weights[0].weights;
  const std::string bytes(reinterpret_cast<const char*>(weights.data()),
                          weights.size() * sizeof(float));
  const size_t at = onnx.find(bytes);
  ASSERT_NE(at, std::string::npos);
  onnx[at + 4 * 7 + 3] ^= static_cast<char>(0x80);  // the sign of a weight
  ASSERT_OK_AND_ASSIGN(const OnnxComparison found, CompareOnnx(onnx, *predictor, rows, 1'000));
  EXPECT_GT(found.largest_difference, 0.01);
  const absl::Status refused = CheckOnnxTolerance(found, kOnnxToleranceDefault);
  EXPECT_EQ(refused.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(refused.message()), HasSubstr("on 50 rows the ONNX file differs"));
}

TEST(OnnxCheckTest, AWrongLabelIsADifference) {
  Bundle bundle = RandomBundle(Task::kMulticlass, 5, {8}, Activation::kTanh, 4, 4);
  const Bundle native = bundle;
  const Table rows = RandomFeatureRows(bundle, 100, 3);
  std::swap(bundle.classes[1], bundle.classes[2]);
  const OnnxComparison swapped = Compared(bundle, native, rows);
  EXPECT_GT(swapped.labels_differing, 20);
  EXPECT_GT(swapped.largest_difference, 0.5);
  bundle.classes[1] = "another";
  EXPECT_EQ(Compared(bundle, native, rows).largest_difference,
            std::numeric_limits<double>::infinity());
}

// One that answers where the server refuses, and one that refuses where it answers.
TEST(OnnxCheckTest, RefusingIsPartOfTheAnswer) {
  const ModelCase c = CaseNamed("binary_auto");
  Bundle lenient = c.bundle;
  std::vector<ColumnTransform> transforms = lenient.preprocessor.transforms();
  for (ColumnTransform& transform : transforms) {
    if (transform.unseen == UnseenCategory::kRefuse) transform.unseen = UnseenCategory::kZeros;
  }
  lenient.preprocessor = Preprocessor(transforms, {"?", "NA"});
  const double infinity = std::numeric_limits<double>::infinity();
  EXPECT_EQ(Compared(lenient, c.bundle, TextTable(c)).largest_difference, infinity);
  EXPECT_EQ(Compared(c.bundle, lenient, TextTable(c)).largest_difference, infinity);
}

// What float32 cannot hold is a difference of file and server, and is told.
TEST(OnnxCheckTest, WhatFloat32LosesIsPartOfTheDifference) {
  Bundle bundle = RandomBundle(Task::kRegression, 1, {}, Activation::kRelu, 0, 1);
  bundle.preprocessor = Preprocessor(std::vector<double>{1.6e9}, std::vector<double>{0.1});
  bundle.weights = {{.in = 1, .out = 1, .weights = {1}, .biases = {0}}};
  bundle.weights[0].activation = Activation::kIdentity;
  Table rows{.rows = 2};
  rows.columns.push_back({.name = "f0", .numbers = {1.6e9, 1.6e9 + 60}});
  const OnnxComparison found = Compared(bundle, bundle, rows);
  EXPECT_NEAR(found.largest_difference, 1, 1e-6);  // 0 where the server says 6
}

TEST(OnnxCheckTest, AColumnMayBeOfAnotherTypeThanTheModels) {
  const ModelCase c = CaseNamed("binary_text");
  Table rows{.rows = 3};
  rows.columns.push_back({.name = "word", .numbers = {1, std::nan(""), 0.5}});
  const OnnxComparison found = Compared(c.bundle, c.bundle, rows);
  EXPECT_LT(found.largest_difference, kTolerance);
  EXPECT_EQ(found.rows_compared, 3);
}

TEST(OnnxCheckTest, ComparesNoMoreRowsThanAsked) {
  const Bundle bundle = SmallBundle();
  ASSERT_OK_AND_ASSIGN(const std::string onnx, ExportOnnx(bundle));
  ASSERT_OK_AND_ASSIGN(const std::unique_ptr<Predictor> predictor, Predictor::Create(bundle));
  const Table rows = RandomFeatureRows(bundle, 50, 3);
  EXPECT_EQ(CompareOnnx(onnx, *predictor, rows, 7)->rows_compared, 7);
  EXPECT_THAT(CompareOnnx(onnx, *predictor, {}, 7), HasReason(ErrorReason::kInvalidRequest));
  Table renamed = rows;
  renamed.columns[1].name = "height";
  const absl::Status missing = CompareOnnx(onnx, *predictor, renamed, 7).status();
  EXPECT_THAT(std::string(missing.message()), HasSubstr("column \"weight\""));
}

TEST(OnnxCheckTest, NoPartOfAFileIsTakenForAll) {
  const ModelCase c = CaseNamed("binary_text");
  ASSERT_OK_AND_ASSIGN(const std::string onnx, ExportOnnx(c.bundle));
  ASSERT_OK_AND_ASSIGN(const std::unique_ptr<Predictor> predictor, Predictor::Create(c.bundle));
  const Table rows = TextTable(c);
  const size_t graph_end = onnx.find("target_column");  // what follows is metadata
  ASSERT_NE(graph_end, std::string::npos);
  for (size_t size = 0; size < graph_end - 40; size += 13) {
    EXPECT_FALSE(CompareOnnx(onnx.substr(0, size), *predictor, rows, 2).ok()) << size;
  }
  const std::string other_opset = absl::StrReplaceAll(
      onnx, {{std::string("\x0a\x00\x10\x0d", 4), std::string("\x0a\x00\x10\x0c", 4)}});
  EXPECT_THAT(CompareOnnx(other_opset, *predictor, rows, 2), HasReason(ErrorReason::kDataLoss));
  const std::string other_operator = absl::StrReplaceAll(onnx, {{"Gemm", "Gemn"}});
  EXPECT_THAT(CompareOnnx(other_operator, *predictor, rows, 2), HasReason(ErrorReason::kDataLoss));
}

TEST(OnnxCheckTest, RandomRowsRepeat) {
  const Bundle bundle = CaseNamed("binary_adult").bundle;
  const Table a = RandomFeatureRows(bundle, 40, 5);
  const Table b = RandomFeatureRows(bundle, 40, 5);
  const Table other = RandomFeatureRows(bundle, 40, 6);
  ASSERT_EQ(a.columns.size(), bundle.feature_columns.size());
  EXPECT_TRUE(a.columns[1].codes == b.columns[1].codes);
  EXPECT_FALSE(a.columns[1].codes == other.columns[1].codes);
}

}  // namespace
}  // namespace trainyard
