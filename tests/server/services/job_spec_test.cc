#include "server/services/job_spec.h"

#include <google/protobuf/unknown_field_set.h>
#include <google/protobuf/util/message_differencer.h>

#include "absl/strings/str_cat.h"
#include "core/base/limits.h"
#include "core/data/ingest.h"
#include "server/wire/convert.h"
#include "tests/support/status_matchers.h"

namespace trainyard {
namespace {

using testing::HasSubstr;

v1::Dataset SmallDataset() {
  std::string csv = "a,b,y\n";
  for (int i = 0; i < 40; ++i)
    csv += absl::StrCat(i, ",", i % 7, ".5,", i % 2 == 0 ? "no" : "yes", "\n");
  StringSource source(csv);
  const auto ingest = IngestTable(source, {});
  v1::Dataset dataset;
  dataset.set_state(v1::Dataset::READY);
  TableToProto(ingest->table, &dataset);
  return dataset;
}

v1::TrainingSpec SmallSpec() {
  v1::TrainingSpec spec;
  spec.set_target_column("y");
  return spec;
}

const ServiceLimits kLimits{.job_runtime_max = absl::Minutes(10),
                            .job_memory_bytes_max = int64_t{1} << 30,
                            .job_threads_max = 2};

TEST(JobSpecTest, EveryDefaultIsFilledIn) {
  ASSERT_OK_AND_ASSIGN(const JobSpec job, ResolveJobSpec(SmallSpec(), SmallDataset(), kLimits));
  EXPECT_EQ(job.resolved.task(), v1::TASK_BINARY);
  EXPECT_EQ(job.resolved.loss(), v1::LOSS_BINARY_CROSS_ENTROPY);
  EXPECT_EQ(job.resolved.feature_columns_size(), 2);
  EXPECT_EQ(job.resolved.optimizer().kind(), v1::OptimizerSpec::ADAM);
  EXPECT_GT(job.resolved.step_event_interval(), 0);
  EXPECT_EQ(job.resolved.max_runtime().seconds(), 600);
  EXPECT_EQ(job.resolved.max_memory_bytes(), int64_t{1} << 30);
  EXPECT_FALSE(job.warnings.empty());  // how the task was inferred
}

TEST(JobSpecTest, ChosenEpochsAreInTheSpecAndToldAndGivenOnesMakeTheSameJob) {
  v1::TrainingSpec spec = SmallSpec();
  ASSERT_OK_AND_ASSIGN(const JobSpec chosen, ResolveJobSpec(spec, SmallDataset(), kLimits));
  EXPECT_EQ(chosen.resolved.epochs(), 200);
  EXPECT_THAT(chosen.warnings, testing::Contains(testing::StartsWith("epochs: 200, because")));
  spec.set_epochs(200);
  ASSERT_OK_AND_ASSIGN(const JobSpec given, ResolveJobSpec(spec, SmallDataset(), kLimits));
  EXPECT_TRUE(google::protobuf::util::MessageDifferencer::Equals(chosen.resolved, given.resolved));
  EXPECT_EQ(given.warnings.size() + 1, chosen.warnings.size());
}

TEST(JobSpecTest, AResolvedSpecResolvesToItself) {
  ASSERT_OK_AND_ASSIGN(const JobSpec once, ResolveJobSpec(SmallSpec(), SmallDataset(), kLimits));
  ASSERT_OK_AND_ASSIGN(const JobSpec twice, ResolveJobSpec(once.resolved, SmallDataset(), kLimits));
  EXPECT_TRUE(google::protobuf::util::MessageDifferencer::Equals(once.resolved, twice.resolved));
}

TEST(JobSpecTest, SeedsAndFoldsCountAllTheirEpochsAndSteps) {
  v1::TrainingSpec spec = SmallSpec();
  spec.set_epochs(2);
  spec.set_batch_size(10);
  spec.set_seed_count(3);
  ASSERT_OK_AND_ASSIGN(const JobSpec seeds, ResolveJobSpec(spec, SmallDataset(), kLimits));
  EXPECT_EQ(seeds.epochs_total, 6);
  EXPECT_EQ(seeds.steps_total, 18);  // 28 of the 40 rows train
  spec.clear_seed_count();
  spec.mutable_split()->set_fold_count(4);
  ASSERT_OK_AND_ASSIGN(const JobSpec folds, ResolveJobSpec(spec, SmallDataset(), kLimits));
  EXPECT_EQ(folds.epochs_total, 8);
  EXPECT_EQ(folds.steps_total, 24);  // 30 rows train
}

TEST(JobSpecTest, StepsAreThoseOfTheRowsThatTheTableLetsTrain) {
  v1::TrainingSpec spec = SmallSpec();
  spec.set_epochs(2);
  spec.set_batch_size(10);
  spec.mutable_split()->set_part_column("part");
  v1::Dataset dataset = SmallDataset();
  v1::Column& part = *dataset.add_columns();
  part.set_name("part");
  part.set_type(v1::COLUMN_TYPE_TEXT);
  part.set_distinct_count(2);
  for (const auto& [value, count] : {std::pair("train", 25), std::pair("test", 15)}) {
    v1::ValueCount& added = *part.add_top_values();
    added.set_value(value);
    added.set_count(count);
  }
  ASSERT_OK_AND_ASSIGN(const JobSpec job, ResolveJobSpec(spec, dataset, kLimits));
  EXPECT_EQ(job.steps_total, 6);
}

TEST(JobSpecTest, FaultsOfContractDataAndServerComeTogether) {
  v1::TrainingSpec spec = SmallSpec();
  spec.set_target_column("z");
  spec.set_init(static_cast<v1::Init>(77));
  spec.add_layers()->set_units(0);
  spec.mutable_optimizer()->set_learning_rate(-1);
  spec.set_epochs(0);
  spec.set_threads(3);
  spec.mutable_max_runtime()->set_seconds(601);
  spec.set_max_memory_bytes(1);
  const auto job = ResolveJobSpec(spec, SmallDataset(), kLimits);
  EXPECT_THAT(job, HasReason(ErrorReason::kInvalidSpec));
  EXPECT_THAT(
      ViolatedFields(job.status()),
      testing::UnorderedElementsAre("spec.target_column", "spec.init", "spec.layers[0].units",
                                    "spec.optimizer.learning_rate", "spec.epochs", "spec.threads",
                                    "spec.max_runtime", "spec.max_memory_bytes"));
}

TEST(JobSpecTest, LimitsAreInclusive) {
  v1::TrainingSpec spec = SmallSpec();
  spec.set_threads(2);
  spec.mutable_max_runtime()->set_seconds(600);
  spec.set_max_memory_bytes(int64_t{1} << 30);
  EXPECT_THAT(ResolveJobSpec(spec, SmallDataset(), kLimits), IsOk());
  spec.mutable_max_runtime()->set_seconds(0);
  spec.mutable_max_runtime()->set_nanos(99'999'999);
  EXPECT_THAT(ResolveJobSpec(spec, SmallDataset(), kLimits),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("give 100ms to 10m")));
}

TEST(JobSpecTest, AThreadCountThatIsWrongEverywhereIsOneFault) {
  v1::TrainingSpec spec = SmallSpec();
  spec.set_threads(-1);
  const auto job = ResolveJobSpec(spec, SmallDataset(), kLimits);
  EXPECT_THAT(ViolatedFields(job.status()), testing::ElementsAre("spec.threads"));
}

TEST(JobSpecTest, ASpecOverOneMebibyteIsTooLarge) {
  v1::TrainingSpec spec = SmallSpec();
  spec.add_exclude_columns(std::string(limits::kSpecBytesMax, 'x'));
  EXPECT_THAT(ResolveJobSpec(spec, SmallDataset(), kLimits), HasReason(ErrorReason::kTooLarge));
}

v1::Model ModelOf(const v1::TrainingSpec& spec) {
  v1::Model model;
  model.set_name("models/m");
  *model.mutable_spec() = ResolveJobSpec(spec, SmallDataset(), kLimits)->resolved;
  return model;
}

TEST(JobSpecTest, AnInitialModelMustBeTheSameNetwork) {
  v1::TrainingSpec spec = SmallSpec();
  spec.add_layers()->set_units(4);
  const v1::Model model = ModelOf(spec);
  spec.set_initial_model(model.name());
  spec.mutable_layers(0)->set_dropout(0.5);  // may differ
  ASSERT_OK_AND_ASSIGN(const JobSpec job, ResolveJobSpec(spec, SmallDataset(), kLimits, &model));
  EXPECT_EQ(job.resolved.initial_model(), "models/m");

  spec.mutable_layers(0)->set_units(5);
  const auto wider = ResolveJobSpec(spec, SmallDataset(), kLimits, &model);
  EXPECT_THAT(wider, StatusIs(absl::StatusCode::kInvalidArgument,
                              HasSubstr("layers[0] has 4 units there and 5 here")));
  EXPECT_EQ(GetErrorInfo(wider.status())->violations[0].field, "spec.initial_model");
  spec.mutable_layers(0)->set_units(4);
  spec.mutable_layers(0)->set_normalization(v1::NORMALIZATION_LAYER);
  EXPECT_THAT(ResolveJobSpec(spec, SmallDataset(), kLimits, &model),
              HasReason(ErrorReason::kInvalidSpec));
  spec.mutable_layers(0)->clear_normalization();
  spec.add_feature_columns("b");
  spec.add_feature_columns("a");
  EXPECT_THAT(ResolveJobSpec(spec, SmallDataset(), kLimits, &model),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("order")));
}

