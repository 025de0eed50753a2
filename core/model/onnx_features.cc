#include "core/model/onnx_features.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "core/base/error_info.h"
#include "core/data/number.h"

namespace trainyard {
namespace {

constexpr absl::string_view kOutputs[] = {"label", "labels", "probabilities", "value"};
constexpr int64_t kRefusedCode = -2;
constexpr int64_t kUnseenCode = -1;

bool IsNumber(const ColumnTransform& transform) { return transform.encoding == Encoding::kNumber; }

// What is looked up is a float where the column holds numbers, else a string.
bool IsText(const ColumnTransform& transform) {
  return !IsNumber(transform) && !transform.numeric_categories;
}

// The float32 of each numeric category, by which cells are looked up; in the order of the
// categories, as long as they are numbers that differ.
std::vector<float> FloatCategories(const ColumnTransform& transform) {
  std::vector<float> keys;
  for (const std::string& category : transform.categories) {
    const std::optional<double> number = ParseNumber(category);
    keys.push_back(number.has_value() ? static_cast<float>(*number)
                                      : std::numeric_limits<float>::quiet_NaN());
  }
  return keys;
}

// Two categories that are one float32, e.g. 16777216 and 16777217; empty when there are none.
std::string SameFloat(const ColumnTransform& transform) {
  if (!transform.numeric_categories) return "";
  const std::vector<float> keys = FloatCategories(transform);
  absl::flat_hash_map<float, size_t> first;
  for (size_t i = 0; i < keys.size(); ++i) {
    const auto [it, is_new] = first.emplace(keys[i], i);
    const std::string& before = transform.categories[it->second];
    const std::string& category = transform.categories[i];
    if (!is_new && ParseNumber(before) != ParseNumber(category)) {
      return absl::StrCat(before, " and ", category);
    }
  }
  return "";
}

// A lookup of the cells of a categorical column: LabelEncoder's keys, and for each the index of its
// category, -1 for a missing cell's text. Keys differ: the first of equal ones counts.
struct Lookup {
  std::vector<std::string> texts;
  std::vector<float> floats;
  std::vector<int64_t> indices;
};

Lookup TextLookup(const ColumnTransform& transform, const std::vector<std::string>& markers) {
  Lookup lookup;
  absl::flat_hash_set<absl::string_view> known;
  const auto add = [&](absl::string_view text, int64_t index) {
    if (!known.insert(text).second) return;
    lookup.texts.emplace_back(text);
    lookup.indices.push_back(index);
  };
  add("", -1);
  for (const std::string& marker : markers) add(marker, -1);
  for (size_t i = 0; i < transform.categories.size(); ++i) {
    add(transform.categories[i], static_cast<int64_t>(i));
  }
  return lookup;
}

Lookup FloatLookup(const ColumnTransform& transform) {
  Lookup lookup;
  absl::flat_hash_set<float> known;
  const std::vector<float> keys = FloatCategories(transform);
  for (size_t i = 0; i < keys.size(); ++i) {
    if (std::isnan(keys[i]) || !known.insert(keys[i]).second) continue;
    lookup.floats.push_back(keys[i]);
    lookup.indices.push_back(static_cast<int64_t>(i));
  }
  return lookup;
}

class FeatureGraph {
 public:
  FeatureGraph(const Bundle& bundle, OnnxGraph* graph)
      : preprocessor_(bundle.preprocessor), inputs_(OnnxInputNames(bundle)), graph_(graph) {}

  std::string Add() {
    AddInputs();
    AddNumbers();
    for (size_t i = 0; i < transforms().size(); ++i) {
      if (!IsNumber(transforms()[i])) AddCategories(i);
    }
    return InOrder(blocks_.size() == 1 ? blocks_[0] : Joined(blocks_));
  }

 private:
  const std::vector<ColumnTransform>& transforms() const { return preprocessor_.transforms(); }

