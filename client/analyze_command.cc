#include <algorithm>
#include <span>

#include "absl/strings/str_cat.h"
#include "client/analysis_picture.h"
#include "client/command.h"
#include "client/describe.h"
#include "client/field_flags.h"
#include "client/job_history.h"
#include "client/local_file.h"
#include "client/plot.h"
#include "client/progress.h"
#include "client/proto_text.h"
#include "client/spec_flags.h"
#include "client/upload.h"
#include "client/watch_view.h"
#include "core/base/error_info.h"
#include "core/base/status_macros.h"

namespace trainyard {
namespace {

using Stub = v1::AnalysisService::Stub;

constexpr char kModels[] = "models";
constexpr char kGroup[] = "Analysis";

// Where what was found goes, beside the text.
struct ShowOptions {
  PlotOptions plot;       // path empty: no picture file
  std::string json_path;  // "-": stdout, instead of the text
};

struct AnalyzeOptions {
  const char* kind = "";  // field of AnalysisSpec
  std::string dataset;
  std::string spec_path;
  SpecFlags spec_flags;
  FieldFlags analysis_flags;
  std::string model;
  std::string other_model;
  std::string display_name;
  bool validate_only = false;
  bool detach = false;
  ShowOptions show;
};

struct ShowJobOptions {
  std::string name;
  ShowOptions show;
};

constexpr FlagSpec kCommonFlags[] = {
    {"--part", "part", "PART", "Rows: train, validation or test (default train)"},
    {"--rows", "rows_max", "N", "At most so many rows of the part (default 10000)"},
};
constexpr FlagSpec kGradientFlags[] = {
    {"--parameters", "gradient_check.parameters_per_tensor", "N",
     "Checked of each tensor (default 50)"},
    {"--step", "gradient_check.epsilon", "H", "Of the differences, relative (default 1e-5)"},
    {"--tolerance", "gradient_check.tolerance", "RATIO", "Relative error allowed (default 1e-3)"},
    {"--rows-checked", "gradient_check.batch_size", "ROWS", "Rows of the batch (default 64)"},
};
constexpr FlagSpec kLandscapeFlags[] = {
    {"--resolution", "loss_landscape.resolution", "N", "Points along an axis, odd (default 25)"},
    {"--range", "loss_landscape.range", "R", "From -R to R (default 1)"},
    {"--direction-seed", "loss_landscape.seed", "N", "Draws the directions (default 0)"},
};
constexpr FlagSpec kLineFlags[] = {
    {"--points", "loss_line.points", "N", "Points on the line (default 51)"},
    {"--from", "loss_line.from", "A", "0 is the network, 1 the other model (default -0.5)"},
    {"--to", "loss_line.to", "A", "(default 1.5)"},
};
constexpr FlagSpec kStatisticsFlags[] = {
    {"--bins", "layer_statistics.bins", "N", "Of the histograms (default 30)"},
};
constexpr FlagSpec kBoundaryFlags[] = {
    {"--x", "decision_boundary.x_feature", "COLUMN", "Feature along x"},
    {"--y", "decision_boundary.y_feature", "COLUMN", "Feature along y"},
    {"--resolution", "decision_boundary.resolution", "N", "Points along an axis (default 81)"},
    {"--rows-shown", "decision_boundary.rows_shown", "N", "Rows in the picture (default 300)"},
};
constexpr FlagSpec kHessianFlags[] = {
    {"--iterations", "hessian.iterations_max", "N", "At most, for each end (default 100)"},
    {"--tolerance", "hessian.tolerance", "RATIO",
     "Relative change at which to stop (default 1e-3)"},
    {"--direction-seed", "hessian.seed", "N", "Draws the first direction (default 0)"},
};
constexpr FlagSpec kFinderFlags[] = {
    {"--start", "learning_rate_finder.start", "ALPHA", "First learning rate (default 1e-7)"},
    {"--end", "learning_rate_finder.end", "ALPHA", "Last learning rate (default 10)"},
    {"--steps", "learning_rate_finder.steps", "N", "From first to last (default 100)"},
};

struct KindSpec {
  const char* command;
  const char* field;  // of AnalysisSpec and AnalysisResult
  const char* help;
  std::span<const FlagSpec> flags;
};

constexpr KindSpec kKinds[] = {
    {"gradient-check", "gradient_check", "Backpropagation against central differences",
     kGradientFlags},
    {"landscape", "loss_landscape", "The loss on a plane through the weights", kLandscapeFlags},
    {"line", "loss_line", "The loss on the line between two models", kLineFlags},
    {"collapse", "linear_collapse", "A network of identities multiplied out to W'x + b'", {}},
    {"statistics", "layer_statistics", "Weights, activations and gradients of each layer",
     kStatisticsFlags},
    {"boundary", "decision_boundary", "What a model says over two features", kBoundaryFlags},
    {"hessian", "hessian", "The ends of the Hessian's spectrum: sharpness, convexity",
     kHessianFlags},
    {"lr-finder", "learning_rate_finder", "The loss while the learning rate grows", kFinderFlags},
};

// The kind of result of an analysis: both are called the same.
v1::AnalysisResult::KindCase ResultKind(const std::string& field) {
  const auto* const descriptor = v1::AnalysisResult::descriptor()->FindFieldByName(field);
  if (descriptor == nullptr) return v1::AnalysisResult::KIND_NOT_SET;
  return static_cast<v1::AnalysisResult::KindCase>(descriptor->number());
}

// A bar on stderr: stdout is for what is found.
class AnalysisView : public WatchView {
 public:
  explicit AnalysisView(Screen* screen) : screen_(screen) {}
  void OnSnapshot(const v1::TrainingJob& job) override {
    tracker_.OnSnapshot(job);
    Draw();
  }
  void OnMessage(const v1::WatchTrainingJobResponse& event) override {
    tracker_.OnEvent(event.event());
    if (event.event().has_note()) screen_->Note(EventLine(event.event(), tracker_.state()));
    Draw();
  }
  void OnHeartbeat() override { Draw(); }
  void OnBreak(absl::string_view notice) override { screen_->Note(notice); }

