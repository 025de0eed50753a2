#include "core/base/nearest.h"

#include "gtest/gtest.h"

namespace trainyard {
namespace {

TEST(NearestTest, EditDistanceCountsSingleEdits) {
  EXPECT_EQ(EditDistance("", "abc"), 3u);
  EXPECT_EQ(EditDistance("kitten", "sitting"), 3u);
  EXPECT_EQ(EditDistance("epochs", "epochs"), 0u);
}

TEST(NearestTest, FindsTheSlipAndRefusesTheGuess) {
  const std::vector<std::string> words = {"epochs", "batch_size", "seed"};
  EXPECT_EQ(Nearest("epoch", words), "epochs");
  EXPECT_EQ(Nearest("batchsize", words), "batch_size");
  EXPECT_EQ(Nearest("temperature", words), "");
  EXPECT_EQ(Nearest(std::string(100'000, 'e'), words), "");
}

}  // namespace
}  // namespace trainyard
