// How late a run is, and what that costs: the policy's `time` and `late`.
//
// Thread-safety: constant after construction.
#ifndef TRAINYARD_SERVER_GRADING_LATE_RULE_H_
#define TRAINYARD_SERVER_GRADING_LATE_RULE_H_

#include <cstdint>
#include <optional>

#include "absl/time/civil_time.h"
#include "absl/time/time.h"
#include "server/grading/gradebook_input.h"
#include "trainyard/v1/policy.pb.h"

namespace trainyard {

struct Lateness {
  int64_t seconds = 0;  // rounded up
  int64_t units = 0;
  int64_t percent = 0;
  bool closed = false;  // past the hard close: the run does not count
};

class LateRule {
 public:
  // REQUIRES: ValidatePolicy(policy) is OK.
  explicit LateRule(const v1::GradingPolicy& policy);

  const absl::TimeZone& zone() const { return zone_; }
  int64_t unit_seconds() const { return unit_seconds_; }
  // The instant of a run that counts.
  absl::Time Clock(const ResultInput& result) const;
  // `due` in the zone, plus grace, plus `extension_seconds`.
  absl::Time Deadline(absl::CivilSecond due, int64_t extension_seconds) const;
  // Of a run at `time`; without a deadline never late. `forced_units` replaces the units counted;
  // it does not open what is closed.
  Lateness Of(absl::Time time, std::optional<absl::Time> deadline,
              std::optional<int64_t> forced_units) const;
  // Centipoints of `points` of `max_points`.
  int64_t Centipoints(int64_t points, int64_t max_points, int64_t percent) const;

 private:
  int64_t Units(int64_t late_seconds) const;
  int64_t Percent(int64_t units, bool forced) const;

  absl::TimeZone zone_;
  bool finished_at_;
  int64_t grace_seconds_;
  int64_t unit_seconds_;
  bool first_unit_counts_;
  int64_t percent_per_unit_;
  int64_t max_percent_;
  bool of_max_points_;
  bool forced_units_are_capped_;
  std::optional<int64_t> close_seconds_;
};

}  // namespace trainyard

#endif  // TRAINYARD_SERVER_GRADING_LATE_RULE_H_
