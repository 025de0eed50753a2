#include "server/services/job_spec.h"

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
  const auto ingest = ReadCsvTable(source, {});
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

TEST(JobSpecTest, AResolvedSpecResolvesToItself) {
  ASSERT_OK_AND_ASSIGN(const JobSpec once, ResolveJobSpec(SmallSpec(), SmallDataset(), kLimits));
  ASSERT_OK_AND_ASSIGN(const JobSpec twice, ResolveJobSpec(once.resolved, SmallDataset(), kLimits));
  EXPECT_TRUE(google::protobuf::util::MessageDifferencer::Equals(once.resolved, twice.resolved));
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
      ModelOf(spec),
      {.job_runtime_max = absl::Minutes(1), .job_memory_bytes_max = 1 << 28, .job_threads_max = 1});
  EXPECT_EQ(again.threads(), 1);
  EXPECT_FALSE(again.has_max_runtime());
  EXPECT_FALSE(again.has_max_memory_bytes());
}

}  // namespace
}  // namespace trainyard
