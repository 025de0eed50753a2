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

void ExpectSameLayer(const LayerWeights& a, const LayerWeights& b) {
  EXPECT_EQ(a.in, b.in);
  EXPECT_EQ(a.out, b.out);
  EXPECT_EQ(a.activation, b.activation);
  EXPECT_EQ(a.alpha, b.alpha);
  EXPECT_EQ(a.normalization, b.normalization);
  EXPECT_EQ(a.residual, b.residual);
  EXPECT_EQ(a.weights, b.weights);
  EXPECT_EQ(a.biases, b.biases);
  EXPECT_EQ(a.gains, b.gains);
  EXPECT_EQ(a.shifts, b.shifts);
  EXPECT_EQ(a.running_means, b.running_means);
  EXPECT_EQ(a.running_variances, b.running_variances);
}

void ExpectSame(const Bundle& a, const Bundle& b) {
  EXPECT_EQ(a.task, b.task);
  EXPECT_EQ(a.loss.kind, b.loss.kind);
  EXPECT_EQ(a.loss.label_smoothing, b.loss.label_smoothing);
  EXPECT_EQ(a.loss.class_weights, b.loss.class_weights);
  EXPECT_EQ(a.loss.delta, b.loss.delta);
  EXPECT_EQ(a.loss.quantile, b.loss.quantile);
  EXPECT_EQ(a.loss.target_offset, b.loss.target_offset);
  EXPECT_EQ(a.loss.target_scale, b.loss.target_scale);
  EXPECT_EQ(a.target_column, b.target_column);
  EXPECT_EQ(a.feature_columns, b.feature_columns);
  EXPECT_EQ(a.classes, b.classes);
  EXPECT_TRUE(a.preprocessor == b.preprocessor);
  EXPECT_EQ(a.provenance, b.provenance);
  EXPECT_EQ(a.parameter_count(), b.parameter_count());
  ASSERT_EQ(a.weights.size(), b.weights.size());
  for (size_t i = 0; i < a.weights.size(); ++i) ExpectSameLayer(a.weights[i], b.weights[i]);
}

std::string Golden(absl::string_view name) {
  return ReadFileForTest(absl::StrCat(TY_SOURCE_DIR, "/tests/golden/", name));
}

TEST(BundleTest, DecodeOfEncodeIsTheSameModel) {
  std::vector<Bundle> bundles = {SmallBundle(), RichBundle(), ColumnsBundle()};
  for (const Task task : {Task::kBinary, Task::kMulticlass, Task::kRegression, Task::kMultilabel}) {
    const int64_t classes = task == Task::kBinary ? 2 : 5;
    bundles.push_back(RandomBundle(task, 4, {7, 3}, Activation::kLeakyRelu, classes, 1));
  }
  bundles.back().classes = {"one", "two", "three", "four", "five"};
  bundles[5].loss = {.kind = LossKind::kHuber, .delta = 2.5};
  for (const Bundle& bundle : bundles) {
    ASSERT_OK_AND_ASSIGN(const Bundle back, DecodeBundle(EncodeBundle(bundle)));
    ExpectSame(back, bundle);
    EXPECT_EQ(EncodeBundle(back), EncodeBundle(bundle));
  }
}

TEST(BundleTest, ParametersAreCounted) {
  EXPECT_EQ(SmallBundle().parameter_count(), 6 + 3 + 3 + 1);
  EXPECT_EQ(RichBundle().parameter_count(), 6 + 3 + 3 + 9 + 3 + 3 + 3 + 9);
}

TEST(BundleTest, ProvenanceIsWrittenSorted) {
  Bundle bundle = SmallBundle();
  std::swap(bundle.provenance[0], bundle.provenance[1]);
  EXPECT_EQ(EncodeBundle(bundle), EncodeBundle(SmallBundle()));
}

TEST(BundleTest, VersionOneFilesAreReadForever) {
  ASSERT_OK_AND_ASSIGN(const Bundle bundle, DecodeBundle(Golden("bundle_v1.bin")));
  ExpectSame(bundle, SmallBundle());
}

TEST(BundleTest, VersionTwoFilesAreReadForever) {
  const std::string golden = Golden("bundle_v2.bin");
  ASSERT_OK_AND_ASSIGN(const Bundle bundle, DecodeBundle(golden));
  ExpectSame(bundle, RichBundle());
}

TEST(BundleTest, VersionThreeFilesAreReadForeverAndWrittenTheSame) {
  const std::string golden = Golden("bundle_v3.bin");
  ASSERT_OK_AND_ASSIGN(const Bundle bundle, DecodeBundle(golden));
  ExpectSame(bundle, ColumnsBundle());
  EXPECT_EQ(EncodeBundle(ColumnsBundle()), golden);
}

