#include "server/grading/delivery_document.h"

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_replace.h"
#include "core/base/error_info.h"
#include "server/grading/github_login.h"
#include "server/grading/gradebook_limits.h"
#include "server/wire/canonical_json.h"
#include "server/wire/signature.h"

namespace trainyard {
namespace {

// GitHub's own limits.
constexpr size_t kRepositoryBytesMax = 100;
constexpr size_t kUserIdBytesMax = 255;  // LTI's, of `sub`
// First and last second whose year has four digits, as the receivers' parsers want it.
constexpr int64_t kTimeSecondsMax = 253'402'300'799;

bool IsRepositoryName(absl::string_view name) {
  const bool shaped = !name.empty() && name.size() <= kRepositoryBytesMax;
  return shaped && std::all_of(name.begin(), name.end(), [](char c) {
           return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '-' || c == '_' ||
                  c == '.';
         });
}

// "ivan-2004": the receiver takes the end for the number of a duplicate repository.
bool EndsLikeADuplicate(absl::string_view login) {
  const size_t dash = login.rfind('-');
  return dash != absl::string_view::npos && dash > 0 && dash + 1 < login.size() &&
         login.find_first_not_of("0123456789", dash + 1) == absl::string_view::npos;
}

void CheckPoints(int64_t points, int64_t max_points, std::vector<FieldViolation>* faults) {
  if (points < 0 || points > limits::kPointsMax) {
    faults->push_back({"points", absl::StrCat("is ", points, "; 0 to ", limits::kPointsMax)});
  }
  if (max_points < 1 || max_points > limits::kPointsMax) {
    faults->push_back(
        {"max_points", absl::StrCat("is ", max_points, "; 1 to ", limits::kPointsMax)});
  }
}

void CheckTime(absl::Time time, const char* field, std::vector<FieldViolation>* faults) {
  const int64_t seconds = absl::ToUnixSeconds(time);
  if (seconds > 0 && seconds <= kTimeSecondsMax) return;
  faults->push_back({field, "is no time between 1970 and 9999"});
}

void CheckLogin(absl::string_view login, std::vector<FieldViolation>* faults) {
  if (absl::EndsWith(login, "[bot]")) {
    faults->push_back({"github_login", absl::StrCat("\"", login,
                                                    "\" ends with [bot]; the receiver "
                                                    "skips what robots send")});
    return;
  }
  if (IsGithubLogin(login)) return;
  faults->push_back({"github_login", absl::StrCat("\"", login.substr(0, 80),
                                                  "\" is no login of GitHub: letters, "
                                                  "digits and inner hyphens, at most ",
                                                  kGithubLoginBytesMax)});
}

// "https://hook.example:443" of "HTTPS://Hook.example/a?b"; empty: no http or https address.
std::string OriginOf(absl::string_view url) {
  const size_t scheme_end = url.find("://");
  if (scheme_end == absl::string_view::npos) return "";
  const std::string scheme = absl::AsciiStrToLower(url.substr(0, scheme_end));
  if (scheme != "http" && scheme != "https") return "";
  url.remove_prefix(scheme.size() + 3);
  const std::string authority = absl::AsciiStrToLower(url.substr(0, url.find_first_of("/?#")));
  // With a name before it, or a backslash, what one reader takes for the host another may not.
  if (authority.empty() || authority.find_first_of("@\\") != std::string::npos) return "";
  const size_t colon = authority.rfind(':');
  const size_t bracket = authority.rfind(']');  // of an IPv6 address, which has colons of its own
  const bool has_port =
      colon != std::string::npos && (bracket == std::string::npos || colon > bracket);
  if (has_port) return absl::StrCat(scheme, "://", authority);
  return absl::StrCat(scheme, "://", authority, scheme == "http" ? ":80" : ":443");
}

// "86" of 8600, "77.40" of 7740.
std::string PointsText(int64_t centipoints) {
  if (centipoints % 100 == 0) return absl::StrCat(centipoints / 100);
  return absl::StrFormat("%d.%02d", centipoints / 100, centipoints % 100);
}

absl::Time NextWholeSecond(absl::Time time) {
  const absl::Time whole = absl::FromUnixSeconds(absl::ToUnixSeconds(time));
  return whole == time ? whole : whole + absl::Seconds(1);
}

std::string MillisecondsText(absl::Time time) {
  return absl::FormatTime("%Y-%m-%dT%H:%M:%E3SZ", time, absl::UTCTimeZone());
}

}  // namespace

absl::StatusOr<DeliveryDocument> CheckRunDocument(const CheckRun& check_run) {
  std::vector<FieldViolation> faults;
  CheckPoints(check_run.points, check_run.max_points, &faults);
  CheckTime(check_run.completed_at, "completed_at", &faults);
  CheckLogin(check_run.github_login, &faults);
  const std::string repository =
      absl::StrCat(check_run.repository_prefix, check_run.assignment, "-", check_run.github_login);
  if (faults.empty() && !IsRepositoryName(repository)) {
    faults.push_back(
        {"repository_prefix", absl::StrCat("\"", repository.substr(0, 120),
                                           "\" is no name of a repository: "
                                           "letters, digits, \"-\", \"_\", \".\", at most ",
                                           kRepositoryBytesMax)});
  }
  if (!faults.empty()) return MakeViolationsError(ErrorReason::kInvalidRequest, std::move(faults));
  DeliveryDocument document;
  document.body = absl::StrCat(
      R"({"check_run":{"output":{"summary":"Points )", check_run.points, "/", check_run.max_points,
      R"("},"completed_at":")",
      absl::FormatTime("%Y-%m-%dT%H:%M:%SZ", NextWholeSecond(check_run.completed_at),
                       absl::UTCTimeZone()),
      R"("},"sender":{"login":)", JsonString(check_run.github_login), R"(},"repository":{"name":)",
      JsonString(repository), "}}");
  if (EndsLikeADuplicate(check_run.github_login)) {
    document.warnings.push_back(
        absl::StrCat("\"", check_run.github_login,
                     "\" ends with a number: the receiver takes it for "
                     "the student \"",
                     check_run.github_login.substr(0, check_run.github_login.rfind('-')), "\""));
  }
  return document;
}