 private:
  void Draw() {
    screen_->DrawOnErr([&](size_t width) { return ProgressLine(tracker_.state(), width); });
  }

  Screen* const screen_;
  ProgressTracker tracker_;
};

absl::StatusOr<v1::AnalysisSpec> ReadAnalysis(const AnalyzeOptions& options) {
  v1::AnalysisSpec analysis;
  const auto* const kind = analysis.GetDescriptor()->FindFieldByName(options.kind);
  analysis.GetReflection()->MutableMessage(&analysis, kind);
  if (!options.model.empty()) analysis.set_model(FullName(kModels, options.model));
  if (!options.other_model.empty()) {
    analysis.mutable_loss_line()->set_other_model(FullName(kModels, options.other_model));
  }
  std::vector<FieldViolation> faults;
  options.analysis_flags.ApplyTo(&analysis, &faults);
  if (faults.empty()) return analysis;
  return AsUsageError(MakeViolationsError(ErrorReason::kInvalidSpec, std::move(faults)));
}

absl::StatusOr<v1::CreateAnalysisRequest> ReadRequest(const AnalyzeOptions& options,
                                                      std::vector<std::string>* notes) {
  v1::CreateAnalysisRequest request;
  TY_ASSIGN_OR_RETURN(*request.mutable_analysis(), ReadAnalysis(options));
  const bool has_spec = !options.spec_path.empty() || !options.spec_flags.empty();
  if (options.model.empty() && options.dataset.empty()) {
    return UsageError("analyze: neither --model nor --dataset",
                      {.hint = "give a trained model, or a dataset and a spec (--spec or its "
                               "flags, as of trainyard train)"});
  }
  // A model has its network: nothing is chosen beside it.
  const bool of_model = !options.model.empty();
  if (has_spec || !of_model) {
    TY_ASSIGN_OR_RETURN(*request.mutable_spec(), ReadSpec(options.spec_path, options.spec_flags,
                                                          of_model ? nullptr : notes));
  }
  request.set_display_name(options.display_name);
  request.set_validate_only(options.validate_only);
  request.set_request_id(NewRequestId());
  return request;
}

absl::Status WriteJson(Session& session, const v1::AnalysisResult& result,
                       const std::string& path) {
  const std::string json = JsonOf(result);
  if (path == "-") {
    session.screen.Print(json);
    return absl::OkStatus();
  }
  TY_ASSIGN_OR_RETURN(const std::unique_ptr<TargetFile> target, TargetFile::Create(path));
  TY_RETURN_IF_ERROR(target->Append(json));
  TY_RETURN_IF_ERROR(target->Commit());
  session.screen.Note(absl::StrCat("numbers to ", path));
  return absl::OkStatus();
}

// Everything that can be known before an analysis of minutes.
absl::Status CheckShow(v1::AnalysisResult::KindCase kind, const ShowOptions& show) {
  if (!show.json_path.empty() && show.json_path != "-") {
    TY_RETURN_IF_ERROR(TargetFile::Create(show.json_path).status());
  }
  if (show.plot.path.empty()) return absl::OkStatus();
  TY_RETURN_IF_ERROR(CheckPlot(kind, show.plot));
  TY_RETURN_IF_ERROR(TargetFile::Create(show.plot.path).status());
  return CheckPlotProgram(show.plot);
}

ExitOr ShowResult(Session& session, const v1::TrainingJob& job, ShowOptions show) {
  v1::GetAnalysisResultRequest request;
  request.set_name(job.name());
  show.plot.context = ContextOf(job);
  TY_ASSIGN_OR_RETURN(
      const v1::AnalysisResult result,
      session.remote.Call(session.remote.analyses(), &Stub::GetAnalysisResult, request));
  if (show.json_path == "-") {
    TY_RETURN_IF_ERROR(WriteJson(session, result, show.json_path));
  } else {
    session.screen.Show(result,
                        DescribeAnalysis(result, show.plot.context, session.screen.chart_style()));
    if (!show.json_path.empty()) TY_RETURN_IF_ERROR(WriteJson(session, result, show.json_path));
  }
  if (show.plot.path.empty()) return ExitCode::kOk;
  TY_RETURN_IF_ERROR(WritePlot(result, show.plot));
  session.screen.Note(absl::StrCat("picture to ", show.plot.path));
  return ExitCode::kOk;
}

// What could not be written here is no fault of the job, which need not run again.
ExitOr ShowSucceeded(Session& session, const v1::TrainingJob& job, const ShowOptions& show) {
  ExitOr shown = ShowResult(session, job, show);
  if (shown.ok() || !IsUsageError(shown.status())) return shown;
  session.screen.Note(absl::StrCat(job.name(),
                                   " succeeded and keeps its result; see it again with: "
                                   "trainyard analyze show ",
                                   job.name()));
  return AsUnwrittenError(shown.status());
}

// Watches the job to its end, then shows what it found, or why it failed.
ExitOr Finish(Session& session, const v1::TrainingJob& queued, const ShowOptions& show) {
  AnalysisView view(&session.screen);
  // Without its steps: a learning-rate finder's progress says as much.
  const absl::StatusOr<v1::TrainingJob> end =
      Watch(session.remote, {.name = queued.name(), .without_steps = true}, view);
  session.screen.Wipe();
  if (!end.ok()) {
    session.screen.Note(absl::StrCat(
        queued.name(), " goes on without a watcher; see it later with: ", "trainyard analyze show ",
        queued.name()));
    return end.status();
  }
  if (end->state() == v1::JOB_STATE_SUCCEEDED) return ShowSucceeded(session, queued, show);
  TY_ASSIGN_OR_RETURN(const v1::TrainingJob job, GetJob(session.remote, queued.name()));
  session.screen.Show(job, DescribeOutcome(job));
  return ExitCodeOf(job);
}

ExitOr RunAnalyze(Session& session, const AnalyzeOptions& options) {
  TY_RETURN_IF_ERROR(CheckShow(ResultKind(options.kind), options.show));
  std::vector<std::string> notes;
  TY_ASSIGN_OR_RETURN(v1::CreateAnalysisRequest request, ReadRequest(options, &notes));
  ShowNotes(session, notes);
  if (!options.dataset.empty()) {
    TY_ASSIGN_OR_RETURN(const std::string dataset,
                        ResolveDataset(session.remote, session.screen, options.dataset));
    request.set_dataset(dataset);
  }
  if (!request.spec().test_dataset().empty()) {
    TY_ASSIGN_OR_RETURN(*request.mutable_spec()->mutable_test_dataset(),
                        ResolveDataset(session.remote, session.screen,
                                       request.spec().test_dataset(), kTestDatasetFlag));
  }
  TY_ASSIGN_OR_RETURN(
      const v1::TrainingJob job,
      session.remote.Call(session.remote.analyses(), &Stub::CreateAnalysis, request));
  if (options.validate_only) {
    session.screen.Show(job, DescribeValidated(job));
    return ExitCode::kOk;
  }
  ShowNotes(session, job.warnings());
  if (!options.detach) return Finish(session, job, options.show);
  session.screen.Show(job, absl::StrCat("queued ", job.name(), "\nnext:\n  trainyard analyze show ",
                                        job.name(), "\n"));
  return ExitCode::kOk;
}

ExitOr RunShow(Session& session, const ShowJobOptions& options) {
  TY_ASSIGN_OR_RETURN(const v1::TrainingJob job,
                      GetJob(session.remote, FullName(kJobCollection, options.name)));
  TY_RETURN_IF_ERROR(CheckShow(ResultKind(AnalysisKind(job.analysis())), options.show));
  return ShowResult(session, job, options.show);
}

void AddShowFlags(CLI::App* command, bool landscape, ShowOptions* show) {
  CLI::Option* const plot = command->add_option(
      "--plot", show->plot.path, "Draw a picture with gnuplot: FILE.svg or FILE.png");
  plot->type_name("FILE");
  if (landscape) {
    command->add_flag("--surface", show->plot.surface, "Draw it in three dimensions")->needs(plot);
  }
  command
      ->add_option("--json", show->json_path, "Write the numbers; -: to stdout, without the text")
      ->type_name("FILE");
}

void AddKind(CLI::App* group, const KindSpec& kind, Command* chosen) {
  auto options = std::make_shared<AnalyzeOptions>();
  options->kind = kind.field;
  CLI::App* command = AddCommand(group, kind.command, kind.help, options, &RunAnalyze, chosen);
  const google::protobuf::Descriptor& type = *v1::AnalysisSpec::descriptor();
  command->add_option("--model", options->model, "models/ID or ID: a trained network");
  command->add_option("--dataset", options->dataset,
                      "datasets/ID, or a table to upload first (default: the model's)");
  command
      ->add_option("--spec", options->spec_path,
                   "YAML file of a spec, instead of --model; every spec flag of trainyard train "
                   "works too")
      ->type_name("FILE");
  command->add_option("--name", options->display_name, "Name for people");
  CLI::Option* const validate_only = command->add_flag("--validate-only", options->validate_only,
                                                       "Check everything, queue nothing");
  CLI::Option* const detach = command->add_flag("--detach", options->detach, "Only queue it");
  detach->excludes(validate_only);
  if (kind.field == absl::string_view("loss_line")) {
    command->add_option("--other-model", options->other_model, "models/ID or ID: the other end")
        ->required();
  }
  AddShowFlags(command, kind.field == absl::string_view("loss_landscape"), &options->show);
  for (const char* shown : {"--plot", "--json"}) {  // of what these two do not wait for
    detach->excludes(command->get_option(shown));
    validate_only->excludes(command->get_option(shown));
  }
  AddFieldFlags(*command, kGroup, kCommonFlags, type, &options->analysis_flags);
  AddFieldFlags(*command, kGroup, kind.flags, type, &options->analysis_flags);
  AddSpecFlags(*command, &options->spec_flags, /*hidden=*/true);
}

}  // namespace

void AddAnalyzeCommands(CLI::App* app, Command* chosen) {
  CLI::App* group = AddGroup(app, "analyze", "Pictures and proofs about a network");
  for (const KindSpec& kind : kKinds) AddKind(group, kind, chosen);
  auto shown = std::make_shared<ShowJobOptions>();
  CLI::App* show =
      AddCommand(group, "show", "Show what a finished analysis found", shown, &RunShow, chosen);
  show->add_option("JOB", shown->name, "trainingJobs/ID or ID")->required();
  AddShowFlags(show, /*landscape=*/true, &shown->show);
}

}  // namespace trainyard
