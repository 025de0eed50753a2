#include <map>

#include "client/call_and_show.h"
#include "client/describe_course.h"
#include "client/describe_grades.h"
#include "client/field_flags.h"
#include "client/local_file.h"
#include "client/message_input.h"
#include "client/render.h"
#include "client/resource_names.h"

namespace trainyard {
namespace {

using Stub = v1::GradeService::Stub;

constexpr FlagSpec kBookFlags[] = {
    {"--as-of", "as_of_sequence", "N", "Count events up to this one (default: all)"},
    {"--policy-version", "policy_version", "N",
     "Another version (default: the one in force at that event)"}};

constexpr FlagSpec kExportFlags[] = {
    {"--decimal", "decimal_mark", "MARK", "moodle: decimal mark, a point (default) or a comma"},
    {"--canvas-id", "canvas_assignment_ids", "ID=N", "canvas: Canvas's id of an assignment"}};

struct BookOptions {
  std::string course;
  std::string student;
  std::string snapshot;
  FieldFlags flags;
  v1::GradebookFormat format = v1::GRADEBOOK_FORMAT_UNSPECIFIED;
  std::string path;
};

// `3` for snapshot 3 of the course, too.
std::string SnapshotOf(const BookOptions& options) {
  if (options.snapshot.empty()) return "";
  const bool is_number = options.snapshot.find('/') == std::string::npos;
  return SnapshotName(
      is_number ? absl::StrCat(ShortName(CourseName(options.course)), "/", options.snapshot)
                : options.snapshot);
}

absl::StatusOr<v1::GetGradebookRequest> BookRequest(const BookOptions& options) {
  v1::GetGradebookRequest request;
  request.set_course(CourseName(options.course));
  request.set_student(options.student);
  request.set_snapshot(SnapshotOf(options));
  TY_RETURN_IF_ERROR(ApplyFlags(options.flags, &request));
  return request;
}

ExitOr RunShow(Session& session, const BookOptions& options) {
  TY_ASSIGN_OR_RETURN(const v1::GetGradebookRequest request, BookRequest(options));
  return CallAndShow(session, session.remote.grades(), &Stub::GetGradebook, request,
                     &DescribeGradebook);
}

ExitOr RunExplain(Session& session, const BookOptions& options) {
  TY_ASSIGN_OR_RETURN(v1::GetGradebookRequest request, BookRequest(options));
  request.set_explain(true);
  return CallAndShow(session, session.remote.grades(), &Stub::GetGradebook, request,
                     &DescribeExplanation);
}

// The same in either form of output: the file.
ExitOr RunExport(Session& session, const BookOptions& options) {
  v1::ExportGradebookRequest request;
  request.set_course(CourseName(options.course));
  request.set_format(options.format);
  request.set_snapshot(SnapshotOf(options));
  TY_RETURN_IF_ERROR(ApplyFlags(options.flags, &request));
  TY_ASSIGN_OR_RETURN(
      const v1::ExportGradebookResponse response,
      session.remote.Call(session.remote.grades(), &Stub::ExportGradebook, request));
  for (const std::string& warning : response.warnings()) {
    session.screen.Note(absl::StrCat("warning: ", Printable(warning)));
  }
  if (options.path.empty()) {
    session.screen.Print(response.document());
    return ExitCode::kOk;
  }
  TY_ASSIGN_OR_RETURN(const std::unique_ptr<TargetFile> target, TargetFile::Create(options.path));
  TY_RETURN_IF_ERROR(target->Append(response.document()));
  TY_RETURN_IF_ERROR(target->Commit());
  session.screen.Note(absl::StrCat(FormatBytes(static_cast<int64_t>(response.document().size())),
                                   " to ", options.path));
  return ExitCode::kOk;
}

ExitOr RunPublish(Session& session, const BookOptions& options) {
  v1::PublishSnapshotRequest request;
  request.set_course(CourseName(options.course));
  return CallAndShow(session, session.remote.grades(), &Stub::PublishSnapshot, request,
                     &DescribeSnapshot);
}

ExitOr RunSnapshots(Session& session, const BookOptions& options) {
  v1::ListSnapshotsRequest request;
  request.set_course(CourseName(options.course));
  return CallAndShow(session, session.remote.grades(), &Stub::ListSnapshots, request,
                     &DescribeSnapshots);
}

ExitOr RunDiff(Session& session, const BookOptions& options) {
  v1::DiffSnapshotRequest request;
  request.set_course(CourseName(options.course));
  request.set_snapshot(SnapshotOf(options));
  return CallAndShow(session, session.remote.grades(), &Stub::DiffSnapshot, request,
                     &DescribeSnapshotDiff);
}

CLI::App* AddNamed(CLI::App* group, const char* name, const char* help,
                   const std::shared_ptr<BookOptions>& options,
                   ExitOr (*run)(Session&, const BookOptions&), Command* chosen) {
  CLI::App* const command = AddCommand(group, name, help, options, run, chosen);
  command->add_option("COURSE", options->course, "courses/ID or ID")->required();
  return command;
}

CLI::Option* AddSnapshot(CLI::App* command, BookOptions* options, const char* help) {
  return command->add_option("--snapshot", options->snapshot, help)->type_name("N");
}

void AddBookFlags(CLI::App* command, BookOptions* options) {
  AddFieldFlags(*command, "Which", kBookFlags, *v1::GetGradebookRequest::descriptor(),
                &options->flags);
  AddSnapshot(command, options, "The grades as they were published")->group("Which");
}

void AddExport(CLI::App* group, Command* chosen) {
  static const std::map<std::string, v1::GradebookFormat> formats = {
      {"hse", v1::GRADEBOOK_FORMAT_HSE_CSV},
      {"moodle", v1::GRADEBOOK_FORMAT_MOODLE_CSV},
      {"canvas", v1::GRADEBOOK_FORMAT_CANVAS_CSV},
      {"nbgrader", v1::GRADEBOOK_FORMAT_NBGRADER_CSV},
      {"json", v1::GRADEBOOK_FORMAT_JSON}};
  auto options = std::make_shared<BookOptions>();
  CLI::App* const command = AddNamed(group, "export", "Write the gradebook for another system",
                                     options, &RunExport, chosen);
  command
      ->add_option_function<std::string>(
          "--format",
          [format = &options->format](const std::string& word) { *format = formats.at(word); },
          "hse, moodle, canvas, nbgrader or json (default: the policy's)")
      ->check(CLI::IsMember({"hse", "moodle", "canvas", "nbgrader", "json"}));
  command->add_option("-f,--file", options->path, "Where it goes (default stdout)")
      ->type_name("FILE");
  AddFieldFlags(*command, "Format", kExportFlags, *v1::ExportGradebookRequest::descriptor(),
                &options->flags);
  AddSnapshot(command, options.get(), "The grades as they were published (default: as they are)");
}

}  // namespace

void AddGradebookCommands(CLI::App* app, Command* chosen) {
  CLI::App* const group = AddGroup(app, "gradebook", "Grades, and where they come from");
  auto show = std::make_shared<BookOptions>();
  CLI::App* const shower =
      AddNamed(group, "show", "Show grades, as of any event and policy", show, &RunShow, chosen);
  shower->add_option("--student", show->student, "Only of this one")->type_name("USER");
  AddBookFlags(shower, show.get());
  auto explain = std::make_shared<BookOptions>();
  CLI::App* const explainer = AddNamed(group, "explain", "Show line by line how grades came about",
                                       explain, &RunExplain, chosen);
  explainer->add_option("STUDENT", explain->student, "Only of this one");
  AddBookFlags(explainer, explain.get());
  AddExport(group, chosen);
  AddNamed(group, "publish", "Freeze the grades as they are, and publish them",
           std::make_shared<BookOptions>(), &RunPublish, chosen);
  AddNamed(group, "snapshots", "List published grades", std::make_shared<BookOptions>(),
           &RunSnapshots, chosen);
  auto diff = std::make_shared<BookOptions>();
  AddSnapshot(AddNamed(group, "diff", "Show what has changed since grades were published", diff,
                       &RunDiff, chosen),
              diff.get(), "Another one (default: the newest)");
}

}  // namespace trainyard
