#include "absl/strings/match.h"
#include "client/call_and_show.h"
#include "client/describe_grades.h"
#include "client/field_flags.h"
#include "client/message_input.h"
#include "client/proto_csv.h"
#include "client/resource_names.h"
#include "client/upload.h"
#include "core/base/error_info.h"

namespace trainyard {
namespace {

using Stub = v1::GradeService::Stub;

constexpr FlagSpec kAdjustmentFlags[] = {
    {"--student", "student", "USER", "Id of the student"},
    {"--assignment", "assignment", "ID", "Its id in the course, e.g. hw1"},
    {"--kind", "kind", "KIND",
     "add, set, zero, late_days, exempt, extend, final, sanction_plagiarism or "
     "sanction_tampering"},
    {"--points", "points", "N", "add (may be negative) and set"},
    {"--days", "late_units", "N", "late_days: how many"},
    {"--extension", "extension", "DURATION", "extend: by how much, e.g. 24h"},
    {"--reason", "reason", "TEXT", "Why; it stands in the log"},
    {"--expires", "expires", "TIME", "It counts until then, e.g. 2027-02-10T18:42:07Z"}};

struct AdjustmentOptions {
  std::string course;
  FieldFlags flags;
  std::string grade;  // --grade, as given
  std::string id;
  std::string reason;
  std::string student;
  std::string request_id;
  std::string path;
  bool validate_only = false;
  bool remove = false;
};

absl::Status SetGrade(const std::string& text, v1::Adjustment* adjustment) {
  if (text.empty()) return absl::OkStatus();
  const std::optional<int64_t> hundredths = ParseHundredths(text);
  if (!hundredths.has_value()) {
    return UsageError(
        absl::StrCat("--grade: expected a number of at most two decimals, found \"", text, "\""),
        {.reason = ErrorReason::kInvalidRequest, .hint = "e.g. --grade 7.5"});
  }
  adjustment->set_final_hundredths(*hundredths);
  return absl::OkStatus();
}

ExitOr RunCreate(Session& session, const AdjustmentOptions& options) {
  v1::CreateAdjustmentRequest request;
  request.set_course(CourseName(options.course));
  request.set_request_id(options.request_id.empty() ? NewRequestId() : options.request_id);
  TY_RETURN_IF_ERROR(ApplyFlags(options.flags, request.mutable_adjustment()));
  TY_RETURN_IF_ERROR(SetGrade(options.grade, request.mutable_adjustment()));
  return CallAndShow(session, session.remote.grades(), &Stub::CreateAdjustment, request,
                     &DescribeAdjustment);
}

ExitOr RunList(Session& session, const AdjustmentOptions& options) {
  v1::ListAdjustmentsRequest request;
  request.set_course(CourseName(options.course));
  request.set_student(options.student);
  return CallAndShow(session, session.remote.grades(), &Stub::ListAdjustments, request,
                     &DescribeAdjustments);
}

ExitOr RunRevoke(Session& session, const AdjustmentOptions& options) {
  v1::RevokeAdjustmentRequest request;
  request.set_course(CourseName(options.course));
  request.set_id(options.id);
  request.set_reason(options.reason);
  return CallAndShow(session, session.remote.grades(), &Stub::RevokeAdjustment, request,
                     &DescribeAdjustment);
}

ExitOr RunConfirm(Session& session, const AdjustmentOptions& options) {
  v1::ConfirmAdjustmentRequest request;
  request.set_course(CourseName(options.course));
  request.set_id(options.id);
  return CallAndShow(session, session.remote.grades(), &Stub::ConfirmAdjustment, request,
                     &DescribeAdjustment);
}

ExitOr RunRecord(Session& session, const AdjustmentOptions& options) {
  v1::RecordMarksRequest request;
  request.set_course(CourseName(options.course));
  request.set_validate_only(options.validate_only);
  TY_ASSIGN_OR_RETURN(v1::MarksRecorded marks, options.remove ? ReadRemovedMarksFile(options.path)
                                                              : ReadMarksFile(options.path));
  request.mutable_exams()->Swap(marks.mutable_exams());
  request.mutable_quizzes()->Swap(marks.mutable_quizzes());
  const std::string counts = absl::StrCat(request.exams_size(), " marks of exams and ",
                                          request.quizzes_size(), " results of quizzes");
  return CallAndShow(session, session.remote.grades(), &Stub::RecordMarks, request,
                     [&](const v1::RecordMarksResponse& response) {
                       const char* const done = options.remove ? "removed" : "recorded";
                       if (options.validate_only)
                         return absl::StrCat(counts, " are valid; none was ", done, "\n");
                       return absl::StrCat(done, " ", counts, " as event ", response.sequence(),
                                           "\n");
                     });
}

CLI::App* AddNamed(CLI::App* group, const char* name, const char* help,
                   const std::shared_ptr<AdjustmentOptions>& options,
                   ExitOr (*run)(Session&, const AdjustmentOptions&), Command* chosen) {
  CLI::App* const command = AddCommand(group, name, help, options, run, chosen);
  command->add_option("COURSE", options->course, "courses/ID or ID")->required();
  return command;
}

void AddCreate(CLI::App* group, Command* chosen) {
  auto options = std::make_shared<AdjustmentOptions>();
  CLI::App* const command =
      AddNamed(group, "create", "Change what counts for a student", options, &RunCreate, chosen);
  AddFieldFlags(*command, "Adjustment", kAdjustmentFlags, *v1::Adjustment::descriptor(),
                &options->flags);
  for (const char* flag : {"--student", "--kind", "--reason"}) {
    command->get_option(flag)->required();
  }
  command->add_option("--grade", options->grade, "final: the grade, e.g. 7.5")
      ->type_name("N")
      ->group("Adjustment");
  command->add_option("--request-id", options->request_id,
                      "UUID: the same adjustment given twice is made once");
}

}  // namespace

void AddAdjustmentCommands(CLI::App* app, Command* chosen) {
  CLI::App* const group = AddGroup(app, "adjustment", "Exceptions for students, with reasons");
  AddCreate(group, chosen);
  auto list = std::make_shared<AdjustmentOptions>();
  AddNamed(group, "list", "List adjustments, revoked ones too", list, &RunList, chosen)
      ->add_option("--student", list->student, "Only of this one")
      ->type_name("USER");
  auto revoke = std::make_shared<AdjustmentOptions>();
  CLI::App* const revoker = AddNamed(
      group, "revoke", "Take an adjustment back; it stays in the log", revoke, &RunRevoke, chosen);
  revoker->add_option("ID", revoke->id, "Id of the adjustment")->required();
  revoker->add_option("--reason", revoke->reason, "Why")->type_name("TEXT")->required();
  auto confirm = std::make_shared<AdjustmentOptions>();
  AddNamed(group, "confirm", "Confirm a final grade that another instructor set", confirm,
           &RunConfirm, chosen)
      ->add_option("ID", confirm->id, "Id of the adjustment")
      ->required();

  CLI::App* const marks = AddGroup(app, "marks", "Marks of exams and results of quizzes");
  auto record = std::make_shared<AdjustmentOptions>();
  CLI::App* const recorder =
      AddNamed(marks, "record", "Record marks; a later one is in place of an earlier one", record,
               &RunRecord, chosen);
  recorder
      ->add_option("FILE", record->path,
                   "CSV: student,exam,points[,examiner] or student,quiz,module[,correct_at,"
                   "attempts]; or YAML with exams and quizzes")
      ->required();
  recorder->add_flag("--remove", record->remove,
                     "They were a mistake: remove the marks that FILE names, whatever else it "
                     "says of them");
  recorder->add_flag("--validate-only", record->validate_only, "Check, record nothing");
}

}  // namespace trainyard
