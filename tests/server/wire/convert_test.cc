#include "server/wire/convert.h"

#include <google/protobuf/unknown_field_set.h>
#include <google/protobuf/util/message_differencer.h>

#include "absl/strings/str_cat.h"
#include "core/train/trainer.h"
#include "tests/support/status_matchers.h"

namespace trainyard {
namespace {

using google::protobuf::util::MessageDifferencer;
using testing::HasSubstr;

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

// Sets every field of `message` to a value that is no default: counts from 3 up, strings after
// their field, enums their last value. Each number is another one, so that two fields that are
// mixed up are seen.
class Filler {
 public:
  void Fill(Message* message) {
    const auto& reflection = *message->GetReflection();
    for (int i = 0; i < message->GetDescriptor()->field_count(); ++i) {
      const FieldDescriptor* field = message->GetDescriptor()->field(i);
      if (field->is_repeated()) {
        FillRepeated(message, field);
      } else if (field->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE) {
        Fill(reflection.MutableMessage(message, field));
      } else {
        FillOne(message, field);
      }
    }
  }

 private:
  void FillOne(Message* message, const FieldDescriptor* field) {
    const auto& reflection = *message->GetReflection();
    ++next_;
    switch (field->cpp_type()) {
      case FieldDescriptor::CPPTYPE_INT32:
        return reflection.SetInt32(message, field, next_);
      case FieldDescriptor::CPPTYPE_INT64:
        return reflection.SetInt64(message, field, next_);
      case FieldDescriptor::CPPTYPE_UINT64:
        return reflection.SetUInt64(message, field, static_cast<uint64_t>(next_));
      case FieldDescriptor::CPPTYPE_DOUBLE:
        return reflection.SetDouble(message, field, next_ + 0.25);
      case FieldDescriptor::CPPTYPE_BOOL:
        return reflection.SetBool(message, field, !field->has_presence());
      case FieldDescriptor::CPPTYPE_STRING:
        return reflection.SetString(message, field, absl::StrCat(field->name(), next_));
      case FieldDescriptor::CPPTYPE_ENUM:
        return reflection.SetEnum(message, field,
                                  field->enum_type()->value(field->enum_type()->value_count() - 1));
      default:
        ADD_FAILURE() << field->full_name() << " is of a type this test does not know";
    }
  }
  void FillRepeated(Message* message, const FieldDescriptor* field) {
    const auto& reflection = *message->GetReflection();
    for (int i = 0; i < 2; ++i) {
      ++next_;
      switch (field->cpp_type()) {
        case FieldDescriptor::CPPTYPE_INT64:
          reflection.AddInt64(message, field, next_);
          break;
        case FieldDescriptor::CPPTYPE_FLOAT:
          reflection.AddFloat(message, field, static_cast<float>(next_) + 0.5F);
          break;
        case FieldDescriptor::CPPTYPE_STRING:
          reflection.AddString(message, field, absl::StrCat(field->name(), next_));
          break;
        case FieldDescriptor::CPPTYPE_MESSAGE:
          Fill(reflection.AddMessage(message, field));
          break;
        default:
          ADD_FAILURE() << field->full_name() << " is of a type this test does not know";
      }
    }
  }

