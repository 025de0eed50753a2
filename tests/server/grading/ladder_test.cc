#include "server/grading/ladder.h"

#include <algorithm>
#include <cmath>
#include <functional>

#include "core/base/rng.h"
#include "tests/support/status_matchers.h"

namespace trainyard {
namespace {

using testing::HasSubstr;

// score! of Ladder.jl's parameter-free ladder with the rounding of GRADING.md 2.3, on labels and a
// loss function as it is there: it knows nothing of stored losses.
class ReferenceLadder {
 public:
  using Loss = std::function<double(double, double)>;
  ReferenceLadder(std::vector<double> labels, Loss loss)
      : labels_(std::move(labels)), loss_(std::move(loss)) {}

  double Score(const std::vector<double>& submission) {
    const auto n = static_cast<double>(labels_.size());
    std::vector<double> differences;
    double mean = 0;
    for (size_t i = 0; i < labels_.size(); ++i) {
      const double loss = loss_(labels_[i], submission[i]);
      mean += loss;
      differences.push_back(leader_.empty() ? loss : loss - loss_(labels_[i], leader_[i]));
    }
    mean /= n;
    double center = 0, s = 0;
    for (const double d : differences) center += d / n;
    for (const double d : differences) s += (d - center) * (d - center) / (n - 1);
    if (mean < current_ - std::sqrt(s) / std::sqrt(n)) {
      current_ = std::round(mean * n) / n;
      leader_ = submission;
    }
    return current_;
  }

