#include "core/nn/parameters.h"

#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace trainyard {
namespace {

using testing::ElementsAre;

MlpConfig Mixed() {
  return {.features = 3,
          .layers = {{.units = 5, .bias = false, .normalization = Normalization::kBatch},
                     {.units = 7},
                     {.units = 7, .normalization = Normalization::kLayer, .residual = true}},
          .outputs = 2,
          .output_bias = false};
}

TEST(ParametersTest, KindsFollowEachOtherLayerByLayer) {
  std::vector<std::string> names;
  for (const ParameterTensor& tensor : LayOut(Mixed())) names.push_back(tensor.name);
  EXPECT_THAT(names, ElementsAre("layers[0] weights", "layers[1] weights", "layers[2] weights",
                                 "output weights", "layers[1] biases", "layers[2] biases",
                                 "layers[0] gains", "layers[2] gains", "layers[0] shifts",
                                 "layers[2] shifts"));
}

TEST(ParametersTest, TensorsStandOnCacheLinesAndDoNotOverlap) {
  const ParameterTensors tensors = LayOut(Mixed());
  int64_t end = 0, count = 0;
  for (const ParameterTensor& tensor : tensors) {
    EXPECT_EQ(tensor.begin % 16, 0) << tensor.name;
    EXPECT_GE(tensor.begin, end) << tensor.name;
    EXPECT_LT(tensor.begin - end, 16) << tensor.name;
    EXPECT_EQ(tensor.hidden, tensor.name != "output weights");
    end = tensor.begin + tensor.size();
    count += tensor.size();
  }
  EXPECT_EQ(count, ParameterCount(Mixed()));
  EXPECT_EQ(ArenaSizeOf(tensors), (end + 15) / 16 * 16);
  EXPECT_EQ(WeightCountOf(tensors), tensors[4].begin);
  EXPECT_EQ(tensors[2].rows, 7);
  EXPECT_EQ(tensors[2].layer, 2);
}

TEST(ParametersTest, WithoutBiasesEverythingIsWeights) {
  const ParameterTensors tensors = LayOut({.features = 3, .outputs = 2, .output_bias = false});
  EXPECT_EQ(WeightCountOf(tensors), 16);
  EXPECT_EQ(ArenaSizeOf(tensors), 16);
}

}  // namespace
}  // namespace trainyard
