// What a course's targets are told when something happens in it: rows of the outbox, made of the
// course's events and written in the transaction that stores them. So whatever changes a grade is
// told, by whichever call it came, and nothing is told that did not happen.
//
//   courses->Listen({.prepare = PrepareDeliveries, .written = [&queue] { queue.Wake(); }});
//
// CHECK_RUN gets runs, as they are released: the receiver has a late rule of its own and counts the
// best. Of an assignment with sealed data it gets the run that counts only: the best of all would be
// selection on the test set. LTI_SCORE gets the line of the gradebook, as students may see it: after
// choice, penalty and adjustments. It is told whenever the line changes, by a new deadline or
// policy, too, and at each release, so that the other side knows of the run. What merely expires is
// no event: it is told with the next one that concerns the student.
//
// A target that is set anew is told everything; so is everything told of a student who gets another
// name at the other side.
//
// Thread-safety: a pure function, and what it answers one of a Connection.
#ifndef TRAINYARD_SERVER_GRADING_COURSE_DELIVERIES_H_
#define TRAINYARD_SERVER_GRADING_COURSE_DELIVERIES_H_

#include "server/grading/course_state.h"
#include "server/grading/course_store.h"

namespace trainyard {

// Nothing of a receiver holds up a grade. What cannot be said of a student is a delivery that is
// GIVEN_UP, and a warning in the log (delivery_impossible); so is what may be misread, or found no
// room (delivery_doubtful). A gradebook that cannot be computed is an error in the log, and nobody
// is told. Empty: nothing is to be told.
CourseStore::Also PrepareDeliveries(const CourseState& before, const CourseStore::Events& events);

}  // namespace trainyard

#endif  // TRAINYARD_SERVER_GRADING_COURSE_DELIVERIES_H_
