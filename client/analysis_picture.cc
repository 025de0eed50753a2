#include "client/analysis_picture.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "absl/strings/str_cat.h"
#include "client/render.h"

namespace trainyard {
namespace {

using Align = TextTable::Align;
using Doubles = google::protobuf::RepeatedField<double>;

// Ratio of greatest to least loss from which on the logarithm shows more.
constexpr double kLogarithmRatioMin = 20;
// An eigenvalue nearer to zero than this share of the largest one (by magnitude) is zero as far as
// single precision can tell.
constexpr double kFlatShare = 1e-4;
constexpr int kCollapsedInputsShownMax = 20;
constexpr int kCollapsedOutputsShownMax = 8;

std::vector<double> Numbers(const Doubles& numbers) { return {numbers.begin(), numbers.end()}; }

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
  const Curve curve{Numbers(result.axis()), Numbers(result.losses())};
  const char* const meaning =
      result.barrier() > 0 ? "the loss rises between them" : "no barrier between them";
  return absl::StrCat("loss on the line from the network (0) to the other model (1)\n",
                      LineChart({curve}, {.width = style.width}), "barrier ",
                      FormatNumber(result.barrier()), ": ", meaning, "\n");
}

std::string CollapsedTable(const v1::LinearCollapseResult& result) {
  const int outputs = result.biases_size();
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

std::string BoundaryKey(const std::vector<std::string>& classes) {
  if (classes.empty()) return "shade: the value\n";
  std::string text = "signs are rows by their class:";
  for (size_t i = 0; i < classes.size(); ++i) {
    absl::StrAppend(&text, " ", std::string(1, SignOf(static_cast<int32_t>(i))), " ",
                    Printable(classes[i]));
  }
  return text + "\n";
}

std::string ShadeText(const std::vector<std::string>& classes) {
  if (classes.empty()) return "the predicted value";
  if (classes.size() > 2) return "the predicted class";
  return absl::StrCat("the probability of ", Printable(classes.back()));
}

std::string DescribeBoundary(const v1::DecisionBoundaryResult& result,
                             const AnalysisContext& context, const ChartStyle& style) {
  const std::vector<std::string> classes = BoundaryClasses(result, context.task);
  Grid grid{.values = Numbers(result.values()),
            .columns = result.x_axis_size(),
            .rows = result.y_axis_size()};
  // Of several classes the region says more than how sure the model is of it.
  if (classes.size() > 2) {
    grid.values.assign(result.class_indices().begin(), result.class_indices().end());
  }
  for (const auto& point : result.points()) {
    if (classes.empty()) break;
    grid.marks.push_back({IndexOf(result.x_axis(), point.x()), IndexOf(result.y_axis(), point.y()),
                          SignOf(point.class_index())});
  }
  return absl::StrCat("shade is ", ShadeText(classes), "; x: ", Printable(context.x_feature), " ",
                      AxisText(result.x_axis()), ", y: ", Printable(context.y_feature), " ",
                      AxisText(result.y_axis()), "\n", HeatMap(grid, style), BoundaryKey(classes));
}

bool IsSpectrumKnown(const v1::HessianResult& result) {
  return result.converged() && std::isfinite(result.eigenvalue_max()) &&
         std::isfinite(result.eigenvalue_min());
}

std::string CurvatureText(const v1::HessianResult& result) {
  if (!IsSpectrumKnown(result)) return "whether the loss is convex here is unknown: not converged";
  const double flat =
      kFlatShare * std::max(std::abs(result.eigenvalue_max()), std::abs(result.eigenvalue_min()));
  if (result.eigenvalue_min() < -flat) {
    return "not convex here: the loss has a direction that curves down";
  }
  if (result.eigenvalue_min() > flat) return "convex here: the loss curves up in every direction";
  return "no direction curves down, but some are flat within the accuracy of the eigenvalues";
}

std::string DescribeHessian(const v1::HessianResult& result) {
  std::string text = absl::StrCat("largest eigenvalue   ", FormatNumber(result.eigenvalue_max()),
                                  "\nsmallest eigenvalue  ", FormatNumber(result.eigenvalue_min()),
                                  "\ngradient norm        ", FormatNumber(result.gradient_norm()),
                                  "\nresidual             ", FormatNumber(result.residual()), "\n",
                                  CurvatureText(result), "\n");
  if (IsSpectrumKnown(result) && result.eigenvalue_max() > 0) {
    absl::StrAppend(&text, "plain gradient descent is stable up to learning rate ",
                    FormatNumber(2 / result.eigenvalue_max()), "\n");
  }
  return absl::StrCat(text, result.converged() ? "converged" : "not converged", " after ",
                      result.iterations(), " iterations\n");
}

std::string DescribeFinder(const v1::LearningRateFinderResult& result, const ChartStyle& style) {
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

bool Fits(const v1::DecisionBoundaryResult& result) {
  const int64_t points = int64_t{result.x_axis_size()} * result.y_axis_size();
  const bool has_classes = result.classes().empty() || result.class_indices_size() == points;
  return points > 0 && result.values_size() == points && has_classes;
}

std::string DescribeKind(const v1::AnalysisResult& result, const AnalysisContext& context,
                         const ChartStyle& style) {
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
      return DescribeBoundary(result.decision_boundary(), context, style);
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

AnalysisContext ContextOf(const v1::TrainingJob& job) {
  AnalysisContext context{.task = job.resolved_spec().task()};
  if (job.analysis().has_decision_boundary()) {
    context.x_feature = job.analysis().decision_boundary().x_feature();
    context.y_feature = job.analysis().decision_boundary().y_feature();
  }
  return context;
}

std::vector<std::string> BoundaryClasses(const v1::DecisionBoundaryResult& result, v1::Task task) {
  if (result.classes().empty()) return {};
  if (task != v1::TASK_MULTILABEL) return {result.classes().begin(), result.classes().end()};
  return {absl::StrCat("not ", result.classes(0)), result.classes(0)};
}

std::string Misfit(const v1::AnalysisResult& result) {
  const v1::LossLandscapeResult& landscape = result.loss_landscape();
  const int64_t size = landscape.axis_size();
  if (result.has_loss_landscape() && (size == 0 || landscape.losses_size() != size * size)) {
    return "axis and losses";
  }
  if (result.loss_line().axis_size() != result.loss_line().losses_size()) return "axis and losses";
  const v1::LinearCollapseResult& collapse = result.linear_collapse();
  const int outputs = collapse.biases_size();
  if (collapse.linear() && (outputs == 0 || collapse.weights_size() % outputs != 0)) {
    return "weights and biases";
  }
  if (result.has_decision_boundary() && !Fits(result.decision_boundary())) return "axes and values";
  const v1::LearningRateFinderResult& finder = result.learning_rate_finder();
  const int steps = finder.learning_rates_size();
  if (finder.losses_size() != steps || finder.smoothed_losses_size() != steps) {
    return "learning rates and losses";
  }
  return "";
}

std::string DescribeAnalysis(const v1::AnalysisResult& result, const AnalysisContext& context,
                             const ChartStyle& style) {
  const std::string misfit = Misfit(result);
  if (!misfit.empty()) {
    return absl::StrCat("the result's ", misfit, " do not fit each other (-o json shows it)\n");
  }
  return absl::StrCat(DescribeKind(result, context, style), "on ", FormatCount(result.row_count()),
                      " rows\n");
}

}  // namespace trainyard
