// Dates and zones of a grading policy.
//
// Thread-safety: pure functions, but LoadPolicyZone, which reads the system's zones from disk once.
#ifndef TRAINYARD_SERVER_GRADING_POLICY_TIME_H_
#define TRAINYARD_SERVER_GRADING_POLICY_TIME_H_

#include <cstdint>
#include <optional>
#include <string>

#include "absl/strings/string_view.h"
#include "absl/time/civil_time.h"
#include "absl/time/time.h"
#include "google/protobuf/duration.pb.h"

namespace trainyard {

// The zone of an IANA name; nullopt when the system has none of that name. "localtime" and paths
// are not names: a grade must not depend on the machine.
std::optional<absl::TimeZone> LoadPolicyZone(absl::string_view name);

// The instant of a civil time. Where clocks are set forward or back over it, it may mean two
// instants; the later one is taken, in the student's favour.
absl::Time LaterInstant(absl::CivilSecond civil, const absl::TimeZone& zone);

// "2027-03-29 23:59[:59]" or "03-29 23:59[:59]", see AdmissionPolicy.by.
class PolicyDate {
 public:
  static std::optional<PolicyDate> Parse(absl::string_view text);

  bool has_year() const { return has_year_; }
  // Without a year, the first such date at or after `start`; `start` is not looked at otherwise.
  absl::CivilSecond At(absl::CivilSecond start) const;

 private:
  PolicyDate(absl::CivilSecond date, bool has_year) : date_(date), has_year_(has_year) {}

  absl::CivilSecond date_;
  bool has_year_;
};

// Whole seconds of a duration; nullopt with fractions of a second or beyond 100 years.
std::optional<int64_t> WholeSeconds(const google::protobuf::Duration& duration);

}  // namespace trainyard

#endif  // TRAINYARD_SERVER_GRADING_POLICY_TIME_H_
