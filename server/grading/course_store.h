// CourseStore keeps courses: their events in SQL, and what these add up to in memory. Whoever changes a course says what should happen, seeing the
// state as it is; nothing else happens in between.
//
//   TY_RETURN_IF_ERROR(store->Append("dl-2027", principal.owner, [&](const CourseState& state) -> absl::StatusOr<Events> {
//     if (state.RoleOf(...) != ...) return PermissionDenied();
//     ...
//     return Events{event};
//   }));
//   TY_RETURN_IF_ERROR(store->Read("dl-2027", [&](const CourseState& state) { ... }));
//
// Thread-safety: all methods from any thread; functions that are given run under a lock and must not call the store.
// Errors: NOT_FOUND for a course that does not exist; DATA_LOSS; RESOURCE_EXHAUSTED/TOO_LARGE for a course of too many events; those of the functions.
#ifndef TRAINYARD_SERVER_GRADING_COURSE_STORE_H_
#define TRAINYARD_SERVER_GRADING_COURSE_STORE_H_

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "core/base/limits.h"
#include "server/grading/course_state.h"
#include "server/storage/database.h"
#include "trainyard/v1/course_event.pb.h"

namespace trainyard {

class CourseStore {
 public:
  static constexpr size_t kCoursesMax = 1'000;
  static constexpr int64_t kCourseEventsMax = 1'000'000;
  // Serialized; a roster of ten thousand and a regrade of as many have less. It has to fit into an
  // answer.
  static constexpr int64_t kEventBytesMax = limits::kAnswerBytesMax - (int64_t{1} << 16);

  using Events = std::vector<v1::CourseEvent>;
  // Sequence, time and actor are set by the store. None: nothing changes.
  using Decide = absl::FunctionRef<absl::StatusOr<Events>(const CourseState&)>;
  // For what depends on the time: it is given the one that its events will have, so that what it
  // computes as of then is what everybody computes who reads the events. To the nanosecond, as
  // events have it, and never before the last event.
  using DecideAsOf = absl::FunctionRef<absl::StatusOr<Events>(const CourseState&, absl::Time)>;
  // What is written in the same transaction.
  using Also = std::function<absl::Status(Connection&)>;

  // Hears of every change to a course that is there, whichever call makes it.
  struct Listener {
    // With the state before, and the events as they will be stored. What it answers is written in
    // the same transaction. Empty: nothing.
    std::function<Also(const CourseState& before, const Events& events)> prepare;
    // When that is durable.
    std::function<void()> written;
  };

  // REQUIRES: `database` outlives the store.
  static absl::StatusOr<std::unique_ptr<CourseStore>> Open(Database* database);

  // REQUIRES: both functions are set; nothing is changed before or meanwhile.
  void Listen(Listener listener) ABSL_LOCKS_EXCLUDED(append_mu_);

  // Makes a course of its first events. ALREADY_EXISTS/INVALID_STATE.
  absl::Status Create(const std::string& course, absl::string_view actor, Events events,
                      const Also& also = {});
  absl::Status Append(const std::string& course, absl::string_view actor, Decide decide,
                      const Also& also = {});
  absl::Status AppendAsOf(const std::string& course, absl::string_view actor, DecideAsOf decide,
                          const Also& also = {});
  absl::Status Read(const std::string& course,
                    absl::FunctionRef<absl::Status(const CourseState&)> look) const;
  // Waits for what may be durable already and is not in the states yet, not for what is still being
  // decided. What is in a row, as Also wrote it, is then in the states, too: who has seen the one
  // finds the other.
  void Settle() const;
  // As the course was after the event `sequence`; 0: as it is, settled.
  absl::StatusOr<CourseState> At(const std::string& course, int64_t sequence) const;
  // Events from `start` on, at most `count`, and no more than fit into an answer.
  absl::StatusOr<Events> List(const std::string& course, int64_t start, int64_t count) const;
  // Ids, ascending.
  std::vector<std::string> Courses() const;

 private:
  explicit CourseStore(Database* database) : database_(database) {}
  absl::Status Load();
  // Stamps, checks.
  absl::Status Stamp(const std::string& course, absl::string_view actor, absl::Time time,
                     Events* events) const;
  // Stamps, makes durable, applies.
  absl::Status Commit(const std::string& course, absl::string_view actor, absl::Time time,
                      Events events, const Also& also) ABSL_EXCLUSIVE_LOCKS_REQUIRED(append_mu_);

  // What the listener adds to a change; empty: nothing.
  Also Prepared(const std::string& course, const Events& events) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(append_mu_);
  // The end of a write: the events are in the state, if it succeeded.
  void Applied(const std::string& course, const Events& events, bool written)
      ABSL_LOCKS_EXCLUDED(mu_);

  Database* const database_;
  absl::Mutex append_mu_ ABSL_ACQUIRED_BEFORE(mu_);  // one change at a time, its fsync included
  Listener listener_ ABSL_GUARDED_BY(append_mu_);
  mutable absl::Mutex mu_;
  std::map<std::string, CourseState> states_ ABSL_GUARDED_BY(mu_);
  // Changes that began to be written, and those of them that are applied or failed.
  int64_t writes_begun_ ABSL_GUARDED_BY(mu_) = 0;
  int64_t writes_ended_ ABSL_GUARDED_BY(mu_) = 0;
};

}  // namespace trainyard

#endif  // TRAINYARD_SERVER_GRADING_COURSE_STORE_H_
