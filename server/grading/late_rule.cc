#include "server/grading/late_rule.h"

#include <algorithm>

#include "core/base/check.h"
#include "server/grading/policy_time.h"

namespace trainyard {
namespace {

constexpr int64_t kLateSecondsMax = int64_t{1} << 40;  // 35 000 years; keeps sums inside int64

// `span` up to the next whole second, 0 if negative.
int64_t CeilSeconds(absl::Duration span) {
  if (span <= absl::ZeroDuration()) return 0;
  if (span >= absl::Seconds(kLateSecondsMax)) return kLateSecondsMax;
  return absl::ToInt64Seconds(absl::Ceil(span, absl::Seconds(1)));
}

}  // namespace

LateRule::LateRule(const v1::GradingPolicy& policy)
    : finished_at_(policy.time().late_clock() == v1::LATE_CLOCK_FINISHED_AT),
      grace_seconds_(policy.time().grace().seconds()),
      unit_seconds_(policy.late().unit().seconds()),
      first_unit_counts_(policy.late().first_day_counts()),
      percent_per_unit_(policy.late().percent_per_unit()),
      max_percent_(policy.late().max_percent()),
      of_max_points_(policy.late().apply_to() == v1::LATE_BASE_MAX_POINTS),
      // The course's table of forced days comes after its min(3, days).
      forced_units_are_capped_(policy.arithmetic() != v1::GRADE_ARITHMETIC_HSE_2026_DOUBLE) {
  const std::optional<absl::TimeZone> zone = LoadPolicyZone(policy.time().tz());
  TY_CHECK(zone.has_value());
  zone_ = *zone;
  if (policy.late().hard_close() == v1::HARD_CLOSE_AFTER) {
    close_seconds_ = policy.late().hard_close_after().seconds();
  }
}

absl::Time LateRule::Clock(const ResultInput& result) const {
  return finished_at_ ? result.finished_at : result.accepted_at;
}

absl::Time LateRule::Deadline(absl::CivilSecond due, int64_t extension_seconds) const {
  return LaterInstant(due, zone_) + absl::Seconds(grace_seconds_) +
         absl::Seconds(extension_seconds);
}

int64_t LateRule::Units(int64_t late_seconds) const {
  if (late_seconds == 0) return 0;
  const int64_t units = late_seconds / unit_seconds_ + (first_unit_counts_ ? 1 : 0);
  if (percent_per_unit_ == 0) return units;
  // More units cost nothing more, and are not told.
  return std::min(units, (max_percent_ + percent_per_unit_ - 1) / percent_per_unit_);
}

int64_t LateRule::Percent(int64_t units, bool forced) const {
  const int64_t cap = forced && !forced_units_are_capped_ ? 100 : max_percent_;
  return std::min(units * percent_per_unit_, cap);
}

Lateness LateRule::Of(absl::Time time, std::optional<absl::Time> deadline,
                      std::optional<int64_t> forced_units) const {
  Lateness late;
  if (deadline.has_value()) late.seconds = CeilSeconds(time - *deadline);
  late.units = forced_units.value_or(Units(late.seconds));
  late.percent = Percent(late.units, forced_units.has_value());
  late.closed = close_seconds_.has_value() && late.seconds > *close_seconds_;
  return late;
}

int64_t LateRule::Centipoints(int64_t points, int64_t max_points, int64_t percent) const {
  if (!of_max_points_) return points * (100 - percent);
  return std::max<int64_t>(points * 100 - max_points * percent, 0);
}

}  // namespace trainyard
