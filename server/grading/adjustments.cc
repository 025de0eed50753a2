#include "server/grading/adjustments.h"

#include <algorithm>
#include <tuple>
#include <utility>

namespace trainyard {
namespace {

bool Concerns(const AdjustmentInput& adjustment, absl::string_view assignment) {
  return adjustment.assignment.empty() || adjustment.assignment == assignment;
}

}  // namespace

bool InForce(const AdjustmentInput& adjustment, absl::Time as_of) {
  return !adjustment.revoked && (!adjustment.expires.has_value() || as_of < *adjustment.expires);
}

bool IsSanction(AdjustmentKind kind) {
  return kind == AdjustmentKind::kSanctionPlagiarism || kind == AdjustmentKind::kSanctionTampering;
}

v1::SanctionEffect EffectOf(const AdjustmentInput& sanction, const v1::GradingPolicy& policy) {
  return sanction.kind == AdjustmentKind::kSanctionPlagiarism ? policy.sanctions().plagiarism()
                                                              : policy.sanctions().tampering();
}

StudentAdjustments::StudentAdjustments(std::vector<const AdjustmentInput*> in_force,
                                       const v1::GradingPolicy& policy)
    : all_(std::move(in_force)), policy_(policy) {
  std::sort(all_.begin(), all_.end(), [](const AdjustmentInput* a, const AdjustmentInput* b) {
    return std::tie(a->sequence, a->id) < std::tie(b->sequence, b->id);
  });
}

const AdjustmentInput* StudentAdjustments::Last(AdjustmentKind kind,
                                                absl::string_view assignment) const {
  for (auto it = all_.rbegin(); it != all_.rend(); ++it) {
    if ((*it)->kind == kind && Concerns(**it, assignment)) return *it;
  }
  return nullptr;
}

std::optional<int64_t> StudentAdjustments::ForcedUnits(absl::string_view assignment) const {
  const AdjustmentInput* const forced = Last(AdjustmentKind::kLateDays, assignment);
  return forced == nullptr ? std::nullopt : std::optional<int64_t>(forced->value);
}

int64_t StudentAdjustments::ExtensionSeconds(absl::string_view assignment) const {
  int64_t seconds = 0;
  for (const AdjustmentInput* adjustment : all_) {
    const bool extends =
        adjustment->kind == AdjustmentKind::kExtend && Concerns(*adjustment, assignment);
    if (extends) seconds += adjustment->value;
  }
  return seconds;
}

const AdjustmentInput* StudentAdjustments::Exemption(absl::string_view assignment) const {
  return Last(AdjustmentKind::kExempt, assignment);
}

const AdjustmentInput* StudentAdjustments::Replacement(absl::string_view assignment) const {
  const AdjustmentInput* const set = Last(AdjustmentKind::kSet, assignment);
  const AdjustmentInput* const zero = Last(AdjustmentKind::kZero, assignment);
  if (set == nullptr || zero == nullptr) return set == nullptr ? zero : set;
  return std::tie(set->sequence, set->id) < std::tie(zero->sequence, zero->id) ? zero : set;
}

const AdjustmentInput* StudentAdjustments::ZeroingSanction(absl::string_view assignment) const {
  for (const AdjustmentInput* adjustment : all_) {
    if (!IsSanction(adjustment->kind)) continue;
    const v1::SanctionEffect effect = EffectOf(*adjustment, policy_);
    const bool here = effect == v1::SANCTION_EFFECT_ZERO_HOMEWORK && !assignment.empty() &&
                      adjustment->assignment == assignment;
    if (here || effect == v1::SANCTION_EFFECT_ZERO_ALL_HOMEWORK) return adjustment;
  }
  return nullptr;
}

int64_t StudentAdjustments::AddedPoints(absl::string_view assignment) const {
  int64_t points = 0;
  for (const AdjustmentInput* adjustment : all_) {
    const bool adds =
        adjustment->kind == AdjustmentKind::kAdd && adjustment->assignment == assignment;
    if (adds) points += adjustment->value;
  }
  return points;
}

const AdjustmentInput* StudentAdjustments::Final() const {
  for (auto it = all_.rbegin(); it != all_.rend(); ++it) {
    if ((*it)->kind == AdjustmentKind::kFinal && !(*it)->unconfirmed) return *it;
  }
  return nullptr;
}

bool StudentAdjustments::FinalWaits() const {
  return std::any_of(all_.begin(), all_.end(),
                     [](const AdjustmentInput* adjustment) { return adjustment->unconfirmed; });
}

std::vector<const AdjustmentInput*> StudentAdjustments::Sanctions() const {
  std::vector<const AdjustmentInput*> sanctions;
  for (const AdjustmentInput* adjustment : all_) {
    if (IsSanction(adjustment->kind)) sanctions.push_back(adjustment);
  }
  return sanctions;
}

}  // namespace trainyard
