// Whom a course tells of points, and the outbox that it is told through.
//
//   addressee = AddresseeOf(state, student);                                    // while the course's state is at hand
//   TY_RETURN_IF_ERROR(Deliver(connection, addressee, record, /*is_new=*/true));  // in the transaction that releases the points
//
// Thread-safety: a value and pure functions.
#ifndef TRAINYARD_SERVER_SUBMISSIONS_ADDRESSEE_H_
#define TRAINYARD_SERVER_SUBMISSIONS_ADDRESSEE_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "server/grading/course_state.h"
#include "trainyard/v1/course.pb.h"
#include "trainyard/v1/course_event.pb.h"
#include "trainyard/v1/submission.pb.h"

namespace trainyard {

class Connection;

// What a delivery needs of a course.
struct Addressee {
  bool by_finish = false;  // lateness goes by the end of the run
  std::vector<v1::DeliveryTarget> targets;
  v1::Enrolment enrolment;
};

Addressee AddresseeOf(const CourseState& state, const std::string& student);

// Puts what the course's targets want to be told into the outbox. `is_new`: the receiver has
// nothing of the submission yet. Nothing of a receiver holds up the grade; a warning is logged of a
// student who cannot be told of in a target's form (delivery_impossible), and of what may be
// misread or found no room (delivery_doubtful). REQUIRES: the record has its result.
absl::Status Deliver(Connection& connection, const Addressee& addressee,
                     const v1::Submission& record, bool is_new);

}  // namespace trainyard

#endif  // TRAINYARD_SERVER_SUBMISSIONS_ADDRESSEE_H_
