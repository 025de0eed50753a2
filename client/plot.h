// What an analysis found, or the curves of jobs, as a picture file, drawn by gnuplot as a child
// process: it reads program and data on its stdin and gives the picture on its stdout, so that no
// path or name of the user's is part of a command.
//
//   TY_RETURN_IF_ERROR(CheckPlot(kind, options));        // before anything is computed
//   TY_RETURN_IF_ERROR(CheckPlotProgram(options));
//   TY_RETURN_IF_ERROR(WritePlot(result, options));
//
// Thread-safety: pure functions, but for the child process and the file.
#ifndef TRAINYARD_CLIENT_PLOT_H_
#define TRAINYARD_CLIENT_PLOT_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "client/analysis_picture.h"
#include "client/chart.h"
#include "trainyard/v1/analysis.pb.h"

namespace trainyard {

struct PlotOptions {
  std::string path;      // ends with .svg or .png, which decides the format
  bool surface = false;  // loss landscape: in three dimensions instead of from above
  AnalysisContext context;
  std::string program = "gnuplot";
};

// Whether the path's ending says a format. Errors: usage.
absl::Status CheckPicture(const PlotOptions& options);

// Whether there is such a picture. Errors: usage: an unknown ending, a kind that has only numbers,
// a surface of something flat.
absl::Status CheckPlot(v1::AnalysisResult::KindCase kind, const PlotOptions& options);

// Whether gnuplot is there and knows the format. Errors: usage.
absl::Status CheckPlotProgram(const PlotOptions& options);

// What gnuplot is given. REQUIRES: CheckPlot is OK, and Misfit(result) is empty.
std::string PlotProgram(const v1::AnalysisResult& result, const PlotOptions& options);

// Errors: as CheckPlot; usage: gnuplot is missing or fails (with its words), there is nothing to
// draw, the file cannot be written. The file is complete or not there.
absl::Status WritePlot(const v1::AnalysisResult& result, const PlotOptions& options);

// Losses over steps.
struct CurvePlot {
  std::string title;
  std::vector<Curve> curves;  // with their names; colours are gnuplot's
  bool logarithmic = false;
};

// What gnuplot is given. REQUIRES: CheckPicture is OK.
std::string CurveProgram(const CurvePlot& plot, const PlotOptions& options);

// Errors: as WritePlot.
absl::Status WriteCurves(const CurvePlot& plot, const PlotOptions& options);

}  // namespace trainyard

#endif  // TRAINYARD_CLIENT_PLOT_H_
