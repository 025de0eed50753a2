#include "server/jobs/replay.h"

#include <cmath>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "gtest/gtest.h"

namespace trainyard {
namespace {

using Events = std::vector<v1::JobEvent>;

v1::JobEvent Step(int64_t step, double loss, int32_t attempt = 1) {
  v1::JobEvent event;
  event.set_attempt(attempt);
  event.mutable_step()->set_step(step);
  event.mutable_step()->set_loss(loss);
  return event;
}
v1::JobEvent Epoch(int32_t epoch, int64_t steps_done, double loss, int32_t attempt = 1) {
  v1::JobEvent event;
  event.set_attempt(attempt);
  event.mutable_epoch()->set_epoch(epoch);
  event.mutable_epoch()->set_steps_done(steps_done);
  event.mutable_epoch()->set_train_loss(loss);
  return event;
}
v1::JobEvent TestResult(double accuracy, int32_t attempt = 1) {
  v1::JobEvent event;
  event.set_attempt(attempt);
  v1::Metric& metric = *event.mutable_test()->add_metrics();
  metric.set_name("accuracy");
  metric.set_value(accuracy);
  return event;
}
v1::JobEvent Evaluation(int64_t steps_done, double loss) {
  v1::JobEvent event;
  event.mutable_evaluation()->set_steps_done(steps_done);
  event.mutable_evaluation()->add_validation()->set_value(loss);
  return event;
}
v1::JobEvent Point(int64_t points_done) {
  v1::JobEvent event;
  event.mutable_analysis_progress()->set_points_done(points_done);
  return event;
}
v1::JobEvent RewindTo(int64_t step) {
  v1::JobEvent event;
  event.mutable_rewind()->set_to_step(step);
  return event;
}

// "step 3=0.5, rewind 3, …": readable in a failure.
std::string Text(const Events& events) {
  return absl::StrJoin(events, ", ", [](std::string* out, const v1::JobEvent& e) {
    if (e.has_step()) absl::StrAppend(out, "step ", e.step().step(), "=", e.step().loss());
    if (e.has_epoch())
      absl::StrAppend(out, "epoch ", e.epoch().epoch(), "=", e.epoch().train_loss());
    if (e.has_test()) absl::StrAppend(out, "test ", e.test().metrics(0).value());
    if (e.has_rewind()) absl::StrAppend(out, "rewind ", e.rewind().to_step());
    if (e.has_note()) absl::StrAppend(out, "note");
    if (e.has_evaluation()) {
      absl::StrAppend(out, "evaluation ", e.evaluation().steps_done(), "=",
                      e.evaluation().validation(0).value());
    }
    if (e.has_analysis_progress()) {
      absl::StrAppend(out, "point ", e.analysis_progress().points_done());
    }
  });
}

// Stored with sequences and times, as a log has them.
std::string LogAfter(const Events& stored, const Events& produced, bool finish = false) {
  Replay replay;
  int64_t sequence = 0;
  for (v1::JobEvent event : stored) {
    event.set_sequence(++sequence);
    event.mutable_create_time()->set_seconds(1'000 + sequence);
    replay.AddStored(event);
  }
  Events to_append;
  for (v1::JobEvent event : produced) {
    event.set_attempt(2);
    replay.Produce(event, &to_append);
  }
  if (finish) replay.Finish(&to_append);
  for (const v1::JobEvent& event : to_append) EXPECT_EQ(event.attempt(), 2);
  return Text(to_append);
}

TEST(ReplayTest, EqualEventsAreNotAppendedAndTheLogGoesOn) {
  const Events stored = {Step(0, 0.7), Step(1, 0.6), Epoch(0, 2, 0.65)};
  EXPECT_EQ(LogAfter(stored, {Step(0, 0.7), Step(1, 0.6)}), "");
  EXPECT_EQ(LogAfter(stored, {Step(0, 0.7), Step(1, 0.6), Epoch(0, 2, 0.65), Step(2, 0.5)}),
            "step 2=0.5");
}

TEST(ReplayTest, ADifferentStepRewindsToTheStepBeforeIt) {
  EXPECT_EQ(LogAfter({Step(0, 0.7), Step(1, 0.6), Step(2, 0.5)},
                     {Step(0, 0.7), Step(1, 0.61), Step(2, 0.52)}),
            "rewind 1, step 1=0.61, step 2=0.52");
}

TEST(ReplayTest, TheSmallestDifferenceCounts) {
  EXPECT_EQ(LogAfter({Step(0, 0.7)}, {Step(0, std::nextafter(0.7, 1))}).substr(0, 8), "rewind 0");
}

// The epoch's event stands at the same step as the last step's, so that a rewind to the step before
// it voids both.
TEST(ReplayTest, ADifferentEpochBringsTheEventsOfItsLastStepAgain) {
  EXPECT_EQ(LogAfter({Step(0, 0.7), Step(1, 0.6), Epoch(0, 2, 0.65)},
                     {Step(0, 0.7), Step(1, 0.6), Epoch(0, 2, 0.66)}),
            "rewind 1, step 1=0.6, epoch 0=0.66");
}

TEST(ReplayTest, ADifferentTestRewindsTheLastStep) {
  EXPECT_EQ(LogAfter({Step(0, 0.7), Epoch(0, 1, 0.7), TestResult(0.9)},
                     {Step(0, 0.7), Epoch(0, 1, 0.7), TestResult(0.8)}),
            "rewind 0, step 0=0.7, epoch 0=0.7, test 0.8");
}

TEST(ReplayTest, StateChangesAndCheckpointsAreNotCompared) {
  v1::JobEvent change, saved;
  change.mutable_state_change()->set_to(v1::JOB_STATE_PENDING);
  saved.mutable_checkpoint()->set_step(1);
  EXPECT_EQ(LogAfter({change, Step(0, 0.7), change, saved, Step(1, 0.6)},
                     {Step(0, 0.7), Step(1, 0.6), Step(2, 0.5)}),
            "step 2=0.5");
  EXPECT_EQ(LogAfter({Step(0, 0.7)}, {saved, Step(0, 0.7)}), "");
}

v1::JobEvent NoteOf(const std::string& message) {
  v1::JobEvent event;
  event.mutable_note()->set_message(message);
  return event;
}

// What is worth telling of the data is told by each attempt, and stands in the log once.
TEST(ReplayTest, NotesAreRepeatedLikeSteps) {
  EXPECT_EQ(LogAfter({NoteOf("a")}, {NoteOf("a"), NoteOf("b"), Step(0, 0.7)}), "note, step 0=0.7");
  EXPECT_EQ(LogAfter({NoteOf("a"), Step(0, 0.7)}, {NoteOf("a"), Step(0, 0.7)}), "");
}

TEST(ReplayTest, ANoteAboutACheckpointIsOfItsAttempt) {
  v1::JobEvent note = NoteOf("it cannot be read");
  note.mutable_note()->set_checkpoint_step(1);
  EXPECT_EQ(LogAfter({note, Step(0, 0.7)}, {note, Step(0, 0.7), Step(1, 0.6)}), "note, step 1=0.6");
}

// From a checkpoint after `skipped` events.
std::string LogFrom(int64_t skipped, const Events& stored, const Events& produced) {
  Replay replay;
  for (const v1::JobEvent& event : stored) replay.AddStored(event);
  replay.Skip(skipped);
  Events to_append;
  for (const v1::JobEvent& event : produced) replay.Produce(event, &to_append);
  return Text(to_append);
}

TEST(ReplayTest, WhatCameBeforeTheCheckpointIsSkipped) {
  const Events stored = {NoteOf("a"), Step(0, 0.7), Step(1, 0.6), Epoch(0, 2, 0.65), Step(2, 0.5)};
  EXPECT_EQ(LogFrom(4, stored, {Step(2, 0.5), Step(3, 0.4)}), "step 3=0.4");
  EXPECT_EQ(LogFrom(3, stored, {Epoch(0, 2, 0.65), Step(2, 0.5), Step(3, 0.4)}), "step 3=0.4");
  EXPECT_EQ(LogFrom(5, stored, {Step(3, 0.4)}), "step 3=0.4");
  EXPECT_EQ(LogFrom(99, stored, {Step(3, 0.4)}), "step 3=0.4");
}

TEST(ReplayTest, ADifferenceAfterACheckpointRewindsToTheStepBeforeIt) {
  EXPECT_EQ(LogFrom(2, {Step(0, 0.7), Step(1, 0.6), Step(2, 0.5), Step(3, 0.4)},
                    {Step(2, 0.5), Step(3, 0.41)}),
            "rewind 3, step 3=0.41");
  EXPECT_EQ(LogFrom(2, {Step(0, 0.7), Step(1, 0.6), Step(2, 0.5)}, {Step(2, 0.51)}),
            "rewind 2, step 2=0.51");
}

TEST(ReplayTest, OnlyWhatStandsAfterARewindIsCounted) {
  EXPECT_EQ(LogFrom(2, {Step(0, 0.7), Step(1, 0.6), RewindTo(1), Step(1, 0.61), Step(2, 0.5)},
                    {Step(2, 0.5), Step(3, 0.4)}),
            "step 3=0.4");
}

TEST(ReplayTest, WhatAnEarlierRewindVoidedIsNotCompared) {
  const Events stored = {Step(0, 0.7), Step(1, 0.6),  Step(2, 0.5),
                         RewindTo(1),  Step(1, 0.61), Step(2, 0.51)};
  EXPECT_EQ(LogAfter(stored, {Step(0, 0.7), Step(1, 0.61), Step(2, 0.51), Step(3, 0.4)}),
            "step 3=0.4");
}

TEST(ReplayTest, AnEndBeforeWhatIsStoredVoidsTheRest) {
  EXPECT_EQ(
      LogAfter({Step(0, 0.7), Step(1, 0.6), Step(2, 0.5)}, {Step(0, 0.7), Step(1, 0.6)}, true),
      "rewind 2");
  EXPECT_EQ(LogAfter({Step(0, 0.7), Epoch(0, 1, 0.7)}, {Step(0, 0.7)}, true),
            "rewind 0, step 0=0.7");
  EXPECT_EQ(LogAfter({Step(0, 0.7)}, {Step(0, 0.7)}, true), "");
}

// Whatever two runs do: the log without its voided events is what the last run produced.
TEST(ReplayTest, TheEffectiveLogIsTheLastRun) {
  for (int difference = 0; difference <= 12; ++difference) {
    Events first, second;
    for (int32_t epoch = 0; epoch < 4; ++epoch) {
      for (int64_t step = epoch * 2; step < epoch * 2 + 2; ++step) {
        first.push_back(Step(step, 1));
        second.push_back(Step(step, static_cast<int>(second.size()) >= difference ? 2 : 1));
      }
      first.push_back(Epoch(epoch, epoch * 2 + 2, 1));
      second.push_back(
          Epoch(epoch, epoch * 2 + 2, static_cast<int>(second.size()) >= difference ? 2 : 1));
    }
    Replay replay;
    for (const v1::JobEvent& event : first) replay.AddStored(event);
    Events log = first;
    for (const v1::JobEvent& event : second) replay.Produce(event, &log);
    replay.Finish(&log);
    Events effective;
    for (const v1::JobEvent& event : log) {
      const auto is_void = [&](const v1::JobEvent& e) {
        return (e.has_step() ? e.step().step() + 1 : e.epoch().steps_done()) >
               event.rewind().to_step();
      };
      if (event.has_rewind()) {
        std::erase_if(effective, is_void);
      } else {
        effective.push_back(event);
      }
    }
    SCOPED_TRACE(difference);
    EXPECT_EQ(Text(effective), Text(second));
  }
}

TEST(ReplayTest, EvaluationsBetweenEpochsAreCompared) {
  const Events stored = {Step(0, 0.7), Evaluation(1, 0.8), Step(1, 0.6)};
  EXPECT_EQ(LogAfter(stored, {Step(0, 0.7), Evaluation(1, 0.8), Step(1, 0.6), Step(2, 0.5)}),
            "step 2=0.5");
  EXPECT_EQ(LogAfter(stored, {Step(0, 0.7), Evaluation(1, 0.9), Step(1, 0.6)}),
            "rewind 0, step 0=0.7, evaluation 1=0.9, step 1=0.6");
}

TEST(ReplayTest, ARepeatedAnalysisGoesOnAfterItsLastStoredPoint) {
  EXPECT_EQ(LogAfter({Point(1), Point(32)}, {Point(1), Point(32), Point(63)}), "point 63");
}

}  // namespace
}  // namespace trainyard
