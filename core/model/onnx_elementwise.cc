// Operators that work element by element, with numpy's broadcasting.
#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>
#include <type_traits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/base/status_macros.h"
#include "core/model/onnx_operators.h"

namespace trainyard {
namespace {

constexpr size_t kInputsMax = 3;
constexpr size_t kRankMax = 4;

template <typename T>
const std::vector<T>* ValuesOf(const OnnxTensor& tensor) {
  return std::get_if<std::vector<T>>(&tensor.values);
}

absl::Status WrongType(const OnnxNode& node) {
  return OnnxFault(absl::StrCat("\"", node.op, "\" has inputs of types it does not take"));
}

// How elements of inputs of different shapes meet: the shape of the result, and for each input the
// step along each dimension, 0 where it is repeated.
class Broadcast {
 public:
  static absl::StatusOr<Broadcast> Of(const OnnxNode& node, OnnxInputs inputs, OnnxBudget* budget) {
    Broadcast plan;
    for (const OnnxTensor* input : inputs) {
      plan.shape_.resize(std::max(plan.shape_.size(), input->shape.size()), 1);
    }
    bool fits = plan.shape_.size() <= kRankMax;
    for (size_t i = 0; fits && i < inputs.size(); ++i) fits = plan.Widen(inputs[i]->shape);
    if (!fits) {
      return OnnxFault(absl::StrCat("\"", node.op, "\" has inputs whose shapes do not fit"));
    }
    plan.count_ = ElementCount(plan.shape_, budget->elements_max);
    TY_RETURN_IF_ERROR(budget->Spend(plan.count_));
    for (size_t i = 0; i < inputs.size(); ++i) plan.SetSteps(inputs[i]->shape, i);
    return plan;
  }

  const std::vector<int64_t>& shape() const { return shape_; }
  int64_t count() const { return count_; }

  // `element(k, at)` for each element k of the result; at[i] is where that of input i is.
  template <typename Element>
  void ForEach(const Element& element) const {
    const size_t rank = shape_.size();
    const int64_t row_size = rank == 0 ? 1 : shape_[rank - 1];
    for (int64_t begin = 0; begin < count_; begin += row_size) {
      std::array<int64_t, kInputsMax> at = RowStart(begin / row_size);
      for (int64_t k = 0; k < row_size; ++k) {
        element(begin + k, at);
        for (size_t i = 0; i < kInputsMax; ++i) at[i] += rank == 0 ? 0 : steps_[i][rank - 1];
      }
    }
  }

 private:
  // False when the shape does not fit those before.
  bool Widen(const std::vector<int64_t>& shape) {
    const size_t lead = shape_.size() - shape.size();
    for (size_t d = 0; d < shape.size(); ++d) {
      int64_t& size = shape_[lead + d];
      if (shape[d] != size && shape[d] != 1 && size != 1) return false;
      if (size == 1) size = shape[d];
    }
    return true;
  }

  void SetSteps(const std::vector<int64_t>& shape, size_t input) {
    const size_t lead = shape_.size() - shape.size();
    int64_t step = 1;
    for (size_t d = shape.size(); d-- > 0;) {
      steps_[input][lead + d] = shape[d] == 1 ? 0 : step;
      step *= shape[d];
    }
  }

  std::array<int64_t, kInputsMax> RowStart(int64_t row) const {
    std::array<int64_t, kInputsMax> at = {};
    for (size_t d = shape_.size(); d-- > 1;) {
      const int64_t index = row % shape_[d - 1];
      row /= shape_[d - 1];
      for (size_t i = 0; i < kInputsMax; ++i) at[i] += index * steps_[i][d - 1];
    }
    return at;
  }

