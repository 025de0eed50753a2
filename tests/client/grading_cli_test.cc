// The commands of grading: what each one asks of the server, what it prints, and how it exits.
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <sstream>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "client/cli.h"
#include "core/base/error_info.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/client/scripted_server.h"
#include "tests/client/signed_receipt.h"

namespace trainyard {
namespace {

using testing::ElementsAre;
using testing::EndsWith;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using Words = std::vector<std::string>;

std::string ReadFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::stringstream bytes;
  bytes << file.rdbuf();
  return bytes.str();
}

std::string File(const std::string& name, const std::string& bytes) {
  const std::string path = absl::StrCat(testing::TempDir(), "/", name);
  std::ofstream(path, std::ios::binary) << bytes;
  return path;
}

constexpr char kAccepted[] = R"(name: "courses/dl/assignments/hw1/submissions/s1"
    state: SUBMISSION_STATE_QUEUED queue_position: 1 accepted_at { seconds: 1000000 })";
constexpr char kDone[] = R"(name: "courses/dl/assignments/hw1/submissions/s1"
    state: SUBMISSION_STATE_DONE receipt: "ty_1" student: "ann"
    spec_digest: "sha256:ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"
    result { points: 86 max_points: 100 score: 0.92 metric: SCORE_METRIC_ACCURACY })";

