// A gradebook as files that other systems read: the course's own CSV byte for byte, the imports of
// Moodle and Canvas, nbgrader's export, and one JSON document of everything.
//
//   TY_ASSIGN_OR_RETURN(ExportedFile file,
//                       ExportGradebook(book, {.format = v1::GRADEBOOK_FORMAT_HSE_CSV}));
//
// Of people's texts (names, mail addresses, ids) a cell that a spreadsheet would compute, because
// it starts with = + - @, a tab or a carriage return, gets an apostrophe before it. Numbers are
// ours and stay as they are.
//
// Thread-safety: pure functions. Errors: INVALID_ARGUMENT/INVALID_REQUEST with every text that is
// not UTF-8 and every option that does not fit; RESOURCE_EXHAUSTED/TOO_LARGE beyond
// kExportBytesMax.
#ifndef TRAINYARD_SERVER_GRADING_EXPORT_GRADEBOOK_H_
#define TRAINYARD_SERVER_GRADING_EXPORT_GRADEBOOK_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "trainyard/v1/course.pb.h"
#include "trainyard/v1/grades.pb.h"

namespace trainyard {

// An answer has to fit into a message.
inline constexpr size_t kExportBytesMax = size_t{3} << 20;

struct ExportAssignment {
  std::string id;
  std::string title;  // empty: the id
  int64_t max_points = 0;
  absl::Time due = absl::InfiniteFuture();  // without the grace time
};

// What one assignment gives one student.
struct ExportHomework {
  int64_t centipoints = 0;          // as it counts, after penalty and adjustments
  int64_t penalty_centipoints = 0;  // taken off for lateness
  int64_t late_units = 0;
  bool exempt = false;
  std::string submission;  // name of the one that counts; empty: none
  std::string receipt;     // its receipt's id
  absl::Time accepted_at = absl::InfinitePast();
};

struct ExportRow {
  std::string student;    // id
  std::string full_name;  // empty: unknown
  std::string programme;
  std::string group;
  v1::ExternalIds external;
  std::vector<ExportHomework> homeworks;  // REQUIRES: one per ExportBook::assignments
  int64_t total_centipoints = 0;
  int64_t homework_hundredths = 0;  // rounded, as it counts
  int64_t exam_hundredths = 0;
  int64_t final_hundredths = 0;
};

struct ExportBook {
  std::string course;  // id
  int64_t policy_version = 0;
  int64_t as_of_sequence = 0;
  std::string digest;
  std::vector<ExportAssignment> assignments;
  std::vector<ExportRow> rows;
};

struct ExportOptions {
  v1::GradebookFormat format = v1::GRADEBOOK_FORMAT_UNSPECIFIED;
  // MOODLE_CSV: "." or ",", as the site's language has it.
  std::string decimal_mark = ".";
  // CANVAS_CSV: Canvas's ids by ours. Canvas makes a new assignment of what has none.
  std::map<std::string, int64_t> canvas_assignment_ids;
  // HSE_CSV, MOODLE_CSV, CANVAS_CSV: whether the file starts with a byte order mark, by which
  // spreadsheets see that it is UTF-8; all three importers take it. Default: HSE_CSV only.
  std::optional<bool> csv_bom;
  // The same: whether students without a full name have a row. Default: not in HSE_CSV.
  std::optional<bool> include_without_name;
};

struct ExportedFile {
  std::string document;
  std::string file_name;  // "{course}-hse.csv"
  // Who is left out or may not be matched, and why.
  std::vector<std::string> warnings;
};

// HSE_CSV: what the course's page downloads: UTF-8 with a byte order mark, rows joined by CRLF
//   without one at the end, quotes where there is a quote, comma, semicolon or line end. ФИО,
//   Программа ("-" when unknown), Накоп (the rounded homework grade as an integer), Экзамены and
//   Итог with two decimals; only students with a name; by GitHub login, then id. With
//   include_without_name, who has no name stands there by the id.
//
// MOODLE_CSV: username, email, and for each assignment points with two decimals and a feedback
//   column; blank: no grade (exempt). Without username and mail address a student is left out:
//   Moodle aborts a whole import over an unknown one.
//
// CANVAS_CSV: a row of maxima, then one a student; EX for exempt, 0 for nothing, since blank would
//   leave what is there. Without any of Canvas's ids a student is left out: Canvas would match by
//   name.
//
// NBGRADER_CSV: nbgrader's 11 columns, a line per assignment and student, none for exempt; score =
//   raw_score - late_submission_penalty. Times as nbgrader writes them, in UTC; empty when there
//   is none. The first word of a name is taken for the last name, as Russian lists have it.
//
// JSON: canonical JSON (server/wire/canonical_json.h).
absl::StatusOr<ExportedFile> ExportGradebook(const ExportBook& book, const ExportOptions& options);

}  // namespace trainyard

#endif  // TRAINYARD_SERVER_GRADING_EXPORT_GRADEBOOK_H_
