#include <cmath>
#include <cstdlib>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "client/call_and_show.h"
#include "client/describe.h"
#include "client/describe_submission.h"
#include "client/field_flags.h"
#include "client/grade_documents.h"
#include "client/grade_outcome.h"
#include "client/graded_receipt.h"
#include "client/message_input.h"
#include "client/public_key.h"
#include "client/render.h"
#include "client/resource_names.h"
#include "client/spec_flags.h"
#include "client/submission_wait.h"
#include "client/upload.h"
#include "core/base/error_info.h"

namespace trainyard {
namespace {

using Stub = v1::SubmissionService::Stub;

constexpr FlagSpec kSubmitFlags[] = {
    {"--student", "student", "USER", "Id of the student, for staff (default: you)"},
    {"--supersede", "supersede", "", "Cancel your submissions here that have not begun"},
    {"--validate-only", "validate_only", "", "Check everything, submit nothing"},
    {"--request-id", "request_id", "UUID", "The same submission given twice is accepted once"},
    {"--source-repository", "source.repository_id", "ID", "GitHub's numeric repository id"},
    {"--source-commit", "source.commit", "ID", "Commit"},
    {"--source-run", "source.run_id", "ID", "Run of the pipeline"}};

struct SubmitOptions {
  std::string assignment;
  std::string spec_path;
  SpecFlags spec;
  FieldFlags flags;
  // Of grade.
  bool wait = false;
  std::optional<double> at_least;
  PublicKeyOptions key;
  GradeDocuments documents;
};

absl::StatusOr<v1::CreateSubmissionRequest> RequestOf(const SubmitOptions& options) {
  v1::CreateSubmissionRequest request;
  request.set_assignment(AssignmentName(options.assignment));
  // Nothing is chosen here: what students may leave out is the assignment's to say.
  TY_ASSIGN_OR_RETURN(*request.mutable_spec(), ReadSpec(options.spec_path, options.spec, nullptr));
  TY_RETURN_IF_ERROR(ApplyFlags(options.flags, &request));
  if (request.request_id().empty()) request.set_request_id(NewRequestId());
  return request;
}

absl::StatusOr<v1::Submission> Submit(Session& session,
                                      const v1::CreateSubmissionRequest& request) {
  absl::StatusOr<v1::Submission> submission =
      session.remote.Call(session.remote.submissions(), &Stub::CreateSubmission, request);
  const bool unsure = !submission.ok() &&
                      ExitCodeOf(submission.status()) == ExitCode::kUnreachable &&
                      session.remote.reached() && !request.validate_only();
  if (unsure) {
    session.screen.Note(
        absl::StrCat("it may have been accepted before the answer was lost; to be sure that it is "
                     "so once, repeat with: --request-id ",
                     request.request_id()));
  }
  return submission;
}

absl::StatusOr<v1::Standing> StandingAt(Session& session,
                                        const v1::CreateSubmissionRequest& request) {
  v1::GetStandingRequest standing;
  standing.set_assignment(request.assignment());
  standing.set_student(request.student());
  return session.remote.Call(session.remote.submissions(), &Stub::GetStanding, standing);
}

ExitOr RunSubmit(Session& session, const SubmitOptions& options) {
  TY_ASSIGN_OR_RETURN(const v1::CreateSubmissionRequest request, RequestOf(options));
  TY_ASSIGN_OR_RETURN(const v1::Submission submission, Submit(session, request));
  if (request.validate_only()) {
    session.screen.Show(submission, DescribeChecked(submission));
    return ExitCode::kOk;
  }
  if (session.screen.json()) {
    session.screen.Show(submission, "");
    return ExitCode::kOk;
  }
  const absl::StatusOr<v1::Standing> standing = StandingAt(session, request);
  // It is accepted all the same.
  if (!standing.ok()) session.screen.Note(Printable(standing.status().message()));
  session.screen.Show(submission,
                      DescribeAccepted(submission, standing.ok() ? &*standing : nullptr));
  return ExitCode::kOk;
}

// What grade finds out on its way; each as far as it came.
struct Grading {
  v1::ScoreMetric metric = v1::SCORE_METRIC_UNSPECIFIED;
  std::string closes;  // with points withheld: when they are told, if that is known
};

// Of the repository whose pipeline this is; empty: not known.
std::string RepositoryId(const v1::CreateSubmissionRequest& request) {
  if (!request.source().repository_id().empty()) return request.source().repository_id();
  const char* const id = std::getenv("GITHUB_REPOSITORY_ID");
  return id == nullptr ? "" : id;
}

// That the answer's points are those that were signed. `key`: empty for the server's own.
absl::Status CheckPoints(Session& session, const std::string& key, const v1::Submission& told,
                         const ReceiptExpectation& expected) {
  TY_ASSIGN_OR_RETURN(const std::string public_key, PublicKeyOr(session, key));
  v1::GetReceiptRequest request;
  request.set_name(expected.submission);
  TY_ASSIGN_OR_RETURN(const v1::Receipt receipt, session.remote.Call(session.remote.submissions(),
                                                                     &Stub::GetReceipt, request));
  return CheckReceipt(receipt.document(), public_key, told, expected);
}

absl::StatusOr<v1::Submission> Grade(Session& session, const SubmitOptions& options,
                                     Grading* grading) {
  TY_ASSIGN_OR_RETURN(const std::string key, GivenPublicKey(options.key));
  TY_ASSIGN_OR_RETURN(const v1::CreateSubmissionRequest request, RequestOf(options));
  v1::GetAssignmentRequest get;
  get.set_name(request.assignment());
  TY_ASSIGN_OR_RETURN(
      const v1::Assignment assignment,
      session.remote.Call(session.remote.courses(), &v1::CourseService::Stub::GetAssignment, get));
  grading->metric = assignment.score_rule().metric();
  TY_ASSIGN_OR_RETURN(const v1::Submission accepted, Submit(session, request));
  session.screen.Note(absl::StrCat("accepted ", Printable(accepted.name()), " at ",
                                   TimeText(ToTime(accepted.accepted_at()))));
  TY_ASSIGN_OR_RETURN(
      const v1::Submission submission,
      WaitForSubmission(session, accepted.name(),
                        session.remote.timeout().value_or(absl::InfiniteDuration())));
  // Of withheld points, too: --at-least then goes by the public score, which is signed.
  if (submission.state() == v1::SUBMISSION_STATE_DONE) {
    TY_RETURN_IF_ERROR(CheckPoints(session, key, submission,
                                   {.submission = accepted.name(),
                                    .assignment = request.assignment(),
                                    .repository_id = RepositoryId(request)}));
  }
  if (!submission.withheld()) return submission;
  const absl::StatusOr<v1::Standing> standing = StandingAt(session, request);
  if (standing.ok() && standing->has_close_time()) {
    grading->closes = TimeText(ToTime(standing->close_time()));
  }
  return submission;
}

// The line with the points last.
void ShowGraded(Session& session, const v1::Submission& submission, const std::string& remark,
                const std::string& github_lines) {
  if (!remark.empty()) session.screen.Note(Printable(remark));
  session.screen.Show(
      submission, absl::StrCat(DescribeGraded(submission), github_lines, PointsLine(submission)));
}

ExitOr RunGrade(Session& session, const SubmitOptions& options) {
  if (!options.wait) return RunSubmit(session, options);
  if (options.documents.github && session.screen.json()) {
    return UsageError("grade: --github prints lines for GitHub, -o json a document",
                      {.hint = "leave one of them out"});
  }
  Grading grading;
  const absl::StatusOr<v1::Submission> submission = Grade(session, options, &grading);
  const absl::Status written = WriteGradeDocuments(options.documents, submission, grading.metric,
                                                   AssignmentName(options.assignment));
  const std::string github_lines = GithubLines(options.documents, submission);
  if (!submission.ok()) {
    session.screen.Print(github_lines);
    if (!written.ok()) session.screen.Note(Printable(written.message()));
    return submission.status();
  }
  ShowGraded(session, *submission,
             GradeRemark(*submission, options.at_least, grading.metric, grading.closes),
             github_lines);
  const ExitCode code = GradeExitCode(*submission, options.at_least, grading.metric);
  if (written.ok()) return code;
  if (code == ExitCode::kOk) return AsUnwrittenError(written);
  session.screen.Note(Printable(written.message()));
  return code;
}

void AddSubmitFlags(CLI::App* command, SubmitOptions* options) {
  command->add_option("--assignment", options->assignment, "COURSE/ID, or the full name")
      ->required();
  command
      ->add_option("--spec", options->spec_path,
                   "YAML file with the fields of trainyard.v1.TrainingSpec that students choose")
      ->type_name("FILE");
  AddFieldFlags(*command, "Submission", kSubmitFlags, *v1::CreateSubmissionRequest::descriptor(),
                &options->flags);
}

void AddGradeFlags(CLI::App* command, SubmitOptions* options) {
  CLI::Option* const wait = command->add_flag(
      "--wait", options->wait,
      "Wait for the points; with --timeout at most that long, and exit code 6 when it is over");
  wait->excludes(command->get_option("--validate-only"));
  const auto add = [&](CLI::Option* option) { option->needs(wait)->group("Grading"); };
  add(command
          ->add_option_function<double>(
              "--at-least", [options](double value) { options->at_least = value; },
              "Exit with 1 unless the score is as good as this (RMSE, MAE: at most this)")
          ->check([](const std::string& text) {
            double value = 0;
            const bool finite = absl::SimpleAtod(text, &value) && std::isfinite(value);
            return finite ? "" : absl::StrCat("expected a finite number, found \"", text, "\"");
          })
          ->type_name("SCORE"));
  for (CLI::Option* const option : AddPublicKeyFlags(command, &options->key)) add(option);
  GradeDocuments* const files = &options->documents;
  add(command->add_option("--junit", files->junit, "Write JUnit XML")->type_name("FILE"));
  add(command->add_option("--gradescope", files->gradescope, "Write Gradescope's results.json")
          ->type_name("FILE"));
  add(command
          ->add_option("--reporter", files->reporter,
                       "Write the runner result of autograding-grading-reporter, base64")
          ->type_name("FILE"));
  add(command->add_option("--classroom50", files->classroom50, "Write Classroom 50's result.json")
          ->type_name("FILE"));
  add(command->add_flag("--github", files->github,
                        "Print GitHub's notices, and write the step's outputs"));
  // No needs(): the variable is there in every job of GitHub.
  command->add_option("--github-output", files->github_output, "With --github: where outputs go")
      ->envname("GITHUB_OUTPUT")
      ->type_name("FILE")
      ->group("Grading");
}

}  // namespace

void AddGradeCommands(CLI::App* app, Command* chosen) {
  auto submit = std::make_shared<SubmitOptions>();
  CLI::App* const submitter =
      AddCommand(app, "submit", "Hand in a spec for an assignment", submit, &RunSubmit, chosen);
  AddSubmitFlags(submitter, submit.get());
  AddSpecFlags(*submitter, &submit->spec);
  auto grade = std::make_shared<SubmitOptions>();
  CLI::App* const grader = AddCommand(
      app, "grade", "Hand in a spec and report its points: the test command of an autograder",
      grade, &RunGrade, chosen);
  AddSubmitFlags(grader, grade.get());
  AddGradeFlags(grader, grade.get());
  AddSpecFlags(*grader, &grade->spec);
}

}  // namespace trainyard
