#include "server/services/grading_services.h"

#include <algorithm>
#include <map>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/time/clock.h"
#include "core/base/status_macros.h"
#include "server/grading/course_deliveries.h"
#include "server/grading/delivery_document.h"
#include "server/grading/server_secrets.h"
#include "server/wire/timestamp.h"

namespace trainyard {
namespace {

GradingMetrics::DeliveryKind KindOf(v1::DeliveryTarget::Kind kind) {
  return kind == v1::DeliveryTarget::LTI_SCORE ? GradingMetrics::DeliveryKind::kLtiScore
                                               : GradingMetrics::DeliveryKind::kCheckRun;
}

GradingMetrics::DeliveryOutcome OutcomeOf(v1::Delivery::State state) {
  switch (state) {
    case v1::Delivery::DELIVERED:
      return GradingMetrics::DeliveryOutcome::kDelivered;
    case v1::Delivery::GIVEN_UP:
      return GradingMetrics::DeliveryOutcome::kGivenUp;
    default:
      return GradingMetrics::DeliveryOutcome::kRetry;
  }
}

// How the course's scores to `url` get access tokens; nullopt: they have a bearer token, or the
// target has moved and its tokens are not for that address.
std::optional<LtiClient> LtiClientOf(const CourseState& state, const std::string& url) {
  const auto found = state.targets.find(v1::DeliveryTarget::LTI_SCORE);
  if (found == state.targets.end() || found->second.token_url().empty()) return std::nullopt;
  if (!SameOrigin(found->second.url(), url)) return std::nullopt;
  return LtiClient{.token_url = found->second.token_url(),
                   .client_id = found->second.client_id(),
                   .audience = found->second.token_audience()};
}

// Shares of what may be told that was told; 0 without a limit.
double Share(int64_t millibits, int bits_max) {
  return bits_max <= 0 ? 0 : static_cast<double>(millibits) / (1'000.0 * bits_max);
}

void AddLeaks(const CourseState& state, std::vector<GradingMetrics::Assignment>* assignments) {
  std::map<absl::string_view, int64_t> most_of_a_student;  // by assignment
  for (const auto& [key, millibits] : state.leaked_millibits) {
    int64_t& most = most_of_a_student[key.second];
    most = std::max(most, millibits);
  }
  const auto course = ParseCourseName("name", state.course.name());
  for (const std::string& id : state.assignment_order) {
    const v1::LeakLimits& limits = state.Find(id)->assignment().leak_limits();
    GradingMetrics::Assignment added{.assignment = absl::StrCat(course.value_or(""), "/", id)};
    const auto student = most_of_a_student.find(id);
    if (student != most_of_a_student.end()) {
      added.leak_student_ratio = Share(student->second, limits.student_bits_max());
    }
    const auto all = state.class_leaked_millibits.find(id);
    if (all != state.class_leaked_millibits.end()) {
      added.leak_class_ratio = Share(all->second, limits.class_bits_max());
    }
    assignments->push_back(std::move(added));
  }
}

}  // namespace

absl::StatusOr<std::unique_ptr<GradingServices>> GradingServices::Create(const RpcContext& rpc,
                                                                         const Parts& parts) {
  TY_ASSIGN_OR_RETURN(SigningKey key, FindOrMakeSigningKey(parts.database));
  TY_ASSIGN_OR_RETURN(std::string seeds, FindOrMakeSecret(parts.database, "seed-key"));
  TY_ASSIGN_OR_RETURN(std::string pseudonyms, FindOrMakeSecret(parts.database, "pseudonym-key"));
  std::unique_ptr<GradingServices> grading(
      new GradingServices(rpc, parts, std::move(key), std::move(seeds)));
  GradingServices* const self = grading.get();
  parts.courses->Listen(
      {.prepare = PrepareDeliveries, .written = [self] { self->deliveries_.Wake(); }});
  TY_ASSIGN_OR_RETURN(
      grading->runner_,
      SubmissionRunner::Create(
          {.database = parts.database,
           .courses = parts.courses,
           .jobs = parts.jobs,
           .evaluator = &grading->evaluator_,
           .metrics = rpc.metrics,
           .key = &grading->key_,
           .start = [self](const GradedTraining& training) {
             return self->parts_.admission->CreateGraded(training);
           }}));
  grading->regrades_.emplace(parts.database, parts.courses, &grading->submissions_,
                             grading->runner_.get(), &grading->key_);
  grading->course_service_ = std::make_unique<CourseService>(
      rpc, parts.database, parts.courses, parts.datasets, &grading->submissions_, parts.users);
  grading->submission_service_ = std::make_unique<SubmissionService>(
      rpc, SubmissionService::Parts{.database = parts.database,
                                    .courses = parts.courses,
                                    .admission = &grading->submissions_,
                                    .runner = grading->runner_.get(),
                                    .regrades = &*grading->regrades_,
                                    .key = &grading->key_,
                                    .pseudonym_secret = std::move(pseudonyms)});
  grading->grade_service_ = std::make_unique<GradeService>(rpc, parts.database, parts.courses,
                                                           &grading->deliveries_);
  return grading;
}

GradingServices::GradingServices(const RpcContext& rpc, const Parts& parts, SigningKey key,
                                 std::string secret)
    : rpc_(rpc),
      parts_(parts),
      key_(std::move(key)),
      evaluator_(parts.models, parts.datasets),
      submissions_(parts.limits, parts.datasets, std::move(secret)),
      deliveries_(parts.deliveries, parts.database, ObserveDeliveries(), GiveLtiAccess()) {}

LtiAccess GradingServices::GiveLtiAccess() const {
  const CourseStore* const courses = parts_.courses;
  Database* const database = parts_.database;
  return {.find_client = [courses](const std::string& course,
                                   const std::string& url) -> std::optional<LtiClient> {
            std::optional<LtiClient> client;
            courses->Settle();  // the row may be durable before its target is in the state
            const absl::Status read = courses->Read(course, [&](const CourseState& state) {
              client = LtiClientOf(state, url);
              return absl::OkStatus();
            });
            return read.ok() ? client : std::nullopt;  // courses are never removed
          },
          .find_key = [database] { return FindOrMakeToolKey(database); }};
}

DeliveryObserver GradingServices::ObserveDeliveries() {
  return {.on_stats =
              [this](const DeliveryStats& stats) {
                absl::MutexLock lock(&mu_);
                delivery_stats_ = stats;
                delivery_stats_time_ = absl::Now();
              },
          .on_outcome = [this](const v1::Delivery& delivery) { CountAttempt(delivery); }};
}

void GradingServices::CountAttempt(const v1::Delivery& delivery) {
  GradingMetrics& metrics = rpc_.metrics->grading();
  const GradingMetrics::DeliveryKind kind = KindOf(delivery.kind());
  metrics.DeliveryAttempt(kind, OutcomeOf(delivery.state()));
  if (delivery.state() != v1::Delivery::DELIVERED) return;
  const absl::Duration taken =
      FromTimestamp(delivery.deliver_time()) - FromTimestamp(delivery.create_time());
  metrics.DeliveryLatency(kind, std::max(0.0, absl::ToDoubleSeconds(taken)));
}

void GradingServices::RegisterOn(grpc::ServerBuilder* builder) {
  builder->RegisterService(course_service_.get());
  builder->RegisterService(submission_service_.get());
  builder->RegisterService(grade_service_.get());
}

std::vector<const char*> GradingServices::Names() {
  return {v1::CourseService::service_full_name(), v1::SubmissionService::service_full_name(),
          v1::GradeService::service_full_name()};
}

GradingMetrics::Snapshot GradingServices::TakeSnapshot() const {
  const SubmissionRunner::Counts counts = runner_->CountActive();
  GradingMetrics::Snapshot snapshot{.submissions_queued = counts.queued,
                                    .submissions_running = counts.running,
                                    .submissions_evaluating = counts.evaluating};
  if (counts.oldest_accepted < absl::InfiniteFuture()) {
    snapshot.oldest_active_timestamp_seconds =
        absl::ToDoubleSeconds(counts.oldest_accepted - absl::UnixEpoch());
  }
  for (const std::string& course : parts_.courses->Courses()) {
    const absl::Status read = parts_.courses->Read(course, [&](const CourseState& state) {
      AddLeaks(state, &snapshot.assignments);
      return absl::OkStatus();
    });
    if (!read.ok()) continue;  // courses are never removed
  }
  std::reverse(snapshot.assignments.begin(), snapshot.assignments.end());
  absl::MutexLock lock(&mu_);
  snapshot.deliveries_waiting = delivery_stats_.waiting;
  if (delivery_stats_.waiting > 0) {
    snapshot.oldest_waiting_delivery_timestamp_seconds = absl::ToDoubleSeconds(
        delivery_stats_time_ - delivery_stats_.oldest_waiting - absl::UnixEpoch());
  }
  return snapshot;
}

}  // namespace trainyard
