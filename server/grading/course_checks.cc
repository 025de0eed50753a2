#include "server/grading/course_checks.h"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "core/base/limits.h"
#include "server/grading/course_names.h"
#include "server/grading/delivery_document.h"
#include "server/grading/github_login.h"
#include "server/grading/gradebook_limits.h"
#include "server/grading/policy_time.h"
#include "server/grading/score_rule.h"

namespace trainyard {
namespace {

using Violations = std::vector<FieldViolation>;

constexpr int kRepositoriesMax = 64;   // of a student
constexpr size_t kTargetUrlBytesMax = 2'000;
constexpr size_t kClientIdBytesMax = 255;
constexpr int kLineItemsMax = 200;
constexpr int kQuizAttemptsMax = 1'000'000;

// U+0000 to U+001F and U+007F to U+009F, which terminals obey, and U+2028 and U+2029, at which
// readers break lines.
bool HasControls(absl::string_view text) {
  for (size_t i = 0; i < text.size(); ++i) {
    const absl::string_view rest = text.substr(i);
    if (absl::ascii_iscntrl(static_cast<unsigned char>(rest.front()))) return true;
    const bool c1 =
        rest.size() > 1 && rest[0] == '\xC2' && static_cast<unsigned char>(rest[1]) < 0xA0;
    if (c1 || absl::StartsWith(rest, "\u2028") || absl::StartsWith(rest, "\u2029")) return true;
  }
  return false;
}

void CheckLogin(absl::string_view field, const std::string& login, Violations* violations) {
  if (login.empty() || IsGithubLogin(login)) return;
  violations->push_back(
      {std::string(field),
       absl::StrCat("\"", login.substr(0, 60), "\" is no login; give at most ",
                    kGithubLoginBytesMax, " letters, digits and hyphens, no hyphen first")});
}

void CheckRepositories(const std::string& field, const v1::Enrolment& enrolment,
                       Violations* violations) {
  const auto& ids = enrolment.external().github_repository_ids();
  if (ids.empty()) return;
  if (enrolment.role() != v1::COURSE_ROLE_STUDENT) {
    violations->push_back({field, "are of jobs that submit; give them to students only"});
  }
  if (ids.size() > kRepositoriesMax) {
    violations->push_back(
        {field, absl::StrCat("has ", ids.size(), " ids; give at most ", kRepositoriesMax)});
  }
  if (std::any_of(ids.begin(), ids.end(), [](int64_t id) { return id <= 0; })) {
    violations->push_back({field, "has an id that is not positive; give GitHub's numeric ids"});
  }
}

void CheckEnrolment(const std::string& path, const v1::Enrolment& enrolment,
                    Violations* violations) {
  CheckId(path + ".user", enrolment.user(), violations);
  if (!v1::CourseRole_IsValid(enrolment.role()) ||
      enrolment.role() == v1::COURSE_ROLE_UNSPECIFIED) {
    violations->push_back({path + ".role", "is missing; give INSTRUCTOR, GRADER, STUDENT or VIEWER"});
  }
  const size_t bytes_max = limits::kDisplayNameBytesMax;
  const v1::ExternalIds& external = enrolment.external();
  CheckText(path + ".full_name", enrolment.full_name(), bytes_max, violations);
  CheckText(path + ".programme", enrolment.programme(), bytes_max, violations);
  CheckText(path + ".group", enrolment.group(), bytes_max, violations);
  CheckLogin(path + ".external.github_login", external.github_login(), violations);
  CheckText(path + ".external.email", external.email(), bytes_max, violations);
  CheckText(path + ".external.canvas_id", external.canvas_id(), bytes_max, violations);
  CheckText(path + ".external.sis_user_id", external.sis_user_id(), bytes_max, violations);
  CheckText(path + ".external.sis_login_id", external.sis_login_id(), bytes_max, violations);
  CheckText(path + ".external.section", external.section(), bytes_max, violations);
  CheckText(path + ".external.lti_user_id", external.lti_user_id(), bytes_max, violations);
  CheckRepositories(path + ".external.github_repository_ids", enrolment, violations);
}

// That nobody has the repositories but those of `request`, and of them one each.
void CheckRepositoriesAreFree(const CourseState& state, const v1::UpdateRosterRequest& request,
                              const std::set<std::string>& changed, Violations* violations) {
  std::set<int64_t> given;
  for (int i = 0; i < request.enrolments_size(); ++i) {
    for (const int64_t id : request.enrolments(i).external().github_repository_ids()) {
      const auto before = state.repository_users.find(id);
      const bool is_others =
          before != state.repository_users.end() && !changed.contains(before->second);
      if (!is_others && given.insert(id).second) continue;
      violations->push_back(
          {absl::StrCat("enrolments[", i, "].external.github_repository_ids"),
           absl::StrCat("has ", id, ", which is ", is_others ? before->second : "here",
                        is_others ? "'s; take it from them first" : " twice; give it once")});
    }
  }
}

// A student by an id that nothing else may stand for.
void CheckStudent(const CourseState& state, const std::string& field, const std::string& student,
                  Violations* violations) {
  const v1::CourseRole role = state.RoleOf(student);
  if (role == v1::COURSE_ROLE_STUDENT) return;
  violations->push_back(
      {field, absl::StrCat("\"", student.substr(0, 63), "\" is ",
                           role == v1::COURSE_ROLE_UNSPECIFIED ? "not in the roster" : "no student",
                           "; enrol the student first")});
}

// Plagiarism costs the homework where it was found, or all of them: the policy in force says which.
bool NeedsAssignment(const CourseState& state, v1::Adjustment::Kind kind) {
  if (kind != v1::Adjustment::SANCTION_PLAGIARISM) return true;
  return !state.policies.empty() && state.policies.back().policy().sanctions().plagiarism() ==
                                        v1::SANCTION_EFFECT_ZERO_HOMEWORK;
}

void CheckAdjusted(const CourseState& state, const v1::Adjustment& adjustment,
                   Violations* violations) {
  const std::string& assignment = adjustment.assignment();
  const auto add = [&](std::string what) {
    violations->push_back({"adjustment.assignment", std::move(what)});
  };
  if (adjustment.kind() == v1::Adjustment::FINAL) {
    if (!assignment.empty()) add("is given, but this kind is about the whole course; leave it out");
    return;
  }
  if (assignment.empty()) {
    if (NeedsAssignment(state, adjustment.kind())) add("is missing; give the id of one");
    return;
  }
  if (state.Find(assignment) != nullptr) return;
  add(absl::StrCat("\"", assignment.substr(0, 63),
                   "\" is no assignment of the course; give its id"));
}

// Each kind has one number of its own; the others are not given.
void CheckValue(const v1::Adjustment& adjustment, Violations* violations) {
  const v1::Adjustment::Kind kind = adjustment.kind();
  const auto check = [&](absl::string_view field, bool wanted, bool given, bool in_range,
                         absl::string_view range) {
    if (wanted && !in_range) {
      violations->push_back({absl::StrCat("adjustment.", field), absl::StrCat("give ", range)});
    }
    if (!wanted && given) {
      violations->push_back({absl::StrCat("adjustment.", field), "is not of this kind; leave it out"});
    }
  };
  const int64_t points = adjustment.points();
  const bool add = kind == v1::Adjustment::ADD;
  const bool set = kind == v1::Adjustment::SET;
  check("points", add || set, points != 0,
        add ? points != 0 && points >= -kPointsMax && points <= kPointsMax
            : points >= 0 && points <= kPointsMax,
        absl::StrCat(add ? -kPointsMax : 0, " to ", kPointsMax, add ? ", not 0" : ""));
  check("late_units", kind == v1::Adjustment::LATE_DAYS, adjustment.late_units() != 0,
        adjustment.late_units() >= 0 && adjustment.late_units() <= limits::kLateUnitsMax,
        absl::StrCat("0 to ", limits::kLateUnitsMax));
  const int64_t seconds = adjustment.extension().seconds();
  check("extension", kind == v1::Adjustment::EXTEND, adjustment.has_extension(),
        seconds >= 1 && seconds <= limits::kExtensionSecondsMax &&
            adjustment.extension().nanos() == 0,
        absl::StrCat("1 s to ", limits::kExtensionSecondsMax, " s, whole"));
  check("final_hundredths", kind == v1::Adjustment::FINAL, adjustment.final_hundredths() != 0,
        adjustment.final_hundredths() >= 0 &&
            adjustment.final_hundredths() <= limits::kFinalHundredthsMax,
        absl::StrCat("0 to ", limits::kFinalHundredthsMax));
}

// nullptr: the policy in force has no such exam.
const v1::ExamPolicy* FindExam(const CourseState& state, const std::string& id) {
  if (state.policies.empty()) return nullptr;
  for (const v1::ExamPolicy& exam : state.policies.back().policy().exams().items()) {
    if (exam.id() == id) return &exam;
  }
  return nullptr;
}

// That nothing is recorded by what removes.
void RefuseBesideRemoved(const std::string& field, bool given, Violations* violations) {
  if (given) violations->push_back({field, "is given, but removed is set; leave out one of them"});
}

void RefuseNothingToRemove(const std::string& path, const std::string& student,
                           const std::string& what, const std::string& id, Violations* violations) {
  violations->push_back({path, absl::StrCat("removes what is not there: \"", student.substr(0, 63),
                                            "\" has no ", what, " \"", id.substr(0, 63), "\"")});
}

// Only what is there counts: marks of who has left, or of an exam that the policy no longer has,
// keep grades from being published until they can be removed.
void CheckRemovedMark(const CourseState& state, const std::string& path, const v1::ExamMark& mark,
                      Violations* violations) {
  if (!state.exams.contains({mark.student(), mark.exam()})) {
    RefuseNothingToRemove(path, mark.student(), "mark of exam", mark.exam(), violations);
  }
  RefuseBesideRemoved(path + ".hundredths", mark.hundredths() != 0, violations);
  RefuseBesideRemoved(path + ".examiner", !mark.examiner().empty(), violations);
}

void CheckRemovedQuiz(const CourseState& state, const std::string& path, const v1::QuizResult& quiz,
                      Violations* violations) {
  if (!state.quizzes.contains({quiz.student(), quiz.quiz()})) {
    RefuseNothingToRemove(path, quiz.student(), "result of quiz", quiz.quiz(), violations);
  }
  RefuseBesideRemoved(path + ".correct_at", quiz.has_correct_at(), violations);
  RefuseBesideRemoved(path + ".attempts", quiz.attempts() != 0, violations);
}

void CheckExamMark(const CourseState& state, const std::string& path, const v1::ExamMark& mark,
                   Violations* violations) {
  if (mark.removed()) return CheckRemovedMark(state, path, mark, violations);
  CheckStudent(state, path + ".student", mark.student(), violations);
  CheckText(path + ".examiner", mark.examiner(), limits::kDisplayNameBytesMax, violations);
  const v1::ExamPolicy* exam = FindExam(state, mark.exam());
  if (exam == nullptr) {
    violations->push_back({path + ".exam", absl::StrCat("\"", mark.exam().substr(0, 63),
                                                        "\" is no exam of the policy in force")});
    return;
  }
  const int64_t hundredths_max = int64_t{exam->max()} * 100;
  if (mark.hundredths() < 0 || mark.hundredths() > hundredths_max) {
    violations->push_back({path + ".hundredths",
                           absl::StrCat("is ", mark.hundredths(), "; give 0 to ", hundredths_max)});
  }
}

void CheckQuiz(const CourseState& state, const std::string& path, const v1::QuizResult& quiz,
               Violations* violations) {
  if (quiz.removed()) return CheckRemovedQuiz(state, path, quiz, violations);
  CheckStudent(state, path + ".student", quiz.student(), violations);
  CheckId(path + ".quiz", quiz.quiz(), violations);
  if (quiz.module() < 0 || quiz.module() > limits::kModuleMax) {
    violations->push_back(
        {path + ".module", absl::StrCat("is ", quiz.module(), "; give 0 to ", limits::kModuleMax)});
  }
  if (quiz.attempts() < 0 || quiz.attempts() > kQuizAttemptsMax) {
    violations->push_back({path + ".attempts", absl::StrCat("is ", quiz.attempts(), "; give 0 to ",
                                                            kQuizAttemptsMax)});
  }
}

void CheckAddress(absl::string_view field, absl::string_view url, Violations* violations) {
  CheckText(field, url, kTargetUrlBytesMax, violations);
  const bool http = absl::StartsWith(url, "http://") || absl::StartsWith(url, "https://");
  if (!url.empty() && !http) {
    violations->push_back({std::string(field), "is no http or https address"});
  }
}

// How access tokens are fetched: not at all, or where and as whom.
void CheckTokenTarget(const v1::DeliveryTarget& target, Violations* violations) {
  CheckAddress("target.token_url", target.token_url(), violations);
  CheckText("target.client_id", target.client_id(), kClientIdBytesMax, violations);
  CheckText("target.token_audience", target.token_audience(), kTargetUrlBytesMax, violations);
  const bool given = !target.token_url().empty() || !target.client_id().empty() ||
                     !target.token_audience().empty();
  if (!given) return;
  if (target.kind() != v1::DeliveryTarget::LTI_SCORE) {
    violations->push_back(
        {"target.token_url", "client_id and token_audience are of LTI_SCORE only; leave them out"});
    return;
  }
  if (target.token_url().empty()) {
    violations->push_back(
        {"target.token_url",
         "is missing, but client_id or token_audience is given; give all, or none"});
  }
  if (!target.token_url().empty() && target.client_id().empty()) {
    violations->push_back(
        {"target.client_id", "is missing; say what the platform calls this tool"});
  }
}

// Access tokens are for one service: scores go to no other.
void CheckLineItems(const v1::DeliveryTarget& target, Violations* violations) {
  const bool lti = target.kind() == v1::DeliveryTarget::LTI_SCORE;
  if (!lti && (target.line_items_size() > 0 || target.above_max())) {
    violations->push_back(
        {"target.line_items", "line_items and above_max are of LTI_SCORE only; leave them out"});
    return;
  }
  if (target.line_items_size() > kLineItemsMax) {
    violations->push_back({"target.line_items", absl::StrCat("has ", target.line_items_size(),
                                                             " items; at most ", kLineItemsMax)});
    return;
  }
  for (const auto& [assignment, url] : target.line_items()) {
    const std::string field = absl::StrCat("target.line_items[\"", assignment.substr(0, 80), "\"]");
    if (!IsId(assignment)) violations->push_back({field, "is no id of an assignment"});
    CheckAddress(field, url, violations);
    if (SameOrigin(url, target.url())) continue;
    violations->push_back({field, "is of another scheme, host or port than target.url"});
  }
}

}  // namespace

void CheckText(absl::string_view field, absl::string_view text, size_t bytes_max,
               Violations* violations) {
  if (text.size() > bytes_max) {
    violations->push_back({std::string(field), absl::StrCat("has ", text.size(), " bytes; give at most ",
                                                            bytes_max)});
  }
  if (HasControls(text))
    violations->push_back({std::string(field), "has control characters; leave them out"});
}

void CheckNewCourse(const v1::Course& course, Violations* violations) {
  if (!ParseCourseName("name", course.name()).ok()) {
    violations->push_back({"course.name", "is no name; give courses/{id} with an id of a-z, 0-9 and -"});
  }
  CheckText("course.display_name", course.display_name(), limits::kDisplayNameBytesMax, violations);
  if (course.time_zone().empty() || LoadPolicyZone(course.time_zone()).has_value()) return;
  violations->push_back({"course.time_zone", absl::StrCat("\"", course.time_zone().substr(0, 60),
                                                          "\" is no IANA zone this machine knows; "
                                                          "give e.g. Europe/Moscow")});
}

void CheckRosterUpdate(const CourseState& state, const v1::UpdateRosterRequest& request,
                       Violations* violations) {
  std::set<std::string> users;
  for (int i = 0; i < request.enrolments_size(); ++i) {
    const std::string path = absl::StrCat("enrolments[", i, "]");
    CheckEnrolment(path, request.enrolments(i), violations);
    if (!users.insert(request.enrolments(i).user()).second) {
      violations->push_back({path + ".user", "is given twice"});
    }
  }
  std::set<std::string> members = users;
  for (const auto& [user, enrolment] : state.roster) members.insert(user);
  for (int i = 0; i < request.removed_users_size(); ++i) {
    const std::string& user = request.removed_users(i);
    const std::string path = absl::StrCat("removed_users[", i, "]");
    if (!users.insert(user).second) violations->push_back({path, "is given twice"});
    members.erase(user);
  }
  CheckRepositoriesAreFree(state, request, users, violations);
  if (members.size() > kRosterMax) {
    violations->push_back(
        {"enrolments", absl::StrCat("make ", members.size(), " members; at most ", kRosterMax)});
  }
}

std::vector<std::string> RosterWarnings(const CourseState& state) {
  std::map<std::string, std::vector<std::string>> by_name;
  std::vector<std::string> nameless;
  for (const auto& [user, enrolment] : state.roster) {
    if (enrolment.role() != v1::COURSE_ROLE_STUDENT) continue;
    if (enrolment.full_name().empty()) nameless.push_back(user);
    if (!enrolment.full_name().empty()) by_name[enrolment.full_name()].push_back(user);
  }
  std::vector<std::string> warnings;
  for (const auto& [name, users] : by_name) {
    if (users.size() < 2) continue;
    warnings.push_back(absl::StrCat("\"", name, "\" is the name of ", users[0], " and ", users[1],
                                    "; grades go by ids, but exports show names"));
  }
  if (!nameless.empty()) {
    warnings.push_back(absl::StrCat(nameless.size(), " students have no full_name, ", nameless[0],
                                    " first; exports by name leave them out"));
  }
  return warnings;
}

void CheckAdjustment(const CourseState& state, const v1::Adjustment& adjustment,
                     Violations* violations) {
  CheckStudent(state, "adjustment.student", adjustment.student(), violations);
  CheckText("adjustment.reason", adjustment.reason(), kReasonBytesMax, violations);
  if (adjustment.reason().empty()) {
    violations->push_back({"adjustment.reason", "is missing; say why, it stays with the grade"});
  }
  if (!v1::Adjustment::Kind_IsValid(adjustment.kind()) ||
      adjustment.kind() == v1::Adjustment::KIND_UNSPECIFIED) {
    violations->push_back({"adjustment.kind", "is missing; say what is adjusted"});
    return;
  }
  CheckAdjusted(state, adjustment, violations);
  CheckValue(adjustment, violations);
  if (state.adjustments.size() >= kAdjustmentsMax) {
    violations->push_back(
        {"adjustment", absl::StrCat("the course has ", kAdjustmentsMax, " adjustments already")});
  }
}

void CheckMarks(const CourseState& state, const v1::RecordMarksRequest& request,
                Violations* violations) {
  const int count = request.exams_size() + request.quizzes_size();
  if (count < 1 || count > kMarksMax) {
    violations->push_back(
        {"exams", absl::StrCat("and quizzes are ", count, "; give 1 to ", kMarksMax)});
    return;
  }
  std::set<std::pair<std::string, std::string>> seen, answered;
  for (int i = 0; i < request.exams_size(); ++i) {
    const std::string path = absl::StrCat("exams[", i, "]");
    CheckExamMark(state, path, request.exams(i), violations);
    if (!seen.insert({request.exams(i).student(), request.exams(i).exam()}).second) {
      violations->push_back({path, "is of a student and an exam that were given before"});
    }
  }
  for (int i = 0; i < request.quizzes_size(); ++i) {
    const std::string path = absl::StrCat("quizzes[", i, "]");
    CheckQuiz(state, path, request.quizzes(i), violations);
    if (!answered.insert({request.quizzes(i).student(), request.quizzes(i).quiz()}).second) {
      violations->push_back({path, "is of a student and a quiz that were given before"});
    }
  }
}

void CheckTarget(const v1::DeliveryTarget& target, Violations* violations) {
  if (!v1::DeliveryTarget::Kind_IsValid(target.kind()) ||
      target.kind() == v1::DeliveryTarget::KIND_UNSPECIFIED) {
    violations->push_back({"target.kind", "is missing; give CHECK_RUN or LTI_SCORE"});
  }
  CheckAddress("target.url", target.url(), violations);
  CheckTokenTarget(target, violations);
  CheckLineItems(target, violations);
  const bool plain = std::all_of(
      target.repository_prefix().begin(), target.repository_prefix().end(), [](char c) {
        return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '-' || c == '_' || c == '.';
      });
  if (!plain || target.repository_prefix().size() > 100) {
    violations->push_back({"target.repository_prefix",
                           "has other characters than a repository's name; give at most 100 of "
                           "letters, digits, '-', '_' and '.'"});
  }
}

}  // namespace trainyard
