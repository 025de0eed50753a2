#include "core/model/npz_weights.h"

#include <algorithm>
#include <map>
#include <optional>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "core/base/error_info.h"

namespace trainyard {
namespace {

enum class Role : uint8_t { kWeights, kTransposedWeights, kBiases };

struct Word {
  absl::string_view text;
  Role role;
};

// What stands behind the last dot. PyTorch's `weight` is [out, in].
constexpr Word kSuffixes[] = {{".weights", Role::kWeights},
                              {".biases", Role::kBiases},
                              {".weight", Role::kTransposedWeights},
                              {".bias", Role::kBiases}};
// What stands in front of the number.
constexpr Word kPrefixes[] = {{"w", Role::kWeights},       {"b", Role::kBiases},
                              {"weight", Role::kWeights},  {"bias", Role::kBiases},
                              {"weights", Role::kWeights}, {"biases", Role::kBiases},
                              {"coefs", Role::kWeights},   {"intercepts", Role::kBiases}};

// A name taken apart: "net.2.weight" is the weights of number 2 of "net.#".
struct ArrayName {
  Role role;
  std::string family;  // what the names of all layers share
  int64_t number = 0;
};

// Splits "net.2" or "fc1" into "net.#" and 2, at its last digits.
std::optional<ArrayName> Numbered(Role role, absl::string_view stem) {
  const auto is_digit = [](char c) { return absl::ascii_isdigit(static_cast<unsigned char>(c)); };
  size_t end = stem.size();
  while (end > 0 && !is_digit(stem[end - 1])) --end;
  size_t begin = end;
  while (begin > 0 && is_digit(stem[begin - 1])) --begin;
  ArrayName name{.role = role};
  if (!absl::SimpleAtoi(stem.substr(begin, end - begin), &name.number)) return std::nullopt;
  name.family = absl::StrCat(stem.substr(0, begin), "#", stem.substr(end));
  return name;
}

std::optional<ArrayName> ParseName(absl::string_view text) {
  const std::string lower = absl::AsciiStrToLower(text);
  for (const Word& suffix : kSuffixes) {
    absl::string_view stem = lower;
    if (absl::ConsumeSuffix(&stem, suffix.text)) return Numbered(suffix.role, stem);
  }
  for (const Word& prefix : kPrefixes) {
    absl::string_view number = lower;
    if (!absl::ConsumePrefix(&number, prefix.text)) continue;
    absl::ConsumePrefix(&number, "_");
    const bool digits = !number.empty() && number.find_first_not_of("0123456789") == number.npos;
    if (digits) return Numbered(prefix.role, number);
  }
  return std::nullopt;
}

std::string ShapeText(const std::vector<int64_t>& shape) {
  return absl::StrCat("[", absl::StrJoin(shape, ", "), "]");
}

std::string Place(const NpzArray& array) { return absl::StrCat("array \"", array.name, "\""); }

// The arrays of one layer.
struct LayerArrays {
  const NpzArray* weights = nullptr;
  const NpzArray* biases = nullptr;
  bool transposed = false;
};

class LayerFinder {
 public:
  absl::StatusOr<std::vector<AffineLayer>> Find(const std::vector<NpzArray>& arrays) {
    for (const NpzArray& array : arrays) Sort(array);
    if (violations_.empty() && layers_.empty()) {
      Fault("arrays", "there are none: name them layer0.weights, layer0.biases and so on");
    }
    std::vector<AffineLayer> found;
    for (const auto& [number, layer] : layers_) Add(number, layer, &found);
    if (violations_.empty()) return found;
    return MakeViolationsError(ErrorReason::kInvalidRequest, std::move(violations_));
  }

 private:
  void Fault(std::string place, std::string what) {
    violations_.push_back({std::move(place), std::move(what)});
  }

