#include "absl/strings/str_cat.h"
#include "client/command.h"
#include "client/describe.h"
#include "client/spec_flags.h"
#include "client/upload.h"
#include "client/watch_view.h"
#include "core/base/status_macros.h"

namespace trainyard {
namespace {

struct TrainOptions {
  std::string dataset;
  std::string spec_path;
  SpecFlags flags;
  std::string display_name;
  std::string request_id;
  v1::JobPriority priority = v1::JOB_PRIORITY_UNSPECIFIED;
  bool validate_only = false;
  bool reuse = false;
  bool follow = false;
};

absl::StatusOr<v1::TrainingJob> Submit(Session& session, const TrainOptions& options,
                                       const std::string& dataset, const v1::TrainingSpec& spec) {
  v1::CreateTrainingJobRequest request;
  request.mutable_training_job()->set_display_name(options.display_name);
  request.mutable_training_job()->set_dataset(dataset);
  *request.mutable_training_job()->mutable_spec() = spec;
  request.set_request_id(options.request_id.empty() ? NewRequestId() : options.request_id);
  request.set_validate_only(options.validate_only);
  request.set_reuse(options.reuse);
  request.mutable_training_job()->set_priority(options.priority);
  absl::StatusOr<v1::TrainingJob> job =
      session.remote.Call(session.remote.jobs(), &v1::JobService::Stub::CreateTrainingJob, request);
  const bool unsure = !job.ok() && ExitCodeOf(job.status()) == ExitCode::kUnreachable &&
                      session.remote.reached() && !options.validate_only;
  if (unsure) {
    session.screen.Note(
        absl::StrCat("the job may have been queued before the answer was lost; to be sure that it "
                     "runs once, repeat "
                     "with: --dataset ",
                     dataset, " --request-id ", request.request_id()));
  }
  return job;
}

void ShowSubmitted(Session& session, const v1::TrainingJob& job) {
  const std::string name =
      job.display_name().empty() ? "" : absl::StrCat(" (", job.display_name(), ")");
  const bool queued = job.state() != v1::JOB_STATE_SUCCEEDED;  // else a finished one is reused
  session.screen.Show(job, absl::StrCat(queued ? "queued " : "finished before: ", job.name(), name,
                                        "\nnext:\n  trainyard job watch ", job.name(), "\n"));
}

ExitOr RunTrain(Session& session, const TrainOptions& options) {
  // Before an upload that may take minutes.
  std::vector<std::string> notes;
  TY_ASSIGN_OR_RETURN(v1::TrainingSpec spec, ReadSpec(options.spec_path, options.flags, &notes));
  ShowNotes(session, notes);
  TY_ASSIGN_OR_RETURN(const std::string dataset,
                      ResolveDataset(session.remote, session.screen, options.dataset));
  if (!spec.test_dataset().empty()) {
    TY_ASSIGN_OR_RETURN(
        *spec.mutable_test_dataset(),
        ResolveDataset(session.remote, session.screen, spec.test_dataset(), kTestDatasetFlag));
  }
  TY_ASSIGN_OR_RETURN(const v1::TrainingJob job, Submit(session, options, dataset, spec));
  if (options.validate_only) {
    session.screen.Show(job, DescribeValidated(job));
    return ExitCode::kOk;
  }
  ShowNotes(session, job.warnings());
  if (!options.follow) {
    ShowSubmitted(session, job);
    return ExitCode::kOk;
  }
  if (!session.screen.json()) session.screen.Print(absl::StrCat("queued ", job.name(), "\n"));
  return Follow(session.remote, session.screen, job.name(), 1);
}

}  // namespace

void AddTrainCommand(CLI::App* app, Command* chosen) {
  auto options = std::make_shared<TrainOptions>();
  CLI::App* command = AddCommand(app, "train", "Submit a training job", options, &RunTrain, chosen);
  command->add_option("--dataset", options->dataset, "datasets/ID, or a table to upload first")
      ->required();
  command
      ->add_option("--spec", options->spec_path,
                   "YAML file with the fields of trainyard.v1.TrainingSpec")
      ->type_name("FILE");
  command->add_option("--name", options->display_name, "Name for people");
  command->add_option("--request-id", options->request_id,
                      "UUID: the same job given twice is queued once");
  AddPriority(command, "--priority", &options->priority);
  command->add_flag(
      "--reuse", options->reuse,
      "Take a finished job of the same spec, data and build instead of training again");
  command->add_flag("--validate-only", options->validate_only, "Check everything, queue nothing");
  command->add_flag("--follow", options->follow, "Watch the job to its end");
  AddSpecFlags(*command, &options->flags);
}

}  // namespace trainyard