TEST(BundleTest, EveryFlippedByteIsNoticed) {
  for (const std::string& bytes :
       {Golden("bundle_v1.bin"), EncodeBundle(RichBundle()), EncodeBundle(ColumnsBundle())}) {
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
}

TEST(BundleTest, EveryTruncationAndAnExtraByteIsDataLoss) {
  const std::string bytes = EncodeBundle(ColumnsBundle());
  for (size_t size = 0; size < bytes.size(); ++size) {
    ASSERT_THAT(DecodeBundle(absl::string_view(bytes).substr(0, size)),
                StatusIs(absl::StatusCode::kDataLoss, HasSubstr("damaged")));
  }
  EXPECT_THAT(DecodeBundle(bytes + "x"), StatusIs(absl::StatusCode::kDataLoss, HasSubstr("after")));
}

TEST(BundleTest, ANewerVersionIsRefusedWithBothNumbers) {
  std::string bytes = EncodeBundle(SmallBundle());
  bytes[8] = 4;
  EXPECT_THAT(DecodeBundle(bytes), StatusIs(absl::StatusCode::kFailedPrecondition,
                                            HasSubstr("version 4; this build reads up to 3")));
}

struct Misfit {
  const char* name;
  void (*change)(Bundle*);
};

constexpr Misfit kMisfits[] = {
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
    {"unknown activation", [](Bundle* b) { b->weights[0].activation = Activation{99}; }},
    {"layers in the wrong order", [](Bundle* b) { std::swap(b->weights[0], b->weights[1]); }},
    {"outputs without classes",
     [](Bundle* b) {
       b->task = Task::kMulticlass;
       b->loss.kind = LossKind::kSoftmaxCrossEntropy;
       b->classes = {"a", "b", "c"};
     }},
    {"a loss of another task", [](Bundle* b) { b->loss.kind = LossKind::kHuber; }},
    {"unknown loss", [](Bundle* b) { b->loss.kind = LossKind{200}; }},
    {"smoothing without softmax", [](Bundle* b) { b->loss.label_smoothing = 0.1; }},
    {"delta of zero", [](Bundle* b) { b->loss.delta = 0; }},
    {"quantile not a number", [](Bundle* b) { b->loss.quantile = NAN; }},
    {"class weights of other classes", [](Bundle* b) { b->loss.class_weights = {1}; }},
    {"negative class weight",
     [](Bundle* b) {
       b->loss.class_weights = {1, -1};
     }},
    {"target scale in a classification", [](Bundle* b) { b->loss.target_scale = 2; }},
    {"an impossible transform",
     [](Bundle* b) {
       b->preprocessor = Preprocessor(
           std::vector<ColumnTransform>{{}, {.encoding = Encoding::kHashing, .buckets = 1}});
     }},
    {"a feature more than inputs",
     [](Bundle* b) {
       b->preprocessor =
           Preprocessor(std::vector<ColumnTransform>{{}, {.fill = 0, .missing_indicator = true}});
     }},
    {"alpha without use", [](Bundle* b) { b->weights[0].alpha = 1; }},
    {"alpha not a number",
     [](Bundle* b) {
       b->weights[0].activation = Activation::kElu;
       b->weights[0].alpha = NAN;
     }},
    {"unknown normalisation",
     [](Bundle* b) { b->weights[0].normalization = Normalization::kUnspecified; }},
    {"normalised output", [](Bundle* b) { Normalise(Normalization::kLayer, 1, &b->weights[1]); }},
    {"gain not finite",
     [](Bundle* b) {
       Normalise(Normalization::kLayer, 1, &b->weights[0]);
       b->weights[0].gains[1] = INFINITY;
     }},
    {"negative variance",
     [](Bundle* b) {
       Normalise(Normalization::kBatch, 1, &b->weights[0]);
       b->weights[0].running_variances[2] = -1;
     }},
    {"residual between other widths", [](Bundle* b) { b->weights[0].residual = true; }},
    {"labels with a target",
     [](Bundle* b) {
       b->task = Task::kMultilabel;
       b->classes = {"a"};
     }},
};

// Bundles whose parts do not fit each other are never taken, though their checksums are right.
TEST(BundleTest, PartsThatDoNotFitAreDataLoss) {
  for (const Misfit& misfit : kMisfits) {
    SCOPED_TRACE(misfit.name);
    Bundle bundle = SmallBundle();
    misfit.change(&bundle);
    EXPECT_EQ(CheckBundle(bundle).code(), absl::StatusCode::kDataLoss);
    EXPECT_EQ(DecodeBundle(EncodeBundle(bundle)).status().code(), absl::StatusCode::kDataLoss);
  }
}

TEST(BundleTest, ATargetScaleThatIsImpossibleIsDataLoss) {
  void (*const changes[])(LossConfig*) = {
      [](LossConfig* loss) { loss->target_scale = 0; },
      [](LossConfig* loss) { loss->target_scale = -1; },
      [](LossConfig* loss) { loss->target_scale = NAN; },
      [](LossConfig* loss) { loss->target_offset = INFINITY; },
      [](LossConfig* loss) { loss->kind = LossKind::kPoisson; },
  };
  for (const auto change : changes) {
    Bundle bundle = ColumnsBundle();
    change(&bundle.loss);
    EXPECT_EQ(CheckBundle(bundle).code(), absl::StatusCode::kDataLoss);
  }
}

// Each payload byte changed and the checksum of its section made right again.
void ExpectNoByteCanCrashTheReader(const std::string& bytes) {
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
        EXPECT_TRUE(!bundle.ok() || EncodeBundle(*bundle) == changed);
      }
    }
    section += 16 + size;
  }
}

TEST(BundleTest, NoPayloadByteCanCrashTheReader) {
  ExpectNoByteCanCrashTheReader(EncodeBundle(RichBundle()));
  ExpectNoByteCanCrashTheReader(EncodeBundle(ColumnsBundle()));
}

TEST(BundleTest, MoreClassesThanTheLimitIsTooLarge) {
  Bundle bundle = SmallBundle();
  bundle.classes.assign(limits::kClassesMax + 1, "x");
  EXPECT_THAT(CheckBundle(bundle), HasReason(ErrorReason::kTooLarge));
}

}  // namespace
}  // namespace trainyard
