// Meters: what is measured of a model's outputs. Trainer's evaluation and Predictor::Evaluate use the same code.
//
// [SEAM written first by the lead; the engine owner completes it and keeps EvalResult.]
#ifndef TRAINYARD_CORE_NN_METER_H_
#define TRAINYARD_CORE_NN_METER_H_

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace trainyard {

// What a pass in evaluation mode measured.
struct EvalResult {
  int64_t rows = 0;  // 0: there was nothing to measure, metrics is empty
  // "loss" first, then "accuracy" (classification) or "rmse", "mae", "r2" (regression).
  std::vector<std::pair<std::string, double>> metrics;
};

}  // namespace trainyard

#endif  // TRAINYARD_CORE_NN_METER_H_
