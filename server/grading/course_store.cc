#include "server/grading/course_store.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "core/base/error_info.h"
#include "core/base/status_macros.h"
#include "server/grading/course_names.h"
#include "server/storage/records.h"
#include "server/wire/timestamp.h"

namespace trainyard {
namespace {

absl::Status NoCourse(absl::string_view course) {
  return NoSuch(CourseName(course), "`trainyard course list` shows what there is");
}

absl::Status TooLarge(absl::string_view message, absl::string_view in_force,
                      absl::string_view hint = "begin another course") {
  return MakeError(absl::StatusCode::kResourceExhausted, message,
                   {.reason = ErrorReason::kTooLarge,
                    .hint = std::string(hint),
                    .in_force = std::string(in_force)});
}

// Of an event that follows those of `state`. A clock that was set back does not put it before them.
absl::Time NextTime(const CourseState& state) {
  return FromTimestamp(ToTimestamp(std::max(absl::Now(), state.last_time)));
}

absl::Status InsertEvents(Connection& connection, const std::string& course,
                          const CourseStore::Events& events) {
  for (const v1::CourseEvent& event : events) {
    TY_ASSIGN_OR_RETURN(
        Statement insert,
        connection.Prepare(
            "INSERT INTO course_events (course, sequence, record) VALUES (?, ?, ?)"));
    insert.Bind(course).Bind(event.sequence()).BindBlob(event.SerializeAsString());
    TY_RETURN_IF_ERROR(insert.Step().status());
  }
  return absl::OkStatus();
}

// Calls `take` for the events from `start` on, until it says no.
absl::Status ForEvents(Connection& connection, const std::string& course, int64_t start,
                       absl::FunctionRef<bool(v1::CourseEvent)> take) {
  TY_ASSIGN_OR_RETURN(Statement rows,
                      connection.Prepare("SELECT record FROM course_events "
                                         "WHERE course = ? AND sequence >= ? ORDER BY sequence"));
  rows.Bind(course).Bind(start);
  while (true) {
    TY_ASSIGN_OR_RETURN(const bool found, rows.Step());
    if (!found) return absl::OkStatus();
    v1::CourseEvent event;
    TY_RETURN_IF_ERROR(ParseRecord(rows.Text(0), CourseName(course), &event));
    if (!take(std::move(event))) return absl::OkStatus();
  }
}

}  // namespace

absl::StatusOr<std::unique_ptr<CourseStore>> CourseStore::Open(Database* database) {
  std::unique_ptr<CourseStore> store(new CourseStore(database));
  TY_RETURN_IF_ERROR(store->Load());
  return store;
}

absl::Status CourseStore::Load() {
  std::vector<std::string> courses;
  return database_->Read([&](Connection& connection) -> absl::Status {
    TY_ASSIGN_OR_RETURN(Statement rows, connection.Prepare(
                                            "SELECT DISTINCT course FROM course_events"));
    while (true) {
      TY_ASSIGN_OR_RETURN(const bool found, rows.Step());
      if (!found) break;
      courses.push_back(rows.Text(0));
    }
    absl::MutexLock lock(&mu_);
    for (const std::string& course : courses) {
      CourseState& state = states_[course];
      TY_RETURN_IF_ERROR(ForEvents(connection, course, 1, [&](const v1::CourseEvent& event) {
        Apply(event, &state);
        return true;
      }));
    }
    return absl::OkStatus();
  });
}

absl::Status CourseStore::Create(const std::string& course, absl::string_view actor, Events events,
                                 const Also& also) {
  absl::MutexLock append(&append_mu_);
  {
    absl::MutexLock lock(&mu_);
    if (states_.contains(course)) {
      return MakeError(absl::StatusCode::kAlreadyExists,
                       absl::StrCat(CourseName(course), " exists already"),
                       {.reason = ErrorReason::kInvalidState, .hint = "choose another id"});
    }
    if (states_.size() >= kCoursesMax) {
      return TooLarge(absl::StrCat("there are ", kCoursesMax, " courses"), "courses_max");
    }
  }
  return Commit(course, actor, NextTime(CourseState()), std::move(events), also);
}

absl::Status CourseStore::Append(const std::string& course, absl::string_view actor, Decide decide,
                                 const Also& also) {
  const auto at_any_time = [&](const CourseState& state, absl::Time) { return decide(state); };
  return AppendAsOf(course, actor, at_any_time, also);
}

absl::Status CourseStore::AppendAsOf(const std::string& course, absl::string_view actor,
                                     DecideAsOf decide, const Also& also) {
  absl::MutexLock append(&append_mu_);
  absl::Time time;
  Events events;
  const absl::Status done = Read(course, [&](const CourseState& state) -> absl::Status {
    time = NextTime(state);
    TY_ASSIGN_OR_RETURN(events, decide(state, time));
    return absl::OkStatus();
  });
  TY_RETURN_IF_ERROR(done);
  if (events.empty() && !also) return absl::OkStatus();
  return Commit(course, actor, time, std::move(events), also);
}

absl::Status CourseStore::Stamp(const std::string& course, absl::string_view actor, absl::Time time,
                                Events* events) const {
  int64_t sequence = 0;
  {
    absl::ReaderMutexLock lock(&mu_);
    const auto found = states_.find(course);
    if (found != states_.end()) sequence = found->second.course.last_sequence();
  }
  if (sequence + static_cast<int64_t>(events->size()) > kCourseEventsMax) {
    return TooLarge(absl::StrCat(CourseName(course), " has ", sequence, " events"),
                    absl::StrCat("at most ", kCourseEventsMax));
  }
  for (v1::CourseEvent& event : *events) {
    event.set_sequence(++sequence);
    event.set_actor(std::string(actor));
    *event.mutable_create_time() = ToTimestamp(time);
    if (static_cast<int64_t>(event.ByteSizeLong()) > kEventBytesMax) {
      return TooLarge(absl::StrCat("the change has ", event.ByteSizeLong(), " bytes"),
                      absl::StrCat("at most ", kEventBytesMax, " bytes"), "change less at once");
    }
  }
  return absl::OkStatus();
}

void CourseStore::Listen(Listener listener) {
  absl::MutexLock lock(&append_mu_);
  listener_ = std::move(listener);
}

CourseStore::Also CourseStore::Prepared(const std::string& course, const Events& events) const {
  if (!listener_.prepare || events.empty()) return {};
  absl::ReaderMutexLock lock(&mu_);
  const auto found = states_.find(course);
  return found == states_.end() ? Also() : listener_.prepare(found->second, events);
}

absl::Status CourseStore::Commit(const std::string& course, absl::string_view actor,
                                 absl::Time time, Events events, const Also& also) {
  TY_RETURN_IF_ERROR(Stamp(course, actor, time, &events));
  const Also prepared = Prepared(course, events);
  {
    absl::MutexLock lock(&mu_);
    ++writes_begun_;
  }
  const absl::Status written = database_->Write([&](Connection& connection) -> absl::Status {
    TY_RETURN_IF_ERROR(InsertEvents(connection, course, events));
    if (prepared) TY_RETURN_IF_ERROR(prepared(connection));
    return also ? also(connection) : absl::OkStatus();
  });
  Applied(course, events, written.ok());
  // Whoever is woken finds the state that it was woken for.
  if (written.ok() && prepared) listener_.written();
  return written;
}

void CourseStore::Applied(const std::string& course, const Events& events, bool written) {
  absl::MutexLock lock(&mu_);
  ++writes_ended_;
  if (!written || events.empty()) return;
  CourseState& state = states_[course];
  for (const v1::CourseEvent& event : events) Apply(event, &state);
}

absl::Status CourseStore::Read(const std::string& course,
                               absl::FunctionRef<absl::Status(const CourseState&)> look) const {
  absl::ReaderMutexLock lock(&mu_);
  const auto found = states_.find(course);
  return found == states_.end() ? NoCourse(course) : look(found->second);
}

void CourseStore::Settle() const {
  absl::ReaderMutexLock lock(&mu_);
  const int64_t begun = writes_begun_;
  const auto ended = [&]() ABSL_SHARED_LOCKS_REQUIRED(mu_) { return writes_ended_ >= begun; };
  mu_.Await(absl::Condition(&ended));
}

absl::StatusOr<CourseState> CourseStore::At(const std::string& course, int64_t sequence) const {
  Settle();
  int64_t last = 0;
  CourseState state;
  TY_RETURN_IF_ERROR(Read(course, [&](const CourseState& now) {
    last = now.course.last_sequence();
    if (sequence == 0 || sequence == last) state = now;
    return absl::OkStatus();
  }));
  if (sequence == 0 || sequence == last) return state;
  if (sequence < 0 || sequence > last) {
    return MakeViolationsError(ErrorReason::kInvalidRequest,
                               {{"as_of_sequence", absl::StrCat("is ", sequence, "; give 1 to ",
                                                                last, ", or 0 for now")}});
  }
  TY_RETURN_IF_ERROR(database_->Read([&](Connection& connection) {
    return ForEvents(connection, course, 1, [&](const v1::CourseEvent& event) {
      if (event.sequence() > sequence) return false;
      Apply(event, &state);
      return true;
    });
  }));
  return state;
}

absl::StatusOr<CourseStore::Events> CourseStore::List(const std::string& course, int64_t start,
                                                      int64_t count) const {
  Events events;
  int64_t bytes = 0;
  TY_RETURN_IF_ERROR(Read(course, [](const CourseState&) { return absl::OkStatus(); }));
  TY_RETURN_IF_ERROR(database_->Read([&](Connection& connection) {
    return ForEvents(connection, course, start, [&](v1::CourseEvent event) {
      bytes += static_cast<int64_t>(event.ByteSizeLong());
      const bool fits = events.empty() || bytes < kPageBytesTarget;
      if (fits) events.push_back(std::move(event));
      return fits && static_cast<int64_t>(events.size()) < count;
    });
  }));
  return events;
}

std::vector<std::string> CourseStore::Courses() const {
  absl::ReaderMutexLock lock(&mu_);
  std::vector<std::string> courses;
  for (const auto& [course, state] : states_) courses.push_back(course);
  return courses;
}

}  // namespace trainyard
