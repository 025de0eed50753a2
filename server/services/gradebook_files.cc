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

}  // namespace

absl::StatusOr<v1::ExportGradebookResponse> WriteGradebookFile(
    const v1::ExportGradebookRequest& request, const CourseState& state, int policy_version,
    const Gradebook& book) {
  TY_ASSIGN_OR_RETURN(const std::string course, ParseCourseName("course", request.course()));
  ExportBook exported{.course = course,
                      .policy_version = policy_version,
                      .as_of_sequence = state.course.last_sequence(),
                      .digest = GradebookDigest(book)};
  for (const std::string& id : state.assignment_order) {
    const v1::Assignment& assignment = state.Find(id)->assignment();
    exported.assignments.push_back({.id = id,
                                    .title = assignment.title(),
                                    .max_points = assignment.max_points(),
                                    .due = DeadlinesOf(state, assignment, "", absl::Now()).due});
  }
  for (const StudentGrade& grade : book.students) exported.rows.push_back(RowOf(state, grade));
  ExportOptions options{.format = request.format(),
                        .canvas_assignment_ids = {request.canvas_assignment_ids().begin(),
                                                  request.canvas_assignment_ids().end()}};
  if (!request.decimal_mark().empty()) options.decimal_mark = request.decimal_mark();
  TY_ASSIGN_OR_RETURN(ExportedFile file, ExportGradebook(exported, options));
  v1::ExportGradebookResponse response;
  response.set_document(std::move(file.document));
  response.set_file_name(std::move(file.file_name));
  for (std::string& warning : file.warnings) response.add_warnings(std::move(warning));
  return response;
}

}  // namespace trainyard
