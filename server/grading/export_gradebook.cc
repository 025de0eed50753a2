#include "server/grading/export_gradebook.h"

#include <algorithm>
#include <cstdlib>
#include <iterator>
#include <tuple>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "core/base/check.h"
#include "core/base/error_info.h"
#include "core/base/status_macros.h"
#include "server/wire/canonical_json.h"

namespace trainyard {
namespace {

constexpr char kByteOrderMark[] = "\xEF\xBB\xBF";
constexpr size_t kWarningsMax = 100;

using Cells = std::vector<std::string>;

// Text that somebody wrote, made harmless for spreadsheets.
std::string Guarded(const std::string& text) {
  const bool formula = !text.empty() && absl::StrContains("=+-@\t\r", text.substr(0, 1));
  return formula ? "'" + text : text;
}

std::string CsvCell(const std::string& text) {
  if (text.find_first_of("\",;\r\n") == std::string::npos) return text;
  return absl::StrCat("\"", absl::StrReplaceAll(text, {{"\"", "\"\""}}), "\"");
}

std::string CsvLine(const Cells& cells) {
  return absl::StrJoin(cells, ",", [](std::string* out, const std::string& cell) {
    absl::StrAppend(out, CsvCell(cell));
  });
}

// 8630 → "86.30".
std::string TwoDecimals(int64_t hundredths) {
  const int64_t magnitude = std::abs(hundredths);
  return absl::StrFormat("%s%d.%02d", hundredths < 0 ? "-" : "", magnitude / 100, magnitude % 100);
}

// 8630 → "86.3", 8600 → "86".
std::string ShortDecimal(int64_t hundredths) {
  const std::string full = TwoDecimals(hundredths);
  absl::string_view text = full;
  while (absl::EndsWith(text, "0")) text.remove_suffix(1);
  if (absl::EndsWith(text, ".")) text.remove_suffix(1);
  return std::string(text);
}

// As Python prints a float: 8600 → "86.0".
std::string PythonFloat(int64_t hundredths) {
  const std::string text = ShortDecimal(hundredths);
  return absl::StrContains(text, ".") ? text : text + ".0";
}

// As Python prints a datetime, without its fraction; empty for a time that is none.
std::string PythonTime(absl::Time time) {
  const bool finite = time != absl::InfiniteFuture() && time != absl::InfinitePast();
  return finite ? absl::FormatTime("%Y-%m-%d %H:%M:%S", time, absl::UTCTimeZone()) : "";
}

const std::string& TitleOf(const ExportAssignment& assignment) {
  return assignment.title.empty() ? assignment.id : assignment.title;
}

void Warn(std::string warning, ExportedFile* file) {
  if (file->warnings.size() < kWarningsMax) return file->warnings.push_back(std::move(warning));
  file->warnings.back() = "and more";
}

// Texts that are not UTF-8.

void CheckText(const std::string& text, const std::string& field,
               std::vector<FieldViolation>* faults) {
  if (!IsValidUtf8(text)) faults->push_back({field, "is not UTF-8"});
}

void CheckRow(const ExportRow& row, const std::string& field, std::vector<FieldViolation>* faults) {
  const std::vector<std::pair<const char*, const std::string*>> texts = {
      {"student", &row.student},
      {"full_name", &row.full_name},
      {"programme", &row.programme},
      {"group", &row.group},
      {"external.github_login", &row.external.github_login()},
      {"external.email", &row.external.email()},
      {"external.canvas_id", &row.external.canvas_id()},
      {"external.sis_user_id", &row.external.sis_user_id()},
      {"external.sis_login_id", &row.external.sis_login_id()},
      {"external.section", &row.external.section()},
      {"external.lti_user_id", &row.external.lti_user_id()}};
  for (const auto& [name, text] : texts) CheckText(*text, absl::StrCat(field, ".", name), faults);
}

absl::Status CheckBook(const ExportBook& book, const ExportOptions& options) {
  std::vector<FieldViolation> faults;
  for (size_t i = 0; i < book.assignments.size(); ++i) {
    CheckText(book.assignments[i].title, absl::StrCat("assignments[", i, "].title"), &faults);
  }
  for (size_t i = 0; i < book.rows.size(); ++i) {
    TY_CHECK(book.rows[i].homeworks.size() == book.assignments.size());
    CheckRow(book.rows[i], absl::StrCat("rows[", i, "]"), &faults);
  }
  if (options.decimal_mark != "." && options.decimal_mark != ",") {
    faults.push_back({"decimal_mark", absl::StrCat("is \"", options.decimal_mark.substr(0, 20),
                                                   "\"; give \".\" or \",\"")});
  }
  if (faults.empty()) return absl::OkStatus();
  return MakeViolationsError(ErrorReason::kInvalidRequest, std::move(faults));
}

// Formats.

bool IsBlank(const std::string& text) {
  return text.find_first_not_of(" \t\r\n") == std::string::npos;
}

const char* MarkIf(bool wanted) { return wanted ? kByteOrderMark : ""; }

// All, or those with a name.
std::vector<const ExportRow*> RowsOf(const ExportBook& book, bool without_name,
                                     ExportedFile* file) {
  std::vector<const ExportRow*> rows;
  for (const ExportRow& row : book.rows) {
    const bool wanted = without_name || !IsBlank(row.full_name);
    if (wanted) rows.push_back(&row);
    if (!wanted) Warn(absl::StrCat(row.student, " has no name: left out"), file);
  }
  return rows;
}

// The page groups by login, which sorts.
std::vector<const ExportRow*> ByLogin(std::vector<const ExportRow*> rows) {
  std::sort(rows.begin(), rows.end(), [](const ExportRow* a, const ExportRow* b) {
    return std::tie(a->external.github_login(), a->student) <
           std::tie(b->external.github_login(), b->student);
  });
  return rows;
}

void WriteHse(const ExportBook& book, const ExportOptions& options, ExportedFile* file) {
  std::vector<std::string> lines = {"ФИО,Программа,Накоп,Экзамены,Итог"};
  const bool without_name = options.include_without_name.value_or(false);
  for (const ExportRow* row : ByLogin(RowsOf(book, without_name, file))) {
    const std::string& name = IsBlank(row->full_name) ? row->student : row->full_name;
    // The page's own "-" is no formula.
    const std::string programme = row->programme.empty() ? "-" : Guarded(row->programme);
    lines.push_back(
        CsvLine({Guarded(name), programme, ShortDecimal(row->homework_hundredths),
                 TwoDecimals(row->exam_hundredths), TwoDecimals(row->final_hundredths)}));
  }
  file->document =
      absl::StrCat(MarkIf(options.csv_bom.value_or(true)), absl::StrJoin(lines, "\r\n"));
}

std::string FeedbackOf(const ExportHomework& homework) {
  if (homework.exempt) return "exempt";
  if (homework.receipt.empty()) return "";
  if (homework.late_units == 0) return absl::StrCat("receipt ", homework.receipt);
  return absl::StrCat("receipt ", homework.receipt, ", late: ", homework.late_units);
}

void WriteMoodle(const ExportBook& book, const ExportOptions& options, ExportedFile* file) {
  Cells header = {"username", "email"};
  for (const ExportAssignment& assignment : book.assignments) {
    header.push_back(Guarded(assignment.id));
    header.push_back(absl::StrCat(assignment.id, " feedback"));
  }
  std::vector<std::string> lines = {CsvLine(header)};
  for (const ExportRow* row : RowsOf(book, options.include_without_name.value_or(true), file)) {
    const v1::ExternalIds& ids = row->external;
    if (ids.sis_login_id().empty() && ids.email().empty()) {
      Warn(absl::StrCat(row->student, " has no sis_login_id and no email: left out"), file);
      continue;
    }
    Cells cells = {Guarded(ids.sis_login_id()), Guarded(ids.email())};
    for (const ExportHomework& homework : row->homeworks) {
      const std::string points = TwoDecimals(homework.centipoints);
      cells.push_back(homework.exempt ? ""
                                      : absl::StrReplaceAll(points, {{".", options.decimal_mark}}));
      cells.push_back(FeedbackOf(homework));
    }
    lines.push_back(CsvLine(cells));
  }
  file->document =
      absl::StrCat(MarkIf(options.csv_bom.value_or(false)), absl::StrJoin(lines, "\n"), "\n");
}

std::string CanvasTitle(const ExportAssignment& assignment, const ExportOptions& options,
                        ExportedFile* file) {
  const auto id = options.canvas_assignment_ids.find(assignment.id);
  if (id != options.canvas_assignment_ids.end()) {
    return Guarded(absl::StrCat(TitleOf(assignment), " (", id->second, ")"));
  }
  Warn(absl::StrCat(assignment.id, " has no Canvas id: Canvas makes a new assignment of it"), file);
  return Guarded(TitleOf(assignment));
}

std::string CanvasPoints(const ExportHomework& homework) {
  return homework.exempt ? "EX" : ShortDecimal(homework.centipoints);
}

void WriteCanvas(const ExportBook& book, const ExportOptions& options, ExportedFile* file) {
  Cells header = {"Student", "ID", "SIS User ID", "SIS Login ID", "Section"};
  Cells maxima = {"    Points Possible", "", "", "", ""};
  for (const ExportAssignment& assignment : book.assignments) {
    header.push_back(CanvasTitle(assignment, options, file));
    maxima.push_back(absl::StrCat(assignment.max_points));
  }
  std::vector<std::string> lines = {CsvLine(header), CsvLine(maxima)};
  for (const ExportRow* row : RowsOf(book, options.include_without_name.value_or(true), file)) {
    const v1::ExternalIds& ids = row->external;
    const bool unknown =
        ids.canvas_id().empty() && ids.sis_user_id().empty() && ids.sis_login_id().empty();
    if (unknown) {
      Warn(absl::StrCat(row->student, " has none of Canvas's ids: left out"), file);
      continue;
    }
    Cells cells = {Guarded(row->full_name), Guarded(ids.canvas_id()), Guarded(ids.sis_user_id()),
                   Guarded(ids.sis_login_id()), Guarded(ids.section())};
    for (const ExportHomework& homework : row->homeworks) cells.push_back(CanvasPoints(homework));
    lines.push_back(CsvLine(cells));
  }
  file->document =
      absl::StrCat(MarkIf(options.csv_bom.value_or(false)), absl::StrJoin(lines, "\n"), "\n");
}

// Last and first name.
std::pair<std::string, std::string> SplitName(const std::string& full_name) {
  const absl::string_view name = absl::StripAsciiWhitespace(full_name);
  const size_t space = std::min(name.find(' '), name.size());
  return {std::string(name.substr(0, space)),
          std::string(absl::StripLeadingAsciiWhitespace(name.substr(space)))};
}

Cells NbgraderCells(const ExportAssignment& assignment, const ExportRow& row,
                    const ExportHomework& homework) {
  const auto [last_name, first_name] = SplitName(row.full_name);
  const int64_t raw = homework.centipoints + homework.penalty_centipoints;
  return {assignment.id,
          PythonTime(assignment.due),
          PythonTime(homework.accepted_at),
          Guarded(row.student),
          Guarded(last_name),
          Guarded(first_name),
          Guarded(row.external.email()),
          PythonFloat(raw),
          PythonFloat(homework.penalty_centipoints),
          PythonFloat(std::max<int64_t>(0, raw - homework.penalty_centipoints)),
          PythonFloat(assignment.max_points * 100)};
}

void WriteNbgrader(const ExportBook& book, const ExportOptions&, ExportedFile* file) {
  std::vector<std::string> lines = {
      "assignment,duedate,timestamp,student_id,last_name,first_name,email,raw_score,late_"
      "submission_"
      "penalty,score,max_score"};
  for (size_t i = 0; i < book.assignments.size(); ++i) {
    for (const ExportRow& row : book.rows) {
      if (row.homeworks[i].exempt) continue;
      lines.push_back(CsvLine(NbgraderCells(book.assignments[i], row, row.homeworks[i])));
    }
  }
  file->document = absl::StrCat(absl::StrJoin(lines, "\n"), "\n");
}

std::string TimeText(absl::Time time) {
  const bool finite = time != absl::InfiniteFuture() && time != absl::InfinitePast();
  return finite ? absl::FormatTime("%Y-%m-%dT%H:%M:%E6SZ", time, absl::UTCTimeZone()) : "";
}

Json AssignmentsJson(const ExportBook& book) {
  Json::Array array;
  for (const ExportAssignment& assignment : book.assignments) {
    Json::Object object;
    object["id"] = assignment.id;
    object["title"] = TitleOf(assignment);
    object["max_points"] = assignment.max_points;
    object["due"] = TimeText(assignment.due);
    array.push_back(std::move(object));
  }
  return array;
}

Json HomeworksJson(const ExportBook& book, const ExportRow& row) {
  Json::Object homeworks;
  for (size_t i = 0; i < row.homeworks.size(); ++i) {
    const ExportHomework& homework = row.homeworks[i];
    Json::Object object;
    object["centipoints"] = homework.centipoints;
    object["penalty_centipoints"] = homework.penalty_centipoints;
    object["late_units"] = homework.late_units;
    object["exempt"] = homework.exempt;
    object["submission"] = homework.submission;
    object["receipt"] = homework.receipt;
    object["accepted_at"] = TimeText(homework.accepted_at);
    homeworks[book.assignments[i].id] = std::move(object);
  }
  return homeworks;
}

Json ExternalJson(const v1::ExternalIds& external) {
  Json::Object object;
  object["github_login"] = external.github_login();
  object["email"] = external.email();
  object["canvas_id"] = external.canvas_id();
  object["sis_user_id"] = external.sis_user_id();
  object["sis_login_id"] = external.sis_login_id();
  object["section"] = external.section();
  object["lti_user_id"] = external.lti_user_id();
  return object;
}

void WriteJson(const ExportBook& book, const ExportOptions&, ExportedFile* file) {
  Json::Array rows;
  for (const ExportRow& row : book.rows) {
    Json::Object object;
    object["student"] = row.student;
    object["full_name"] = row.full_name;
    object["programme"] = row.programme;
    object["group"] = row.group;
    object["external"] = ExternalJson(row.external);
    object["homeworks"] = HomeworksJson(book, row);
    object["total_centipoints"] = row.total_centipoints;
    object["homework_hundredths"] = row.homework_hundredths;
    object["exam_hundredths"] = row.exam_hundredths;
    object["final_hundredths"] = row.final_hundredths;
    rows.push_back(std::move(object));
  }
  Json::Object document;
  document["course"] = book.course;
  document["policy_version"] = book.policy_version;
  document["as_of_sequence"] = book.as_of_sequence;
  document["digest"] = book.digest;
  document["assignments"] = AssignmentsJson(book);
  document["rows"] = std::move(rows);
  file->document = CanonicalJson(Json(std::move(document)));
}

struct Format {
  v1::GradebookFormat format;
  const char* suffix;
  void (*write)(const ExportBook&, const ExportOptions&, ExportedFile*);
};
constexpr Format kFormats[] = {{v1::GRADEBOOK_FORMAT_HSE_CSV, "hse.csv", &WriteHse},
                               {v1::GRADEBOOK_FORMAT_MOODLE_CSV, "moodle.csv", &WriteMoodle},
                               {v1::GRADEBOOK_FORMAT_CANVAS_CSV, "canvas.csv", &WriteCanvas},
                               {v1::GRADEBOOK_FORMAT_NBGRADER_CSV, "nbgrader.csv", &WriteNbgrader},
                               {v1::GRADEBOOK_FORMAT_JSON, "gradebook.json", &WriteJson}};

absl::Status UnknownFormat(v1::GradebookFormat format) {
  return MakeViolationsError(
      ErrorReason::kInvalidRequest,
      {{"format", absl::StrCat("is ", static_cast<int>(format), "; give one of GradebookFormat")}});
}

}  // namespace

absl::StatusOr<ExportedFile> ExportGradebook(const ExportBook& book, const ExportOptions& options) {
  const auto format = std::find_if(std::begin(kFormats), std::end(kFormats),
                                   [&](const Format& f) { return f.format == options.format; });
  if (format == std::end(kFormats)) return UnknownFormat(options.format);
  TY_RETURN_IF_ERROR(CheckBook(book, options));
  ExportedFile file;
  format->write(book, options, &file);
  file.file_name = absl::StrCat(book.course, "-", format->suffix);
  if (file.document.size() <= kExportBytesMax) return file;
  return MakeError(absl::StatusCode::kResourceExhausted,
                   absl::StrCat("the file has ", file.document.size(), " bytes"),
                   {.reason = ErrorReason::kTooLarge,
                    .hint = "read the rows with GetGradebook",
                    .in_force = absl::StrCat("at most ", kExportBytesMax, " bytes")});
}

}  // namespace trainyard
