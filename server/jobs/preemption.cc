#include "server/jobs/preemption.h"

#include <algorithm>
#include <optional>

namespace trainyard {
namespace {

// The jobs to choose from, those taken last first.
std::vector<RunningJob> MayYield(const YieldQuery& query, std::span<const RunningJob> running) {
  std::vector<RunningJob> candidates;
  for (const RunningJob& job : running) {
    if (job.priority != v1::JOB_PRIORITY_BATCH || job.seconds_run < query.quantum_seconds) continue;
    candidates.push_back(job);
  }
  std::stable_sort(
      candidates.begin(), candidates.end(),
      [](const RunningJob& a, const RunningJob& b) { return a.seconds_run < b.seconds_run; });
  return candidates;
}

// Candidates by index, ascending.
using Choice = std::vector<size_t>;

// Fewer jobs, then those taken last.
bool IsBetter(const Choice& a, const std::optional<Choice>& b) {
  if (!b.has_value() || a.size() != b->size()) return !b.has_value() || a.size() < b->size();
  return a < *b;
}

// choices[n]: the best one that frees exactly n slots.
void AddCandidate(size_t candidate, size_t slots, std::vector<std::optional<Choice>>* choices) {
  for (size_t freed = choices->size() - 1; freed >= slots; --freed) {
    if (!(*choices)[freed - slots].has_value()) continue;
    Choice with = *(*choices)[freed - slots];
    with.push_back(candidate);
    if (IsBetter(with, (*choices)[freed])) (*choices)[freed] = std::move(with);
  }
}

}  // namespace

std::vector<int64_t> ChooseToYield(const YieldQuery& query, std::span<const RunningJob> running) {
  if (query.slots_missing <= 0) return {};
  const std::vector<RunningJob> candidates = MayYield(query, running);
  int widest = 1;
  for (const RunningJob& job : candidates) widest = std::max(widest, job.slots);
  // A choice of which no part would do frees less than slots_missing + widest.
  std::vector<std::optional<Choice>> choices(static_cast<size_t>(query.slots_missing + widest));
  choices[0].emplace();
  for (size_t i = 0; i < candidates.size(); ++i) {
    AddCandidate(i, static_cast<size_t>(std::max(1, candidates[i].slots)), &choices);
  }
  const auto enough = std::find_if(choices.begin() + query.slots_missing, choices.end(),
                                   [](const auto& choice) { return choice.has_value(); });
  std::vector<int64_t> jobs;
  if (enough == choices.end()) return jobs;
  for (const size_t index : **enough) jobs.push_back(candidates[index].job);
  return jobs;
}

}  // namespace trainyard