  std::vector<int64_t> shape_;
  int64_t count_ = 0;
  std::array<std::array<int64_t, kRankMax>, kInputsMax> steps_ = {};
};

// y = f(a, b), both of `In`.
template <typename In, typename Out, typename F>
absl::StatusOr<OnnxTensor> Binary(const OnnxNode& node, OnnxInputs inputs, OnnxBudget* budget,
                                  const F& f) {
  const std::vector<In>* const a = ValuesOf<In>(*inputs[0]);
  const std::vector<In>* const b = ValuesOf<In>(*inputs[1]);
  if (a == nullptr || b == nullptr) return WrongType(node);
  TY_ASSIGN_OR_RETURN(const Broadcast plan, Broadcast::Of(node, inputs, budget));
  std::vector<Out> y(plan.count());
  plan.ForEach([&](int64_t k, const auto& at) { y[k] = f((*a)[at[0]], (*b)[at[1]]); });
  return OnnxTensor{plan.shape(), std::move(y)};
}

// The four kinds of arithmetic, of floats or of doubles.
template <typename F>
absl::StatusOr<OnnxTensor> Arithmetic(const OnnxNode& node, OnnxInputs inputs, OnnxBudget* budget) {
  if (inputs[0]->type() == OnnxType::kDouble) {
    return Binary<double, double>(node, inputs, budget, F());
  }
  return Binary<float, float>(node, inputs, budget, F());
}

absl::StatusOr<OnnxTensor> Equal(const OnnxNode& node, OnnxInputs inputs, OnnxBudget* budget) {
  const auto same = [](auto a, auto b) { return static_cast<uint8_t>(a == b ? 1 : 0); };
  if (inputs[0]->type() == OnnxType::kInt64) {
    return Binary<int64_t, uint8_t>(node, inputs, budget, same);
  }
  return Binary<float, uint8_t>(node, inputs, budget, same);
}

absl::StatusOr<OnnxTensor> Greater(const OnnxNode& node, OnnxInputs inputs, OnnxBudget* budget) {
  return Binary<float, uint8_t>(
      node, inputs, budget, [](float a, float b) { return static_cast<uint8_t>(a > b ? 1 : 0); });
}

template <typename T>
absl::StatusOr<OnnxTensor> Choose(const OnnxNode& node, OnnxInputs inputs, OnnxBudget* budget) {
  const std::vector<uint8_t>* const condition = ValuesOf<uint8_t>(*inputs[0]);
  const std::vector<T>* const a = ValuesOf<T>(*inputs[1]);
  const std::vector<T>* const b = ValuesOf<T>(*inputs[2]);
  if (condition == nullptr || a == nullptr || b == nullptr) return WrongType(node);
  TY_ASSIGN_OR_RETURN(const Broadcast plan, Broadcast::Of(node, inputs, budget));
  std::vector<T> y(plan.count());
  plan.ForEach([&](int64_t k, const auto& at) {
    y[k] = (*condition)[at[0]] != 0 ? (*a)[at[1]] : (*b)[at[2]];
  });
  return OnnxTensor{plan.shape(), std::move(y)};
}

absl::StatusOr<OnnxTensor> Where(const OnnxNode& node, OnnxInputs inputs, OnnxBudget* budget) {
  switch (inputs[1]->type()) {
    case OnnxType::kFloat:
      return Choose<float>(node, inputs, budget);
    case OnnxType::kDouble:
      return Choose<double>(node, inputs, budget);
    case OnnxType::kInt64:
      return Choose<int64_t>(node, inputs, budget);
    case OnnxType::kString:
      return Choose<absl::string_view>(node, inputs, budget);
    case OnnxType::kBool:
      return WrongType(node);
  }
  return WrongType(node);
}

// y = f(x), of the same shape.
template <typename In, typename Out, typename F>
absl::StatusOr<OnnxTensor> Unary(const OnnxNode& node, OnnxInputs inputs, OnnxBudget* budget,
                                 const F& f) {
  const std::vector<In>* const x = ValuesOf<In>(*inputs[0]);
  if (x == nullptr) return WrongType(node);
  TY_RETURN_IF_ERROR(budget->Spend(inputs[0]->element_count()));
  std::vector<Out> y(x->size());
  std::transform(x->begin(), x->end(), y.begin(), f);
  return OnnxTensor{inputs[0]->shape, std::move(y)};
}

template <float (*f)(float)>
absl::StatusOr<OnnxTensor> Function(const OnnxNode& node, OnnxInputs inputs, OnnxBudget* budget) {
  return Unary<float, float>(node, inputs, budget, f);
}

float Negative(float x) { return -x; }
float Relu(float x) { return x > 0 ? x : 0; }
float Sigmoid(float x) { return 1 / (1 + std::exp(-x)); }
float Softplus(float x) { return std::max(x, 0.0F) + std::log1p(std::exp(-std::abs(x))); }
float Tanh(float x) { return std::tanh(x); }
float Erf(float x) { return std::erf(x); }
float Exp(float x) { return std::exp(x); }
float Sqrt(float x) { return std::sqrt(x); }

absl::StatusOr<OnnxTensor> LeakyRelu(const OnnxNode& node, OnnxInputs inputs, OnnxBudget* budget) {
  const float alpha = node.NumberOr("alpha", 0.01F);
  return Unary<float, float>(node, inputs, budget,
                             [alpha](float x) { return x < 0 ? alpha * x : x; });
}

absl::StatusOr<OnnxTensor> Elu(const OnnxNode& node, OnnxInputs inputs, OnnxBudget* budget) {
  const float alpha = node.NumberOr("alpha", 1);
  return Unary<float, float>(node, inputs, budget,
                             [alpha](float x) { return x < 0 ? alpha * (std::exp(x) - 1) : x; });
}

absl::StatusOr<OnnxTensor> Selu(const OnnxNode& node, OnnxInputs inputs, OnnxBudget* budget) {
  const float alpha = node.NumberOr("alpha", 1.67326319217681884765625F);
  const float gamma = node.NumberOr("gamma", 1.05070102214813232421875F);
  return Unary<float, float>(node, inputs, budget, [alpha, gamma](float x) {
    return x > 0 ? gamma * x : gamma * (alpha * std::exp(x) - alpha);
  });
}

absl::StatusOr<OnnxTensor> HardSigmoid(const OnnxNode& node, OnnxInputs inputs,
                                       OnnxBudget* budget) {
  const float alpha = node.NumberOr("alpha", 0.2F);
  const float beta = node.NumberOr("beta", 0.5F);
  return Unary<float, float>(node, inputs, budget, [alpha, beta](float x) {
    return std::max(0.0F, std::min(1.0F, alpha * x + beta));
  });
}

absl::StatusOr<OnnxTensor> Clip(const OnnxNode& node, OnnxInputs inputs, OnnxBudget* budget) {
  const std::vector<float>* const low = ValuesOf<float>(*inputs[1]);
  const std::vector<float>* const high = ValuesOf<float>(*inputs[2]);
  if (low == nullptr || high == nullptr || low->size() != 1 || high->size() != 1) {
    return WrongType(node);
  }
  const float min = low->front();
  const float max = high->front();
  return Unary<float, float>(node, inputs, budget,
                             [min, max](float x) { return std::min(std::max(x, min), max); });
}

absl::StatusOr<OnnxTensor> IsNaN(const OnnxNode& node, OnnxInputs inputs, OnnxBudget* budget) {
  const auto is_nan = [](auto x) { return static_cast<uint8_t>(std::isnan(x) ? 1 : 0); };
  if (inputs[0]->type() == OnnxType::kDouble) {
    return Unary<double, uint8_t>(node, inputs, budget, is_nan);
  }
  return Unary<float, uint8_t>(node, inputs, budget, is_nan);
}

// A number as an integer only from truth: what is beyond the range of int64 has no meaning.
template <typename Out>
absl::StatusOr<OnnxTensor> CastTo(const OnnxNode& node, OnnxInputs inputs, OnnxBudget* budget) {
  const auto convert = [](auto x) { return static_cast<Out>(x); };
  constexpr bool kToReal = std::is_floating_point_v<Out>;
  switch (inputs[0]->type()) {
    case OnnxType::kBool:
      return Unary<uint8_t, Out>(node, inputs, budget, convert);
    case OnnxType::kFloat:
      if constexpr (kToReal) return Unary<float, Out>(node, inputs, budget, convert);
      return WrongType(node);
    case OnnxType::kDouble:
      if constexpr (kToReal) return Unary<double, Out>(node, inputs, budget, convert);
      return WrongType(node);
    case OnnxType::kInt64:
      return Unary<int64_t, Out>(node, inputs, budget, convert);
    case OnnxType::kString:
      return WrongType(node);
  }
  return WrongType(node);
}

absl::StatusOr<OnnxTensor> Cast(const OnnxNode& node, OnnxInputs inputs, OnnxBudget* budget) {
  const int64_t to = node.IntegerOr("to", 0);
  if (to == static_cast<int64_t>(OnnxType::kFloat)) return CastTo<float>(node, inputs, budget);
  if (to == static_cast<int64_t>(OnnxType::kDouble)) return CastTo<double>(node, inputs, budget);
  if (to == static_cast<int64_t>(OnnxType::kInt64)) return CastTo<int64_t>(node, inputs, budget);
  return OnnxFault(absl::StrCat("\"Cast\" to type ", to, " is not handled"));
}

constexpr OnnxOperator kOperators[] = {
    {"Add", "", 2, 2, Arithmetic<std::plus<>>},
    {"Sub", "", 2, 2, Arithmetic<std::minus<>>},
    {"Mul", "", 2, 2, Arithmetic<std::multiplies<>>},
    {"Div", "", 2, 2, Arithmetic<std::divides<>>},
    {"Equal", "", 2, 2, Equal},
    {"Greater", "", 2, 2, Greater},
    {"Where", "", 3, 3, Where},
    {"Cast", "", 1, 1, Cast},
    {"IsNaN", "", 1, 1, IsNaN},
    {"Neg", "", 1, 1, Function<Negative>},
    {"Relu", "", 1, 1, Function<Relu>},
    {"Sigmoid", "", 1, 1, Function<Sigmoid>},
    {"Softplus", "", 1, 1, Function<Softplus>},
    {"Tanh", "", 1, 1, Function<Tanh>},
    {"Erf", "", 1, 1, Function<Erf>},
    {"Exp", "", 1, 1, Function<Exp>},
    {"Sqrt", "", 1, 1, Function<Sqrt>},
    {"LeakyRelu", "", 1, 1, LeakyRelu},
    {"Elu", "", 1, 1, Elu},
    {"Selu", "", 1, 1, Selu},
    {"HardSigmoid", "", 1, 1, HardSigmoid},
    {"Clip", "", 3, 3, Clip},
};

}  // namespace

std::span<const OnnxOperator> OnnxElementwiseOperators() { return kOperators; }

}  // namespace trainyard
