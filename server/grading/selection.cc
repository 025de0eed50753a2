#include "server/grading/selection.h"

#include <algorithm>
#include <cstdint>
#include <tuple>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "server/grading/explain.h"

namespace trainyard {
namespace {

v1::SelectRule RuleOf(const AssignmentInput& assignment, const v1::SelectPolicy& policy) {
  const bool sealed_best = assignment.sealed && policy.rule() == v1::SELECT_RULE_BEST;
  return sealed_best ? v1::SELECT_RULE_NOMINATED : policy.rule();
}

// Choosing by points of sealed rows would be selection on the test set.
v1::SelectBy ByOf(const AssignmentInput& assignment, const v1::SelectPolicy& policy) {
  return assignment.sealed ? v1::SELECT_BY_PUBLIC_SCORE : policy.by();
}

int64_t Merit(const Candidate& candidate, v1::SelectBy by) {
  switch (by) {
    case v1::SELECT_BY_POINTS:
      return candidate.points;
    case v1::SELECT_BY_PUBLIC_SCORE:
      return candidate.result->public_rank;
    default:
      return candidate.centipoints;
  }
}

absl::string_view MeritWords(v1::SelectBy by) {
  switch (by) {
    case v1::SELECT_BY_POINTS:
      return "best";
    case v1::SELECT_BY_PUBLIC_SCORE:
      return "best public score";
    default:
      return "best after the penalty";
  }
}

bool IsLater(const Candidate& a, const Candidate& b) {
  return std::tie(a.time, a.result->submission, a.points) >
         std::tie(b.time, b.result->submission, b.points);
}

// The last of `candidates`. REQUIRES: not empty.
const Candidate& Latest(const std::vector<const Candidate*>& candidates) {
  return **std::max_element(candidates.begin(), candidates.end(),
                            [](const Candidate* a, const Candidate* b) { return IsLater(*b, *a); });
}

const Candidate& Earliest(const std::vector<const Candidate*>& candidates) {
  return **std::min_element(candidates.begin(), candidates.end(),
                            [](const Candidate* a, const Candidate* b) { return IsLater(*b, *a); });
}

// "best of 3 runs", or that there was no choice.
std::string OfRuns(absl::string_view what, size_t count) {
  return count == 1 ? std::string("the only run") : absl::StrCat(what, " of ", count, " runs");
}

// The best of `pool` by `by`.
Selection Best(const std::vector<const Candidate*>& pool, v1::SelectBy by, v1::SelectTie tie) {
  int64_t best = Merit(*pool.front(), by);
  for (const Candidate* candidate : pool) best = std::max(best, Merit(*candidate, by));
  std::vector<const Candidate*> tied;
  for (const Candidate* candidate : pool) {
    if (Merit(*candidate, by) == best) tied.push_back(candidate);
  }
  const bool earliest = tie == v1::SELECT_TIE_EARLIEST;
  Selection selection{.chosen = earliest ? Earliest(tied) : Latest(tied)};
  selection.reason = OfRuns(MeritWords(by), pool.size());
  if (tied.size() > 1) {
    absl::StrAppend(&selection.reason, ", the ", earliest ? "earliest" : "latest", " of ",
                    tied.size(), " equal ones");
  }
  return selection;
}

// Says that a run with more points counts less, where that may be told: those of sealed rows stay
// the chosen run's alone.
void AppendBeaten(const std::vector<const Candidate*>& pool, Selection* selection) {
  const Candidate& most =
      **std::max_element(pool.begin(), pool.end(), [](const Candidate* a, const Candidate* b) {
        return std::tie(a->points, a->centipoints, a->result->submission) <
               std::tie(b->points, b->centipoints, b->result->submission);
      });
  if (most.points <= selection->chosen.points) return;
  absl::StrAppend(&selection->reason, "; ", most.result->submission, " has ", most.points,
                  " points, but with -", most.late.percent, " % ",
                  FormatHundredths(most.centipoints));
}

std::vector<const Candidate*> Nominated(const std::vector<const Candidate*>& pool) {
  std::vector<const Candidate*> nominated;
  for (const Candidate* candidate : pool) {
    if (candidate->result->nominated) nominated.push_back(candidate);
  }
  return nominated;
}

// Whether another run's public score cannot be told from the chosen one's, but its points can.
bool WithinNoise(const Selection& selection, const std::vector<const Candidate*>& pool,
                 int64_t noise) {
  return std::any_of(pool.begin(), pool.end(), [&](const Candidate* other) {
    // In 128 bits: ranks may be anything.
    const __int128 gap =
        static_cast<__int128>(selection.chosen.result->public_rank) - other->result->public_rank;
    return gap <= noise && other->centipoints != selection.chosen.centipoints;
  });
}

}  // namespace

std::optional<Selection> SelectRun(const std::vector<Candidate>& candidates,
                                   const AssignmentInput& assignment,
                                   const v1::SelectPolicy& policy) {
  if (candidates.empty()) return std::nullopt;
  std::vector<const Candidate*> pool;
  for (const Candidate& candidate : candidates) pool.push_back(&candidate);
  const v1::SelectRule rule = RuleOf(assignment, policy);
  if (rule == v1::SELECT_RULE_LATEST) {
    return Selection{.chosen = Latest(pool), .reason = OfRuns("the latest", pool.size())};
  }
  const std::vector<const Candidate*> nominated = Nominated(pool);
  if (rule == v1::SELECT_RULE_NOMINATED && !nominated.empty()) {
    return Selection{.chosen = Latest(nominated), .reason = "nominated by the student"};
  }
  const v1::SelectBy by = ByOf(assignment, policy);
  Selection selection = Best(pool, by, policy.tie());
  selection.within_noise =
      by == v1::SELECT_BY_PUBLIC_SCORE && WithinNoise(selection, pool, assignment.public_noise);
  if (by == v1::SELECT_BY_POINTS_AFTER_PENALTY) AppendBeaten(pool, &selection);
  return selection;
}

}  // namespace trainyard
