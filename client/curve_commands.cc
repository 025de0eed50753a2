#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "client/command.h"
#include "client/describe.h"
#include "client/job_history.h"
#include "client/loss_curves.h"
#include "client/plot.h"
#include "core/base/error_info.h"
#include "core/base/status_macros.h"

namespace trainyard {
namespace {

struct PlotCommandOptions {
  std::vector<std::string> names;
  PlotOptions picture;
  bool logarithmic = false;
};

// The curves of one job. Those of several are told apart by the job's name in front.
absl::Status AddCurves(Session& session, const std::string& name, bool alone, CurvePlot* plot) {
  TY_ASSIGN_OR_RETURN(const v1::TrainingJob job, GetJob(session.remote, name));
  TY_ASSIGN_OR_RETURN(std::vector<v1::JobEvent> log, ReadLog(session.remote, name));
  const std::string& title = job.display_name().empty() ? job.name() : job.display_name();
  for (Curve& curve : LossCurves(WithoutVoid(std::move(log)))) {
    if (!alone) curve.name = absl::StrCat(title, " ", curve.name);
    plot->curves.push_back(std::move(curve));
  }
  if (alone) plot->title = title;
  return absl::OkStatus();
}

ExitOr RunPlot(Session& session, const PlotCommandOptions& options) {
  TY_RETURN_IF_ERROR(CheckPicture(options.picture));
  CurvePlot plot{.title = "losses", .logarithmic = options.logarithmic};
  const bool alone = options.names.size() == 1;
  for (const std::string& name : options.names) {
    TY_RETURN_IF_ERROR(AddCurves(session, FullName(kJobCollection, name), alone, &plot));
  }
  TY_RETURN_IF_ERROR(WriteCurves(plot, options.picture));
  session.screen.Note(absl::StrCat("picture to ", options.picture.path));
  return ExitCode::kOk;
}

ExitOr RunLayers(Session& session, const NameOptions& options) {
  const std::string name = FullName(kJobCollection, options.name);
  TY_ASSIGN_OR_RETURN(std::vector<v1::JobEvent> log, ReadLog(session.remote, name));
  const std::vector<v1::JobEvent> history = WithoutVoid(std::move(log));
  const auto newest = std::find_if(history.rbegin(), history.rend(), [](const auto& event) {
    return !event.epoch().layers().empty();
  });
  if (newest == history.rend()) {
    return MakeError(absl::StatusCode::kNotFound,
                     absl::StrCat(name, " has no record of its layers"),
                     {.reason = ErrorReason::kNotFound,
                      .hint = "train with --layer-records summary or histograms, and wait for an "
                              "epoch to end"});
  }
  session.screen.Show(newest->epoch(), DescribeLayers(newest->epoch()));
  return ExitCode::kOk;
}

}  // namespace

void AddCurveCommands(CLI::App* group, Command* chosen) {
  auto plot = std::make_shared<PlotCommandOptions>();
  CLI::App* const plotter =
      AddCommand(group, "plot", "Draw the losses of jobs into a picture file, with gnuplot", plot,
                 &RunPlot, chosen);
  plotter->add_option("JOB", plot->names, "trainingJobs/ID or ID; several for one picture")
      ->required();
  // -o chooses text or JSON elsewhere; a picture is neither.
  plotter->add_option("-o,-f,--file", plot->picture.path, "Where it goes: FILE.svg or FILE.png")
      ->type_name("FILE")
      ->required();
  plotter->add_flag("--log", plot->logarithmic, "Draw the logarithm of the loss");
  auto layers = std::make_shared<NameOptions>();
  AddCommand(group, "layers", "Show what the newest epoch recorded of each layer", layers,
             &RunLayers, chosen)
      ->add_option("JOB", layers->name, "trainingJobs/ID or ID")
      ->required();
}

}  // namespace trainyard
