#include "server/worker/job_runner.h"

#include <malloc.h>

#include <new>
#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "core/base/error_info.h"
#include "core/base/status_macros.h"
#include "core/data/table_codec.h"
#include "core/model/bundle.h"
#include "core/train/train_config.h"
#include "server/base/ids.h"
#include "server/base/log.h"
#include "server/base/version.h"
#include "server/wire/convert.h"
#include "server/wire/enum_cast.h"
#include "server/worker/analysis_runner.h"
#include "server/worker/checkpoint_writer.h"
#include "server/worker/model_fit.h"

namespace trainyard {
namespace {

// Share of a job's memory limit that tables of earlier jobs may keep.
constexpr int64_t kCacheShare = 4;

// Observer → Reporter: core's records become events.
class ReportingObserver : public TrainObserver {
 public:
  explicit ReportingObserver(Reporter* reporter) : reporter_(reporter) {}
  void OnStep(const StepRecord& step) override { reporter_->Add(StepToProto(step)); }
  void OnEpoch(const EpochRecord& epoch) override { reporter_->Add(EpochToProto(epoch)); }
  void OnWarning(const TrainingWarning& warning) override {
    reporter_->Add(WarningToProto(warning));
  }
  void OnEvaluation(const EvaluationRecord& evaluation) override {
    reporter_->Add(EvaluationToProto(evaluation));
  }
  void OnProgress(int64_t steps_done, int64_t rows_seen) override {
    reporter_->SetProgress(steps_done, rows_seen);
  }