class GradingCliTest : public testing::Test {
 protected:
  ExitCode Run(Words arguments, const std::string& server = "") {
    arguments.insert(arguments.begin(),
                     absl::StrCat("--server=", server.empty() ? server_.address() : server));
    out_.str("");
    err_.str("");
    Interrupt interrupt;
    return RunCli(arguments, {out_, err_}, &interrupt,
                  {.delay_min = absl::ZeroDuration(), .retries_max = 0});
  }
  // Submits `spec` and waits, with `more` flags.
  ExitCode Grade(const Words& more, const std::string& server = "") {
    Words arguments = {"grade", "--assignment", "dl/hw1", "--spec", spec_, "--wait"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return Run(arguments, server);
  }
  void AnswerDone(const std::string& submission) {
    server_.Answer("CreateSubmission", {kAccepted});
    server_.Answer("WaitSubmission", {kAccepted, submission});
    server_.Answer("GetSigningKey", {KeyAnswer(key_)});
    const bool graded = absl::StartsWith(submission, kDone);
    server_.Answer("GetReceipt", {ReceiptAnswer(ReceiptOf(graded ? submission : kDone), key_)});
  }

  const std::string spec_ = File("spec.yaml", "epochs: 3\n");
  const SigningKey key_ = SigningKey::Generate();
  ScriptedServer server_;
  std::ostringstream out_, err_;
};

// A command asks exactly this, whether names are short or full.
struct Case {
  const char* command;  // words with spaces between
  const char* request;
};

constexpr Case kCommands[] = {
    {"course create dl --name DL --time-zone UTC",
     R"(CreateCourse course { name: "courses/dl" display_name: "DL" time_zone: "UTC" })"},
    {"course list", "ListCourses "},
    {"course show courses/dl", R"(GetCourse name: "courses/dl")"},
    {"course enrol dl --user ann --role student --github-login ann-gh --validate-only",
     R"(UpdateRoster course: "courses/dl" enrolments { user: "ann" role: COURSE_ROLE_STUDENT external { github_login: "ann-gh" } } validate_only: true)"},
    {"course remove dl ann bob",
     R"(UpdateRoster course: "courses/dl" removed_users: "ann" removed_users: "bob")"},
    {"course roster dl", R"(GetRoster course: "courses/dl")"},
    {"course policy dl --version 2", R"(GetPolicy course: "courses/dl" version: 2)"},
    {"course events dl --from 5 --limit 7",
     R"(ListCourseEvents course: "courses/dl" start_sequence: 5 page_size: 7)"},
    {"assignment list dl", R"(ListAssignments course: "courses/dl")"},
    {"assignment show dl/hw1 --version 3",
     R"(GetAssignment name: "courses/dl/assignments/hw1" version: 3)"},
    {"assignment reveal dl/hw1", R"(RevealCommitments name: "courses/dl/assignments/hw1")"},
    {"assignment leaderboard dl/hw1", R"(GetLeaderboard assignment: "courses/dl/assignments/hw1")"},
    {"assignment integrity courses/dl/assignments/hw1",
     R"(GetIntegrityReport assignment: "courses/dl/assignments/hw1")"},
    {"dataset seal d1", R"(SealDataset name: "datasets/d1")"},
    {"submission list dl/hw1 --student ann --limit 3",
     R"(ListSubmissions assignment: "courses/dl/assignments/hw1" student: "ann" page_size: 3)"},
    {"submission show dl/hw1/s1",
     R"(GetSubmission name: "courses/dl/assignments/hw1/submissions/s1")"},
    {"submission cancel dl/hw1/s1",
     R"(CancelSubmission name: "courses/dl/assignments/hw1/submissions/s1")"},
    {"submission nominate dl/hw1/s1",
     R"(NominateSubmission name: "courses/dl/assignments/hw1/submissions/s1")"},
    {"submission receipt dl/hw1/s1 --staff",
     R"(GetReceipt name: "courses/dl/assignments/hw1/submissions/s1" staff_copy: true)"},
    {"submission standing dl/hw1 --student ann",
     R"(GetStanding assignment: "courses/dl/assignments/hw1" student: "ann")"},
    {"regrade create dl/hw1 --student ann --student bob",
     R"(CreateRegrade assignment: "courses/dl/assignments/hw1" students: "ann" students: "bob")"},
    {"regrade show dl/hw1/r1 --mode replace",
     R"(GetRegrade name: "courses/dl/assignments/hw1/regrades/r1" mode: REGRADE_MODE_REPLACE)"},
    {"regrade apply dl/hw1/r1 --mode max",
     R"(ApplyRegrade name: "courses/dl/assignments/hw1/regrades/r1" mode: REGRADE_MODE_MAX)"},
    {"gradebook show dl --student ann --as-of 9 --policy-version 2",
     R"(GetGradebook course: "courses/dl" as_of_sequence: 9 policy_version: 2 student: "ann")"},
    {"gradebook explain dl ann --snapshot 3",
     R"(GetGradebook course: "courses/dl" student: "ann" explain: true snapshot: "courses/dl/snapshots/3")"},
    {"gradebook export dl", R"(ExportGradebook course: "courses/dl")"},
    {"gradebook export dl --format moodle --decimal , --snapshot dl/3",
     R"(ExportGradebook course: "courses/dl" format: GRADEBOOK_FORMAT_MOODLE_CSV snapshot: "courses/dl/snapshots/3" decimal_mark: ",")"},
    {"gradebook export dl --format canvas --canvas-id hw1=48213",
     R"(ExportGradebook course: "courses/dl" format: GRADEBOOK_FORMAT_CANVAS_CSV canvas_assignment_ids { key: "hw1" value: 48213 })"},
    {"gradebook publish dl", R"(PublishSnapshot course: "courses/dl")"},
    {"gradebook snapshots dl", R"(ListSnapshots course: "courses/dl")"},
    {"gradebook diff dl --snapshot 2",
     R"(DiffSnapshot course: "courses/dl" snapshot: "courses/dl/snapshots/2")"},
    {"adjustment create dl --student ann --assignment hw1 --kind add --points -5 --reason r",
     R"(CreateAdjustment course: "courses/dl" adjustment { student: "ann" assignment: "hw1" kind: ADD points: -5 reason: "r" })"},
    {"adjustment create dl --student ann --assignment hw1 --kind extend --extension 24h --reason "
     "r --expires 1970-01-01T00:00:09Z",
     R"(CreateAdjustment course: "courses/dl" adjustment { student: "ann" assignment: "hw1" kind: EXTEND extension { seconds: 86400 } reason: "r" expires { seconds: 9 } })"},
    {"adjustment create dl --student ann --kind final --grade 7.5 --reason r",
     R"(CreateAdjustment course: "courses/dl" adjustment { student: "ann" kind: FINAL final_hundredths: 750 reason: "r" })"},
    {"adjustment list dl --student ann", R"(ListAdjustments course: "courses/dl" student: "ann")"},
    {"adjustment revoke dl a1 --reason r",
     R"(RevokeAdjustment course: "courses/dl" id: "a1" reason: "r")"},
    {"delivery set dl --kind check_run --url https://h/ --prefix p-",
     R"(SetDeliveryTarget course: "courses/dl" target { kind: CHECK_RUN url: "https://h/" repository_prefix: "p-" })"},
    {"delivery set dl --kind lti_score --url https://l/ --above-max --line-item hw=https://l/7?a=b,c",
     R"(SetDeliveryTarget course: "courses/dl" target { kind: LTI_SCORE url: "https://l/" line_items { key: "hw" value: "https://l/7?a=b,c" } above_max: true })"},
    {"delivery list dl --state given_up --limit 2",
     R"(ListDeliveries course: "courses/dl" state: GIVEN_UP page_size: 2)"},
    {"delivery retry dl 7", R"(RetryDelivery course: "courses/dl" id: "7")"},
};

TEST_F(GradingCliTest, EachCommandIsItsRequest) {
  for (const Case& c : kCommands) {
    const size_t before = server_.requests().size();
    EXPECT_EQ(Run(absl::StrSplit(c.command, ' ')), ExitCode::kOk) << c.command << err_.str();
    const Words requests = server_.requests();
    ASSERT_EQ(requests.size(), before + 1) << c.command;
    EXPECT_EQ(requests.back(), c.request) << c.command;
    // For programs, the message of the same answer.
    Words json = absl::StrSplit(c.command, ' ');
    json.insert(json.begin(), {"-o", "json"});
    EXPECT_EQ(Run(json), ExitCode::kOk) << c.command;
    EXPECT_EQ(server_.requests().back(), c.request) << c.command;
  }
}

TEST_F(GradingCliTest, FilesBecomeRequests) {
  const std::string roster = File("roster.csv", "user,role\nann,student\nbob,grader\n");
  const std::string policy = File("policy.yaml", "preset: hse\nlate: {percent_per_unit: 20}\n");
  const std::string assignment = File("hw1.yaml",
                                      "name: dl/hw1\nmax_points: 100\n"
                                      "training_dataset: datasets/a\n"
                                      "base_spec: {target_column: y, layers: [{units: 8, "
                                      "activation: relu}]}\n"
                                      "score_rule: {metric: r2, steps: [{threshold: 0.9, "
                                      "points: 100}]}\n");
  const std::string marks = File("marks.csv", "student,exam,points\nann,exam3,7.5\n");
  const std::string secret = File("secret", "hunter2\n");
  const struct {
    Words command;
    const char* request;
  } cases[] = {
      {{"course", "create", "dl", "--policy", policy},
       R"(CreateCourse course { name: "courses/dl" } policy { preset: "hse" late { percent_per_unit: 20 } })"},
      {{"course", "enrol", "dl", "--roster", roster},
       R"(UpdateRoster course: "courses/dl" enrolments { user: "ann" role: COURSE_ROLE_STUDENT } enrolments { user: "bob" role: COURSE_ROLE_GRADER })"},
      {{"course", "set-policy", "dl", policy, "--preview"},
       R"(SetPolicy course: "courses/dl" policy { preset: "hse" late { percent_per_unit: 20 } } validate_only: true)"},
      {{"assignment", "publish", assignment, "--validate-only"},
       R"(PublishAssignment assignment { name: "courses/dl/assignments/hw1" max_points: 100 training_dataset: "datasets/a" base_spec { target_column: "y" layers { units: 8 activation: ACTIVATION_RELU } } score_rule { metric: SCORE_METRIC_R2 steps { threshold: 0.9 points: 100 } } } validate_only: true)"},
      {{"assignment", "publish", File("old.yaml", "name: dl/hw1\nretired: true\n")},
       R"(PublishAssignment assignment { name: "courses/dl/assignments/hw1" retired: true })"},
      {{"marks", "record", "dl", marks},
       R"(RecordMarks course: "courses/dl" exams { student: "ann" exam: "exam3" hundredths: 750 })"},
      {{"marks", "record", "dl", marks, "--remove"},
       R"(RecordMarks course: "courses/dl" exams { student: "ann" exam: "exam3" removed: true })"},
      {{"delivery", "set", "dl", "--kind", "lti_score", "--secret-file", secret},
       R"(SetDeliveryTarget course: "courses/dl" target { kind: LTI_SCORE } secret: "hunter2")"},
  };
  for (const auto& c : cases) {
    EXPECT_EQ(Run(c.command), ExitCode::kOk) << err_.str();
    EXPECT_EQ(server_.requests().back(), c.request);
    EXPECT_THAT(out_.str(), Not(HasSubstr("hunter2")));
  }
}

TEST_F(GradingCliTest, WhatIsWrongHereIsNotSent) {
  const std::string bad_roster = File("bad.csv", "user,role\nann,pupil\n,student\n");
  const Words commands[] = {
      {"course", "enrol", "dl"},
      {"course", "enrol", "dl", "--user", "ann"},
      {"course", "enrol", "dl", "--roster", bad_roster},
      {"course", "enrol", "dl", "--roster", bad_roster, "--user", "ann", "--role", "student"},
      {"course", "set-policy", "dl", File("bad.yaml", "lat: 1\n")},
      {"adjustment", "create", "dl", "--student", "ann", "--kind", "final", "--grade", "7.555",
       "--reason", "r"},
      {"adjustment", "create", "dl", "--student", "ann", "--kind", "gift", "--reason", "r"},
      {"adjustment", "create", "dl", "--student", "ann", "--kind", "zero"},
      {"regrade", "apply", "dl/hw1/r1"},
      {"regrade", "apply", "dl/hw1/r1", "--mode", "min"},
      {"gradebook", "export", "dl", "--format", "excel"},
      {"delivery", "set", "dl", "--kind", "check_run", "--secret", "hunter2"},
      {"grade", "--assignment", "dl/hw1", "--at-least", "0.5"},
      {"grade", "--assignment", "dl/hw1", "--wait", "--at-least", "nan"},
      {"grade", "--assignment", "dl/hw1", "--wait", "--validate-only"},
      {"submit", "--spec", spec_},
  };
  for (const Words& command : commands) {
    EXPECT_EQ(Run(command), ExitCode::kUsage) << absl::StrJoin(command, " ");
    EXPECT_NE(err_.str(), "");
  }
  EXPECT_THAT(server_.requests(), IsEmpty());
  Run({"course", "enrol", "dl", "--roster", bad_roster});
  EXPECT_THAT(err_.str(), HasSubstr("line 2, column \"role\""));
  EXPECT_THAT(err_.str(), HasSubstr("line 3, column \"user\": empty"));
}

TEST_F(GradingCliTest, SubmitSendsTheSpecAndNothingThatNobodyChose) {
  server_.Answer("CreateSubmission", {kAccepted});
  server_.Answer("GetStanding", {"attempts_left: 4"});
  EXPECT_EQ(Run({"submit", "--assignment", "dl/hw1", "--spec", spec_, "--learning-rate", "0.5",
                 "--supersede", "--student", "ann", "--source-repository", "17", "--source-commit",
                 "c0ffee", "--source-run", "9"}),
            ExitCode::kOk)
      << err_.str();
  EXPECT_THAT(
      server_.requests(),
      ElementsAre(
          R"(CreateSubmission assignment: "courses/dl/assignments/hw1" spec { optimizer { learning_rate: 0.5 } epochs: 3 } student: "ann" supersede: true source { repository_id: "17" commit: "c0ffee" run_id: "9" })",
          R"(GetStanding assignment: "courses/dl/assignments/hw1" student: "ann")"));
  EXPECT_THAT(out_.str(), HasSubstr("accepted courses/dl/assignments/hw1/submissions/s1\n"));
  EXPECT_THAT(out_.str(), HasSubstr("accepted            1970-01-12 13:46:40Z\n"));
  EXPECT_THAT(out_.str(), HasSubstr("attempts left       4\n"));
}

TEST_F(GradingCliTest, ValidateOnlyShowsWhatWouldBeTrained) {
  server_.Answer("CreateSubmission", {"canonical_spec { epochs: 3 } work { parameters: 9 }"});
  EXPECT_EQ(Run({"submit", "--assignment", "dl/hw1", "--spec", spec_, "--validate-only"}),
            ExitCode::kOk);
  EXPECT_THAT(out_.str(), HasSubstr("nothing was submitted\n"));
  EXPECT_THAT(out_.str(), HasSubstr("  epochs: 3\n"));
}

TEST_F(GradingCliTest, GradeEndsWithThePointsLine) {
  AnswerDone(kDone);
  EXPECT_EQ(Grade({"--at-least", "0.92"}), ExitCode::kOk) << err_.str();
  EXPECT_THAT(out_.str(), EndsWith("\nPoints 86/100\n"));
  EXPECT_THAT(err_.str(), HasSubstr("accepted courses/dl/assignments/hw1/submissions/s1"));
  EXPECT_THAT(err_.str(), HasSubstr("QUEUED  position 1\n"));
  AnswerDone(kDone);
  EXPECT_EQ(Grade({"--at-least", "0.93"}), ExitCode::kRefused);
  EXPECT_THAT(out_.str(), EndsWith("\nPoints 86/100\n"));
  EXPECT_THAT(err_.str(), HasSubstr("accuracy 0.92 is not at least as good as 0.93"));
}

TEST_F(GradingCliTest, AnErrorMetricIsComparedTheOtherWay) {
  server_.Answer("GetAssignment", {"score_rule { metric: SCORE_METRIC_RMSE }"});
  AnswerDone(absl::StrCat(kDone, " withheld: true public_score: 0.4"));
  EXPECT_EQ(Grade({"--at-least", "0.5"}), ExitCode::kOk);
  AnswerDone(absl::StrCat(kDone, " withheld: true public_score: 0.6"));
  EXPECT_EQ(Grade({"--at-least", "0.5"}), ExitCode::kRefused);
}

TEST_F(GradingCliTest, WithheldPointsAreNotPrintedButWhenTheyAreTold) {
  AnswerDone(absl::StrCat(kDone, " withheld: true"));
  server_.Answer("GetStanding", {"close_time { seconds: 1000000 }"});
  EXPECT_EQ(Grade({}), ExitCode::kOk);
  EXPECT_THAT(absl::StrCat(out_.str(), err_.str()), Not(HasSubstr("Points")));
  EXPECT_THAT(out_.str(), Not(HasSubstr("86")));
  EXPECT_THAT(err_.str(), HasSubstr("when the assignment has closed, 1970-01-12 13:46:40Z"));
}

TEST_F(GradingCliTest, TheExitCodeSaysWhoseFaultItIs) {
  AnswerDone("state: SUBMISSION_STATE_INFRA_ERROR error { message: \"worker lost\" }");
  EXPECT_EQ(Grade({}), ExitCode::kInfra);
  EXPECT_THAT(out_.str(), Not(HasSubstr("Points ")));
  AnswerDone("state: SUBMISSION_STATE_UNGRADABLE error { message: \"NaN\" }");
  EXPECT_EQ(Grade({}), ExitCode::kRefused);
  AnswerDone("state: SUBMISSION_STATE_CANCELLED");
  EXPECT_EQ(Grade({}), ExitCode::kRefused);
  server_.Refuse("CreateSubmission",
                 MakeError(absl::StatusCode::kResourceExhausted, "no attempt is left",
                           {.reason = ErrorReason::kAttemptsExhausted}));
  EXPECT_EQ(Grade({}), ExitCode::kRefused);
  EXPECT_THAT(err_.str(), HasSubstr("no attempt is left"));
  EXPECT_EQ(Grade({}, "127.0.0.1:1"), ExitCode::kUnreachable);
}

TEST_F(GradingCliTest, NotFinishedInTimeHasACodeOfItsOwn) {
  AnswerDone(kAccepted);
  EXPECT_EQ(Grade({"--timeout", "300ms"}), ExitCode::kUnfinished);
  EXPECT_THAT(err_.str(), HasSubstr("the submission goes on"));
  // The server is not asked to wait longer than a call may take.
  EXPECT_THAT(server_.requests()[2], HasSubstr("WaitSubmission"));
  EXPECT_THAT(server_.requests()[2], HasSubstr("timeout { nanos: 150000000 }"));
}

TEST_F(GradingCliTest, DocumentsAreWrittenOnEveryWayOut) {
  const struct {
    const char* name;
    std::function<ExitCode(const Words&)> run;
    ExitCode code;
  } cases[] = {
      {"graded",
       [&](const Words& files) {
         AnswerDone(kDone);
         return Grade(files);
       },
       ExitCode::kOk},
      {"not finished",
       [&](const Words& files) {
         AnswerDone(kAccepted);
         Words words = files;
         words.insert(words.end(), {"--timeout", "200ms"});
         return Grade(words);
       },
       ExitCode::kUnfinished},
      {"no spec",
       [&](const Words& files) {
         Words words = {"grade", "--assignment", "dl/hw1", "--wait", "--spec", "/no/such/spec"};
         words.insert(words.end(), files.begin(), files.end());
         return Run(words);
       },
       ExitCode::kUsage},
      {"no server", [&](const Words& files) { return Grade(files, "127.0.0.1:1"); },
       ExitCode::kUnreachable},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(c.name);
    Words flags;
    Words paths;
    for (const char* kind : {"junit", "gradescope", "reporter", "classroom50"}) {
      paths.push_back(absl::StrCat(testing::TempDir(), "/document.", kind));
      std::remove(paths.back().c_str());
      flags.insert(flags.end(), {absl::StrCat("--", kind), paths.back()});
    }
    EXPECT_EQ(c.run(flags), c.code) << err_.str();
    for (const std::string& path : paths) EXPECT_NE(ReadFile(path), "") << path;
    const bool graded = c.code == ExitCode::kOk;
    EXPECT_EQ(absl::StrContains(ReadFile(paths[0]), "value=\"86\""), graded);
    EXPECT_EQ(absl::StrContains(ReadFile(paths[1]), "86"), graded);
  }
}

TEST_F(GradingCliTest, AFileThatCannotBeWrittenDoesNotLookLikeAPass) {
  AnswerDone(kDone);
  EXPECT_EQ(Grade({"--junit", "/no/such/folder/x.xml"}), ExitCode::kUnwritten);
  EXPECT_THAT(err_.str(), HasSubstr("/no/such/folder"));
  AnswerDone("state: SUBMISSION_STATE_INFRA_ERROR");
  EXPECT_EQ(Grade({"--junit", "/no/such/folder/x.xml"}), ExitCode::kInfra);
  EXPECT_THAT(err_.str(), HasSubstr("/no/such/folder"));
}

TEST_F(GradingCliTest, GithubGetsNoticesAndOutputsBesideTheOthers) {
  const std::string outputs = File("github_output", "before=1\n");
  AnswerDone(kDone);
  EXPECT_EQ(Grade({"--github", "--github-output", outputs}), ExitCode::kOk) << err_.str();
  EXPECT_THAT(out_.str(), HasSubstr("::notice title=Autograding complete::Points 86/100\n"));
  EXPECT_THAT(out_.str(), EndsWith("\nPoints 86/100\n"));
  EXPECT_THAT(ReadFile(outputs), HasSubstr("before=1\n"));
  EXPECT_THAT(ReadFile(outputs), HasSubstr("points=86\n"));
  // The variable is there in every job of GitHub, asked for or not.
  setenv("GITHUB_OUTPUT", outputs.c_str(), 1);
  const std::string before = ReadFile(outputs);
  AnswerDone(kDone);
  EXPECT_EQ(Grade({}), ExitCode::kOk) << err_.str();
  EXPECT_EQ(ReadFile(outputs), before);
  unsetenv("GITHUB_OUTPUT");
}

TEST_F(GradingCliTest, WatchShowsTheQueueThenEachTrainingThenWhatItCameTo) {
  const std::string running = R"(name: "courses/dl/assignments/hw1/submissions/s1"
      state: SUBMISSION_STATE_RUNNING training_jobs: "trainingJobs/j1" training_jobs: "trainingJobs/j2")";
  server_.Answer("WaitSubmission", {kAccepted, running, running, running, kDone});
  server_.Answer("WatchTrainingJob",
                 {R"(event { sequence: 1 state_change { to: JOB_STATE_SUCCEEDED } })"});
  server_.Answer("GetTrainingJob", {R"(name: "trainingJobs/j1" state: JOB_STATE_SUCCEEDED)"});
  EXPECT_EQ(Run({"submission", "watch", "dl/hw1/s1"}), ExitCode::kOk) << err_.str();
  EXPECT_THAT(err_.str(), HasSubstr("QUEUED  position 1\n"));
  EXPECT_THAT(out_.str(), HasSubstr("86 of 100"));
  std::string watched;
  for (const std::string& request : server_.requests()) {
    if (absl::StrContains(request, "WatchTrainingJob")) absl::StrAppend(&watched, request, "\n");
  }
  EXPECT_THAT(watched, testing::ContainsRegex("j1(.|\n)*WatchTrainingJob.*j2"));
}

TEST_F(GradingCliTest, ReceiptsAndExportsAreTheBytesTheServerGave) {
  server_.Answer("GetReceipt", {R"(document: "{\"id\":\"ty_1\"}")"});
  server_.Answer("ExportGradebook",
                 {R"(document: "\357\273\277\320\244\r\n" warnings: "ann\033[2J has no name")"});
  const std::string path = absl::StrCat(testing::TempDir(), "/out");
  EXPECT_EQ(Run({"submission", "receipt", "dl/hw1/s1"}), ExitCode::kOk);
  EXPECT_EQ(out_.str(), "{\"id\":\"ty_1\"}\n");
  EXPECT_EQ(Run({"submission", "receipt", "dl/hw1/s1", "-f", path}), ExitCode::kOk);
  EXPECT_EQ(ReadFile(path), "{\"id\":\"ty_1\"}");
  for (const Words& format : {Words{}, Words{"-o", "json"}}) {
    Words command = {"gradebook", "export", "dl", "--format", "hse"};
    command.insert(command.end(), format.begin(), format.end());
    EXPECT_EQ(Run(command), ExitCode::kOk);
    EXPECT_EQ(out_.str(), "\xEF\xBB\xBF\xD0\xA4\r\n");
  }
  EXPECT_EQ(err_.str(), "warning: ann\\x1B[2J has no name\n");
}

TEST_F(GradingCliTest, ARegradeIsWaitedForUntilAllAreDone) {
  server_.Answer("CreateRegrade", {R"(name: "courses/dl/assignments/hw1/regrades/r1"
                                      submissions_total: 2 submissions_done: 2)"});
  EXPECT_EQ(Run({"regrade", "create", "dl/hw1", "--wait"}), ExitCode::kOk);
  EXPECT_THAT(out_.str(), HasSubstr("2 of 2 submissions done\n"));
}

}  // namespace
}  // namespace trainyard
