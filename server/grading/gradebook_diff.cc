#include "server/grading/gradebook_diff.h"

#include <cstdint>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/string_view.h"
#include "server/base/ids.h"

namespace trainyard {
namespace {

// What is compared of a row, in the order in which changes are told.
using Figures = std::vector<std::pair<std::string, std::string>>;

std::string FlagsText(const std::vector<GradeFlag>& flags) {
  return absl::StrJoin(flags, ", ", [](std::string* out, GradeFlag flag) {
    absl::StrAppend(out, GradeFlagName(flag));
  });
}

std::string LineText(const HomeworkLine& line) {
  if (line.exempt) return "exempt";
  return absl::StrCat(FormatHundredths(line.centipoints), " of ", line.max_points,
                      line.bonus ? " (bonus)" : "");
}

std::string ExamText(const ExamLine& line) {
  if (!line.points_hundredths.has_value()) return "no result";
  return absl::StrCat(FormatHundredths(*line.points_hundredths), line.counts ? "" : " (counts 0)");
}

Figures FiguresOf(const StudentGrade& row) {
  Figures figures = {{"final", FormatHundredths(row.final_hundredths)},
                     {"homework", FormatHundredths(row.homework_hundredths)},
                     {"exams", FormatHundredths(row.exam_hundredths)},
                     {"so far", FormatHundredths(row.so_far_hundredths)},
                     {"flags", FlagsText(row.flags)}};
  for (const HomeworkLine& line : row.homework)
    figures.emplace_back("assignment " + line.assignment, LineText(line));
  for (const ExamLine& line : row.exams) figures.emplace_back("exam " + line.exam, ExamText(line));
  return figures;
}

using Texts = absl::flat_hash_map<std::string, std::string>;

std::optional<std::string> Find(const Texts& texts, const std::string& what) {
  const auto found = texts.find(what);
  return found == texts.end() ? std::nullopt : std::optional<std::string>(found->second);
}

// Figures of `after` that differ, then those that only `before` has.
std::vector<GradeChange> Changes(const Figures& before, const Figures& after) {
  const Texts old_texts(before.begin(), before.end());
  const Texts new_texts(after.begin(), after.end());
  std::vector<GradeChange> changes;
  for (const auto& [what, text] : after) {
    const std::optional<std::string> old_text = Find(old_texts, what);
    if (old_text != text) changes.push_back({what, old_text, text});
  }
  for (const auto& [what, text] : before) {
    if (!new_texts.contains(what)) changes.push_back({what, text, std::nullopt});
  }
  return changes;
}

using Rows = absl::flat_hash_map<absl::string_view, const StudentGrade*>;

Rows RowsOf(const Gradebook& book) {
  Rows rows;
  for (const StudentGrade& row : book.students) rows.emplace(row.student.id, &row);
  return rows;
}

// Either may be null, not both.
StudentChange Compare(const StudentGrade* before, const StudentGrade* after) {
  const StudentInput& student = after != nullptr ? after->student : before->student;
  StudentChange change{.student = student.id, .display_name = student.display_name};
  if (before != nullptr) change.final_before_hundredths = before->final_hundredths;
  if (after != nullptr) change.final_after_hundredths = after->final_hundredths;
  change.changes = Changes(before == nullptr ? Figures() : FiguresOf(*before),
                           after == nullptr ? Figures() : FiguresOf(*after));
  return change;
}

// One field a line, its text escaped, so that no text can look like two fields.
class CanonicalWriter {
 public:
  void Text(absl::string_view name, absl::string_view text) {
    absl::StrAppend(&out_, name, "=", absl::CEscape(text), "\n");
  }
  void Number(absl::string_view name, int64_t value) {
    absl::StrAppend(&out_, name, "=", value, "\n");
  }
  void Number(absl::string_view name, std::optional<int64_t> value) {
    if (value.has_value()) return Number(name, *value);
    absl::StrAppend(&out_, name, "=none\n");
  }
  std::string Take() { return std::move(out_); }

 private:
  std::string out_;
};

void WriteLine(const HomeworkLine& line, CanonicalWriter* out) {
  out->Text("assignment", line.assignment);
  out->Text("submission", line.submission);
  out->Number("points", line.points);
  out->Number("max_points", line.max_points);
  out->Number("time_ns", line.submission.empty()
                             ? std::nullopt
                             : std::optional<int64_t>(absl::ToUnixNanos(line.time)));
  out->Number("deadline_s", line.deadline.has_value()
                                ? std::optional<int64_t>(absl::ToUnixSeconds(*line.deadline))
                                : std::nullopt);
  out->Number("late_seconds", line.late_seconds);
  out->Number("late_units", line.late_units);
  out->Number("percent", line.percent);
  out->Number("run_centipoints", line.run_centipoints);
  out->Number("added_points", line.added_points);
  out->Number("set_points", line.set_points);
  out->Number("centipoints", line.centipoints);
  out->Number("bonus", line.bonus ? 1 : 0);
  out->Number("exempt", line.exempt ? 1 : 0);
  out->Number("sanctioned", line.sanctioned ? 1 : 0);
}

void WriteExam(const ExamLine& line, CanonicalWriter* out) {
  out->Text("exam", line.exam);
  out->Number("points_hundredths", line.points_hundredths);
  out->Number("admitted", line.admitted ? 1 : 0);
  out->Number("counts", line.counts ? 1 : 0);
}

void WriteRow(const StudentGrade& row, CanonicalWriter* out) {
  out->Text("student", row.student.id);
  out->Text("display_name", row.student.display_name);
  out->Text("full_name", row.student.full_name);
  out->Text("programme", row.student.programme);
  out->Text("group", row.student.group);
  for (const HomeworkLine& line : row.homework) WriteLine(line, out);
  for (const ExamLine& line : row.exams) WriteExam(line, out);
  out->Number("course_points", row.course_points);
  out->Number("total_centipoints", row.total_centipoints);
  out->Number("denominator_points", row.denominator_points);
  out->Number("homework_hundredths", row.homework_hundredths);
  out->Number("homework_counted_hundredths", row.homework_counted_hundredths);
  out->Number("so_far_hundredths", row.so_far_hundredths);
  out->Number("exam_hundredths", row.exam_hundredths);
  out->Number("computed_final_hundredths", row.computed_final_hundredths);
  out->Number("final_hundredths", row.final_hundredths);
  for (const GradeFlag flag : row.flags) out->Number("flag", static_cast<int64_t>(flag));
  out->Number("blocks_publication", row.blocks_publication ? 1 : 0);
}

}  // namespace

std::vector<StudentChange> DiffGradebooks(const Gradebook& before, const Gradebook& after) {
  const Rows old_rows = RowsOf(before);
  const Rows new_rows = RowsOf(after);
  std::vector<StudentChange> changes;
  for (const StudentGrade& row : after.students) {
    const auto old_row = old_rows.find(row.student.id);
    StudentChange change = Compare(old_row == old_rows.end() ? nullptr : old_row->second, &row);
    if (!change.changes.empty()) changes.push_back(std::move(change));
  }
  for (const StudentGrade& row : before.students) {
    if (!new_rows.contains(row.student.id)) changes.push_back(Compare(&row, nullptr));
  }
  return changes;
}

std::string CanonicalText(const Gradebook& book) {
  CanonicalWriter out;
  for (const StudentGrade& row : book.students) WriteRow(row, &out);
  return out.Take();
}

std::string GradebookDigest(const Gradebook& book) { return Sha256Digest(CanonicalText(book)); }

}  // namespace trainyard