 private:
  Reporter* const reporter_;
};

absl::Duration MaxRuntime(const v1::TrainingSpec& spec) {
  if (!spec.has_max_runtime()) return absl::Seconds(limits::kRuntimeSecondsMax);
  return DurationFromProto(spec.max_runtime());
}

absl::Duration CheckpointInterval(const v1::JobAssignment& assignment) {
  if (!assignment.has_checkpoint_interval()) return absl::InfiniteDuration();
  return DurationFromProto(assignment.checkpoint_interval());
}

// By the server, and not for the job's runtime limit.
bool IsAskedFor(StopCause cause) {
  return cause == StopCause::kCancelled || cause == StopCause::kYield;
}

// A checkpoint that cannot be gone on from.
v1::JobEvent PassedOver(const v1::Checkpoint& checkpoint, const absl::Status& why) {
  v1::JobEvent event = NoteToProto(absl::StrCat(
      "the checkpoint after step ", checkpoint.step(),
      " could not be gone on from, and an earlier one or the beginning is: ", why.message()));
  event.mutable_note()->set_checkpoint_step(checkpoint.step());
  return event;
}

absl::Status OutOfMemory(const v1::TrainingSpec& spec) {
  return MakeError(absl::StatusCode::kResourceExhausted,
                   "the worker could not get the memory the job needs",
                   {.reason = ErrorReason::kOutOfMemory,
                    .hint = "use a smaller model or batch_size, or raise max_memory_bytes",
                    .in_force = absl::StrCat("max_memory_bytes ", spec.max_memory_bytes(),
                                             ", batch_size ", spec.batch_size())});
}

// Of an analysis: half of one is of no use, unlike half of a training.
absl::Status OutOfTime(const v1::TrainingSpec& spec) {
  return MakeError(
      absl::StatusCode::kDeadlineExceeded, "the analysis was not done within its runtime limit",
      {.reason = ErrorReason::kRuntimeLimit,
       .hint = "ask for fewer points or rows_max, or raise max_runtime",
       .in_force = absl::StrCat("max_runtime ", absl::FormatDuration(MaxRuntime(spec)))});
}

absl::Status SpecError(std::vector<FieldViolation> violations) {
  return MakeViolationsError(ErrorReason::kInvalidSpec, std::move(violations));
}

// Of the bundle of a model that the assignment names.
std::string DigestOf(const v1::JobAssignment& assignment, const std::string& model) {
  for (const v1::ModelBlob& blob : assignment.models()) {
    if (blob.model() == model) return blob.digest();
  }
  return "";
}

// GetAnalysisResult answers with all of it.
absl::Status CheckResultSize(const v1::AnalysisResult& result) {
  const size_t size = result.ByteSizeLong();
  if (size <= static_cast<size_t>(limits::kAnswerBytesMax)) return absl::OkStatus();
  return MakeError(absl::StatusCode::kResourceExhausted,
                   absl::StrCat("the result has ", size, " bytes"),
                   {.reason = ErrorReason::kTooLarge,
                    .hint = "ask for fewer points, or analyse a smaller network",
                    .in_force = absl::StrCat("at most ", limits::kAnswerBytesMax, " bytes")});
}

// Training checks its numbers: a model that could not be read back is a fault of this program, and
// must not take the place of one.
absl::Status NotStorable(const absl::Status& why) {
  return MakeError(absl::StatusCode::kInternal,
                   absl::StrCat("the trained model cannot be stored: ", why.message()),
                   {.reason = ErrorReason::kInternal, .hint = "report this with the spec"});
}

// x and y = x: enough to build every kernel once.
Table TinyTable() {
  constexpr int64_t kRows = 64;
  Table table{.rows = kRows};
  for (const char* name : {"x", "y"}) {
    Column column{.name = name};
    std::vector<double> numbers;
    for (int64_t row = 0; row < kRows; ++row) numbers.push_back(static_cast<double>(row) + 0.5);
    column.numbers = std::move(numbers);
    column.stats.distinct_count = kRows;
    table.columns.push_back(std::move(column));
  }
  return table;
}

class NullObserver : public TrainObserver {
 public:
  void OnStep(const StepRecord&) override {}
  void OnEpoch(const EpochRecord&) override {}
};

}  // namespace

JobRunner::JobRunner(BlobClient* blobs) : blobs_(blobs), engine_(GetEngineInfo()) {}

void JobRunner::WarmUp() {
  const Table table = TinyTable();
  TrainConfig config{.layers = {{.units = 16}}, .epochs = 1};
  config.data.target_column = std::string("y");  // GCC 12 warns of assign(const char*) here
  std::vector<FieldViolation> violations;
  std::vector<std::string> notes;
  config = ResolveTrainConfig(config, SchemaOf(table), &violations, &notes);
  if (!violations.empty())
    return Log::Warning("warm_up_failed", {{"why", violations.front().description}});
  const absl::StatusOr<Dataset> dataset = BuildDataset(table, config.data, config.seed);
  if (!dataset.ok()) return Log::Warning("warm_up_failed", {{"why", dataset.status().ToString()}});
  absl::StatusOr<std::unique_ptr<Trainer>> trainer = Trainer::Create(config, *dataset);
  if (!trainer.ok()) return Log::Warning("warm_up_failed", {{"why", trainer.status().ToString()}});
  NullObserver observer;
  const absl::StatusOr<TrainResult> result = (*trainer)->Run(observer, StopFlag());
  if (!result.ok()) Log::Warning("warm_up_failed", {{"why", result.status().ToString()}});
}

v1::JobOutcome JobRunner::Run(const v1::JobAssignment& assignment, StopFlag* stop, EventSink* sink) {
  const v1::TrainingSpec& spec = assignment.resolved_spec();
  Start start = FindStart(assignment);
  Reporter reporter({.job = assignment.job(),
                     .attempt = assignment.attempt(),
                     .max_runtime = MaxRuntime(spec),
                     .from = start.checkpoint},
                    sink, stop);
  for (v1::JobEvent& note : start.notes) reporter.Add(std::move(note));
  absl::StatusOr<v1::JobOutcome::Succeeded> result;
  // The one place where an exception is expected: the standard library's, from deep inside, when
  // memory is short.
  try {
    result = Work(assignment, start, *stop, &reporter);
  } catch (const std::bad_alloc&) {
    result = OutOfMemory(spec);
  }
  reporter.Finish();

  v1::JobOutcome outcome;
  outcome.set_job(assignment.job());
  outcome.set_attempt(assignment.attempt());
  if (result.ok()) {
    *outcome.mutable_succeeded() = *std::move(result);
  } else if (absl::IsCancelled(result.status()) && IsAskedFor(stop->cause())) {
    outcome.mutable_stopped();
  } else if (absl::IsCancelled(result.status()) && stop->cause() == StopCause::kRuntimeLimit) {
    *outcome.mutable_failed() = JobErrorFromStatus(OutOfTime(spec));
  } else {
    *outcome.mutable_failed() = JobErrorFromStatus(result.status());
  }
  return outcome;
}

JobRunner::Start JobRunner::FindStart(const v1::JobAssignment& assignment) {
  Start start;
  const std::string identity = CheckpointIdentity(assignment, engine_);
  for (const v1::Checkpoint& checkpoint : assignment.checkpoints()) {
    absl::StatusOr<std::string> bytes = blobs_->ReadBlob(checkpoint.digest());
    const absl::StatusOr<absl::string_view> state =
        bytes.ok() ? DecodeCheckpoint(*bytes, identity) : bytes.status();
    if (!state.ok()) {
      Log::Warning("checkpoint_passed_over",
                   {{"step", checkpoint.step()}, {"why", state.status().ToString()}});
      start.notes.push_back(PassedOver(checkpoint, state.status()));
      continue;
    }
    start.checkpoint = checkpoint;
    start.state = std::string(*state);
    return start;
  }
  return start;
}

absl::StatusOr<v1::JobOutcome::Succeeded> JobRunner::Work(const v1::JobAssignment& assignment,
                                                          const Start& start, const StopFlag& stop,
                                                          Reporter* reporter) {
  prepared_.Use(assignment.prepared_directory(), assignment.prepared_bytes_max());
  // What is worth telling of the data was told before the checkpoint.
  TY_ASSIGN_OR_RETURN(Job job, Load(assignment, start.state.empty() ? reporter : nullptr));
  if (assignment.has_analysis()) return Analyze(assignment, job, stop, reporter);
  return Train(assignment, std::move(job), start, stop, reporter);
}

absl::StatusOr<v1::JobOutcome::Succeeded> JobRunner::Train(const v1::JobAssignment& assignment,
                                                           Job job, const Start& start,
                                                           const StopFlag& stop,
                                                           Reporter* reporter) {
  ReportingObserver observer(reporter);
  CheckpointWriter checkpoints({.identity = CheckpointIdentity(assignment, engine_),
                                .interval = CheckpointInterval(assignment)},
                               blobs_, reporter);
  const Checkpointing checkpointing{.sink = &checkpoints, .state = start.state};
  const MlpWeights* const initial = job.network.empty() ? nullptr : &job.network;
  SeedsResult result;
  if (job.config.data.split.fold_count > 0) {
    // Fold 0, which is trained first, was prepared by Load; it told what is worth telling.
    bool has_loaded = true;
    const auto build = [&](int64_t fold) -> absl::StatusOr<Dataset> {
      if (fold == 0 && std::exchange(has_loaded, false)) return std::move(job.dataset);
      return Prepare(assignment, job, fold, nullptr);
    };
    TY_ASSIGN_OR_RETURN(FoldsResult folds,
                        TrainFolds(job.config, build, initial, observer, stop, checkpointing));
    result = std::move(folds.runs);
    job.dataset = std::move(folds.dataset);
  } else {
    TY_ASSIGN_OR_RETURN(
        result, TrainSeeds(job.config, job.dataset, initial, observer, stop, checkpointing));
  }
  TY_RETURN_IF_ERROR(prepared_.CheckUsed());
  if (result.best.test.rows > 0) reporter->Add(TestToProto(result, job.dataset.classes));
  return Store(assignment, job, std::move(result));
}

absl::StatusOr<v1::JobOutcome::Succeeded> JobRunner::Analyze(const v1::JobAssignment& assignment,
                                                             const Job& job, const StopFlag& stop,
                                                             Reporter* reporter) {
  MlpWeights other;
  const std::string& other_model = assignment.analysis().loss_line().other_model();
  if (!other_model.empty()) {
    TY_ASSIGN_OR_RETURN(Bundle bundle, LoadModel(assignment, other_model));
    TY_RETURN_IF_ERROR(CheckModel(other_model, bundle, job.config, job.dataset));
    TY_RETURN_IF_ERROR(Rescale(other_model, job.dataset.preprocessor, &bundle));
    const TargetUnit unit{job.dataset.target_offset, job.dataset.target_scale};
    TY_RETURN_IF_ERROR(RescaleTarget(other_model, unit, &bundle));
    other = std::move(bundle.weights);
  }
  AnalysisReporter progress(reporter);
  TY_ASSIGN_OR_RETURN(
      const v1::AnalysisResult result,
      RunAnalysis(
          {.spec = assignment.analysis(),
           .config = job.config,
           .dataset = job.dataset,
           .network = job.network,
           .other = other},
          [&progress](int64_t done, int64_t total) { progress.Add(done, total); }, stop));
  TY_RETURN_IF_ERROR(prepared_.CheckUsed());
  TY_RETURN_IF_ERROR(CheckResultSize(result));
  return WriteResult(result.SerializeAsString());
}

absl::StatusOr<JobRunner::Job> JobRunner::Load(const v1::JobAssignment& assignment,
                                               Reporter* reporter) {
  Job job;
  std::vector<FieldViolation> violations;
  job.config = TrainConfigFromProto(assignment.resolved_spec(), &violations);
  if (!violations.empty()) return SpecError(std::move(violations));
  const std::string& analyzed = assignment.analysis().model();
  const std::string& model =
      analyzed.empty() ? assignment.resolved_spec().initial_model() : analyzed;
  if (model.empty()) {
    TY_ASSIGN_OR_RETURN(job.dataset, Prepare(assignment, job, /*fold=*/0, reporter));
    return job;
  }
  TY_ASSIGN_OR_RETURN(Bundle bundle, LoadModel(assignment, model));
  // Weights mean something only on features and a target scaled as they were trained with. Other
  // features are CheckModel's to refuse.
  if (bundle.feature_columns == job.config.data.feature_columns) {
    job.scaling = Scales{bundle.preprocessor,
                         TargetUnit{bundle.loss.target_offset, bundle.loss.target_scale}};
  }
  TY_ASSIGN_OR_RETURN(job.dataset, Prepare(assignment, job, /*fold=*/0, reporter));
  TY_RETURN_IF_ERROR(CheckModel(model, bundle, job.config, job.dataset));
  job.network = std::move(bundle.weights);
  job.initial_digest = DigestOf(assignment, model);
  return job;
}

absl::StatusOr<Dataset> JobRunner::Prepare(const v1::JobAssignment& assignment, const Job& job,
                                           int64_t fold, Reporter* reporter) {
  std::optional<PreparedData> prepared;
  // The features of a model are scaled by that model: its data is nobody else's.
  const std::string key = job.scaling ? "" : PreparedStore::KeyOf(assignment, fold);
  if (!key.empty()) prepared = prepared_.Find(key, job.config.data);
  if (!prepared.has_value()) {
    TY_ASSIGN_OR_RETURN(prepared, Build(assignment, job, fold));
    if (!key.empty()) Keep(key, job.config.data, &*prepared);
  }
  for (const std::string& note : prepared->notes) {
    if (reporter != nullptr) reporter->Add(NoteToProto(note));
  }
  return std::move(prepared->dataset);
}

void JobRunner::Keep(const std::string& key, const DataConfig& config, PreparedData* prepared) {
  const bool kept = prepared_.Keep(key, *prepared);
  if (!kept || !prepared->dataset.train.features.is_view()) return;
  std::optional<PreparedData> found = prepared_.Find(key, config);
  if (found.has_value()) *prepared = *std::move(found);
}

absl::StatusOr<PreparedData> JobRunner::Build(const v1::JobAssignment& assignment, const Job& job,
                                              int64_t fold) {
  TY_ASSIGN_OR_RETURN(
      const std::shared_ptr<const Table> table,
      LoadTable(assignment, assignment.table_digest(), assignment.table_path()));
  std::shared_ptr<const Table> test_table;
  if (!assignment.test_table_digest().empty()) {
    TY_ASSIGN_OR_RETURN(
        test_table,
        LoadTable(assignment, assignment.test_table_digest(), assignment.test_table_path()));
  }
  PreparedData prepared;
  const Scales* const scaling = job.scaling ? &*job.scaling : nullptr;
  TY_ASSIGN_OR_RETURN(
      prepared.dataset,
      BuildDataset(*table, job.config.data, job.config.seed,
                   {.preprocessor = scaling == nullptr ? nullptr : &scaling->features,
                    .target_unit = scaling == nullptr ? nullptr : &scaling->target,
                    .test_table = test_table.get(),
                    .fold = fold,
                    .memory = {.spill_path = prepared_.ScratchPath()},
                    .warnings = &prepared.notes}));
  prepared.dataset.preprocessor = prepared.dataset.preprocessor.WithMissingMarkers(
      {assignment.missing_markers().begin(), assignment.missing_markers().end()});
  return prepared;
}

absl::StatusOr<Bundle> JobRunner::LoadModel(const v1::JobAssignment& assignment,
                                            const std::string& model) {
  const std::string digest = DigestOf(assignment, model);
  const absl::StatusOr<std::string> bytes = blobs_->ReadBlob(digest);
  // Its row is there for as long as the job is: a missing blob is damage, not a wrong name.
  if (absl::IsNotFound(bytes.status())) {
    return MakeError(absl::StatusCode::kDataLoss, absl::StrCat("the bundle of ", model, " is gone"),
                     {.reason = ErrorReason::kDataLoss,
                      .hint = "restore the data directory from a backup",
                      .in_force = absl::StrCat("digest \"", digest, "\"")});
  }
  TY_RETURN_IF_ERROR(bytes.status());
  absl::StatusOr<Bundle> bundle = DecodeBundle(*bytes);
  if (!bundle.ok()) return Annotate(bundle.status(), model);
  return bundle;
}

absl::StatusOr<std::shared_ptr<const Table>> JobRunner::LoadTable(const v1::JobAssignment& assignment,
                                                                  const std::string& digest,
                                                                  const std::string& path) {
  std::shared_ptr<const Table> table = tables_.Find(digest);
  const int64_t memory_bytes_max = assignment.resolved_spec().max_memory_bytes();
  if (memory_bytes_max > 0 && tables_.size_bytes() > memory_bytes_max / kCacheShare) {
    tables_.Shrink(memory_bytes_max / kCacheShare);
    malloc_trim(0);  // what earlier jobs freed counts against this one's resident size otherwise
  }
  if (table != nullptr) return table;
  TY_ASSIGN_OR_RETURN(Table opened, ReadTable(digest, path));
  table = std::make_shared<const Table>(std::move(opened));
  tables_.Insert(digest, table);
  return table;
}

// A file on this machine is mapped: all workers share its pages. Without one the bytes are asked for.
absl::StatusOr<Table> JobRunner::ReadTable(const std::string& digest, const std::string& path) {
  if (!path.empty()) {
    absl::StatusOr<Table> table = OpenTable(path, {.check_cells = true});
    if (!absl::IsNotFound(table.status())) return table;
  }
  TY_ASSIGN_OR_RETURN(const std::string bytes, blobs_->ReadBlob(digest));
  return DecodeTable(bytes);
}

absl::StatusOr<v1::JobOutcome::Succeeded> JobRunner::WriteResult(const std::string& bytes) {
  const std::string digest = Sha256Digest(bytes);
  TY_RETURN_IF_ERROR(blobs_->WriteBlob(bytes, digest));
  v1::JobOutcome::Succeeded succeeded;
  succeeded.set_bundle_digest(digest);
  succeeded.set_bundle_size_bytes(static_cast<int64_t>(bytes.size()));
  succeeded.set_stop_reason(v1::STOP_REASON_COMPLETED);
  return succeeded;
}

absl::StatusOr<v1::JobOutcome::Succeeded> JobRunner::Store(const v1::JobAssignment& assignment,
                                                           const Job& job, SeedsResult result) {
  const v1::TrainingSpec& spec = assignment.resolved_spec();
  const Dataset& dataset = job.dataset;
  Bundle bundle{.task = dataset.config.task,
                .loss = LossConfigOf(job.config, dataset),
                .target_column = dataset.config.target_column,
                .weight_column = dataset.config.weight_column,
                .feature_columns = dataset.config.feature_columns,
                .classes = dataset.classes,
                .preprocessor = dataset.preprocessor,
                .weights = std::move(result.best.weights),
                .provenance = {{"build", BuildString()},
                               {"dataset_digest", assignment.dataset_digest()},
                               {"isa", engine_.isa},
                               {"onednn_version", engine_.onednn_version},
                               {"seed", absl::StrCat(spec.seed())},
                               {"spec_digest", assignment.spec_digest()},
                               {"table_digest", assignment.table_digest()},
                               {"threads", absl::StrCat(spec.threads())}}};
  // Its name is in the spec; the digest says which bytes that was.
  if (!job.initial_digest.empty()) {
    bundle.provenance.insert(bundle.provenance.begin() + 2,
                             {"initial_model_digest", job.initial_digest});
  }
  const absl::Status storable = CheckBundle(bundle);
  if (!storable.ok()) return NotStorable(storable);
  TY_ASSIGN_OR_RETURN(v1::JobOutcome::Succeeded succeeded, WriteResult(EncodeBundle(bundle)));
  const EvalResult& test = result.best.test;
  succeeded.set_stop_reason(EnumCast<v1::StopReason>(result.best.stop_reason));
  MetricsToProto(test, succeeded.mutable_test_metrics());
  if (HasConfusion(test, dataset.classes)) {
    ConfusionToProto(test, dataset.classes, succeeded.mutable_test_confusion());
  }
  SeedResultsToProto(result.seeds, succeeded.mutable_seed_results());
  succeeded.set_parameter_count(bundle.parameter_count());
  *succeeded.mutable_feature_columns() = {bundle.feature_columns.begin(),
                                          bundle.feature_columns.end()};
  *succeeded.mutable_classes() = {bundle.classes.begin(), bundle.classes.end()};
  return succeeded;
}

}  // namespace trainyard