  void AddInputs() {
    for (size_t i = 0; i < inputs_.size(); ++i) {
      graph_->AddInput(inputs_[i], IsText(transforms()[i]) ? OnnxType::kString : OnnxType::kFloat,
                       {-1, 1});
    }
  }

  // A block: features that follow each other; `features` says which they are.
  void AddBlock(std::string block, int64_t first, int64_t count) {
    blocks_.push_back(std::move(block));
    for (int64_t i = 0; i < count; ++i) order_.push_back(first + i);
  }

  std::string Joined(const std::vector<std::string>& parts) {
    return graph_->AddNode("Concat", parts, {{"axis", int64_t{1}}});
  }

  // `x` has the features in the order of `order_`.
  std::string InOrder(const std::string& x) {
    if (std::is_sorted(order_.begin(), order_.end())) return x;
    std::vector<int64_t> at(order_.size());
    for (size_t i = 0; i < order_.size(); ++i) at[order_[i]] = static_cast<int64_t>(i);
    return graph_->AddNode("Gather", {x, graph_->AddIntegers("feature_order", at)},
                           {{"axis", int64_t{1}}});
  }

  // All numbers as one matrix, then all their indicators.
  void AddNumbers() {
    std::vector<std::string> columns;
    std::vector<double> offsets;
    std::vector<double> scales;
    std::vector<double> fills;
    for (size_t i = 0; i < transforms().size(); ++i) {
      if (!IsNumber(transforms()[i])) continue;
      columns.push_back(inputs_[i]);
      offsets.push_back(transforms()[i].offset);
      scales.push_back(transforms()[i].scale);
      fills.push_back(transforms()[i].fill);
      order_.push_back(preprocessor_.first_feature(static_cast<int64_t>(i)));
    }
    if (columns.empty()) return;
    const std::string raw = graph_->AddCast(Joined(columns), OnnxType::kDouble);
    const std::string missing = graph_->AddNode("IsNaN", {raw});
    const std::string filled =
        graph_->AddNode("Where", {missing, graph_->AddDoubles("fills", fills), raw});
    const std::string centred =
        graph_->AddNode("Sub", {filled, graph_->AddDoubles("offsets", offsets)});
    blocks_.push_back(graph_->AddCast(
        graph_->AddNode("Mul", {centred, graph_->AddDoubles("scales", scales)}), OnnxType::kFloat));
    AddIndicators(missing);
  }

  // `missing`: of all numbers.
  void AddIndicators(const std::string& missing) {
    std::vector<int64_t> with_indicator;
    int64_t number = 0;
    for (size_t i = 0; i < transforms().size(); ++i) {
      if (!IsNumber(transforms()[i])) continue;
      if (transforms()[i].missing_indicator) {
        with_indicator.push_back(number);
        order_.push_back(preprocessor_.first_feature(static_cast<int64_t>(i)) + 1);
      }
      ++number;
    }
    if (with_indicator.empty()) return;
    const std::string chosen = graph_->AddIntegers("with_indicator", with_indicator);
    blocks_.push_back(graph_->AddNode(
        "Gather", {graph_->AddCast(missing, OnnxType::kFloat), chosen}, {{"axis", int64_t{1}}}));
  }

  void AddCategories(size_t column) {
    const ColumnTransform& transform = transforms()[column];
    const bool ordinal = transform.encoding == Encoding::kOrdinal;
    AddBlock(ordinal ? Ordinal(column) : OneHot(column),
             preprocessor_.first_feature(static_cast<int64_t>(column)), transform.width());
  }

