#include "client/submission_wait.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "client/describe_submission.h"
#include "client/render.h"
#include "core/base/status_macros.h"

namespace trainyard {
namespace {

// What one call asks for: progress is as old as that at most.
constexpr absl::Duration kWaitStep = absl::Seconds(2);

// What is worth a line that stays.
std::string Milestone(const v1::Submission& submission) {
  const std::string state = StateWord(submission.state());
  if (submission.state() != v1::SUBMISSION_STATE_QUEUED) return state;
  return absl::StrCat(state, "  ", PositionText(submission));
}

class WaitView {
 public:
  explicit WaitView(Screen* screen) : screen_(screen) {}
  void Show(const v1::Submission& submission) {
    const std::string milestone = Milestone(submission);
    if (milestone != shown_) screen_->Note(milestone);
    shown_ = milestone;
    if (IsTerminal(submission.state())) return;
    screen_->DrawOnErr([&](size_t width) { return Ellipsize(SubmissionLine(submission), width); });
  }

 private:
  Screen* const screen_;
  std::string shown_;
};

}  // namespace

absl::StatusOr<v1::Submission> WaitForSubmission(
    Session& session, const std::string& name, absl::Duration limit,
    const std::function<bool(const v1::Submission&)>& enough) {
  WaitView view(&session.screen);
  const absl::Time end = absl::Now() + limit;
  v1::WaitSubmissionRequest request;
  request.set_name(name);
  while (true) {
    // Half of the limit at most: it is that of a call too, which the server must not use up.
    const absl::Duration step =
        std::min({kWaitStep, limit / 2, std::max(end - absl::Now(), absl::ZeroDuration())});
    request.mutable_timeout()->set_seconds(absl::ToInt64Seconds(step));
    request.mutable_timeout()->set_nanos(
        static_cast<int32_t>(absl::ToInt64Nanoseconds(step % absl::Seconds(1))));
    TY_ASSIGN_OR_RETURN(const v1::Submission submission,
                        session.remote.Call(session.remote.submissions(),
                                            &v1::SubmissionService::Stub::WaitSubmission, request));
    view.Show(submission);
    const bool done = IsTerminal(submission.state()) || enough(submission) || absl::Now() >= end;
    if (!done) continue;
    session.screen.Wipe();
    return submission;
  }
}

absl::StatusOr<v1::Submission> WaitForSubmission(Session& session, const std::string& name,
                                                 absl::Duration limit) {
  return WaitForSubmission(session, name, limit, [](const v1::Submission&) { return false; });
}

}  // namespace trainyard
