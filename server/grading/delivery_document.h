// Points as the documents that other services take: GitHub's check_run event as the course's hook
// reads it, and an LTI 1.3 AGS score. Their exact bytes; what the other side would choke on is
// refused here.
//
//   TY_ASSIGN_OR_RETURN(DeliveryDocument document,
//                       CheckRunDocument({.repository_prefix = "fintech-dl-hse-", ...}));
//   headers = DeliveryHeaders(v1::DeliveryTarget::CHECK_RUN, id, secret, document.body);
//
// Thread-safety: pure functions. Errors: INVALID_ARGUMENT/INVALID_REQUEST with every fault.
#ifndef TRAINYARD_SERVER_GRADING_DELIVERY_DOCUMENT_H_
#define TRAINYARD_SERVER_GRADING_DELIVERY_DOCUMENT_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "server/base/http_call.h"
#include "trainyard/v1/course_event.pb.h"

namespace trainyard {

inline constexpr size_t kDeliveryCommentBytesMax = 1000;

struct DeliveryDocument {
  std::string body;
  // What the other side takes, but may misread.
  std::vector<std::string> warnings;
};

// What the hook reads, and nothing else: check_run.output.summary, sender.login, repository.name,
// check_run.completed_at.
struct CheckRun {
  std::string repository_prefix;  // "fintech-dl-hse-"
  std::string assignment;         // id, which the receiver's list of homeworks has to have
  std::string github_login;
  int64_t points = 0;
  int64_t max_points = 0;
  // By which the receiver decides on lateness, so: when the submission was accepted. Whole seconds;
  // a part of one is a whole one, as it is for the late rule.
  absl::Time completed_at;
};

// Refused: a login that is none of GitHub's or ends with "[bot]" (the receiver skips those), a
// repository name that GitHub would not have, points outside 0..limits::kPointsMax, a maximum of 0.
// Warned of: a login that ends with -<digits>, which the receiver merges into the one without.
absl::StatusOr<DeliveryDocument> CheckRunDocument(const CheckRun& check_run);

struct LtiScore {
  std::string user_id;  // the platform's `sub`
  int64_t centipoints = 0;
  int64_t max_points = 0;
  bool above_max = false;
  // Platforms refuse a score that is not later, in whole seconds, than the last of the same user
  // and item.
  absl::Time timestamp;
  absl::Time submitted_at;
  // Only for what is really new: Canvas counts an attempt, and may reset what a teacher wrote.
  bool new_submission = false;
  std::string comment;
};

// Points above the maximum are cut to it, with a warning, unless `above_max`: not every platform
// takes them.
absl::StatusOr<DeliveryDocument> LtiScoreDocument(const LtiScore& score);

// Whether two http or https addresses are of one service: scheme, host and port are the same. What
// a target's secret was given for is told to no other. False for what is no such address.
bool SameOrigin(absl::string_view url, absl::string_view other);

// Where scores of an assignment go: `line_item` with its id for {assignment}, and /scores before a
// query.
std::string LtiScoresUrl(absl::string_view line_item, absl::string_view assignment);

// CHECK_RUN: what GitHub sends, with X-Hub-Signature-256 when there is a secret; X-GitHub-Delivery
// is `id`, the same at each attempt, so that a receiver can drop what it has. LTI_SCORE: the
// content type and `secret` as bearer token.
std::vector<HttpHeader> DeliveryHeaders(v1::DeliveryTarget::Kind kind, absl::string_view id,
                                        absl::string_view secret, absl::string_view body);

}  // namespace trainyard

#endif  // TRAINYARD_SERVER_GRADING_DELIVERY_DOCUMENT_H_
