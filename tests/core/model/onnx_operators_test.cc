// Each operator on numbers whose result the ONNX specification's formula gives by hand. That whole
// models come out as in ONNX Runtime is checked by tests/e2e/onnx and onnx_check_test.
#include "core/model/onnx_operators.h"

#include <cmath>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/status_matchers.h"

namespace trainyard {
namespace {

using testing::ElementsAre;
using testing::FloatNear;
using testing::Pointwise;

constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();

OnnxTensor Floats(std::vector<int64_t> shape, std::vector<float> values) {
  return {std::move(shape), std::move(values)};
}
OnnxTensor Integers(std::vector<int64_t> shape, std::vector<int64_t> values) {
  return {std::move(shape), std::move(values)};
}
OnnxTensor Texts(std::vector<int64_t> shape, std::vector<absl::string_view> values) {
  return {std::move(shape), std::move(values)};
}
OnnxTensor Truths(std::vector<int64_t> shape, std::vector<uint8_t> values) {
  return {std::move(shape), std::move(values)};
}

OnnxNode NodeOf(absl::string_view op, size_t inputs) {
  OnnxNode node{.op = op, .outputs = {"y"}};
  if (op == "LabelEncoder") node.domain = "ai.onnx.ml";
  node.inputs.resize(inputs, "x");
  return node;
}

absl::StatusOr<OnnxTensor> Result(const OnnxNode& node, const std::vector<OnnxTensor>& inputs) {
  const OnnxOperator* const op = FindOnnxOperator(node);
  if (op == nullptr) return absl::NotFoundError("no such operator");
  std::vector<const OnnxTensor*> pointers;
  for (const OnnxTensor& input : inputs) pointers.push_back(&input);
  OnnxBudget budget{.elements_max = 1000, .work = 10'000};
  return op->run(node, pointers, &budget);
}

absl::StatusOr<OnnxTensor> Result(absl::string_view op, const std::vector<OnnxTensor>& inputs) {
  return Result(NodeOf(op, inputs.size()), inputs);
}

std::vector<float> FloatsOf(const absl::StatusOr<OnnxTensor>& tensor) {
  EXPECT_THAT(tensor.status(), IsOk());
  return tensor.ok() ? std::get<std::vector<float>>(tensor->values) : std::vector<float>();
}
std::vector<int64_t> IntegersOf(const absl::StatusOr<OnnxTensor>& tensor) {
  EXPECT_THAT(tensor.status(), IsOk());
  return tensor.ok() ? std::get<std::vector<int64_t>>(tensor->values) : std::vector<int64_t>();
}

TEST(OnnxOperatorsTest, FunctionsOfOneNumber) {
  struct Case {
    absl::string_view op;
    std::vector<float> expected;  // of -2, 0, 0.5, 3
  };
  const Case cases[] = {
      {"Neg", {2, 0, -0.5F, -3}},
      {"Relu", {0, 0, 0.5F, 3}},
      {"Sigmoid", {0.119202922F, 0.5F, 0.622459331F, 0.952574127F}},
      {"Softplus", {0.126928011F, 0.693147181F, 0.974076984F, 3.048587352F}},
      {"Tanh", {-0.964027580F, 0, 0.462117157F, 0.995054754F}},
      {"Erf", {-0.995322265F, 0, 0.520499878F, 0.999977910F}},
      {"Exp", {0.135335283F, 1, 1.648721271F, 20.08553692F}},
      {"LeakyRelu", {-0.02F, 0, 0.5F, 3}},
      {"Elu", {-0.864664717F, 0, 0.5F, 3}},
      {"Selu", {-1.520166482F, 0, 0.525350519F, 3.152103027F}},
      {"HardSigmoid", {0.1F, 0.5F, 0.6F, 1}},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(std::string(c.op));
    const std::vector<float> y = FloatsOf(Result(c.op, {Floats({2, 2}, {-2, 0, 0.5F, 3})}));
    EXPECT_THAT(y, Pointwise(FloatNear(2e-6F), c.expected));
  }
  EXPECT_THAT(FloatsOf(Result("Softplus", {Floats({2}, {200, -200})})), ElementsAre(200, 0));
  EXPECT_THAT(FloatsOf(Result("Sqrt", {Floats({}, {2.25F})})), ElementsAre(1.5F));
  EXPECT_THAT(
      FloatsOf(Result("Clip", {Floats({3}, {-2, 0.5F, 3}), Floats({}, {-1}), Floats({}, {1})})),
      ElementsAre(-1, 0.5F, 1));
}

TEST(OnnxOperatorsTest, AttributesReplaceDefaults) {
  OnnxNode node = NodeOf("LeakyRelu", 1);
  node.attributes["alpha"].number = 0.5F;
  EXPECT_THAT(FloatsOf(Result(node, {Floats({2}, {-2, 2})})), ElementsAre(-1, 2));
  node = NodeOf("HardSigmoid", 1);
  node.attributes["alpha"].number = 1;
  node.attributes["beta"].number = 0;
  EXPECT_THAT(FloatsOf(Result(node, {Floats({2}, {0.25F, 2})})), ElementsAre(0.25F, 1));
}

TEST(OnnxOperatorsTest, ShapesMeetAsInNumpy) {
  const OnnxTensor column = Floats({2, 1}, {10, 20});
  const OnnxTensor row = Floats({3}, {1, 2, 3});
  const absl::StatusOr<OnnxTensor> sum = Result("Add", {column, row});
  EXPECT_THAT(FloatsOf(sum), ElementsAre(11, 12, 13, 21, 22, 23));
  EXPECT_THAT(sum->shape, ElementsAre(2, 3));
  EXPECT_THAT(FloatsOf(Result("Sub", {row, Floats({}, {1})})), ElementsAre(0, 1, 2));
  EXPECT_THAT(FloatsOf(Result("Mul", {Floats({2, 3}, {1, 2, 3, 4, 5, 6}), row})),
              ElementsAre(1, 4, 9, 4, 10, 18));
  EXPECT_THAT(FloatsOf(Result("Div", {row, Floats({1, 1}, {2})})), ElementsAre(0.5F, 1, 1.5F));
  const OnnxTensor whole = Floats({2, 2, 2}, {1, 2, 3, 4, 5, 6, 7, 8});
  EXPECT_THAT(FloatsOf(Result("Add", {whole, Floats({2, 1, 1}, {10, 20})})),
              ElementsAre(11, 12, 13, 14, 25, 26, 27, 28));
  EXPECT_THAT(Result("Add", {row, Floats({2}, {1, 2})}), HasReason(ErrorReason::kDataLoss));
  EXPECT_THAT(Result("Add", {row, Integers({3}, {1, 2, 3})}), HasReason(ErrorReason::kDataLoss));
}

TEST(OnnxOperatorsTest, ComparesAndChooses) {
  const OnnxTensor code = Integers({2, 1}, {1, -1});
  EXPECT_EQ(
      std::get<std::vector<uint8_t>>(Result("Equal", {code, Integers({3}, {0, 1, 2})})->values),
      (std::vector<uint8_t>{0, 1, 0, 0, 0, 0}));
  const OnnxTensor numbers = Floats({3}, {1, kNaN, -1});
  EXPECT_EQ(std::get<std::vector<uint8_t>>(Result("Greater", {numbers, Floats({}, {0})})->values),
            (std::vector<uint8_t>{1, 0, 0}));
  EXPECT_EQ(std::get<std::vector<uint8_t>>(Result("IsNaN", {numbers})->values),
            (std::vector<uint8_t>{0, 1, 0}));
  const OnnxTensor truths = Truths({3}, {0, 1, 0});
  EXPECT_THAT(FloatsOf(Result("Where", {truths, Floats({}, {7}), numbers})), ElementsAre(1, 7, -1));
  EXPECT_THAT(IntegersOf(Result("Where", {truths, Integers({1}, {-1}), Integers({3}, {4, 5, 6})})),
              ElementsAre(4, -1, 6));
  EXPECT_THAT(std::get<std::vector<absl::string_view>>(
                  Result("Where", {truths, Texts({1}, {""}), Texts({3}, {"a", "b", "c"})})->values),
              ElementsAre("a", "", "c"));
}

TEST(OnnxOperatorsTest, Casts) {
  OnnxNode node = NodeOf("Cast", 1);
  node.attributes["to"].integer = static_cast<int64_t>(OnnxType::kDouble);
  const absl::StatusOr<OnnxTensor> wide = Result(node, {Floats({1}, {0.1F})});
  EXPECT_EQ(std::get<std::vector<double>>(wide->values)[0], 0.10000000149011612);
  node.attributes["to"].integer = static_cast<int64_t>(OnnxType::kFloat);
  EXPECT_THAT(FloatsOf(Result(node, {OnnxTensor{{1}, std::vector<double>{1.0 / 3}}})),
              ElementsAre(1.0F / 3));
  EXPECT_THAT(FloatsOf(Result(node, {Truths({2}, {0, 1})})), ElementsAre(0, 1));
  node.attributes["to"].integer = static_cast<int64_t>(OnnxType::kInt64);
  EXPECT_THAT(IntegersOf(Result(node, {Truths({2}, {0, 1})})), ElementsAre(0, 1));
  EXPECT_THAT(Result(node, {Floats({1}, {1e30F})}), HasReason(ErrorReason::kDataLoss));
}

TEST(OnnxOperatorsTest, AffineAndNormalised) {
  const OnnxTensor x = Floats({2, 2}, {1, 2, 3, 4});
  const OnnxTensor weights = Floats({2, 3}, {1, 0, -1, 0.5F, 2, 1});
  EXPECT_THAT(FloatsOf(Result("Gemm", {x, weights})), ElementsAre(2, 4, 1, 5, 8, 1));
  EXPECT_THAT(FloatsOf(Result("Gemm", {x, weights, Floats({3}, {1, 2, 3})})),
              ElementsAre(3, 6, 4, 6, 10, 4));
  EXPECT_THAT(Result("Gemm", {x, Floats({3, 2}, {1, 2, 3, 4, 5, 6})}),
              HasReason(ErrorReason::kDataLoss));
  EXPECT_THAT(Result("Gemm", {x, weights, Floats({2}, {1, 2})}), HasReason(ErrorReason::kDataLoss));
  OnnxNode transposed = NodeOf("Gemm", 2);
  transposed.attributes["transB"].integer = 1;
  EXPECT_THAT(Result(transposed, {x, weights}), HasReason(ErrorReason::kDataLoss));
  OnnxNode node = NodeOf("BatchNormalization", 5);
  node.attributes["epsilon"].number = 0.25F;
  EXPECT_THAT(FloatsOf(Result(node, {x, Floats({2}, {2, 1}), Floats({2}, {0, 10}),
                                     Floats({2}, {1, 2}), Floats({2}, {0, 3.75F})})),
              ElementsAre(0, 10, 8, 11));
}

TEST(OnnxOperatorsTest, Reductions) {
  const OnnxTensor x = Floats({2, 3}, {1, 5, 3, 4, 4, 1});
  OnnxNode mean = NodeOf("ReduceMean", 1);
  EXPECT_THAT(Result(mean, {x}), HasReason(ErrorReason::kDataLoss));
  mean.attributes["axes"].integers = {1};
  EXPECT_THAT(FloatsOf(Result(mean, {x})), ElementsAre(3, 3));
  EXPECT_THAT(Result(mean, {x})->shape, ElementsAre(2, 1));
  mean.attributes["keepdims"].integer = 0;
  EXPECT_THAT(Result(mean, {x})->shape, ElementsAre(2));
  OnnxNode largest = NodeOf("ArgMax", 1);
  largest.attributes["axis"].integer = 1;
  EXPECT_THAT(IntegersOf(Result(largest, {x})), ElementsAre(1, 0));
  const std::vector<float> shares =
      FloatsOf(Result("Softmax", {Floats({2, 2}, {1000, 1000, 0, std::log(3.0F)})}));
  EXPECT_THAT(shares, Pointwise(FloatNear(1e-6F), {0.5F, 0.5F, 0.25F, 0.75F}));
}

TEST(OnnxOperatorsTest, JoinsAndPicks) {
  OnnxNode node = NodeOf("Concat", 2);
  node.attributes["axis"].integer = 1;
  const OnnxTensor x = Floats({2, 2}, {1, 2, 3, 4});
  const absl::StatusOr<OnnxTensor> joined = Result(node, {x, Floats({2, 1}, {8, 9})});
  EXPECT_THAT(FloatsOf(joined), ElementsAre(1, 2, 8, 3, 4, 9));
  EXPECT_THAT(joined->shape, ElementsAre(2, 3));
  EXPECT_THAT(Result(node, {x, Floats({1, 2}, {8, 9})}), HasReason(ErrorReason::kDataLoss));
  OnnxNode pick = NodeOf("Gather", 2);
  EXPECT_THAT(std::get<std::vector<absl::string_view>>(
                  Result(pick, {Texts({2}, {"a", "b"}), Integers({3}, {1, 0, 1})})->values),
              ElementsAre("b", "a", "b"));
  EXPECT_THAT(Result(pick, {Texts({2}, {"a", "b"}), Integers({1}, {2})}),
              HasReason(ErrorReason::kDataLoss));
  pick.attributes["axis"].integer = 1;
  EXPECT_THAT(FloatsOf(Result(pick, {*joined, Integers({2}, {2, 0})})), ElementsAre(8, 1, 9, 3));
}

TEST(OnnxOperatorsTest, LooksUp) {
  OnnxNode node = NodeOf("LabelEncoder", 1);
  node.attributes["keys_strings"].texts = {"a", "b", "a"};
  node.attributes["values_int64s"].integers = {5, 6, 7};
  const OnnxTensor cells = Texts({4, 1}, {"b", "a", "", "A"});
  EXPECT_THAT(IntegersOf(Result(node, {cells})), ElementsAre(6, 5, -1, -1));
  node.attributes["default_int64"].integer = 9;
  EXPECT_THAT(IntegersOf(Result(node, {cells})), ElementsAre(6, 5, 9, 9));
  EXPECT_THAT(Result(node, {cells})->shape, ElementsAre(4, 1));
  node.attributes["values_int64s"].integers.pop_back();
  EXPECT_THAT(Result(node, {cells}), HasReason(ErrorReason::kDataLoss));
  OnnxNode numbers = NodeOf("LabelEncoder", 1);
  numbers.attributes["keys_floats"].floats = {0, 0.1F};
  numbers.attributes["values_floats"].floats = {-1, -2};
  numbers.attributes["default_float"].number = 4;
  EXPECT_THAT(FloatsOf(Result(numbers, {Floats({4}, {0.1F, -0.0F, kNaN, 3})})),
              ElementsAre(-2, -1, 4, 4));
}

TEST(OnnxOperatorsTest, WhatIsTooMuchIsRefused) {
  const OnnxTensor column = Floats({40, 1}, std::vector<float>(40));
  EXPECT_THAT(Result("Add", {column, Floats({40}, std::vector<float>(40))}),
              HasReason(ErrorReason::kTooLarge));
  const OnnxTensor square = Floats({30, 30}, std::vector<float>(900));
  EXPECT_THAT(Result("Gemm", {square, square}), HasReason(ErrorReason::kTooLarge));
}

TEST(OnnxOperatorsTest, WhatIsNotKnownIsNotFound) {
  EXPECT_EQ(FindOnnxOperator(NodeOf("Conv", 2)), nullptr);
  EXPECT_EQ(FindOnnxOperator(NodeOf("Relu", 2)), nullptr);
  OnnxNode node = NodeOf("Relu", 1);
  EXPECT_NE(FindOnnxOperator(node), nullptr);
  node.domain = "ai.onnx.ml";
  EXPECT_EQ(FindOnnxOperator(node), nullptr);
}

}  // namespace
}  // namespace trainyard
