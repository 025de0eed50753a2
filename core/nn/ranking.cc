#include "core/nn/ranking.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

namespace trainyard {
namespace {

// Sums of the weights of rows above a threshold.
struct Above {
  double own = 0;
  double others = 0;

  void Add(const ScoredRow& row) {
    (row.signed_weight > 0 ? own : others) += std::fabs(row.signed_weight);
  }
};

}  // namespace

float RankableScore(double score) {
  return std::isnan(score) ? -std::numeric_limits<float>::infinity() : static_cast<float>(score);
}

std::optional<RankingAreas> AreasOf(std::vector<ScoredRow> rows) {
  Above all;
  for (const ScoredRow& row : rows) all.Add(row);
  if (all.own == 0 || all.others == 0) return std::nullopt;
  std::sort(rows.begin(), rows.end(),
            [](const ScoredRow& a, const ScoredRow& b) { return a.score > b.score; });
  RankingAreas areas;
  Above above;
  for (size_t i = 0; i < rows.size();) {
    const Above before = above;
    const float threshold = rows[i].score;
    for (; i < rows.size() && rows[i].score == threshold; ++i) above.Add(rows[i]);
    const double gained = above.own - before.own;
    areas.roc_auc += (above.others - before.others) * (above.own + before.own) / 2;
    if (gained > 0) areas.pr_auc += gained * above.own / (above.own + above.others);
  }
  areas.roc_auc /= all.own * all.others;
  areas.pr_auc /= all.own;
  return areas;
}

ScoreSample::ScoreSample(int64_t outputs, int64_t scores_max)
    : outputs_(outputs), rows_max_(std::max<int64_t>(2, scores_max / outputs)) {}

ScoredRow* ScoreSample::NextRow() {
  if (rows_seen_++ % stride_ != 0) return nullptr;
  if (rows_kept() == rows_max_) {
    DropEverySecondRow();
    if ((rows_seen_ - 1) % stride_ != 0) return nullptr;
  }
  scores_.resize(scores_.size() + static_cast<size_t>(outputs_));
  return scores_.data() + scores_.size() - outputs_;
}

void ScoreSample::DropEverySecondRow() {
  const int64_t kept = (rows_kept() + 1) / 2;
  for (int64_t r = 1; r < kept; ++r) {
    std::copy_n(scores_.begin() + 2 * r * outputs_, outputs_, scores_.begin() + r * outputs_);
  }
  scores_.resize(static_cast<size_t>(kept * outputs_));
  stride_ *= 2;
}

std::optional<RankingAreas> ScoreSample::MacroAreas() const {
  RankingAreas sum;
  int64_t count = 0;
  for (int64_t c = 0; c < outputs_; ++c) {
    std::vector<ScoredRow> rows;
    rows.reserve(static_cast<size_t>(rows_kept()));
    for (int64_t r = 0; r < rows_kept(); ++r) rows.push_back(scores_[r * outputs_ + c]);
    const std::optional<RankingAreas> areas = AreasOf(std::move(rows));
    if (!areas.has_value()) continue;
    sum.roc_auc += areas->roc_auc;
    sum.pr_auc += areas->pr_auc;
    ++count;
  }
  if (count == 0) return std::nullopt;
  return RankingAreas{sum.roc_auc / static_cast<double>(count),
                      sum.pr_auc / static_cast<double>(count)};
}

}  // namespace trainyard
