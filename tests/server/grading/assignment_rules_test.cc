#include "server/grading/assignment_rules.h"

#include <cmath>
#include <limits>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/server/grading/course_events.h"

namespace trainyard {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr char kValid[] = R"(name: "courses/c/assignments/a" max_points: 100
                             training_dataset: "datasets/t" sealed_dataset: "datasets/s" )";

std::vector<FieldViolation> Faults(const v1::Assignment& assignment) {
  std::vector<FieldViolation> violations;
  CheckAssignmentForm(assignment, "Europe/Moscow", &violations);
  return violations;
}
std::vector<std::string> FieldsOf(const v1::Assignment& assignment) {
  std::vector<std::string> fields;
  for (const FieldViolation& violation : Faults(assignment)) fields.push_back(violation.field);
  return fields;
}
// Of a valid one with `text` merged in.
std::vector<std::string> FieldsWith(const std::string& text) {
  v1::Assignment assignment = FromText<v1::Assignment>(kValid);
  assignment.MergeFrom(FromText<v1::Assignment>(text));
  return FieldsOf(assignment);
}

TEST(CheckAssignmentFormTest, TakesEveryBound) {
  for (const char* text :
       {"", "max_points: 1", "max_points: 1000000", "module: 100", "seed_count: 15",
        "replay_fraction: 0", "replay_fraction: 1",
        "attempts { burst: 1000 queued_max: 100 ungradable_max: 1000 }",
        "attempts { refill_period { seconds: 60 } }",
        "attempts { refill_period { seconds: 2592000 } }",
        "leak_limits { student_bits_max: -1 class_bits_max: -1 }", "budget { parameters_max: 1 }",
        "score_rule { metric: SCORE_METRIC_R2 }", "release: POINTS_RELEASE_IMMEDIATE",
        R"(opens: "2027-02-01 00:00:00" due: "2027-02-10 23:59:59" closes: "2027-02-10 23:59:59"
           release: POINTS_RELEASE_AFTER_CLOSE)",
        R"(due: "2027-02-10 23:59:59")",
        R"(opens: "2027-02-01 00:00:00" closes: "2027-02-01 00:00:01")",
        R"(title: "=Перцептрон")"}) {
    EXPECT_THAT(FieldsWith(text), IsEmpty()) << text;
  }
}

TEST(CheckAssignmentFormTest, NamesEachFault) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"max_points: 1000001", "assignment.max_points"},
      {"module: 101", "assignment.module"},
      {"module: -1", "assignment.module"},
      {"seed_count: 16", "assignment.seed_count"},
      {"seed_count: -1", "assignment.seed_count"},
      {R"(training_dataset: "t")", "assignment.training_dataset"},
      {R"(public_dataset: "datasets/../x")", "assignment.public_dataset"},
      {R"(sealed_dataset: "models/s")", "assignment.sealed_dataset"},
      {"release: 9", "assignment.release"},
      {"release: POINTS_RELEASE_AFTER_CLOSE", "assignment.release"},
      {"replay_fraction: -0.1", "assignment.replay_fraction"},
      {"replay_fraction: 1.01", "assignment.replay_fraction"},
      {"replay_fraction: nan", "assignment.replay_fraction"},
      {"score_rule { metric: 9 }", "assignment.score_rule.metric"},
      {"budget { parameters_max: -1 }", "assignment.budget.parameters_max"},
      {"budget { train_flops_max: -1 }", "assignment.budget.train_flops_max"},
      {"budget { epochs_max: -1 }", "assignment.budget.epochs_max"},
      {"score_rule { budget_bonus { budget { epochs_max: -1 } } }",
       "assignment.score_rule.budget_bonus.budget.epochs_max"},
      {"attempts { burst: -1 }", "assignment.attempts.burst"},
      {"attempts { burst: 1001 }", "assignment.attempts.burst"},
      {"attempts { queued_max: 101 }", "assignment.attempts.queued_max"},
      {"attempts { ungradable_max: 1001 }", "assignment.attempts.ungradable_max"},
      {"attempts { refill_period { } }", "assignment.attempts.refill_period"},
      {"attempts { refill_period { seconds: 59 nanos: 999999999 } }",
       "assignment.attempts.refill_period"},
      {"attempts { refill_period { seconds: 2592000 nanos: 1 } }",
       "assignment.attempts.refill_period"},
      {"attempts { refill_period { seconds: -9223372036854775808 } }",
       "assignment.attempts.refill_period"},
      {"leak_limits { student_bits_max: -2 }", "assignment.leak_limits.student_bits_max"},
      {"leak_limits { class_bits_max: 1000000001 }", "assignment.leak_limits.class_bits_max"},
      {R"(opens: "soon")", "assignment.opens"},
      {R"(due: "2027-02-30 00:00:00")", "assignment.due"},
      {R"(closes: "2027-02-10T00:00:00")", "assignment.closes"},
      {R"(closes: "2027-02-10" release: POINTS_RELEASE_AFTER_CLOSE)", "assignment.closes"},
      {R"(opens: "2027-02-10 00:00:00" due: "2027-02-10 00:00:00")", "assignment.due"},
      {R"(opens: "2027-02-10 00:00:00" closes: "2027-02-10 00:00:00")", "assignment.closes"},
      {R"(due: "2027-02-10 00:00:01" closes: "2027-02-10 00:00:00")", "assignment.closes"},
      {R"(title: "a\nb")", "assignment.title"},
      {absl::StrCat("title: '", std::string(201, 'x'), "'"), "assignment.title"}};
  for (const auto& [text, field] : cases) EXPECT_THAT(FieldsWith(text), ElementsAre(field)) << text;
  EXPECT_THAT(FieldsOf(FromText<v1::Assignment>("max_points: 1 training_dataset: 'datasets/t'")),
              ElementsAre("assignment.sealed_dataset"));
}

