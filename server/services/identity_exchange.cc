#include "server/services/identity_exchange.h"

#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "core/base/error_info.h"
#include "core/base/status_macros.h"
#include "server/base/log.h"
#include "server/base/steady_clock.h"
#include "server/grading/course_names.h"
#include "server/services/request_checks.h"
#include "server/wire/jwt.h"
#include "server/wire/names.h"

namespace trainyard {
namespace {

absl::Status NotTaken(absl::string_view what, absl::string_view hint) {
  return MakeError(absl::StatusCode::kUnauthenticated, what,
                   {.reason = ErrorReason::kUnauthenticated, .hint = std::string(hint)});
}

// One text for all: what is wrong with a token is not told to who may not have one.
absl::Status Invalid() {
  return NotTaken(
      "the identity token is not valid here: it is of another issuer or audience, expired, "
      "or was taken before",
      "get a new one in the job for the audience of this server; the operator finds the "
      "reason in the server's log");
}

// What only the log may say.
absl::Status Refuse(absl::string_view why) {
  Log::Info("identity_token_refused", {{"why", why}});
  return Invalid();
}

// That the caller did not say what its own token is about is no secret: keys that cannot be read
// and limits are told, all else is not.
absl::Status AnswerTo(const absl::Status& status) {
  const bool is_ours = absl::IsUnavailable(status) || absl::IsResourceExhausted(status);
  return is_ours ? status : Refuse(status.message());
}

absl::Status Off(absl::string_view what, absl::string_view hint) {
  return MakeError(absl::StatusCode::kFailedPrecondition, what,
                   {.reason = ErrorReason::kInvalidState, .hint = std::string(hint)});
}

absl::Status CheckForm(const v1::ExchangeIdentityTokenRequest& request) {
  std::vector<FieldViolation> violations;
  if (!ParseCourseName("course", request.course()).ok()) {
    violations.push_back({"course", "is no course; give courses/{id}"});
  }
  if (request.identity_token().empty() || request.identity_token().size() > kJwtBytesMax) {
    violations.push_back(
        {"identity_token", absl::StrCat("has ", request.identity_token().size(),
                                        " bytes; give a JWT of at most ", kJwtBytesMax)});
  }
  return InvalidRequest(std::move(violations));
}

}  // namespace

IdentityExchange::IdentityExchange(const IdentityProvider::Options& options, Users* users,
                                   const CourseStore* courses)
    : issuer_(options.issuer),
      users_(users),
      courses_(courses),
      keys_([this] { return FetchKeys(issuer_); }, &SteadyNow) {
  if (options.audience.empty()) return;
  provider_.emplace(
      options, [this](const std::string& key_id) { return keys_.Find(key_id); }, absl::Now());
}

absl::StatusOr<v1::ExchangeIdentityTokenResponse> IdentityExchange::Exchange(
    const v1::ExchangeIdentityTokenRequest& request) {
  TY_RETURN_IF_ERROR(CheckForm(request));
  if (!provider_.has_value()) {
    return Off("this server takes no identity tokens",
               "use a token of `trainyard token create`, or start the server with --oidc-audience");
  }
  if (users_->open()) {
    return Off("there is no user, so nobody needs a token", "call without one");
  }
  const absl::Time now = absl::Now();
  const absl::StatusOr<ProvenIdentity> proven = provider_->Verify(request.identity_token(), now);
  if (!proven.ok()) return AnswerTo(proven.status());
  TY_ASSIGN_OR_RETURN(const std::string course, ParseCourseName("course", request.course()));
  TY_ASSIGN_OR_RETURN(const std::string student,
                      FindStudent(course, proven->repository.repository_id()));
  const absl::Status taken = provider_->TakeOnce(*proven, now);
  if (!taken.ok()) return AnswerTo(taken);
  absl::StatusOr<v1::CreateTokenResponse> made =
      users_->CreateIdentityToken(MakeName(kUsers, student), request.course(), proven->repository);
  const bool no_user = absl::IsNotFound(made.status()) || absl::IsFailedPrecondition(made.status());
  if (no_user) return Refuse(made.status().message());
  TY_RETURN_IF_ERROR(made.status());
  v1::ExchangeIdentityTokenResponse response;
  *response.mutable_token() = std::move(*made->mutable_token());
  response.set_bearer(std::move(*made->mutable_bearer()));
  return response;
}

absl::StatusOr<std::string> IdentityExchange::FindStudent(const std::string& course,
                                                          int64_t repository) const {
  std::string student;
  const absl::Status read = courses_->Read(course, [&](const CourseState& state) {
    const auto found = state.repository_users.find(repository);
    if (found != state.repository_users.end()) student = found->second;
    return absl::OkStatus();
  });
  if (!read.ok() && !absl::IsNotFound(read)) return read;
  if (!student.empty()) return student;
  Log::Info("identity_token_refused",
            {{"why", "the repository is nobody's"}, {"repository_id", repository}});
  // Of a course that does not exist, too: strangers have valid tokens.
  return NotTaken(absl::StrCat("repository ", repository, " is nobody's in ", CourseName(course)),
                  "ask staff to add the id to the student's github_repository_ids in the roster");
}

}  // namespace trainyard