TEST(JobSpecTest, InitialWeightsComeFromOnePlace) {
  v1::TrainingSpec spec = SmallSpec();
  const v1::Model model = ModelOf(spec);
  spec.set_initial_model(model.name());
  v1::InitialLayer* layer = spec.add_initial_weights();
  layer->add_weights(0.5F);
  layer->add_weights(0.25F);
  EXPECT_THAT(ResolveJobSpec(spec, SmallDataset(), kLimits, &model),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("spec.initial_weights")));
}

TEST(JobSpecTest, AModelsSpecFitsTheServerItIsUsedOn) {
  v1::TrainingSpec spec = SmallSpec();
  spec.set_threads(2);
  const v1::TrainingSpec again = SpecOf(
      ModelOf(spec), {}, {},
      {.job_runtime_max = absl::Minutes(1), .job_memory_bytes_max = 1 << 28, .job_threads_max = 1});
  EXPECT_EQ(again.threads(), 1);
  EXPECT_FALSE(again.has_max_runtime());
  EXPECT_FALSE(again.has_max_memory_bytes());
  v1::TrainingSpec wanted;
  wanted.set_threads(2);
  wanted.mutable_max_runtime()->set_seconds(3);
  wanted.set_max_memory_bytes(1 << 27);
  wanted.set_target_column("a");
  const v1::TrainingSpec asked = SpecOf(ModelOf(spec), {}, wanted, kLimits);
  EXPECT_EQ(asked.threads(), 2);
  EXPECT_EQ(asked.max_runtime().seconds(), 3);
  EXPECT_EQ(asked.max_memory_bytes(), 1 << 27);
  EXPECT_EQ(asked.target_column(), "y");
}