  int next_ = 2;
};

// Every field that is TrainConfig's, at any depth; new ones in the proto by themselves.
v1::TrainingSpec FullSpec() {
  v1::TrainingSpec spec;
  Filler().Fill(&spec);
  // Said by the server, not by core.
  spec.clear_initial_model();
  spec.clear_test_dataset();
  spec.clear_max_memory_bytes();
  return spec;
}

v1::TrainingSpec ThroughCore(const v1::TrainingSpec& spec) {
  std::vector<FieldViolation> violations;
  v1::TrainingSpec back = TrainConfigToProto(TrainConfigFromProto(spec, &violations));
  EXPECT_TRUE(violations.empty());
  return back;
}

TEST(ConvertTest, ASpecWithEveryFieldSurvivesTheWayThroughCore) {
  const v1::TrainingSpec spec = FullSpec();
  const v1::TrainingSpec back = ThroughCore(spec);
  std::string difference;
  MessageDifferencer differencer;
  differencer.ReportDifferencesToString(&difference);
  EXPECT_TRUE(differencer.Compare(spec, back)) << difference;
}

// What a worker gets is what the server resolved: also where most fields are absent.
TEST(ConvertTest, DefaultsWrittenOutStayAsTheyAre) {
  v1::TrainingSpec spec;
  spec.set_target_column("y");
  spec.add_layers()->set_units(3);
  const v1::TrainingSpec once = ThroughCore(spec);
  EXPECT_TRUE(MessageDifferencer::Equals(once, ThroughCore(once))) << once.DebugString();
  EXPECT_EQ(once.layers(0).activation(), v1::ACTIVATION_RELU);
  EXPECT_EQ(once.layers(0).normalization(), v1::NORMALIZATION_NONE);
  EXPECT_TRUE(once.layers(0).bias());
  EXPECT_FALSE(once.layers(0).has_alpha());
  EXPECT_EQ(once.precision(), v1::PRECISION_FP32);
  EXPECT_EQ(once.seed_count(), 1);
  for (const char* absent : {"early_stopping", "loss_options", "init_options", "max_steps",
                             "evaluation_interval", "initial_weights"}) {
    const FieldDescriptor* field = v1::TrainingSpec::descriptor()->FindFieldByName(absent);
    EXPECT_TRUE(field->is_repeated() ? once.GetReflection()->FieldSize(once, field) == 0
                                     : !once.GetReflection()->HasField(once, field))
        << absent;
  }
}

TEST(ConvertTest, TheOptionOfALossIsWrittenOutWithIt) {
  v1::TrainingSpec spec;
  spec.set_loss(v1::LOSS_HUBER);
  EXPECT_EQ(ThroughCore(spec).loss_options().delta(), 1);
  spec.set_loss(v1::LOSS_QUANTILE);
  EXPECT_EQ(ThroughCore(spec).loss_options().quantile(), 0.5);
  EXPECT_FALSE(ThroughCore(spec).loss_options().has_delta());
}

TEST(ConvertTest, ClassWeightsAreSortedByName) {
  v1::TrainingSpec spec;
  for (const char* name : {"b", "c", "a"}) {
    (*spec.mutable_loss_options()->mutable_class_weights())[name] = name[0];
  }
  std::vector<FieldViolation> violations;
  const TrainConfig config = TrainConfigFromProto(spec, &violations);
  EXPECT_THAT(config.class_weights.by_name,
              testing::ElementsAre(testing::Pair("a", 'a'), testing::Pair("b", 'b'),
                                   testing::Pair("c", 'c')));
}

// Every value of a proto enum against the same name in core, whose spelling is kCamelCase.
template <typename Enum>
void ExpectNumbers(const google::protobuf::EnumDescriptor* descriptor, std::vector<Enum> values) {
  ASSERT_EQ(descriptor->value_count(), static_cast<int>(values.size()) + 1)
      << descriptor->full_name();
  for (size_t i = 0; i < values.size(); ++i) {
    EXPECT_EQ(static_cast<int>(values[i]), descriptor->value(static_cast<int>(i) + 1)->number())
        << descriptor->value(static_cast<int>(i) + 1)->full_name();
  }
}

// In the order of the proto, UNSPECIFIED left out: a value that is missing or elsewhere is seen.
TEST(ConvertTest, EnumNumbersOfCoreAndProtoAreTheSame) {
  ExpectNumbers<Task>(v1::Task_descriptor(),
                      {Task::kBinary, Task::kMulticlass, Task::kRegression, Task::kMultilabel});
  using A = Activation;
  ExpectNumbers<A>(
      v1::Activation_descriptor(),
      {A::kIdentity, A::kRelu, A::kSigmoid, A::kTanh, A::kLeakyRelu, A::kElu, A::kSelu, A::kGelu,
       A::kGeluTanh, A::kSilu, A::kSoftplus, A::kHardSigmoid, A::kHardTanh, A::kHardSwish});
  using N = Normalization;
  ExpectNumbers<N>(v1::Normalization_descriptor(), {N::kNone, N::kBatch, N::kLayer});
  ExpectNumbers<Precision>(v1::Precision_descriptor(), {Precision::kFp32, Precision::kBf16});
  using I = InitKind;
  ExpectNumbers<I>(v1::Init_descriptor(),
                   {I::kHeNormal, I::kHeUniform, I::kXavierNormal, I::kXavierUniform, I::kZeros,
                    I::kNormal, I::kUniform, I::kLecunNormal, I::kLecunUniform, I::kOrthogonal});
  using L = LossKind;
  ExpectNumbers<L>(v1::Loss_descriptor(),
                   {L::kBinaryCrossEntropy, L::kSoftmaxCrossEntropy, L::kMeanSquaredError,
                    L::kMeanAbsoluteError, L::kHuber, L::kQuantile, L::kPoisson, L::kHinge});
  using O = OptimizerKind;
  ExpectNumbers<O>(v1::OptimizerSpec::Kind_descriptor(),
                   {O::kSgd, O::kAdam, O::kAdagrad, O::kAdadelta, O::kRmsProp, O::kAdamW,
                    O::kAmsGrad, O::kNAdam, O::kRAdam, O::kLion, O::kMuon, O::kLbfgs});
  using S = ScheduleKind;
  ExpectNumbers<S>(v1::ScheduleSpec::Kind_descriptor(),
                   {S::kConstant, S::kStep, S::kMultiStep, S::kExponential, S::kPolynomial,
                    S::kCosine, S::kCosineRestarts, S::kOneCycle, S::kCyclic, S::kReduceOnPlateau});
  using U = ScheduleUnit;
  ExpectNumbers<U>(v1::ScheduleSpec::Unit_descriptor(), {U::kSteps, U::kEpochs});
  ExpectNumbers<Scaling>(v1::Scaling_descriptor(), {Scaling::kStandardize, Scaling::kNone,
                                                    Scaling::kMinMax, Scaling::kRobust});
  using R = StopReason;
  ExpectNumbers<R>(v1::StopReason_descriptor(),
                   {R::kCompleted, R::kRuntimeLimit, R::kEarlyStopped, R::kMaxSteps});
  using M = LayerRecords;
  ExpectNumbers<M>(v1::LayerRecords_descriptor(), {M::kNone, M::kSummary, M::kHistograms});
  using W = WarningKind;
  ExpectNumbers<W>(v1::TrainingWarning_descriptor(),
                   {W::kVanishingGradients, W::kExplodingGradients, W::kDeadUnits,
                    W::kSaturatedUnits, W::kOverfitting, W::kStuckLoss});
}

TEST(ConvertTest, AnEpochSaysOfItsLayersWhatWasSeen) {
  EpochRecord epoch;
  // Of -1, 0, 0 and 3.
  const std::vector<double> numbers = {-1, 0, 0, 3};
  epoch.layers = {{.name = "layers[0]",
                   .weight_norm = 2,
                   .gradient_norm = 0.5,
                   .update_ratio = 0.001,
                   .dead_unit_fraction = 0.25,
                   .saturated_fraction = 0.125,
                   .weights = Summarize(numbers.data(), 4, 2)},
                  {.name = "output"}};
  const v1::JobEvent event = EpochToProto(epoch);
  EXPECT_THAT(event.epoch().layers(0).ShortDebugString(),
              "name: \"layers[0]\" weight_norm: 2 gradient_norm: 0.5 update_ratio: 0.001 "
              "dead_unit_fraction: 0.25 saturated_fraction: 0.125 weights { min: -1 max: 3 counts: "
              "3 counts: 1 sum: 2 sum_of_squares: 10 }");
  EXPECT_EQ(event.epoch().layers(1).ShortDebugString(), "name: \"output\"");
}

TEST(ConvertTest, AWarningIsANoteThatComesAgain) {
  const v1::JobEvent event =
      WarningToProto({WarningKind::kDeadUnits, "half of them are dead", "use ELU"});
  EXPECT_EQ(event.note().ShortDebugString(),
            "message: \"half of them are dead\" warning: TRAINING_WARNING_DEAD_UNITS remedy: "
            "\"use ELU\"");
  EXPECT_TRUE(IsRepeated(event));
}

TEST(ConvertTest, EnumNumbersOfDataAreTheSame) {
  using I = Imputation;
  ExpectNumbers<I>(v1::Imputation_descriptor(), {I::kMean, I::kMedian, I::kConstant, I::kRefuse});
  using E = Encoding;
  ExpectNumbers<E>(v1::Encoding_descriptor(),
                   {E::kNumber, E::kOneHot, E::kOrdinal, E::kHashing});
  using U = UnseenCategory;
  ExpectNumbers<U>(v1::UnseenCategory_descriptor(), {U::kOther, U::kZeros, U::kRefuse});
  ExpectNumbers<TargetScaling>(v1::TargetScaling_descriptor(),
                               {TargetScaling::kNone, TargetScaling::kStandardize});
  using K = ColumnKind;
  ExpectNumbers<K>(v1::ColumnKind_descriptor(),
                   {K::kNumeric, K::kIntegerCategory, K::kCategory, K::kBoolean, K::kIdentifier,
                    K::kConstant, K::kFreeText});
  using F = FileFormat;
  ExpectNumbers<F>(v1::FileFormat_descriptor(),
                   {F::kCsv, F::kNpy, F::kNpz, F::kIdx, F::kSvmlight});
  using C = Compression;
  ExpectNumbers<C>(v1::Compression_descriptor(), {C::kNone, C::kGzip, C::kZstd});
  using W = TableWarning::Code;
  ExpectNumbers<W>(v1::DatasetWarning::Code_descriptor(),
                   {W::kConstantColumn, W::kIdentifierColumn, W::kFreeTextColumn,
                    W::kMostlyMissingColumn, W::kDuplicateColumn, W::kDuplicateRows,
                    W::kExtremeValues, W::kSimilarCategories});
}

EvalResult Measured() {
  return {.rows = 4, .metrics = {{"loss", 0.5}, {"accuracy", 0.75}}, .confusion = {2, 1, 0, 1}};
}

TEST(ConvertTest, RecordsBecomeEventsOfTheirRun) {
  EXPECT_EQ(StepToProto({.step = 4, .run = 2}).step().run(), 2);
  EXPECT_EQ(EpochToProto({.epoch = 4, .run = 2}).epoch().run(), 2);
  const v1::JobEvent event =
      EvaluationToProto({.steps_done = 9, .epoch = 1, .validation = Measured(), .run = 3});
  EXPECT_EQ(event.evaluation().steps_done(), 9);
  EXPECT_EQ(event.evaluation().epoch(), 1);
  EXPECT_EQ(event.evaluation().run(), 3);
  ASSERT_EQ(event.evaluation().validation_size(), 2);
  EXPECT_EQ(event.evaluation().validation(1).name(), "accuracy");
  EXPECT_EQ(event.evaluation().validation(1).value(), 0.75);
}

TEST(ConvertTest, ATestHasItsConfusionAndItsSeeds) {
  SeedsResult result;
  result.best.test = Measured();
  result.seeds = {{.seed = 7, .stop_reason = StopReason::kEarlyStopped, .steps_done = 5}};
  v1::TestMetrics test = TestToProto(result, {"no", "yes"}).test();
  EXPECT_EQ(test.row_count(), 4);
  EXPECT_THAT(test.confusion().classes(), testing::ElementsAre("no", "yes"));
  EXPECT_THAT(test.confusion().counts(), testing::ElementsAre(2, 1, 0, 1));
  EXPECT_EQ(test.seed_results_size(), 0);  // one seed needs no table
  result.seeds.push_back({.seed = 8, .validation = Measured(), .test = Measured()});
  test = TestToProto(result, {"no", "yes"}).test();
  ASSERT_EQ(test.seed_results_size(), 2);
  EXPECT_EQ(test.seed_results(0).seed(), 7u);
  EXPECT_EQ(test.seed_results(0).stop_reason(), v1::STOP_REASON_EARLY_STOPPED);
  EXPECT_EQ(test.seed_results(0).steps_done(), 5);
  EXPECT_EQ(test.seed_results(1).validation_metrics(0).value(), 0.5);
  EXPECT_EQ(test.seed_results(1).test_metrics_size(), 2);
  // Too many classes, or none: no matrix.
  EXPECT_FALSE(TestToProto(result, {"a", "b", "c"}).test().has_confusion());
}

TEST(ConvertTest, PredictionsSpeakOfClassesLabelsOrValues) {
  Bundle bundle;
  bundle.task = Task::kBinary;
  bundle.classes = {"no", "yes"};
  v1::Prediction proto = PredictionToProto({.class_index = 1, .probabilities = {0.2, 0.8}}, bundle);
  EXPECT_EQ(proto.label(), "yes");
  EXPECT_EQ(proto.probabilities(1), 0.8);
  bundle.task = Task::kMultilabel;
  bundle.classes = {"red", "big", "old"};
  proto = PredictionToProto({.probabilities = {0.9, 0.5, 0.51}}, bundle);
  EXPECT_THAT(proto.labels(), testing::ElementsAre("red", "old"));
  EXPECT_EQ(proto.probabilities_size(), 3);
  EXPECT_EQ(proto.label(), "");
  bundle.task = Task::kRegression;
  EXPECT_EQ(PredictionToProto({.value = 2.5}, bundle).value(), 2.5);
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
  spec.mutable_schedule()->set_unit(static_cast<v1::ScheduleSpec::Unit>(7));
  spec.mutable_layers(0)->set_activation(static_cast<v1::Activation>(42));
  std::vector<FieldViolation> violations;
  TrainConfigFromProto(spec, &violations);
  ASSERT_EQ(violations.size(), 3u);
  EXPECT_EQ(violations[0].field, "spec.task");
  EXPECT_EQ(violations[1].field, "spec.layers[0].activation");
  EXPECT_THAT(violations[1].description, HasSubstr("42"));
  EXPECT_EQ(violations[2].field, "spec.schedule.unit");
}

TEST(ConvertTest, AnExplicitZeroThatWouldMeanNoneIsAFaultAndNoneIsNot) {
  v1::TrainingSpec spec;
  std::vector<FieldViolation> violations;
  TrainConfigFromProto(spec, &violations);
  EXPECT_TRUE(violations.empty());
  spec.set_step_event_interval(0);
  spec.set_max_steps(0);
  spec.set_evaluation_interval(0);
  TrainConfigFromProto(spec, &violations);
  ASSERT_EQ(violations.size(), 3u);
  EXPECT_EQ(violations[0].field, "spec.step_event_interval");
  EXPECT_EQ(violations[1].field, "spec.max_steps");
  EXPECT_EQ(violations[2].field, "spec.evaluation_interval");
}

TEST(ConvertTest, CsvOptionsGoThereAndBack) {
  v1::CsvOptions options;
  options.set_delimiter(";");
  options.set_header(v1::CsvOptions::ABSENT);
  options.set_bad_rows_max(3);
  options.set_decimal_mark(v1::CsvOptions::COMMA);
  options.set_quote(v1::CsvOptions::SINGLE);
  options.set_comment("#");
  options.add_missing_markers("-999");
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
  ASSERT_OK_AND_ASSIGN(const IngestResult ingest, IngestTable(source, {}));
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
