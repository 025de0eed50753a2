// Preprocessor turns raw feature values into what the network sees. It is fitted on training rows
// only, is stored inside the bundle, and the same code runs in training and prediction.
//
//   Preprocessor p = Preprocessor::Fit(columns, train_rows, Scaling::kStandardize);
//   p.Apply(raw, scaled);          // [features] doubles → [features] floats
//
// Formula: x' = (x - mean) / standard deviation (divisor N, accumulated in extended precision); a
// constant feature becomes 0. Thread-safety: immutable once fitted. Units: raw values in the
// table's units, scaled ones without unit.
#ifndef TRAINYARD_CORE_DATA_PREPROCESSOR_H_
#define TRAINYARD_CORE_DATA_PREPROCESSOR_H_

#include <cstdint>
#include <span>
#include <vector>

#include "core/data/table.h"

namespace trainyard {

// Numbers equal trainyard.v1.Scaling and are persisted in bundles.
enum class Scaling : uint8_t { kUnspecified = 0, kStandardize = 1, kNone = 2 };

class Preprocessor {
 public:
  Preprocessor() = default;
  // As stored in a bundle. REQUIRES: both [features]. scales are the factors: 1/σ, or 0 for a
  // constant feature.
  Preprocessor(std::vector<double> offsets, std::vector<double> scales);

  // `columns` are the feature columns, numeric, without missing cells in `rows`.
  static Preprocessor Fit(std::span<const Column* const> columns, std::span<const int64_t> rows,
                          Scaling scaling);

  // out[i] = float((raw[i] - offsets[i]) * scales[i]). REQUIRES: both spans [features].
  void Apply(std::span<const double> raw, std::span<float> out) const;

  int64_t feature_count() const { return static_cast<int64_t>(offsets_.size()); }
  const std::vector<double>& offsets() const { return offsets_; }  // [features]
  const std::vector<double>& scales() const { return scales_; }    // [features]

 private:
  std::vector<double> offsets_;
  std::vector<double> scales_;
};

}  // namespace trainyard

#endif  // TRAINYARD_CORE_DATA_PREPROCESSOR_H_
