#include "server/grading/delivery_queue.h"

#include <pthread.h>

#include <algorithm>
#include <set>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "absl/time/clock.h"
#include "core/base/status_macros.h"
#include "google/protobuf/util/time_util.h"
#include "server/base/log.h"
#include "server/base/steady_clock.h"
#include "server/grading/delivery_document.h"
#include "server/storage/database.h"

namespace trainyard {
namespace {

using google::protobuf::util::TimeUtil;

// Share by which a delay is shorter or longer.
constexpr double kJitter = 0.2;
// When the database fails: it is tried again after this long.
constexpr absl::Duration kDatabaseRetry = absl::Seconds(5);
// The outcome of an attempt whose answer did not come: the service may have the document.
constexpr absl::string_view kNoAnswer = "no answer: ";

google::protobuf::Timestamp ToTimestamp(absl::Time time) {
  return TimeUtil::NanosecondsToTimestamp(absl::ToUnixNanos(time));
}

bool IsWorthAnotherTry(int code) {
  return code == 408 || code == 425 || code == 429 || code >= 500;
}

// Whether the service may have the document of an attempt before.
bool MayHaveCome(const v1::Delivery& record) {
  return absl::StartsWith(record.last_outcome(), kNoAnswer);
}

// A timestamp that the platform has seen can only be this delivery's own, if it may have come
// before.
bool CameBefore(const v1::Delivery& record, int code) {
  return record.kind() == v1::DeliveryTarget::LTI_SCORE && code == 409 && MayHaveCome(record);
}

// Of a document that was not sent, for want of a token. `again`: the state when there is to be
// another attempt.
DeliveryVerdict JudgeToken(const v1::Delivery& record, const absl::StatusOr<HttpAnswer>& answer,
                           v1::Delivery::State again) {
  // What is not known of an attempt before stays so.
  const absl::string_view before = MayHaveCome(record) ? kNoAnswer : "";
  if (!answer.ok()) {
    const bool refused = absl::IsInvalidArgument(answer.status());
    return {.state = refused ? v1::Delivery::GIVEN_UP : again,
            .outcome = absl::StrCat(before, "token: ", answer.status().message())};
  }
  const std::string outcome = absl::StrCat(before, "token: HTTP ", answer->code);
  if (!IsWorthAnotherTry(answer->code)) {
    return {.state = v1::Delivery::GIVEN_UP, .outcome = outcome};
  }
  return {.state = again, .outcome = outcome, .retry_after = answer->retry_after};
}

}  // namespace

DeliveryVerdict JudgeAttempt(const v1::Delivery& record, const DeliveryAttempt& attempt,
                             int attempts_max) {
  const absl::StatusOr<HttpAnswer>& answer = attempt.answer;
  const bool last = record.attempts() + 1 >= attempts_max;
  const v1::Delivery::State again = last ? v1::Delivery::GIVEN_UP : v1::Delivery::WAITING;
  if (attempt.for_token) return JudgeToken(record, answer, again);
  if (absl::IsInvalidArgument(answer.status())) {
    return {.state = v1::Delivery::GIVEN_UP, .outcome = std::string(answer.status().message())};
  }
  if (!answer.ok()) {
    return {.state = again, .outcome = absl::StrCat(kNoAnswer, answer.status().message())};
  }
  const std::string outcome = absl::StrCat("HTTP ", answer->code);
  const bool delivered = answer->ok() || CameBefore(record, answer->code);
  if (delivered) return {.state = v1::Delivery::DELIVERED, .outcome = outcome};
  // The platform may have ended a token before its time.
  const bool token_ended = answer->code == 401 && attempt.token_used;
  if (!token_ended && !IsWorthAnotherTry(answer->code)) {
    return {.state = v1::Delivery::GIVEN_UP, .outcome = outcome};
  }
  return {.state = again, .outcome = outcome, .retry_after = answer->retry_after};
}

absl::Duration DeliveryDelay(const DeliveryOptions& options, int attempts) {
  absl::Duration delay = options.delay_min;
  for (int i = 1; i < attempts && delay < options.delay_max; ++i) delay *= 2;
  return std::min(delay, options.delay_max);
}

DeliveryQueue::DeliveryQueue(DeliveryOptions options, Database* database, DeliveryObserver observer,
                             LtiAccess lti)
    : options_(std::move(options)),
      database_(database),
      observer_(std::move(observer)),
      lti_(std::move(lti)),
      tokens_(lti_.find_key),
      thread_([this] { Run(); }) {}

DeliveryQueue::~DeliveryQueue() {
  {
    absl::MutexLock lock(&mu_);
    stopping_ = true;
  }
  thread_.join();
}

void DeliveryQueue::Wake() {
  absl::MutexLock lock(&mu_);
  woken_ = true;
}

void DeliveryQueue::Run() {
  pthread_setname_np(pthread_self(), "ty-deliveries");
  while (!stopping_.load()) {
    const absl::StatusOr<absl::Duration> wait = SendBatch();
    if (!wait.ok()) Log::Warning("deliveries_failed", {{"error", wait.status().ToString()}});
    absl::MutexLock lock(&mu_);
    AwaitFor(mu_, absl::Condition(this, &DeliveryQueue::ShouldRun), wait.value_or(kDatabaseRetry));
    woken_ = false;
  }
}

absl::StatusOr<absl::Duration> DeliveryQueue::SendBatch() {
  std::vector<DueDelivery> due;
  TY_RETURN_IF_ERROR(database_->Read([&](Connection& connection) -> absl::Status {
    TY_ASSIGN_OR_RETURN(due, FindDueDeliveries(connection, absl::Now(), options_.batch_course_max,
                                               options_.batch_max));
    return absl::OkStatus();
  }));
  std::set<std::string> silent_courses;
  for (const DueDelivery& delivery : due) {
    if (stopping_.load()) return absl::ZeroDuration();
    if (silent_courses.contains(delivery.record.course())) continue;
    TY_ASSIGN_OR_RETURN(const bool goes_on, SendOne(delivery));
    if (!goes_on) silent_courses.insert(delivery.record.course());
  }
  return Observe();
}

absl::StatusOr<bool> DeliveryQueue::SendOne(const DueDelivery& delivery) {
  const DeliveryAttempt attempt = Send(delivery);
  // Stopped in the middle: not an attempt. The next start sends it again.
  if (absl::IsCancelled(attempt.answer.status())) return false;
  const DeliveryVerdict verdict = JudgeAttempt(delivery.record, attempt, options_.attempts_max);
  const v1::Delivery after = After(delivery.record, verdict);
  TY_RETURN_IF_ERROR(database_->Write(
      [&](Connection& connection) { return UpdateDelivery(connection, delivery.number, after); }));
  if (observer_.on_outcome) observer_.on_outcome(after);
  if (after.state() == v1::Delivery::GIVEN_UP) {
    Log::Warning("delivery_given_up", {{"delivery", after.id()},
                                       {"submission", after.submission()},
                                       {"attempts", after.attempts()},
                                       {"outcome", after.last_outcome()}});
  }
  return attempt.answer.ok();
}

DeliveryAttempt DeliveryQueue::Send(const DueDelivery& delivery) {
  const std::optional<LtiClient> client = FindClient(delivery.record);
  if (client.has_value()) return SendWithToken(delivery, *client);
  const bool lacks_token =
      delivery.record.kind() == v1::DeliveryTarget::LTI_SCORE && delivery.secret.empty();
  if (lacks_token) {
    return {.answer = absl::InvalidArgumentError("there is no bearer token for this target")};
  }
  return {.answer = Post(delivery, delivery.secret)};
}

DeliveryAttempt DeliveryQueue::SendWithToken(const DueDelivery& delivery, const LtiClient& client) {
  const auto call = [this](const HttpRequest& request) {
    return HttpCall(request, options_.http, stopping_);
  };
  absl::StatusOr<LtiGrant> grant = tokens_.Get(client, call, absl::Now());
  if (!grant.ok()) return {.answer = grant.status(), .for_token = true};
  if (grant->token.empty()) return {.answer = std::move(grant->answer), .for_token = true};
  DeliveryAttempt attempt{.answer = Post(delivery, grant->token), .token_used = grant->used};
  if (attempt.answer.ok() && attempt.answer->code == 401) tokens_.Drop(client);
  return attempt;
}

absl::StatusOr<HttpAnswer> DeliveryQueue::Post(const DueDelivery& delivery,
                                               absl::string_view secret) {
  const v1::Delivery& record = delivery.record;
  return HttpCall(
      {.url = record.url(),
       .headers = DeliveryHeaders(record.kind(), record.id(), secret, delivery.document),
       .body = delivery.document},
      options_.http, stopping_);
}

std::optional<LtiClient> DeliveryQueue::FindClient(const v1::Delivery& record) const {
  const bool is_lti = record.kind() == v1::DeliveryTarget::LTI_SCORE;
  if (!is_lti || !lti_.find_client) return std::nullopt;
  const std::string course(absl::StripPrefix(record.course(), "courses/"));
  return lti_.find_client(course, record.url());
}

v1::Delivery DeliveryQueue::After(const v1::Delivery& before, const DeliveryVerdict& verdict) {
  v1::Delivery after = before;
  const absl::Time now = absl::Now();
  after.set_attempts(before.attempts() + 1);
  after.set_state(verdict.state);
  after.set_last_outcome(verdict.outcome);
  after.clear_next_attempt_time();
  if (verdict.state == v1::Delivery::DELIVERED) *after.mutable_deliver_time() = ToTimestamp(now);
  if (verdict.state == v1::Delivery::WAITING) {
    const absl::Duration delay = DeliveryDelay(options_, after.attempts()) *
                                 absl::Uniform(random_, 1 - kJitter, 1 + kJitter);
    const absl::Duration asked_for = std::min(verdict.retry_after, options_.delay_max);
    *after.mutable_next_attempt_time() = ToTimestamp(now + std::max(delay, asked_for));
  }
  return after;
}

absl::StatusOr<absl::Duration> DeliveryQueue::Observe() {
  DeliveryStats stats;
  std::optional<absl::Time> next;
  TY_RETURN_IF_ERROR(database_->Read([&](Connection& connection) -> absl::Status {
    TY_ASSIGN_OR_RETURN(stats, ReadDeliveryStats(connection, absl::Now()));
    TY_ASSIGN_OR_RETURN(next, NextDeliveryTime(connection));
    return absl::OkStatus();
  }));
  if (observer_.on_stats) observer_.on_stats(stats);
  if (!next.has_value()) return options_.poll_interval;
  return std::clamp(*next - absl::Now(), absl::ZeroDuration(), options_.poll_interval);
}

}  // namespace trainyard
