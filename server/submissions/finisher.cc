#include "server/submissions/finisher.h"

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "absl/time/clock.h"
#include "core/base/error_info.h"
#include "core/base/status_macros.h"
#include "server/base/log.h"
#include "server/grading/assignment_rules.h"
#include "server/grading/course_names.h"
#include "server/grading/course_store.h"
#include "server/grading/ladder.h"
#include "server/grading/leak_meter.h"
#include "server/metrics/metrics.h"
#include "server/storage/database.h"
#include "server/submissions/receipts.h"
#include "server/submissions/scoring.h"
#include "server/wire/timestamp.h"

namespace trainyard {
namespace {

std::string StateLabel(v1::SubmissionState state) {
  return absl::AsciiStrToLower(
      absl::StripPrefix(v1::SubmissionState_Name(state), "SUBMISSION_STATE_"));
}

LeakLimits LeakLimitsOf(const v1::Assignment& assignment) {
  const auto millibits = [](int bits) {
    return bits < 0 ? std::nullopt : std::optional<int64_t>(int64_t{bits} * 1'000);
  };
  return {.student_millibits_max = millibits(assignment.leak_limits().student_bits_max()),
          .class_millibits_max = millibits(assignment.leak_limits().class_bits_max())};
}

double SecondsBetween(const google::protobuf::Timestamp& from,
                      const google::protobuf::Timestamp& to) {
  return absl::ToDoubleSeconds(
      std::max(FromTimestamp(to) - FromTimestamp(from), absl::ZeroDuration()));
}

}  // namespace

v1::CourseEvent GradedEvent(const v1::Assignment& assignment, const std::string& assignment_id,
                            const StoredSubmission& submission) {
  const v1::Submission& record = submission.record;
  v1::CourseEvent event;
  v1::SubmissionGraded& graded = *event.mutable_submission_graded();
  graded.set_submission(record.name());
  graded.set_assignment(assignment_id);
  graded.set_student(record.student());
  graded.set_assignment_version(record.assignment_version());
  graded.set_points(submission.sealed.result().points());
  graded.set_max_points(submission.sealed.result().max_points());
  *graded.mutable_accepted_at() = record.accepted_at();
  *graded.mutable_finish_time() = record.finish_time();
  graded.set_public_rank(PublicRank(assignment, submission.sealed));
  graded.set_receipt(record.receipt());
  graded.set_spec_digest(record.spec_digest());
  graded.set_charged(true);
  graded.set_receipt_digest(submission.sealed.receipt_digest());
  return event;
}

v1::CourseEvent ReleasedEvent(const std::string& assignment, const StoredSubmission& submission) {
  v1::CourseEvent event;
  v1::PointsReleased& released = *event.mutable_points_released();
  released.set_submission(submission.record.name());
  released.set_assignment(assignment);
  released.set_student(submission.record.student());
  released.set_leak_millibits(submission.sealed.leak_millibits());
  return event;
}

bool MayRelease(const CourseState& state, const std::string& assignment_id,
                const StoredSubmission& submission, absl::Time now) {
  const v1::Assignment& newest = state.Find(assignment_id)->assignment();
  const v1::Assignment& own =
      state.Find(assignment_id, submission.record.assignment_version())->assignment();
  if (LastClose(state, newest, now) <= now) return true;
  if (newest.release() != v1::POINTS_RELEASE_IMMEDIATE) return false;
  if (own.release() != v1::POINTS_RELEASE_IMMEDIATE) return false;
  const auto student = state.leaked_millibits.find({submission.record.student(), assignment_id});
  const auto all = state.class_leaked_millibits.find(assignment_id);
  const LeakTotals told{
      .student_millibits = student == state.leaked_millibits.end() ? 0 : student->second,
      .class_millibits = all == state.class_leaked_millibits.end() ? 0 : all->second};
  return ChargeRelease(told, LeakLimitsOf(newest), submission.sealed.leak_millibits()).ok();
}

void Tell(StoredSubmission* submission) {
  *submission->record.mutable_result() = submission->sealed.result();
  submission->record.set_withheld(false);
}

absl::StatusOr<std::optional<StoredLadder>> Finisher::ClimbLadder(const Evaluation& public_run,
                                                                 StoredSubmission* submission) {
  if (public_run.public_losses.empty()) return std::nullopt;
  v1::Submission& record = submission->record;
  TY_ASSIGN_OR_RETURN(const SubmissionName name, ParseSubmissionName("name", record.name()));
  std::optional<StoredLadder> stored;
  ScoreMetric metric = ScoreMetric::kUnspecified;
  int version = 0;
  TY_RETURN_IF_ERROR(parts_.courses->Read(name.parent.course, [&](const CourseState& state) {
    const std::string& assignment = name.parent.assignment;
    metric = MetricOf(state.Find(assignment, record.assignment_version())->assignment());
    version = FirstComparableVersion(state, assignment, record.assignment_version());
    return absl::OkStatus();
  }));
  const absl::Status read = parts_.database->Read([&](Connection& connection) -> absl::Status {
    TY_ASSIGN_OR_RETURN(stored, FindLadder(connection, name.parent, version, record.student()));
    return absl::OkStatus();
  });
  TY_RETURN_IF_ERROR(read);
  LadderState before;
  if (stored.has_value()) before = {stored->best_loss, std::move(stored->row_losses)};
  Ladder ladder(std::move(before), public_run.ladder_unit);
  TY_ASSIGN_OR_RETURN(const LadderReport report, ladder.Score(public_run.public_losses));
  record.set_public_score(ScoreOfLoss(metric, report.reported_loss, public_run.ladder_unit));
  record.set_public_improved(report.improved);
  if (!report.improved) return std::nullopt;
  return StoredLadder{ladder.state().best_loss, ladder.state().row_losses};
}

absl::Status Finisher::FinishGraded(const Evaluation& public_run, StoredSubmission* submission) {
  // What could not be made durable must not look as if it were over.
  StoredSubmission finished = *submission;
  const v1::Submission& record = finished.record;
  finished.record.set_state(v1::SUBMISSION_STATE_DONE);
  *finished.record.mutable_finish_time() = ToTimestamp(absl::Now());
  if (record.cause() != v1::SUBMISSION_CAUSE_SUBMIT) {
    return FinishAgain(std::move(finished), submission);
  }
  TY_ASSIGN_OR_RETURN(const SubmissionName name, ParseSubmissionName("name", record.name()));
  const std::string& assignment_id = name.parent.assignment;
  bool told = false;
  int ladder_version = 0;
  // A student's submissions to an assignment end one after another, so that nobody climbs in between.
  TY_ASSIGN_OR_RETURN(const std::optional<StoredLadder> ladder,
                      ClimbLadder(public_run, &finished));
  const auto decide = [&](const CourseState& state) -> absl::StatusOr<CourseStore::Events> {
    const v1::Assignment& assignment =
        state.Find(assignment_id, record.assignment_version())->assignment();
    ladder_version = FirstComparableVersion(state, assignment_id, record.assignment_version());
    told = MayRelease(state, assignment_id, finished, absl::Now());
    TY_RETURN_IF_ERROR(
        SignReceipts(state, state.last_receipt_digest, *parts_.key, told, &finished));
    CourseStore::Events events = {GradedEvent(assignment, assignment_id, finished)};
    finished.record.set_withheld(!told);
    if (!told) return events;
    Tell(&finished);
    events.push_back(ReleasedEvent(assignment_id, finished));
    return events;
  };
  const auto also = [&](Connection& connection) -> absl::Status {
    TY_RETURN_IF_ERROR(UpdateSubmission(connection, finished));
    if (!ladder.has_value()) return absl::OkStatus();
    return WriteLadder(connection, name.parent, ladder_version, record.student(), *ladder);
  };
  TY_RETURN_IF_ERROR(parts_.courses->Append(name.parent.course, "", decide, also));
  Log::Info("submission_graded",
            {{"submission", record.name()},
             {"seconds", SecondsBetween(record.accepted_at(), record.finish_time())}});
  *submission = std::move(finished);
  return absl::OkStatus();
}

absl::Status Finisher::FinishAgain(StoredSubmission finished, StoredSubmission* submission) {
  TY_RETURN_IF_ERROR(parts_.database->Write(
      [&](Connection& connection) { return UpdateSubmission(connection, finished); }));
  *submission = std::move(finished);
  return absl::OkStatus();
}

absl::Status Finisher::FinishWithout(v1::SubmissionState state, const v1::JobError& error,
                                     StoredSubmission* submission) {
  StoredSubmission finished = *submission;
  finished.record.set_state(state);
  *finished.record.mutable_finish_time() = ToTimestamp(absl::Now());
  if (error.reason() != v1::ERROR_REASON_UNSPECIFIED) *finished.record.mutable_error() = error;
  TY_RETURN_IF_ERROR(parts_.database->Write(
      [&](Connection& connection) { return UpdateSubmission(connection, finished); }));
  *submission = std::move(finished);
  const bool ours = state == v1::SUBMISSION_STATE_INFRA_ERROR;
  const std::initializer_list<LogField> fields = {{"submission", submission->record.name()},
                                                  {"state", StateLabel(state)},
                                                  {"reason", v1::ErrorReason_Name(error.reason())}};
  if (ours) Log::Error("submission_failed", fields);
  if (!ours) Log::Info("submission_ended", fields);
  return absl::OkStatus();
}

absl::Status Finisher::ReleaseDue(absl::Time now) {
  absl::Status first;
  for (const std::string& course : parts_.courses->Courses()) {
    std::vector<std::string> due;
    TY_RETURN_IF_ERROR(parts_.courses->Read(course, [&](const CourseState& state) {
      for (const auto& [assignment, names] : state.unreleased) {
        if (names.empty()) continue;
        if (LastClose(state, state.Find(assignment)->assignment(), now) <= now) {
          due.push_back(assignment);
        }
      }
      return absl::OkStatus();
    }));
    // One that cannot be released does not hold up the others.
    for (const std::string& assignment : due) first.Update(ReleaseOf(course, assignment, now));
  }
  return first;
}

absl::Status Finisher::ReleaseOf(const std::string& course, const std::string& assignment,
                                 absl::Time now) {
  std::vector<StoredSubmission> telling;
  const auto load = [&](const std::set<std::string>& names) {
    return parts_.database->Read([&](Connection& connection) -> absl::Status {
      for (const std::string& name : names) {
        if (telling.size() == kReleasesAtOnce) break;
        TY_ASSIGN_OR_RETURN(StoredSubmission submission, FindSubmission(connection, name));
        telling.push_back(std::move(submission));
      }
      return absl::OkStatus();
    });
  };
  const auto decide = [&](const CourseState& state) -> absl::StatusOr<CourseStore::Events> {
    CourseStore::Events events;
    // An extension may have come in between.
    if (LastClose(state, state.Find(assignment)->assignment(), now) > now) return events;
    // Read here, where no regrade can change the rows in between.
    TY_RETURN_IF_ERROR(load(state.unreleased.at(assignment)));
    for (StoredSubmission& submission : telling) {
      Tell(&submission);
      TY_RETURN_IF_ERROR(SignReleased(*parts_.key, &submission));
      events.push_back(ReleasedEvent(assignment, submission));
    }
    return events;
  };
  const auto also = [&](Connection& connection) -> absl::Status {
    for (const StoredSubmission& submission : telling) {
      TY_RETURN_IF_ERROR(UpdateSubmission(connection, submission));
    }
    return absl::OkStatus();
  };
  TY_RETURN_IF_ERROR(parts_.courses->Append(course, "", decide, also));
  for (const StoredSubmission& submission : telling) {
    const v1::SubmissionResult& result = submission.record.result();
    parts_.metrics->grading().PointsReleased(absl::StrCat(course, "/", assignment),
                                             result.points(), result.max_points());
  }
  return absl::OkStatus();
}

}  // namespace trainyard
