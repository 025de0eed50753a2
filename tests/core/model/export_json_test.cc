#include "absl/strings/str_cat.h"
#include "core/data/number.h"
#include "core/model/export.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/data_builders.h"

namespace trainyard {
namespace {

using testing::HasSubstr;

TEST(ExportJsonTest, TheSmallModelInFull) {
  EXPECT_EQ(ExportJson(SmallBundle()), R"({"format":"trainyard-model","version":3,
"task":"binary",
"target_column":"kind",
"weight_column":"",
"feature_columns":["size","weight"],
"classes":["a","b"],
"loss":{"kind":"binary_cross_entropy"},
"preprocessing":{"missing_markers":[],"columns":[
{"column":"size","encoding":"number","offset":1.5,"scale":0.25,"fill":null,"missing_indicator":false},
{"column":"weight","encoding":"number","offset":-2,"scale":0,"fill":null,"missing_indicator":false}]},
"layers":[
{"in":2,"out":3,"activation":"tanh","residual":false,"weights":[
[0.5,-1,2],
[0.125,3,-0.75]],"biases":[0,1,-1]},
{"in":3,"out":1,"activation":"identity","residual":false,"weights":[
[1],
[-0.5],
[0.25]],"biases":[0.0625]}],
"provenance":{
"dataset_digest":"sha256:ab",
"seed":"7"}}
)");
}

// That they mean what they should is checked with numpy, by tests/e2e/onnx/check_json.py.
TEST(ExportJsonTest, EachEncodingHasWhatItUses) {
  Bundle bundle = SmallBundle();
  bundle.task = Task::kRegression;
  bundle.loss = {.kind = LossKind::kMeanSquaredError, .target_offset = 1999.5, .target_scale = 0.1};
  bundle.feature_columns = {"n", "o", "r", "h"};
  bundle.preprocessor =
      Preprocessor({{.offset = 0.1, .scale = 2, .fill = -1, .missing_indicator = true},
                    {.encoding = Encoding::kOneHot,
                     .missing_indicator = true,
                     .categories = {"a \"b\"", "é"},
                     .other_bucket = true,
                     .unseen = UnseenCategory::kOther},
                    {.encoding = Encoding::kOrdinal,
                     .offset = 0.5,
                     .scale = 2,
                     .categories = {"1", "2"},
                     .numeric_categories = true,
                     .unseen = UnseenCategory::kRefuse},
                    {.encoding = Encoding::kHashing, .buckets = 32}},
                   {"?", "NA"});
  const std::string json = ExportJson(bundle);
  for (
      const absl::string_view part :
      {R"("loss":{"kind":"mean_squared_error","target_offset":1999.5,"target_scale":0.1})",
       R"("missing_markers":["?","NA"])",
       R"({"column":"n","encoding":"number","offset":0.1,"scale":2,"fill":-1,"missing_indicator":true})",
       R"({"column":"o","encoding":"one_hot","categories":["a \"b\"","é"],"numeric_categories":false,)"
       R"("unseen":"other","other_bucket":true,"missing_indicator":true})",
       R"({"column":"r","encoding":"ordinal","categories":["1","2"],"numeric_categories":true,)"
       R"("unseen":"refuse","offset":0.5,"scale":2})",
       R"({"column":"h","encoding":"hashing","buckets":32,"missing_indicator":false})"}) {
    EXPECT_THAT(json, HasSubstr(std::string(part)));
  }
}

TEST(ExportJsonTest, WhatALayerAndALossMayHaveBesides) {
  const std::string json = ExportJson(RichBundle());
  for (const absl::string_view part :
       {"\"loss\":{\"kind\":\"softmax_cross_entropy\",\"label_smoothing\":0.125,"
        "\"class_weights\":[1,0.5,2]}",
        "\"activation\":\"elu\",\"alpha\":0.5,\"residual\":false",
        "\"biases\":[],\"normalization\":{\"kind\":\"batch\",\"epsilon\":1e-05,"
        "\"gains\":[1,2,-1],\"shifts\":[0,0.5,-0.25],\"running_means\":[0.25,-1,3],"
        "\"running_variances\":[1,0.0625,4]}}",
        "\"activation\":\"gelu\",\"residual\":true",
        "\"normalization\":{\"kind\":\"layer\",\"epsilon\":1e-05,\"gains\":[1,0.5,2],"
        "\"shifts\":[0.125,0,-1]}}"}) {
    EXPECT_THAT(json, HasSubstr(std::string(part)));
  }
}

TEST(ExportJsonTest, TextIsEscaped) {
  EXPECT_EQ(JsonText("a\"b\\c\n\x01 é"), "\"a\\\"b\\\\c\\u000a\\u0001 é\"");
  EXPECT_EQ(JsonTexts({"x", "y"}), "[\"x\",\"y\"]");
  EXPECT_EQ(JsonTexts({}), "[]");
}

TEST(ExportJsonTest, WeightsReadBackTheSame) {
  const Bundle bundle = RandomBundle(Task::kRegression, 3, {}, Activation::kRelu, 0, 8);
  for (const float w : bundle.weights[0].weights) {
    EXPECT_EQ(static_cast<float>(*ParseNumber(NumberText(w))), w);
    EXPECT_THAT(ExportJson(bundle), HasSubstr(absl::StrCat("[", NumberText(w), "]")));
  }
}

}  // namespace
}  // namespace trainyard
