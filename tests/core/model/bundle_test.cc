#include "core/model/bundle.h"

#include <cmath>
#include <cstring>
#include <limits>
#include <string>

#include "absl/strings/str_cat.h"
#include "core/base/crc32c.h"
#include "core/base/limits.h"
#include "tests/support/data_builders.h"
#include "tests/support/status_matchers.h"

namespace trainyard {
namespace {

using testing::HasSubstr;

TEST(BundleTest, DecodeOfEncodeIsTheSameModel) {
  for (const Task task : {Task::kBinary, Task::kMulticlass, Task::kRegression}) {
    const int64_t classes = task == Task::kBinary ? 2 : 5;
    const Bundle bundle = RandomBundle(task, 4, {7, 3}, Activation::kRelu, classes, 1);
    ASSERT_OK_AND_ASSIGN(const Bundle back, DecodeBundle(EncodeBundle(bundle)));
    EXPECT_EQ(back.task, bundle.task);
    EXPECT_EQ(back.target_column, bundle.target_column);
    EXPECT_EQ(back.feature_columns, bundle.feature_columns);
    EXPECT_EQ(back.classes, bundle.classes);
    EXPECT_EQ(back.preprocessor.offsets(), bundle.preprocessor.offsets());
    EXPECT_EQ(back.preprocessor.scales(), bundle.preprocessor.scales());
    EXPECT_EQ(back.provenance, bundle.provenance);
    ASSERT_EQ(back.weights.size(), bundle.weights.size());
    for (size_t i = 0; i < back.weights.size(); ++i) {
      EXPECT_EQ(back.weights[i].weights, bundle.weights[i].weights);
      EXPECT_EQ(back.weights[i].biases, bundle.weights[i].biases);
      EXPECT_EQ(back.weights[i].activation, bundle.weights[i].activation);
    }
    EXPECT_EQ(back.parameter_count(), bundle.parameter_count());
    EXPECT_EQ(EncodeBundle(back), EncodeBundle(bundle));
  }
}

TEST(BundleTest, ParametersAreCounted) {
  EXPECT_EQ(SmallBundle().parameter_count(), 6 + 3 + 3 + 1);
}

TEST(BundleTest, ProvenanceIsWrittenSorted) {
  Bundle bundle = SmallBundle();
  std::swap(bundle.provenance[0], bundle.provenance[1]);
  EXPECT_EQ(EncodeBundle(bundle), EncodeBundle(SmallBundle()));
}

TEST(BundleTest, VersionOneFilesAreReadForever) {
  const std::string golden =
      ReadFileForTest(absl::StrCat(TY_SOURCE_DIR, "/tests/golden/bundle_v1.bin"));
  ASSERT_OK_AND_ASSIGN(const Bundle bundle, DecodeBundle(golden));
  EXPECT_EQ(bundle.weights[0].weights[5], -0.75f);
  EXPECT_EQ(EncodeBundle(bundle), golden);
  EXPECT_EQ(EncodeBundle(SmallBundle()), golden);
}

TEST(BundleTest, EveryFlippedByteIsNoticed) {
  const std::string bytes = EncodeBundle(SmallBundle());
  for (size_t i = 0; i < bytes.size(); ++i) {
    for (const int flip : {1, 128, 255}) {
      std::string damaged = bytes;
      damaged[i] = static_cast<char>(damaged[i] ^ flip);
      const absl::StatusOr<Bundle> bundle = DecodeBundle(damaged);
      ASSERT_FALSE(bundle.ok()) << "byte " << i;
      ASSERT_TRUE(GetErrorInfo(bundle.status()).has_value());
    }
  }
}

TEST(BundleTest, EveryTruncationAndAnExtraByteIsDataLoss) {
  const std::string bytes = EncodeBundle(SmallBundle());
  for (size_t size = 0; size < bytes.size(); ++size) {
    ASSERT_THAT(DecodeBundle(absl::string_view(bytes).substr(0, size)),
                StatusIs(absl::StatusCode::kDataLoss, HasSubstr("damaged")));
  }
  EXPECT_THAT(DecodeBundle(bytes + "x"), StatusIs(absl::StatusCode::kDataLoss, HasSubstr("after")));
}

TEST(BundleTest, ANewerVersionIsRefusedWithBothNumbers) {
  std::string bytes = EncodeBundle(SmallBundle());
  bytes[8] = 2;
  EXPECT_THAT(DecodeBundle(bytes), StatusIs(absl::StatusCode::kFailedPrecondition,
                                            HasSubstr("version 2; this build reads up to 1")));
}

// Bundles whose parts do not fit each other are never taken, though their checksums are right.
TEST(BundleTest, PartsThatDoNotFitAreDataLoss) {
  struct Case {
    const char* name;
    void (*change)(Bundle*);
  };
  const Case cases[] = {
      {"no task", [](Bundle* b) { b->task = Task::kUnspecified; }},
      {"one class", [](Bundle* b) { b->classes = {"a"}; }},
      {"class twice",
       [](Bundle* b) {
         b->classes = {"a", "a"};
       }},
      {"classes in a regression", [](Bundle* b) { b->task = Task::kRegression; }},
      {"a feature more", [](Bundle* b) { b->feature_columns.push_back("z"); }},
      {"feature twice", [](Bundle* b) { b->feature_columns[1] = "size"; }},
      {"infinite scale",
       [](Bundle* b) {
         b->preprocessor = Preprocessor({0, 0}, {1, INFINITY});
       }},
      {"weight not a number", [](Bundle* b) { b->weights[0].weights[0] = NAN; }},
      {"bias not finite", [](Bundle* b) { b->weights[1].biases[0] = INFINITY; }},
      {"no layers", [](Bundle* b) { b->weights.clear(); }},
      {"activation at the end", [](Bundle* b) { b->weights[1].activation = Activation::kRelu; }},
      {"unknown activation", [](Bundle* b) { b->weights[0].activation = Activation{9}; }},
      {"layers in the wrong order", [](Bundle* b) { std::swap(b->weights[0], b->weights[1]); }},
      {"outputs without classes",
       [](Bundle* b) {
         b->task = Task::kMulticlass;
         b->classes = {"a", "b", "c"};
       }},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.name);
    Bundle bundle = SmallBundle();
    c.change(&bundle);
    EXPECT_EQ(CheckBundle(bundle).code(), absl::StatusCode::kDataLoss);
    EXPECT_EQ(DecodeBundle(EncodeBundle(bundle)).status().code(), absl::StatusCode::kDataLoss);
  }
}

// Each payload byte changed and the checksum of its section made right again.
TEST(BundleTest, NoPayloadByteCanCrashTheReader) {
  const std::string bytes = EncodeBundle(SmallBundle());
  size_t section = 16;
  while (section < bytes.size()) {
    uint64_t size = 0;
    std::memcpy(&size, bytes.data() + section + 4, sizeof size);
    for (size_t i = section + 16; i < section + 16 + size; ++i) {
      for (const int value : {0, 1, 3, 127, 255}) {
        std::string changed = bytes;
        changed[i] = static_cast<char>(value);
        const uint32_t crc = crc32c::Value(absl::string_view(changed).substr(section + 16, size));
        std::memcpy(changed.data() + section + 12, &crc, sizeof crc);
        const absl::StatusOr<Bundle> bundle = DecodeBundle(changed);
        EXPECT_TRUE(!bundle.ok() || CheckBundle(*bundle).ok());
      }
    }
    section += 16 + size;
  }
}

TEST(BundleTest, MoreClassesThanTheLimitIsTooLarge) {
  Bundle bundle = SmallBundle();
  bundle.classes.assign(limits::kClassesMax + 1, "x");
  EXPECT_THAT(CheckBundle(bundle), HasReason(ErrorReason::kTooLarge));
}

}  // namespace
}  // namespace trainyard
