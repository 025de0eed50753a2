#include "core/model/npz_weights.h"

#include <string>
#include <utility>
#include <vector>

#include "core/base/error_info.h"
#include "tests/support/status_matchers.h"

namespace trainyard {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

// Values 1, 2, 3, … in row-major order.
NpzArray Counting(std::string name, std::vector<int64_t> shape) {
  NpzArray array{.name = std::move(name), .shape = std::move(shape)};
  int64_t size = 1;
  for (const int64_t side : array.shape) size *= side;
  for (int64_t i = 1; i <= size; ++i) array.values.push_back(static_cast<float>(i));
  return array;
}

// A network of 2 inputs, 3 hidden units and 1 output, its arrays named so.
std::vector<NpzArray> Network(const std::vector<std::string>& names) {
  return {Counting(names[0], {2, 3}), Counting(names[1], {3}), Counting(names[2], {3, 1}),
          Counting(names[3], {1})};
}

std::vector<FieldViolation> FaultsOf(const std::vector<NpzArray>& arrays) {
  const absl::Status status = LayersOfArrays(arrays).status();
  EXPECT_THAT(status, HasReason(ErrorReason::kInvalidRequest));
  return GetErrorInfo(status)->violations;
}

TEST(NpzWeightsTest, EveryWayToNameLayers) {
  const std::vector<std::vector<std::string>> ways = {
      {"layer0.weights", "layer0.biases", "layer1.weights", "layer1.biases"},
      {"W1", "b1", "W2", "b2"},
      {"w_0", "B_0", "w_1", "B_1"},
      {"weights_0", "biases_0", "weights_1", "biases_1"},
      {"weight3", "bias3", "weight10", "bias10"},
      {"coefs_0", "intercepts_0", "coefs_1", "intercepts_1"},
  };
  for (const std::vector<std::string>& names : ways) {
    SCOPED_TRACE(names[0]);
    std::vector<NpzArray> arrays = Network(names);
    std::swap(arrays[0], arrays[3]);  // the order in the file does not matter
    ASSERT_OK_AND_ASSIGN(const auto layers, LayersOfArrays(arrays));
    ASSERT_THAT(layers, SizeIs(2));
    EXPECT_EQ(layers[0].in, 2);
    EXPECT_EQ(layers[0].out, 3);
    EXPECT_THAT(layers[0].weights, ElementsAre(1, 2, 3, 4, 5, 6));
    EXPECT_THAT(layers[0].biases, ElementsAre(1, 2, 3));
    EXPECT_THAT(layers[1].weights, ElementsAre(1, 2, 3));
    EXPECT_THAT(layers[1].biases, ElementsAre(1));
  }
}

TEST(NpzWeightsTest, PyTorchsAreTransposed) {
  for (const std::string stem : {"", "net.", "fc"}) {
    ASSERT_OK_AND_ASSIGN(
        const auto layers,
        LayersOfArrays({Counting(stem + "0.weight", {3, 2}), Counting(stem + "0.bias", {3}),
                        Counting(stem + "2.weight", {1, 3}), Counting(stem + "2.bias", {1})}));
    ASSERT_THAT(layers, SizeIs(2));
    EXPECT_EQ(layers[0].in, 2);
    EXPECT_THAT(layers[0].weights, ElementsAre(1, 3, 5, 2, 4, 6));
    EXPECT_THAT(layers[1].weights, ElementsAre(1, 2, 3));
  }
}

TEST(NpzWeightsTest, BiasesMayBeLeftOutOrHaveAnAxisOfOne) {
  ASSERT_OK_AND_ASSIGN(
      const auto layers,
      LayersOfArrays({Counting("W1", {2, 3}), Counting("W2", {3, 2}), Counting("b2", {1, 2})}));
  EXPECT_THAT(layers[0].biases, IsEmpty());
  EXPECT_THAT(layers[1].biases, ElementsAre(1, 2));
}

struct FaultCase {
  std::vector<NpzArray> arrays;
  const char* place;
  const char* what;
};

TEST(NpzWeightsTest, EachFaultNamesItsArray) {
  const FaultCase cases[] = {
      {{}, "arrays", "there are none"},
      {{Counting("W1", {2, 3}), Counting("0.running_mean", {3})}, "0.running_mean", "not known"},
      {{Counting("kernel", {2, 3})}, "kernel", "layer0.weights"},
      {{Counting("out.weight", {2, 3})}, "out.weight", "not known"},
      {{Counting("b1", {3})}, "b1", "no weights beside it"},
      {{Counting("W1", {2, 3, 1})}, "W1", "[2, 3, 1]"},
      {{Counting("W1", {0, 3})}, "W1", "above 0"},
      {{Counting("W1", {2, 3}), Counting("b1", {2})}, "b1", "must be [3]"},
      {{Counting("W1", {2, 6}), Counting("b1", {2, 3})}, "b1", "must be [6]"},
      {{Counting("W1", {2, 3}), Counting("W2", {4, 1})}, "W2", "the layer before it gives 3"},
      {{Counting("W1", {2, 3}), Counting("W2", {1, 3})}, "W2", "transpose it"},
      {{Counting("W1", {2, 3}), Counting("w1", {2, 3})}, "w1", "\"W1\""},
      {{Counting("fc1.weight", {3, 2}), Counting("out2.weight", {1, 3})},
       "out2.weight",
       "last number only"},
  };
  for (const FaultCase& c : cases) {
    const std::vector<FieldViolation> faults = FaultsOf(c.arrays);
    ASSERT_THAT(faults, SizeIs(1)) << c.place;
    EXPECT_THAT(faults[0].field, HasSubstr(c.place));
    EXPECT_THAT(faults[0].description, HasSubstr(c.what));
  }
}

TEST(NpzWeightsTest, AllFaultsAtOnce) {
  const std::vector<FieldViolation> faults =
      FaultsOf({Counting("W1", {2, 3}), Counting("b1", {4}), Counting("W2", {5, 1}),
                Counting("b7", {1}), Counting("epoch", {1})});
  EXPECT_THAT(faults, SizeIs(4));
}

}  // namespace
}  // namespace trainyard
