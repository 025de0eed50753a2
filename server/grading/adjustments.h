// The decisions of staff about one student that are in force: neither revoked nor expired, each
// question answered once.
//
// Thread-safety: constant after construction. Holds pointers to the adjustments, which must outlive
// it.
#ifndef TRAINYARD_SERVER_GRADING_ADJUSTMENTS_H_
#define TRAINYARD_SERVER_GRADING_ADJUSTMENTS_H_

#include <cstdint>
#include <optional>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "server/grading/gradebook_input.h"
#include "trainyard/v1/policy.pb.h"

namespace trainyard {

// AdjustmentInput::value of a sanction that was on an assignment which is out of the course, and is
// without `assignment` now: where the policy zeroes one homework, there is none to zero. What a
// sanction does to the whole course it still does.
inline constexpr int64_t kSanctionOfRetired = 1;

// Whether it counts at `as_of`.
bool InForce(const AdjustmentInput& adjustment, absl::Time as_of);

class StudentAdjustments {
 public:
  // `in_force` are those of one student, in any order; `policy` must outlive this.
  StudentAdjustments(std::vector<const AdjustmentInput*> in_force, const v1::GradingPolicy& policy);

  // About one assignment, those for the whole course included. Null: none.
  std::optional<int64_t> ForcedUnits(absl::string_view assignment) const;
  int64_t ExtensionSeconds(absl::string_view assignment) const;
  const AdjustmentInput* Exemption(absl::string_view assignment) const;
  const AdjustmentInput* Replacement(absl::string_view assignment) const;  // SET or ZERO
  // With "" what zeroes all homework.
  const AdjustmentInput* ZeroingSanction(absl::string_view assignment) const;
  // Points added to the assignment; with "" to the sum.
  int64_t AddedPoints(absl::string_view assignment) const;

  const AdjustmentInput* Final() const;
  // Whether there is a final grade that nobody has confirmed yet.
  bool FinalWaits() const;
  std::vector<const AdjustmentInput*> Sanctions() const;
  // All, in the order of their sequence.
  const std::vector<const AdjustmentInput*>& all() const { return all_; }

 private:
  // The one of largest sequence of `kind` about the assignment or the course.
  const AdjustmentInput* Last(AdjustmentKind kind, absl::string_view assignment) const;

  std::vector<const AdjustmentInput*> all_;
  const v1::GradingPolicy& policy_;
};

// What the policy says of a sanction. REQUIRES: adjustment is one.
v1::SanctionEffect EffectOf(const AdjustmentInput& sanction, const v1::GradingPolicy& policy);
bool IsSanction(AdjustmentKind kind);

}  // namespace trainyard

#endif  // TRAINYARD_SERVER_GRADING_ADJUSTMENTS_H_