// As a model that was trained on other data, or on another machine, would have them.
TEST(JobSpecTest, RulesAboutTrainingDoNotRefuseAnalyses) {
  v1::TrainingSpec spec = SmallSpec();
  v1::LayerSpec* layer = spec.add_layers();
  layer->set_units(3);
  layer->set_normalization(v1::NORMALIZATION_BATCH);
  layer->set_dropout(0.5);
  const v1::Model model = ModelOf(spec);
  v1::TrainingSpec strict = model.spec();
  strict.set_batch_size(27);  // leaves 1 of 28 training rows
  strict.set_step_event_interval(1);
  strict.set_epochs(100'000);
  strict.set_evaluation_interval(1);
  strict.set_seed_count(64);
  strict.set_accumulation_steps(3);
  strict.mutable_optimizer()->Clear();
  strict.mutable_optimizer()->set_kind(v1::OptimizerSpec::LBFGS);
  v1::Model trained = model;
  *trained.mutable_spec() = strict;
  EXPECT_THAT(ResolveJobSpec(strict, SmallDataset(), kLimits),
              HasReason(ErrorReason::kInvalidSpec));
  v1::AnalysisSpec analysis;
  analysis.mutable_hessian();
  ASSERT_OK_AND_ASSIGN(const JobSpec job, ResolveJobSpec(SpecOf(trained, analysis, {}, kLimits),
                                                         SmallDataset(), kLimits));
  EXPECT_EQ(job.resolved.layers(0).dropout(), 0.5);
  EXPECT_EQ(job.resolved.seed_count(), 1);

  // The finder takes the steps of the training.
  strict.set_batch_size(8);
  strict.mutable_optimizer()->set_kind(v1::OptimizerSpec::LION);
  *trained.mutable_spec() = strict;
  analysis.mutable_learning_rate_finder();
  const v1::TrainingSpec finder = SpecOf(trained, analysis, {}, kLimits);
  EXPECT_THAT(ResolveJobSpec(finder, SmallDataset(), kLimits), IsOk());
  EXPECT_EQ(finder.batch_size(), 8);
  EXPECT_EQ(finder.accumulation_steps(), 3);
  EXPECT_EQ(finder.optimizer().kind(), v1::OptimizerSpec::LION);
}

TEST(JobSpecTest, OnlyLimitsGoBesideAModel) {
  v1::TrainingSpec wanted;
  wanted.set_threads(2);
  wanted.mutable_max_runtime()->set_seconds(3);
  wanted.set_max_memory_bytes(1 << 27);
  std::vector<FieldViolation> violations;
  CheckBesideModel(wanted, &violations);
  EXPECT_TRUE(violations.empty());
  wanted.set_epochs(3);
  wanted.mutable_split();
  wanted.GetReflection()->MutableUnknownFields(&wanted)->AddVarint(900, 1);
  CheckBesideModel(wanted, &violations);
  std::vector<std::string> fields;
  for (const FieldViolation& violation : violations) fields.push_back(violation.field);
  EXPECT_THAT(fields, testing::UnorderedElementsAre("spec.epochs", "spec.split", "spec"));
}

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

// Every enum field of a message and of those inside it, as a path of fields; lists have an entry.
void EnumPaths(const google::protobuf::Descriptor& message,
               const std::vector<const FieldDescriptor*>& before,
               std::vector<std::vector<const FieldDescriptor*>>* paths) {
  for (int i = 0; i < message.field_count(); ++i) {
    const FieldDescriptor* field = message.field(i);
    std::vector<const FieldDescriptor*> path = before;
    path.push_back(field);
    if (field->cpp_type() == FieldDescriptor::CPPTYPE_ENUM) paths->push_back(path);
    if (field->is_map() || field->cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE) continue;
    EnumPaths(*field->message_type(), path, paths);
  }
}

// Sets the enum at the end of the path, in the first entry of lists. Returns the path in words.
std::string SetEnum(const std::vector<const FieldDescriptor*>& path, int number, Message* message) {
  std::string words = "spec";
  for (const FieldDescriptor* field : path) {
    const auto& reflection = *message->GetReflection();
    absl::StrAppend(&words, ".", field->name(), field->is_repeated() ? "[0]" : "");
    if (field->cpp_type() == FieldDescriptor::CPPTYPE_ENUM) {
      reflection.SetEnumValue(message, field, number);
    } else if (!field->is_repeated()) {
      message = reflection.MutableMessage(message, field);
    } else if (reflection.FieldSize(*message, field) > 0) {
      message = reflection.MutableRepeatedMessage(message, field, 0);
    } else {
      message = reflection.AddMessage(message, field);
    }
  }
  return words;
}

// Core has tables by its enums: a number they do not have must not get there.
TEST(JobSpecTest, UnknownNumbersOfEveryEnumAreFaultsAndNothingElse) {
  v1::TrainingSpec base = SmallSpec();
  base.add_layers()->set_units(3);
  base.mutable_layers(0)->set_alpha(0.5);
  base.mutable_init_options()->set_gain(2);
  base.mutable_loss_options()->set_delta(2);
  v1::OptimizerSpec& optimizer = *base.mutable_optimizer();
  optimizer.set_learning_rate(0.1);
  optimizer.set_rho(0.5);
  optimizer.set_history_size(5);
  v1::ScheduleSpec& schedule = *base.mutable_schedule();
  schedule.set_gamma(0.5);
  schedule.set_metric("loss");
  schedule.set_final_learning_rate(0.01);
  schedule.add_milestones(3);
  std::vector<std::vector<const FieldDescriptor*>> paths;
  EnumPaths(*v1::TrainingSpec::GetDescriptor(), {}, &paths);
  EXPECT_GE(paths.size(), 10u);
  for (const auto& path : paths) {
    for (const int number : {99, 255, 256, -1, 1 << 30}) {
      v1::TrainingSpec spec = base;
      const std::string field = SetEnum(path, number, &spec);
      SCOPED_TRACE(absl::StrCat(field, " ", number));
      const auto job = ResolveJobSpec(spec, SmallDataset(), kLimits);
      EXPECT_THAT(job, HasReason(ErrorReason::kInvalidSpec));
      EXPECT_THAT(ViolatedFields(job.status()), testing::Contains(field));
    }
  }
}

TEST(JobSpecTest, MetricsAreFewEnoughToCompare) {
  v1::TrainingSpec spec = SmallSpec();
  for (int i = 0; i < 100; ++i) spec.add_metrics("accuracy");
  EXPECT_THAT(ResolveJobSpec(spec, SmallDataset(), kLimits), IsOk());
  spec.add_metrics("accuracy");
  const auto job = ResolveJobSpec(spec, SmallDataset(), kLimits);
  EXPECT_THAT(ViolatedFields(job.status()), testing::ElementsAre("spec.metrics"));
  EXPECT_THAT(job, StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("at most 100")));
}

