#include "core/base/slices.h"

#include <algorithm>
#include <cstdint>
#include <vector>

#include "gtest/gtest.h"

namespace trainyard {
namespace {

// Runs the slices one after another, the last one first.
class FakeSlices : public Slices {
 public:
  explicit FakeSlices(int64_t count) : count_(count) {}
  int64_t count() const override { return count_; }
  void Run(void (*work)(void* context, int64_t slice), void* context) override {
    ++runs;
    for (int64_t slice = count_; slice-- > 0;) work(context, slice);
  }

  int64_t runs = 0;

 private:
  const int64_t count_;
};

TEST(SlicesTest, EveryElementIsSeenOnce) {
  for (const int64_t count : {1, 2, 3, 7}) {
    for (const int64_t elements : {0, 1, 100, 32'768, 40'003}) {
      for (const int64_t cost : {1, 1'000}) {
        FakeSlices slices(count);
        std::vector<int> seen(static_cast<size_t>(elements));
        ForSlices(
            &slices, elements,
            [&](int64_t begin, int64_t end) {
              for (int64_t i = begin; i < end; ++i) ++seen[static_cast<size_t>(i)];
            },
            cost);
        EXPECT_EQ(std::count(seen.begin(), seen.end(), 1), elements) << count << " " << cost;
        EXPECT_EQ(slices.runs, count > 1 && elements * cost >= kSlicedElementsMin ? 1 : 0);
      }
    }
  }
}

TEST(SlicesTest, SlicesMeetOnABorder) {
  FakeSlices slices(3);
  std::vector<int64_t> begins;
  ForSlices(&slices, 40'003, [&](int64_t begin, int64_t /*end*/) { begins.push_back(begin); });
  ASSERT_EQ(begins.size(), 3u);
  for (const int64_t begin : begins) EXPECT_EQ(begin % kSliceBorder, 0);
}

TEST(SlicesTest, WithoutSlicesTheCallerDoesItAll) {
  int64_t done = 0;
  ForSlices(nullptr, 1 << 20, [&](int64_t begin, int64_t end) { done += end - begin; });
  EXPECT_EQ(done, 1 << 20);
}

}  // namespace
}  // namespace trainyard
