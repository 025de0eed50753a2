#include "client/describe_course.h"

#include <algorithm>
#include <cstdlib>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "client/describe.h"
#include "client/proto_text.h"
#include "client/proto_yaml.h"
#include "client/render.h"
#include "client/resource_names.h"
#include "trainyard/v1/submission.pb.h"

namespace trainyard {
namespace {

using Align = TextTable::Align;

std::string RoleWord(v1::CourseRole role) {
  return role == v1::COURSE_ROLE_UNSPECIFIED ? "" : EnumWord(*v1::CourseRole_descriptor(), role);
}

std::string KindWord(v1::Adjustment::Kind kind) {
  return EnumWord(*v1::Adjustment::Kind_descriptor(), kind);
}

// -1 stands for a student who was not in the book.
std::string GradeText(int64_t hundredths) {
  return hundredths < 0 ? "-" : HundredthsText(hundredths);
}

std::string OfAssignment(const std::string& id) {
  return id.empty() ? "" : absl::StrCat(" of ", id);
}

std::string CommitmentTable(const v1::Assignment& assignment) {
  if (assignment.commitments().empty()) return "";
  std::string text = "commitments:\n";
  for (const v1::DatasetCommitment& one : assignment.commitments()) {
    const std::vector<std::pair<std::string, std::string>> lines = {
        {one.role(), one.commitment()},
        {"salt", one.salt().empty() ? "not revealed yet" : one.salt()},
        {"table", one.table_digest()},
        {"rows", one.salt().empty() ? "" : FormatCount(one.row_count())}};
    absl::StrAppend(&text, KeyValueLines(lines));
  }
  return text;
}

template <typename Row>
std::string RemovedText(const google::protobuf::RepeatedPtrField<Row>& rows) {
  const auto count =
      std::count_if(rows.begin(), rows.end(), [](const Row& row) { return row.removed(); });
  return count == 0 ? "" : absl::StrCat(" (", count, " removed)");
}

std::string MarksText(const v1::MarksRecorded& marks) {
  return absl::StrCat(marks.exams_size(), " marks of exams", RemovedText(marks.exams()), ", ",
                      marks.quizzes_size(), " results of quizzes", RemovedText(marks.quizzes()));
}

// The members of a oneof differ in what there is to say.
std::string ChangeText(const v1::CourseEvent& event) {
  switch (event.kind_case()) {
    case v1::CourseEvent::kCourseCreated:
      return "course created";
    case v1::CourseEvent::kPolicySet:
      return absl::StrCat("policy version ", event.policy_set().version());
    case v1::CourseEvent::kRosterChanged:
      return absl::StrCat("roster: ", event.roster_changed().enrolments_size(), " put in, ",
                          event.roster_changed().removed_users_size(), " removed");
    case v1::CourseEvent::kAssignmentPublished:
      return absl::StrCat("published ", ShortName(event.assignment_published().assignment().name()),
                          " version ", event.assignment_published().assignment().version());
    case v1::CourseEvent::kCommitmentsRevealed:
      return absl::StrCat("salts of ", event.commitments_revealed().assignment(), " revealed");
    case v1::CourseEvent::kMarksRecorded:
      return MarksText(event.marks_recorded());
    case v1::CourseEvent::kSnapshotPublished:
      return absl::StrCat("grades published as snapshot ", event.snapshot_published().number(),
                          ", up to event ", event.snapshot_published().as_of_sequence());
    case v1::CourseEvent::kDeliveryTargetSet:
      return absl::StrCat("points go to ", event.delivery_target_set().url().empty()
                                               ? "nobody"
                                               : event.delivery_target_set().url());
    default:
      return "";
  }
}

// The same of those that are about submissions of a student.
std::string SubmissionText(const v1::CourseEvent& event) {
  switch (event.kind_case()) {
    case v1::CourseEvent::kSubmissionGraded:
      return absl::StrCat(ShortName(event.submission_graded().submission()), " of ",
                          event.submission_graded().student(), ": ",
                          event.submission_graded().points(), "/",
                          event.submission_graded().max_points());
    case v1::CourseEvent::kPointsReleased:
      return absl::StrCat("points of ", ShortName(event.points_released().submission()),
                          " told to ", event.points_released().student());
    case v1::CourseEvent::kSubmissionNominated:
      return absl::StrCat(event.submission_nominated().student(), " chose ",
                          ShortName(event.submission_nominated().submission()));
    case v1::CourseEvent::kAdjustmentMade:
      return absl::StrCat("adjustment ", event.adjustment_made().id(), ": ",
                          KindWord(event.adjustment_made().kind()),
                          OfAssignment(event.adjustment_made().assignment()), " for ",
                          event.adjustment_made().student(), " (", event.adjustment_made().reason(),
                          ")");
    case v1::CourseEvent::kAdjustmentConfirmed:
      return absl::StrCat("adjustment ", event.adjustment_confirmed().id(), " confirmed");
    case v1::CourseEvent::kAdjustmentRevoked:
      return absl::StrCat("adjustment ", event.adjustment_revoked().id(), " revoked (",
                          event.adjustment_revoked().reason(), ")");
    case v1::CourseEvent::kRegradeCreated:
      return absl::StrCat("regrade ", event.regrade_created().regrade(), " of ",
                          event.regrade_created().originals_size(), " submissions",
                          OfAssignment(event.regrade_created().assignment()));
    case v1::CourseEvent::kRegradeApplied:
      return absl::StrCat("regrade ", event.regrade_applied().regrade(), " applied (",
                          EnumWord(*v1::RegradeMode_descriptor(), event.regrade_applied().mode()),
                          ") to ", event.regrade_applied().points_size(), " submissions");
    default:
      return "an event of a newer server";
  }
}

std::string EventText(const v1::CourseEvent& event) {
  const std::string text = ChangeText(event);
  return text.empty() ? SubmissionText(event) : text;
}

std::string DatasetsText(const v1::Assignment& assignment) {
  std::vector<std::string> parts = {absl::StrCat(assignment.training_dataset(), " (training)")};
  if (!assignment.public_dataset().empty()) {
    parts.push_back(absl::StrCat(assignment.public_dataset(), " (public)"));
  }
  if (!assignment.sealed_dataset().empty()) {
    parts.push_back(absl::StrCat(assignment.sealed_dataset(), " (sealed)"));
  }
  return absl::StrJoin(parts, ", ");
}

std::string SectionYaml(absl::string_view title, const google::protobuf::Message& message) {
  const std::string yaml = ToYaml(message, 2);
  return yaml.empty() ? "" : absl::StrCat(title, ":\n", yaml);
}

// As `min`…`max` or the values.
std::string RuleText(const v1::SpecRule& rule) {
  std::vector<std::string> parts;
  if (rule.has_min()) parts.push_back(absl::StrCat("at least ", FormatNumber(rule.min())));
  if (rule.has_max()) parts.push_back(absl::StrCat("at most ", FormatNumber(rule.max())));
  if (!rule.values().empty()) {
    parts.push_back(absl::StrCat("one of ", absl::StrJoin(rule.values(), ", ")));
  }
  return parts.empty() ? "any" : absl::StrJoin(parts, ", ");
}

std::string RuleLines(const v1::Assignment& assignment) {
  std::vector<std::pair<std::string, std::string>> lines;
  for (const v1::SpecRule& rule : assignment.spec_rules()) {
    lines.push_back({Printable(rule.path()), RuleText(rule)});
  }
  return lines.empty() ? "" : absl::StrCat("students choose:\n", KeyValueLines(lines));
}

}  // namespace

std::string HundredthsText(int64_t hundredths) {
  constexpr int64_t kHundred = 100;
  return absl::StrFormat("%s%d.%02d", hundredths < 0 ? "-" : "", std::abs(hundredths / kHundred),
                         std::abs(hundredths % kHundred));
}

std::string WarningLines(const google::protobuf::RepeatedPtrField<std::string>& warnings) {
  std::string text;
  for (const std::string& warning : warnings) {
    absl::StrAppend(&text, "warning: ", Printable(warning), "\n");
  }
  return text;
}

std::string DescribeCourse(const v1::Course& course) {
  return absl::StrCat(Printable(course.name()), "\n",
                      KeyValueLines({{"name", course.display_name()},
                                     {"time zone", course.time_zone()},
                                     {"policy", absl::StrCat("version ", course.policy_version())},
                                     {"events", FormatCount(course.last_sequence())},
                                     {"finals", course.two_person_finals() ? "by two persons" : ""},
                                     {"you are", RoleWord(course.role())},
                                     {"created", TimeText(ToTime(course.create_time()))}}));
}

std::string DescribeCourses(const v1::ListCoursesResponse& list) {
  TextTable table({{"COURSE"}, {"NAME"}, {"YOU ARE"}, {"POLICY", Align::kRight}, {"TIME ZONE"}});
  for (const v1::Course& course : list.courses()) {
    table.AddRow({ShortName(course.name()), course.display_name(), RoleWord(course.role()),
                  absl::StrCat(course.policy_version()), course.time_zone()});
  }
  return table.Render();
}

std::string DescribeRoster(const v1::Roster& roster) {
  TextTable table(
      {{"USER"}, {"ROLE"}, {"FULL NAME"}, {"PROGRAMME"}, {"GROUP"}, {"GITHUB"}, {"REPOSITORIES"}});
  for (const v1::Enrolment& enrolment : roster.enrolments()) {
    table.AddRow({enrolment.user(), RoleWord(enrolment.role()), enrolment.full_name(),
                  enrolment.programme(), enrolment.group(), enrolment.external().github_login(),
                  absl::StrJoin(enrolment.external().github_repository_ids(), " ")});
  }
  return absl::StrCat(table.Render(), WarningLines(roster.warnings()));
}

std::string DescribePolicy(const v1::PolicyVersion& policy) {
  return absl::StrCat("# version ", policy.version(), " of ",
                      TimeText(ToTime(policy.create_time())), " by ", Printable(policy.author()),
                      "\n# ", Printable(policy.digest()), "\n", ToYaml(policy.policy()));
}

std::string DescribePolicyChange(const v1::SetPolicyResponse& response) {
  const int32_t version = response.policy().version();
  const std::string head = version == 0 ? "the policy is valid; nothing was changed"
                                        : absl::StrCat("policy version ", version, " is in force");
  return absl::StrCat(head, "\n", DescribeGradeChanges(response.changes()),
                      WarningLines(response.warnings()));
}

std::string DescribeGradeChanges(
    const google::protobuf::RepeatedPtrField<v1::GradeChange>& changes) {
  if (changes.empty()) return "no final grade changes\n";
  TextTable table({{"STUDENT"}, {"BEFORE", Align::kRight}, {"AFTER", Align::kRight}, {"WHY"}});
  for (const v1::GradeChange& change : changes) {
    table.AddRow({change.student(), GradeText(change.before_hundredths()),
                  GradeText(change.after_hundredths()), absl::StrJoin(change.reasons(), "; ")});
  }
  return table.Render();
}

std::string DescribeAssignment(const v1::Assignment& assignment) {
  const std::vector<std::pair<std::string, std::string>> lines = {
      {"title", assignment.title()},
      {"state", assignment.retired() ? "retired: it takes nothing, and does not count" : ""},
      {"points", absl::StrCat(assignment.max_points(), assignment.bonus() ? " (bonus)" : "")},
      {"module", assignment.module() == 0 ? "" : absl::StrCat(assignment.module())},
      {"datasets", DatasetsText(assignment)},
      {"training rows", FormatCount(assignment.training_row_count())},
      {"opens", assignment.opens()},
      {"due", assignment.due()},
      {"closes", assignment.closes()},
      {"points are told", assignment.release() == v1::POINTS_RELEASE_AFTER_CLOSE
                              ? "after the close"
                              : "with the submission"},
      {"seeds", absl::StrCat(assignment.seed_count())},
      {"published", TimeText(ToTime(assignment.publish_time()))}};
  return absl::StrCat(Printable(assignment.name()), "  version ", assignment.version(), "\n",
                      KeyValueLines(lines), SectionYaml("score", assignment.score_rule()),
                      RuleLines(assignment), SectionYaml("budget", assignment.budget()),
                      SectionYaml("attempts", assignment.attempts()),
                      SectionYaml("leak limits", assignment.leak_limits()),
                      SectionYaml("base spec", assignment.base_spec()), CommitmentTable(assignment),
                      WarningLines(assignment.warnings()));
}

std::string DescribeAssignments(const v1::ListAssignmentsResponse& list) {
  TextTable table({{"ASSIGNMENT"},
                   {"TITLE"},
                   {"VERSION", Align::kRight},
                   {"POINTS", Align::kRight},
                   {"BONUS"},
                   {"DUE"},
                   {"CLOSES"}});
  for (const v1::Assignment& assignment : list.assignments()) {
    table.AddRow({ShortName(assignment.name()), assignment.title(),
                  absl::StrCat(assignment.version()), absl::StrCat(assignment.max_points()),
                  assignment.bonus() ? "yes" : "", assignment.due(),
                  assignment.retired() ? "retired" : assignment.closes()});
  }
  return table.Render();
}

std::string DescribeCourseEvents(const v1::ListCourseEventsResponse& events) {
  std::string text;
  for (const v1::CourseEvent& event : events.events()) {
    absl::StrAppend(&text, event.sequence(), "  ", TimeText(ToTime(event.create_time())), "  ",
                    event.actor().empty() ? "the server" : Printable(event.actor()), "  ",
                    Printable(EventText(event)), "\n");
  }
  if (events.next_sequence() == 0) return text;
  return absl::StrCat(text, "there is more: --from ", events.next_sequence(), "\n");
}

}  // namespace trainyard