  // `values` of the keys, and what stands for every other cell; of the type that `name` says.
  template <typename Value>
  std::string Encoded(size_t column, Lookup lookup, const std::string& name,
                      std::vector<Value> values, Value otherwise) {
    std::vector<OnnxAttribute> attributes;
    if (IsText(transforms()[column])) {
      attributes.push_back({"keys_strings", std::move(lookup.texts)});
    } else {
      attributes.push_back({"keys_floats", std::move(lookup.floats)});
    }
    const std::string values_name = absl::StrCat("values_", name, "s");
    const std::string default_name = absl::StrCat("default_", name);
    attributes.push_back({values_name, std::move(values)});
    attributes.push_back({default_name, otherwise});
    return graph_->AddNode("LabelEncoder", {inputs_[column]}, attributes, "", kOnnxMlDomain);
  }

  Lookup LookupOf(size_t column) const {
    const ColumnTransform& transform = transforms()[column];
    return IsText(transform) ? TextLookup(transform, preprocessor_.missing_markers())
                             : FloatLookup(transform);
  }

  // Each category has its number at once, rounded as Apply rounds it.
  std::string Ordinal(size_t column) {
    const ColumnTransform& transform = transforms()[column];
    Lookup lookup = LookupOf(column);
    std::vector<float> values;
    for (const int64_t index : lookup.indices) {
      const double scaled = (static_cast<double>(index) - transform.offset) * transform.scale;
      values.push_back(index < 0 ? 0 : static_cast<float>(scaled));
    }
    const float unseen = transform.unseen == UnseenCategory::kRefuse
                             ? std::numeric_limits<float>::quiet_NaN()
                             : 0.0F;
    const std::string x = Encoded(column, std::move(lookup), "float", std::move(values), unseen);
    if (IsText(transform)) return x;
    const std::string missing = graph_->AddNode("IsNaN", {inputs_[column]});
    return graph_->AddNode("Where", {missing, graph_->AddScalar(0), x});
  }

  // Which feature of the column is 1: its index, or one of the codes for none.
  std::string OneHot(size_t column) {
    const ColumnTransform& transform = transforms()[column];
    const auto categories = static_cast<int64_t>(transform.categories.size());
    int64_t unseen = transform.unseen == UnseenCategory::kOther ? categories : kUnseenCode;
    if (transform.unseen == UnseenCategory::kRefuse) unseen = kRefusedCode;
    const int64_t missing =
        transform.missing_indicator ? categories + (transform.other_bucket ? 1 : 0) : unseen;
    Lookup lookup = LookupOf(column);
    std::vector<int64_t> codes = lookup.indices;
    std::replace(codes.begin(), codes.end(), int64_t{-1}, missing);
    std::string code = Encoded(column, std::move(lookup), "int64", std::move(codes), unseen);
    if (!IsText(transform) && missing != unseen) {
      const std::string is_missing = graph_->AddNode("IsNaN", {inputs_[column]});
      code = graph_->AddNode(
          "Where", {is_missing, graph_->AddIntegers(NameOf(column, "missing"), {missing}), code});
    }
    std::vector<int64_t> features(transform.width());
    std::iota(features.begin(), features.end(), 0);
    const std::string at = graph_->AddIntegers(NameOf(column, "features"), features);
    const std::string hot = graph_->AddCast(graph_->AddNode("Equal", {code, at}), OnnxType::kFloat);
    return transform.unseen == UnseenCategory::kRefuse ? Refused(column, code, hot) : hot;
  }

  // NaN where the code says so.
  std::string Refused(size_t column, const std::string& code, const std::string& hot) {
    const std::string refused = graph_->AddNode(
        "Equal", {code, graph_->AddIntegers(NameOf(column, "refused"), {kRefusedCode})});
    const std::string nan = graph_->AddScalar(std::numeric_limits<float>::quiet_NaN());
    return graph_->AddNode("Where", {refused, nan, hot});
  }

  std::string NameOf(size_t column, absl::string_view what) const {
    return absl::StrCat("column", column, "_", what);
  }