TEST(JobSpecTest, ALargeSpecIsToldWhatMadeItLarge) {
  v1::TrainingSpec spec = SmallSpec();
  spec.add_exclude_columns(std::string(1 << 20, 'a'));
  const auto names = ResolveJobSpec(spec, SmallDataset(), kLimits);
  EXPECT_THAT(names, HasReason(ErrorReason::kTooLarge));
  EXPECT_THAT(GetErrorInfo(names.status())->hint, HasSubstr("exclude_columns"));
  spec = SmallSpec();
  spec.add_initial_weights()->mutable_weights()->Resize(1 << 18, 0.5F);
  const auto weights = ResolveJobSpec(spec, SmallDataset(), kLimits);
  EXPECT_THAT(weights, HasReason(ErrorReason::kTooLarge));
  EXPECT_THAT(GetErrorInfo(weights.status())->hint, HasSubstr("initial_model"));
}

TEST(JobSpecTest, ACollapseMustFitIntoAnAnswer) {
  v1::TrainingSpec spec;
  spec.set_task(v1::TASK_MULTILABEL);
  v1::Dataset dataset;
  for (int i = 0; i < 1023; ++i) {
    spec.add_feature_columns(absl::StrCat("x", i));
    v1::Column* column = dataset.add_columns();
    column->set_name(absl::StrCat("x", i));
    column->set_type(v1::COLUMN_TYPE_NUMERIC);
    v1::FeatureSpec* feature = spec.add_feature_options();
    feature->set_column(column->name());
    feature->set_encoding(v1::ENCODING_NUMBER);
  }
  for (int i = 0; i < 511; ++i) spec.add_label_columns(absl::StrCat("y", i));
  std::vector<FieldViolation> violations;
  CheckCollapseFits(spec, dataset, &violations);
  EXPECT_TRUE(violations.empty());  // 1024 · 511 numbers of 8 bytes, in 4 MiB
  spec.add_label_columns("y");
  spec.add_layers()->set_activation(v1::ACTIVATION_RELU);
  CheckCollapseFits(spec, dataset, &violations);
  EXPECT_TRUE(violations.empty());  // not linear: nothing to show
  spec.mutable_layers(0)->set_activation(v1::ACTIVATION_IDENTITY);
  CheckCollapseFits(spec, dataset, &violations);
  ASSERT_EQ(violations.size(), 1u);
  EXPECT_EQ(violations[0].field, "analysis.linear_collapse");
  EXPECT_THAT(violations[0].description, HasSubstr("524288 numbers (1023 features"));
}

}  // namespace
}  // namespace trainyard
