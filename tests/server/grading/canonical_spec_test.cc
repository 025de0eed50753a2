#include "server/grading/canonical_spec.h"

#include <bit>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <limits>

#include "core/base/rng.h"
#include "google/protobuf/descriptor.h"
#include "google/protobuf/util/message_differencer.h"
#include "server/wire/convert.h"
#include "tests/support/status_matchers.h"

namespace trainyard {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

// By the C library.
double ByPrintf(double value) {
  char text[64];
  std::snprintf(text, sizeof(text), "%.3e", value);
  return std::strtod(text, nullptr);
}

TEST(CanonicalSpecTest, NumbersHaveFourDigits) {
  EXPECT_EQ(CanonicalNumber(0.00100001), 0.001);
  EXPECT_EQ(CanonicalNumber(0.12345), ByPrintf(0.12345));
  EXPECT_EQ(CanonicalNumber(-99999.0), -100000.0);
  EXPECT_EQ(CanonicalNumber(5e-324), 5e-324);
  EXPECT_EQ(CanonicalNumber(INFINITY), INFINITY);
  EXPECT_TRUE(std::isnan(CanonicalNumber(NAN)));
  EXPECT_FALSE(std::signbit(CanonicalNumber(-0.0)));
  const double most = std::numeric_limits<double>::max();
  EXPECT_EQ(CanonicalNumber(most), most);
  Rng rng(1, RngStream::kAnalysis);
  for (int i = 0; i < 50000; ++i) {
    const auto value = std::bit_cast<double>(rng.Next64());
    if (!std::isfinite(value) || std::fabs(value) > 1.797e308) continue;
    const double rounded = CanonicalNumber(value);
    ASSERT_EQ(rounded, ByPrintf(value) + 0.0) << value;
    ASSERT_EQ(CanonicalNumber(rounded), rounded) << value;
  }
}

// Every field of every message set to something random, at most three of what is repeated.
class RandomSpec {
 public:
  explicit RandomSpec(uint64_t seed) : rng_(seed, RngStream::kAnalysis) {}

  void Fill(Message* message) {
    const auto* type = message->GetDescriptor();
    for (int i = 0; i < type->field_count(); ++i) {
      if (rng_.Below(3) == 0) continue;
      FillField(*type->field(i), message);
    }
  }

 private:
  void FillField(const FieldDescriptor& field, Message* message) {
    const uint64_t count = field.is_repeated() ? rng_.Below(4) : 1;
    for (uint64_t i = 0; i < count; ++i) Add(field, message);
  }

  std::string Text() { return std::string(1, static_cast<char>('a' + rng_.Below(5))); }

  void Add(const FieldDescriptor& field, Message* message) {
    const auto& r = *message->GetReflection();
    const bool many = field.is_repeated();
    switch (field.cpp_type()) {
      case FieldDescriptor::CPPTYPE_DOUBLE: {
        const double v = std::bit_cast<double>(rng_.Next64());
        many ? r.AddDouble(message, &field, v) : r.SetDouble(message, &field, v);
        break;
      }
      case FieldDescriptor::CPPTYPE_FLOAT: {
        const float v = std::bit_cast<float>(static_cast<uint32_t>(rng_.Next64()));
        many ? r.AddFloat(message, &field, v) : r.SetFloat(message, &field, v);
        break;
      }
      case FieldDescriptor::CPPTYPE_STRING:
        many ? r.AddString(message, &field, Text()) : r.SetString(message, &field, Text());
        break;
      case FieldDescriptor::CPPTYPE_MESSAGE:
        Fill(many ? r.AddMessage(message, &field) : r.MutableMessage(message, &field));
        break;
      case FieldDescriptor::CPPTYPE_INT32:
        r.SetInt32(message, &field, static_cast<int32_t>(rng_.Below(100)));
        break;
      case FieldDescriptor::CPPTYPE_ENUM:
        r.SetEnumValue(message, &field, static_cast<int>(rng_.Below(3)));
        break;
      case FieldDescriptor::CPPTYPE_BOOL:
        r.SetBool(message, &field, rng_.Below(2) == 0);
        break;
      case FieldDescriptor::CPPTYPE_UINT64:
        r.SetUInt64(message, &field, rng_.Next64());
        break;
      default: {
        const auto v = static_cast<int64_t>(rng_.Below(100));
        many ? r.AddInt64(message, &field, v) : r.SetInt64(message, &field, v);
      }
    }
  }

