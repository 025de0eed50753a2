#include "server/grading/explain.h"

#include <cstdint>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/string_view.h"

namespace trainyard {
namespace {

constexpr int64_t kDaySeconds = 86'400;

// "1 day", "2 days", "3 units of 1h".
std::string LateUnits(int64_t units, int64_t unit_seconds) {
  const char* const plural = units == 1 ? "" : "s";
  if (unit_seconds == kDaySeconds) return absl::StrCat(units, " day", plural);
  return absl::StrCat(units, " unit", plural, " of ",
                      absl::FormatDuration(absl::Seconds(unit_seconds)));
}

// What an adjustment does, without its reason.
std::string Deed(const AdjustmentInput& adjustment, int64_t unit_seconds) {
  switch (adjustment.kind) {
    case AdjustmentKind::kAdd:
      return absl::StrFormat("%+d points", adjustment.value);
    case AdjustmentKind::kSet:
      return absl::StrCat("set to ", adjustment.value, " points");
    case AdjustmentKind::kZero:
      return "set to 0 points";
    case AdjustmentKind::kLateDays:
      return absl::StrCat("counted as ", LateUnits(adjustment.value, unit_seconds), " late");
    case AdjustmentKind::kExempt:
      return "exempt";
    case AdjustmentKind::kExtend:
      return absl::StrCat("deadline later by ",
                          absl::FormatDuration(absl::Seconds(adjustment.value)));
    case AdjustmentKind::kFinal:
      return absl::StrCat("final grade set to ", FormatHundredths(adjustment.value));
    case AdjustmentKind::kSanctionPlagiarism:
      return "sanction for plagiarism";
    case AdjustmentKind::kSanctionTampering:
      return "sanction for tampering with grading";
  }
  return "";
}

class Explainer {
 public:
  Explainer(const StudentGrade& row, const StudentAdjustments& adjustments, const LateRule& late,
            const v1::GradingPolicy& policy)
      : row_(row), adjustments_(adjustments), late_(late), policy_(policy) {}

  std::vector<std::string> Explain();

 private:
  // Adjustments that name `assignment`; with "" those for the whole course.
  void AddAdjustments(absl::string_view assignment);
  std::string RunText(const HomeworkLine& line) const;
  void AddHomeworkLine(const HomeworkLine& line);
  void AddHomework();
  void AddExams();
  void AddFinal();

  const StudentGrade& row_;
  const StudentAdjustments& adjustments_;
  const LateRule& late_;
  const v1::GradingPolicy& policy_;
  std::vector<std::string> lines_;
};

void Explainer::AddAdjustments(absl::string_view assignment) {
  for (const AdjustmentInput* adjustment : adjustments_.all()) {
    if (adjustment->assignment != assignment) continue;
    const std::string reason =
        adjustment->reason.empty() ? "" : absl::StrCat(": ", adjustment->reason);
    const char* const waits = adjustment->unconfirmed ? " (waits for a second person)" : "";
    lines_.push_back(
        absl::StrCat("  by staff: ", Deed(*adjustment, late_.unit_seconds()), waits, reason));
  }
}

std::string Explainer::RunText(const HomeworkLine& line) const {
  if (line.submission.empty()) return "no graded run";
  const bool finished = policy_.time().late_clock() == v1::LATE_CLOCK_FINISHED_AT;
  std::string text =
      absl::StrCat(line.points, " of ", line.max_points, ", ", finished ? "finished " : "accepted ",
                   FormatInstant(line.time, late_.zone()), ", ",
                   LateUnits(line.late_units, late_.unit_seconds()), " late");
  if (line.percent > 0) absl::StrAppend(&text, ", -", line.percent, " %");
  if (line.late_seconds > 0) {
    absl::StrAppend(&text, " (deadline ", FormatInstant(*line.deadline, late_.zone()), ")");
  }
  return text;
}

void Explainer::AddHomeworkLine(const HomeworkLine& line) {
  std::string text = absl::StrCat(line.assignment, line.bonus ? " (bonus): " : ": ", RunText(line));
  if (line.exempt) {
    absl::StrAppend(&text, " → does not count (exempt)");
  } else {
    absl::StrAppend(&text, line.sanctioned ? ", sanctioned" : "", " → ",
                    FormatHundredths(line.centipoints));
  }
  lines_.push_back(text);
  if (!line.submission.empty()) {
    lines_.push_back(absl::StrCat("  run ", line.submission, ": ", line.choice));
  }
  AddAdjustments(line.assignment);
}

void Explainer::AddHomework() {
  for (const HomeworkLine& line : row_.homework) AddHomeworkLine(line);
  AddAdjustments("");
  lines_.push_back(absl::StrCat("points: ", FormatHundredths(row_.total_centipoints), " of ",
                                row_.denominator_points));
  const int scale = policy_.homework().scale();
  if (row_.denominator_points == 0) {
    lines_.push_back("homework: no assignment counts, so there is no grade: 0.00");
    return;
  }
  const bool whole = policy_.homework().rounding() != v1::HOMEWORK_ROUNDING_HUNDREDTHS;
  lines_.push_back(absl::StrCat(
      "homework: ", scale, " × ", FormatHundredths(row_.total_centipoints), " / ",
      row_.denominator_points, ", at most ", scale, " → ",
      FormatHundredths(row_.homework_hundredths),
      whole ? absl::StrCat(" → ", row_.homework_counted_hundredths / 100) : std::string()));
  lines_.push_back(absl::StrCat("homework so far, without what is not released: ",
                                FormatHundredths(row_.so_far_hundredths)));
}

void Explainer::AddExams() {
  for (size_t i = 0; i < row_.exams.size(); ++i) {
    const ExamLine& line = row_.exams[i];
    const v1::ExamPolicy& exam = policy_.exams().items(static_cast<int>(i));
    lines_.push_back(line.points_hundredths.has_value()
                         ? absl::StrCat(line.exam, ": ", FormatHundredths(*line.points_hundredths),
                                        " of ", exam.max(), " × ",
                                        FormatHundredths(exam.weight_percent()),
                                        line.counts ? "" : ", counts 0 without admission")
                         : absl::StrCat(line.exam, ": no result"));
    for (const std::string& condition : line.conditions) lines_.push_back("  " + condition);
  }
  lines_.push_back(absl::StrCat("exams: ", FormatHundredths(row_.exam_hundredths), ", at most ",
                                policy_.exams().cap()));
}

void Explainer::AddFinal() {
  lines_.push_back(absl::StrCat("final: ", FormatHundredths(row_.homework_counted_hundredths),
                                " + ", FormatHundredths(row_.exam_hundredths), ", at most ",
                                policy_.final().cap(), " → ",
                                FormatHundredths(row_.computed_final_hundredths)));
  if (const AdjustmentInput* const final = adjustments_.Final()) {
    lines_.push_back(absl::StrCat("final by staff: ", FormatHundredths(final->value)));
  }
  for (const GradeFlag flag : row_.flags) {
    lines_.push_back(absl::StrCat("note: ", GradeFlagName(flag)));
  }
}

std::vector<std::string> Explainer::Explain() {
  AddHomework();
  AddExams();
  AddFinal();
  return std::move(lines_);
}

}  // namespace

std::string FormatInstant(absl::Time time, const absl::TimeZone& zone) {
  return absl::FormatTime("%Y-%m-%d %H:%M:%S %Z", time, zone);
}

std::vector<std::string> ExplainGrade(const StudentGrade& row,
                                      const StudentAdjustments& adjustments, const LateRule& late,
                                      const v1::GradingPolicy& policy) {
  return Explainer(row, adjustments, late, policy).Explain();
}

}  // namespace trainyard
