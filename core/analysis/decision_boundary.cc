#include "core/analysis/decision_boundary.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>

#include "absl/strings/str_cat.h"
#include "core/analysis/axis.h"
#include "core/analysis/loss_evaluator.h"
#include "core/base/nearest.h"
#include "core/base/status_macros.h"
#include "core/data/resolve_features.h"

namespace trainyard {
namespace {

// Share of the rows' span added on each side.
constexpr double kMargin = 0.1;

struct Span {
  double min = std::numeric_limits<double>::infinity();
  double max = -std::numeric_limits<double>::infinity();
};

// One of the two features: which one it is, and how it was scaled.
class Axis {
 public:
  Axis(const Dataset& dataset, const std::string& name) {
    const std::vector<std::string>& names = dataset.config.feature_columns;
    const int64_t column = std::find(names.begin(), names.end(), name) - names.begin();
    feature_ = dataset.preprocessor.first_feature(column);
    offset_ = dataset.preprocessor.offsets()[static_cast<size_t>(column)];
    scale_ = dataset.preprocessor.scales()[static_cast<size_t>(column)];
  }

  size_t feature() const { return static_cast<size_t>(feature_); }
  // Original units → what the network sees, and back. A constant feature has scale 0 and always its
  // offset.
  float Scaled(double value) const { return static_cast<float>((value - offset_) * scale_); }
  double Original(float scaled) const { return scale_ == 0 ? offset_ : scaled / scale_ + offset_; }

  std::vector<double> Values(const AnalysisRows& rows, int64_t resolution) const {
    Span span;
    for (int64_t r = 0; r < rows.count; ++r) {
      const double value = Original(rows.part->features.row(r)[feature()]);
      span.min = std::min(span.min, value);
      span.max = std::max(span.max, value);
    }
    const double width = span.max > span.min ? span.max - span.min : 1;
    return EvenAxis(span.min - kMargin * width, span.max + kMargin * width, resolution);
  }

 private:
  int64_t feature_ = 0;
  double offset_ = 0;
  double scale_ = 1;
};

// Mean of each scaled feature over the rows: [features].
std::vector<float> MeanRow(const AnalysisRows& rows) {
  std::vector<double> sums(static_cast<size_t>(rows.part->features.cols()));
  for (int64_t r = 0; r < rows.count; ++r) {
    const std::span<const float> row = rows.part->features.row(r);
    for (size_t i = 0; i < sums.size(); ++i) sums[i] += row[i];
  }
  std::vector<float> means;
  for (const double sum : sums)
    means.push_back(static_cast<float>(sum / static_cast<double>(rows.count)));
  return means;
}

// What the network says of one row, as the picture shows it.
class Reader {
 public:
  Reader(Task task, const LossConfig& loss, int64_t outputs, size_t classes)
      : task_(task), loss_(loss), outputs_(outputs), probabilities_(std::max<size_t>(classes, 1)) {}

  void Append(const float* logits, DecisionBoundaryResult* result) {
    if (task_ == Task::kRegression) {
      result->values.push_back(ValueOf(loss_, logits[0]));
      return;
    }
    if (task_ == Task::kMultilabel) {
      LabelProbabilities(logits, 1, probabilities_.data());
      result->values.push_back(probabilities_[0]);
      result->class_indices.push_back(logits[0] > 0 ? 1 : 0);
      return;
    }
    Probabilities(logits, outputs_, probabilities_.data());
    const int32_t predicted = PredictedClass(logits, outputs_);
    result->values.push_back(
        probabilities_[task_ == Task::kBinary ? 1 : static_cast<size_t>(predicted)]);
    result->class_indices.push_back(predicted);
  }

