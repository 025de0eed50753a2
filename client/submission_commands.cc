#include <array>
#include <set>
#include <string>

#include "client/call_and_show.h"
#include "client/describe_submission.h"
#include "client/grade_outcome.h"
#include "client/local_file.h"
#include "client/render.h"
#include "client/resource_names.h"
#include "client/submission_wait.h"
#include "client/watch_view.h"

namespace trainyard {
namespace {

using Stub = v1::SubmissionService::Stub;

struct SubmissionListOptions {
  std::string assignment;
  std::string student;
  ListOptions list;
};

struct ReceiptOptions {
  std::string name;
  bool staff = false;
  std::string path;
};

struct StandingOptions {
  std::string assignment;
  std::string student;
};

// Show, cancel and nominate: the submission as it is afterwards.
template <typename Request>
ExitOr RunNamed(Session& session, const NameOptions& options,
                grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&,
                                             v1::Submission*)) {
  Request request;
  request.set_name(SubmissionName(options.name));
  return CallAndShow(session, session.remote.submissions(), method, request, &DescribeSubmission);
}

ExitOr RunShow(Session& session, const NameOptions& options) {
  return RunNamed(session, options, &Stub::GetSubmission);
}
ExitOr RunCancel(Session& session, const NameOptions& options) {
  return RunNamed(session, options, &Stub::CancelSubmission);
}
ExitOr RunNominate(Session& session, const NameOptions& options) {
  return RunNamed(session, options, &Stub::NominateSubmission);
}

// The first training that was not followed yet; empty: none.
std::string NextTraining(const v1::Submission& submission, const std::set<std::string>& followed) {
  if (submission.state() != v1::SUBMISSION_STATE_RUNNING) return "";
  for (const std::string& job : submission.training_jobs()) {
    if (followed.count(job) == 0) return job;
  }
  return "";
}

// Its place in the queue, then each of its trainings as `job watch` shows it, then what it came to.
ExitOr RunWatch(Session& session, const NameOptions& options) {
  std::set<std::string> followed;
  while (true) {
    TY_ASSIGN_OR_RETURN(const v1::Submission submission,
                        WaitForSubmission(session, SubmissionName(options.name),
                                          absl::InfiniteDuration(), [&](const v1::Submission& now) {
                                            return !NextTraining(now, followed).empty();
                                          }));
    if (IsTerminal(submission.state())) {
      session.screen.Show(submission, DescribeSubmission(submission));
      return GradeExitCode(submission, std::nullopt, v1::SCORE_METRIC_UNSPECIFIED);
    }
    const std::string job = NextTraining(submission, followed);
    followed.insert(job);
    // How a training ended is for the server to judge: it may be done again.
    TY_RETURN_IF_ERROR(Follow(session.remote, session.screen, job, 1).status());
  }
}

ExitOr RunList(Session& session, const SubmissionListOptions& options) {
  v1::ListSubmissionsRequest request;
  request.set_assignment(AssignmentName(options.assignment));
  request.set_student(options.student);
  TY_ASSIGN_OR_RETURN(
      const v1::ListSubmissionsResponse list,
      ListAll(session.remote, session.remote.submissions(), &Stub::ListSubmissions, request,
              &v1::ListSubmissionsResponse::mutable_submissions, options.list.limit));
  session.screen.Show(list, DescribeSubmissions(list));
  return ExitCode::kOk;
}

// The same in either form of output: the document, whose every byte is signed.
ExitOr RunReceipt(Session& session, const ReceiptOptions& options) {
  v1::GetReceiptRequest request;
  request.set_name(SubmissionName(options.name));
  request.set_staff_copy(options.staff);
  TY_ASSIGN_OR_RETURN(const v1::Receipt receipt, session.remote.Call(session.remote.submissions(),
                                                                     &Stub::GetReceipt, request));
  if (options.path.empty()) {
    session.screen.Print(absl::StrCat(receipt.document(), "\n"));
    return ExitCode::kOk;
  }
  TY_ASSIGN_OR_RETURN(const std::unique_ptr<TargetFile> target, TargetFile::Create(options.path));
  TY_RETURN_IF_ERROR(target->Append(receipt.document()));
  TY_RETURN_IF_ERROR(target->Commit());
  session.screen.Note(absl::StrCat(FormatBytes(static_cast<int64_t>(receipt.document().size())),
                                   " to ", options.path));
  return ExitCode::kOk;
}

ExitOr RunStanding(Session& session, const StandingOptions& options) {
  v1::GetStandingRequest request;
  request.set_assignment(AssignmentName(options.assignment));
  request.set_student(options.student);
  return CallAndShow(session, session.remote.submissions(), &Stub::GetStanding, request,
                     &DescribeStanding);
}

void AddNameCommands(CLI::App* group, Command* chosen) {
  struct NameCommand {
    const char* name;
    const char* help;
    ExitOr (*run)(Session&, const NameOptions&);
  };
  const std::array<NameCommand, 4> commands = {{
      {"show", "Show a submission", &RunShow},
      {"watch", "Follow a submission to its end: its place in the queue, then its trainings",
       &RunWatch},
      {"cancel", "Take back a submission that is not finished; it costs no attempt", &RunCancel},
      {"nominate", "Choose the submission that counts, where students choose", &RunNominate},
  }};
  for (const NameCommand& command : commands) {
    auto options = std::make_shared<NameOptions>();
    AddCommand(group, command.name, command.help, options, command.run, chosen)
        ->add_option("SUBMISSION", options->name, "COURSE/ASSIGNMENT/ID, or the full name")
        ->required();
  }
}

}  // namespace

void AddSubmissionCommands(CLI::App* app, Command* chosen) {
  CLI::App* const group = AddGroup(app, "submission", "What was handed in");
  AddNameCommands(group, chosen);
  auto list = std::make_shared<SubmissionListOptions>();
  CLI::App* const lister =
      AddCommand(group, "list", "List submissions to an assignment", list, &RunList, chosen);
  lister->add_option("ASSIGNMENT", list->assignment, "COURSE/ID, or the full name")->required();
  lister->add_option("--student", list->student, "Only of this one, for staff")->type_name("USER");
  AddLimit(lister, &list->list);
  auto receipt = std::make_shared<ReceiptOptions>();
  CLI::App* const printer =
      AddCommand(group, "receipt", "Print the signed receipt of a submission, as it was signed",
                 receipt, &RunReceipt, chosen);
  printer->add_option("SUBMISSION", receipt->name, "COURSE/ASSIGNMENT/ID, or the full name")
      ->required();
  printer->add_flag("--staff", receipt->staff, "The staff's copy: the whole");
  printer->add_option("-f,--file", receipt->path, "Where it goes (default stdout)")
      ->type_name("FILE");
  auto standing = std::make_shared<StandingOptions>();
  CLI::App* const stander =
      AddCommand(group, "standing", "Show attempts, deadlines and the best points", standing,
                 &RunStanding, chosen);
  stander->add_option("ASSIGNMENT", standing->assignment, "COURSE/ID, or the full name")
      ->required();
  stander->add_option("--student", standing->student, "Of this one, for staff")->type_name("USER");
}

}  // namespace trainyard
