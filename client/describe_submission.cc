#include "client/describe_submission.h"

#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "client/describe.h"
#include "client/describe_course.h"
#include "client/error_text.h"
#include "client/grade_outcome.h"
#include "client/proto_text.h"
#include "client/proto_yaml.h"
#include "client/render.h"
#include "client/resource_names.h"

namespace trainyard {
namespace {

using Align = TextTable::Align;
using Pairs = std::vector<std::pair<std::string, std::string>>;

std::string BitsText(int64_t millibits) {
  constexpr double kMillibitsPerBit = 1000;
  return absl::StrFormat("%.1f", static_cast<double>(millibits) / kMillibitsPerBit);
}

std::string TimeOr(bool known, const google::protobuf::Timestamp& time, absl::string_view other) {
  return known ? TimeText(ToTime(time)) : std::string(other);
}

std::string EpochsText(const v1::Submission& submission) {
  if (submission.epochs_total() == 0) return "";
  return absl::StrCat("epoch ", submission.epochs_done(), "/", submission.epochs_total());
}

std::string PointsText(const v1::Submission& submission) {
  if (submission.withheld()) return "told when the assignment has closed";
  if (!IsReleased(submission)) return "";
  const v1::SubmissionResult& result = submission.result();
  return absl::StrCat(result.points(), " of ", result.max_points(), " (",
                      MetricWord(result.metric()), " ", FormatNumber(result.score()),
                      result.sealed() ? ", sealed data)" : ", public data)");
}

std::string PublicText(const v1::Submission& submission) {
  if (!submission.has_public_score()) return "";
  return absl::StrCat("best so far ", FormatNumber(submission.public_score()),
                      submission.public_improved() ? ", by this one" : "");
}

std::string WorkText(const v1::WorkUsed& work) {
  if (work.parameters() == 0) return "";
  return absl::StrCat(FormatCount(work.parameters()), " parameters, ",
                      FormatShort(static_cast<double>(work.train_flops())), " FLOPs a seed, ",
                      work.epochs(), " epochs");
}

std::string CriteriaTable(const v1::Submission& submission) {
  if (!IsReleased(submission) || submission.result().criteria().empty()) return "";
  TextTable table({{"CRITERION"}, {"POINTS", Align::kRight}, {"OF", Align::kRight}, {"PASSED"}});
  for (const v1::Criterion& criterion : submission.result().criteria()) {
    table.AddRow({criterion.name(), absl::StrCat(criterion.points()),
                  absl::StrCat(criterion.max_points()), criterion.passed() ? "yes" : "no"});
  }
  return table.Render();
}

std::string CauseText(const v1::Submission& submission) {
  if (submission.cause() == v1::SUBMISSION_CAUSE_REGRADE) {
    return absl::StrCat("regrade of ", ShortName(submission.original()));
  }
  if (submission.cause() == v1::SUBMISSION_CAUSE_REPLAY) {
    return absl::StrCat("replay of ", ShortName(submission.original()));
  }
  return "";
}

std::string SpecLines(const v1::TrainingSpec& spec) {
  const std::string yaml = ToYaml(spec, 2);
  return yaml.empty() ? "" : absl::StrCat("spec:\n", yaml);
}

std::string EqualWord(const v1::Regrade::Change& change) {
  if (!change.has_bit_equal()) return "";
  return change.bit_equal() ? "yes" : "NO";
}

std::string PointsOrDash(int64_t points) { return points < 0 ? "-" : absl::StrCat(points); }

std::string ChangeTable(const v1::Regrade& regrade) {
  TextTable table({{"STUDENT"},
                   {"SUBMISSION"},
                   {"BEFORE", Align::kRight},
                   {"AFTER", Align::kRight},
                   {"BIT-EQUAL"},
                   {"OTHER ENGINE"}});
  for (const v1::Regrade::Change& change : regrade.changes()) {
    table.AddRow({change.student(), ShortName(change.submission()),
                  PointsOrDash(change.points_before()), PointsOrDash(change.points_after()),
                  EqualWord(change), change.other_engine() ? "yes" : ""});
  }
  return table.Render();
}

std::string RegradeState(const v1::Regrade& regrade) {
  if (regrade.applied_mode() != v1::REGRADE_MODE_UNSPECIFIED) {
    return absl::StrCat("applied: ",
                        EnumWord(*v1::RegradeMode_descriptor(), regrade.applied_mode()));
  }
  return absl::StrCat(regrade.submissions_done(), " of ", regrade.submissions_total(),
                      " submissions done");
}

}  // namespace

bool IsTerminal(v1::SubmissionState state) {
  return state == v1::SUBMISSION_STATE_DONE || state == v1::SUBMISSION_STATE_UNGRADABLE ||
         state == v1::SUBMISSION_STATE_INFRA_ERROR || state == v1::SUBMISSION_STATE_CANCELLED;
}

std::string StateWord(v1::SubmissionState state) {
  return absl::AsciiStrToUpper(EnumWord(*v1::SubmissionState_descriptor(), state));
}

std::string MetricWord(v1::ScoreMetric metric) {
  return metric == v1::SCORE_METRIC_UNSPECIFIED ? "score"
                                                : EnumWord(*v1::ScoreMetric_descriptor(), metric);
}

std::string PositionText(const v1::Submission& submission) {
  if (submission.state() != v1::SUBMISSION_STATE_QUEUED) return "";
  // No training is queued yet: an earlier one of the student's goes first.
  if (submission.queue_position() == 0) return "waits for its turn";
  return absl::StrCat("position ", submission.queue_position());
}

std::string SubmissionLine(const v1::Submission& submission) {
  std::vector<std::string> parts = {StateWord(submission.state())};
  if (submission.state() == v1::SUBMISSION_STATE_QUEUED) parts.push_back(PositionText(submission));
  if (submission.state() == v1::SUBMISSION_STATE_RUNNING && submission.epochs_total() > 0) {
    parts.push_back(EpochsText(submission));
  }
  if (submission.has_eta() && !IsTerminal(submission.state())) {
    parts.push_back(absl::StrCat("ETA ", DurationText(ToDuration(submission.eta()))));
  }
  return absl::StrJoin(parts, "  ");
}

std::string DescribeSubmission(const v1::Submission& submission) {
  const Pairs lines = {
      {"student", submission.student()},
      {"actor", submission.actor() == submission.student() ? "" : submission.actor()},
      {"cause", CauseText(submission)},
      {"accepted", TimeText(ToTime(submission.accepted_at()))},
      {"finished", TimeOr(submission.has_finish_time(), submission.finish_time(), "")},
      {"assignment version", absl::StrCat(submission.assignment_version())},
      {"queue", PositionText(submission)},
      {"progress", EpochsText(submission)},
      {"ETA", submission.has_eta() ? DurationText(ToDuration(submission.eta())) : ""},
      {"public score", PublicText(submission)},
      {"points", PointsText(submission)},
      {"counts", submission.nominated() ? "chosen by the student" : ""},
      {"cached", submission.cached() ? "answered from an earlier training of the same" : ""},
      {"work", WorkText(submission.work())},
      {"trainings", absl::StrJoin(submission.training_jobs(), ", ")},
      {"faults of the service",
       submission.infra_failures() == 0 ? "" : absl::StrCat(submission.infra_failures())},
      {"repository", submission.source().repository_id()},
      {"commit", submission.source().commit()},
      {"run", submission.source().run_id()},
      {"source", submission.source().verified() ? "proven by an identity token" : ""},
      {"receipt", submission.receipt()},
      {"spec digest", submission.spec_digest()}};
  std::string text =
      absl::StrCat(Printable(submission.name()), "  ", StateWord(submission.state()), "\n",
                   KeyValueLines(lines), CriteriaTable(submission), SpecLines(submission.spec()));
  if (submission.has_error()) absl::StrAppend(&text, DescribeJobError(submission.error()));
  return text;
}

std::string DescribeSubmissions(const v1::ListSubmissionsResponse& list) {
  TextTable table({{"SUBMISSION"},
                   {"STUDENT"},
                   {"STATE"},
                   {"ACCEPTED"},
                   {"PUBLIC", Align::kRight},
                   {"POINTS", Align::kRight},
                   {"COUNTS"}});
  for (const v1::Submission& submission : list.submissions()) {
    const v1::SubmissionResult& result = submission.result();
    const std::string points =
        IsReleased(submission) ? absl::StrCat(result.points(), "/", result.max_points()) : "";
    table.AddRow({ShortName(submission.name()), submission.student(), StateWord(submission.state()),
                  TimeText(ToTime(submission.accepted_at())),
                  submission.has_public_score() ? FormatNumber(submission.public_score()) : "",
                  submission.withheld() ? "withheld" : points,
                  submission.nominated() ? "chosen" : ""});
  }
  return table.Render();
}

std::string DescribeAccepted(const v1::Submission& submission, const v1::Standing* standing) {
  Pairs lines = {{"accepted", TimeText(ToTime(submission.accepted_at()))},
                 {"state", SubmissionLine(submission)},
                 {"assignment version", absl::StrCat(submission.assignment_version())},
                 {"work", WorkText(submission.work())},
                 {"spec digest", submission.spec_digest()}};
  if (standing != nullptr) {
    lines.push_back({"attempts left", absl::StrCat(standing->attempts_left())});
    lines.push_back({"next attempt",
                     TimeOr(standing->has_next_attempt_time(), standing->next_attempt_time(), "")});
  }
  return absl::StrCat("accepted ", Printable(submission.name()), "\n", KeyValueLines(lines),
                      "next:\n  trainyard submission watch ",
                      Printable(ShortName(submission.name())), "\n");
}

std::string DescribeGraded(const v1::Submission& submission) {
  std::string text =
      absl::StrCat(Printable(submission.name()), "  ", StateWord(submission.state()), "\n",
                   KeyValueLines({{"public score", PublicText(submission)},
                                  {"points", PointsText(submission)},
                                  {"receipt", submission.receipt()}}),
                   CriteriaTable(submission));
  if (submission.has_error()) absl::StrAppend(&text, DescribeJobError(submission.error()));
  return text;
}

std::string DescribeChecked(const v1::Submission& submission) {
  return absl::StrCat("the spec is valid; nothing was submitted\n",
                      KeyValueLines({{"work", WorkText(submission.work())}}), "would be trained:\n",
                      ToYaml(submission.canonical_spec(), 2));
}

std::string DescribeStanding(const v1::Standing& standing) {
  return KeyValueLines(
      {{"attempts left", absl::StrCat(standing.attempts_left())},
       {"next attempt", TimeOr(standing.has_next_attempt_time(), standing.next_attempt_time(), "")},
       {"due", TimeOr(standing.has_due_time(), standing.due_time(), "never")},
       {"closes", TimeOr(standing.has_close_time(), standing.close_time(), "never")},
       {"exempt", standing.exempt() ? "yes" : ""},
       {"best points", standing.has_best_points() ? absl::StrCat(standing.best_points()) : "none"},
       {"learned of the data", absl::StrCat(BitsText(standing.leaked_millibits()), " bits")}});
}

std::string DescribeLeaderboard(const v1::Leaderboard& board) {
  TextTable table({{"", Align::kRight},
                   {"WHO"},
                   {absl::AsciiStrToUpper(MetricWord(board.metric())), Align::kRight},
                   {"PARAMETERS", Align::kRight},
                   {"FLOPS", Align::kRight}});
  int place = 0;
  for (const v1::Leaderboard::Entry& entry : board.entries()) {
    table.AddRow({absl::StrCat(++place),
                  absl::StrCat(entry.pseudonym(), entry.own() ? " (you)" : ""),
                  FormatNumber(entry.public_score()), FormatCount(entry.work().parameters()),
                  FormatShort(static_cast<double>(entry.work().train_flops()))});
  }
  return table.Render();
}

std::string DescribeIntegrity(const v1::IntegrityReport& report) {
  TextTable leaks({{"STUDENT"}, {"BITS LEARNED", Align::kRight}});
  for (const v1::IntegrityReport::Leak& leak : report.leaks()) {
    leaks.AddRow({leak.student(), BitsText(leak.millibits())});
  }
  leaks.AddRow({"(all together)", BitsText(report.class_millibits())});
  std::string text = leaks.Render();
  for (const v1::IntegrityReport::IdenticalSpecs& same : report.identical_specs()) {
    std::vector<std::string> names;
    for (const std::string& name : same.submissions()) names.push_back(ShortName(name));
    absl::StrAppend(&text, "the same spec, in the order of acceptance: ",
                    Printable(absl::StrJoin(names, ", ")), "\n");
  }
  return absl::StrCat(text, "trained again to compare: ", report.replays(),
                      ", not bit-equal: ", report.replay_mismatches(), "\n");
}

std::string DescribeRegrade(const v1::Regrade& regrade) {
  return absl::StrCat(Printable(regrade.name()), "\n",
                      KeyValueLines({{"created", TimeText(ToTime(regrade.create_time()))},
                                     {"state", RegradeState(regrade)}}),
                      ChangeTable(regrade), DescribeGradeChanges(regrade.grade_changes()));
}

}  // namespace trainyard
