#include "client/message_input.h"

#include <algorithm>
#include <iostream>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "client/exit_code.h"
#include "client/local_file.h"
#include "client/proto_csv.h"
#include "client/spec_yaml.h"
#include "core/base/error_info.h"
#include "core/base/limits.h"
#include "core/base/status_macros.h"

namespace trainyard {
namespace {

bool IsYaml(absl::string_view path) {
  return absl::EndsWithIgnoreCase(path, ".yaml") || absl::EndsWithIgnoreCase(path, ".yml");
}

// `parse` of a CSV file's text, its errors with the path.
template <typename Result>
absl::StatusOr<Result> ReadCsvFile(const std::string& path,
                                   absl::StatusOr<Result> (*parse)(absl::string_view)) {
  TY_ASSIGN_OR_RETURN(const std::string text, ReadWhole(path, kCsvTextBytesMax));
  absl::StatusOr<Result> result = parse(text);
  if (!result.ok()) return Annotate(result.status(), path);
  return result;
}

template <typename Result>
absl::StatusOr<Result> ReadTable(const std::string& path,
                                 absl::StatusOr<Result> (*parse)(absl::string_view)) {
  if (!IsYaml(path)) return ReadCsvFile(path, parse);
  Result result;
  TY_RETURN_IF_ERROR(ReadYamlFile(path, &result));
  return result;
}

// Fields that every row must give, of a table of exams or of quizzes.
absl::StatusOr<v1::MarksRecorded> ParseMarks(absl::string_view text,
                                             std::vector<std::string> of_exams,
                                             std::vector<std::string> of_quizzes) {
  TY_ASSIGN_OR_RETURN(const std::vector<std::string> header, ReadCsvHeader(text));
  v1::MarksRecorded marks;
  if (std::find(header.begin(), header.end(), "quiz") != header.end()) {
    TY_RETURN_IF_ERROR(ReadCsvRows(text, {.required = std::move(of_quizzes)},
                                   [&marks] { return marks.add_quizzes(); }));
    return marks;
  }
  TY_RETURN_IF_ERROR(ReadCsvRows(text,
                                 {.required = std::move(of_exams),
                                  .decimal_column = "points",
                                  .decimal_field = "hundredths"},
                                 [&marks] { return marks.add_exams(); }));
  return marks;
}

absl::StatusOr<v1::MarksRecorded> ParseNamedMarksCsv(absl::string_view text) {
  return ParseMarks(text, {"student", "exam"}, {"student", "quiz"});
}

absl::StatusOr<std::string> ReadStandardInput(int64_t bytes_max) {
  std::string text(static_cast<size_t>(bytes_max) + 1, '\0');
  std::cin.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<size_t>(std::cin.gcount()));
  if (static_cast<int64_t>(text.size()) <= bytes_max) return text;
  return UsageError(absl::StrCat("standard input has more than ", bytes_max, " bytes"),
                    {.reason = ErrorReason::kTooLarge, .hint = "give the secret alone"});
}

}  // namespace

absl::Status ApplyFlags(const FieldFlags& flags, google::protobuf::Message* message) {
  std::vector<FieldViolation> faults;
  flags.ApplyTo(message, &faults);
  if (faults.empty()) return absl::OkStatus();
  return AsUsageError(MakeViolationsError(ErrorReason::kInvalidRequest, std::move(faults)));
}

absl::Status ReadYamlFile(const std::string& path, google::protobuf::Message* message) {
  TY_ASSIGN_OR_RETURN(const std::string text, ReadWhole(path, limits::kSpecBytesMax));
  return Annotate(ParseYaml(text, message), path);
}

absl::StatusOr<v1::Roster> ParseRosterCsv(absl::string_view text) {
  v1::Roster roster;
  TY_RETURN_IF_ERROR(ReadCsvRows(text, {.required = {"user", "role"}},
                                 [&roster] { return roster.add_enrolments(); }));
  return roster;
}

absl::StatusOr<v1::MarksRecorded> ParseMarksCsv(absl::string_view text) {
  return ParseMarks(text, {"student", "exam", "hundredths"}, {"student", "quiz", "module"});
}

absl::StatusOr<v1::Roster> ReadRosterFile(const std::string& path) {
  return ReadTable(path, &ParseRosterCsv);
}

absl::StatusOr<v1::MarksRecorded> ReadMarksFile(const std::string& path) {
  return ReadTable(path, &ParseMarksCsv);
}

absl::StatusOr<v1::MarksRecorded> ReadRemovedMarksFile(const std::string& path) {
  TY_ASSIGN_OR_RETURN(const v1::MarksRecorded named, ReadTable(path, &ParseNamedMarksCsv));
  v1::MarksRecorded removed;
  for (const v1::ExamMark& mark : named.exams()) {
    v1::ExamMark& row = *removed.add_exams();
    row.set_student(mark.student());
    row.set_exam(mark.exam());
    row.set_removed(true);
  }
  for (const v1::QuizResult& quiz : named.quizzes()) {
    v1::QuizResult& row = *removed.add_quizzes();
    row.set_student(quiz.student());
    row.set_quiz(quiz.quiz());
    row.set_removed(true);
  }
  return removed;
}

absl::StatusOr<std::string> ReadSecretFile(const std::string& path) {
  TY_ASSIGN_OR_RETURN(const std::string text, path == "-" ? ReadStandardInput(kSecretBytesMax)
                                                          : ReadWhole(path, kSecretBytesMax));
  const absl::string_view secret = absl::StripAsciiWhitespace(text);
  if (!secret.empty() && !absl::StrContains(secret, '\n')) return std::string(secret);
  return UsageError(absl::StrCat(path, " has no secret, or more than one line"),
                    {.reason = ErrorReason::kInvalidRequest, .hint = "give a file of one line"});
}

}  // namespace trainyard
