#include "client/plot.h"

#include <fcntl.h>
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
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "client/analysis_picture.h"
#include "client/exit_code.h"
#include "client/local_file.h"
#include "client/render.h"
#include "core/base/status_macros.h"

extern char** environ;

namespace trainyard {
namespace {

using Kind = v1::AnalysisResult::KindCase;
using Doubles = google::protobuf::RepeatedField<double>;

// Of gnuplot's words that are shown.
constexpr size_t kWordsMax = 500;

// Viridis: as bright as the value is great, for people who see few colours too.
constexpr char kPalette[] =
    "set palette defined (0 \"#440154\", 1 \"#3b528b\", 2 \"#21918c\", 3 \"#5ec962\", "
    "4 \"#fde725\")";

bool IsPng(const PlotOptions& options) { return absl::EndsWith(options.path, ".png"); }

// A string of gnuplot's: quotes and backslashes escaped, nothing that could end the line.
std::string Quoted(absl::string_view text) {
  std::string out = "\"";
  for (const char c : Printable(text)) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out + "\"";
}

std::string Number(double value) {
  return std::isfinite(value) ? absl::StrCat(value) : std::string("NaN");
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

std::string Head(const PlotOptions& options) {
  const char* const terminal = IsPng(options)
                                   ? "pngcairo size 1000,800 noenhanced"
                                   : "svg size 1000,800 noenhanced background rgb \"white\"";
  return absl::StrCat("set terminal ", terminal, "\nset encoding utf8\n", kPalette, "\n");
}

std::string LandscapeProgram(const v1::LossLandscapeResult& result, const PlotOptions& options) {
  const char* const scale = WantsLogarithm(result.losses()) ? "set logscale zcb\n" : "";
  std::string text = absl::StrCat(GridData(result.axis(), result.axis(), result.losses()), scale,
                                  "set title \"loss over two random directions\"\n",
                                  "set xlabel \"a\"\nset ylabel \"b\"\nset cblabel \"loss\"\n",
                                  "unset key\nset contour base\nset cntrparam levels auto 20\n");
  if (options.surface) {
    absl::StrAppend(&text, "set view 50,35\nset ticslevel 0.1\nset hidden3d\n",
                    "splot $grid using 1:2:3 with pm3d, ",
                    "$grid using 1:2:3 with lines lw 0.3 lc rgb \"#808080\"\n");
  } else {
    absl::StrAppend(&text, "set view map\nset size square\n", "splot $grid using 1:2:3 with pm3d, ",
                    "$grid using 1:2:3 with lines nosurface lw 0.7 lc rgb \"#ffffff\"\n");
  }
  return text;
}

std::string LineProgram(const v1::LossLineResult& result) {
  return absl::StrCat(CurveData(result.axis(), result.losses(), result.losses()),
                      "set title \"loss on the line between two models\"\n",
                      "set xlabel \"a: the network at 0, the other model at 1\"\n",
                      "set ylabel \"loss\"\nset grid\nunset key\n",
                      "plot $curve using 1:2 with lines lw 2\n");
}

std::string BoundaryProgram(const v1::DecisionBoundaryResult& result, const PlotOptions& options) {
  std::string points = "$points << EOD\n";
  for (const auto& point : result.points()) {
    absl::StrAppend(&points, Number(point.x()), " ", Number(point.y()), " ",
                    point.class_index() + 1, "\n");
  }
  const bool with_points = result.points_size() > 0;
  return absl::StrCat(
      GridData(result.x_axis(), result.y_axis(), result.values()), points, "EOD\n",
      "set title \"what the model says over two features\"\n", "set xlabel ",
      Quoted(options.x_label), "\nset ylabel ", Quoted(options.y_label), "\nunset key\n",
      "set autoscale fix\nplot $grid using 1:2:3 with image",
      with_points ? ", $points using 1:2:3 with points pt 7 ps 0.7 lc variable" : "", "\n");
}

std::string FinderProgram(const v1::LearningRateFinderResult& result) {
  return absl::StrCat(
      CurveData(result.learning_rates(), result.losses(), result.smoothed_losses()),
      "set title \"loss while the learning rate grows\"\n", "set logscale x\nset format x \"%g\"\n",
      "set xlabel \"learning rate\"\nset ylabel \"loss\"\nset grid\n",
      result.suggestion() > 0 ? absl::StrCat("set arrow from first ", Number(result.suggestion()),
                                             ", graph 0 to first ", Number(result.suggestion()),
                                             ", graph 1 nohead dt 2\n")
                              : "",
      "plot $curve using 1:2 with lines lw 1 lc rgb \"#a0a0a0\" title \"batch\", ",
      "$curve using 1:3 with lines lw 2 title \"smoothed\"\n");
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
                    {.hint = "--json FILE writes the numbers"});
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
  std::string name = options.program;
  std::string no_settings = "-d";  // of the user's, which may change the terminal
  std::string from_stdin = "-";
  std::array<char*, 4> arguments = {name.data(), no_settings.data(), from_stdin.data(), nullptr};
  pid_t child = 0;
  const int fault =
      posix_spawnp(&child, options.program.c_str(), &actions, nullptr, arguments.data(), environ);
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

absl::StatusOr<std::string> Draw(const std::string& program, const PlotOptions& options) {
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
  std::string picture = ReadBack(out.get());
  const absl::string_view start = IsPng(options) ? "\x89PNG" : "<?xml";
  if (!absl::StartsWith(picture, start)) return DrawingFailed(options, ReadBack(err.get()));
  return picture;
}

}  // namespace

absl::Status CheckPlot(Kind kind, const PlotOptions& options) {
  if (!IsPng(options) && !absl::EndsWith(options.path, ".svg")) {
    return UsageError(
        absl::StrCat("--plot \"", options.path, "\": ends with neither .svg nor .png"),
        {.hint = "the ending decides the format"});
  }
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
  TY_ASSIGN_OR_RETURN(const std::unique_ptr<TargetFile> target, TargetFile::Create(options.path));
  TY_ASSIGN_OR_RETURN(const std::string picture, Draw(PlotProgram(result, options), options));
  TY_RETURN_IF_ERROR(target->Append(picture));
  return target->Commit();
}

}  // namespace trainyard