TEST(CheckAssignmentFormTest, NamesAllAtOnce) {
  EXPECT_THAT(
      FieldsOf(
          FromText<v1::Assignment>(R"(title: "\n" module: 101 seed_count: 16 release: 9 opens: "x"
                                                   replay_fraction: 2 score_rule { metric: 9 }
                                                   attempts { burst: -1 } leak_limits { class_bits_max: -2 })")),
      ElementsAre("assignment.title", "assignment.max_points", "assignment.module",
                  "assignment.seed_count", "assignment.training_dataset",
                  "assignment.sealed_dataset", "assignment.release", "assignment.replay_fraction",
                  "assignment.score_rule.metric", "assignment.attempts.burst",
                  "assignment.leak_limits.class_bits_max", "assignment.opens"));
}

TEST(CheckAssignmentFormTest, TimesThatClocksSkipAreOrderedByWhatTheyMean) {
  v1::Assignment assignment = FromText<v1::Assignment>(kValid);
  assignment.set_opens("2027-03-28 02:30:00");  // means 03:30
  assignment.set_due("2027-03-28 03:15:00");
  std::vector<FieldViolation> violations;
  CheckAssignmentForm(assignment, "Europe/Berlin", &violations);
  ASSERT_EQ(violations.size(), 1u);
  EXPECT_EQ(violations[0].field, "assignment.due");
  EXPECT_THAT(FieldsOf(assignment), IsEmpty());  // in Moscow they are in order
}

TEST(ResolveAssignmentTest, FillsInTheDefaultsOfTheContract) {
  const v1::Assignment resolved =
      ResolveAssignment(FromText<v1::Assignment>(kValid), v1::TASK_BINARY);
  EXPECT_EQ(resolved.seed_count(), 3);
  EXPECT_EQ(resolved.replay_fraction(), 0.02);
  EXPECT_EQ(resolved.release(), v1::POINTS_RELEASE_IMMEDIATE);
  EXPECT_EQ(resolved.attempts().burst(), 5);
  EXPECT_EQ(resolved.leak_limits().student_bits_max(), 256);
  EXPECT_EQ(resolved.leak_limits().class_bits_max(), 20'000);
  EXPECT_EQ(resolved.score_rule().metric(), v1::SCORE_METRIC_ACCURACY);
  EXPECT_EQ(MetricOf(resolved), ScoreMetric::kAccuracy);
  EXPECT_EQ(MetricOf(ResolveAssignment(FromText<v1::Assignment>(kValid), v1::TASK_REGRESSION)),
            ScoreMetric::kR2);
  // Resolved, it has nothing that anybody said was so.
  EXPECT_EQ(ResolveAssignment(resolved, v1::TASK_BINARY).SerializeAsString(),
            resolved.SerializeAsString());
}

TEST(ResolveAssignmentTest, KeepsWhatIsGivenAndDropsWhatIsOutput) {
  const v1::Assignment given = FromText<v1::Assignment>(absl::StrCat(kValid, R"(
      seed_count: 1 replay_fraction: 0 release: POINTS_RELEASE_AFTER_CLOSE attempts { burst: 2 }
      leak_limits { student_bits_max: -1 class_bits_max: 7 } score_rule { metric: SCORE_METRIC_MAE }
      commitments { role: "sealed" } warnings: "w")"));
  const v1::Assignment resolved = ResolveAssignment(given, v1::TASK_REGRESSION);
  EXPECT_EQ(resolved.seed_count(), 1);
  EXPECT_EQ(resolved.replay_fraction(), 0);
  EXPECT_EQ(resolved.release(), v1::POINTS_RELEASE_AFTER_CLOSE);
  EXPECT_EQ(resolved.attempts().burst(), 2);
  EXPECT_EQ(resolved.leak_limits().student_bits_max(), -1);
  EXPECT_EQ(resolved.leak_limits().class_bits_max(), 7);
  EXPECT_EQ(MetricOf(resolved), ScoreMetric::kMae);
  EXPECT_EQ(resolved.commitments_size() + resolved.warnings_size(), 0);
}

TEST(LimitsOfTest, ZeroIsNoLimit) {
  const WorkLimits limits =
      LimitsOf(FromText<v1::WorkBudget>("parameters_max: 7 train_flops_max: 8"));
  EXPECT_EQ(limits.parameters_max, 7);
  EXPECT_EQ(limits.train_flops_max, 8);
  EXPECT_EQ(limits.epochs_max, std::nullopt);
}

// By hand: 0.914 of 2000 rows has a standard error of √(0.914·0.086/2000) = 0.00627, so that it is
// told in steps of 0.01.
TEST(ResultToProtoTest, HasThePointsOfTheExactScoreAndTellsTheRoundedOne) {
  const v1::Assignment assignment = FromText<v1::Assignment>(absl::StrCat(kValid, R"(
      score_rule { metric: SCORE_METRIC_ACCURACY steps { threshold: 0.85 points: 40 } steps { threshold: 0.9 points: 70 }
                   steps { threshold: 0.93 points: 90 }
                   budget_bonus { budget { parameters_max: 100 } points: 10 } })"));
  const ScoreValue score{.value = 0.914, .standard_error = 0.00627};
  const v1::SubmissionResult result =
      ResultToProto(assignment, score, {.parameters = 100, .epochs = 1});
  EXPECT_EQ(result.points(), 80);
  EXPECT_EQ(result.max_points(), 100);
  EXPECT_EQ(result.score(), 0.91);
  EXPECT_TRUE(result.sealed());
  EXPECT_EQ(result.metric(), v1::SCORE_METRIC_ACCURACY);
  ASSERT_EQ(result.criteria_size(), 4);
  int64_t points = 0, max_points = 0;
  for (const v1::Criterion& criterion : result.criteria()) {
    points += criterion.points();
    max_points += criterion.max_points();
    EXPECT_EQ(criterion.passed(), criterion.points() == criterion.max_points());
  }
  EXPECT_EQ(points, 80);
  EXPECT_EQ(max_points, 100);
  EXPECT_FALSE(result.criteria(2).passed());
  // One parameter more is out of the bonus.
  EXPECT_EQ(ResultToProto(assignment, score, {.parameters = 101, .epochs = 1}).points(), 70);
  EXPECT_EQ(ResultToProto(assignment, {.value = 0.8499}, {.parameters = 1}).points(), 0);
}

// Half way from 0.8 to 0.95 is half of the points.
TEST(ResultToProtoTest, LinearPointsAreFloored) {
  v1::Assignment assignment = FromText<v1::Assignment>(absl::StrCat(kValid, R"(
      score_rule { metric: SCORE_METRIC_ACCURACY
                   linear { from_value: 0.8 from_points: 0 to_value: 0.95 to_points: 100 } })"));
  assignment.clear_sealed_dataset();
  const auto points = [&](double value) {
    return ResultToProto(assignment, {.value = value, .standard_error = 0.001}, {}).points();
  };
  EXPECT_EQ(points(0.875), 50);
  EXPECT_EQ(points(0.8749), 49);
  EXPECT_EQ(points(0.95), 100);
  EXPECT_EQ(points(0.79), 0);
  EXPECT_FALSE(ResultToProto(assignment, {.value = 0.9}, {}).sealed());
}

}  // namespace
}  // namespace trainyard