 private:
  const Task task_;
  const LossConfig loss_;
  const int64_t outputs_;
  std::vector<double> probabilities_;
};

void AddPoints(const AnalysisRows& rows, int64_t count, const Axis& x, const Axis& y,
               const Dataset& dataset, DecisionBoundaryResult* result) {
  const Part& part = *rows.part;
  const int64_t outputs = dataset.output_count();
  for (int64_t r = 0; r < std::min(count, rows.count); ++r) {
    const std::span<const float> row = part.features.row(r);
    DecisionBoundaryResult::Point point{.x = x.Original(row[x.feature()]),
                                        .y = y.Original(row[y.feature()])};
    const auto target = static_cast<size_t>(r * (part.classes.empty() ? outputs : 1));
    if (dataset.config.task == Task::kRegression) {
      point.value = part.targets[target] * dataset.target_scale + dataset.target_offset;
    } else {
      point.class_index =
          part.classes.empty() ? static_cast<int32_t>(part.targets[target]) : part.classes[target];
    }
    result->points.push_back(point);
  }
}

void CheckFeature(absl::string_view name_of_field, const std::string& name, const DataConfig& data,
                  std::vector<FieldViolation>* violations) {
  const std::string field = absl::StrCat("analysis.decision_boundary.", name_of_field);
  const std::vector<std::string>& features = data.feature_columns;
  if (features.empty()) return;
  if (std::find(features.begin(), features.end(), name) != features.end()) {
    const Encoding encoding = GivenOptions(data).For(name).encoding;
    if (encoding == Encoding::kNumber || encoding == Encoding::kUnspecified) return;
    violations->push_back(
        {field, absl::StrCat("is \"", name,
                             "\", whose values are categories: name a feature that is a number")});
    return;
  }
  const std::string nearest = Nearest(name, features);
  violations->push_back(
      {field,
       absl::StrCat("is \"", name, "\", which is no feature of the network",
                    nearest.empty() ? "" : absl::StrCat(" (did you mean \"", nearest, "\"?)"),
                    ": name one of its feature columns")});
}

}  // namespace

void CheckDecisionBoundaryOptions(const DecisionBoundaryOptions& options, const DataConfig& data,
                                  std::vector<FieldViolation>* violations) {
  CheckFeature("x_feature", options.x_feature, data, violations);
  CheckFeature("y_feature", options.y_feature, data, violations);
  if (options.x_feature == options.y_feature) {
    violations->push_back(
        {"analysis.decision_boundary.y_feature",
         absl::StrCat("is \"", options.y_feature, "\", as x_feature: name another feature")});
  }
  if (options.resolution < 2 || options.resolution > kBoundaryResolutionMax) {
    violations->push_back({"analysis.decision_boundary.resolution",
                           absl::StrCat("is ", options.resolution, "; must be from 2 to ",
                                        kBoundaryResolutionMax, ": 81 is usual")});
  }
  if (options.rows_shown >= 0 && options.rows_shown <= kBoundaryRowsShownMax) return;
  violations->push_back({"analysis.decision_boundary.rows_shown",
                         absl::StrCat("is ", options.rows_shown, "; must be from 0 to ",
                                      kBoundaryRowsShownMax, ": 300 is usual")});
}

absl::StatusOr<DecisionBoundaryResult> ComputeDecisionBoundary(
    const AnalysisInput& input, const DecisionBoundaryOptions& options) {
  TY_ASSIGN_OR_RETURN(const AnalysisRows rows, SelectRows(input));
  const int64_t outputs = input.dataset.output_count();
  const Task task = input.dataset.config.task;
  const Axis x(input.dataset, options.x_feature);
  const Axis y(input.dataset, options.y_feature);
  DecisionBoundaryResult result{.x_axis = x.Values(rows, options.resolution),
                                .y_axis = y.Values(rows, options.resolution),
                                .classes = input.dataset.classes,
                                .row_count = rows.count};
  AddPoints(rows, options.rows_shown, x, y, input.dataset, &result);

  SetKernelThreads(1);
  TY_ASSIGN_OR_RETURN(const std::unique_ptr<Mlp> mlp,
                      Mlp::Create(ConfigOf(input.weights), *CreateFastKernels(),
                                  {.forward = {options.resolution}}));
  TY_RETURN_IF_ERROR(mlp->LoadWeights(input.weights));
  Reader reader(task, LossConfigOf(input.config, input.dataset), outputs,
                input.dataset.classes.size());
  const std::vector<float> mean = MeanRow(rows);
  Matrix grid(options.resolution, rows.part->features.cols());
  for (int64_t i = 0; i < options.resolution; ++i) {
    TY_RETURN_IF_ERROR(CheckNotStopped(input));
    for (int64_t j = 0; j < options.resolution; ++j) {
      std::copy(mean.begin(), mean.end(), grid.row(j).begin());
      grid.row(j)[x.feature()] = x.Scaled(result.x_axis[static_cast<size_t>(j)]);
      grid.row(j)[y.feature()] = y.Scaled(result.y_axis[static_cast<size_t>(i)]);
    }
    TY_RETURN_IF_ERROR(mlp->Forward(grid.data(), options.resolution));
    for (int64_t j = 0; j < options.resolution; ++j)
      reader.Append(mlp->logits() + j * outputs, &result);
    input.Report(i + 1, options.resolution);
  }
  return result;
}

}  // namespace trainyard
