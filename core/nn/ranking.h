// How well scores rank the rows of a class before the others: areas under the ROC and the
// precision-recall curve, as scikit-learn's roc_auc_score and average_precision_score.
//
//   std::optional<RankingAreas> areas = AreasOf({{2.5f, 1}, {0.3f, -1}, {0.1f, 1}});
//
// Thread-safety: AreasOf is a pure function; ScoreSample a value.
#ifndef TRAINYARD_CORE_NN_RANKING_H_
#define TRAINYARD_CORE_NN_RANKING_H_

#include <cstdint>
#include <optional>
#include <vector>

namespace trainyard {

struct ScoredRow {
  float score = 0;          // more is more probable; never NaN
  float signed_weight = 0;  // above 0: a row of the class; below 0: one of the others
};

struct RankingAreas {
  double roc_auc = 0;  // P(a row of the class scores above one of the others), ties count a half
  double pr_auc = 0;  // average precision: Σ (R_n - R_{n-1}) P_n over thresholds, no interpolation
};

// `score` as a ScoredRow may hold it: NaN comes last.
float RankableScore(double score);

// nullopt unless both kinds of rows are there. O(n log n).
std::optional<RankingAreas> AreasOf(std::vector<ScoredRow> rows);

// Scores kept for AreasOf: 32 MiB.
inline constexpr int64_t kScoresKeptMax = int64_t{1} << 22;

// The scores of every row, [rows, outputs], as long as they are at most `scores_max`; of every
// second, fourth, … row beyond it.
class ScoreSample {
 public:
  explicit ScoreSample(int64_t outputs, int64_t scores_max = kScoresKeptMax);

  // The place for the scores of the next row, [outputs]; nullptr when that row is passed over.
  ScoredRow* NextRow();

  // Means of the areas over the outputs that have them; nullopt when none has.
  std::optional<RankingAreas> MacroAreas() const;

 private:
  void DropEverySecondRow();
  int64_t rows_kept() const { return static_cast<int64_t>(scores_.size()) / outputs_; }

  // Constant after construction.
  const int64_t outputs_;
  const int64_t rows_max_;

  int64_t stride_ = 1;  // every so many rows are kept
  int64_t rows_seen_ = 0;
  std::vector<ScoredRow> scores_;  // [rows kept, outputs]
};

}  // namespace trainyard

#endif  // TRAINYARD_CORE_NN_RANKING_H_
