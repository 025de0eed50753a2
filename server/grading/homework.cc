#include "server/grading/homework.h"

#include <algorithm>
#include <optional>

#include "server/grading/selection.h"

namespace trainyard {
namespace {

bool IsCounted(const HomeworkLine& line, const v1::HomeworkPolicy& policy) {
  return !line.exempt && (!line.bonus || policy.bonus() == v1::BONUS_RULE_NUMERATOR);
}

bool IsInDenominator(const HomeworkLine& line, const v1::HomeworkPolicy& policy) {
  return !line.exempt && (!line.bonus || policy.denominator() == v1::HOMEWORK_DENOMINATOR_ALL_MAX);
}

// What counts of a line whose run is chosen.
void Settle(const StudentAdjustments& adjustments, HomeworkLine* line) {
  line->sanctioned = adjustments.ZeroingSanction(line->assignment) != nullptr;
  line->exempt = !line->sanctioned && adjustments.Exemption(line->assignment) != nullptr;
  if (const AdjustmentInput* const set = adjustments.Replacement(line->assignment)) {
    line->set_points = set->kind == AdjustmentKind::kSet ? set->value : 0;
  }
  line->added_points = adjustments.AddedPoints(line->assignment);
  if (line->sanctioned || line->exempt) return;
  line->centipoints = line->set_points.has_value()
                          ? *line->set_points * 100
                          : line->run_centipoints + line->added_points * 100;
  line->centipoints = std::max<int64_t>(line->centipoints, 0);
}

}  // namespace

HomeworkRule::HomeworkRule(const v1::GradingPolicy& policy,
                           const std::vector<AssignmentInput>& assignments)
    : policy_(policy), assignments_(assignments), late_(policy), tallies_(assignments.size()) {}

int64_t HomeworkRule::Points(const ResultInput& result, const AssignmentInput& assignment) const {
  const bool rescaled = policy_.points().rescale_on_max_change() && result.max_points > 0 &&
                        result.max_points != assignment.max_points;
  if (!rescaled) return result.points;
  const int64_t numerator = result.points * assignment.max_points;
  if (policy_.points().integer() == v1::POINTS_ROUNDING_FLOOR) return numerator / result.max_points;
  return (2 * numerator + result.max_points) / (2 * result.max_points);
}

void HomeworkRule::ChooseRun(size_t assignment_index, const std::vector<const ResultInput*>& runs,
                             const StudentAdjustments& adjustments, HomeworkLine* line) {
  const AssignmentInput& assignment = assignments_[assignment_index];
  const std::optional<int64_t> forced_units = adjustments.ForcedUnits(assignment.id);
  std::vector<Candidate> candidates;
  for (const ResultInput* run : runs) {
    if (run->max_points != assignment.max_points) ++tallies_[assignment_index].max_differs_count;
    Candidate candidate{.result = run, .time = late_.Clock(*run)};
    candidate.late = late_.Of(candidate.time, line->deadline, forced_units);
    if (candidate.late.closed) continue;
    candidate.points = Points(*run, assignment);
    candidate.centipoints =
        late_.Centipoints(candidate.points, assignment.max_points, candidate.late.percent);
    candidates.push_back(candidate);
  }
  line->run_count = static_cast<int64_t>(candidates.size());
  const std::optional<Selection> selection = SelectRun(candidates, assignment, policy_.select());
  if (!selection.has_value()) return;
  if (selection->within_noise) ++tallies_[assignment_index].noisy_count;
  line->submission = selection->chosen.result->submission;
  line->choice = selection->reason;
  line->points = selection->chosen.points;
  line->time = selection->chosen.time;
  line->late_seconds = selection->chosen.late.seconds;
  line->late_units = selection->chosen.late.units;
  line->percent = selection->chosen.late.percent;
  line->run_centipoints = selection->chosen.centipoints;
}

HomeworkLine HomeworkRule::Line(size_t assignment_index,
                                const std::vector<const ResultInput*>& runs,
                                const StudentAdjustments& adjustments) {
  const AssignmentInput& assignment = assignments_[assignment_index];
  HomeworkLine line{
      .assignment = assignment.id, .max_points = assignment.max_points, .bonus = assignment.bonus};
  if (assignment.due.has_value()) {
    line.deadline = late_.Deadline(*assignment.due, adjustments.ExtensionSeconds(assignment.id));
  }
  ChooseRun(assignment_index, runs, adjustments, &line);
  Settle(adjustments, &line);
  return line;
}

std::vector<HomeworkLine> HomeworkRule::Lines(const StudentFacts& facts,
                                              const StudentAdjustments& adjustments) {
  std::vector<HomeworkLine> lines;
  auto run = facts.runs.begin();
  for (size_t i = 0; i < assignments_.size(); ++i) {
    std::vector<const ResultInput*> runs;
    for (; run != facts.runs.end() && run->assignment_index == i; ++run) {
      runs.push_back(run->result);
    }
    lines.push_back(Line(i, runs, adjustments));
  }
  return lines;
}

HomeworkSums SumHomework(const std::vector<HomeworkLine>& lines,
                         const std::vector<AssignmentInput>& assignments, int64_t course_points,
                         bool released_only, const v1::HomeworkPolicy& policy) {
  HomeworkSums sums{.total_centipoints = course_points * 100};
  for (size_t i = 0; i < lines.size(); ++i) {
    if (released_only && !assignments[i].released) continue;
    if (IsCounted(lines[i], policy)) sums.total_centipoints += lines[i].centipoints;
    if (IsInDenominator(lines[i], policy)) sums.denominator_points += lines[i].max_points;
  }
  sums.total_centipoints = std::max<int64_t>(sums.total_centipoints, 0);
  return sums;
}

}  // namespace trainyard
