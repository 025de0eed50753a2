#include "client/grade_formats.h"

#include <algorithm>
#include <cstdint>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "client/describe.h"
#include "client/render.h"
#include "core/base/check.h"
#include "server/wire/canonical_json.h"

namespace trainyard {
namespace {

// An earned or missed part of the points.
struct Entry {
  std::string name;
  int64_t points = 0;
  int64_t max_points = 0;
  bool passed = false;
};

// The result if it may be told.
const v1::SubmissionResult* ReleasedResult(const v1::Submission& submission) {
  const bool told = submission.state() == v1::SUBMISSION_STATE_DONE && !submission.withheld() &&
                    submission.has_result();
  return told ? &submission.result() : nullptr;
}

std::vector<Entry> CriteriaOf(const v1::SubmissionResult& result) {
  std::vector<Entry> entries;
  for (const v1::Criterion& criterion : result.criteria()) {
    entries.push_back(
        {criterion.name(), criterion.points(), criterion.max_points(), criterion.passed()});
  }
  if (entries.empty()) {
    const bool full = result.points() >= result.max_points();
    entries.push_back({"points", result.points(), result.max_points(), full});
  }
  return entries;
}

// Why there is no released result, as a sentence without full stop.
std::string ReasonOf(const v1::Submission& submission) {
  switch (submission.state()) {
    case v1::SUBMISSION_STATE_DONE:
      return "graded; points are told when the assignment has closed";
    case v1::SUBMISSION_STATE_UNGRADABLE:
      return absl::StrCat("the spec cannot be trained: ", submission.error().message());
    case v1::SUBMISSION_STATE_INFRA_ERROR:
      return absl::StrCat("the service failed: ", submission.error().message());
    case v1::SUBMISSION_STATE_CANCELLED:
      return "cancelled";
    default:
      return "not finished";
  }
}

// "hw-mlp" of courses/dl/assignments/hw-mlp/submissions/s1.
std::string AssignmentOf(const v1::Submission& submission) {
  const std::vector<std::string> parts = absl::StrSplit(submission.name(), '/');
  return parts.size() == 6 ? parts[3] : "assignment";
}

std::string MetricWord(v1::ScoreMetric metric) {
  absl::string_view name = v1::ScoreMetric_Name(metric);
  absl::ConsumePrefix(&name, "SCORE_METRIC_");
  const bool known = metric != v1::SCORE_METRIC_UNSPECIFIED && !name.empty();
  return known ? absl::AsciiStrToLower(name) : "score";
}

bool LowerIsBetter(v1::ScoreMetric metric) {
  return metric == v1::SCORE_METRIC_RMSE || metric == v1::SCORE_METRIC_MAE;
}

std::string Number(double value) { return absl::StrFormat("%.6g", value); }

// Seconds from acceptance to the end; 0 while there is none.
double SecondsTaken(const v1::Submission& submission) {
  if (!submission.has_finish_time()) return 0;
  const absl::Duration taken = ToTime(submission.finish_time()) - ToTime(submission.accepted_at());
  return std::max(0.0, absl::ToDoubleSeconds(taken));
}

std::string UtcText(const google::protobuf::Timestamp& timestamp, const char* suffix) {
  return absl::StrCat(absl::FormatTime("%Y-%m-%dT%H:%M:%S", ToTime(timestamp), absl::UTCTimeZone()),
                      suffix);
}

// Gradescope.

std::string GradescopeTest(const Entry& entry, size_t number) {
  return absl::StrCat("{\"name\":", JsonString(entry.name), ",\"number\":\"", number,
                      "\",\"score\":", entry.points, ",\"max_score\":", entry.max_points,
                      ",\"status\":\"", entry.passed ? "passed" : "failed",
                      "\",\"visibility\":\"visible\"}");
}

std::string GradescopeTests(const v1::Submission& submission) {
  const v1::SubmissionResult* const result = ReleasedResult(submission);
  if (result == nullptr) return "";
  std::vector<std::string> tests;
  for (const Entry& entry : CriteriaOf(*result)) {
    tests.push_back(GradescopeTest(entry, tests.size() + 1));
  }
  return absl::StrJoin(tests, ",");
}

std::string GradescopeLeaderboard(const v1::Submission& submission, v1::ScoreMetric metric) {
  std::vector<std::string> entries;
  if (submission.has_public_score()) {
    entries.push_back(absl::StrCat("{\"name\":", JsonString(MetricWord(metric)),
                                   ",\"value\":", Number(submission.public_score()),
                                   LowerIsBetter(metric) ? ",\"order\":\"asc\"}" : "}"));
  }
  constexpr double kMega = 1e6;
  const double mflops = static_cast<double>(submission.work().train_flops()) / kMega;
  if (mflops > 0) {
    entries.push_back(
        absl::StrCat("{\"name\":\"MFLOPs\",\"value\":", Number(mflops), ",\"order\":\"asc\"}"));
  }
  return absl::StrJoin(entries, ",");
}

std::string GradescopeDocument(int64_t score, int64_t seconds, absl::string_view output,
                               absl::string_view rest) {
  return absl::StrCat(
      "{\"score\":", score, ",\"execution_time\":", seconds, ",\"output\":", JsonString(output),
      ",\"output_format\":\"text\",\"visibility\":\"visible\",\"stdout_visibility\":"
      "\"hidden\"",
      rest, "}\n");
}

// JUnit.

// Text as XML 1.0 allows it. Printable leaves no control characters, which have no escape, and no
// malformed UTF-8; U+FFFE and U+FFFF are no characters of XML.
std::string XmlText(absl::string_view text) {
  return absl::StrReplaceAll(Printable(text), {{"&", "&amp;"},
                                               {"<", "&lt;"},
                                               {">", "&gt;"},
                                               {"\"", "&quot;"},
                                               {"\xEF\xBF\xBE", "?"},
                                               {"\xEF\xBF\xBF", "?"}});
}

struct JUnitSuite {
  std::string name;
  std::string timestamp;  // empty: none
  double seconds = 0;
  std::vector<std::pair<std::string, std::string>> properties;
  std::vector<std::string> cases;
  int failures = 0;
  int errors = 0;
  int skipped = 0;
};

std::string Counts(const JUnitSuite& suite) {
  return absl::StrCat("tests=\"", suite.cases.size(), "\" failures=\"", suite.failures,
                      "\" errors=\"", suite.errors, "\" skipped=\"", suite.skipped, "\" time=\"",
                      absl::StrFormat("%.3f", suite.seconds), "\"");
}

std::string JUnitDocument(const JUnitSuite& suite) {
  const std::string timestamp =
      suite.timestamp.empty() ? "" : absl::StrCat(" timestamp=\"", suite.timestamp, "\"");
  std::string text =
      absl::StrCat("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"trainyard\" ",
                   Counts(suite), ">\n  <testsuite name=\"", XmlText(suite.name), "\" ",
                   Counts(suite), timestamp, ">\n", "    <properties>\n");
  for (const auto& [name, value] : suite.properties) {
    absl::StrAppend(&text, "      <property name=\"", name, "\" value=\"", XmlText(value),
                    "\"/>\n");
  }
  absl::StrAppend(&text, "    </properties>\n");
  for (const std::string& test_case : suite.cases) absl::StrAppend(&text, test_case);
  return absl::StrCat(text, "  </testsuite>\n</testsuites>\n");
}

// `inner` is an element or nothing.
void AddCase(absl::string_view name, absl::string_view inner, JUnitSuite* suite) {
  const std::string start = absl::StrCat("    <testcase classname=\"", XmlText(suite->name),
                                         "\" name=\"", XmlText(name), "\" time=\"0\"");
  suite->cases.push_back(inner.empty() ? absl::StrCat(start, "/>\n")
                                       : absl::StrCat(start, ">", inner, "</testcase>\n"));
}

void AddCriterion(const Entry& entry, JUnitSuite* suite) {
  if (entry.passed) return AddCase(entry.name, "", suite);
  ++suite->failures;
  AddCase(entry.name,
          absl::StrCat("<failure type=\"threshold\" message=\"", entry.points, " of ",
                       entry.max_points, " points\"/>"),
          suite);
}

void AddReason(const v1::Submission& submission, JUnitSuite* suite) {
  const std::string message = absl::StrCat("message=\"", XmlText(ReasonOf(submission)), "\"/>");
  if (submission.state() == v1::SUBMISSION_STATE_INFRA_ERROR) {
    ++suite->errors;
    return AddCase("training", absl::StrCat("<error type=\"infrastructure\" ", message), suite);
  }
  if (submission.state() == v1::SUBMISSION_STATE_UNGRADABLE) {
    ++suite->failures;
    return AddCase("training", absl::StrCat("<failure type=\"ungradable\" ", message), suite);
  }
  ++suite->skipped;
  AddCase("points", absl::StrCat("<skipped ", message), suite);
}

// GitHub.

// Data of a workflow command, as the runner's own toolkit escapes it.
std::string CommandData(absl::string_view text) {
  return absl::StrReplaceAll(text, {{"%", "%25"}, {"\r", "%0D"}, {"\n", "%0A"}});
}

std::string PointsText(const v1::SubmissionResult& result) {
  return absl::StrCat(result.points(), "/", result.max_points());
}

// A value of a file of `name=value` lines.
std::string OneLine(absl::string_view text) {
  return absl::StrReplaceAll(text, {{"\r", " "}, {"\n", " "}});
}

// Reporter.

// All-or-nothing parts of a criterion.
std::vector<Entry> SplitEntry(const Entry& entry) {
  const int64_t missed = entry.max_points - entry.points;
  std::vector<Entry> parts;
  if (entry.points > 0 || missed <= 0) {
    parts.push_back({entry.name, entry.points, entry.points, true});
  }
  if (missed <= 0) return parts;
  const std::string suffix = entry.points > 0 ? " (rest)" : "";
  parts.push_back({absl::StrCat(entry.name, suffix), 0, missed, false});
  return parts;
}

std::string ReporterTest(const Entry& entry, absl::string_view message, int64_t duration_ms) {
  return absl::StrCat(
      "{\"name\":", JsonString(entry.name), ",\"status\":\"", entry.passed ? "pass" : "fail",
      "\",\"score\":", entry.points, ",\"message\":", JsonString(message),
      ",\"test_code\":\"\",\"filename\":\"\",\"line_no\":0,\"duration\":", duration_ms, "}");
}

std::string ReporterStatus(const v1::Submission& submission) {
  const v1::SubmissionResult* const result = ReleasedResult(submission);
  if (result == nullptr) return "error";
  return result->points() >= result->max_points() ? "pass" : "fail";
}

// Classroom 50.

std::string Classroom50Test(const Entry& entry) {
  return absl::StrCat("{\"test-name\":", JsonString(entry.name),
                      ",\"passed\":", entry.passed ? "true" : "false", ",\"score\":", entry.points,
                      ",\"max-score\":", entry.max_points, "}");
}

}  // namespace

std::string GradescopeJson(const v1::Submission& submission, v1::ScoreMetric metric) {
  const v1::SubmissionResult* const result = ReleasedResult(submission);
  const std::string receipt =
      submission.receipt().empty() ? "" : absl::StrCat("Trainyard receipt ", submission.receipt());
  const std::string output = result == nullptr
                                 ? absl::StrCat("No points yet: ", ReasonOf(submission),
                                                receipt.empty() ? "" : ". ", receipt)
                                 : receipt;
  const std::string rest =
      absl::StrCat(",\"tests\":[", GradescopeTests(submission), "],\"leaderboard\":[",
                   GradescopeLeaderboard(submission, metric),
                   "],\"extra_data\":{\"receipt\":", JsonString(submission.receipt()),
                   ",\"spec_digest\":", JsonString(submission.spec_digest()), "}");
  return GradescopeDocument(result == nullptr ? 0 : result->points(),
                            static_cast<int64_t>(SecondsTaken(submission)), output, rest);
}

std::string GradescopeJson(const absl::Status& error) {
  TY_CHECK(!error.ok());
  return GradescopeDocument(0, 0, absl::StrCat("Not graded: ", std::string(error.message())),
                            ",\"tests\":[]");
}

std::string JUnitXml(const v1::Submission& submission) {
  const v1::SubmissionResult* const result = ReleasedResult(submission);
  JUnitSuite suite{.name = AssignmentOf(submission),
                   .timestamp = UtcText(submission.accepted_at(), ""),
                   .seconds = SecondsTaken(submission)};
  if (result != nullptr) {
    suite.properties.push_back({"points", absl::StrCat(result->points())});
    suite.properties.push_back({"max_points", absl::StrCat(result->max_points())});
    for (const Entry& entry : CriteriaOf(*result)) AddCriterion(entry, &suite);
  } else {
    AddReason(submission, &suite);
  }
  suite.properties.push_back({"receipt", submission.receipt()});
  return JUnitDocument(suite);
}

std::string JUnitXml(const absl::Status& error, const std::string& assignment) {
  TY_CHECK(!error.ok());
  JUnitSuite suite{.name = assignment, .errors = 1};
  AddCase("submission",
          absl::StrCat("<error type=\"", absl::StatusCodeToString(error.code()), "\" message=\"",
                       XmlText(std::string(error.message())), "\"/>"),
          &suite);
  return JUnitDocument(suite);
}

std::string GithubNotices(const v1::Submission& submission) {
  const v1::SubmissionResult* const result = ReleasedResult(submission);
  if (result != nullptr) {
    return absl::StrCat("::notice title=Autograding complete::Points ", PointsText(*result),
                        "\n::notice title=Autograding report::{\"totalPoints\":", result->points(),
                        ",\"maxPoints\":", result->max_points(), "}\n");
  }
  const bool failed = submission.state() == v1::SUBMISSION_STATE_UNGRADABLE ||
                      submission.state() == v1::SUBMISSION_STATE_INFRA_ERROR;
  return absl::StrCat(failed ? "::error" : "::notice",
                      " title=Trainyard::", CommandData(ReasonOf(submission)), "\n");
}

std::string GithubNotices(const absl::Status& error) {
  TY_CHECK(!error.ok());
  return absl::StrCat("::error title=Trainyard::", CommandData(std::string(error.message())), "\n");
}

std::string GithubOutputs(const v1::Submission& submission) {
  const v1::SubmissionResult* const result = ReleasedResult(submission);
  const std::string points = result == nullptr ? "" : absl::StrCat(result->points());
  const std::string max_points = result == nullptr ? "" : absl::StrCat(result->max_points());
  return absl::StrCat("points=", points, "\nmax-points=", max_points,
                      "\nreceipt=", OneLine(submission.receipt()), "\n");
}

std::string ReporterResult(const v1::Submission& submission) {
  const v1::SubmissionResult* const result = ReleasedResult(submission);
  const std::string message =
      result == nullptr ? ReasonOf(submission) : absl::StrCat("receipt ", submission.receipt());
  constexpr double kMillisecondsPerSecond = 1e3;
  const auto duration_ms = static_cast<int64_t>(SecondsTaken(submission) * kMillisecondsPerSecond);
  std::vector<std::string> tests;
  int64_t max_points = 0;
  const std::vector<Entry> criteria =
      result == nullptr ? std::vector<Entry>{{.name = "points"}} : CriteriaOf(*result);
  for (const Entry& criterion : criteria) {
    for (Entry& entry : SplitEntry(criterion)) {
      entry.passed = entry.passed && result != nullptr;
      max_points += entry.max_points;
      tests.push_back(ReporterTest(entry, message, duration_ms));
    }
  }
  return absl::Base64Escape(absl::StrCat("{\"version\":1,\"status\":\"", ReporterStatus(submission),
                                         "\",\"max_score\":", max_points, ",\"tests\":[",
                                         absl::StrJoin(tests, ","), "]}"));
}

std::string Classroom50Json(const v1::Submission& submission) {
  const v1::SubmissionResult* const result = ReleasedResult(submission);
  std::vector<std::string> tests;
  const std::vector<Entry> criteria =
      result == nullptr ? std::vector<Entry>() : CriteriaOf(*result);
  for (const Entry& entry : criteria) tests.push_back(Classroom50Test(entry));
  const std::string graded_at =
      submission.has_finish_time() ? UtcText(submission.finish_time(), "Z") : "";
  return absl::StrCat(
      "{\"schema\":\"classroom50/result/v1\",\"score\":", result == nullptr ? 0 : result->points(),
      ",\"max-score\":", result == nullptr ? 0 : result->max_points(), ",\"tests\":[",
      absl::StrJoin(tests, ","), "],\"datetime\":\"", UtcText(submission.accepted_at(), "Z"),
      "\",\"graded_at\":\"", graded_at, "\",\"receipt\":", JsonString(submission.receipt()), "}\n");
}

}  // namespace trainyard
