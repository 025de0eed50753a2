#include "server/wire/convert.h"

#include <google/protobuf/unknown_field_set.h>
#include <google/protobuf/util/message_differencer.h>

#include "core/train/trainer.h"
#include "tests/support/status_matchers.h"

namespace trainyard {
namespace {

using google::protobuf::util::MessageDifferencer;
using testing::HasSubstr;

// A spec with every field set, to values that are not defaults.
v1::TrainingSpec FullSpec() {
  v1::TrainingSpec spec;
  spec.set_target_column("y");
  spec.add_feature_columns("b");
  spec.add_feature_columns("a");
  spec.set_task(v1::TASK_MULTICLASS);
  v1::LayerSpec* layer = spec.add_layers();
  layer->set_units(7);
  layer->set_activation(v1::ACTIVATION_TANH);
  spec.set_init(v1::INIT_XAVIER_NORMAL);
  spec.set_loss(v1::LOSS_SOFTMAX_CROSS_ENTROPY);
  v1::OptimizerSpec* optimizer = spec.mutable_optimizer();
  optimizer->set_kind(v1::OptimizerSpec::ADAM);
  optimizer->set_learning_rate(0.25);
  optimizer->set_beta1(0.5);
  optimizer->set_beta2(0.75);
  optimizer->set_epsilon(1e-6);
  optimizer->set_weight_decay(0.125);
  spec.set_batch_size(3);
  spec.set_epochs(4);
  spec.set_seed(5);
  spec.set_scaling(v1::SCALING_NONE);
  spec.mutable_split()->set_validation_fraction(0.25);
  spec.mutable_split()->set_test_fraction(0.5);
  spec.mutable_split()->set_stratify(true);
  spec.set_threads(2);
  spec.mutable_max_runtime()->set_seconds(12);
  spec.mutable_max_runtime()->set_nanos(999'999'999);
  spec.set_step_event_interval(9);
  return spec;
}

TEST(ConvertTest, ASpecSurvivesTheWayThroughCore) {
  std::vector<FieldViolation> violations;
  const v1::TrainingSpec spec = FullSpec();
  const v1::TrainingSpec back = TrainConfigToProto(TrainConfigFromProto(spec, &violations));
  EXPECT_TRUE(violations.empty());
  EXPECT_TRUE(MessageDifferencer::Equals(spec, back)) << back.DebugString();
}

// FullSpec must not fall behind the proto, or the test above proves less than it says.
TEST(ConvertTest, FullSpecSetsEveryFieldCoreKnows) {
  const v1::TrainingSpec spec = FullSpec();
  std::vector<const google::protobuf::FieldDescriptor*> set;
  spec.GetReflection()->ListFields(spec, &set);
  // exclude_columns excludes feature_columns; max_memory_bytes is not core's.
  EXPECT_EQ(static_cast<int>(set.size()), v1::TrainingSpec::descriptor()->field_count() - 2);
}

TEST(ConvertTest, EnumNumbersOfCoreAndProtoAreTheSame) {
  EXPECT_EQ(static_cast<int>(Task::kBinary), v1::TASK_BINARY);
  EXPECT_EQ(static_cast<int>(Task::kMulticlass), v1::TASK_MULTICLASS);
  EXPECT_EQ(static_cast<int>(Task::kRegression), v1::TASK_REGRESSION);
  EXPECT_EQ(static_cast<int>(Activation::kIdentity), v1::ACTIVATION_IDENTITY);
  EXPECT_EQ(static_cast<int>(Activation::kRelu), v1::ACTIVATION_RELU);
  EXPECT_EQ(static_cast<int>(Activation::kSigmoid), v1::ACTIVATION_SIGMOID);
  EXPECT_EQ(static_cast<int>(Activation::kTanh), v1::ACTIVATION_TANH);
  EXPECT_EQ(static_cast<int>(InitKind::kHeNormal), v1::INIT_HE_NORMAL);
  EXPECT_EQ(static_cast<int>(InitKind::kHeUniform), v1::INIT_HE_UNIFORM);
  EXPECT_EQ(static_cast<int>(InitKind::kXavierNormal), v1::INIT_XAVIER_NORMAL);
  EXPECT_EQ(static_cast<int>(InitKind::kXavierUniform), v1::INIT_XAVIER_UNIFORM);
  EXPECT_EQ(static_cast<int>(InitKind::kZeros), v1::INIT_ZEROS);
  EXPECT_EQ(static_cast<int>(LossKind::kBinaryCrossEntropy), v1::LOSS_BINARY_CROSS_ENTROPY);
  EXPECT_EQ(static_cast<int>(LossKind::kSoftmaxCrossEntropy), v1::LOSS_SOFTMAX_CROSS_ENTROPY);
  EXPECT_EQ(static_cast<int>(LossKind::kMeanSquaredError), v1::LOSS_MEAN_SQUARED_ERROR);
  EXPECT_EQ(static_cast<int>(OptimizerKind::kSgd), v1::OptimizerSpec::SGD);
  EXPECT_EQ(static_cast<int>(OptimizerKind::kAdam), v1::OptimizerSpec::ADAM);
  EXPECT_EQ(static_cast<int>(Scaling::kStandardize), v1::SCALING_STANDARDIZE);
  EXPECT_EQ(static_cast<int>(Scaling::kNone), v1::SCALING_NONE);
  EXPECT_EQ(static_cast<int>(StopReason::kCompleted), v1::STOP_REASON_COMPLETED);
  EXPECT_EQ(static_cast<int>(StopReason::kRuntimeLimit), v1::STOP_REASON_RUNTIME_LIMIT);
}

TEST(ConvertTest, UnknownFieldsAtAnyDepthAreFaultsWithTheirPath) {
  v1::TrainingSpec spec = FullSpec();
  spec.GetReflection()->MutableUnknownFields(&spec)->AddVarint(900, 1);
  v1::LayerSpec* layer = spec.mutable_layers(0);
  layer->GetReflection()->MutableUnknownFields(layer)->AddVarint(9, 1);
  v1::OptimizerSpec* optimizer = spec.mutable_optimizer();
  optimizer->GetReflection()->MutableUnknownFields(optimizer)->AddFixed64(77, 1);
  std::vector<FieldViolation> violations;
  TrainConfigFromProto(spec, &violations);
  ASSERT_EQ(violations.size(), 3u);
  EXPECT_EQ(violations[0].field, "spec");
  EXPECT_THAT(violations[0].description, HasSubstr("field 900"));
  EXPECT_EQ(violations[1].field, "spec.layers[0]");
  EXPECT_THAT(violations[1].description, HasSubstr("field 9 "));
  EXPECT_EQ(violations[2].field, "spec.optimizer");
}

TEST(ConvertTest, UnknownEnumValuesAreFaults) {
  v1::TrainingSpec spec = FullSpec();
  spec.set_task(static_cast<v1::Task>(99));
  spec.mutable_layers(0)->set_activation(static_cast<v1::Activation>(42));
  std::vector<FieldViolation> violations;
  TrainConfigFromProto(spec, &violations);
  ASSERT_EQ(violations.size(), 2u);
  EXPECT_EQ(violations[0].field, "spec.task");
  EXPECT_EQ(violations[1].field, "spec.layers[0].activation");
  EXPECT_THAT(violations[1].description, HasSubstr("42"));
}

TEST(ConvertTest, AnExplicitZeroIntervalIsAFaultAndNoneIsNot) {
  v1::TrainingSpec spec;
  std::vector<FieldViolation> violations;
  TrainConfigFromProto(spec, &violations);
  EXPECT_TRUE(violations.empty());
  spec.set_step_event_interval(0);
  TrainConfigFromProto(spec, &violations);
  ASSERT_EQ(violations.size(), 1u);
  EXPECT_EQ(violations[0].field, "spec.step_event_interval");
}

TEST(ConvertTest, CsvOptionsGoThereAndBack) {
  v1::CsvOptions options;
  options.set_delimiter(";");
  options.set_header(v1::CsvOptions::ABSENT);
  options.set_bad_rows_max(3);
  std::vector<FieldViolation> violations;
  EXPECT_TRUE(MessageDifferencer::Equals(
      CsvOptionsToProto(CsvOptionsFromProto(options, &violations)), options));
  EXPECT_TRUE(violations.empty());
}

TEST(ConvertTest, AllFaultsOfCsvOptionsAtOnce) {
  v1::CsvOptions options;
  options.set_delimiter("::");
  options.set_bad_rows_max(-1);
  options.set_header(static_cast<v1::CsvOptions::Header>(9));
  std::vector<FieldViolation> violations;
  CsvOptionsFromProto(options, &violations);
  ASSERT_EQ(violations.size(), 3u);
  EXPECT_EQ(violations[0].field, "csv.header");
  EXPECT_EQ(violations[1].field, "csv.delimiter");
  EXPECT_EQ(violations[2].field, "csv.bad_rows_max");
}

TEST(ConvertTest, TheSchemaOfAStoredDatasetIsThatOfItsTable) {
  StringSource source("a,y\n1,no\n2.5,yes\n,no\n");
  ASSERT_OK_AND_ASSIGN(const IngestResult ingest, ReadCsvTable(source, {}));
  v1::Dataset dataset;
  TableToProto(ingest.table, &dataset);
  const Schema direct = SchemaOf(ingest.table);
  const Schema stored = SchemaFromProto(dataset);
  ASSERT_EQ(stored.rows, direct.rows);
  ASSERT_EQ(stored.columns.size(), direct.columns.size());
  for (size_t i = 0; i < direct.columns.size(); ++i) {
    EXPECT_EQ(stored.columns[i].name, direct.columns[i].name);
    EXPECT_EQ(stored.columns[i].type, direct.columns[i].type);
    EXPECT_EQ(stored.columns[i].missing_count, direct.columns[i].missing_count);
    EXPECT_EQ(stored.columns[i].distinct_count, direct.columns[i].distinct_count);
    EXPECT_EQ(stored.columns[i].integers, direct.columns[i].integers);
    EXPECT_EQ(stored.columns[i].values, direct.columns[i].values);
  }
}

TEST(ConvertTest, ANonFiniteLossKeepsWhereItWas) {
  const absl::Status status = MakeError(
      absl::StatusCode::kFailedPrecondition, "the loss is NaN",
      {.reason = ErrorReason::kNonFiniteLoss,
       .hint = "lower the learning rate",
       .metadata = {
           {"step", "118"}, {"epoch", "3"}, {"learning_rate", "0.5"}, {"layer", "output logits"}}});
  const v1::JobError error = JobErrorFromStatus(status);
  EXPECT_EQ(error.reason(), v1::ERROR_REASON_NON_FINITE_LOSS);
  EXPECT_EQ(error.category(), v1::FAILURE_CATEGORY_USER);
  EXPECT_EQ(error.step(), 118);
  EXPECT_EQ(error.epoch(), 3);
  EXPECT_EQ(error.learning_rate(), 0.5);
  EXPECT_EQ(error.layer(), "output logits");
}

TEST(ConvertTest, AnUnexplainedFailureIsNotTheUsersFault) {
  EXPECT_EQ(JobErrorFromStatus(absl::InternalError("x")).category(), v1::FAILURE_CATEGORY_INFRA);
}

TEST(ConvertTest, SpecDigestsTellSpecsApart) {
  v1::TrainingSpec other = FullSpec();
  EXPECT_EQ(SpecDigest(FullSpec()), SpecDigest(other));
  other.set_seed(6);
  EXPECT_NE(SpecDigest(FullSpec()), SpecDigest(other));
}

}  // namespace
}  // namespace trainyard