  Rng rng_;
};

TEST(CanonicalSpecTest, IsIdempotentForAnySpec) {
  for (uint64_t seed = 0; seed < 1000; ++seed) {
    v1::TrainingSpec spec, assignment;
    RandomSpec(2 * seed).Fill(&spec);
    RandomSpec(2 * seed + 1).Fill(&assignment);
    const v1::TrainingSpec once = CanonicalSpec(spec, assignment);
    const v1::TrainingSpec twice = CanonicalSpec(once, assignment);
    ASSERT_EQ(MessageBytes(once), MessageBytes(twice)) << seed;
    ASSERT_FALSE(once.has_seed());
  }
}

v1::TrainingSpec Spec() {
  v1::TrainingSpec spec;
  spec.add_feature_columns("b");
  spec.add_feature_columns("a");
  spec.add_layers()->set_units(7);
  spec.mutable_layers(0)->set_dropout(0.25);
  spec.mutable_optimizer()->set_learning_rate(0.001);
  (*spec.mutable_loss_options()->mutable_class_weights())["x"] = 2;
  spec.add_feature_options()->set_column("b");
  spec.add_feature_options()->set_column("a");
  spec.set_epochs(50);
  return spec;
}

TEST(CanonicalSpecTest, WhatMeansNothingChangesNothing) {
  const std::string digest = SpecDigest(CanonicalSpec(Spec(), {}));
  v1::TrainingSpec varied = Spec();
  varied.mutable_feature_columns()->SwapElements(0, 1);
  varied.mutable_feature_options()->SwapElements(0, 1);
  varied.mutable_optimizer()->set_learning_rate(0.00100001);
  varied.mutable_layers(0)->set_dropout(0.2500004);
  (*varied.mutable_loss_options()->mutable_class_weights())["x"] = 2.0001;
  varied.set_seed(1234);
  varied.set_threads(3);
  varied.mutable_max_runtime()->set_seconds(9);
  varied.set_max_memory_bytes(1 << 30);
  varied.set_step_event_interval(17);
  varied.set_layer_records(v1::LAYER_RECORDS_HISTOGRAMS);
  varied.add_metrics("roc_auc");
  EXPECT_EQ(SpecDigest(CanonicalSpec(varied, {})), digest);
}

TEST(CanonicalSpecTest, WhatMeansSomethingChangesIt) {
  const std::string digest = SpecDigest(CanonicalSpec(Spec(), {}));
  v1::TrainingSpec rate = Spec();
  rate.mutable_optimizer()->set_learning_rate(0.001001);
  EXPECT_NE(SpecDigest(CanonicalSpec(rate, {})), digest);
  v1::TrainingSpec epochs = Spec();
  epochs.set_epochs(51);
  EXPECT_NE(SpecDigest(CanonicalSpec(epochs, {})), digest);
  v1::TrainingSpec weights = Spec();
  (*weights.mutable_loss_options()->mutable_class_weights())["x"] = 2.01;
  EXPECT_NE(SpecDigest(CanonicalSpec(weights, {})), digest);
}

TEST(CanonicalSpecTest, ResourcesAreTheAssignments) {
  v1::TrainingSpec assignment;
  assignment.set_threads(2);
  assignment.mutable_max_runtime()->set_seconds(60);
  assignment.set_max_memory_bytes(1 << 28);
  assignment.set_step_event_interval(5);
  assignment.set_layer_records(v1::LAYER_RECORDS_SUMMARY);
  assignment.add_metrics("f1");
  assignment.set_epochs(3);
  v1::TrainingSpec spec = Spec();
  spec.set_threads(9);
  spec.add_metrics("roc_auc");
  const v1::TrainingSpec canonical = CanonicalSpec(spec, assignment);
  v1::TrainingSpec resources = assignment;
  resources.clear_epochs();
  v1::TrainingSpec expected = CanonicalSpec(Spec(), {});
  expected.MergeFrom(resources);
  EXPECT_TRUE(google::protobuf::util::MessageDifferencer::Equals(canonical, expected))
      << canonical.DebugString();
}

}  // namespace
}  // namespace trainyard
