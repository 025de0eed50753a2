#include "client/analysis_picture.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "absl/strings/str_cat.h"
#include "client/render.h"

namespace trainyard {
namespace {

using Align = TextTable::Align;
using Doubles = google::protobuf::RepeatedField<double>;

// Ratio of greatest to least loss from which on the logarithm shows more.
constexpr double kLogarithmRatioMin = 20;
constexpr int kCollapsedInputsShownMax = 20;
constexpr int kCollapsedOutputsShownMax = 8;

std::vector<double> Numbers(const Doubles& numbers) { return {numbers.begin(), numbers.end()}; }

std::string Malformed(const char* what) {
  return absl::StrCat("the result's ", what, " do not fit each other (-o json shows it)\n");
}

std::string DescribeGradientCheck(const v1::GradientCheckResult& result) {
  TextTable table({{"TENSOR"},
                   {"CHECKED", Align::kRight},
                   {"FAILED", Align::kRight},
                   {"LARGEST ERROR", Align::kRight},
                   {"AT", Align::kRight},
                   {"BACKPROPAGATION", Align::kRight},
                   {"NUMERIC", Align::kRight}});
  for (const auto& tensor : result.tensors()) {
    table.AddRow({tensor.name(), FormatCount(tensor.checked_count()),
                  FormatCount(tensor.failed_count()), FormatNumber(tensor.error_max()),
                  FormatCount(tensor.worst_index()), FormatNumber(tensor.worst_analytic()),
                  FormatNumber(tensor.worst_numeric())});
  }
  return absl::StrCat(table.Render(),
                      result.passed() ? "passed: backpropagation agrees with central differences\n"
                                      : "FAILED: see the tensors above\n");
}

// The index whose value on the axis is nearest to `value`.
int64_t IndexOf(const Doubles& axis, double value) {
  const auto nearest = std::min_element(axis.begin(), axis.end(), [value](double a, double b) {
    return std::abs(a - value) < std::abs(b - value);
  });
  return nearest - axis.begin();
}

std::string AxisText(const Doubles& axis) {
  return absl::StrCat(FormatNumber(axis.Get(0)), " to ", FormatNumber(axis.Get(axis.size() - 1)));
}

std::string DescribeLandscape(const v1::LossLandscapeResult& result, const ChartStyle& style) {
  const int64_t size = result.axis_size();
  if (size == 0 || result.losses_size() != size * size) return Malformed("axis and losses");
  const int64_t centre = IndexOf(result.axis(), 0);
  const Grid grid{.values = Numbers(result.losses()),
                  .columns = size,
                  .rows = size,
                  .logarithmic = WantsLogarithm(result.losses()),
                  .marks = {{centre, centre, '+'}}};
  return absl::StrCat("loss over two random directions, each ", AxisText(result.axis()),
                      grid.logarithmic ? ", shaded by its logarithm" : "", "; + is the network\n",
                      HeatMap(grid, style), "loss there ", FormatNumber(result.centre()), "\n");
}

std::string DescribeLine(const v1::LossLineResult& result, const ChartStyle& style) {
  if (result.axis_size() != result.losses_size()) return Malformed("axis and losses");
  const Curve curve{Numbers(result.axis()), Numbers(result.losses())};
  const char* const meaning =
      result.barrier() > 0 ? "the loss rises between them" : "no barrier between them";
  return absl::StrCat("loss on the line from the network (0) to the other model (1)\n",
                      LineChart({curve}, {.width = style.width}), "barrier ",
                      FormatNumber(result.barrier()), ": ", meaning, "\n");
}

std::string CollapsedTable(const v1::LinearCollapseResult& result) {
  const int outputs = result.biases_size();
  if (outputs == 0 || result.weights_size() % outputs != 0) return Malformed("weights and biases");
  const int inputs = result.weights_size() / outputs;
  if (outputs > kCollapsedOutputsShownMax || inputs > kCollapsedInputsShownMax) {
    return absl::StrCat(FormatCount(inputs), " × ", FormatCount(outputs),
                        " weights (-o json shows them)\n");
  }
  std::vector<TextTable::Column> columns = {{""}};
  for (int i = 0; i < outputs; ++i) columns.push_back({absl::StrCat("OUTPUT ", i), Align::kRight});
  TextTable table(columns);
  const auto add = [&](std::string name, const Doubles& numbers, int first) {
    std::vector<std::string> cells = {std::move(name)};
    for (int i = 0; i < outputs; ++i) cells.push_back(FormatNumber(numbers.Get(first + i)));
    table.AddRow(std::move(cells));
  };
  for (int i = 0; i < inputs; ++i) add(absl::StrCat("feature ", i), result.weights(), i * outputs);
  add("b'", result.biases(), 0);
  return table.Render();
}

std::string DescribeCollapse(const v1::LinearCollapseResult& result) {
  if (!result.linear()) {
    return absl::StrCat("not linear: ", Printable(result.reason()), " (",
                        FormatCount(result.parameter_count()), " parameters)\n");
  }
  return absl::StrCat("linear: its ", FormatCount(result.parameter_count()),
                      " parameters multiply out to W'x + b' with ",
                      FormatCount(result.collapsed_parameter_count()),
                      "; largest difference on the rows ", FormatNumber(result.difference_max()),
                      "\n", CollapsedTable(result));
}

std::vector<std::string> SummaryRow(const std::string& name, const char* what,
                                    const v1::LayerStatisticsResult::Summary& summary) {
  return {name,
          what,
          FormatNumber(summary.mean()),
          FormatNumber(summary.standard_deviation()),
          FormatNumber(summary.min()),
          FormatNumber(summary.max()),
          FormatNumber(summary.zero_fraction()),
          Bars({summary.histogram().data(), static_cast<size_t>(summary.histogram_size())})};
}

std::string DescribeStatistics(const v1::LayerStatisticsResult& result) {
  TextTable numbers({{"LAYER"},
                     {"OF"},
                     {"MEAN", Align::kRight},
                     {"STDDEV", Align::kRight},
                     {"MIN", Align::kRight},
                     {"MAX", Align::kRight},
                     {"ZEROS", Align::kRight},
                     {"MIN TO MAX"}});
  TextTable health({{"LAYER"},
                    {"WEIGHT NORM", Align::kRight},
                    {"GRADIENT NORM", Align::kRight},
                    {"DEAD UNITS", Align::kRight},
                    {"SATURATED", Align::kRight}});
  for (const auto& layer : result.layers()) {
    numbers.AddRow(SummaryRow(layer.name(), "weights", layer.weights()));
    numbers.AddRow(SummaryRow("", "activations", layer.activations()));
    numbers.AddRow(SummaryRow("", "gradients", layer.gradients()));
    health.AddRow({layer.name(), FormatNumber(layer.weight_norm()),
                   FormatNumber(layer.gradient_norm()), FormatNumber(layer.dead_unit_fraction()),
                   FormatNumber(layer.saturated_fraction())});
  }
  return absl::StrCat(numbers.Render(), health.Render());
}

// Digits and letters, by class.
char SignOf(int32_t class_index) {
  constexpr absl::string_view kSigns = "0123456789abcdefghijklmnopqrstuvwxyz";
  const auto index = static_cast<size_t>(std::max(class_index, 0));
  return index < kSigns.size() ? kSigns[index] : '?';
}

std::string BoundaryKey(const v1::DecisionBoundaryResult& result) {
  if (result.classes().empty()) return "shade: the value\n";
  std::string text = "signs are rows by their class:";
  for (int i = 0; i < result.classes_size(); ++i) {
    absl::StrAppend(&text, " ", std::string(1, SignOf(i)), " ", Printable(result.classes(i)));
  }
  return text + "\n";
}

std::string DescribeBoundary(const v1::DecisionBoundaryResult& result, const ChartStyle& style) {
  const int64_t columns = result.x_axis_size();
  const int64_t rows = result.y_axis_size();
  if (columns * rows == 0 || result.values_size() != columns * rows) {
    return Malformed("axes and values");
  }
  Grid grid{.values = Numbers(result.values()), .columns = columns, .rows = rows};
  // Of several classes the region says more than how sure the model is of it.
  const bool regions = result.classes_size() > 2 && result.class_indices_size() == columns * rows;
  if (regions) grid.values.assign(result.class_indices().begin(), result.class_indices().end());
  for (const auto& point : result.points()) {
    if (result.classes().empty()) break;
    grid.marks.push_back({IndexOf(result.x_axis(), point.x()), IndexOf(result.y_axis(), point.y()),
                          SignOf(point.class_index())});
  }
  const char* const shade = regions ? "the predicted class" : "the model's output";
  return absl::StrCat("shade is ", shade, "; x ", AxisText(result.x_axis()), ", y ",
                      AxisText(result.y_axis()), "\n", HeatMap(grid, style), BoundaryKey(result));
}

std::string DescribeHessian(const v1::HessianResult& result) {
  std::string text = absl::StrCat("largest eigenvalue   ", FormatNumber(result.eigenvalue_max()),
                                  "\nsmallest eigenvalue  ", FormatNumber(result.eigenvalue_min()),
                                  "\ngradient norm        ", FormatNumber(result.gradient_norm()),
                                  "\nresidual             ", FormatNumber(result.residual()), "\n");
  absl::StrAppend(&text, result.eigenvalue_min() < 0
                             ? "the loss is not convex here: it curves down in a direction\n"
                             : "the loss curves up in every direction here\n");
  if (result.eigenvalue_max() > 0) {
    absl::StrAppend(&text, "plain gradient descent is stable up to learning rate ",
                    FormatNumber(2 / result.eigenvalue_max()), "\n");
  }
  return absl::StrCat(text, result.converged() ? "converged" : "not converged", " after ",
                      result.iterations(), " iterations\n");
}

std::string DescribeFinder(const v1::LearningRateFinderResult& result, const ChartStyle& style) {
  if (result.learning_rates_size() != result.smoothed_losses_size()) {
    return Malformed("learning rates and losses");
  }
  const Curve curve{Numbers(result.learning_rates()), Numbers(result.smoothed_losses())};
  const std::string suggestion =
      result.suggestion() > 0
          ? absl::StrCat("suggestion: --learning-rate ", FormatNumber(result.suggestion()),
                         " (where it falls fastest)")
          : "no suggestion: the loss never falls";
  return absl::StrCat("smoothed loss while the learning rate grows\n",
                      LineChart({curve}, {.width = style.width, .logarithmic_x = true}), suggestion,
                      result.diverged() ? "; diverged at the end\n" : "\n");
}

std::string DescribeKind(const v1::AnalysisResult& result, const ChartStyle& style) {
  switch (result.kind_case()) {
    case v1::AnalysisResult::kGradientCheck:
      return DescribeGradientCheck(result.gradient_check());
    case v1::AnalysisResult::kLossLandscape:
      return DescribeLandscape(result.loss_landscape(), style);
    case v1::AnalysisResult::kLossLine:
      return DescribeLine(result.loss_line(), style);
    case v1::AnalysisResult::kLinearCollapse:
      return DescribeCollapse(result.linear_collapse());
    case v1::AnalysisResult::kLayerStatistics:
      return DescribeStatistics(result.layer_statistics());
    case v1::AnalysisResult::kDecisionBoundary:
      return DescribeBoundary(result.decision_boundary(), style);
    case v1::AnalysisResult::kHessian:
      return DescribeHessian(result.hessian());
    case v1::AnalysisResult::kLearningRateFinder:
      return DescribeFinder(result.learning_rate_finder(), style);
    case v1::AnalysisResult::KIND_NOT_SET:
      return "a result of a kind that this client does not know\n";
  }
  return "";
}

}  // namespace

bool WantsLogarithm(const Doubles& losses) {
  double least = std::numeric_limits<double>::infinity();
  double greatest = 0;
  for (const double loss : losses) {
    if (!std::isfinite(loss)) continue;
    least = std::min(least, loss);
    greatest = std::max(greatest, loss);
  }
  return least > 0 && greatest > kLogarithmRatioMin * least;
}

std::string DescribeAnalysis(const v1::AnalysisResult& result, const ChartStyle& style) {
  return absl::StrCat(DescribeKind(result, style), "on ", FormatCount(result.row_count()),
                      " rows\n");
}

}  // namespace trainyard