  // Gives an array its place in a layer.
  void Sort(const NpzArray& array) {
    const std::optional<ArrayName> name = ParseName(array.name);
    if (!name) {
      return Fault(Place(array),
                   "is not known as weights or biases of a layer: name it layer0.weights or "
                   "layer0.biases with the layer's number, or leave it out of the file");
    }
    const NpzArray*& family = name->role == Role::kBiases ? biases_ : weights_;
    if (family == nullptr) {
      family = &array;
    } else if (const std::string first = ParseName(family->name)->family; first != name->family) {
      return Fault(Place(array), absl::StrCat("is not named as \"", family->name,
                                              "\" is, so the order of the layers is not known: "
                                              "let the names differ in their last number only"));
    }
    LayerArrays& layer = layers_[name->number];
    const NpzArray*& place = name->role == Role::kBiases ? layer.biases : layer.weights;
    if (place != nullptr) {
      return Fault(Place(array), absl::StrCat("is the same of layer ", name->number, " as \"",
                                              place->name, "\": leave one of them out"));
    }
    place = &array;
    if (name->role == Role::kTransposedWeights) layer.transposed = true;
  }

  void Add(int64_t number, const LayerArrays& layer, std::vector<AffineLayer>* found) {
    if (layer.weights == nullptr) {
      return Fault(Place(*layer.biases),
                   absl::StrCat("has no weights beside it: add those of number ", number));
    }
    const NpzArray& weights = *layer.weights;
    if (weights.shape.size() != 2 || weights.values.empty()) {
      return Fault(Place(weights), absl::StrCat("has the shape ", ShapeText(weights.shape),
                                                "; weights are [in, out], both above 0"));
    }
    AffineLayer affine{.in = weights.shape[layer.transposed ? 1 : 0],
                       .out = weights.shape[layer.transposed ? 0 : 1]};
    CheckChain(weights, affine, found->empty() ? affine.in : found->back().out);
    affine.weights =
        layer.transposed ? Transposed(weights.values, affine.out, affine.in) : weights.values;
    if (layer.biases != nullptr) affine.biases = Biases(*layer.biases, weights, affine.out);
    found->push_back(std::move(affine));
  }

  // REQUIRES: two axes.
  void CheckChain(const NpzArray& weights, const AffineLayer& layer, int64_t in) {
    if (layer.in == in) return;
    const bool turned = layer.out == in;
    Fault(Place(weights),
          absl::StrCat("has the shape ", ShapeText(weights.shape), ", which takes ", layer.in,
                       " inputs, and the layer before it gives ", in,
                       turned ? ": transpose it, or name the arrays as PyTorch does "
                                "(0.weight) where they are [out, in]"
                              : ": weights are [in, out], or [out, in] when named as PyTorch's "
                                "(0.weight)"));
  }

  std::vector<float> Biases(const NpzArray& biases, const NpzArray& weights, int64_t out) {
    const bool flat = std::count_if(biases.shape.begin(), biases.shape.end(),
                                    [](int64_t size) { return size != 1; }) <= 1;
    if (!flat || biases.shape.empty() || static_cast<int64_t>(biases.values.size()) != out) {
      Fault(Place(biases),
            absl::StrCat("has the shape ", ShapeText(biases.shape), "; \"", weights.name, "\" is ",
                         ShapeText(weights.shape), ", so it must be [", out, "]"));
    }
    return biases.values;
  }

  // [rows, cols] → [cols, rows].
  static std::vector<float> Transposed(const std::vector<float>& x, int64_t rows, int64_t cols) {
    std::vector<float> turned(x.size());
    for (int64_t r = 0; r < rows; ++r) {
      for (int64_t c = 0; c < cols; ++c) turned[c * rows + r] = x[r * cols + c];
    }
    return turned;
  }

  std::map<int64_t, LayerArrays> layers_;  // by number
  // The first of each, which says how the others are named.
  const NpzArray* weights_ = nullptr;
  const NpzArray* biases_ = nullptr;
  std::vector<FieldViolation> violations_;
};

}  // namespace

absl::StatusOr<std::vector<AffineLayer>> LayersOfArrays(const std::vector<NpzArray>& arrays) {
  return LayerFinder().Find(arrays);
}

}  // namespace trainyard
