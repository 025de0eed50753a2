// Operators that look at more than one element at once.
#include "core/model/onnx_operators.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/base/error_info.h"
#include "core/base/status_macros.h"

namespace trainyard {
namespace {

absl::Status Unfit(const OnnxNode& node) {
  return OnnxFault(absl::StrCat("\"", node.op,
                                "\" has types, shapes or attributes that do not fit, or are not "
                                "handled"));
}

// A tensor of floats of rank 2 (or of rank 1, as one row) with its sizes; null when it is not one.
struct FloatMatrix {
  const float* data = nullptr;
  int64_t rows = 0;
  int64_t cols = 0;
};

FloatMatrix MatrixOf(const OnnxTensor& tensor) {
  const auto* const floats = std::get_if<std::vector<float>>(&tensor.values);
  if (floats == nullptr || tensor.shape.empty() || tensor.shape.size() > 2) return {};
  const int64_t rows = tensor.shape.size() == 2 ? tensor.shape[0] : 1;
  return {floats->data(), rows, tensor.shape.back()};
}

bool IsBatch(const OnnxTensor& tensor) {
  return tensor.type() == OnnxType::kFloat && tensor.shape.size() == 2;
}

// y = a·b [+ c], c one row for all.
absl::StatusOr<OnnxTensor> Gemm(const OnnxNode& node, OnnxInputs inputs, OnnxBudget* budget) {
  const FloatMatrix a = MatrixOf(*inputs[0]);
  const FloatMatrix b = MatrixOf(*inputs[1]);
  const FloatMatrix c = inputs.size() > 2 ? MatrixOf(*inputs[2]) : FloatMatrix{nullptr, 1, b.cols};
  const bool plain = node.attributes.empty() && IsBatch(*inputs[0]) && IsBatch(*inputs[1]);
  const bool c_fits = c.rows == 1 && c.cols == b.cols;
  if (!plain || a.cols != b.rows || !c_fits) return Unfit(node);
  const std::vector<int64_t> shape = {a.rows, b.cols};
  const int64_t count = ElementCount(shape, budget->elements_max);
  TY_RETURN_IF_ERROR(budget->Spend(count, a.cols + 1));
  std::vector<float> y(count);
  // Rows of b, the large one, are read once each.
  for (int64_t k = 0; k < a.cols; ++k) {
    for (int64_t r = 0; r < a.rows; ++r) {
      const float factor = a.data[r * a.cols + k];
      const float* const from = b.data + k * b.cols;
      float* const to = y.data() + r * b.cols;
      for (int64_t j = 0; j < b.cols; ++j) to[j] += factor * from[j];
    }
  }
  for (int64_t i = 0; c.data != nullptr && i < count; ++i) y[i] += c.data[i % b.cols];
  return OnnxTensor{shape, std::move(y)};
}

absl::StatusOr<OnnxTensor> BatchNormalization(const OnnxNode& node, OnnxInputs inputs,
                                              OnnxBudget* budget) {
  const FloatMatrix x = MatrixOf(*inputs[0]);
  bool fits = IsBatch(*inputs[0]) && node.IntegerOr("training_mode", 0) == 0;
  for (size_t i = 1; i < inputs.size(); ++i) {
    const FloatMatrix part = MatrixOf(*inputs[i]);
    fits = fits && inputs[i]->shape.size() == 1 && part.data != nullptr && part.cols == x.cols;
  }
  if (!fits) return Unfit(node);
  TY_RETURN_IF_ERROR(budget->Spend(inputs[0]->element_count()));
  const float* const gains = MatrixOf(*inputs[1]).data;
  const float* const shifts = MatrixOf(*inputs[2]).data;
  const float* const means = MatrixOf(*inputs[3]).data;
  const float* const variances = MatrixOf(*inputs[4]).data;
  const float epsilon = node.NumberOr("epsilon", 1e-5F);
  std::vector<float> y(inputs[0]->element_count());
  for (size_t i = 0; i < y.size(); ++i) {
    const size_t c = i % x.cols;
    y[i] = (x.data[i] - means[c]) / std::sqrt(variances[c] + epsilon) * gains[c] + shifts[c];
  }
  return OnnxTensor{inputs[0]->shape, std::move(y)};
}

// The shape of one number per row.
std::vector<int64_t> RowShape(const OnnxNode& node, int64_t rows) {
  if (node.IntegerOr("keepdims", 1) != 0) return {rows, 1};
  return {rows};
}

absl::StatusOr<OnnxTensor> ReduceMean(const OnnxNode& node, OnnxInputs inputs, OnnxBudget* budget) {
  const FloatMatrix x = MatrixOf(*inputs[0]);
  const OnnxAttributeValue* const axes = node.Find("axes");
  const bool along_rows = axes != nullptr && axes->integers == std::vector<int64_t>{1};
  if (!along_rows || !IsBatch(*inputs[0])) return Unfit(node);
  TY_RETURN_IF_ERROR(budget->Spend(x.rows, x.cols));
  std::vector<float> y(x.rows);
  for (int64_t r = 0; r < x.rows; ++r) {
    for (int64_t c = 0; c < x.cols; ++c) y[r] += x.data[r * x.cols + c];
    y[r] /= static_cast<float>(x.cols);
  }
  return OnnxTensor{RowShape(node, x.rows), std::move(y)};
}

// The first of the largest.
absl::StatusOr<OnnxTensor> ArgMax(const OnnxNode& node, OnnxInputs inputs, OnnxBudget* budget) {
  const FloatMatrix x = MatrixOf(*inputs[0]);
  const bool along_rows =
      node.IntegerOr("axis", 0) == 1 && node.IntegerOr("select_last_index", 0) == 0;
  if (!along_rows || !IsBatch(*inputs[0])) return Unfit(node);
  TY_RETURN_IF_ERROR(budget->Spend(x.rows, x.cols));
  std::vector<int64_t> y(x.rows);
  for (int64_t r = 0; r < x.rows; ++r) {
    const float* const row = x.data + r * x.cols;
    y[r] = std::max_element(row, row + x.cols) - row;
  }
  return OnnxTensor{RowShape(node, x.rows), std::move(y)};
}

absl::StatusOr<OnnxTensor> Softmax(const OnnxNode& node, OnnxInputs inputs, OnnxBudget* budget) {
  const FloatMatrix x = MatrixOf(*inputs[0]);
  const int64_t axis = node.IntegerOr("axis", -1);
  if (!IsBatch(*inputs[0]) || (axis != 1 && axis != -1)) return Unfit(node);
  TY_RETURN_IF_ERROR(budget->Spend(inputs[0]->element_count()));
  std::vector<float> y(inputs[0]->element_count());
  for (int64_t r = 0; r < x.rows; ++r) {
    const float* const row = x.data + r * x.cols;
    float* const out = y.data() + r * x.cols;
    const float largest = *std::max_element(row, row + x.cols);
    float sum = 0;
    for (int64_t c = 0; c < x.cols; ++c) sum += out[c] = std::exp(row[c] - largest);
    for (int64_t c = 0; c < x.cols; ++c) out[c] /= sum;
  }
  return OnnxTensor{inputs[0]->shape, std::move(y)};
}

// A shape seen along one axis: [outer, axis, inner].
struct AxisView {
  int64_t outer = 1;
  int64_t size = 0;
  int64_t inner = 1;
};

AxisView ViewOf(const std::vector<int64_t>& shape, size_t axis) {
  AxisView view{.size = shape[axis]};
  for (size_t d = 0; d < axis; ++d) view.outer *= shape[d];
  for (size_t d = axis + 1; d < shape.size(); ++d) view.inner *= shape[d];
  return view;
}

// REQUIRES: all fit; `shape` is that of the result.
template <typename T>
absl::StatusOr<OnnxTensor> Join(const OnnxNode& node, OnnxInputs inputs,
                                const std::vector<int64_t>& shape, size_t axis) {
  std::vector<T> y(ElementCount(shape, INT64_MAX));
  const AxisView whole = ViewOf(shape, axis);
  int64_t begin = 0;
  for (const OnnxTensor* input : inputs) {
    const auto* const x = std::get_if<std::vector<T>>(&input->values);
    if (x == nullptr) return Unfit(node);
    const int64_t run = input->shape[axis] * whole.inner;
    for (int64_t o = 0; o < whole.outer; ++o) {
      std::copy_n(x->begin() + o * run, run, y.begin() + o * whole.size * whole.inner + begin);
    }
    begin += run;
  }
  return OnnxTensor{shape, std::move(y)};
}

absl::StatusOr<OnnxTensor> Concat(const OnnxNode& node, OnnxInputs inputs, OnnxBudget* budget) {
  const int64_t at = node.IntegerOr("axis", -1);
  std::vector<int64_t> shape = inputs[0]->shape;
  if (at < 0 || at >= static_cast<int64_t>(shape.size())) return Unfit(node);
  const auto axis = static_cast<size_t>(at);
  int64_t size = 0;
  for (const OnnxTensor* input : inputs) {
    std::vector<int64_t> same = input->shape;
    if (same.size() != shape.size() || input->type() != inputs[0]->type()) return Unfit(node);
    size += std::exchange(same[axis], shape[axis]);
    if (same != shape) return Unfit(node);
  }
  shape[axis] = size;
  TY_RETURN_IF_ERROR(budget->Spend(ElementCount(shape, budget->elements_max)));
  if (inputs[0]->type() == OnnxType::kFloat) return Join<float>(node, inputs, shape, axis);
  if (inputs[0]->type() == OnnxType::kBool) return Join<uint8_t>(node, inputs, shape, axis);
  return Unfit(node);
}

template <typename T>
OnnxTensor Pick(const std::vector<T>& x, const AxisView& view, const std::vector<int64_t>& indices,
                std::vector<int64_t> shape) {
  std::vector<T> y;
  y.reserve(view.outer * static_cast<int64_t>(indices.size()) * view.inner);
  for (int64_t o = 0; o < view.outer; ++o) {
    for (const int64_t index : indices) {
      const auto from = x.begin() + (o * view.size + index) * view.inner;
      y.insert(y.end(), from, from + view.inner);
    }
  }
  return OnnxTensor{std::move(shape), std::move(y)};
}

absl::StatusOr<OnnxTensor> Gather(const OnnxNode& node, OnnxInputs inputs, OnnxBudget* budget) {
  const int64_t at = node.IntegerOr("axis", 0);
  const std::vector<int64_t>& from = inputs[0]->shape;
  const auto* const indices = std::get_if<std::vector<int64_t>>(&inputs[1]->values);
  if (indices == nullptr || at < 0 || at >= static_cast<int64_t>(from.size())) return Unfit(node);
  const AxisView view = ViewOf(from, static_cast<size_t>(at));
  for (const int64_t index : *indices) {
    if (index < 0 || index >= view.size) return OnnxFault("\"Gather\" has an index out of range");
  }
  std::vector<int64_t> shape(from.begin(), from.begin() + at);
  shape.insert(shape.end(), inputs[1]->shape.begin(), inputs[1]->shape.end());
  shape.insert(shape.end(), from.begin() + at + 1, from.end());
  TY_RETURN_IF_ERROR(budget->Spend(ElementCount(shape, budget->elements_max)));
  if (const auto* const x = std::get_if<std::vector<float>>(&inputs[0]->values)) {
    return Pick(*x, view, *indices, std::move(shape));
  }
  if (const auto* const x = std::get_if<std::vector<absl::string_view>>(&inputs[0]->values)) {
    return Pick(*x, view, *indices, std::move(shape));
  }
  return Unfit(node);
}

// y = the value of the key that equals x, or the default. The first of equal keys counts.
template <typename Key, typename Value>
absl::StatusOr<OnnxTensor> LookUp(const OnnxNode& node, const OnnxTensor& x,
                                  const std::vector<Key>& keys, const std::vector<Value>& values,
                                  Value otherwise) {
  const auto* const cells = std::get_if<std::vector<Key>>(&x.values);
  if (cells == nullptr || keys.size() != values.size()) return Unfit(node);
  absl::flat_hash_map<Key, Value> value_of;
  for (size_t i = 0; i < keys.size(); ++i) value_of.emplace(keys[i], values[i]);
  std::vector<Value> y;
  y.reserve(cells->size());
  for (const Key& cell : *cells) {
    const auto it = value_of.find(cell);
    y.push_back(it == value_of.end() ? otherwise : it->second);
  }
  return OnnxTensor{x.shape, std::move(y)};
}

template <typename Key>
absl::StatusOr<OnnxTensor> Encode(const OnnxNode& node, const OnnxTensor& x,
                                  const std::vector<Key>& keys, OnnxBudget* budget) {
  TY_RETURN_IF_ERROR(budget->Spend(static_cast<int64_t>(keys.size()), 4));
  TY_RETURN_IF_ERROR(budget->Spend(x.element_count()));
  if (const OnnxAttributeValue* const integers = node.Find("values_int64s")) {
    return LookUp<Key, int64_t>(node, x, keys, integers->integers,
                                node.IntegerOr("default_int64", -1));
  }
  if (const OnnxAttributeValue* const floats = node.Find("values_floats")) {
    return LookUp<Key, float>(node, x, keys, floats->floats, node.NumberOr("default_float", -0.0F));
  }
  return Unfit(node);
}

absl::StatusOr<OnnxTensor> LabelEncoder(const OnnxNode& node, OnnxInputs inputs,
                                        OnnxBudget* budget) {
  if (const OnnxAttributeValue* const texts = node.Find("keys_strings")) {
    return Encode(node, *inputs[0], texts->texts, budget);
  }
  if (const OnnxAttributeValue* const floats = node.Find("keys_floats")) {
    return Encode(node, *inputs[0], floats->floats, budget);
  }
  return Unfit(node);
}

constexpr OnnxOperator kOperators[] = {
    {"Gemm", "", 2, 3, Gemm},
    {"BatchNormalization", "", 5, 5, BatchNormalization},
    {"ReduceMean", "", 1, 1, ReduceMean},
    {"ArgMax", "", 1, 1, ArgMax},
    {"Softmax", "", 1, 1, Softmax},
    {"Concat", "", 1, SIZE_MAX, Concat},
    {"Gather", "", 2, 2, Gather},
    {"LabelEncoder", "ai.onnx.ml", 1, 1, LabelEncoder},
};

}  // namespace

absl::Status OnnxBudget::Spend(int64_t elements, int64_t work_each) {
  if (elements >= 0 && elements <= elements_max &&
      elements <= work / std::max<int64_t>(work_each, 1)) {
    work -= elements * work_each;
    return absl::OkStatus();
  }
  return MakeError(absl::StatusCode::kResourceExhausted,
                   "the ONNX file takes more memory or time to run than it is given",
                   {.reason = ErrorReason::kTooLarge, .hint = "compare fewer rows"});
}

std::span<const OnnxOperator> OnnxShapedOperators() { return kOperators; }

const OnnxOperator* FindOnnxOperator(const OnnxNode& node) {
  for (const auto operators : {OnnxElementwiseOperators(), OnnxShapedOperators()}) {
    for (const OnnxOperator& each : operators) {
      if (each.op != node.op || each.domain != node.domain) continue;
      const size_t inputs = node.inputs.size();
      const bool fits =
          inputs >= each.inputs_min && inputs <= each.inputs_max && node.outputs.size() == 1;
      return fits ? &each : nullptr;
    }
  }
  return nullptr;
}

}  // namespace trainyard
