#include "server/services/gradebook_files.h"

#include <utility>

#include "absl/time/clock.h"
#include "core/base/status_macros.h"
#include "server/grading/course_names.h"
#include "server/grading/export_gradebook.h"
#include "server/grading/gradebook_diff.h"
#include "server/wire/timestamp.h"

namespace trainyard {
namespace {

ExportHomework HomeworkOf(const CourseState& state, const HomeworkLine& line) {
  ExportHomework homework{.centipoints = line.centipoints,
                          .penalty_centipoints = line.points * 100 - line.run_centipoints,
                          .late_units = line.late_units,
                          .exempt = line.exempt,
                          .submission = line.submission};
  const auto graded = state.graded.find(line.submission);
  if (graded == state.graded.end()) return homework;
  homework.receipt = graded->second.graded.receipt();
  homework.accepted_at = FromTimestamp(graded->second.graded.accepted_at());
  return homework;
}

ExportRow RowOf(const CourseState& state, const StudentGrade& grade) {
  ExportRow row{.student = grade.student.id,
                .full_name = grade.student.full_name,
                .programme = grade.student.programme,
                .group = grade.student.group,
                .total_centipoints = grade.total_centipoints,
                .homework_hundredths = grade.homework_counted_hundredths,
                .exam_hundredths = grade.exam_hundredths,
                .final_hundredths = grade.final_hundredths};
  const auto enrolment = state.roster.find(grade.student.id);
  if (enrolment != state.roster.end()) row.external = enrolment->second.external();
  for (const HomeworkLine& line : grade.homework) row.homeworks.push_back(HomeworkOf(state, line));
  return row;
}

v1::GradebookFormat FormatOf(v1::GradebookCsv csv) {
  switch (csv) {
    case v1::GRADEBOOK_CSV_HSE:
      return v1::GRADEBOOK_FORMAT_HSE_CSV;
    case v1::GRADEBOOK_CSV_MOODLE:
      return v1::GRADEBOOK_FORMAT_MOODLE_CSV;
    case v1::GRADEBOOK_CSV_CANVAS:
      return v1::GRADEBOOK_FORMAT_CANVAS_CSV;
    default:
      return v1::GRADEBOOK_FORMAT_UNSPECIFIED;
  }
}

ExportOptions OptionsOf(const v1::ExportGradebookRequest& request,
                        const v1::GradebookExportPolicy& policy) {
  const v1::GradebookFormat usual = FormatOf(policy.csv());
  const bool chosen = request.format() != v1::GRADEBOOK_FORMAT_UNSPECIFIED;
  ExportOptions options{.format = chosen ? request.format() : usual,
                        .canvas_assignment_ids = {request.canvas_assignment_ids().begin(),
                                                  request.canvas_assignment_ids().end()}};
  if (!request.decimal_mark().empty()) options.decimal_mark = request.decimal_mark();
  // The rest of the policy is of its own file. Importers go by ids: nobody is to be left out of
  // theirs by a rule for names in HSE's table.
  if (options.format != usual) return options;
  if (policy.has_csv_bom()) options.csv_bom = policy.csv_bom();
  if (policy.has_include_without_name()) {
    options.include_without_name = policy.include_without_name();
  }
  return options;
}

}  // namespace

absl::StatusOr<v1::ExportGradebookResponse> WriteGradebookFile(
    const v1::ExportGradebookRequest& request, const CourseState& state,
    const v1::PolicyVersion& policy, const Gradebook& book) {
  TY_ASSIGN_OR_RETURN(const std::string course, ParseCourseName("course", request.course()));
  ExportBook exported{.course = course,
                      .policy_version = policy.version(),
                      .as_of_sequence = state.course.last_sequence(),
                      .digest = GradebookDigest(book)};
  for (const std::string& id : state.assignment_order) {
    const v1::Assignment& assignment = state.Find(id)->assignment();
    // The book has no such lines.
    if (assignment.retired()) continue;
    exported.assignments.push_back({.id = id,
                                    .title = assignment.title(),
                                    .max_points = assignment.max_points(),
                                    .due = DeadlinesOf(state, assignment, "", absl::Now()).due});
  }
  for (const StudentGrade& grade : book.students) exported.rows.push_back(RowOf(state, grade));
  const ExportOptions options = OptionsOf(request, policy.policy().export_());
  TY_ASSIGN_OR_RETURN(ExportedFile file, ExportGradebook(exported, options));
  v1::ExportGradebookResponse response;
  response.set_document(std::move(file.document));
  response.set_file_name(std::move(file.file_name));
  for (std::string& warning : file.warnings) response.add_warnings(std::move(warning));
  return response;
}

}  // namespace trainyard