  const Preprocessor& preprocessor_;
  const std::vector<std::string> inputs_;
  OnnxGraph* const graph_;
  std::vector<std::string> blocks_;  // [N, some features] each
  std::vector<int64_t> order_;       // the feature that each column of the joined blocks is
};

// `features` → Sub → Mul, in double.
std::string AddFeatureMatrix(const Bundle& bundle, OnnxGraph* graph) {
  graph->AddInput("features", OnnxType::kFloat,
                  {-1, static_cast<int64_t>(bundle.feature_columns.size())});
  const std::string offsets = graph->AddDoubles("offsets", bundle.preprocessor.offsets());
  const std::string scales = graph->AddDoubles("scales", bundle.preprocessor.scales());
  const std::string raw = graph->AddCast("features", OnnxType::kDouble);
  const std::string centred = graph->AddNode("Sub", {raw, offsets});
  return graph->AddCast(graph->AddNode("Mul", {centred, scales}), OnnxType::kFloat);
}

}  // namespace

absl::Status CheckOnnxFeatures(const Bundle& bundle) {
  const std::vector<ColumnTransform>& transforms = bundle.preprocessor.transforms();
  std::vector<FieldViolation> violations;
  for (size_t i = 0; i < transforms.size(); ++i) {
    std::string fault;
    if (transforms[i].encoding == Encoding::kHashing) {
      fault =
          "is hashed, and ONNX has no operator for that; train with encoding ONE_HOT or ORDINAL, "
          "or "
          "export in format NATIVE or JSON";
    } else if (const std::string same = SameFloat(transforms[i]); !same.empty()) {
      fault = absl::StrCat("has categories ", same,
                           ", which are one number as float32, the type of ONNX's input; export in "
                           "format NATIVE or JSON");
    }
    if (fault.empty()) continue;
    violations.push_back(
        {absl::StrCat("column \"", bundle.feature_columns[i], "\""), std::move(fault)});
  }
  if (violations.empty()) return absl::OkStatus();
  return MakeViolationsError(ErrorReason::kInvalidRequest, std::move(violations));
}

bool HasOnnxColumns(const Bundle& bundle) {
  const std::vector<ColumnTransform>& all = bundle.preprocessor.transforms();
  return std::any_of(all.begin(), all.end(), [](const ColumnTransform& transform) {
    return !IsNumber(transform) || transform.missing_indicator || !std::isnan(transform.fill);
  });
}

bool NeedsOnnxMl(const Bundle& bundle) {
  const std::vector<ColumnTransform>& all = bundle.preprocessor.transforms();
  return !std::all_of(all.begin(), all.end(), IsNumber);
}

std::vector<std::string> OnnxInputNames(const Bundle& bundle) {
  if (!HasOnnxColumns(bundle)) return {"features"};
  absl::flat_hash_set<std::string> taken(std::begin(kOutputs), std::end(kOutputs));
  taken.insert("");
  std::vector<std::string> names = bundle.feature_columns;
  const auto clashes = [&](const std::string& name) { return taken.contains(name); };
  // Those that keep their names have them first.
  absl::flat_hash_set<std::string> kept;
  for (const std::string& name : names) {
    if (!clashes(name)) kept.insert(name);
  }
  for (std::string& name : names) {
    if (!clashes(name)) continue;
    while (clashes(name) || kept.contains(name)) name = absl::StrCat("input.", name);
    kept.insert(name);
  }
  return names;
}

std::string OnnxPrefix(const Bundle& bundle) {
  if (!HasOnnxColumns(bundle)) return "";
  std::string prefix = "trainyard.";
  const std::vector<std::string> inputs = OnnxInputNames(bundle);
  const auto starts = [&](const std::string& name) { return absl::StartsWith(name, prefix); };
  while (std::any_of(inputs.begin(), inputs.end(), starts)) prefix += "_";
  return prefix;
}

std::string AddOnnxFeatures(const Bundle& bundle, OnnxGraph* graph) {
  if (!HasOnnxColumns(bundle)) return AddFeatureMatrix(bundle, graph);
  return FeatureGraph(bundle, graph).Add();
}

}  // namespace trainyard