absl::StatusOr<DeliveryDocument> LtiScoreDocument(const LtiScore& score) {
  std::vector<FieldViolation> faults;
  CheckPoints(score.centipoints < 0 ? -1 : score.centipoints / 100, score.max_points, &faults);
  CheckTime(score.timestamp, "timestamp", &faults);
  CheckTime(score.submitted_at, "submitted_at", &faults);
  const bool user_ok = !score.user_id.empty() && score.user_id.size() <= kUserIdBytesMax &&
                       IsValidUtf8(score.user_id);
  if (!user_ok) {
    faults.push_back({"lti_user_id", absl::StrCat("must be the platform's `sub`, 1 to ",
                                                  kUserIdBytesMax, " bytes of UTF-8")});
  }
  if (score.comment.size() > kDeliveryCommentBytesMax) {
    faults.push_back({"comment", absl::StrCat("has ", score.comment.size(), " bytes; at most ",
                                              kDeliveryCommentBytesMax)});
  }
  if (!faults.empty()) return MakeViolationsError(ErrorReason::kInvalidRequest, std::move(faults));
  DeliveryDocument document;
  int64_t given = score.centipoints;
  if (given > 100 * score.max_points && !score.above_max) {
    document.warnings.push_back(absl::StrCat(PointsText(given), " points are sent as the maximum, ",
                                             score.max_points));
    given = 100 * score.max_points;
  }
  document.body = absl::StrCat(
      R"({"userId":)", JsonString(score.user_id), R"(,"scoreGiven":)",
      PointsText(given), R"(,"scoreMaximum":)", score.max_points,
      R"(,"activityProgress":"Completed","gradingProgress":"FullyGraded","timestamp":")",
      MillisecondsText(absl::FromUnixSeconds(absl::ToUnixSeconds(score.timestamp))),
      R"(","comment":)", JsonString(score.comment),
      R"(,"https://canvas.instructure.com/lti/submission":{"new_submission":)",
      score.new_submission ? "true" : "false", R"(,"submitted_at":")",
      MillisecondsText(score.submitted_at), "\"}}");
  return document;
}

bool SameOrigin(absl::string_view url, absl::string_view other) {
  const std::string origin = OriginOf(url);
  return !origin.empty() && origin == OriginOf(other);
}

std::string LtiScoresUrl(absl::string_view line_item, absl::string_view assignment) {
  const std::string item = absl::StrReplaceAll(line_item, {{"{assignment}", assignment}});
  const size_t query = std::min(item.find('?'), item.size());
  return absl::StrCat(item.substr(0, query), "/scores", item.substr(query));
}

std::vector<HttpHeader> DeliveryHeaders(v1::DeliveryTarget::Kind kind, absl::string_view id,
                                        absl::string_view secret, absl::string_view body) {
  if (kind == v1::DeliveryTarget::LTI_SCORE) {
    return {{"Content-Type", "application/vnd.ims.lis.v1.score+json"},
            {"Authorization", absl::StrCat("Bearer ", secret)}};
  }
  std::vector<HttpHeader> headers = {{"Content-Type", "application/json"},
                                     {"User-Agent", "Trainyard-Hookshot"},
                                     {"X-GitHub-Event", "check_run"},
                                     {"X-GitHub-Delivery", std::string(id)}};
  if (!secret.empty()) {
    headers.push_back(
        {"X-Hub-Signature-256", absl::StrCat("sha256=", HmacSha256Hex(secret, body))});
  }
  return headers;
}

}  // namespace trainyard