 private:
  const std::vector<double> labels_;
  const Loss loss_;
  double current_ = INFINITY;
  std::vector<double> leader_;
};

double ZeroOne(double label, double value) { return label == value ? 0 : 1; }
double Square(double label, double value) { return (label - value) * (label - value); }

std::vector<double> LossesOf(const std::vector<double>& labels, const std::vector<double>& values,
                             const ReferenceLadder::Loss& loss) {
  std::vector<double> losses;
  for (size_t i = 0; i < labels.size(); ++i) losses.push_back(loss(labels[i], values[i]));
  return losses;
}

std::vector<double> Bits(size_t rows, Rng* rng) {
  std::vector<double> bits(rows);
  for (double& b : bits) b = static_cast<double>(rng->Below(2));
  return bits;
}

double MeanOf(const std::vector<double>& values) {
  double sum = 0;
  for (const double v : values) sum += v;
  return sum / static_cast<double>(values.size());
}

// With rows of 0 and 1, of which a are mended and b spoilt, m < R - s/√n is (a - b)/n > √((a + b -
// (a - b)²/n) / (n - 1) / n), that is a > b and (a - b)² > a + b: exact, in integers.
TEST(LadderTest, AgreesWithExactArithmeticOnClasses) {
  for (uint64_t seed = 0; seed < 20; ++seed) {
    Rng rng(seed, RngStream::kAnalysis);
    const std::vector<double> labels = Bits(100 + rng.Below(100), &rng);
    Ladder ladder(LadderState{});
    std::vector<double> submission = Bits(labels.size(), &rng);
    std::vector<double> best;
    for (int i = 0; i < 300; ++i) {
      // Now and then a row is mended, now and then spoilt.
      const size_t row = rng.Below(labels.size());
      submission[row] = rng.Below(4) > 0 ? labels[row] : 1 - labels[row];
      const std::vector<double> losses = LossesOf(labels, submission, ZeroOne);
      ASSERT_OK_AND_ASSIGN(const LadderReport report, ladder.Score(losses));
      int mended = 0, spoilt = 0;
      for (size_t r = 0; r < best.size(); ++r) {
        mended += best[r] > losses[r] ? 1 : 0;
        spoilt += best[r] < losses[r] ? 1 : 0;
      }
      const int gain = mended - spoilt;
      const bool improved = best.empty() || (gain > 0 && gain * gain > mended + spoilt);
      ASSERT_EQ(report.improved, improved) << mended << " " << spoilt;
      if (improved) best = losses;
      ASSERT_NEAR(report.reported_loss, MeanOf(best), 1e-12);
      ASSERT_EQ(report.reported_loss, ladder.state().best_loss);
    }
    EXPECT_LT(MeanOf(best), 0.45);
  }
}

// Values are multiples of 1/16, whose squares a float holds exactly.
TEST(LadderTest, AgreesWithLadderJlOnNumbers) {
  Rng rng(7, RngStream::kAnalysis);
  std::vector<double> labels(150);
  for (double& y : labels) y = static_cast<double>(rng.Below(64)) / 16;
  ReferenceLadder reference(labels, Square);
  Ladder ladder(LadderState{});
  std::vector<double> submission(labels.size(), 2.0);
  int improved = 0;
  for (int i = 0; i < 300; ++i) {
    // Five rows, because one alone is a tie.
    for (int k = 0; k < 5; ++k) {
      const size_t row = rng.Below(labels.size());
      submission[row] = rng.Below(4) > 0 ? labels[row] : static_cast<double>(rng.Below(64)) / 16;
    }
    ASSERT_OK_AND_ASSIGN(const LadderReport report,
                         ladder.Score(LossesOf(labels, submission, Square)));
    ASSERT_NEAR(report.reported_loss, reference.Score(submission), 1e-12);
    improved += report.improved ? 1 : 0;
  }
  EXPECT_GT(improved, 3);
  EXPECT_LT(improved, 150);
}

// The attack of Blum and Hardt 2015, section 5: random vectors, then the majority of those that
// were told to be better than chance. The labels are random, so that whatever is submitted has a
// true loss of a half. `ask` tells of a submission its loss, and whether it is to be believed
// better.
struct Answer {
  double loss;
  bool better;
};

double AttackedLoss(size_t rows, int queries, Rng* rng,
                    const std::function<Answer(const std::vector<double>&)>& ask) {
  std::vector<double> votes(rows, 0);
  for (int i = 0; i < queries; ++i) {
    const std::vector<double> submission = Bits(rows, rng);
    const bool better = ask(submission).better;
    for (size_t r = 0; r < rows; ++r) votes[r] += better ? 2 * submission[r] - 1 : 0;
  }
  for (double& v : votes) v = v > 0 ? 1 : 0;
  return ask(votes).loss;
}

TEST(LadderTest, TheBoostingAttackGainsNothing) {
  constexpr size_t kRows = 2000;
  constexpr int kQueries = 400;
  const double error = 0.5 / std::sqrt(kRows);
  for (uint64_t seed = 0; seed < 5; ++seed) {
    Rng rng(seed, RngStream::kAnalysis);
    const std::vector<double> labels = Bits(kRows, &rng);
    const double open = AttackedLoss(kRows, kQueries, &rng, [&](const std::vector<double>& s) {
      const double loss = MeanOf(LossesOf(labels, s, ZeroOne));
      return Answer{loss, loss < 0.5};
    });
    EXPECT_LT(open, 0.5 - 7 * error);  // accuracy 0.58 out of nothing
    for (const bool by_improvement : {false, true}) {
      Ladder ladder(LadderState{});
      const double told = AttackedLoss(kRows, kQueries, &rng, [&](const std::vector<double>& s) {
        const auto report = ladder.Score(LossesOf(labels, s, ZeroOne));
        EXPECT_THAT(report, IsOk());
        return Answer{report->reported_loss,
                      by_improvement ? report->improved : report->reported_loss < 0.5};
      });
      EXPECT_GT(told, 0.5 - 5 * error) << seed << " " << by_improvement;
    }
  }
}

TEST(LadderTest, TheFirstScoreAndTheRestByHand) {
  Ladder ladder(LadderState{});
  ASSERT_OK_AND_ASSIGN(LadderReport report, ladder.Score(std::vector<double>{1, 1, 0, 0}));
  EXPECT_EQ(report.reported_loss, 0.5);
  EXPECT_TRUE(report.improved);
  // Differences -1, 0, 0, 0: s = 1/2, and 1/4 is not below 1/2 - 1/4.
  ASSERT_OK_AND_ASSIGN(report, ladder.Score(std::vector<double>{0, 1, 0, 0}));
  EXPECT_EQ(report.reported_loss, 0.5);
  EXPECT_FALSE(report.improved);
  // Differences -1, -1, 0, 0: s = √(1/3), 0 < 1/2 - 0.289.
  ASSERT_OK_AND_ASSIGN(report, ladder.Score(std::vector<double>{0, 0, 0, 0}));
  EXPECT_EQ(report.reported_loss, 0);
  EXPECT_TRUE(report.improved);
  // A worse one is not told.
  ASSERT_OK_AND_ASSIGN(report, ladder.Score(std::vector<double>{1, 1, 1, 1}));
  EXPECT_EQ(report.reported_loss, 0);
  EXPECT_FALSE(report.improved);
}

TEST(LadderTest, LossesAreToldInTheirUnit) {
  const RowErrors rows{.task = Task::kRegression, .errors = {1000, -3000}, .targets = {1e6, 1.2e6}};
  const double unit = LadderUnit(ScoreMetric::kRmse, rows);
  EXPECT_DOUBLE_EQ(unit, 1e10);
  EXPECT_DOUBLE_EQ(LadderUnit(ScoreMetric::kMae, rows), 1e5);
  EXPECT_EQ(LadderUnit(ScoreMetric::kAccuracy, {}), 1);
  EXPECT_EQ(LadderUnit(ScoreMetric::kR2, {.targets = {4, 4}}), 1);
  const std::vector<double> losses = RowLosses(ScoreMetric::kR2, rows);
  EXPECT_EQ(losses, (std::vector<double>{1e6, 9e6}));
  EXPECT_EQ(RowLosses(ScoreMetric::kMae, rows), (std::vector<double>{1000, 3000}));
  EXPECT_DOUBLE_EQ(ScoreOfLoss(ScoreMetric::kRmse, 25, unit), 5);
  EXPECT_DOUBLE_EQ(ScoreOfLoss(ScoreMetric::kR2, 25, 100), 0.75);
  EXPECT_DOUBLE_EQ(ScoreOfLoss(ScoreMetric::kAccuracy, 0.25, 1), 0.75);
  EXPECT_DOUBLE_EQ(ScoreOfLoss(ScoreMetric::kMae, 7, 2), 7);
  Ladder ladder(LadderState{}, 1e7);
  ASSERT_OK_AND_ASSIGN(const LadderReport report, ladder.Score(losses));
  EXPECT_DOUBLE_EQ(report.reported_loss, 5e6);
  Ladder coarse(LadderState{}, 4e7);
  ASSERT_OK_AND_ASSIGN(const LadderReport rounded, coarse.Score(losses));
  EXPECT_EQ(rounded.reported_loss, 0);
}

TEST(LadderTest, AStoredStateGoesOn) {
  Ladder first(LadderState{});
  ASSERT_THAT(first.Score(std::vector<double>{1, 1, 0, 0}), IsOk());
  Ladder second(first.state());
  ASSERT_OK_AND_ASSIGN(const LadderReport report, second.Score(std::vector<double>{0, 0, 0, 0}));
  EXPECT_TRUE(report.improved);
}

TEST(LadderTest, FaultyLossesLeaveTheState) {
  Ladder ladder(LadderState{});
  ASSERT_THAT(ladder.Score(std::vector<double>{1, 1, 0}), IsOk());
  EXPECT_THAT(ladder.Score(std::vector<double>{0, 0}),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("has 3")));
  EXPECT_THAT(ladder.Score({}).status(), HasReason(ErrorReason::kInvalidRequest));
  for (const double bad : {double{NAN}, double{INFINITY}, -1e-9, 1e39}) {
    EXPECT_THAT(ladder.Score(std::vector<double>{0, 0, bad}).status(),
                HasReason(ErrorReason::kInvalidRequest))
        << bad;
  }
  EXPECT_NEAR(ladder.state().best_loss, 2 / 3.0, 1e-12);
}

}  // namespace
}  // namespace trainyard
