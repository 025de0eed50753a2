#include "client/job_history.h"

#include "absl/strings/str_cat.h"
#include "client/history_text.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/client/event_builders.h"

namespace trainyard {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::StartsWith;

// "loss/train=0.5", or "loss/train=0.5 of 1".
std::vector<std::string> Texts(const std::vector<Scalar>& scalars) {
  std::vector<std::string> texts;
  for (const Scalar& scalar : scalars) {
    texts.push_back(
        absl::StrCat(scalar.tag, "=", scalar.value,
                     scalar.run.value_or(0) == 0 ? "" : absl::StrCat(" of ", *scalar.run)));
  }
  return texts;
}

std::vector<int64_t> Steps(const std::vector<v1::JobEvent>& history) {
  std::vector<int64_t> steps;
  for (const v1::JobEvent& event : history) steps.push_back(StepsDone(event).value_or(-1));
  return steps;
}

TEST(JobHistoryTest, StepsAreCountedAsDone) {
  EXPECT_EQ(StepsDone(StepEvent(1, 0.5)), 1);
  EXPECT_EQ(StepsDone(EpochEvent(10, 0.5)), 10);
  EXPECT_EQ(StepsDone(RewindEvent(7)), std::nullopt);
}

TEST(JobHistoryTest, ARewindTakesOutWhatCameAfterItsStepAndStandsBefore) {
  v1::JobEvent evaluation = NewEvent();
  evaluation.mutable_evaluation()->set_steps_done(8);
  v1::JobEvent warning = NewEvent();
  warning.mutable_note()->set_message("is told again");
  v1::JobEvent note = NewEvent();
  note.mutable_note()->set_checkpoint_step(6);  // of that attempt alone
  const std::vector<v1::JobEvent> history =
      WithoutVoid({EpochEvent(5, 1), StepEvent(6, 1), StepEvent(7, 1), warning, note, evaluation,
                   EpochEvent(10, 1), RewindEvent(6), StepEvent(7, 2), EpochEvent(10, 2),
                   RewindEvent(7), EpochEvent(10, 3)});
  EXPECT_THAT(Steps(history), ElementsAre(5, 6, -1, 7, 10));
  EXPECT_EQ(history.back().epoch().train_loss(), 3);
}

TEST(JobHistoryTest, ARewindToTheStartLeavesNothingOfTraining) {
  EXPECT_THAT(WithoutVoid({StepEvent(1, 1), EpochEvent(1, 1), RewindEvent(0)}), testing::IsEmpty());
}

TEST(JobHistoryTest, NumbersHaveTheNamesOfTensorBoard) {
  EXPECT_THAT(Texts(ScalarsOf(StepEvent(3, 0.25))),
              ElementsAre("loss/batch=0.25", "learning_rate=0.5", "gradient_norm=2"));
  v1::JobEvent epoch = EpochEvent(10, 0.5, 1);
  AddMetric("accuracy", 0.75, epoch.mutable_epoch()->mutable_validation());
  *epoch.mutable_epoch()->add_layers() = Layer("layers[0]");
  EXPECT_THAT(
      Texts(ScalarsOf(epoch)),
      ElementsAre("loss/train=0.5 of 1", "accuracy/validation=0.75 of 1", "learning_rate=0.5 of 1",
                  "layers[0]/weight_norm=3 of 1", "layers[0]/gradient_norm=0.5 of 1",
                  "layers[0]/update_ratio=0.001 of 1", "layers[0]/dead_unit_fraction=0.25 of 1",
                  "layers[0]/saturated_fraction=0 of 1"));
  v1::JobEvent test = NewEvent();
  AddMetric("loss", 2, test.mutable_test()->mutable_metrics());
  for (const double loss : {2, 3}) {
    AddMetric("loss", loss, test.mutable_test()->add_seed_results()->mutable_test_metrics());
  }
  const std::vector<Scalar> scalars = ScalarsOf(test);
  EXPECT_THAT(Texts(scalars), ElementsAre("loss/test=2", "loss/test=2", "loss/test=3 of 1"));
  EXPECT_EQ(scalars[0].run, std::nullopt);
  EXPECT_THAT(ScalarsOf(RewindEvent(1)), testing::IsEmpty());
}

TEST(HistoryTextTest, CsvHasAColumnPerTagAndALinePerEventWithNumbers) {
  v1::JobEvent test = NewEvent();
  AddMetric("loss", 2, test.mutable_test()->mutable_metrics());
  v1::JobEvent note = NewEvent();
  note.mutable_note()->set_message("none");
  std::vector<v1::JobEvent> history = {StepEvent(3, NAN), EpochEvent(4, 0.1, 0.25), note, test};
  for (size_t i = 0; i < history.size(); ++i) history[i].set_sequence(static_cast<int64_t>(i) + 1);
  EXPECT_EQ(HistoryCsv(history),
            "sequence,time,kind,run,step,loss/batch,learning_rate,gradient_norm,loss/train,"
            "loss/validation,loss/test\n"
            "1,1970-01-12T13:46:40.5+00:00,step,0,3,nan,0.5,2,,,\n"
            "2,1970-01-12T13:46:40.5+00:00,epoch,0,4,,0.5,,0.10000000000000001,0.25,\n"
            "4,1970-01-12T13:46:40.5+00:00,test,,4,,,,,,2\n");
  EXPECT_EQ(HistoryCsv({}), "sequence,time,kind,run,step\n");
}

TEST(HistoryTextTest, JsonLinesAreTheEventsThemselves) {
  const std::string text = HistoryJsonLines({StepEvent(3, 0.25), EpochEvent(4, 0.5)});
  EXPECT_THAT(text, StartsWith(R"({"sequence":"0",)"));
  EXPECT_THAT(text, HasSubstr("\"create_time\":\"1970-01-12T13:46:40.500Z\"}\n{"));
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 2);
  EXPECT_THAT(text, HasSubstr(R"("train_loss":0.5)"));
}

}  // namespace
}  // namespace trainyard
