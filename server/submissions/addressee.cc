#include "server/submissions/addressee.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/string_view.h"
#include "absl/time/clock.h"
#include "core/base/status_macros.h"
#include "server/base/log.h"
#include "server/grading/course_gradebook.h"
#include "server/grading/course_names.h"
#include "server/grading/delivery_store.h"
#include "server/wire/timestamp.h"

namespace trainyard {
namespace {

void Warn(absl::string_view event, const v1::Submission& record, const v1::DeliveryTarget& target,
          absl::string_view why) {
  Log::Warning(event, {{"submission", record.name()},
                       {"kind", v1::DeliveryTarget::Kind_Name(target.kind())},
                       {"why", why}});
}

}  // namespace

Addressee AddresseeOf(const CourseState& state, const std::string& student) {
  const v1::PolicyVersion* policy = FindPolicy(state, 0);
  Addressee addressee;
  addressee.by_finish = policy != nullptr && policy->policy().time().late_clock() ==
                                                 v1::LATE_CLOCK_FINISHED_AT;
  for (const auto& [kind, target] : state.targets) addressee.targets.push_back(target);
  const auto found = state.roster.find(student);
  if (found != state.roster.end()) addressee.enrolment = found->second;
  return addressee;
}

absl::Status Deliver(Connection& connection, const Addressee& addressee,
                     const v1::Submission& record, bool is_new) {
  TY_ASSIGN_OR_RETURN(const SubmissionName name, ParseSubmissionName("name", record.name()));
  const DeliveredPoints points{
      .course = name.parent.course,
      .assignment = name.parent.assignment,
      .submission = record.name(),
      .student = record.student(),
      .external = addressee.enrolment.external(),
      .points = record.result().points(),
      .max_points = record.result().max_points(),
      .accepted_at =
          FromTimestamp(addressee.by_finish ? record.finish_time() : record.accepted_at()),
      .new_submission = is_new,
      .comment = absl::StrCat("Trainyard receipt ", record.receipt())};
  for (const v1::DeliveryTarget& target : addressee.targets) {
    const absl::StatusOr<InsertedDelivery> inserted =
        InsertDelivery(connection, target, points, absl::Now());
    if (!inserted.ok() && !absl::IsInvalidArgument(inserted.status())) return inserted.status();
    if (!inserted.ok()) Warn("delivery_impossible", record, target, inserted.status().message());
    if (!inserted.ok() || inserted->warnings.empty()) continue;
    Warn("delivery_doubtful", record, target, absl::StrJoin(inserted->warnings, "; "));
  }
  return absl::OkStatus();
}

}  // namespace trainyard
