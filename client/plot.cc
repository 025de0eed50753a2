#include "client/plot.h"

#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <memory>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "client/exit_code.h"
#include "client/local_file.h"
#include "client/render.h"
#include "core/base/status_macros.h"

extern char** environ;

namespace trainyard {
namespace {

using Kind = v1::AnalysisResult::KindCase;
using Doubles = google::protobuf::RepeatedField<double>;

constexpr char kNumbersHint[] = "--json FILE writes the numbers";
// Of gnuplot's words that are shown.
constexpr size_t kWordsMax = 500;

// Viridis: as bright as the value is great, for people who see few colours too.
constexpr char kPalette[] =
    "set palette defined (0 '#440154', 1 '#3b528b', 2 '#21918c', 3 '#5ec962', "
    "4 '#fde725')";

bool IsPng(const PlotOptions& options) { return absl::EndsWith(options.path, ".png"); }

// A string of gnuplot's in single quotes: between those only the quote itself means anything,
// while between double quotes what stands in backquotes is run by a shell. No line end is left.
std::string Quoted(absl::string_view text) {
  return absl::StrCat("'", absl::StrReplaceAll(Printable(text), {{"'", "''"}}), "'");
}

// All digits: neighbours may differ in the last ones only.
std::string Number(double value) {
  return std::isfinite(value) ? absl::StrFormat("%.17g", value) : std::string("NaN");
}

// A block of data by name: x y value, rows of the grid with blank lines between.
std::string GridData(const Doubles& x_axis, const Doubles& y_axis, const Doubles& values) {
  std::string text = "$grid << EOD\n";
  for (int y = 0; y < y_axis.size(); ++y) {
    for (int x = 0; x < x_axis.size(); ++x) {
      absl::StrAppend(&text, Number(x_axis.Get(x)), " ", Number(y_axis.Get(y)), " ",
                      Number(values.Get(y * x_axis.size() + x)), "\n");
    }
    text += "\n";
  }
  return text + "EOD\n";
}

std::string CurveData(const Doubles& x, const Doubles& first, const Doubles& second) {
  std::string text = "$curve << EOD\n";
  for (int i = 0; i < std::min({x.size(), first.size(), second.size()}); ++i) {
    absl::StrAppend(&text, Number(x.Get(i)), " ", Number(first.Get(i)), " ", Number(second.Get(i)),
                    "\n");
  }
  return text + "EOD\n";
}

// A block of data by `name`: x y; a point that is not finite breaks the line.
std::string NamedData(absl::string_view name, const Curve& curve) {
  std::string text = absl::StrCat(name, " << EOD\n");
  for (size_t i = 0; i < std::min(curve.x.size(), curve.y.size()); ++i) {
    absl::StrAppend(&text, Number(curve.x[i]), " ", Number(curve.y[i]), "\n");
  }
  return text + "EOD\n";
}

std::string Head(const PlotOptions& options) {
  const char* const terminal = IsPng(options)
                                   ? "pngcairo size 1000,800 noenhanced"
                                   : "svg size 1000,800 noenhanced background rgb 'white'";
  return absl::StrCat("set terminal ", terminal, "\nset encoding utf8\n", kPalette, "\n");
}

std::string LandscapeProgram(const v1::LossLandscapeResult& result, const PlotOptions& options) {
  const char* const scale = WantsLogarithm(result.losses()) ? "set logscale zcb\n" : "";
  std::string text = absl::StrCat(GridData(result.axis(), result.axis(), result.losses()), scale,
                                  "set title 'loss over two random directions'\n",
                                  "set xlabel 'a'\nset ylabel 'b'\nset cblabel 'loss'\n",
                                  "unset key\nset contour base\nset cntrparam levels auto 20\n",
                                  "set cntrlabel onecolor\n");
  if (options.surface) {
    absl::StrAppend(&text, "set view 50,35\nset ticslevel 0.1\nset hidden3d\n",
                    "splot $grid using 1:2:3 with pm3d, ",
                    "$grid using 1:2:3 with lines lw 0.3 lc rgb '#808080'\n");
  } else {
    absl::StrAppend(&text, "set view map\nset size square\n", "splot $grid using 1:2:3 with pm3d, ",
                    "$grid using 1:2:3 with lines nosurface lw 0.7 lc rgb '#ffffff'\n");
  }
  return text;
}

std::string LineProgram(const v1::LossLineResult& result) {
  return absl::StrCat(CurveData(result.axis(), result.losses(), result.losses()),
                      "set title 'loss on the line between two models'\n",
                      "set xlabel 'a: the network at 0, the other model at 1'\n",
                      "set ylabel 'loss'\nset grid\nunset key\n",
                      "plot $curve using 1:2 with lines lw 2\n");
}

// Of 255 each; the palette of Okabe and Ito, for people who see few colours too. More classes than
// colours begin again.
struct Color {
  int red, green, blue;
};
constexpr std::array<Color, 8> kClassColors = {{{0, 114, 178},
                                                {230, 159, 0},
                                                {0, 158, 115},
                                                {204, 121, 167},
                                                {213, 94, 0},
                                                {86, 180, 233},
                                                {240, 228, 66},
                                                {153, 153, 153}}};
// The classes that the key names.
constexpr size_t kKeyedClassesMax = 24;

const Color& ColorOf(int64_t class_index) {
  return kClassColors[static_cast<size_t>(std::max<int64_t>(class_index, 0)) % kClassColors.size()];
}

// From white at 0 to `color` at 1.
Color Tinted(const Color& color, double share) {
  const auto mixed = [share](int part) {
    return static_cast<int>(std::lround(255 - share * (255 - part)));
  };
  return {mixed(color.red), mixed(color.green), mixed(color.blue)};
}

// How far the model is from a mere guess at a point whose class it predicts: 0 to 1.
double Certainty(const v1::DecisionBoundaryResult& result, int point, size_t classes) {
  const double value = result.values(point);
  const bool of_other_class = classes == 2 && result.class_indices(point) == 0;
  const double guess = 1 / static_cast<double>(classes);
  const double certainty = ((of_other_class ? 1 - value : value) - guess) / (1 - guess);
  return std::isfinite(certainty) ? std::clamp(certainty, 0.0, 1.0) : 0;
}

// x y red green blue: the colour of the predicted class, the fuller the surer.
std::string RegionData(const v1::DecisionBoundaryResult& result, size_t classes) {
  std::string text = "$grid << EOD\n";
  for (int i = 0; i < result.values_size(); ++i) {
    const Color color =
        Tinted(ColorOf(result.class_indices(i)), 0.15 + 0.5 * Certainty(result, i, classes));
    absl::StrAppend(&text, Number(result.x_axis(i % result.x_axis_size())), " ",
                    Number(result.y_axis(i / result.x_axis_size())), " ", color.red, " ",
                    color.green, " ", color.blue, "\n");
  }
  return text + "EOD\n";
}

// x y value colour.
std::string PointData(const v1::DecisionBoundaryResult& result) {
  std::string text = "$points << EOD\n";
  for (const auto& point : result.points()) {
    const Color& color = ColorOf(point.class_index());
    absl::StrAppend(&text, Number(point.x()), " ", Number(point.y()), " ", Number(point.value()),
                    " ", color.red << 16 | color.green << 8 | color.blue, "\n");
  }
  return text + "EOD\n";
}

// Each row of the data as a dot with a dark rim; `color` says by what it is filled.
std::string PointPlots(const v1::DecisionBoundaryResult& result, const char* color) {
  if (result.points().empty()) return "";
  return absl::StrCat(", $points using 1:2 with points pt 7 ps 1.1 lc rgb '#202020' notitle, ",
                      "$points using ", color, " notitle");
}

std::string ClassKey(const std::vector<std::string>& classes) {
  std::string text;
  for (size_t i = 0; i < std::min(classes.size(), kKeyedClassesMax); ++i) {
    const Color& color = ColorOf(static_cast<int64_t>(i));
    absl::StrAppend(&text, ", keyentry with points pt 7 ps 1.5 lc rgb ",
                    color.red << 16 | color.green << 8 | color.blue, " title ", Quoted(classes[i]));
  }
  return text;
}

std::string BoundaryProgram(const v1::DecisionBoundaryResult& result, const PlotOptions& options) {
  const std::vector<std::string> classes = BoundaryClasses(result, options.context.task);
  const std::string head =
      absl::StrCat(PointData(result), "set title 'what the model says over two features'\n",
                   "set xlabel ", Quoted(options.context.x_feature), "\nset ylabel ",
                   Quoted(options.context.y_feature), "\nset autoscale fix\nset key outside\n");
  if (classes.empty()) {
    return absl::StrCat(GridData(result.x_axis(), result.y_axis(), result.values()), head,
                        "plot $grid using 1:2:3 with image notitle",
                        PointPlots(result, "1:2:3 with points pt 7 ps 0.8 lc palette"), "\n");
  }
  return absl::StrCat(
      RegionData(result, classes.size()), head, "plot $grid using 1:2:3:4:5 with rgbimage notitle",
      PointPlots(result, "1:2:4 with points pt 7 ps 0.8 lc rgb variable"), ClassKey(classes), "\n");
}

std::string FinderProgram(const v1::LearningRateFinderResult& result) {
  return absl::StrCat(
      CurveData(result.learning_rates(), result.losses(), result.smoothed_losses()),
      "set title 'loss while the learning rate grows'\n", "set logscale x\nset format x '%g'\n",
      "set xlabel 'learning rate'\nset ylabel 'loss'\nset grid\n",
      result.suggestion() > 0 ? absl::StrCat("set arrow from first ", Number(result.suggestion()),
                                             ", graph 0 to first ", Number(result.suggestion()),
                                             ", graph 1 nohead dt 2\n")
                              : "",
      "plot $curve using 1:2 with lines lw 1 lc rgb '#a0a0a0' title 'batch', ",
      "$curve using 1:3 with lines lw 2 title 'smoothed'\n");
}

using TemporaryFile = std::unique_ptr<FILE, int (*)(FILE*)>;

TemporaryFile NewTemporary() { return {std::tmpfile(), &std::fclose}; }

std::string ReadBack(FILE* file) {
  std::string bytes;
  std::array<char, 65536> buffer;
  std::rewind(file);
  while (const size_t size = std::fread(buffer.data(), 1, buffer.size(), file)) {
    bytes.append(buffer.data(), size);
  }
  return bytes;
}

absl::Status DrawingFailed(const PlotOptions& options, absl::string_view words) {
  const std::string line = absl::StrJoin(absl::StrSplit(words, '\n', absl::SkipWhitespace()), "; ");
  return UsageError(absl::StrCat(options.program, " cannot draw ", options.path, ": ",
                                 Printable(line.substr(0, kWordsMax))),
                    {.hint = kNumbersHint});
}

// Starts the program with the three files as its standard streams and waits for its end. Files, not
// pipes, so that neither side can be stuck or meet a closed end.
absl::Status RunProgram(const PlotOptions& options, FILE* in, FILE* out, FILE* err) {
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  const absl::Cleanup destroy = [&actions] { posix_spawn_file_actions_destroy(&actions); };
  posix_spawn_file_actions_adddup2(&actions, fileno(in), STDIN_FILENO);
  posix_spawn_file_actions_adddup2(&actions, fileno(out), STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(&actions, fileno(err), STDERR_FILENO);
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  const absl::Cleanup destroy_attributes = [&attributes] { posix_spawnattr_destroy(&attributes); };
  // This process blocks SIGINT and SIGTERM (interrupt.h), which the child would inherit.
  sigset_t none;
  sigemptyset(&none);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
  std::string name = options.program;
  std::string no_settings = "-d";  // of the user's, which may change the terminal
  std::string from_stdin = "-";
  std::array<char*, 4> arguments = {name.data(), no_settings.data(), from_stdin.data(), nullptr};
  pid_t child = 0;
  const int fault = posix_spawnp(&child, options.program.c_str(), &actions, &attributes,
                                 arguments.data(), environ);
  if (fault != 0) {
    return UsageError(absl::StrCat("cannot start ", options.program, ": ", std::strerror(fault)),
                      {.hint = "install it (Debian: apt install gnuplot-nox), or write the numbers "
                               "with --json FILE"});
  }
  int state = 0;
  while (waitpid(child, &state, 0) < 0 && errno == EINTR) {
  }
  if (WIFEXITED(state) && WEXITSTATUS(state) == 0) return absl::OkStatus();
  return DrawingFailed(options, ReadBack(err));
}

// What gnuplot writes when it is given `program`.
absl::StatusOr<std::string> Run(const std::string& program, const PlotOptions& options) {
  const TemporaryFile in = NewTemporary();
  const TemporaryFile out = NewTemporary();
  const TemporaryFile err = NewTemporary();
  const bool opened = in != nullptr && out != nullptr && err != nullptr;
  const bool written = opened &&
                       std::fwrite(program.data(), 1, program.size(), in.get()) == program.size() &&
                       std::fflush(in.get()) == 0;
  if (!written) return DrawingFailed(options, "no room for temporary files");
  std::rewind(in.get());
  TY_RETURN_IF_ERROR(RunProgram(options, in.get(), out.get(), err.get()));
  return ReadBack(out.get());
}

// Draws `program`, and writes what comes of it.
absl::Status WritePicture(const std::string& program, const PlotOptions& options) {
  TY_ASSIGN_OR_RETURN(const std::unique_ptr<TargetFile> target, TargetFile::Create(options.path));
  TY_ASSIGN_OR_RETURN(const std::string picture, Run(program, options));
  if (!absl::StartsWith(picture, IsPng(options) ? "\x89PNG" : "<?xml")) {
    return DrawingFailed(options, "it gave no picture");
  }
  TY_RETURN_IF_ERROR(target->Append(picture));
  return target->Commit();
}

// Whether gnuplot has something to draw: it refuses ranges without a single point.
bool HasFinite(const v1::AnalysisResult& result) {
  const auto has_finite = [](const Doubles& values) {
    return std::any_of(values.begin(), values.end(), [](double v) { return std::isfinite(v); });
  };
  return has_finite(result.loss_landscape().losses()) || has_finite(result.loss_line().losses()) ||
         has_finite(result.decision_boundary().values()) ||
         has_finite(result.learning_rate_finder().losses()) ||
         has_finite(result.learning_rate_finder().smoothed_losses());
}

absl::Status CheckDrawable(const v1::AnalysisResult& result, const PlotOptions& options) {
  const std::string misfit = Misfit(result);
  if (!misfit.empty()) {
    return UsageError(absl::StrCat("cannot draw ", options.path, ": the result's ", misfit,
                                   " do not fit each other"),
                      {.hint = kNumbersHint});
  }
  if (HasFinite(result)) return absl::OkStatus();
  return UsageError(
      absl::StrCat("cannot draw ", options.path, ": the result has no finite value to draw"),
      {.hint = "the loss overflows everywhere: take a smaller range or learning rate, or a network "
               "that has not diverged"});
}

}  // namespace

absl::Status CheckPlotProgram(const PlotOptions& options) {
  return Run(Head(options), options).status();
}

absl::Status CheckPicture(const PlotOptions& options) {
  if (IsPng(options) || absl::EndsWith(options.path, ".svg")) return absl::OkStatus();
  return UsageError(absl::StrCat("picture \"", options.path, "\": ends with neither .svg nor .png"),
                    {.hint = "the ending decides the format"});
}

absl::Status CheckPlot(Kind kind, const PlotOptions& options) {
  TY_RETURN_IF_ERROR(CheckPicture(options));
  const bool landscape = kind == Kind::kLossLandscape;
  const bool has_plot = landscape || kind == Kind::kLossLine || kind == Kind::kDecisionBoundary ||
                        kind == Kind::kLearningRateFinder;
  if (!has_plot) {
    return UsageError(
        "--plot: this analysis has numbers, no picture",
        {.hint = "plots are for landscape, line, boundary and lr-finder; --json writes numbers"});
  }
  if (options.surface && !landscape) {
    return UsageError("--surface is for landscape only", {.hint = "leave it out"});
  }
  return absl::OkStatus();
}

std::string PlotProgram(const v1::AnalysisResult& result, const PlotOptions& options) {
  switch (result.kind_case()) {
    case Kind::kLossLandscape:
      return Head(options) + LandscapeProgram(result.loss_landscape(), options);
    case Kind::kLossLine:
      return Head(options) + LineProgram(result.loss_line());
    case Kind::kDecisionBoundary:
      return Head(options) + BoundaryProgram(result.decision_boundary(), options);
    case Kind::kLearningRateFinder:
      return Head(options) + FinderProgram(result.learning_rate_finder());
    default:
      return "";
  }
}

absl::Status WritePlot(const v1::AnalysisResult& result, const PlotOptions& options) {
  TY_RETURN_IF_ERROR(CheckPlot(result.kind_case(), options));
  TY_RETURN_IF_ERROR(CheckDrawable(result, options));
  return WritePicture(PlotProgram(result, options), options);
}

std::string CurveProgram(const CurvePlot& plot, const PlotOptions& options) {
  std::string data;
  std::vector<std::string> parts;
  for (size_t i = 0; i < plot.curves.size(); ++i) {
    const Curve& curve = plot.curves[i];
    absl::StrAppend(&data, NamedData(absl::StrCat("$curve", i), curve));
    parts.push_back(absl::StrCat("$curve", i, " using 1:2 with lines lw 2 dt ",
                                 curve.dotted ? 2 : 1, " title ", Quoted(curve.name)));
  }
  return absl::StrCat(Head(options), data, "set title ", Quoted(plot.title),
                      "\nset xlabel 'steps'\nset ylabel 'loss'\nset grid\n",
                      plot.logarithmic ? "set logscale y\nset format y '%g'\n" : "", "plot ",
                      absl::StrJoin(parts, ", "), "\n");
}

absl::Status WriteCurves(const CurvePlot& plot, const PlotOptions& options) {
  TY_RETURN_IF_ERROR(CheckPicture(options));
  const auto drawable = [&plot](double loss) {
    return std::isfinite(loss) && (loss > 0 || !plot.logarithmic);
  };
  const bool has_points = std::any_of(
      plot.curves.begin(), plot.curves.end(),
      [&](const Curve& curve) { return std::any_of(curve.y.begin(), curve.y.end(), drawable); });
  if (!has_points) {
    return UsageError(absl::StrCat("cannot draw ", options.path, ": no loss to draw yet"),
                      {.hint = "wait for the first step, and leave --log out when no loss is above "
                               "0"});
  }
  return WritePicture(CurveProgram(plot, options), options);
}

}  // namespace trainyard
