// The part of convert.h that is about stored models.
#include <algorithm>
#include <cmath>
#include <utility>

#include "server/wire/convert.h"
#include "server/wire/enum_cast.h"

namespace trainyard {
namespace {

constexpr size_t kCategoriesShownMax = 100;

v1::ModelFeature FeatureToProto(const std::string& column, const ColumnTransform& transform) {
  v1::ModelFeature proto;
  proto.set_column(column);
  proto.set_encoding(EnumCast<v1::Encoding>(transform.encoding));
  proto.set_width(static_cast<int32_t>(transform.width()));
  proto.set_offset(transform.offset);
  proto.set_scale(transform.scale);
  if (transform.encoding == Encoding::kNumber && !std::isnan(transform.fill)) {
    proto.set_fill_value(transform.fill);
  }
  proto.set_missing_indicator(transform.missing_indicator);
  proto.set_category_count(static_cast<int32_t>(transform.categories.size()));
  const size_t shown = std::min(transform.categories.size(), kCategoriesShownMax);
  proto.mutable_categories()->Assign(transform.categories.begin(),
                                     transform.categories.begin() + static_cast<int64_t>(shown));
  if (transform.encoding != Encoding::kNumber) {
    proto.set_unseen(EnumCast<v1::UnseenCategory>(transform.unseen));
  }
  return proto;
}

// What is said of a layer where a spec would say it.
LayerConfig LayerOf(const LayerWeights& weights) {
  LayerConfig layer{.units = weights.out, .activation = weights.activation};
  if (weights.activation == Activation::kLeakyRelu || weights.activation == Activation::kElu) {
    layer.alpha = weights.alpha;
  }
  layer.bias = !weights.biases.empty();
  layer.normalization = weights.normalization;
  layer.residual = weights.residual;
  return layer;
}

}  // namespace

void FeaturesToProto(const Bundle& bundle, v1::Model* model) {
  const std::vector<ColumnTransform>& transforms = bundle.preprocessor.transforms();
  for (size_t i = 0; i < transforms.size(); ++i) {
    *model->add_features() = FeatureToProto(bundle.feature_columns[i], transforms[i]);
  }
}

void BundleToProto(const Bundle& bundle, v1::Model* model) {
  model->set_task(EnumCast<v1::Task>(bundle.task));
  model->set_target_column(bundle.target_column);
  *model->mutable_feature_columns() = {bundle.feature_columns.begin(),
                                       bundle.feature_columns.end()};
  *model->mutable_classes() = {bundle.classes.begin(), bundle.classes.end()};
  model->set_parameter_count(bundle.parameter_count());
  TrainConfig config;
  config.data.task = bundle.task;
  config.data.target_column = bundle.target_column;
  config.data.weight_column = bundle.weight_column;
  config.data.feature_columns = bundle.feature_columns;
  if (bundle.task == Task::kMultilabel) config.data.label_columns = bundle.classes;
  config.loss = bundle.loss;
  for (size_t i = 0; i + 1 < bundle.weights.size(); ++i) {
    config.layers.push_back(LayerOf(bundle.weights[i]));
  }
  config.output_bias = !bundle.weights.back().biases.empty();
  *model->mutable_spec() = TrainConfigToProto(config);
  for (const auto& [key, value] : bundle.provenance) {
    if (key == "dataset_digest") model->mutable_receipt()->set_dataset_digest(value);
    if (key == "spec_digest") model->mutable_receipt()->set_spec_digest(value);
    if (key == "build") model->mutable_receipt()->set_build(value);
  }
}

}  // namespace trainyard
